//! The work that each proxy is given, and how one measurement of it goes: start the proxy, connect,
//! verify, warm up, read the counters, work for the steady interval, read them again, verify, end.

mod bulk;
mod idle;
mod mixed;
mod short;
mod trips;

use std::time::Duration;

use crate::failure::Failure;
use crate::load::Load;
use crate::measure::{CpuReading, CpuSpent};
use crate::peers::{PROBES, Peer, Running, Setup};
use crate::report::metric::Metric;

/// Every wait for the proxy to do something ends here.
const LIMIT: Duration = Duration::from_secs(15);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// As much as goes through.
    Bulk {
        streams: usize,
    },
    /// 10 Gbit/s in all streams together.
    Paced {
        streams: usize,
    },
    Trips {
        size: usize,
        connections: usize,
    },
    Short,
    Idle,
    /// A bulk stream of 8 Gbit/s beside 64 connections with round trips.
    Mixed,
}

/// How long and how much.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    pub warm_up: Duration,
    pub steady: Duration,
    pub idle_sessions: usize,
}

/// What one measurement of one proxy brought.
pub type Sample = Vec<(Metric, f64)>;

/// A started proxy and the load that works through it.
struct Stage {
    load: Load,
    proxy: Running,
    scale: Scale,
}

impl Workload {
    /// All of them, in the order in which they run.
    pub fn all() -> Vec<Workload> {
        let streams = [1, 4, 64];
        let mut all: Vec<Workload> = streams.map(|streams| Workload::Bulk { streams }).to_vec();
        all.extend(streams.map(|streams| Workload::Paced { streams }));
        for size in [200, 1024] {
            all.extend([1, 64, 512].map(|connections| Workload::Trips { size, connections }));
        }
        all.extend([Workload::Short, Workload::Idle, Workload::Mixed]);
        all
    }

    pub fn name(self) -> String {
        match self {
            Workload::Bulk { streams } => format!("bulk-{streams}"),
            Workload::Paced { streams } => format!("paced-{streams}"),
            Workload::Trips { size, connections } => format!("trip-{size}-{connections}"),
            Workload::Short => "short".to_owned(),
            Workload::Idle => "idle".to_owned(),
            Workload::Mixed => "mixed".to_owned(),
        }
    }

    pub fn explanation(self) -> String {
        match self {
            Workload::Bulk { streams } => format!("{streams} download(s) as fast as they go"),
            Workload::Paced { streams } => format!("{streams} download(s), 10 Gbit/s in all"),
            Workload::Trips { size, connections } => format!("{size} B there and back on {connections}"),
            Workload::Short => "connect, 200 B there and back, close; 64 at once".to_owned(),
            Workload::Idle => "sessions that made one trip and wait".to_owned(),
            Workload::Mixed => "one download of 8 Gbit/s beside 200 B trips on 64".to_owned(),
        }
    }

    fn message_size(self) -> usize {
        match self {
            Workload::Trips { size, .. } => size,
            _ => 200,
        }
    }

    /// Measures one proxy once.
    pub fn measure(self, peer: &Peer, setup: &Setup, scale: Scale) -> Result<Sample, Failure> {
        let load = Load::new(self.message_size())?;
        let proxy = peer.start(setup, &load)?;
        let mut stage = Stage { load, proxy, scale };
        let measured = match self {
            Workload::Bulk { streams } => bulk::measure(&mut stage, streams, None),
            Workload::Paced { streams } => bulk::measure(&mut stage, streams, Some(1.25e9)),
            Workload::Trips { connections, .. } => trips::measure(&mut stage, connections),
            Workload::Short => short::measure(&mut stage),
            Workload::Idle => idle::measure(&mut stage),
            Workload::Mixed => mixed::measure(&mut stage),
        };
        // That the proxy has ended explains more than what its clients saw of it.
        stage.proxy.check_alive()?;
        let mut sample = measured?;
        if setup.logs {
            sample.push((Metric::LogLines, stage.log_lines_per_session()?));
        }
        Ok(sample)
    }
}

impl Stage {
    /// Warms up, then works for the steady interval between two readings.
    fn steady(&mut self, reset: impl FnOnce(&mut Load)) -> Result<CpuSpent, Failure> {
        self.load.run_for(self.scale.warm_up)?;
        let before = CpuReading::take(self.proxy.pid())?;
        reset(&mut self.load);
        self.load.run_for(self.scale.steady)?;
        Ok(CpuReading::take(self.proxy.pid())?.since(&before))
    }

    /// Connects `count` round-trippers a hundred at a time and lets each make its first trip.
    fn connect_trips(&mut self, count: usize) -> Result<(), Failure> {
        while self.load.trips.established() < count {
            let wanted = (self.load.trips.established() + 100).min(count);
            let more = wanted - self.load.trips.established();
            self.load.connect_trips(more, self.proxy.echo)?;
            let what = format!("first trips on {wanted} connections");
            self.load.run_until(&what, LIMIT, |load| load.trips.established() == wanted)?;
        }
        Ok(())
    }

    /// Connects downloads and waits until each has passed the part that is compared.
    fn connect_sinks(&mut self, count: usize) -> Result<(), Failure> {
        self.load.connect_sinks(count, self.proxy.bulk)?;
        self.load.run_until("first bytes of each download", LIMIT, |load| load.sinks.flowing() == count)
    }

    /// Lets the trips on their way arrive.
    fn finish_trips(&mut self) -> Result<(), Failure> {
        self.load.trips.pause();
        self.load.run_until("last trips", LIMIT, |load| load.trips.waiting() == 0)?;
        self.load.trips.close();
        Ok(())
    }

    /// Ends the downloads and compares what was sent with what was received.
    fn finish_sinks(&mut self) -> Result<(), Failure> {
        self.load.server.finish()?;
        self.load.run_until("end of the downloads", LIMIT, |load| load.sinks.all_ended())?;
        self.load.sinks.verify(self.load.server.sent())?;
        self.load.sinks.close();
        Ok(())
    }

    /// The last lines come shortly after the sessions ended; a missing one must not stop the run.
    fn log_lines_per_session(&mut self) -> Result<f64, Failure> {
        self.load.run_for(Duration::from_millis(300))?;
        let sessions = self.load.connections() + PROBES;
        Ok(self.load.log_lines() as f64 / f64::from(sessions))
    }
}

/// Shares of the two cores: worked, and wanted in vain because somebody else was there.
fn busy(spent: &CpuSpent) -> [(Metric, f64); 4] {
    let percent = |time: Duration| time.as_secs_f64() / spent.elapsed.as_secs_f64() * 100.0;
    [
        (Metric::ProxyBusy, percent(spent.proxy)),
        (Metric::LoadBusy, percent(spent.load)),
        (Metric::ProxyWaited, percent(spent.proxy_waited)),
        (Metric::LoadWaited, percent(spent.load_waited)),
    ]
}

/// The proxy's CPU for each of `count` units, in microseconds.
fn cpu_us_each(spent: &CpuSpent, count: u64) -> Result<f64, Failure> {
    if count == 0 {
        return Err(Failure::new("nothing completed in the steady interval"));
    }
    Ok(spent.proxy.as_secs_f64() * 1e6 / count as f64)
}

/// How many a second.
fn rate(spent: &CpuSpent, count: u64) -> f64 {
    count as f64 / spent.elapsed.as_secs_f64()
}
