//! What clients have on its way; what they completed and how long it took them, counted while it is asked for: latency
//! in nanoseconds, three significant digits, up to a minute.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::moments::Moments;

const HIGHEST_NS: u64 = 60_000_000_000;

/// One kind of request, in all slices of a measurement.
pub struct Tally {
    /// What begins, or is due, in this time counts, whenever its answer comes.
    from: Option<Instant>,
    until: Option<Instant>,
    on_their_way: usize,
    completed: u64,
    latency: Histogram<u64>,
    moments: Moments,
}

impl Tally {
    /// Counts nothing yet; `moment` is how long one is.
    pub fn new(moment: Duration) -> Tally {
        let latency = Histogram::new_with_bounds(100, HIGHEST_NS, 3)
            .expect("the bounds are constants that hdrhistogram allows");
        let moments = Moments::new(moment);
        Tally { from: None, until: None, on_their_way: 0, completed: 0, latency, moments }
    }

    /// Whether what completes, and what begins, from now on counts.
    pub fn count(&mut self, counting: bool) {
        if counting {
            let now = Instant::now();
            (self.from, self.until) = (Some(now), None);
            self.moments.begin(now);
        } else {
            let now = Instant::now();
            self.until = Some(now);
            self.moments.end(now);
        }
    }

    /// Something began, which will be completed.
    pub fn begin(&mut self) {
        self.on_their_way += 1;
    }

    /// Something was completed.
    pub fn complete(&mut self) {
        self.on_their_way -= 1;
        self.completed += u64::from(self.from.is_some() && self.until.is_none());
    }

    /// What began, or was due, at `begun` has its answer.
    pub fn answer(&mut self, begun: Instant) {
        let counts =
            self.from.is_some_and(|from| begun >= from) && self.until.is_none_or(|until| begun < until);
        if counts {
            let now = Instant::now();
            let nanoseconds = u64::try_from((now - begun).as_nanos()).unwrap_or(HIGHEST_NS);
            self.latency.saturating_record(nanoseconds);
            self.moments.add(nanoseconds, now);
        }
    }

    /// How many have begun and are not completed, counted or not.
    pub fn on_their_way(&self) -> usize {
        self.on_their_way
    }

    /// How many were completed.
    pub fn completed(&self) -> u64 {
        self.completed
    }

    /// A quantile of the latencies in microseconds.
    pub fn quantile_us(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1000.0
    }

    /// How long a moment is, and the 99th percentile of a usual one in microseconds; None: it has too few answers.
    pub fn usual_p99_us(&self) -> Option<(Duration, f64)> {
        let nanoseconds = self.moments.usual_p99_ns()?;
        Some((self.moments.length(), nanoseconds as f64 / 1000.0))
    }
}
