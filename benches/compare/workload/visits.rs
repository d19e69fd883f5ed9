//! Connections that live for one request or a few, 64 at once.

use super::{LIMIT, Sample, Stage, cpu_us_each, overhead, rate};
use crate::failure::Failure;
use crate::load::Load;
use crate::load::latency::quantile_us;
use crate::measure::CpuSpent;
use crate::report::metric::Metric;

/// Round trips of a short query over HiveServer2: it is opened, executed, polled, its rows are fetched, it is closed.
pub const SESSION_TRIPS: u32 = 11;
const AT_ONCE: usize = 64;

pub fn measure(stage: &mut Stage<'_>, trips: u32) -> Result<Sample, Failure> {
    stage.load.run_visits(AT_ONCE, trips, stage.proxy.echo)?;
    let spent = stage.steady(|load| load.visits.reset())?;
    let sample = summary(&stage.load, &spent)?;
    stage.load.visits.pause();
    stage.load.run_until("last connections", LIMIT, |load| load.visits.live() == 0)?;
    Ok(sample)
}

/// Cost, rate and latencies since the last reset.
pub fn summary(load: &Load, spent: &CpuSpent) -> Result<Sample, Failure> {
    let visits = &load.visits;
    let mut values = vec![
        (Metric::CpuPerConnection, cpu_us_each(spent, visits.completed())?),
        (Metric::ConnectionRate, rate(spent, visits.completed())),
        (Metric::P50, quantile_us(visits.latency(), 0.5)),
        (Metric::P99, quantile_us(visits.latency(), 0.99)),
        (Metric::P999, quantile_us(visits.latency(), 0.999)),
    ];
    values.extend(overhead(spent, visits.completed() as f64));
    Ok(values.into())
}
