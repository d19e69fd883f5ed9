//! How far it is, and how long it will still take: a line for each measurement and, on a terminal, one that changes with
//! each slice.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

/// Returns to the beginning of a terminal's line and empties it.
const CLEAR: &str = "\r\x1b[K";

pub struct Progress {
    began: Instant,
    done: usize,
    total: usize,
    terminal: bool,
}

impl Progress {
    /// Of so many measurements.
    pub fn new(total: usize) -> Progress {
        Progress { began: Instant::now(), done: 0, total, terminal: stderr().is_terminal() }
    }

    /// Says what is under way: so much of measurements, 1 for each, beyond those that are done.
    pub fn under_way(&self, what: &str, part: f64) {
        if self.terminal {
            eprint!("{CLEAR}{} {what}", text(self.done, self.total, part, self.began.elapsed()));
        }
    }

    /// One more measurement is done; this came of it.
    pub fn step(&mut self, line: &str) {
        self.done += 1;
        let clear = if self.terminal { CLEAR } else { "" };
        eprintln!("{clear}{} {line}", text(self.done, self.total, 0.0, self.began.elapsed()));
    }
}

/// Measurements that are done, and the time that the others will take if they take as long.
pub fn text(done: usize, total: usize, part: f64, elapsed: Duration) -> String {
    let work = done as f64 + part;
    if work == 0.0 {
        return format!("[{done:>3}/{total}]");
    }
    let left = elapsed.as_secs_f64() / work * (total as f64 - work);
    format!("[{done:>3}/{total}, {:.0} min left]", (left / 60.0).ceil())
}
