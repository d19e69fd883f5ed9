//! The 99th percentile of a usual moment. Where the host takes a core away for milliseconds some times a second, that of
//! the whole run says how often it did, whoever was measured; most moments saw none of it.

use std::time::{Duration, Instant};

/// A moment is at least so long ...
const LEAST_TIME: Duration = Duration::from_millis(20);
/// ... and has so many answers, of which five are slower than its 99th percentile.
const LEAST_ANSWERS: usize = 500;

/// All latencies, cut into moments.
#[derive(Default)]
pub struct Moments {
    latencies_ns: Vec<u64>,
    /// Where each moment ends in them.
    ends: Vec<usize>,
    began: Option<Instant>,
}

impl Moments {
    pub fn add(&mut self, latency_ns: u64, now: Instant) {
        let began = *self.began.get_or_insert(now);
        self.latencies_ns.push(latency_ns);
        let answers = self.latencies_ns.len() - self.ends.last().unwrap_or(&0);
        if answers >= LEAST_ANSWERS && now - began >= LEAST_TIME {
            self.ends.push(self.latencies_ns.len());
            self.began = Some(now);
        }
    }

    /// What comes now does not follow what came before: a moment that is not over is forgotten.
    pub fn interrupt(&mut self) {
        self.latencies_ns.truncate(self.ends.last().copied().unwrap_or(0));
        self.began = None;
    }

    /// The middle one of the moments' 99th percentiles, ns; None: no moment is over.
    pub fn usual_p99_ns(&self) -> Option<u64> {
        let begins = std::iter::once(&0).chain(&self.ends);
        let p99 = |(begin, end): (&usize, &usize)| {
            let mut moment = self.latencies_ns[*begin..*end].to_vec();
            let rank = moment.len() * 99 / 100;
            *moment.select_nth_unstable(rank).1
        };
        let mut p99s: Vec<u64> = begins.zip(&self.ends).map(p99).collect();
        p99s.sort_unstable();
        p99s.get(p99s.len() / 2).copied()
    }
}
