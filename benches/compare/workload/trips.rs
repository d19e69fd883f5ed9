//! Round trips on many connections: each sends its next message when it has the answer, or all of them together send at
//! a rate that does not depend on how long the answers take.

use super::{Sample, Stage, cpu_us_each, overhead, rate};
use crate::failure::Failure;
use crate::load::latency::quantile_us;
use crate::measure::CpuSpent;
use crate::report::metric::Metric;

pub fn measure(
    stage: &mut Stage<'_>,
    connections: usize,
    per_second: Option<u32>,
) -> Result<Sample, Failure> {
    stage.connect_trips(connections)?;
    match per_second {
        Some(rate) => stage.load.trips.run_at(f64::from(rate)),
        None => stage.load.trips.run()?,
    }
    let spent = stage.steady(|load| load.trips.reset())?;
    let completed = stage.load.trips.completed();
    let mut values = vec![(Metric::CpuPerTrip, cpu_us_each(&spent, completed)?)];
    values.extend(speed(stage, &spent));
    values.extend(overhead(&spent, completed as f64));
    stage.finish_trips()?;
    Ok(values.into())
}

/// Rate and latencies since the last reset.
pub fn speed(stage: &Stage<'_>, spent: &CpuSpent) -> [(Metric, f64); 4] {
    let trips = &stage.load.trips;
    [
        (Metric::TripRate, rate(spent, trips.completed())),
        (Metric::P50, quantile_us(trips.latency(), 0.5)),
        (Metric::P99, quantile_us(trips.latency(), 0.99)),
        (Metric::P999, quantile_us(trips.latency(), 0.999)),
    ]
}
