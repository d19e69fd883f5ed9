//! What servers did in the last minutes, for the curves on the stats page.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::load::Load;
use crate::session::op::ServerId;

use super::counters::WorkerCounters;

/// How long one point of a curve lasts.
pub const STEP_SECONDS: u64 = 5;
const STEP_MS: u64 = STEP_SECONDS * 1000;

/// How many points a curve has: five minutes.
pub const POINTS: usize = 60;

/// One step of one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// The most that were seen at once.
    pub sessions: u32,
    /// In both directions.
    pub bytes: u64,
}

/// One server's.
#[derive(Clone, Debug, Default)]
struct Trace {
    /// Bytes at the last sample.
    bytes: u64,
    points: VecDeque<Point>,
}

/// The last minutes of every server.
#[derive(Debug, Default)]
pub struct History {
    step: u64,
    servers: Vec<Trace>,
}

impl History {
    /// Takes one sample of `servers` servers at `now_ms` on the process clock.
    pub fn sample(&mut self, now_ms: u64, counters: &[Arc<WorkerCounters>], load: &Load, servers: usize) {
        let steps = (now_ms / STEP_MS).saturating_sub(self.step).min(POINTS as u64);
        self.step = now_ms / STEP_MS;
        self.servers.resize(servers.max(self.servers.len()), Trace::default());
        for (trace, id) in self.servers.iter_mut().zip((0..).map(ServerId)) {
            let own = counters.iter().map(|worker| worker.server(id));
            let bytes = own.map(|one| one.bytes_in.value() + one.bytes_out.value()).sum();
            trace.sample(steps, load.server(id).live(), bytes);
        }
    }

    /// The curve of a server, the oldest point first; empty for one that is not known yet.
    pub fn of(&self, server: ServerId) -> impl Iterator<Item = Point> {
        self.servers.get(server.0 as usize).into_iter().flat_map(|trace| trace.points.iter().copied())
    }
}

impl Trace {
    fn sample(&mut self, steps: u64, sessions: u32, bytes: u64) {
        // A process may begin with the counts of the one before it.
        let is_new = self.points.is_empty();
        let fresh = if is_new { 0 } else { bytes.saturating_sub(self.bytes) };
        self.bytes = bytes;
        for _ in 0..if is_new { 1 } else { steps } {
            self.points.push_back(Point::default());
        }
        while self.points.len() > POINTS {
            self.points.pop_front();
        }
        if let Some(point) = self.points.back_mut() {
            point.sessions = point.sessions.max(sessions);
            point.bytes += fresh;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixture;

    #[test]
    fn a_point_holds_five_seconds_and_a_curve_five_minutes() {
        let (sources, _publisher) = fixture::sources();
        let own = sources.counters[0].server(ServerId(1));
        let mut history = History::default();
        let mut sample = |now_ms| {
            history.sample(now_ms, &sources.counters, &sources.load, 2);
            history.of(ServerId(1)).collect::<Vec<_>>()
        };
        own.bytes_in.add(3);
        sample(1000);
        own.bytes_out.add(4);
        assert_eq!(sample(4999), [Point { sessions: 0, bytes: 4 }]);
        assert_eq!(sources.load.server(ServerId(1)).take(None), Some(1));
        sample(5000);
        sources.load.server(ServerId(1)).release();
        let after = sample(6000);
        assert_eq!(after, [Point { sessions: 0, bytes: 4 }, Point { sessions: 1, bytes: 0 }]);
        assert_eq!(sample(6_000_000), [Point::default(); POINTS]);
        assert_eq!(history.of(ServerId(7)).count(), 0);
    }
}
