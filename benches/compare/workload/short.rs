//! Connections that live for one request, 64 at once.

use super::{LIMIT, Sample, Stage, busy, cpu_us_each, rate};
use crate::failure::Failure;
use crate::load::latency::quantile_us;
use crate::report::metric::Metric;

const AT_ONCE: usize = 64;

pub fn measure(stage: &mut Stage) -> Result<Sample, Failure> {
    stage.load.run_visits(AT_ONCE, stage.proxy.echo)?;
    let spent = stage.steady(|load| load.visits.reset())?;
    let visits = &stage.load.visits;
    let mut sample = vec![
        (Metric::CpuPerConnection, cpu_us_each(&spent, visits.completed())?),
        (Metric::ConnectionRate, rate(&spent, visits.completed())),
        (Metric::P50, quantile_us(visits.latency(), 0.5)),
        (Metric::P99, quantile_us(visits.latency(), 0.99)),
        (Metric::P999, quantile_us(visits.latency(), 0.999)),
    ];
    sample.extend(busy(&spent));
    stage.load.visits.pause();
    stage.load.run_until("last connections", LIMIT, |load| load.visits.live() == 0)?;
    Ok(sample)
}
