//! Everybody comes at once, as after a failover or at nine in the morning.

use std::time::Instant;

use super::{LIMIT, Sample, Stage, visits};
use crate::failure::Failure;
use crate::load::Load;

pub const CLIENTS: usize = 1000;

pub fn measure(stage: &mut Stage<'_>) -> Result<Sample, Failure> {
    let (entry, steady) = (stage.proxy.echo, stage.scale.steady);
    let storm = |load: &mut Load| {
        load.run_visits(CLIENTS, 1, entry)?;
        load.visits.pause();
        load.run_until("a storm's last connections", LIMIT, |load| load.visits.live() == 0)
    };
    storm(&mut stage.load)?;
    let spent = stage.between_readings(|load| {
        load.visits.reset();
        let began = Instant::now();
        while began.elapsed() < steady {
            storm(load)?;
        }
        Ok(())
    })?;
    visits::summary(&stage.load, &spent)
}
