//! Looking for answers for a while before sleeping: a sleep costs a wake-up, which on a virtual machine may cost more
//! than everything else of a round trip.
//!
//! Whether that pays is found by trying it: where clients wait for one answer before they ask again, the time that a
//! wake-up would have taken becomes work; where requests come when they come, looking only burns the CPU. A trial lies
//! between two samples of the way that is kept, as in `gather`.

use std::io;
use std::time::{Duration, Instant};

use io_uring::types::Napi;

use super::Ring;
use crate::sys::cpu;

/// Whether a worker looks for answers before it sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spinning {
    /// It sleeps at once.
    Never,
    /// For a moment, as long as that brings more work than it costs.
    WhenItPays,
    /// For so long, unless it has often been in vain.
    For(Duration),
    /// It never sleeps.
    Always,
}

/// How long a worker looks that finds out by itself whether it pays.
const LOOK: Duration = Duration::from_micros(50);
/// Spins in vain after which most waits sleep at once.
const MISSES: u8 = 16;
/// One wait in so many spins all the same, to see whether answers come soon again.
const PROBE: u8 = 64;
/// Waits of a sample, at least, and the time in which they come.
const SAMPLE: u32 = 32;
const SAMPLE_TIME: Duration = Duration::from_millis(5);
/// Whoever waits less often than that has the time to sleep.
const QUIET: Duration = Duration::from_millis(100);
/// From a trial that changed nothing to the next, twice as long after each further one up to [`MOST_PATIENCE`].
const PATIENCE: Duration = Duration::from_millis(100);
const MOST_PATIENCE: Duration = Duration::from_secs(4);
/// Whoever sees the clock jump so far while it does nothing else was interrupted by somebody who needs the CPU.
const LATE: Duration = Duration::from_micros(100);
/// A pause: a sample does not go on behind it.
const PAUSE: Duration = Duration::from_millis(10);

/// How the next wait begins.
#[derive(Debug)]
pub(super) struct Spin {
    spinning: Spinning,
    misses: u8,
    skipped: u8,
    trial: Trial,
}

impl Spin {
    pub(super) fn new(spinning: Spinning) -> Spin {
        Spin { spinning, misses: 0, skipped: 0, trial: Trial::new() }
    }

    /// For how long the wait that begins now looks, at most `limit`; None: it sleeps at once. A worker that
    /// collects readiness wants to sleep.
    fn next(&mut self, limit: Option<Duration>, collects: bool) -> Option<Duration> {
        let spinning = self.spinning;
        let budget = match spinning {
            Spinning::Never => return None,
            Spinning::Always => Duration::MAX,
            Spinning::For(budget) if self.misses < MISSES || self.is_probe() => budget,
            Spinning::WhenItPays if !collects && self.trial.spins() => LOOK,
            Spinning::For(_) | Spinning::WhenItPays => return None,
        };
        let budget = limit.map_or(budget, |limit| limit.min(budget));
        (!budget.is_zero()).then_some(budget)
    }

    fn is_probe(&mut self) -> bool {
        self.skipped = (self.skipped + 1) % PROBE;
        self.skipped == 0
    }

    fn ended(&mut self, found: bool) {
        self.misses = if found { 0 } else { self.misses.saturating_add(1) };
    }

    /// A turn that moved so many bytes ended; it began at `now`, on a clock that only goes on. What a worker brings that
    /// collects readiness says nothing here.
    pub(super) fn end_turn(&mut self, moved: u64, now: Duration, collects: bool) {
        if self.spinning != Spinning::WhenItPays {
            return;
        }
        if collects {
            (self.trial.since, self.trial.stage) = (None, Stage::Kept);
        } else {
            self.trial.end_turn(moved, now, cpu::used_by_this_thread);
        }
    }
}

/// Finds out whether it pays.
#[derive(Debug)]
struct Trial {
    /// What was found last.
    pays: bool,
    stage: Stage,
    next: Duration,
    patience: Duration,
    /// When the turn before began.
    before: Duration,
    /// When the sample under way began, and what CPU time the worker had used by then; None: that is not known.
    since: Option<(Duration, Duration)>,
    /// What somebody else had of the CPU while the worker looked.
    lost: Duration,
    /// Samples one after the other that somebody else spoiled.
    disturbed: u8,
    waits: u32,
    bytes: u64,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// As was found.
    Kept,
    /// The other way; as was found brought so much before.
    Other(Sample),
    /// As was found again; before and the other way brought so much.
    After(Sample, Sample),
}

/// What came in a while.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Bytes of a second.
    rate: u64,
    /// Nanoseconds of CPU for a MiB.
    cost: u64,
}

impl Trial {
    fn new() -> Trial {
        Trial {
            pays: false,
            stage: Stage::Kept,
            next: Duration::ZERO,
            patience: PATIENCE,
            before: Duration::ZERO,
            since: None,
            lost: Duration::ZERO,
            disturbed: 0,
            waits: 0,
            bytes: 0,
        }
    }

    /// Whether the wait that begins now looks first.
    fn spins(&mut self) -> bool {
        self.waits = self.waits.saturating_add(1);
        self.pays != matches!(self.stage, Stage::Other(_))
    }

    fn end_turn(&mut self, moved: u64, now: Duration, used: impl FnOnce() -> Duration) {
        self.bytes += moved;
        let gap = now.saturating_sub(std::mem::replace(&mut self.before, now));
        let Some((since, before)) = self.since else { return self.begin_sample(now, used()) };
        let elapsed = now.saturating_sub(since);
        if gap > PAUSE || elapsed > QUIET {
            // Pauses are a trait of the traffic: where looking did not pay they are no reason to try again at once.
            if self.pays {
                (self.next, self.patience) = (now, PATIENCE);
            } else if !matches!(self.stage, Stage::Kept) {
                self.wait(now);
            }
            (self.pays, self.stage) = (false, Stage::Kept);
            return self.begin_sample(now, used());
        }
        if self.waits < SAMPLE || elapsed < SAMPLE_TIME {
            return;
        }
        let after = used();
        self.disturbed = if 8 * self.lost > elapsed { self.disturbed + 1 } else { 0 };
        match self.disturbed {
            0 => {
                let cpu = after.saturating_sub(before);
                let rate = 1_000_000_000 * self.bytes / elapsed.as_nanos() as u64;
                self.adapt(Sample { rate, cost: ((cpu.as_nanos() as u64) << 20) / self.bytes.max(1) }, now);
            }
            // Nothing can be seen: once more.
            1 => {}
            _ => {
                (self.pays, self.stage, self.disturbed) = (false, Stage::Kept, 0);
                (self.next, self.patience) = (now + MOST_PATIENCE, MOST_PATIENCE);
            }
        }
        self.begin_sample(now, after);
    }

    fn begin_sample(&mut self, now: Duration, used: Duration) {
        (self.since, self.lost, self.waits, self.bytes) = (Some((now, used)), Duration::ZERO, 0, 0);
    }

    fn adapt(&mut self, sample: Sample, now: Duration) {
        self.stage = match self.stage {
            Stage::Kept if now < self.next => Stage::Kept,
            Stage::Kept => Stage::Other(sample),
            Stage::Other(before) => Stage::After(before, sample),
            Stage::After(before, other) => {
                self.judge([before, sample], other, now);
                Stage::Kept
            }
        };
    }

    /// Spinning has to win against both samples around it to begin, and to lose against both to end.
    fn judge(&mut self, around: [Sample; 2], other: Sample, now: Duration) {
        let pays = if self.pays {
            around.into_iter().any(|spun| spun.pays_against(other))
        } else {
            around.into_iter().all(|slept| other.pays_against(slept))
        };
        if pays != self.pays {
            self.patience = PATIENCE;
        }
        self.pays = pays;
        self.wait(now);
    }

    fn wait(&mut self, now: Duration) {
        self.next = now + self.patience;
        self.patience = (2 * self.patience).min(MOST_PATIENCE);
    }
}

impl Sample {
    /// Whether a byte costs no more, or at most by as much as more bytes came; three per cent are needed to see it.
    fn pays_against(self, slept: Sample) -> bool {
        let spun = u128::from(self.cost) * u128::from(slept.rate);
        slept.rate > 0 && 100 * spun <= 97 * u128::from(slept.cost) * u128::from(self.rate)
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
        let Some(budget) = self.spin.next(timeout, self.gather.collects()) else {
            return Ok(Spun::Nothing(timeout));
        };
        let began = Instant::now();
        let mut idle_at = None;
        loop {
            if !self.uring.completion().is_empty() {
                self.spin.ended(true);
                return Ok(Spun::Found);
            }
            let elapsed = began.elapsed();
            let gap = idle_at.map_or(Duration::ZERO, |idle_at| elapsed - idle_at);
            if gap > LATE {
                self.spin.trial.lost += gap;
            }
            // The kernel says in shared memory that there is something to do.
            let queue = self.uring.submission();
            let busy = !queue.is_empty() || queue.taskrun() || queue.cq_overflow();
            drop(queue);
            if busy {
                self.enter()?;
            }
            idle_at = (!busy).then_some(elapsed);
            if elapsed >= budget && self.uring.completion().is_empty() {
                self.spin.ended(false);
                return Ok(Spun::Nothing(timeout.map(|timeout| timeout.saturating_sub(elapsed))));
            }
            std::hint::spin_loop();
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

    fn next(spin: &mut Spin, limit: Option<Duration>) -> Option<Duration> {
        spin.next(limit, false)
    }

    #[test]
    fn without_a_budget_nobody_spins() {
        assert_eq!(next(&mut Spin::new(Spinning::Never), None), None);
        assert_eq!(next(&mut Spin::new(Spinning::For(Duration::ZERO)), None), None);
        assert_eq!(
            next(&mut Spin::new(Spinning::WhenItPays), None),
            None,
            "nothing has shown yet that it pays"
        );
    }

    #[test]
    fn a_timer_that_is_due_ends_a_spin() {
        let mut spin = Spin::new(Spinning::For(BUDGET));
        assert_eq!(next(&mut spin, None), Some(BUDGET));
        assert_eq!(next(&mut spin, Some(BUDGET / 2)), Some(BUDGET / 2));
        assert_eq!(next(&mut spin, Some(Duration::ZERO)), None);
    }

    #[test]
    fn in_vain_it_spins_seldom_and_one_find_makes_it_spin_again() {
        let mut spin = Spin::new(Spinning::For(BUDGET));
        (0..MISSES).for_each(|_| spin.ended(false));
        let spun = (0..2 * PROBE).filter(|_| next(&mut spin, None).is_some()).count();
        assert_eq!(spun, 2);
        spin.ended(true);
        assert_eq!(next(&mut spin, None), Some(BUDGET));
    }

    #[test]
    fn busy_polling_never_sleeps() {
        let mut spin = Spin::new(Spinning::Always);
        (0..=MISSES).for_each(|_| spin.ended(false));
        assert_eq!(next(&mut spin, None), Some(Duration::MAX));
    }

    /// What a worker spends and gets between two waits: microseconds on the clock, of CPU, and bytes.
    struct Wait {
        us: u64,
        cpu_us: u64,
        bytes: u64,
        lost_us: u64,
    }

    /// One connection in lock step: a wake-up takes 10 us and costs as much CPU as it would take to look.
    fn lock_step(spins: bool) -> Wait {
        Wait { us: if spins { 27 } else { 40 }, cpu_us: if spins { 27 } else { 30 }, bytes: 200, lost_us: 0 }
    }

    /// A message every 50 us, whatever the worker does.
    fn at_a_rate(spins: bool) -> Wait {
        Wait { us: 50, cpu_us: if spins { 50 } else { 20 }, bytes: 200, lost_us: 0 }
    }

    /// Works for so long; the share of waits that looked first.
    fn work(trial: &mut Trial, from: Duration, time: Duration, wait: impl Fn(bool) -> Wait) -> f64 {
        // What it has used until now is no more than the time there was.
        let (mut now, mut used) = (from, from);
        let (mut waits, mut spun) = (0, 0);
        while now < from + time {
            let spins = trial.spins();
            let wait = wait(spins);
            now += Duration::from_micros(wait.us);
            used += Duration::from_micros(wait.cpu_us);
            trial.lost += Duration::from_micros(wait.lost_us);
            trial.end_turn(wait.bytes, now, || used);
            waits += 1;
            spun += u32::from(spins);
        }
        f64::from(spun) / f64::from(waits)
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn lock_step_is_looked_for_and_a_rate_is_not() {
        assert!(work(&mut Trial::new(), SECOND, SECOND, lock_step) > 0.9);
        assert!(work(&mut Trial::new(), SECOND, SECOND, at_a_rate) < 0.04);
    }

    /// Connections that come and go without a byte.
    #[test]
    fn where_no_bytes_move_nobody_looks() {
        let empty = |spins| Wait { bytes: 0, ..lock_step(spins) };
        assert!(work(&mut Trial::new(), SECOND, SECOND, empty) < 0.04);
    }

    /// Requests at random, with pauses of 12 ms or of 200 ms between them.
    #[test]
    fn pauses_are_no_reason_to_try_again_at_once() {
        for (pause, apart) in [(12_000, 600), (200_000, 100)] {
            let count = std::cell::Cell::new(0);
            let sparse = |_| {
                count.set((count.get() + 1) % 500);
                Wait { us: if count.get() == 0 { pause } else { apart }, cpu_us: 20, bytes: 200, lost_us: 0 }
            };
            let mut trial = Trial::new();
            work(&mut trial, SECOND, 10 * SECOND, sparse);
            assert!(work(&mut trial, 11 * SECOND, 20 * SECOND, sparse) < 0.02, "{pause} us");
        }
    }

    #[test]
    fn a_worker_that_collects_readiness_sleeps() {
        let mut spin = Spin::new(Spinning::WhenItPays);
        spin.trial.pays = true;
        assert_eq!((spin.next(None, false), spin.next(None, true)), (Some(LOOK), None));
    }

    #[test]
    fn what_no_longer_pays_ends_and_what_pays_again_begins() {
        let mut trial = Trial::new();
        work(&mut trial, SECOND, SECOND, lock_step);
        work(&mut trial, 2 * SECOND, 5 * SECOND, at_a_rate);
        assert!(work(&mut trial, 7 * SECOND, SECOND, at_a_rate) < 0.02);
        work(&mut trial, 8 * SECOND, 5 * SECOND, lock_step);
        assert!(work(&mut trial, 13 * SECOND, SECOND, lock_step) > 0.9);
    }

    #[test]
    fn who_is_needed_elsewhere_does_not_look() {
        let mut trial = Trial::new();
        work(&mut trial, SECOND, SECOND, lock_step);
        let shared = |spins| {
            let alone = lock_step(spins);
            let lost_us = if spins { 20 } else { 0 };
            Wait { us: alone.us + lost_us, lost_us, ..alone }
        };
        assert!(work(&mut trial, 2 * SECOND, SECOND, shared) < 0.02);
    }

    #[test]
    fn who_has_little_to_do_sleeps_and_tries_again_when_more_comes() {
        let mut trial = Trial::new();
        work(&mut trial, SECOND, SECOND, lock_step);
        let quiet = |_| Wait { us: 4000, cpu_us: 50, bytes: 200, lost_us: 0 };
        assert!(work(&mut trial, 2 * SECOND, SECOND, quiet) < 0.2);
        let after = Duration::from_millis(30);
        work(&mut trial, 3 * SECOND, after, lock_step);
        assert!(work(&mut trial, 3 * SECOND + after, after, lock_step) > 0.9, "it is tried again at once");
    }

    /// The host slows down by a half in the middle of a trial.
    #[test]
    fn a_change_of_speed_decides_nothing() {
        let mut trial = Trial::new();
        let slept = Sample { rate: 1000, cost: 1000 };
        let spun = |speed: u64| Sample { rate: 1000 * speed / 2, cost: 2400 / speed };
        trial.judge([slept, Sample { rate: 500, cost: 2000 }], spun(2), SECOND);
        assert!(!trial.pays, "slower behind it");
        trial.judge([Sample { rate: 500, cost: 2000 }, slept], spun(2), SECOND);
        assert!(!trial.pays, "slower before it");
    }
}
