//! Connections that live for one request or a few, 64 at once.

use std::time::Duration;

use super::stage::Stage;
use super::{LIMIT, Sample, cpu_us_each, overhead, speed};
use crate::failure::Failure;
use crate::report::metric::Metric;

/// Round trips of a short query over HiveServer2: it is opened, executed, polled, its rows are fetched, it is closed.
pub const SESSION_TRIPS: u32 = 11;
const AT_ONCE: usize = 64;

pub fn slice(stage: &mut Stage, time: Duration, trips: u32) -> Result<(), Failure> {
    stage.load.run_visits(AT_ONCE, trips, stage.proxy.echo)?;
    stage.slice(time)?;
    stage.load.visits.pause();
    stage.load.run_until("last connections", LIMIT, |load| load.visits.tally.on_their_way() == 0)
}

/// Cost, rate and latencies.
pub fn summary(stage: &mut Stage) -> Result<Sample, Failure> {
    let (tally, spent) = (&stage.load.visits.tally, &stage.spent);
    let mut values = vec![(Metric::CpuPerConnection, cpu_us_each(spent, tally.completed()))];
    values.extend(speed(Metric::ConnectionRate, tally, spent.elapsed)?);
    values.extend(overhead(spent, tally.completed() as f64));
    Ok(values.into())
}
