//! Fewer wake-ups while nothing but bulk moves.
//!
//! A wake-up costs the same for one ready socket as for all of them, and the more a socket holds the less a byte of it
//! costs. So a worker whose sockets have all been in the bulk phase for a while lets the kernel collect readiness for
//! a moment before it wakes up. The first other event, a message or a new connection, ends that at once.
//!
//! How long the moment is, is found by trying twice as long and half as long in turn. The longer one is kept when
//! clearly more bytes come with each of its wake-ups and as many, but for a twentieth, in the same time; else the
//! senders wait for room, or for the answer to what was just passed on, and the shorter one is kept, down to none at
//! all. A trial lies between two samples of the moment that is kept, and the shorter one has to win against both: the
//! end of a burst, or a sender that grows faster, is not the moment's doing. What interrupts the flow, a message or a
//! pause, halves the moment, and trials begin anew.

use std::io;
use std::time::Duration;

use io_uring::types::{SubmitArgs, Timespec};

use super::spin::{Spinning, Spun};
use super::token::Kind;
use super::{BATCH, Ring};

/// The shortest moment but none, microseconds.
const SHORTEST_US: u32 = 100;
/// What comes meanwhile of another kind waits no longer than that, once: then the worker is not calm.
const LONGEST_US: u32 = 800;
/// A wait that collects ends after so many milliseconds even when nothing came; then an ordinary one follows.
const BOUND: Duration = Duration::from_millis(10);
/// So long there is no other kind of event before readiness is collected.
const CALM: Duration = Duration::from_millis(50);
/// Wake-ups whose bytes are averaged, at least, and the microseconds in which they come.
const SAMPLE: u32 = 32;
const SAMPLE_US: u64 = 8000;
/// Bytes of a wake-up beyond which a longer moment gains nothing.
const ENOUGH: u64 = 512 << 10;
/// Bytes of a wake-up beyond which the moment is too long.
const TOO_MUCH: u64 = 3 * ENOUGH;
/// From an attempt that changed nothing to the next, twice as long after each further one up to [`MOST_PATIENCE`].
const PATIENCE: Duration = Duration::from_secs(1);
const MOST_PATIENCE: Duration = Duration::from_secs(4);

/// How the next wait goes.
#[derive(Debug)]
pub(super) struct Gather {
    /// The kernel can (6.12), and the worker may sleep.
    able: bool,
    /// Bulk moved in this turn.
    bulk: bool,
    /// Something else happened in this turn.
    other: bool,
    /// When something else happened last.
    other_at: Duration,
    on: bool,
    /// 0: readiness is not collected.
    moment_us: u32,
    trial: Option<Trial>,
    /// The next trial is of a shorter moment.
    shorter: bool,
    /// When it may begin.
    next_trial: Duration,
    patience: Duration,
    /// When the turn before began.
    before: Duration,
    /// When the sample under way began.
    since: Duration,
    wake_ups: u32,
    bytes: u64,
}

/// Another moment, under way.
#[derive(Debug)]
struct Trial {
    moment_us: u32,
    /// Under the moment that is kept.
    before: Sample,
    /// Under the other one; the moment that is kept follows once more.
    tried: Option<Sample>,
}

/// What came in a while.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Bytes of a wake-up.
    mean: u64,
    /// Bytes of a millisecond.
    rate: u64,
}

impl Gather {
    /// Whether the kernel can, and whether a worker sleeps: one that never does collects nothing.
    pub(super) fn new(able: bool, spin: Spinning) -> Gather {
        Gather {
            able: able && spin != Spinning::Always,
            bulk: false,
            other: false,
            other_at: Duration::ZERO,
            on: false,
            moment_us: 0,
            trial: None,
            shorter: false,
            next_trial: Duration::ZERO,
            patience: PATIENCE,
            before: Duration::ZERO,
            since: Duration::ZERO,
            wake_ups: 0,
            bytes: 0,
        }
    }

    /// Microseconds for which the wait that begins now collects, no longer than `timeout`: the kernel looks at that only
    /// when the moment is over. None: it ends with the first answer.
    fn moment(&mut self, timeout: Option<Duration>) -> Option<u32> {
        self.wake_ups += u32::from(self.on);
        let tried = self.trial.as_ref().filter(|trial| trial.tried.is_none());
        let moment_us = tried.map_or(self.moment_us, |trial| trial.moment_us);
        let most = timeout.map_or(u32::MAX, |timeout| timeout.as_micros().clamp(1, u32::MAX.into()) as u32);
        (self.on && moment_us > 0).then_some(moment_us.min(most))
    }

    /// Whether readiness is collected, or it is being tried.
    pub(super) fn collects(&self) -> bool {
        self.on && (self.moment_us > 0 || self.trial.as_ref().is_some_and(|trial| trial.tried.is_none()))
    }

    /// Takes note of an answer of the kernel.
    pub(super) fn saw(&mut self, kind: Kind) {
        match kind {
            Kind::Readable | Kind::Writable => self.bulk = true,
            Kind::Cancel | Kind::Mail | Kind::Wake => {}
            _ => self.other = true,
        }
    }

    /// A turn that moved so many bytes ended; it began at `now`, on a clock that only goes on.
    pub(super) fn end_turn(&mut self, moved: u64, now: Duration) {
        if std::mem::take(&mut self.other) {
            self.other_at = now;
        }
        let bulk = std::mem::take(&mut self.bulk);
        let calm = now.saturating_sub(self.other_at) >= CALM;
        let paused = now.saturating_sub(std::mem::replace(&mut self.before, now)) > BOUND;
        let was_on = self.on;
        self.on = self.able && calm && (bulk || was_on && moved > 0);
        if !was_on || !self.on || paused {
            if was_on {
                self.interrupt(now);
            }
            (self.since, self.wake_ups, self.bytes) = (now, 0, 0);
            return;
        }
        self.bytes += moved;
        let elapsed_us = now.saturating_sub(self.since).as_micros() as u64;
        if self.wake_ups >= SAMPLE && elapsed_us >= SAMPLE_US {
            let mean = self.bytes / u64::from(self.wake_ups);
            let rate = self.bytes * 1000 / elapsed_us;
            (self.since, self.wake_ups, self.bytes) = (now, 0, 0);
            self.adapt(Sample { mean, rate }, now);
        }
    }

    /// What was found need not hold for what comes.
    fn interrupt(&mut self, now: Duration) {
        self.moment_us = shorter(self.moment_us);
        (self.trial, self.shorter) = (None, false);
        (self.next_trial, self.patience) = (now, PATIENCE);
    }

    /// Chooses the next moment by what came under this one.
    fn adapt(&mut self, sample: Sample, now: Duration) {
        match self.trial.take() {
            None => self.consider(sample, now),
            Some(Trial { moment_us, before, tried: None }) => {
                self.trial = Some(Trial { moment_us, before, tried: Some(sample) });
            }
            Some(Trial { moment_us, before, tried: Some(tried) }) => {
                if self.judge(moment_us, tried, [before, sample]) {
                    self.consider(tried, now);
                } else {
                    self.wait(now);
                }
            }
        }
    }

    /// Begins a trial, when it is time for one. `sample` came under the moment that is kept.
    fn consider(&mut self, sample: Sample, now: Duration) {
        if sample.mean > TOO_MUCH {
            self.moment_us = shorter(self.moment_us);
            self.wait(now);
        } else if now >= self.next_trial {
            let enough = self.shorter || sample.mean >= ENOUGH || self.moment_us >= LONGEST_US;
            let moment_us = if enough { shorter(self.moment_us) } else { longer(self.moment_us) };
            self.shorter = false;
            let begins = moment_us != self.moment_us;
            self.trial = begins.then_some(Trial { moment_us, before: sample, tried: None });
        }
    }

    /// Of two moments the longer is kept when fewer wake-ups bring as much. True: the one that was tried.
    fn judge(&mut self, moment_us: u32, tried: Sample, around: [Sample; 2]) -> bool {
        let pays = |long: Sample, short: Sample| {
            4 * long.mean >= 5 * short.mean && 20 * long.rate >= 19 * short.rate
        };
        let longer = moment_us > self.moment_us;
        let kept = if longer {
            tried.mean <= TOO_MUCH && around.into_iter().any(|short| pays(tried, short))
        } else {
            !around.into_iter().any(|long| pays(long, tried))
        };
        if kept {
            self.moment_us = moment_us;
            self.patience = PATIENCE;
        }
        // On in the same direction after a success, in the other one after a failure.
        self.shorter = kept != longer;
        kept
    }

    fn wait(&mut self, now: Duration) {
        self.next_trial = now + self.patience;
        self.patience = (2 * self.patience).min(MOST_PATIENCE);
    }
}

fn longer(moment_us: u32) -> u32 {
    (2 * moment_us).max(SHORTEST_US)
}

fn shorter(moment_us: u32) -> u32 {
    if moment_us > SHORTEST_US { moment_us / 2 } else { 0 }
}

impl Ring {
    /// Submits everything and waits for an answer, or until the timeout is over.
    pub(super) fn submit_and_wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let moment = self.gather.moment(timeout);
        let timeout = match moment {
            Some(_) => Some(timeout.unwrap_or(BOUND).min(BOUND)),
            None => match self.spin(timeout)? {
                Spun::Found => return Ok(()),
                Spun::Nothing(timeout) => timeout,
            },
        };
        let limit = timeout.map(Timespec::from);
        let mut arguments = SubmitArgs::new();
        if let Some(limit) = &limit {
            arguments = arguments.timespec(limit);
        }
        let submitter = self.uring.submitter();
        match moment {
            Some(moment) => submitter.submit_with_args(BATCH, &arguments.min_wait_usec(moment)),
            None => submitter.submit_with_args(1, &arguments),
        }
        .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::{Range, RangeInclusive};

    const SECOND: Duration = Duration::from_secs(1);

    fn turn(gather: &mut Gather, kinds: &[Kind], now: Duration) -> bool {
        kinds.iter().for_each(|kind| gather.saw(*kind));
        gather.end_turn(0, now);
        gather.on
    }

    #[test]
    fn bulk_alone_is_collected_after_a_while() {
        let mut gather = Gather::new(true, Spinning::Never);
        assert!(!turn(&mut gather, &[Kind::Accept, Kind::Receive], SECOND));
        assert!(!turn(&mut gather, &[Kind::Readable], SECOND + CALM / 2));
        assert!(turn(&mut gather, &[Kind::Readable, Kind::Writable, Kind::Mail], SECOND + CALM));
        assert_eq!(gather.moment(None), None, "nothing has shown yet that it pays");
    }

    #[test]
    fn a_message_ends_it_at_once() {
        let mut gather = Gather::new(true, Spinning::Never);
        assert!(turn(&mut gather, &[Kind::Readable], SECOND));
        assert!(!turn(&mut gather, &[Kind::Readable, Kind::Receive], 2 * SECOND));
        assert!(!turn(&mut gather, &[Kind::Readable], 2 * SECOND + CALM / 2));
        assert!(turn(&mut gather, &[Kind::Readable], 2 * SECOND + CALM));
    }

    #[test]
    fn nothing_is_collected_without_bulk_or_an_able_kernel() {
        assert!(!turn(&mut Gather::new(true, Spinning::Never), &[], SECOND));
        assert!(!turn(&mut Gather::new(false, Spinning::Never), &[Kind::Readable], SECOND));
        let sleepless = Gather::new(true, Spinning::Always);
        assert!(!turn(&mut { sleepless }, &[Kind::Readable], SECOND), "it is never to sleep");
    }

    /// Works for some seconds with (microseconds between two wake-ups, bytes of a wake-up) for a moment; the least and
    /// the most that was kept in the last second.
    fn settle(
        gather: &mut Gather,
        seconds: Range<u64>,
        wake_up: impl Fn(u32) -> (u32, u64),
    ) -> RangeInclusive<u32> {
        let mut now_us = seconds.start * 1_000_000;
        let (mut least, mut most) = (u32::MAX, 0);
        while now_us < seconds.end * 1_000_000 {
            let (us, bytes) = wake_up(gather.moment(None).unwrap_or(0));
            now_us += u64::from(us);
            gather.saw(Kind::Readable);
            gather.end_turn(bytes, Duration::from_micros(now_us));
            if now_us >= (seconds.end - 1) * 1_000_000 {
                (least, most) = (least.min(gather.moment_us), most.max(gather.moment_us));
            }
        }
        least..=most
    }

    /// A sender of so many megabytes a second, whatever the moment; without one it wakes the worker every 20 us.
    fn steady(megabytes: u64) -> impl Fn(u32) -> (u32, u64) {
        move |moment| (moment.max(20), megabytes * u64::from(moment.max(20)))
    }

    /// A window of 64 KiB that refills in 150 us: whoever waits longer throttles the sender.
    fn window(moment: u32) -> (u32, u64) {
        let us = moment.max(20);
        (us, (64 << 10) * u64::from(us.min(150)) / 150)
    }

    fn settled(wake_up: impl Fn(u32) -> (u32, u64)) -> RangeInclusive<u32> {
        settle(&mut Gather::new(true, Spinning::Never), 1..4, wake_up)
    }

    #[test]
    fn a_steady_rate_is_collected_until_a_wake_up_carries_enough() {
        assert_eq!(settled(steady(1250)), 800..=800, "10 Gbit/s");
        assert_eq!(settled(steady(5000)), 200..=200, "40 Gbit/s: a megabyte");
        assert_eq!(settled(steady(12)), LONGEST_US..=LONGEST_US, "100 Mbit/s");
    }

    #[test]
    fn a_moment_is_no_longer_than_the_timeout() {
        let mut gather = Gather { on: true, moment_us: LONGEST_US, ..Gather::new(true, Spinning::Never) };
        let mut moment = |timeout_us| gather.moment(Some(Duration::from_micros(timeout_us)));
        assert_eq!(moment(300), Some(300));
        assert_eq!(moment(0), Some(1), "0 would be none at all");
        assert_eq!(moment(5000), Some(LONGEST_US));
        assert_eq!(moment(10_000_000_000), Some(LONGEST_US), "more microseconds than the kernel can be told");
        assert_eq!(gather.moment(None), Some(LONGEST_US));
    }

    /// As where two workers share a core: the wake-up comes a tenth of a millisecond late.
    #[test]
    fn a_worker_that_wakes_up_late_collects_all_the_same() {
        let late = |moment: u32| (moment.max(20) + 100, 1250 * u64::from(moment.max(20) + 100));
        assert_eq!(settled(late), 400..=400);
    }

    #[test]
    fn a_sender_that_waits_for_room_is_not_kept_waiting() {
        assert_eq!(settled(window), 100..=100);
    }

    #[test]
    fn what_costs_a_tenth_of_the_bytes_is_not_kept() {
        let tenth_less = |moment: u32| {
            let us = u64::from(moment.max(20));
            (us as u32, 100 * us * if moment > 100 { 91 } else { 100 })
        };
        assert_eq!(settled(tenth_less), 100..=100);
    }

    /// Bursts of five wake-ups with 15 ms between them: no sample is ever complete.
    #[test]
    fn a_pause_gives_up_what_was_found_and_what_was_tried() {
        let mut gather = Gather::new(true, Spinning::Never);
        assert_eq!(settle(&mut gather, 1..3, steady(100)), LONGEST_US..=LONGEST_US);
        let count = std::cell::Cell::new(0);
        let bursts = |moment: u32| {
            count.set((count.get() + 1) % 5);
            (if count.get() == 0 { 15_000 } else { moment.max(20) }, 64 << 10)
        };
        assert_eq!(settle(&mut gather, 3..5, bursts), 0..=0);
        assert!(gather.trial.is_none());
    }

    #[test]
    fn a_message_halves_the_moment_and_ends_a_trial() {
        let mut gather = Gather::new(true, Spinning::Never);
        assert_eq!(settle(&mut gather, 1..3, steady(100)), LONGEST_US..=LONGEST_US);
        let before = Sample { mean: 1, rate: 1 };
        gather.trial = Some(Trial { moment_us: 400, before, tried: None });
        turn(&mut gather, &[Kind::Receive], 3 * SECOND);
        assert_eq!((gather.moment_us, gather.trial.is_none()), (LONGEST_US / 2, true));
        turn(&mut gather, &[Kind::Receive], 4 * SECOND);
        assert_eq!(gather.moment_us, LONGEST_US / 2, "it was not collecting");
    }

    /// A flow begins with a burst that has gathered meanwhile.
    #[test]
    fn the_end_of_a_burst_is_not_the_moments_doing() {
        let mut gather = Gather::new(true, Spinning::Never);
        let spent = std::cell::Cell::new(0);
        let burst = |moment: u32| {
            spent.set(spent.get() + moment.max(20));
            let megabytes = if spent.get() < 12_000 { 2500 } else { 1250 };
            (moment.max(20), megabytes * u64::from(moment.max(20)))
        };
        settle(&mut gather, 1..2, burst);
        assert_eq!(gather.moment_us, 800);
    }

    /// Batches of 64 KiB, the next when the one before was answered.
    #[test]
    fn who_waits_for_an_answer_is_not_kept_waiting() {
        assert_eq!(settled(|moment| (moment.max(50), 64 << 10)), 0..=0);
    }

    #[test]
    fn a_sender_that_has_come_to_wait_for_room_is_released() {
        let mut gather = Gather::new(true, Spinning::Never);
        assert_eq!(settle(&mut gather, 1..3, steady(100)), LONGEST_US..=LONGEST_US);
        assert_eq!(settle(&mut gather, 3..10, window), 100..=100);
        assert_eq!(settle(&mut gather, 10..16, steady(100)), LONGEST_US..=LONGEST_US);
    }

    #[test]
    fn a_moment_that_has_become_too_long_is_shortened() {
        let mut gather = Gather::new(true, Spinning::Never);
        assert_eq!(settle(&mut gather, 1..3, steady(100)), LONGEST_US..=LONGEST_US);
        assert_eq!(settle(&mut gather, 3..5, steady(6000)), 200..=200);
    }
}
