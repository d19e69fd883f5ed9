//! Looking for answers for a while before sleeping: a sleep costs a wake-up, which on a virtual machine may cost more
//! than everything else of a round trip.

use std::io;
use std::time::{Duration, Instant};

use io_uring::types::Napi;

use super::Ring;

/// Spins in vain after which most waits sleep at once.
const MISSES: u8 = 16;
/// One wait in so many spins all the same, to see whether answers come soon again.
const PROBE: u8 = 64;

/// How long to look before sleeping.
#[derive(Debug)]
pub(super) struct Spin {
    budget: Duration,
    misses: u8,
    skipped: u8,
}

impl Spin {
    /// Zero: sleep at once. The longest time there is: never sleep.
    pub(super) fn new(budget: Duration) -> Spin {
        Spin { budget, misses: 0, skipped: 0 }
    }

    /// For how long the wait that begins now looks, at most `limit`; None: it sleeps at once.
    fn next(&mut self, limit: Option<Duration>) -> Option<Duration> {
        let budget = limit.map_or(self.budget, |limit| limit.min(self.budget));
        if budget.is_zero() {
            return None;
        }
        if self.misses < MISSES || self.budget == Duration::MAX {
            return Some(budget);
        }
        self.skipped = (self.skipped + 1) % PROBE;
        (self.skipped == 0).then_some(budget)
    }

    fn ended(&mut self, found: bool) {
        self.misses = if found { 0 } else { self.misses.saturating_add(1) };
    }
}

impl Ring {
    /// Polls network cards for so many microseconds before it waits, where their drivers take part (io_uring's NAPI
    /// busy polling, Linux 6.9).
    ///
    /// # Errors
    /// EINVAL from a kernel that cannot.
    pub fn poll_cards(&self, microseconds: u32) -> io::Result<()> {
        let mut napi = Napi::new().set_busy_poll_timeout(microseconds).set_prefer_busy_poll(true);
        self.uring.submitter().register_napi(&mut napi)
    }

    /// Looks for an answer as long as is allowed; what is left of the timeout when there is none.
    ///
    /// # Errors
    /// Those of io_uring_enter.
    pub(super) fn spin(&mut self, timeout: Option<Duration>) -> io::Result<Spun> {
        let Some(budget) = self.spin.next(timeout) else { return Ok(Spun::Nothing(timeout)) };
        let began = Instant::now();
        loop {
            self.enter()?;
            if !self.uring.completion().is_empty() {
                self.spin.ended(true);
                return Ok(Spun::Found);
            }
            let elapsed = began.elapsed();
            if elapsed >= budget {
                self.spin.ended(false);
                return Ok(Spun::Nothing(timeout.map(|timeout| timeout.saturating_sub(elapsed))));
            }
        }
    }
}

/// How a spin ended.
pub(super) enum Spun {
    /// There is an answer.
    Found,
    /// There is none, and so much is left of the timeout.
    Nothing(Option<Duration>),
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Duration = Duration::from_micros(50);

    #[test]
    fn without_a_budget_nobody_spins() {
        assert_eq!(Spin::new(Duration::ZERO).next(None), None);
    }

    #[test]
    fn a_timer_that_is_due_ends_a_spin() {
        let mut spin = Spin::new(BUDGET);
        assert_eq!(spin.next(None), Some(BUDGET));
        assert_eq!(spin.next(Some(BUDGET / 2)), Some(BUDGET / 2));
        assert_eq!(spin.next(Some(Duration::ZERO)), None);
    }

    #[test]
    fn in_vain_it_spins_seldom_and_one_find_makes_it_spin_again() {
        let mut spin = Spin::new(BUDGET);
        (0..MISSES).for_each(|_| spin.ended(false));
        let spun = (0..2 * PROBE).filter(|_| spin.next(None).is_some()).count();
        assert_eq!(spun, 2);
        spin.ended(true);
        assert_eq!(spin.next(None), Some(BUDGET));
    }

    #[test]
    fn busy_polling_never_sleeps() {
        let mut spin = Spin::new(Duration::MAX);
        (0..=MISSES).for_each(|_| spin.ended(false));
        assert_eq!(spin.next(None), Some(Duration::MAX));
    }
}
