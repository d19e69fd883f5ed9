//! Start, threads, signals and stop of the process.

mod background;
pub mod error;
mod invocation;
mod limits;
mod load;
mod privileges;
pub mod report;
pub mod runtime;
mod sources;
pub mod version;

pub use error::StartError;
pub use invocation::Invocation;
