//! Does a download starve the queries beside it?

use super::bulk::gbit_per_s;
use super::{Sample, Stage, overhead, trips};
use crate::failure::Failure;
use crate::report::metric::Metric;

const CONNECTIONS: usize = 64;
/// 8 Gbit/s.
const BYTES_PER_SECOND: f64 = 1e9;

pub fn measure(stage: &mut Stage<'_>) -> Result<Sample, Failure> {
    stage.load.pace(BYTES_PER_SECOND)?;
    stage.connect_sinks(1)?;
    stage.connect_trips(CONNECTIONS)?;
    stage.load.trips.run()?;
    let mut before = 0;
    let spent = stage.steady(|load| {
        load.trips.reset();
        before = load.sinks.received();
    })?;
    let bytes = stage.load.sinks.received() - before;
    let mut values = trips::speed(stage, &spent).to_vec();
    values.push((Metric::Gbps, gbit_per_s(&spent, bytes)));
    values.extend(overhead(&spent, stage.load.trips.completed() as f64));
    stage.finish_trips()?;
    stage.finish_sinks()?;
    Ok(values.into())
}
