//! Fewer wake-ups while nothing but bulk moves.
//!
//! A wake-up costs the same for one ready socket as for all of them, and the more a socket holds the less a byte of it
//! costs. So a worker whose sockets have all been in the bulk phase for a while lets the kernel collect readiness for
//! a moment before it wakes up. The first other event, a message or a new connection, ends that at once.
//!
//! How long the moment is, is found by trying: twice as long is kept when clearly more bytes come with each wake-up,
//! and taken back when not, since then the senders wait for room, not the worker for bytes.

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
/// Milliseconds from a moment that was taken back to the next attempt.
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
    wake_ups: u32,
    bytes: u64,
    /// Bytes of a wake-up under half the moment, while the whole one is tried.
    former: Option<u64>,
    /// When a longer moment may be tried, milliseconds.
    next_trial: u64,
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
            wake_ups: 0,
            bytes: 0,
            former: None,
            next_trial: 0,
        }
    }

    /// Microseconds for which the wait that begins now collects; None: it ends with the first answer.
    fn moment(&mut self) -> Option<u32> {
        self.wake_ups += u32::from(self.on);
        self.on.then_some(self.moment_us)
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
            (self.wake_ups, self.bytes) = (0, 0);
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
        let worse = self.former.take().is_some_and(|former| 2 * mean < 3 * former);
        if worse {
            self.next_trial = now + PATIENCE_MS;
        }
        if worse || mean > 3 * ENOUGH {
            self.moment_us = (self.moment_us / 2).max(SHORTEST_US);
        } else if mean < ENOUGH && self.moment_us < LONGEST_US && now >= self.next_trial {
            self.former = Some(mean);
            self.moment_us *= 2;
        }
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

    /// Works for a while with what a wake-up brings after a moment; the last moment.
    fn settle(gather: &mut Gather, bytes: impl Fn(u32) -> u64) -> u32 {
        let mut now_us = 1_000_000;
        for _ in 0..2000 {
            let moment = gather.moment().unwrap_or(SHORTEST_US);
            now_us += u64::from(moment);
            gather.saw(Kind::Readable);
            gather.end_turn(bytes(moment), now_us / 1000);
        }
        gather.moment_us
    }

    #[test]
    fn a_steady_rate_is_collected_until_a_wake_up_carries_enough() {
        let megabytes = |each_s: u64| move |moment: u32| each_s * u64::from(moment);
        assert_eq!(settle(&mut Gather::new(true, Duration::ZERO), megabytes(1250)), 800, "10 Gbit/s");
        assert_eq!(
            settle(&mut Gather::new(true, Duration::ZERO), megabytes(5000)),
            200,
            "40 Gbit/s: a megabyte"
        );
        assert_eq!(settle(&mut Gather::new(true, Duration::ZERO), megabytes(12)), LONGEST_US, "100 Mbit/s");
    }

    /// A window of 64 KiB that refills in 150 us: whoever waits longer throttles the sender.
    #[test]
    fn a_sender_that_waits_for_room_is_not_kept_waiting() {
        let window = |moment: u32| (64 << 10) * u64::from(moment.min(150)) / 150;
        assert!(settle(&mut Gather::new(true, Duration::ZERO), window) <= 200);
    }

    #[test]
    fn a_moment_that_has_become_too_long_is_shortened() {
        let mut gather = Gather::new(true, Duration::ZERO);
        settle(&mut gather, |moment| 100 * u64::from(moment));
        assert_eq!(gather.moment_us, LONGEST_US);
        assert_eq!(settle(&mut gather, |moment| 6000 * u64::from(moment)), 200);
    }
}
