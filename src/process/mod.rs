//! Start, threads, signals and stop of the process.

pub mod error;
pub mod runtime;

pub use error::StartError;
