//! Sessions that made one trip and wait: what memory of the proxy and of the kernel does one hold?

use std::time::Duration;

use super::Sample;
use super::stage::Stage;
use crate::failure::Failure;
use crate::measure::{resident_kib, slab_kib};
use crate::report::metric::Metric;
use crate::report::stats::slope;

/// Memory is read at this many points of the way up.
const STEPS: usize = 5;
/// What the proxy gets to put its buffers away before its memory is read.
const SETTLING: Duration = Duration::from_millis(300);

pub fn measure(stage: &mut Stage, most: usize) -> Result<Sample, Failure> {
    let (mut resident, mut slab) = (Vec::new(), Vec::new());
    for step in 1..=STEPS {
        let sessions = most * step / STEPS;
        stage.connect_trips(sessions)?;
        stage.load.run_for(SETTLING)?;
        resident.push((sessions as f64, resident_kib(stage.proxy.pid())? as f64));
        slab.push((sessions as f64, slab_kib()? as f64));
    }
    let held = stage.load.server.live();
    if held < most {
        return Err(Failure::new(format!("{most} sessions were opened, the backend holds {held}")));
    }
    let steep =
        |points: &[(f64, f64)]| slope(points).ok_or_else(|| Failure::new("too few sessions for a slope"));
    let values = vec![
        (Metric::ResidentPerSession, steep(&resident)?),
        (Metric::SlabPerSession, steep(&slab)?),
        (Metric::Sessions, held as f64),
    ];
    Ok(Sample {
        values,
        memory: resident.into_iter().map(|(sessions, kib)| (sessions, kib / 1024.0)).collect(),
    })
}
