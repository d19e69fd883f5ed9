//! Start, threads, signals and stop of the process.
//!
//! ```text
//! Invocation -> load -> launch (limits, sockets, logs, background, rights) -> threads -> control
//! ```

mod announce;
mod background;
mod bond;
mod control;
mod departure;
mod diagnostics;
mod dumps;
mod embedded;
pub mod error;
mod files;
mod inherited;
mod invocation;
mod launch;
mod limits;
mod listen;
mod listeners;
mod load;
mod mark;
mod master;
mod pages;
mod placement;
mod places;
mod predecessors;
mod privileges;
mod reload;
pub mod report;
pub mod runtime;
mod signals;
mod sources;
mod states;
mod stderr;
mod steward;
mod succession;
mod takeover;
mod threads;
mod upgrade;
pub mod version;

use std::process::ExitCode;
use std::time::Instant;

use bond::Bond;
pub use dumps::Dumps;
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
    if let (Some(mut bond), false) = (Bond::find(), invocation.check) {
        return match load::load(&invocation.of_worker(&bond)) {
            None => {
                bond.failed("");
                ExitCode::FAILURE
            }
            Some(loaded) => launch::run_under(bond, loaded, invocation, began),
        };
    }
    if !load::enter(invocation.directory.as_deref()) {
        return ExitCode::FAILURE;
    }
    if let Some(style) = invocation.dumps.config {
        return dumps::show_config(invocation, style);
    }
    if !invocation.check
        && let Some(global) = load::glance(invocation)
        && (invocation.master || global.master_worker)
    {
        dumps::show(&invocation.dumps, &global);
        return master::run(&global, invocation);
    }
    let Some(loaded) = load::load(invocation) else { return ExitCode::FAILURE };
    dumps::show(&invocation.dumps, &loaded.config.global);
    if invocation.check {
        if (invocation.master || loaded.config.global.master_worker)
            && let Err(error) = master::check_sockets(invocation)
        {
            report::start_error(&error);
            return ExitCode::FAILURE;
        }
        report::answer(&load::verdict(&loaded, invocation));
        return ExitCode::SUCCESS;
    }
    launch::run(loaded, invocation, began)
}
