//! `pronk tune --check`: what of this host's settings stands between the gateway and its speed.
//!
//! A setting is a row of the table: where its value is read, what it should be, how much that is expected to
//! matter, and the commands that set it and undo it. Nothing is changed: the operator runs what he agrees with.

mod clock;
mod cores;
mod finding;
#[cfg(test)]
mod fixture;
mod hardware;
mod host;
mod idle;
mod limits;
mod run;
mod settings;

pub use run::run;
pub use settings::sysctls;
