//! When which server is checked next. Pure: now and chance are arguments.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::verdict::Standing;

/// Intervals up to this do not stretch the start of the others (as HAProxy does).
const SPREAD_FROM_MS: u32 = 1_000;

/// How often one server is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// `inter`
    pub inter_ms: u32,
    /// `fastinter`
    pub fastinter_ms: Option<u32>,
    /// `downinter`
    pub downinter_ms: Option<u32>,
}

impl Pace {
    /// `inter` when steady, `downinter` when down for sure, `fastinter` in between
    /// (configuration manual, `inter`).
    pub fn interval_ms(self, standing: Standing) -> u32 {
        let interval = if standing.is_steady() {
            self.inter_ms
        } else if standing.is_at_bottom() {
            self.downinter_ms.unwrap_or(self.inter_ms)
        } else {
            self.fastinter_ms.unwrap_or(self.inter_ms)
        };
        // A check each millisecond is the most the clock can tell apart.
        interval.max(1)
    }
}

/// `spread-checks`: the interval, more or less by up to that share. `chance` is 0 to 1.
pub fn spread_ms(interval_ms: u32, percent: u8, chance: f64) -> u32 {
    let most = f64::from(interval_ms) * f64::from(percent.min(50)) / 100.0;
    (f64::from(interval_ms) + most * (1.0 - 2.0 * chance)).max(1.0) as u32
}

/// First checks, one after the other over the shortest interval above a second, each at its own share of
/// it; a server with a longer interval takes that one. In milliseconds from the start.
pub fn first_checks_ms(intervals_ms: &[u32], max_spread_ms: Option<u32>) -> Vec<u64> {
    let shortest = intervals_ms.iter().copied().filter(|ms| *ms > SPREAD_FROM_MS).min().unwrap_or(0);
    let most = max_spread_ms.filter(|ms| *ms > 0).unwrap_or(u32::MAX);
    let count = intervals_ms.len().max(1) as u64;
    let first = |(at, interval): (usize, &u32)| {
        let over = shortest.max(*interval).min(most);
        u64::from(over) * at as u64 / count
    };
    intervals_ms.iter().enumerate().map(first).collect()
}

/// The checks to come, by time. Each server is in it at most once: whoever takes it out puts it back.
#[derive(Debug, Default)]
pub struct Schedule {
    due: BinaryHeap<Reverse<(u64, u32)>>,
}

impl Schedule {
    /// Checks `target` at `at_ms`.
    pub fn set(&mut self, target: u32, at_ms: u64) {
        self.due.push(Reverse((at_ms, target)));
    }

    /// When the next check is due.
    pub fn next_ms(&self) -> Option<u64> {
        self.due.peek().map(|Reverse((at_ms, _))| *at_ms)
    }

    /// Takes the next check out if it is due, with the time it was due at.
    pub fn pop(&mut self, now_ms: u64) -> Option<(u32, u64)> {
        self.next_ms().filter(|at_ms| *at_ms <= now_ms)?;
        self.due.pop().map(|Reverse((at_ms, target))| (target, at_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_follows_the_standing() {
        let pace = Pace { inter_ms: 2000, fastinter_ms: Some(500), downinter_ms: Some(5000) };
        let mut standing = Standing::new(2, 3);
        assert_eq!(pace.interval_ms(standing), 500);
        standing.pass();
        assert_eq!(pace.interval_ms(standing), 2000);
        standing.fail();
        assert_eq!(pace.interval_ms(standing), 500);
        standing.fail();
        standing.fail();
        assert_eq!(pace.interval_ms(standing), 5000);
        standing.pass();
        assert_eq!(pace.interval_ms(standing), 500);
        let plain = Pace { inter_ms: 2000, fastinter_ms: None, downinter_ms: None };
        assert_eq!(plain.interval_ms(standing), 2000);
    }

    #[test]
    fn first_checks_are_staggered_as_haproxy_does() {
        // Six checks of 400 ms: haproxy 2.6 begins them 67 ms apart.
        assert_eq!(first_checks_ms(&[400; 6], None), [0, 66, 133, 200, 266, 333]);
        assert_eq!(first_checks_ms(&[2000, 2000, 10_000, 500], None), [0, 500, 5000, 1500]);
        assert_eq!(first_checks_ms(&[2000, 2000, 10_000, 500], Some(1000)), [0, 250, 500, 750]);
        assert!(first_checks_ms(&[], None).is_empty());
    }

    #[test]
    fn spreading_stays_within_its_share() {
        assert_eq!(spread_ms(2000, 0, 0.3), 2000);
        assert_eq!((spread_ms(2000, 50, 0.0), spread_ms(2000, 50, 0.5)), (3000, 2000));
        assert_eq!((spread_ms(2000, 50, 1.0), spread_ms(1, 50, 1.0)), (1000, 1));
    }

    #[test]
    fn the_earliest_comes_first_and_never_early() {
        let mut schedule = Schedule::default();
        schedule.set(7, 30);
        schedule.set(8, 10);
        assert_eq!(schedule.next_ms(), Some(10));
        assert_eq!(schedule.pop(9), None);
        assert_eq!(schedule.pop(50), Some((8, 10)));
        assert_eq!(schedule.pop(50), Some((7, 30)));
        assert_eq!((schedule.pop(50), schedule.next_ms()), (None, None));
    }
}
