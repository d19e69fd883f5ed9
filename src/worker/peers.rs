//! The other workers: their rings, and who waits for a connection slot of the process to be free.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering::SeqCst, fence};

/// No ring yet, or no longer.
const ABSENT: RawFd = -1;

/// Shared by all workers of a process.
#[derive(Debug)]
pub struct Peers {
    rings: Box<[AtomicI32]>,
    paused: Box<[AtomicBool]>,
    any_paused: AtomicBool,
    /// Connections on their way to each worker, and whether it takes no more.
    inbound: Box<[AtomicU32]>,
    closing: Box<[AtomicBool]>,
    /// Which workers have closed their listening sockets.
    deaf: Box<[AtomicBool]>,
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
            inbound: (0..workers).map(|_| AtomicU32::new(0)).collect(),
            closing: (0..workers).map(|_| AtomicBool::new(false)).collect(),
            deaf: (0..workers).map(|_| AtomicBool::new(false)).collect(),
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
        self.stop_listening(worker);
    }

    /// The worker holds no listening socket any more.
    pub(super) fn stop_listening(&self, worker: usize) {
        self.deaf[worker].store(true, SeqCst);
    }

    /// Whether the worker still holds a listening socket.
    pub fn listens(&self, worker: usize) -> bool {
        !self.deaf[worker].load(SeqCst)
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
        // The counts that are looked at next are relaxed.
        fence(SeqCst);
    }

    /// Whether somebody is to be woken after a slot was freed: usually not, at the price of one load.
    pub(super) fn any_paused(&self) -> bool {
        fence(SeqCst);
        self.any_paused.load(SeqCst) && self.any_paused.swap(false, SeqCst)
    }

    /// Takes the worker's pause back; true: it was paused.
    pub(super) fn unpause(&self, worker: usize) -> bool {
        self.paused[worker].swap(false, SeqCst)
    }

    /// Announces a connection to a worker: its ring, unless it is closing. Counted before the look, so that
    /// a worker that stops waits for what was announced in time.
    pub(super) fn announce(&self, worker: usize) -> Option<RawFd> {
        self.inbound[worker].fetch_add(1, SeqCst);
        let ring = self.ring(worker).filter(|_| !self.closing[worker].load(SeqCst));
        if ring.is_none() {
            self.arrived(worker);
        }
        ring
    }

    /// An announced connection has arrived, or is not coming.
    pub(super) fn arrived(&self, worker: usize) {
        self.inbound[worker].fetch_sub(1, SeqCst);
    }

    /// The worker takes no more connections from others.
    pub(super) fn close(&self, worker: usize) {
        self.closing[worker].store(true, SeqCst);
    }

    /// Connections on their way to the worker.
    pub(super) fn inbound(&self, worker: usize) -> u32 {
        self.inbound[worker].load(SeqCst)
    }
}
