//! Bytes per second, given out every quarter of a millisecond.

use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;
use rustix::io::{Errno, read};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

/// How often a paced sender may send.
const TICK: Duration = Duration::from_micros(250);

/// A token bucket. What a slow proxy does not take within four milliseconds is lost, not caught up.
pub struct Pace {
    bytes_per_second: f64,
    available: f64,
    filled_at: Instant,
    ticker: OwnedFd,
}

impl Pace {
    pub fn new(bytes_per_second: f64, now: Instant) -> Result<Pace, Errno> {
        Ok(Pace { bytes_per_second, available: 0.0, filled_at: now, ticker: ticker()? })
    }

    /// Becomes readable when it is time to send again.
    pub fn ticker(&self) -> &OwnedFd {
        &self.ticker
    }

    /// Makes the ticker go on: its next tick is not before this one was read.
    pub fn rewind(&self) {
        // Nothing to read: it is going on already.
        let _ = read(&self.ticker, &mut [0; 8]);
    }

    pub fn fill(&mut self, now: Instant) {
        let elapsed = now.duration_since(self.filled_at).as_secs_f64();
        let most = self.bytes_per_second * 0.004;
        self.available = (self.available + self.bytes_per_second * elapsed).min(most);
        self.filled_at = now;
    }

    pub fn available(&self) -> usize {
        self.available as usize
    }

    pub fn take(&mut self, bytes: usize) {
        self.available -= bytes as f64;
    }
}

/// A descriptor that becomes readable every `TICK`.
fn ticker() -> Result<OwnedFd, Errno> {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
    let every = Timespec { tv_sec: 0, tv_nsec: i64::from(TICK.subsec_nanos()) };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: every, it_value: every })?;
    Ok(timer)
}
