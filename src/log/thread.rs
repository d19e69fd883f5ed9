//! The log thread: drains the rings and the channel, formats, sends, sleeps.

use std::io;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rtrb::{Consumer, RingBuffer};

use crate::config::model::Config;
use crate::process::error::StartError;

use super::doorbell::Doorbell;
use super::handle::{FLUSH, LogHandle, NOTICES, Notice, Replacement, Running, Shared};
use super::record::SessionRecord;
use super::router::Router;
use super::sink::{RING_RECORDS, SessionSink};
use super::target::Targets;

/// Records taken from one ring before the next ring has its turn.
const TURN: usize = 256;

/// Pause after work, in which workers need not wake anybody: bounds wake-ups to a hundred a second.
const GATHER: Duration = Duration::from_millis(10);

/// The thread looks by itself at least this often.
const HEARTBEAT: Duration = Duration::from_millis(100);

/// What one turn over every source found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    Nothing,
    Everything,
    /// A source had a whole [`TURN`], and may have more.
    More,
}

struct LogThread {
    rings: Vec<Consumer<SessionRecord>>,
    notices: Receiver<Notice>,
    router: Router,
    shared: Arc<Shared>,
    /// Never sent on: dropped with the thread, which is the signal.
    _flushed: Sender<()>,
}

/// Starts the log thread on opened targets: one sink for each worker, and the handle for everybody else.
///
/// Call after the last fork; the process id in the lines is that of the caller. `hostname` is the
/// machine's name, for `log-send-hostname` without one.
pub fn start(
    config: Arc<Config>,
    targets: Targets,
    workers: usize,
    hostname: &str,
) -> Result<(LogHandle, Vec<SessionSink>), StartError> {
    let bell = Arc::new(Doorbell::new());
    let (producers, rings): (Vec<_>, Vec<_>) = (0..workers).map(|_| RingBuffer::new(RING_RECORDS)).unzip();
    let sink = |ring| SessionSink::new(ring, Arc::clone(&bell));
    let sinks = producers.into_iter().map(sink).collect();
    let shared = Arc::new(Shared {
        bell,
        dropped: Arc::default(),
        queued: AtomicUsize::new(0),
        closing: AtomicBool::new(false),
        replacements: Mutex::new(Vec::new()),
        replaced: AtomicBool::new(false),
    });
    let (send, notices) = sync_channel(NOTICES);
    let (flushed_end, flushed) = channel();
    let router = Router::new(config, targets, hostname);
    let log = LogThread { rings, notices, router, shared: Arc::clone(&shared), _flushed: flushed_end };
    let thread = thread::Builder::new().name("log".to_owned()).spawn(|| log.run()).map_err(no_thread)?;
    Ok((LogHandle::new(send, shared, Running { thread, flushed }), sinks))
}

#[cold]
fn no_thread(errno: io::Error) -> StartError {
    StartError::new("cannot start the log thread")
        .with_errno(errno)
        .with_cause("this user or its control group may not have another thread")
        .with_remedy("raise the limit with `ulimit -u`, or TasksMax= of the systemd unit")
}

impl Found {
    /// With what one more source gave.
    fn and(self, taken: usize) -> Found {
        self.max(match taken {
            0 => Found::Nothing,
            TURN => Found::More,
            _ => Found::Everything,
        })
    }
}

impl LogThread {
    fn run(mut self) {
        self.shared.bell.install(thread::current());
        loop {
            // Read before draining: what was handed over before the call to close is then seen.
            let closing = self.shared.closing.load(Acquire);
            let found = self.drain();
            self.router.flush();
            match found {
                _ if closing => return self.finish(),
                Found::More => {}
                Found::Everything => thread::sleep(GATHER),
                Found::Nothing => self.sleep(),
            }
        }
    }

    fn sleep(&self) {
        let idle = || {
            self.rings.iter().all(Consumer::is_empty)
                && self.shared.queued.load(Acquire) == 0
                && !self.shared.closing.load(Acquire)
                && !self.shared.replaced.load(Acquire)
        };
        self.shared.bell.sleep(idle, || thread::park_timeout(HEARTBEAT));
    }

    /// One turn over every source.
    fn drain(&mut self) -> Found {
        let mut found = Found::Nothing;
        let mut lost = follow(&mut self.router, &self.shared);
        for ring in &mut self.rings {
            let mut taken = 0;
            for record in std::iter::from_fn(|| ring.pop().ok()).take(TURN) {
                taken += 1;
                // Its configuration came between the look above and this record.
                if !self.router.knows(&record) {
                    lost += follow(&mut self.router, &self.shared);
                }
                lost += self.router.session(&record);
            }
            found = found.and(taken);
        }
        let mut taken = 0;
        for notice in self.notices.try_iter().take(TURN) {
            self.shared.queued.fetch_sub(1, AcqRel);
            taken += 1;
            lost += self.router.notice(&notice);
        }
        if lost > 0 {
            self.shared.dropped.fetch_add(lost, Relaxed);
        }
        found.and(taken)
    }

    /// Everything that was handed over, within [`FLUSH`]; what is left then is counted.
    fn finish(mut self) {
        let deadline = Instant::now() + FLUSH;
        while self.drain() != Found::Nothing && Instant::now() < deadline {}
        while !self.router.flush() && Instant::now() < deadline {
            thread::sleep(GATHER);
        }
        self.router.abandon(&self.shared.dropped);
    }
}

/// Takes over other configurations if there are any. Answers how many lines were lost with former targets.
fn follow(router: &mut Router, shared: &Shared) -> u64 {
    let replacements = shared.take_replacements().into_iter();
    replacements.map(|Replacement { config, additions }| router.replace(config, additions)).sum()
}
