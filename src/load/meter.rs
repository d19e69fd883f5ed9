//! Events per second with a limit, over a second that slides, as HAProxy counts them.

use super::sync::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// One limit, and what counts towards it in all workers together.
///
/// The counts lie in one word, so that the limit holds exactly without a lock. Without a limit nothing is
/// counted, and nothing shared is written.
#[derive(Debug, Default)]
pub struct Meter {
    limit: AtomicU32,
    window: AtomicU64,
}

/// Bits of a count.
const COUNT_BITS: u32 = 22;
/// The largest count, and the largest limit.
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
/// Seconds are known up to this number of them: twelve days.
const SECONDS: u64 = 1 << (64 - 2 * COUNT_BITS);
/// By so many seconds a worker's clock may be behind another's: by a turn, however long it took. Once in twelve days without
/// events an old second may count as the present one for as long.
const LATE: u64 = 5;

/// Events in the present second of the clock, and in the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    second: u64,
    now: u64,
    before: u64,
}

impl Meter {
    /// Events per second at most; None: no limit.
    pub fn limit(&self) -> Option<u32> {
        Some(self.limit.load(Relaxed)).filter(|&limit| limit > 0)
    }

    /// Changes the limit; 0 is none.
    pub fn set_limit(&self, limit: Option<u32>) {
        self.limit.store(limit.unwrap_or(0).min(COUNT_MAX as u32), Relaxed);
    }

    /// Counts one event in at `now_ms` on the process clock. When the limit is reached nothing is counted: the
    /// error is when to try again, in milliseconds from now.
    pub fn take(&self, now_ms: u64) -> Result<(), u64> {
        let Some(limit) = self.limit() else { return Ok(()) };
        let mut word = self.window.load(Relaxed);
        loop {
            let (window, ms) = Window::unpack(word).at(now_ms);
            if window.rate(ms) >= u64::from(limit) {
                return Err(window.wait_ms(ms, u64::from(limit)));
            }
            let next = Window { now: (window.now + 1).min(COUNT_MAX), ..window }.pack();
            match self.window.compare_exchange_weak(word, next, Relaxed, Relaxed) {
                Ok(_) => return Ok(()),
                Err(seen) => word = seen,
            }
        }
    }

    /// Counts an event out that did not happen after all.
    pub fn give_back(&self) {
        let one_less = |word: u64| {
            let window = Window::unpack(word);
            (window.now > 0).then(|| Window { now: window.now - 1, ..window }.pack())
        };
        // It fails when the second is over: then the event counts for the rest of the next one.
        let _ = self.window.fetch_update(Relaxed, Relaxed, one_less);
    }
}

impl Window {
    fn unpack(word: u64) -> Window {
        Window {
            second: word >> (2 * COUNT_BITS),
            now: word >> COUNT_BITS & COUNT_MAX,
            before: word & COUNT_MAX,
        }
    }

    fn pack(self) -> u64 {
        self.second << (2 * COUNT_BITS) | self.now << COUNT_BITS | self.before
    }

    /// The window that `now_ms` lies in, and how far it has come. A clock that another worker has overtaken
    /// stands at the beginning.
    fn at(self, now_ms: u64) -> (Window, u64) {
        let second = now_ms / 1000 % SECONDS;
        let passed = second.wrapping_sub(self.second) % SECONDS;
        match passed {
            0 => (self, now_ms % 1000),
            1 => (Window { second, now: 0, before: self.now }, now_ms % 1000),
            _ if passed >= SECONDS - LATE => (self, 0),
            _ => (Window { second, now: 0, before: 0 }, now_ms % 1000),
        }
    }

    /// Events in the second that ends now, `ms` into this window.
    fn rate(self, ms: u64) -> u64 {
        self.now + self.before * (1000 - ms) / 1000
    }

    /// How long the rate stays at or above `limit`, if nothing more happens.
    fn wait_ms(self, ms: u64, limit: u64) -> u64 {
        // From when on `count` of the window before leaves less than `room`, in milliseconds of a window.
        let below = |count: u64, room: u64| 1001u64.saturating_sub((1000 * room).div_ceil(count.max(1)));
        let at = match limit.checked_sub(self.now) {
            Some(room @ 1..) => below(self.before, room),
            _ => 1000 + below(self.now, limit),
        };
        at.saturating_sub(ms).max(1)
    }
}

#[cfg(all(test, not(px_loom)))]
mod tests {
    use super::*;

    /// When each of `count` events is let through, if all of them want to from `start_ms` on.
    fn times(limit: u32, count: usize, start_ms: u64) -> Vec<u64> {
        let meter = Meter::default();
        meter.set_limit(Some(limit));
        let mut now_ms = start_ms;
        (0..count)
            .map(|_| {
                while let Err(wait_ms) = meter.take(now_ms) {
                    assert!((1..=2000).contains(&wait_ms), "{wait_ms}");
                    now_ms += wait_ms;
                }
                now_ms - start_ms
            })
            .collect()
    }

    #[test]
    fn a_burst_passes_at_once_and_the_rest_one_by_one() {
        // As haproxy 2.6 does with `rate-limit connections global 5`.
        let seen = times(5, 12, 7_000);
        assert_eq!(seen[..5], [0; 5]);
        assert_eq!(seen[5..], [1001, 1201, 1401, 1601, 1801, 2001, 2201]);
    }

    #[test]
    fn over_time_the_limit_is_what_passes() {
        for (limit, start) in [(1, 0), (3, 999), (10, 123_456), (1000, 500)] {
            let seen = times(limit, 10 * limit as usize, start);
            // A burst may end one second and begin the next, as in HAProxy; never more.
            let last = seen[seen.len() - 1];
            assert!((8_000..=10_100).contains(&last), "{limit} from {start}: {last}");
            for (at, &first) in seen.iter().enumerate() {
                let inside = seen[at..].iter().take_while(|&&time| time < first + 1000).count();
                assert!(inside <= 2 * limit as usize, "{limit}: {inside} within a second of {first}");
            }
        }
    }

    #[test]
    fn waiting_as_long_as_told_is_long_enough_and_not_too_long() {
        for (now, before, ms, limit) in
            [(5, 0, 300, 5), (2, 9, 10, 5), (0, 5, 0, 5), (4, 1, 0, 5), (9, 9, 999, 1)]
        {
            let window = Window { second: 3, now, before };
            assert!(window.rate(ms) >= limit);
            let later = |wait: u64| {
                let (window, ms) = window.at(3000 + ms + wait);
                window.rate(ms)
            };
            let wait = window.wait_ms(ms, limit);
            assert!(later(wait) < limit, "{window:?} {wait}");
            assert!(wait == 1 || later(wait - 1) >= limit, "{window:?} {wait}");
        }
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let meter = Meter::default();
        assert!((0..1000).all(|_| meter.take(0).is_ok()));
        meter.set_limit(Some(1));
        assert!(meter.take(0).is_ok() && meter.take(0).is_err());
        meter.give_back();
        assert!(meter.take(0).is_ok());
        assert_eq!(meter.limit(), Some(1));
        meter.set_limit(None);
        assert!(meter.take(0).is_ok() && meter.limit().is_none());
    }

    #[test]
    fn threads_never_pass_the_limit_together() {
        let meter = Meter::default();
        meter.set_limit(Some(100));
        let taken = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        taken.fetch_add(u32::from(meter.take(5_000).is_ok()), Relaxed);
                    }
                });
            }
        });
        assert_eq!(taken.into_inner(), 100);
    }

    #[test]
    fn after_days_without_events_the_limit_is_what_passes() {
        for days in [1, 6, 7, 10, 12, 15, 25, 49, 200] {
            let meter = Meter::default();
            meter.set_limit(Some(2));
            for began_ms in [0, days * 86_400_000 + 500] {
                assert!(meter.take(began_ms).is_ok() && meter.take(began_ms).is_ok(), "day {days}");
                let wait_ms = meter.take(began_ms).expect_err("two a second");
                assert!(wait_ms <= 2000 && meter.take(began_ms + wait_ms).is_ok(), "day {days}");
            }
        }
    }

    #[test]
    fn a_clock_that_was_overtaken_counts_in_the_window_there_is() {
        let meter = Meter::default();
        meter.set_limit(Some(2));
        assert!(meter.take(10_001).is_ok() && meter.take(9_999).is_ok() && meter.take(9_999).is_err());
    }
}
