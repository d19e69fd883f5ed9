//! The other workers: their rings, and who waits for a connection slot of the process to be free.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::SeqCst};

/// No ring yet, or no longer.
const ABSENT: RawFd = -1;

/// Shared by all workers of a process; at most 64.
#[derive(Debug)]
pub struct Peers {
    rings: Box<[AtomicI32]>,
    paused: AtomicU64,
}

/// Workers there may be: one bit each in [`Peers`].
pub const MOST_WORKERS: usize = 64;

impl Peers {
    /// For `workers` workers, none of which runs yet.
    pub fn new(workers: usize) -> Peers {
        assert!(workers <= MOST_WORKERS, "at most {MOST_WORKERS} workers");
        Peers { rings: (0..workers).map(|_| AtomicI32::new(ABSENT)).collect(), paused: AtomicU64::new(0) }
    }

    /// How many workers there are.
    pub fn count(&self) -> usize {
        self.rings.len()
    }

    pub(super) fn join(&self, worker: usize, ring: RawFd) {
        self.rings[worker].store(ring, SeqCst);
    }

    pub(super) fn leave(&self, worker: usize) {
        self.rings[worker].store(ABSENT, SeqCst);
    }

    pub(super) fn ring(&self, worker: usize) -> Option<RawFd> {
        let ring = self.rings[worker].load(SeqCst);
        (ring != ABSENT).then_some(ring)
    }

    /// This worker waits for a slot. It must try once more behind this call: a slot that was freed
    /// before it woke nobody.
    pub(super) fn pause(&self, worker: usize) {
        self.paused.fetch_or(1 << worker, SeqCst);
    }

    /// The workers to wake after a slot was freed, as bits. Usually none, at the price of one load.
    pub(super) fn take_paused(&self) -> u64 {
        if self.paused.load(SeqCst) == 0 { 0 } else { self.paused.swap(0, SeqCst) }
    }
}
