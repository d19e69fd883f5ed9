//! The 99th percentile of a usual moment. Where the host takes a core away for milliseconds some times a second, that of
//! the whole run says how often it did, whoever was measured; most moments saw none of it.

use std::time::{Duration, Instant};

/// A moment that is often long enough.
pub const SHORT: Duration = Duration::from_millis(20);
/// One for work that has too few answers in that.
pub const LONG: Duration = Duration::from_millis(100);

/// Answers that a usual moment has at least: its 99th percentile is not simply the slowest.
const LEAST_ANSWERS: usize = 200;

/// All latencies, cut into moments. How long one is must not depend on who is measured: the longer it is, the more of the
/// host's interruptions are in it.
pub struct Moments {
    length: Duration,
    latencies_ns: Vec<u64>,
    /// Where each moment ends in them.
    ends: Vec<usize>,
    over_at: Option<Instant>,
}

impl Moments {
    pub fn new(length: Duration) -> Moments {
        Moments { length, latencies_ns: Vec::new(), ends: Vec::new(), over_at: None }
    }

    pub fn length(&self) -> Duration {
        self.length
    }

    /// The first moment begins now. What came before is another slice's: a moment that is not over is forgotten.
    pub fn begin(&mut self, now: Instant) {
        self.latencies_ns.truncate(self.last_end());
        self.over_at = Some(now + self.length);
    }

    /// A slice is over: its last moment, if that is over too, ends without another answer. What comes later is in none.
    pub fn end(&mut self, now: Instant) {
        if self.over_at.take().is_some_and(|over_at| now >= over_at) {
            self.close();
        }
    }

    pub fn add(&mut self, latency_ns: u64, now: Instant) {
        let Some(over_at) = self.over_at else { return };
        if now >= over_at {
            self.close();
            let passed = (now - over_at).as_nanos() / self.length.as_nanos() + 1;
            self.over_at = Some(over_at + self.length * passed as u32);
        }
        self.latencies_ns.push(latency_ns);
    }

    /// A moment without any answer is none.
    fn close(&mut self) {
        if self.latencies_ns.len() > self.last_end() {
            self.ends.push(self.latencies_ns.len());
        }
    }

    /// The middle one of the moments' 99th percentiles, ns; None: no moment is over, or the middle one has too few answers
    /// for that. Those that have fewer than usual count: to leave them out would leave out the host's interruptions.
    pub fn usual_p99_ns(&self) -> Option<u64> {
        let begins = std::iter::once(&0).chain(&self.ends);
        let moments: Vec<&[u64]> =
            begins.zip(&self.ends).map(|(begin, end)| &self.latencies_ns[*begin..*end]).collect();
        let answers = middle(moments.iter().map(|moment| moment.len()).collect())?;
        let p99 = |moment: &&[u64]| {
            let mut moment = moment.to_vec();
            let rank = moment.len() * 99 / 100;
            *moment.select_nth_unstable(rank).1
        };
        middle(moments.iter().map(p99).collect()).filter(|_| answers >= LEAST_ANSWERS)
    }

    fn last_end(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }
}

fn middle<T: Ord + Copy>(mut all: Vec<T>) -> Option<T> {
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}
