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

#[cfg(all(test, not(px_loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering::{Acquire, Release};
    use std::time::{Duration, Instant};

    /// Every round lets the sleeper fall asleep anew; a lost wake-up costs the whole park.
    #[test]
    fn no_wake_up_is_lost() {
        const ROUNDS: u64 = 20_000;
        const PARK: Duration = Duration::from_secs(20);
        let shared = Arc::new((Doorbell::new(), AtomicU64::new(0), AtomicU64::new(0)));
        let sleeping = Arc::clone(&shared);
        let sleeper = std::thread::spawn(move || {
            let (bell, sent, seen) = &*sleeping;
            bell.install(std::thread::current());
            while seen.load(Acquire) < ROUNDS {
                let now = sent.load(Acquire);
                seen.store(now, Release);
                let asleep = Instant::now();
                bell.sleep(|| sent.load(Acquire) == now && now < ROUNDS, || std::thread::park_timeout(PARK));
                assert!(asleep.elapsed() < PARK, "woke by itself");
            }
        });
        let (bell, sent, seen) = &*shared;
        for round in 1..=ROUNDS {
            sent.store(round, Release);
            bell.ring();
            while seen.load(Acquire) < round {
                assert!(!sleeper.is_finished() || seen.load(Acquire) == ROUNDS);
                std::thread::yield_now();
            }
        }
        sleeper.join().expect("the sleeper saw every round");
    }

    #[test]
    fn nobody_is_woken_who_is_not_asleep() {
        let bell = Doorbell::new();
        assert!(!bell.claim());
        bell.sleep(|| true, || assert!(bell.claim() && !bell.claim()));
        bell.sleep(|| false, || panic!("there was something to do"));
        assert!(!bell.claim());
    }
}

#[cfg(all(test, px_loom))]
mod models {
    use super::*;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicUsize;

    /// A lost wake-up is a thread parked for ever, which loom reports as a deadlock.
    #[test]
    fn no_wake_up_is_lost() {
        loom::model(|| {
            let shared = Arc::new((Doorbell::new(), AtomicUsize::new(0)));
            let sleeping = Arc::clone(&shared);
            let sleeper = loom::thread::spawn(move || {
                let (bell, sent) = &*sleeping;
                while sent.load(Ordering::Relaxed) == 0 {
                    bell.sleep(|| sent.load(Ordering::Relaxed) == 0, loom::thread::park);
                }
            });
            let (bell, sent) = &*shared;
            sent.store(1, Ordering::Relaxed);
            if bell.claim() {
                sleeper.thread().unpark();
            }
            sleeper.join().expect("the sleeper saw it");
        });
    }
}
