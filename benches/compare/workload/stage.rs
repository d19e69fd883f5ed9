//! A started proxy and the load that works through it.

use std::net::SocketAddrV4;
use std::time::Duration;

use super::{LIMIT, Scale};
use crate::failure::{Attempt, Failure};
use crate::load::Load;
use crate::measure::{CpuReading, CpuSpent, Stolen, family};
use crate::peers::{PROBES, Running, Setup};
use crate::perf::{PERF, Perf, Seen, Watch};

pub struct Stage {
    /// Workload and proxy.
    title: String,
    pub load: Load,
    pub proxy: Running,
    pub scale: Scale,
    pub setup: Setup,
    /// In all slices.
    pub spent: CpuSpent,
    /// That downloads brought in all slices.
    pub bytes: u64,
}

impl Stage {
    pub fn new(title: String, load: Load, proxy: Running, scale: Scale, setup: Setup) -> Stage {
        Stage { title, load, proxy, scale, setup, spent: CpuSpent::default(), bytes: 0 }
    }

    /// That the proxy has ended explains more than what its clients saw of it.
    pub fn explained<T>(&mut self, outcome: Result<T, Failure>) -> Result<T, Failure> {
        self.proxy.check_alive()?;
        outcome
    }

    /// Warms up, then works for a while between two readings.
    pub fn slice(&mut self, time: Duration) -> Result<(), Failure> {
        self.load.run_for(self.scale.warm_up)?;
        self.between_readings(|load| load.run_for(time))
    }

    /// Counts what the load completes and what the proxy spends meanwhile.
    pub fn between_readings(
        &mut self,
        work: impl FnOnce(&mut Load) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        // Found before anything is measured: it takes longer than a reading.
        let pids = family(self.proxy.pid())?;
        let Setup { cores, look, folder, .. } = &self.setup;
        let stolen = Stolen::take(*cores);
        let watch = look.map(|look| Perf::find(PERF)?.watch(look, &pids, *cores, folder)).transpose()?;
        let (before, bytes, busy) = (CpuReading::take(&pids)?, self.load.sinks.received(), self.load.busy());
        self.load.count(true);
        work(&mut self.load)?;
        self.load.count(false);
        self.bytes += self.load.sinks.received() - bytes;
        let mut spent = CpuReading::take(&pids)?.since(&before);
        spent.stolen = Stolen::take(*cores).zip(stolen).map(|(after, before)| after.since(before));
        spent.load = self.load.busy() - busy;
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
        self.spent += spent;
        Ok(())
    }

    /// Connects round-trippers through the proxy until there are `count`.
    pub fn connect_trips(&mut self, count: usize) -> Result<(), Failure> {
        connect_trips(&mut self.load, count, self.proxy.echo)
    }

    /// Connects downloads and waits until each has passed the part that is compared.
    pub fn connect_sinks(&mut self, count: usize) -> Result<(), Failure> {
        self.load.connect_sinks(count, self.proxy.bulk)?;
        self.load.run_until("first bytes of each download", LIMIT, |load| load.sinks.flowing() == count)
    }

    /// Lets the trips on their way arrive.
    pub fn rest_trips(&mut self) -> Result<(), Failure> {
        self.load.trips.pause();
        self.load.run_until("last trips", LIMIT, |load| load.trips.tally.on_their_way() == 0)
    }

    /// Works for a slice with downloads.
    pub fn slice_of_sinks(&mut self, time: Duration) -> Result<(), Failure> {
        self.load.server.rest(false);
        self.slice(time)?;
        self.rest_sinks()
    }

    /// Lets the downloads run dry: what they hold in the kernel would be missing to the others.
    pub fn rest_sinks(&mut self) -> Result<(), Failure> {
        self.load.server.rest(true);
        self.load.run_until("what downloads have sent", LIMIT, |load| {
            load.sinks.received() == load.server.sent().iter().sum::<u64>()
        })
    }

    /// Ends the downloads and compares what was sent with what was received.
    pub fn finish_sinks(&mut self) -> Result<(), Failure> {
        self.load.server.finish()?;
        self.load.run_until("end of the downloads", LIMIT, |load| load.sinks.all_ended())?;
        self.load.sinks.verify(self.load.server.sent())?;
        self.load.sinks.close();
        Ok(())
    }

    /// The last lines come shortly after the sessions ended; a missing one must not stop the run.
    pub fn log_lines_per_session(&mut self) -> Result<f64, Failure> {
        self.load.run_for(Duration::from_millis(300))?;
        let sessions = self.load.connections() + PROBES;
        Ok(self.load.log_lines() as f64 / f64::from(sessions))
    }
}

/// Connects round-trippers a hundred at a time, until there are `count`, and lets each make its first trip.
pub fn connect_trips(load: &mut Load, count: usize, to: SocketAddrV4) -> Result<(), Failure> {
    while load.trips.established() < count {
        let wanted = (load.trips.established() + 100).min(count);
        let more = wanted - load.trips.established();
        load.connect_trips(more, to)?;
        let what = format!("first trips on {wanted} connections");
        load.run_until(&what, LIMIT, |load| load.trips.established() == wanted)?;
    }
    Ok(())
}
