//! Waking the log thread without ever waiting for it.
//!
//! ```text
//! producer: put a line; fence; asleep? -> unpark once
//! log thread: asleep = true; fence; anything there? -> stay up, else park
//! ```
//! The two fences forbid that the producer misses the flag while the thread misses the line, so no
//! wake-up is lost; that the thread also wakes by itself bounds what a bug here could cost.

use std::sync::OnceLock;
use std::thread::Thread;

#[cfg(px_loom)]
use loom::sync::atomic::{AtomicBool, Ordering, fence};
#[cfg(not(px_loom))]
use std::sync::atomic::{AtomicBool, Ordering, fence};

/// One sleeper, any number of ringers.
#[derive(Debug)]
pub(super) struct Doorbell {
    asleep: AtomicBool,
    sleeper: OnceLock<Thread>,
}

impl Doorbell {
    /// Nobody sleeps yet.
    pub(super) fn new() -> Self {
        Doorbell { asleep: AtomicBool::new(false), sleeper: OnceLock::new() }
    }

    /// Names the thread that will sleep; done once, by that thread, before its first sleep.
    pub(super) fn install(&self, sleeper: Thread) {
        self.sleeper.get_or_init(|| sleeper);
    }

    /// Call after the line lies where the sleeper looks. At most one futex call, and only when it sleeps.
    pub(super) fn ring(&self) {
        if self.claim()
            && let Some(sleeper) = self.sleeper.get()
        {
            sleeper.unpark();
        }
    }

    /// Whether this caller is the one that has to wake the sleeper.
    fn claim(&self) -> bool {
        fence(Ordering::SeqCst);
        self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::AcqRel)
    }

    /// Runs `park` unless `idle` is false once the flag is up.
    pub(super) fn sleep(&self, idle: impl FnOnce() -> bool, park: impl FnOnce()) {
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if idle() {
            park();
        }
        self.asleep.store(false, Ordering::Relaxed);
    }
}
