//! The other workers: their rings, and who waits for a connection slot of the process to be free.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::SeqCst};

/// No ring yet, or no longer.
const ABSENT: RawFd = -1;

/// Shared by all workers of a process.
#[derive(Debug)]
pub struct Peers {
    rings: Box<[AtomicI32]>,
    paused: Box<[AtomicBool]>,
    any_paused: AtomicBool,
}

/// Workers a process may have (`nbthread`).
pub const MOST_WORKERS: usize = 256;

impl Peers {
    /// For `workers` workers, none of which runs yet.
    pub fn new(workers: usize) -> Peers {
        Peers {
            rings: (0..workers).map(|_| AtomicI32::new(ABSENT)).collect(),
            paused: (0..workers).map(|_| AtomicBool::new(false)).collect(),
            any_paused: AtomicBool::new(false),
        }
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
        self.paused[worker].store(true, SeqCst);
        self.any_paused.store(true, SeqCst);
    }

    /// Whether somebody is to be woken after a slot was freed: usually not, at the price of one load.
    pub(super) fn any_paused(&self) -> bool {
        self.any_paused.load(SeqCst) && self.any_paused.swap(false, SeqCst)
    }

    /// Takes the worker's pause back; true: it was paused.
    pub(super) fn unpause(&self, worker: usize) -> bool {
        self.paused[worker].swap(false, SeqCst)
    }
}
