//! Downloads, as fast as they go or at a given pace.

use super::{Sample, Stage, overhead};
use crate::failure::Failure;
use crate::measure::CpuSpent;
use crate::report::metric::Metric;

const GIB: f64 = (1u64 << 30) as f64;

pub fn measure(stage: &mut Stage<'_>, streams: usize, pace: Option<f64>) -> Result<Sample, Failure> {
    if let Some(bytes_per_second) = pace {
        stage.load.pace(bytes_per_second)?;
    }
    stage.connect_sinks(streams)?;
    let mut before = 0;
    let spent = stage.steady(|load| before = load.sinks.received())?;
    let bytes = stage.load.sinks.received() - before;
    stage.finish_sinks()?;
    if bytes == 0 {
        return Err(Failure::new("nothing was received in the steady interval"));
    }
    let gib = bytes as f64 / GIB;
    let mut values =
        vec![(Metric::CpuPerGib, spent.proxy.as_secs_f64() / gib), (Metric::Gbps, gbit_per_s(&spent, bytes))];
    values.extend(overhead(&spent, gib));
    Ok(values.into())
}

pub fn gbit_per_s(spent: &CpuSpent, bytes: u64) -> f64 {
    bytes as f64 * 8.0 / 1e9 / spent.elapsed.as_secs_f64()
}
