//! Everybody comes at once, as after a failover or at nine in the morning.

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use super::LIMIT;
use super::stage::Stage;
use crate::failure::Failure;
use crate::load::Load;

pub const CLIENTS: usize = 1000;

/// Whole storms, for so long at least, after one that does not count.
pub fn slice(stage: &mut Stage, time: Duration) -> Result<(), Failure> {
    let entry = stage.proxy.echo;
    once(&mut stage.load, entry)?;
    stage.between_readings(|load| {
        let began = Instant::now();
        while began.elapsed() < time {
            once(load, entry)?;
        }
        Ok(())
    })
}

fn once(load: &mut Load, entry: SocketAddrV4) -> Result<(), Failure> {
    load.run_visits(CLIENTS, 1, entry)?;
    load.visits.pause();
    load.run_until("a storm's last connections", LIMIT, |load| load.visits.tally.on_their_way() == 0)
}
