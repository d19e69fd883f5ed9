//! Fewer wake-ups while nothing but bulk moves.
//!
//! A wake-up costs the same for one ready socket as for all of them, and the more a socket holds the less a byte of it
//! costs. So a worker whose sockets have all been in the bulk phase for a while lets the kernel collect readiness for
//! a moment before it wakes up. The first other event, a message or a new connection, ends that at once.
//!
//! How long the moment is, is found by trying twice as long and half as long in turn: the longer one is kept when
//! clearly more bytes come with each of its wake-ups, and the shorter one when not, since then the senders wait for
//! room, not the worker for bytes. Twice the time never brings twice the bytes: the worker does not wake up at once.

use std::io;
use std::time::Duration;

use io_uring::types::{SubmitArgs, Timespec};

use super::spin::Spun;
use super::token::Kind;
use super::{BATCH, Ring};

/// The first moment, microseconds.
const SHORTEST_US: u32 = 50;
/// What comes meanwhile of another kind waits no longer than that, once: then the worker is not calm.
const LONGEST_US: u32 = 800;
/// A wait that collects ends after so many milliseconds even when nothing came; then an ordinary one follows.
const BOUND: Duration = Duration::from_millis(10);
/// Milliseconds without another kind of event before readiness is collected.
const CALM_MS: u64 = 50;
/// Wake-ups whose bytes are averaged.
const SAMPLE: u32 = 32;
/// Bytes of a wake-up beyond which a longer moment gains nothing.
const ENOUGH: u64 = 512 << 10;
/// Milliseconds from an attempt that changed nothing to the next.
const PATIENCE_MS: u64 = 1000;

/// How the next wait goes.
#[derive(Debug)]
pub(super) struct Gather {
    /// The kernel can (6.12), and the worker may sleep.
    able: bool,
    /// Bulk moved in this turn.
    bulk: bool,
    /// Something else happened in this turn.
    other: bool,
    /// When something else happened last, milliseconds.
    other_at: u64,
    on: bool,
    moment_us: u32,
    trial: Option<Trial>,
    /// The next trial is of a shorter moment.
    shorter: bool,
    /// When it may begin, milliseconds.
    next_trial: u64,
    wake_ups: u32,
    bytes: u64,
}

/// Another moment, under way.
#[derive(Debug)]
struct Trial {
    moment_us: u32,
    /// Bytes of a wake-up under the moment that is kept.
    mean: u64,
}

impl Gather {
    /// Whether the kernel can, and how long a worker looks before it sleeps: one that never does collects nothing.
    pub(super) fn new(able: bool, spin: Duration) -> Gather {
        Gather {
            able: able && spin != Duration::MAX,
            bulk: false,
            other: false,
            other_at: 0,
            on: false,
            moment_us: SHORTEST_US,
            trial: None,
            shorter: false,
            next_trial: 0,
            wake_ups: 0,
            bytes: 0,
        }
    }

    /// Microseconds for which the wait that begins now collects; None: it ends with the first answer.
    fn moment(&mut self) -> Option<u32> {
        self.wake_ups += u32::from(self.on);
        self.on.then_some(self.trial.as_ref().map_or(self.moment_us, |trial| trial.moment_us))
    }

    /// Takes note of an answer of the kernel.
    pub(super) fn saw(&mut self, kind: Kind) {
        match kind {
            Kind::Readable | Kind::Writable => self.bulk = true,
            Kind::Cancel | Kind::Mail | Kind::Wake => {}
            _ => self.other = true,
        }
    }

    /// A turn that moved so many bytes ended at `now`, milliseconds.
    pub(super) fn end_turn(&mut self, moved: u64, now: u64) {
        if std::mem::take(&mut self.other) {
            self.other_at = now;
        }
        let bulk = std::mem::take(&mut self.bulk);
        let calm = now.saturating_sub(self.other_at) >= CALM_MS;
        self.on = self.able && calm && (bulk || self.on && moved > 0);
        if !calm {
            (self.wake_ups, self.bytes, self.trial) = (0, 0, None);
            return;
        }
        self.bytes += moved;
        if self.wake_ups >= SAMPLE {
            let mean = self.bytes / u64::from(self.wake_ups);
            (self.wake_ups, self.bytes) = (0, 0);
            self.adapt(mean, now);
        }
    }

    /// Chooses the next moment by the bytes of a wake-up under this one.
    fn adapt(&mut self, mean: u64, now: u64) {
        match self.trial.take() {
            Some(trial) => self.judge(&trial, mean, now),
            None if mean > 3 * ENOUGH => self.moment_us = (self.moment_us / 2).max(SHORTEST_US),
            None if now >= self.next_trial => {
                let moment_us = if self.shorter || mean >= ENOUGH || self.moment_us >= LONGEST_US {
                    self.moment_us / 2
                } else {
                    self.moment_us * 2
                };
                self.shorter = false;
                self.trial = (moment_us >= SHORTEST_US).then_some(Trial { moment_us, mean });
            }
            None => {}
        }
    }

    /// Of two moments the longer is kept when a wake-up brings clearly more.
    fn judge(&mut self, trial: &Trial, mean: u64, now: u64) {
        let longer = trial.moment_us > self.moment_us;
        let (long, short) = if longer { (mean, trial.mean) } else { (trial.mean, mean) };
        let kept = (4 * long >= 5 * short) == longer;
        if kept {
            self.moment_us = trial.moment_us;
        } else {
            self.next_trial = now + PATIENCE_MS;
        }
        // On in the same direction after a success, in the other one after a failure.
        self.shorter = kept != longer;
    }
}

impl Ring {
    /// Submits everything and waits for an answer, or until the timeout is over.
    pub(super) fn submit_and_wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let moment = self.gather.moment();
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

    fn turn(gather: &mut Gather, kinds: &[Kind], now: u64) -> bool {
        kinds.iter().for_each(|kind| gather.saw(*kind));
        gather.end_turn(0, now);
        gather.moment().is_some()
    }

    #[test]
    fn bulk_alone_is_collected_after_a_while() {
        let mut gather = Gather::new(true, Duration::ZERO);
        assert!(!turn(&mut gather, &[Kind::Accept, Kind::Receive], 1000));
        assert!(!turn(&mut gather, &[Kind::Readable], 1000 + CALM_MS - 1));
        assert!(turn(&mut gather, &[Kind::Readable, Kind::Writable, Kind::Mail], 1000 + CALM_MS));
    }

    #[test]
    fn a_message_ends_it_at_once() {
        let mut gather = Gather::new(true, Duration::ZERO);
        assert!(turn(&mut gather, &[Kind::Readable], 1000));
        assert!(!turn(&mut gather, &[Kind::Readable, Kind::Receive], 1001));
        assert!(!turn(&mut gather, &[Kind::Readable], 1002));
        assert!(turn(&mut gather, &[Kind::Readable], 1001 + CALM_MS));
    }

    #[test]
    fn nothing_is_collected_without_bulk_or_an_able_kernel() {
        assert!(!turn(&mut Gather::new(true, Duration::ZERO), &[], 1000));
        assert!(!turn(&mut Gather::new(false, Duration::ZERO), &[Kind::Readable], 1000));
        assert!(
            !turn(&mut Gather::new(true, Duration::MAX), &[Kind::Readable], 1000),
            "it is never to sleep"
        );
    }

    /// Works for `seconds` with what a wake-up brings after a moment; the least and the most that was kept in the last.
    fn settle(
        gather: &mut Gather,
        seconds: std::ops::Range<u64>,
        bytes: impl Fn(u32) -> u64,
    ) -> std::ops::RangeInclusive<u32> {
        let mut now_us = seconds.start * 1_000_000;
        let (mut least, mut most) = (u32::MAX, 0);
        while now_us < seconds.end * 1_000_000 {
            let moment = gather.moment().unwrap_or(SHORTEST_US);
            now_us += u64::from(moment);
            gather.saw(Kind::Readable);
            gather.end_turn(bytes(moment), now_us / 1000);
            if now_us >= (seconds.end - 1) * 1_000_000 {
                (least, most) = (least.min(gather.moment_us), most.max(gather.moment_us));
            }
        }
        least..=most
    }

    /// A sender of so many megabytes a second, whatever the moment.
    fn steady(megabytes: u64) -> impl Fn(u32) -> u64 {
        move |moment| megabytes * u64::from(moment)
    }

    /// A window of 64 KiB that refills in 150 us: whoever waits longer throttles the sender.
    fn window(moment: u32) -> u64 {
        (64 << 10) * u64::from(moment.min(150)) / 150
    }

    #[test]
    fn a_steady_rate_is_collected_until_a_wake_up_carries_enough() {
        let kept = |megabytes| settle(&mut Gather::new(true, Duration::ZERO), 1..3, steady(megabytes));
        assert_eq!(kept(1250), 800..=800, "10 Gbit/s");
        assert_eq!(kept(5000), 200..=200, "40 Gbit/s: a megabyte");
        assert_eq!(kept(12), LONGEST_US..=LONGEST_US, "100 Mbit/s");
    }

    /// As where two workers share a core: the wake-up comes a tenth of a millisecond late.
    #[test]
    fn a_worker_that_wakes_up_late_collects_all_the_same() {
        let late = |moment| 1250 * (u64::from(moment) + 100);
        assert_eq!(settle(&mut Gather::new(true, Duration::ZERO), 1..3, late), 400..=400);
    }

    #[test]
    fn a_sender_that_waits_for_room_is_not_kept_waiting() {
        assert_eq!(settle(&mut Gather::new(true, Duration::ZERO), 1..3, window), 200..=200);
    }

    #[test]
    fn a_sender_that_has_come_to_wait_for_room_is_released() {
        let mut gather = Gather::new(true, Duration::ZERO);
        assert_eq!(settle(&mut gather, 1..3, steady(100)), LONGEST_US..=LONGEST_US);
        assert_eq!(settle(&mut gather, 3..6, window), 200..=200);
        assert_eq!(settle(&mut gather, 6..10, steady(100)), LONGEST_US..=LONGEST_US);
    }

    #[test]
    fn a_moment_that_has_become_too_long_is_shortened() {
        let mut gather = Gather::new(true, Duration::ZERO);
        assert_eq!(settle(&mut gather, 1..3, steady(100)), LONGEST_US..=LONGEST_US);
        assert_eq!(settle(&mut gather, 3..5, steady(6000)), 200..=200);
    }
}
