//! Standard error, for which nobody waits once the process serves: a log daemon that stands still, or a terminal that
//! was stopped, must not keep health checks and signals waiting.
//!
//! ```text
//! before: whoever says something writes it      behind `serve`: try_send -> thread `stderr` -> write
//! ```
//! What finds the queue full is lost and counted; the next line that is written tells how many were.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::AcqRel, Ordering::Acquire};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Texts that wait at most.
const PLACES: usize = 1024;
/// How long the end of the process waits for those that wait.
const PATIENCE: Duration = Duration::from_secs(1);

/// Set once the process serves.
static WRITER: OnceLock<Writer> = OnceLock::new();

struct Writer {
    texts: SyncSender<Vec<u8>>,
    waiting: AtomicUsize,
    lost: AtomicU64,
}

/// From now on a thread of its own writes. Without one, whoever says something still does.
pub fn serve() {
    if WRITER.get().is_some() {
        return;
    }
    let (texts, queue) = sync_channel(PLACES);
    if thread::Builder::new().name("stderr".to_owned()).spawn(|| write_all(queue)).is_ok() {
        let _ = WRITER.set(Writer { texts, waiting: AtomicUsize::new(0), lost: AtomicU64::new(0) });
    }
}

/// Writes whole lines at once, so that threads do not mix theirs. A closed standard error has no reader to tell.
pub fn say(text: &[u8]) {
    match WRITER.get() {
        None => drop(io::stderr().lock().write_all(text)),
        Some(writer) => writer.put(text),
    }
}

/// Waits a moment until everything that was said is written: the process is about to end.
pub fn finish() {
    let deadline = Instant::now() + PATIENCE;
    let waits = || WRITER.get().is_some_and(|writer| writer.waiting.load(Acquire) > 0);
    while waits() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
}

impl Writer {
    fn put(&self, text: &[u8]) {
        self.waiting.fetch_add(1, AcqRel);
        if self.texts.try_send(text.to_vec()).is_err() {
            self.waiting.fetch_sub(1, AcqRel);
            self.lost.fetch_add(1, AcqRel);
        }
    }
}

fn write_all(queue: Receiver<Vec<u8>>) {
    for text in queue {
        let _ = io::stderr().lock().write_all(&text);
        let Some(writer) = WRITER.get() else { continue };
        let lost = writer.lost.swap(0, AcqRel);
        if lost > 0 {
            let (pid, why) = (std::process::id(), "nobody read standard error");
            let text = format!("[WARNING]  ({pid}) : {lost} messages before this line are lost: {why}.\n");
            let _ = io::stderr().lock().write_all(text.as_bytes());
        }
        writer.waiting.fetch_sub(1, AcqRel);
    }
}

/// The same as a stream, of which each write is whole lines.
#[derive(Clone, Copy, Debug)]
pub struct Stream;

impl Write for Stream {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        say(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
