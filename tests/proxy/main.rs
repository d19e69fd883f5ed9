//! Pronk on real sockets with real peers: what it must hold, carry, survive and give back.

#[path = "../support/mod.rs"]
mod support;

mod bytes;
mod faults;
mod first_bytes;
mod gateway;
mod idle;
mod limits;
mod spread;
