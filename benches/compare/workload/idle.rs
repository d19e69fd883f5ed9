//! Sessions that made one trip and wait: what memory of the proxy does one hold?

use std::time::Duration;

use super::{Sample, Stage};
use crate::failure::Failure;
use crate::measure::resident_kib;
use crate::report::metric::Metric;
use crate::report::stats::slope;

/// Memory is read at this many points of the way up.
const STEPS: usize = 5;
/// What the proxy gets to put its buffers away before its memory is read.
const SETTLING: Duration = Duration::from_millis(300);

pub fn measure(stage: &mut Stage) -> Result<Sample, Failure> {
    let most = stage.scale.idle_sessions;
    let mut points = Vec::new();
    for step in 1..=STEPS {
        let sessions = most * step / STEPS;
        stage.connect_trips(sessions)?;
        stage.load.run_for(SETTLING)?;
        points.push((sessions as f64, resident_kib(stage.proxy.pid())? as f64));
    }
    let held = stage.load.server.live();
    if held < most {
        return Err(Failure::new(format!("{most} sessions were opened, the backend holds {held}")));
    }
    let slope = slope(&points).ok_or_else(|| Failure::new("too few sessions for a slope"))?;
    Ok(vec![(Metric::ResidentPerSession, slope), (Metric::Sessions, held as f64)])
}
