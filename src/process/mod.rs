//! Start, threads, signals and stop of the process.
//!
//! ```text
//! Invocation -> load -> launch (limits, sockets, logs, background, rights) -> threads -> control
//! ```

mod announce;
mod background;
mod control;
mod departure;
mod diagnostics;
mod embedded;
pub mod error;
mod files;
mod invocation;
mod launch;
mod limits;
mod listen;
mod listeners;
mod load;
mod mark;
mod places;
mod predecessors;
mod privileges;
mod reload;
pub mod report;
pub mod runtime;
mod signals;
mod sources;
mod states;
mod succession;
mod takeover;
mod threads;
pub mod version;

use std::process::ExitCode;
use std::time::Instant;

pub use embedded::embedded;
pub use error::StartError;
pub use invocation::Invocation;
pub use load::{Loaded, condition};
pub use predecessors::{Farewell, Predecessors};

/// Checks or runs the configuration that the command line names.
pub fn start(invocation: &Invocation) -> ExitCode {
    let began = Instant::now();
    if invocation.quiet {
        report::silence();
    }
    diagnostics::start(invocation.debug);
    match load::load(invocation) {
        None => ExitCode::FAILURE,
        Some(loaded) if invocation.check => {
            report::answer(&load::verdict(&loaded, invocation));
            ExitCode::SUCCESS
        }
        Some(loaded) => launch::run(loaded, invocation, began),
    }
}
