//! Sessions that made one trip and wait: what memory of the proxy, and of the kernel for it, does one hold?

use std::time::Duration;

use super::Sample;
use super::stage::{Stage, connect_trips};
use crate::failure::Failure;
use crate::load::content::Shape;
use crate::load::server::Role;
use crate::load::{Load, moments};
use crate::measure::{resident_kib, slab_kib};
use crate::report::metric::Metric;
use crate::report::stats::slope;

/// Memory is read at this many points of the way up.
const STEPS: usize = 5;
/// What the proxy gets to put its buffers away before its memory is read.
const SETTLING: Duration = Duration::from_millis(300);
/// Sessions without the proxy that show what one costs the load.
const DIRECT: usize = 10_000;
/// Descriptors of the load that are no session's.
const OTHERS: usize = 200;

/// The way up to `most` sessions.
fn steps(most: usize) -> impl Iterator<Item = usize> {
    (1..=STEPS).map(move |step| most * step / STEPS)
}

pub fn measure(stage: &mut Stage, most: usize) -> Result<Sample, Failure> {
    let (mut resident, mut slab) = (Vec::new(), Vec::new());
    for sessions in steps(most) {
        stage.connect_trips(sessions)?;
        stage.load.run_for(SETTLING)?;
        resident.push((sessions as f64, resident_kib(stage.proxy.pid())? as f64));
        slab.push((sessions as f64, slab_kib()? as f64));
    }
    let held = stage.load.server.live();
    if held < most {
        return Err(Failure::new(format!("{most} sessions were opened, the backend holds {held}")));
    }
    let left = (stage.setup.descriptors as usize).saturating_sub(OTHERS + 2 * most) / 2;
    let slab = steep(&slab)? - direct_slab_kib(most.min(DIRECT).min(left))?;
    let values = vec![
        (Metric::ResidentPerSession, steep(&resident)?),
        (Metric::SlabPerSession, slab),
        (Metric::Sessions, held as f64),
    ];
    Ok(Sample {
        values,
        memory: resident.into_iter().map(|(sessions, kib)| (sessions, kib / 1024.0)).collect(),
    })
}

/// The kernel's memory for a session straight from a client to the backend: the two sockets that the load has in each
/// that goes through the proxy, too. Measured on top of those, so that none of its objects takes a freed one's place.
fn direct_slab_kib(most: usize) -> Result<f64, Failure> {
    let mut load = Load::new(Shape::echo(200), moments::SHORT)?;
    let addresses = load.server.addresses(Role::Echo)?;
    let mut slab = Vec::new();
    for sessions in steps(most) {
        connect_trips(&mut load, sessions, addresses[0])?;
        load.run_for(SETTLING)?;
        slab.push((sessions as f64, slab_kib()? as f64));
    }
    steep(&slab)
}

fn steep(points: &[(f64, f64)]) -> Result<f64, Failure> {
    slope(points).ok_or_else(|| Failure::new("too few sessions for a slope"))
}
