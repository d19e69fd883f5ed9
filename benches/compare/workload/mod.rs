//! The work that each proxy is given, and how one measurement of it goes: start the proxy, connect,
//! verify, warm up, read the counters, work for the steady interval, read them again, verify, end.

mod bulk;
mod idle;
mod mixed;
mod storm;
mod trips;
mod visits;

use std::time::Duration;

use crate::failure::{Attempt, Failure};
use crate::load::Load;
use crate::measure::{CpuReading, CpuSpent, family};
use crate::peers::{PROBES, Peer, Running, Setup};
use crate::perf::{Seen, Watch};
use crate::report::metric::Metric;

/// Sessions that a proxy is allowed beyond those of the work.
const ROOM: usize = 100;
/// Proxies size their tables by the limit of descriptors, so it is the same for all that need no more.
const USUAL_DESCRIPTORS: usize = 100_000;
/// Bytes of a batch.
const BATCH: usize = 64 << 10;
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
    /// Round trips of more than a receive takes at once: both directions are bulk, and yet somebody waits.
    Batch {
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

/// A started proxy and the load that works through it.
struct Stage<'a> {
    /// Workload and proxy.
    title: String,
    load: Load,
    proxy: Running,
    scale: Scale,
    setup: &'a Setup,
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
        let rates = [("rate-10k", 10_000), ("rate-20k", 20_000), ("rate-40k", 40_000), ("rate-60k", 60_000)];
        all.extend(rates.map(|(name, per_second)| Workload::Rate { name, connections: 64, per_second }));
        all.push(Workload::Rate { name: "poller", connections: 512, per_second: 5120 });
        all.extend([Workload::Short, Workload::Session, Workload::Storm, Workload::Mixed]);
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
            Workload::Rate { name, .. } | Workload::Idle { name, .. } => name.to_owned(),
            Workload::Short => "short".to_owned(),
            Workload::Session => "session".to_owned(),
            Workload::Storm => "storm".to_owned(),
            Workload::Mixed => "mixed".to_owned(),
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
            Workload::Mixed => "one download of 8 Gbit/s beside 200 B trips on 64".to_owned(),
        }
    }

    fn message_size(self) -> usize {
        match self {
            Workload::Trips { size, .. } => size,
            Workload::Batch { .. } => BATCH,
            _ => 200,
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

    /// Measures one proxy once.
    pub fn measure(self, peer: &Peer, setup: &Setup, scale: Scale) -> Result<Sample, Failure> {
        let setup = &setup.limited(if self.is_vast() { usize::MAX } else { USUAL_DESCRIPTORS });
        let load = Load::new(self.message_size())?;
        let proxy = peer.start(setup, &load)?;
        let mut stage =
            Stage { title: format!("{}-{}", self.name(), peer.kind.name()), load, proxy, scale, setup };
        let measured = self.work(&mut stage);
        // That the proxy has ended explains more than what its clients saw of it.
        stage.proxy.check_alive()?;
        let mut sample = measured?;
        if setup.logs {
            sample.values.push((Metric::LogLines, stage.log_lines_per_session()?));
        }
        Ok(sample)
    }

    fn work(self, stage: &mut Stage<'_>) -> Result<Sample, Failure> {
        match self {
            Workload::Bulk { streams } => bulk::measure(stage, streams, None),
            Workload::Paced { streams } => bulk::measure(stage, streams, Some(1.25e9)),
            Workload::Trips { connections, .. } | Workload::Batch { connections } => {
                trips::measure(stage, connections, None)
            }
            Workload::Rate { connections, per_second, .. } => {
                trips::measure(stage, connections, Some(per_second))
            }
            Workload::Short => visits::measure(stage, 1),
            Workload::Session => visits::measure(stage, visits::SESSION_TRIPS),
            Workload::Storm => storm::measure(stage),
            Workload::Idle { sessions, .. } => {
                let room = stage.setup.maxconn().saturating_sub(ROOM);
                idle::measure(stage, sessions.unwrap_or(stage.scale.idle_sessions).min(room))
            }
            Workload::Mixed => mixed::measure(stage),
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

impl Stage<'_> {
    /// Warms up, then works for the steady interval between two readings.
    fn steady(&mut self, reset: impl FnOnce(&mut Load)) -> Result<CpuSpent, Failure> {
        let Scale { warm_up, steady, .. } = self.scale;
        self.load.run_for(warm_up)?;
        self.between_readings(|load| {
            reset(load);
            load.run_for(steady)
        })
    }

    /// What the proxy spends while the load works.
    fn between_readings(
        &mut self,
        work: impl FnOnce(&mut Load) -> Result<(), Failure>,
    ) -> Result<CpuSpent, Failure> {
        let pid = self.proxy.pid();
        let Setup { cores, look, folder, .. } = self.setup;
        let watch = look.map(|look| Watch::begin(look, &family(pid)?, *cores, folder)).transpose()?;
        let before = CpuReading::take(pid)?;
        work(&mut self.load)?;
        let mut spent = CpuReading::take(pid)?.since(&before);
        match watch.map(Watch::end).transpose()? {
            Some(Seen::Calls(count)) => spent.syscalls = Some(count),
            Some(Seen::Functions(functions, account)) => {
                let path = folder.join(format!("profile-{}.txt", self.title));
                let text = format!("{}\n{functions}", account.lines());
                std::fs::write(&path, text).attempting(format!("writing {}", path.display()))?;
                spent.sockets = account.sockets();
            }
            None => {}
        }
        Ok(spent)
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

/// What goes with each of `units`, and the shares of the two cores: worked, and wanted in vain because somebody else was
/// there.
fn overhead(spent: &CpuSpent, units: f64) -> Vec<(Metric, f64)> {
    let percent = |time: Duration| time.as_secs_f64() / spent.elapsed.as_secs_f64() * 100.0;
    let mut values = vec![
        (Metric::SwitchesPerUnit, spent.switches as f64 / units),
        (Metric::ProxyBusy, percent(spent.proxy)),
        (Metric::LoadBusy, percent(spent.load)),
        (Metric::ProxyWaited, percent(spent.proxy_waited)),
        (Metric::LoadWaited, percent(spent.load_waited)),
    ];
    values.extend(spent.own_code.map(|share| (Metric::OwnCode, 100.0 * share)));
    values.extend(spent.sockets.map(|percent| (Metric::Sockets, percent)));
    values.extend(spent.syscalls.map(|count| (Metric::SyscallsPerUnit, count as f64 / units)));
    values
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
