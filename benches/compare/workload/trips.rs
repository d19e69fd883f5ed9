//! Round trips on many connections: each sends its next message when it has the answer, or all of them together send at
//! a rate that does not depend on how long the answers take.

use std::time::Duration;

use super::stage::Stage;
use super::{Sample, cpu_us_each, overhead, speed};
use crate::failure::Failure;
use crate::report::metric::Metric;

pub fn slice(stage: &mut Stage, time: Duration, per_second: Option<u32>) -> Result<(), Failure> {
    match per_second {
        Some(rate) => stage.load.trips.run_at(f64::from(rate)),
        None => stage.load.trips.run()?,
    }
    stage.slice(time)?;
    stage.rest_trips()
}

pub fn end(stage: &mut Stage) -> Result<Sample, Failure> {
    let completed = stage.load.trips.tally.completed();
    let mut values = vec![(Metric::CpuPerTrip, cpu_us_each(&stage.spent, completed))];
    values.extend(speed(Metric::TripRate, &stage.load.trips.tally, stage.spent.elapsed)?);
    values.extend(overhead(&stage.spent, completed as f64));
    stage.load.trips.close();
    Ok(values.into())
}
