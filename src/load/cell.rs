//! One counted thing: sessions on it now, sessions waiting for it, and its round-robin cursor.

use super::sync::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Live counts of one frontend, bind, backend, server or the whole process, in one cache line.
///
/// The orderings are relaxed: a count publishes nothing but itself. Where a count meets a queue head,
/// the fences of [`super::Load::publish_head`] and [`super::Load::next_waiter`] order them.
#[derive(Debug, Default)]
pub struct Cell {
    live: AtomicU32,
    /// The limit plus one; 0: there is none.
    limit: AtomicU32,
    peak: AtomicU32,
    waiting: AtomicU32,
    peak_waiting: AtomicU32,
    tickets: AtomicU64,
    served: AtomicU64,
    turns: AtomicU32,
}

fn raise(peak: &AtomicU32, value: u32) {
    if value > peak.load(Relaxed) {
        peak.fetch_max(value, Relaxed);
    }
}

impl Cell {
    /// Counts one session in, unless `limit` sessions are live already. The number live afterwards.
    ///
    /// A refused caller never shows above the limit, not even for a moment: another caller could
    /// take that moment for "full" and wait for a release that has already happened.
    pub fn take(&self, limit: Option<u32>) -> Option<u32> {
        let before = match limit {
            None => self.live.fetch_add(1, Relaxed),
            Some(limit) => self.live.fetch_update(Relaxed, Relaxed, |n| (n < limit).then(|| n + 1)).ok()?,
        };
        raise(&self.peak, before + 1);
        Some(before + 1)
    }

    /// As [`Cell::take`] with the cell's own limit.
    pub fn take_within_limit(&self) -> Option<u32> {
        self.take(self.limit())
    }

    /// Most sessions at once; None: no limit of its own.
    pub fn limit(&self) -> Option<u32> {
        self.limit.load(Relaxed).checked_sub(1)
    }

    /// Changes the limit, which costs nobody a session.
    pub fn set_limit(&self, limit: Option<u32>) {
        self.limit.store(limit.map_or(0, |limit| limit.saturating_add(1)), Relaxed);
    }

    /// Counts one session out that [`Cell::take`] counted in.
    pub fn release(&self) {
        let before = self.live.fetch_sub(1, Relaxed);
        debug_assert!(before > 0, "released more often than taken");
    }

    /// Sessions now.
    pub fn live(&self) -> u32 {
        self.live.load(Relaxed)
    }

    /// Most sessions at once since the start.
    pub fn peak(&self) -> u32 {
        self.peak.load(Relaxed)
    }

    /// What was reached before counts no more: the next session that comes counts those that are there.
    pub fn forget_peaks(&self) {
        self.peak.store(0, Relaxed);
        self.peak_waiting.store(0, Relaxed);
    }

    /// Draws the next of the round robin's `count` turns, over all workers: 0, 1, …, `count` - 1, 0, … Where
    /// there are fewer turns than before it keeps its place, or begins anew.
    pub fn turn(&self, count: u32) -> u32 {
        let place = |next: u32| if next < count { next } else { 0 };
        let next = self.turns.fetch_update(Relaxed, Relaxed, |next| Some(place(next) + 1));
        next.map_or(0, place)
    }

    /// Moves the round robin on by `n` of its `count` turns, over servers that could not take theirs.
    pub fn skip_turns(&self, n: u32, count: u32) {
        // The closure always has a successor, so that the update cannot fail.
        let _ = self.turns.fetch_update(Relaxed, Relaxed, |next| Some((next + n) % count));
    }

    /// Sessions waiting now.
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Relaxed)
    }

    /// Most sessions waiting at once since the start.
    pub fn peak_waiting(&self) -> u32 {
        self.peak_waiting.load(Relaxed)
    }

    /// Joins the queue; the ticket. Lower tickets are served first.
    pub fn enter_queue(&self) -> u64 {
        let before = self.waiting.fetch_add(1, Relaxed);
        raise(&self.peak_waiting, before + 1);
        self.tickets.fetch_add(1, Relaxed)
    }

    /// Leaves the queue without having been served.
    pub fn leave_queue(&self) {
        let before = self.waiting.fetch_sub(1, Relaxed);
        debug_assert!(before > 0, "left a queue more often than entered");
    }

    /// Leaves the queue with a slot.
    pub fn leave_served(&self) {
        self.leave_queue();
        self.served.fetch_add(1, Relaxed);
    }

    /// Sessions served from the queue since the start.
    pub fn served(&self) -> u64 {
        self.served.load(Relaxed)
    }
}

#[cfg(all(test, not(px_loom)))]
mod tests {
    use super::*;

    #[test]
    fn takes_up_to_the_limit_and_no_further() {
        let cell = Cell::default();
        assert_eq!([cell.take(Some(2)), cell.take(Some(2)), cell.take(Some(2))], [Some(1), Some(2), None]);
        cell.release();
        assert_eq!((cell.live(), cell.peak()), (1, 2));
        assert_eq!(cell.take(None), Some(2));
        assert_eq!(cell.take(Some(0)), None);
    }

    #[test]
    fn a_limit_can_change_at_any_time() {
        let cell = Cell::default();
        assert_eq!((cell.limit(), cell.take_within_limit()), (None, Some(1)));
        cell.set_limit(Some(1));
        assert_eq!((cell.limit(), cell.take_within_limit()), (Some(1), None));
        cell.set_limit(Some(0));
        cell.release();
        assert_eq!(cell.take_within_limit(), None);
        cell.set_limit(None);
        assert_eq!(cell.take_within_limit(), Some(1));
    }

    #[test]
    fn tickets_are_drawn_in_order_and_who_is_served_is_counted() {
        let cell = Cell::default();
        assert_eq!([cell.enter_queue(), cell.enter_queue()], [0, 1]);
        cell.leave_queue();
        assert_eq!((cell.enter_queue(), cell.served()), (2, 0));
        cell.leave_served();
        assert_eq!((cell.waiting(), cell.peak_waiting(), cell.served()), (1, 2, 1));
    }

    #[test]
    fn turns_go_on_from_where_they_were_skipped_to() {
        let cell = Cell::default();
        assert_eq!((cell.turn(7), cell.turn(7)), (0, 1));
        cell.skip_turns(3, 7);
        assert_eq!([cell.turn(7), cell.turn(7), cell.turn(7)], [5, 6, 0]);
        assert_eq!([cell.turn(3), cell.turn(3), cell.turn(3)], [1, 2, 0]);
        cell.skip_turns(3, 7);
        assert_eq!([cell.turn(4), cell.turn(2)], [0, 1]);
    }

    #[test]
    fn threads_never_exceed_the_limit_together() {
        let cell = Cell::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        if let Some(live) = cell.take(Some(3)) {
                            assert!(live <= 3);
                            cell.release();
                        }
                    }
                });
            }
        });
        assert_eq!(cell.live(), 0);
        assert!(cell.peak() <= 3);
    }
}
