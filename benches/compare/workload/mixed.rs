//! Does a download starve the queries beside it?

use super::bulk::gbit_per_s;
use super::stage::Stage;
use super::{Sample, overhead, trips};
use crate::failure::Failure;
use crate::report::metric::Metric;

const CONNECTIONS: usize = 64;

pub fn begin(stage: &mut Stage, streams: usize, bytes_per_second: Option<f64>) -> Result<(), Failure> {
    if let Some(bytes_per_second) = bytes_per_second {
        stage.load.pace(bytes_per_second)?;
    }
    stage.connect_sinks(streams)?;
    stage.connect_trips(CONNECTIONS)
}

pub fn end(stage: &mut Stage) -> Result<Sample, Failure> {
    let mut values = trips::speed(stage).to_vec();
    values.push((Metric::Gbps, gbit_per_s(stage)));
    values.extend(overhead(&stage.spent, stage.load.trips.tally.completed() as f64));
    stage.load.trips.close();
    stage.finish_sinks()?;
    Ok(values.into())
}
