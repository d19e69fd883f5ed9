//! Standard error, for which nobody waits once the process serves: a log daemon that stands still, or a terminal that
//! was stopped, must not keep health checks and signals waiting.
//!
//! ```text
//! before: whoever says something writes it      behind `serve`: try_send -> thread `stderr` -> write
//! ```
//! What finds the queue full is lost and counted; in its place stands how many there were.

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
    let (writer, queue) = Writer::with(PLACES);
    if thread::Builder::new().name("stderr".to_owned()).spawn(|| write_all(queue)).is_ok() {
        let _ = WRITER.set(writer);
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
    fn with(places: usize) -> (Writer, Receiver<Vec<u8>>) {
        let (texts, queue) = sync_channel(places);
        (Writer { texts, waiting: AtomicUsize::new(0), lost: AtomicU64::new(0) }, queue)
    }

    fn put(&self, text: &[u8]) {
        let lost = self.lost.swap(0, AcqRel);
        if !(lost == 0 || self.send(notice(lost).into_bytes())) {
            self.lost.fetch_add(lost + 1, AcqRel);
        } else if !self.send(text.to_vec()) {
            self.lost.fetch_add(1, AcqRel);
        }
    }

    fn send(&self, text: Vec<u8>) -> bool {
        self.waiting.fetch_add(1, AcqRel);
        let sent = self.texts.try_send(text).is_ok();
        if !sent {
            self.waiting.fetch_sub(1, AcqRel);
        }
        sent
    }
}

fn notice(lost: u64) -> String {
    let pid = std::process::id();
    format!("[WARNING]  ({pid}) : {lost} messages are lost here: nobody read standard error.\n")
}

fn write_all(queue: Receiver<Vec<u8>>) {
    for text in queue {
        let _ = io::stderr().lock().write_all(&text);
        if let Some(writer) = WRITER.get() {
            writer.waiting.fetch_sub(1, AcqRel);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_stands_where_it_was() {
        let (writer, queue) = Writer::with(3);
        ["a", "b", "c", "lost", "too"].iter().for_each(|text| writer.put(text.as_bytes()));
        assert_eq!(queue.try_iter().map(|text| text[0]).collect::<Vec<u8>>(), b"abc");
        ["d", "e"].iter().for_each(|text| writer.put(text.as_bytes()));
        let behind: Vec<String> =
            queue.try_iter().map(|text| String::from_utf8_lossy(&text).into_owned()).collect();
        assert_eq!(behind, [notice(2).as_str(), "d", "e"]);
        assert_eq!(
            (writer.lost.load(Acquire), writer.waiting.load(Acquire)),
            (0, 6),
            "nobody has written them"
        );
    }
}
