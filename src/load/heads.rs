//! The head ticket of each worker's part of one queue, and how a freed slot finds the next in line.

use super::cell::Cell;
use super::sync::{AtomicU64, Ordering::Relaxed, Ordering::SeqCst, fence};

/// A worker has nobody in this queue.
const EMPTY: u64 = u64::MAX;

/// One published head ticket per worker.
#[derive(Debug)]
pub(super) struct Heads(Box<[AtomicU64]>);

impl Heads {
    pub(super) fn new(workers: usize) -> Heads {
        Heads((0..workers).map(|_| AtomicU64::new(EMPTY)).collect())
    }

    /// Shows `ticket` as this worker's first in line. After it the caller must look for a slot once
    /// more: a slot freed before the fence had nobody to wake.
    pub(super) fn publish(&self, worker: usize, ticket: Option<u64>) {
        self.0[worker].store(ticket.unwrap_or(EMPTY), Relaxed);
        fence(SeqCst);
    }

    /// The worker whose first in line is first of all those who wait for `cell`. The caller has freed a
    /// slot just before: either this finds the waiter, or the waiter's second look, behind its own fence,
    /// finds the slot.
    pub(super) fn first(&self, cell: &Cell) -> Option<usize> {
        fence(SeqCst);
        if cell.waiting() == 0 {
            return None;
        }
        let heads = self.0.iter().map(|head| head.load(Relaxed)).enumerate();
        heads
            .filter(|&(_, ticket)| ticket != EMPTY)
            .min_by_key(|&(_, ticket)| ticket)
            .map(|(worker, _)| worker)
    }
}

#[cfg(all(test, not(px_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_ticket_is_first_whoever_holds_it() {
        let (heads, cell) = (Heads::new(3), Cell::default());
        cell.enter_queue();
        assert_eq!(heads.first(&cell), None);
        heads.publish(1, Some(7));
        heads.publish(2, Some(3));
        assert_eq!(heads.first(&cell), Some(2));
        heads.publish(2, Some(9));
        assert_eq!(heads.first(&cell), Some(1));
        heads.publish(1, None);
        heads.publish(2, None);
        assert_eq!(heads.first(&cell), None);
    }
}
