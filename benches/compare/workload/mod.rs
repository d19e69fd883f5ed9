//! The work that each proxy is given, and how a measurement of it goes: start the proxy, connect, verify; in each slice
//! work a little, read the counters, work on, read them again, rest; verify, end.

mod bulk;
mod idle;
mod mixed;
mod stage;
mod storm;
mod trips;
mod visits;

use std::time::Duration;

use crate::failure::Failure;
use crate::load::Load;
use crate::load::content::Shape;
use crate::load::latency::Tally;
use crate::load::moments;
use crate::measure::{CpuSpent, Stolen, resident_kib};
use crate::peers::{Logging, Peer, Setup};
use crate::report::metric::Metric;
use stage::Stage;

/// Sessions that a proxy is allowed beyond those of the work.
const ROOM: usize = 100;
/// Proxies size their tables by the limit of descriptors, so it is the same for all that need no more.
const USUAL_DESCRIPTORS: usize = 100_000;
/// Bytes of a batch.
const BATCH: usize = 64 << 10;
/// Every wait for the proxy to do something ends here.
const LIMIT: Duration = Duration::from_secs(15);

#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// Round trips of more than a receive takes at once: both directions are bulk, and yet somebody waits.
    Batch {
        connections: usize,
    },
    /// A short question, and a batch of rows as its answer: one direction is bulk, by fits and starts.
    Fetch {
        connections: usize,
    },
    /// Round trips at a given rate, whatever they take.
    Rate {
        name: &'static str,
        connections: usize,
        per_second: u32,
    },
    Short,
    /// A query: opened, executed, polled, fetched, closed.
    Session,
    Storm,
    Idle {
        name: &'static str,
        /// None: as many as the options say.
        sessions: Option<usize>,
    },
    /// Downloads beside 64 connections with round trips.
    Mixed {
        name: &'static str,
        streams: usize,
        /// All of them together; None: as fast as they go.
        bytes_per_second: Option<f64>,
    },
}

/// How long and how much.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// What a slice works before its counters are read.
    pub warm_up: Duration,
    /// All slices of a measurement together.
    pub steady: Duration,
    /// A proxy works for so long, then the next one.
    pub slice: Duration,
    pub idle_sessions: usize,
}

/// What one measurement of one proxy brought.
#[derive(Default)]
pub struct Sample {
    pub values: Vec<(Metric, f64)>,
    /// Sessions, and the proxy's resident MiB with them.
    pub memory: Vec<(f64, f64)>,
}

impl From<Vec<(Metric, f64)>> for Sample {
    fn from(values: Vec<(Metric, f64)>) -> Sample {
        Sample { values, memory: Vec::new() }
    }
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
        all.extend([1, 16].map(|connections| Workload::Batch { connections }));
        all.extend([1, 16].map(|connections| Workload::Fetch { connections }));
        let rates = [("rate-10k", 10_000), ("rate-20k", 20_000), ("rate-40k", 40_000), ("rate-60k", 60_000)];
        all.extend(rates.map(|(name, per_second)| Workload::Rate { name, connections: 64, per_second }));
        all.push(Workload::Rate { name: "poller", connections: 512, per_second: 5120 });
        all.extend([Workload::Short, Workload::Session, Workload::Storm]);
        all.push(Workload::Mixed { name: "mixed", streams: 1, bytes_per_second: Some(1e9) });
        all.push(Workload::Mixed { name: "mixed-full", streams: 4, bytes_per_second: None });
        all.push(Workload::Idle { name: "idle", sessions: None });
        all.push(Workload::Idle { name: "idle-100k", sessions: Some(100_000) });
        all
    }

    pub fn name(self) -> String {
        match self {
            Workload::Bulk { streams } => format!("bulk-{streams}"),
            Workload::Paced { streams } => format!("paced-{streams}"),
            Workload::Trips { size, connections } => format!("trip-{size}-{connections}"),
            Workload::Batch { connections } => format!("batch-{connections}"),
            Workload::Fetch { connections } => format!("fetch-{connections}"),
            Workload::Rate { name, .. } | Workload::Idle { name, .. } | Workload::Mixed { name, .. } => {
                name.to_owned()
            }
            Workload::Short => "short".to_owned(),
            Workload::Session => "session".to_owned(),
            Workload::Storm => "storm".to_owned(),
        }
    }

    pub fn explanation(self) -> String {
        match self {
            Workload::Bulk { streams } => format!("{streams} download(s) as fast as they go"),
            Workload::Paced { streams } => format!("{streams} download(s), 10 Gbit/s in all"),
            Workload::Trips { size, connections } => format!("{size} B there and back on {connections}"),
            Workload::Batch { connections } => {
                format!("{} KiB there and back on {connections}: both directions are bulk", BATCH >> 10)
            }
            Workload::Fetch { connections } => {
                format!("200 B there, {} KiB back on {connections}, as rows are fetched", BATCH >> 10)
            }
            Workload::Short => "connect, 200 B there and back, close; 64 at once".to_owned(),
            Workload::Rate { connections, per_second, .. } => {
                format!(
                    "{per_second} trips of 200 B a second on {connections}, at random; latency from when each was due"
                )
            }
            Workload::Session => {
                format!(
                    "connect, {} trips of 200 B, close, as a short query does; 64 at once",
                    visits::SESSION_TRIPS
                )
            }
            Workload::Storm => {
                format!("{} clients at once, each as in short; again when all are served", storm::CLIENTS)
            }
            Workload::Idle { sessions: None, .. } => "sessions that made one trip and wait".to_owned(),
            Workload::Idle { sessions: Some(sessions), .. } => {
                format!("{sessions} of them, where descriptors allow it")
            }
            Workload::Mixed { streams, bytes_per_second: Some(bytes), .. } => {
                format!("{streams} download(s) of {} Gbit/s beside 200 B trips on 64", bytes * 8.0 / 1e9)
            }
            Workload::Mixed { streams, bytes_per_second: None, .. } => {
                format!("{streams} download(s) as fast as they go beside 200 B trips on 64")
            }
        }
    }

    fn shape(self) -> Shape {
        match self {
            Workload::Trips { size, .. } => Shape::echo(size),
            Workload::Batch { .. } => Shape::echo(BATCH),
            Workload::Fetch { .. } => Shape { request: 200, answer: BATCH },
            _ => Shape::echo(200),
        }
    }

    /// How long a moment is, by what is asked for and not by what a proxy achieves: where about 10 000 answers a second
    /// or fewer come, 20 ms have too few of them.
    fn moment(self) -> Duration {
        match self {
            Workload::Rate { per_second: ..=10_000, .. }
            | Workload::Batch { .. }
            | Workload::Fetch { .. }
            | Workload::Short
            | Workload::Session
            | Workload::Storm => moments::LONG,
            _ => moments::SHORT,
        }
    }

    /// Why this machine cannot run it; None when it can.
    pub fn missing(self, setup: &Setup) -> Option<String> {
        let Workload::Idle { sessions: Some(sessions), .. } = self else { return None };
        let needed = Setup::descriptors_for(sessions + ROOM);
        let has = setup.descriptors;
        (has < needed)
            .then(|| format!("it needs {needed} descriptors a process, the limit here is {has} (ulimit -Hn)"))
    }

    /// Starts a proxy and brings the load to where it can work.
    pub fn begin(self, peer: &Peer, setup: &Setup, scale: Scale) -> Result<Measurement, Failure> {
        let setup = setup.limited(if self.is_vast() { usize::MAX } else { USUAL_DESCRIPTORS });
        let load = Load::new(self.shape(), self.moment())?;
        let proxy = peer.start(&setup, &load)?;
        let title = format!("{}-{}", self.name(), peer.kind.name());
        let mut measurement =
            Measurement { workload: self, stage: Stage::new(title, load, proxy, scale, setup) };
        let begun = self.prepare(&mut measurement.stage);
        measurement.stage.explained(begun)?;
        Ok(measurement)
    }

    fn prepare(self, stage: &mut Stage) -> Result<(), Failure> {
        match self {
            Workload::Bulk { streams } => bulk::begin(stage, streams, None),
            Workload::Paced { streams } => bulk::begin(stage, streams, Some(1.25e9)),
            Workload::Trips { connections, .. }
            | Workload::Batch { connections }
            | Workload::Fetch { connections }
            | Workload::Rate { connections, .. } => stage.connect_trips(connections),
            Workload::Mixed { streams, bytes_per_second, .. } => {
                mixed::begin(stage, streams, bytes_per_second)
            }
            Workload::Storm | Workload::Short | Workload::Session | Workload::Idle { .. } => Ok(()),
        }
    }

    /// A slice of it, which ends at rest.
    fn work(self, stage: &mut Stage, time: Duration) -> Result<(), Failure> {
        match self {
            Workload::Bulk { .. } | Workload::Paced { .. } => stage.slice_of_sinks(time),
            Workload::Trips { .. } | Workload::Batch { .. } | Workload::Fetch { .. } => {
                trips::slice(stage, time, None)
            }
            Workload::Mixed { .. } => mixed::slice(stage, time),
            Workload::Rate { per_second, .. } => trips::slice(stage, time, Some(per_second)),
            Workload::Short => visits::slice(stage, time, 1),
            Workload::Session => visits::slice(stage, time, visits::SESSION_TRIPS),
            Workload::Storm => storm::slice(stage, time),
            Workload::Idle { .. } => Ok(()),
        }
    }

    /// Verifies and ends; what all slices together brought.
    fn finish(self, stage: &mut Stage) -> Result<Sample, Failure> {
        match self {
            Workload::Bulk { .. } | Workload::Paced { .. } => bulk::end(stage),
            Workload::Trips { .. }
            | Workload::Batch { .. }
            | Workload::Fetch { .. }
            | Workload::Rate { .. } => trips::end(stage),
            Workload::Short | Workload::Session | Workload::Storm => visits::summary(stage),
            Workload::Idle { sessions, .. } => {
                let room = stage.setup.maxconn().saturating_sub(ROOM);
                idle::measure(stage, sessions.unwrap_or(stage.scale.idle_sessions).min(room))
            }
            Workload::Mixed { .. } => mixed::end(stage),
        }
    }

    fn is_vast(self) -> bool {
        matches!(self, Workload::Idle { sessions: Some(_), .. })
    }

    /// Whether it has a steady interval, whose system calls can be counted.
    pub fn is_steady(self) -> bool {
        !matches!(self, Workload::Idle { .. })
    }
}

/// A proxy at work. While it rests, others can be measured.
pub struct Measurement {
    workload: Workload,
    stage: Stage,
}

impl Measurement {
    /// Works for a while.
    pub fn slice(&mut self, time: Duration) -> Result<(), Failure> {
        self.stage.proxy.stir(true);
        let worked = self.workload.work(&mut self.stage, time);
        self.stage.proxy.stir(false);
        self.stage.explained(worked)
    }

    /// Verifies and ends it. What is not steady does all its work here.
    pub fn end(mut self) -> Result<Sample, Failure> {
        let steady = self.workload.is_steady();
        let resident = resident_kib(self.stage.proxy.pid());
        self.stage.proxy.stir(!steady);
        let finished = self.workload.finish(&mut self.stage);
        let mut sample = self.stage.explained(finished)?;
        if steady {
            sample.values.push((Metric::Resident, resident? as f64 / 1024.0));
        }
        // Idle sessions are still there: they have no line yet.
        if self.stage.setup.logs && steady && self.stage.proxy.kind.logging() == Logging::Syslog {
            sample.values.push((Metric::LogLines, self.stage.log_lines_per_session()?));
        }
        Ok(sample)
    }
}

/// What goes with each of `units`, and the shares of the two cores: worked, wanted in vain because somebody else was
/// there, and stolen by the host.
fn overhead(spent: &CpuSpent, units: f64) -> Vec<(Metric, f64)> {
    let percent = |time: Duration| time.as_secs_f64() / spent.elapsed.as_secs_f64() * 100.0;
    let mut values = vec![
        (Metric::BusiestThread, spent.busiest.as_secs_f64() * 1e6 / units),
        (Metric::SwitchesPerUnit, spent.switches as f64 / units),
        (Metric::ProxyBusy, percent(spent.proxy)),
        (Metric::LoadBusy, percent(spent.load)),
        (Metric::ProxyWaited, percent(spent.proxy_waited)),
        (Metric::LoadWaited, percent(spent.load_waited)),
    ];
    if let Some(Stolen { proxy, load }) = spent.stolen {
        values.extend([(Metric::ProxyStolen, percent(proxy)), (Metric::LoadStolen, percent(load))]);
    }
    values.extend(spent.own_code().map(|share| (Metric::OwnCode, 100.0 * share)));
    values.extend(spent.sockets.map(|percent| (Metric::Sockets, percent)));
    values.extend(spent.syscalls.map(|count| (Metric::SyscallsPerUnit, count as f64 / units)));
    values
}

/// The proxy's CPU for each of `count` units, in microseconds.
fn cpu_us_each(spent: &CpuSpent, count: u64) -> f64 {
    spent.proxy.as_secs_f64() * 1e6 / count as f64
}

/// How many a second, and how long they took. Fails when there was none: the quantiles of nothing are 0, the best of all.
pub fn speed(rate: Metric, tally: &Tally, elapsed: Duration) -> Result<Vec<(Metric, f64)>, Failure> {
    let quantiles = [(Metric::P50, 0.5), (Metric::P99, 0.99), (Metric::P999, 0.999)];
    let of_all = quantiles.map(|(metric, quantile)| (metric, tally.quantile_us(quantile)));
    if tally.completed() == 0 || of_all.iter().any(|(_, latency)| *latency == 0.0) {
        return Err(Failure::new("nothing completed in the steady interval"));
    }
    let usual = tally.usual_p99_us().map(|(moment, p99)| match moment {
        moments::LONG => (Metric::UsualP99Long, p99),
        _ => (Metric::UsualP99, p99),
    });
    let mut values = vec![(rate, tally.completed() as f64 / elapsed.as_secs_f64())];
    values.extend(of_all);
    values.extend(usual);
    Ok(values)
}
