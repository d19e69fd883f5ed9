//! Pronk beside HAProxy and nginx: the same work, the same configuration, one core for the proxy.
//!
//! `options` is the command line, `run` the order of things, `peers` the proxies, `workload` the work,
//! `load` the clients and the backend, `measure` the counters, `report`, `plot` and `output` the results.

mod awake;
mod child;
mod cores;
mod environment;
mod failure;
mod load;
mod measure;
mod namespace;
mod options;
mod order;
mod output;
mod peers;
mod perf;
mod plot;
mod progress;
mod report;
mod run;
mod workload;

use std::path::Path;
use std::process::ExitCode;

use crate::failure::{Attempt, Failure};
use crate::options::{Action, Options};
use crate::report::{Report, diff, json};
use crate::workload::Workload;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let outcome = options::parse(arguments.clone()).and_then(|action| match action {
        Action::Help => Ok(print(options::HELP)),
        Action::List => Ok(list()),
        Action::Nothing => Ok(print("nothing to test here; to measure: cargo bench --bench compare\n")),
        Action::Compare(before, after) => compare(&before, &after),
        Action::Run(options) => start(&options, &arguments),
    });
    outcome.unwrap_or_else(|failure| {
        eprintln!("compare: {failure}");
        ExitCode::from(2)
    })
}

fn print(text: &str) -> ExitCode {
    print!("{text}");
    ExitCode::SUCCESS
}

fn list() -> ExitCode {
    Workload::all()
        .iter()
        .for_each(|workload| println!("{:<14} {}", workload.name(), workload.explanation()));
    ExitCode::SUCCESS
}

fn start(options: &Options, arguments: &[std::ffi::OsString]) -> Result<ExitCode, Failure> {
    match &options.congestion {
        Some(_) if !options.in_namespace => match namespace::enter(arguments)? {},
        Some(congestion) => namespace::prepare(congestion)?,
        None => {}
    }
    Ok(if run::run(options)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn compare(before: &Path, after: &Path) -> Result<ExitCode, Failure> {
    let (before, after) = (read(before)?, read(after)?);
    print!("{}", diff::text(&before, &after));
    Ok(if diff::is_worse(&before, &after) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn read(path: &Path) -> Result<Report, Failure> {
    let text = std::fs::read_to_string(path).attempting(path.display())?;
    json::read(&text).attempting(path.display())
}
