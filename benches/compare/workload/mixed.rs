//! Does a download starve the queries beside it?

use std::time::Duration;

use super::bulk::gbit_per_s;
use super::stage::Stage;
use super::{Sample, bulk, overhead, speed, trips};
use crate::failure::Failure;
use crate::report::metric::Metric;

const CONNECTIONS: usize = 64;

pub fn begin(stage: &mut Stage, streams: usize, bytes_per_second: Option<f64>) -> Result<(), Failure> {
    bulk::begin(stage, streams, bytes_per_second)?;
    stage.connect_trips(CONNECTIONS)
}

pub fn slice(stage: &mut Stage, time: Duration) -> Result<(), Failure> {
    stage.load.server.rest(false);
    trips::slice(stage, time, None)?;
    stage.rest_sinks()
}

pub fn end(stage: &mut Stage) -> Result<Sample, Failure> {
    let tally = &stage.load.trips.tally;
    let mut values = speed(Metric::TripRate, tally, stage.spent.elapsed)?;
    values.push((Metric::Gbps, gbit_per_s(stage)?));
    values.extend(overhead(&stage.spent, tally.completed() as f64));
    stage.load.trips.close();
    stage.finish_sinks()?;
    Ok(values.into())
}
