//! What the rest of the process holds of the log thread: messages in, losses out, and the way to end it.

use std::sync::atomic::Ordering::{AcqRel, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::config::model::{Config, ProxyId};

use super::doorbell::Doorbell;
use super::level::Level;
use super::target::Additions;

/// Process messages that may be under way; more are dropped and counted.
pub(super) const NOTICES: usize = 4096;

/// The longest that [`LogHandle::close`] lets the log thread flush.
pub(super) const FLUSH: Duration = Duration::from_secs(1);

/// Grace on top of [`FLUSH`] for a thread that the machine kept from running.
const GRACE: Duration = Duration::from_millis(200);

/// A message of the process or of a health check.
#[derive(Debug)]
pub(super) struct Notice {
    pub(super) proxy: Option<ProxyId>,
    pub(super) level: Level,
    pub(super) text: String,
}

/// What the handles and the thread share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) bell: Arc<Doorbell>,
    pub(super) dropped: Arc<AtomicU64>,
    /// Messages in the channel or about to be: a channel cannot be asked.
    pub(super) queued: AtomicUsize,
    pub(super) closing: AtomicBool,
    /// Other configurations to log by, one after the other, and whether there are any.
    pub(super) replacements: Mutex<Vec<Replacement>>,
    pub(super) replaced: AtomicBool,
}

/// What a later configuration logs by.
#[derive(Debug)]
pub(super) struct Replacement {
    pub(super) config: Arc<Config>,
    pub(super) additions: Additions,
}

impl Shared {
    /// The replacements that nobody has taken yet.
    pub(super) fn take_replacements(&self) -> Vec<Replacement> {
        if !self.replaced.swap(false, AcqRel) {
            return Vec::new();
        }
        std::mem::take(&mut *self.replacements.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The thread itself, until somebody closes it.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) thread: JoinHandle<()>,
    /// Disconnected when the thread has flushed everything.
    pub(super) flushed: Receiver<()>,
}

/// Access to the log thread; clones share it.
#[derive(Clone, Debug)]
pub struct LogHandle {
    notices: SyncSender<Notice>,
    shared: Arc<Shared>,
    running: Arc<Mutex<Option<Running>>>,
}

impl LogHandle {
    pub(super) fn new(notices: SyncSender<Notice>, shared: Arc<Shared>, running: Running) -> Self {
        LogHandle { notices, shared, running: Arc::new(Mutex::new(Some(running))) }
    }

    /// Logs a message to the targets of `proxy`, or to the global ones. Never waits: when the thread is far
    /// behind, the message is dropped and counted. A proxy without `log` lines logs nothing, as in HAProxy.
    pub fn notice(&self, proxy: Option<ProxyId>, level: Level, text: String) {
        self.shared.queued.fetch_add(1, AcqRel);
        if self.notices.try_send(Notice { proxy, level, text }).is_err() {
            self.shared.queued.fetch_sub(1, AcqRel);
            self.shared.dropped.fetch_add(1, Relaxed);
        }
        self.shared.bell.ring();
    }

    /// Logs by another configuration from now on. To be called before a session can begin under it; `additions`
    /// are what it has and the one before had not.
    pub fn replace(&self, config: Arc<Config>, additions: Additions) {
        let mut replacements = self.shared.replacements.lock().unwrap_or_else(PoisonError::into_inner);
        replacements.push(Replacement { config, additions });
        self.shared.replaced.store(true, Release);
        drop(replacements);
        self.shared.bell.ring();
    }

    /// Lines lost so far after the workers' rings: at a target, or because of too many process messages.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Relaxed)
    }

    /// The counter behind [`LogHandle::dropped`], for the statistics.
    pub fn losses(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.shared.dropped)
    }

    /// Writes out what was handed over before the call, for one second at most, and ends the thread.
    /// Later calls, and calls on other clones, return at once.
    pub fn close(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(running) = running else { return };
        self.shared.closing.store(true, Release);
        self.shared.bell.ring();
        // Only disconnection ends this wait early: nothing is ever sent.
        let ended = self.wait_flushed(&running.flushed);
        if ended {
            // A panic of the log thread was printed by the panic hook; there is nothing to add.
            let _ = running.thread.join();
        }
    }

    fn wait_flushed(&self, flushed: &Receiver<()>) -> bool {
        use std::sync::mpsc::RecvTimeoutError::Timeout;
        flushed.recv_timeout(FLUSH + GRACE) != Err(Timeout)
    }
}
