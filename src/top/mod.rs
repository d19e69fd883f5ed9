//! `pronk top`: what a running Pronk or HAProxy does, read from its stats socket and shown again and again.
//!
//! A sample is one reading; rates are what happened between two; a page makes lines of both. Only `source`
//! and [`run()`] touch the world.

mod options;
mod page;
mod rates;
mod run;
mod sample;
mod source;

pub use run::run;
