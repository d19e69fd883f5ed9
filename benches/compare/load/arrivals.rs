//! When the requests of an open loop are meant to be sent: at random, whatever became of those before.

use std::time::{Duration, Instant};

/// A Poisson process, the same in every run.
pub struct Arrivals {
    mean_s: f64,
    /// None: at rest.
    next: Option<Instant>,
    random: u64,
}

impl Arrivals {
    /// So many a second; at rest.
    pub fn new(per_second: f64) -> Arrivals {
        Arrivals { mean_s: 1.0 / per_second, next: None, random: 0x9e37_79b9_7f4a_7c15 }
    }

    /// Goes on from `now`.
    pub fn resume(&mut self, now: Instant) {
        self.next = Some(now);
    }

    pub fn rest(&mut self) {
        self.next = None;
    }

    pub fn is_at_rest(&self) -> bool {
        self.next.is_none()
    }

    /// The next arrival, when it is not later than `now`.
    pub fn due(&mut self, now: Instant) -> Option<Instant> {
        let due = self.next.filter(|due| *due <= now)?;
        let gap = -self.uniform().ln() * self.mean_s;
        self.next = Some(due + Duration::from_secs_f64(gap));
        Some(due)
    }

    /// Above 0, at most 1 (xorshift64*).
    fn uniform(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let bits = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        (bits + 1) as f64 / (1_u64 << 53) as f64
    }
}
