//! Downloads, as fast as they go or at a given pace.

use super::stage::Stage;
use super::{Sample, overhead};
use crate::failure::Failure;
use crate::report::metric::Metric;

const GIB: f64 = (1u64 << 30) as f64;

pub fn begin(stage: &mut Stage, streams: usize, pace: Option<f64>) -> Result<(), Failure> {
    if let Some(bytes_per_second) = pace {
        stage.load.pace(bytes_per_second)?;
    }
    stage.connect_sinks(streams)
}

pub fn end(stage: &mut Stage) -> Result<Sample, Failure> {
    stage.finish_sinks()?;
    let rate = gbit_per_s(stage)?;
    let gib = stage.bytes as f64 / GIB;
    let mut values = vec![(Metric::CpuPerGib, stage.spent.proxy.as_secs_f64() / gib), (Metric::Gbps, rate)];
    values.extend(overhead(&stage.spent, gib));
    Ok(values.into())
}

/// Fails when nothing came: there is no cost of a byte then.
pub fn gbit_per_s(stage: &Stage) -> Result<f64, Failure> {
    if stage.bytes == 0 {
        return Err(Failure::new("nothing was received in the steady interval"));
    }
    Ok(stage.bytes as f64 * 8.0 / 1e9 / stage.spent.elapsed.as_secs_f64())
}
