//! Round trips at a rate that does not depend on how long they take.

use super::trips::speed;
use super::{Sample, Stage, cpu_us_each, overhead};
use crate::failure::Failure;
use crate::report::metric::Metric;

pub fn measure(stage: &mut Stage<'_>, connections: usize, per_second: u32) -> Result<Sample, Failure> {
    stage.connect_trips(connections)?;
    stage.load.trips.run_at(f64::from(per_second));
    let spent = stage.steady(|load| load.trips.reset())?;
    let completed = stage.load.trips.completed();
    let mut values = vec![(Metric::CpuPerTrip, cpu_us_each(&spent, completed)?)];
    values.extend(speed(stage, &spent));
    values.extend(overhead(&spent, completed as f64));
    stage.finish_trips()?;
    Ok(values.into())
}
