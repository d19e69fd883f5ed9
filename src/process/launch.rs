//! From a checked configuration to running threads, in the order that the system's rights demand:
//! limits, sockets, logs and pid file first, then background, chroot and user, then threads.

use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::background::{self, Detached, PidFile, Promise};
use super::bond::Bond;
use super::control::{self, Control, Ending};
use super::error::StartError;
use super::files::Files;
use super::invocation::Invocation;
use super::limits::{self, Budget};
use super::listen::{self, NOT_LISTENING, Sockets};
use super::listeners::Tables;
use super::load::{Loaded, NO_LISTENER};
use super::predecessors::{Farewell, Predecessors};
use super::reload::Origin;
use super::states::{self, States};
use super::steward::Steward;
use super::succession::Succession;
use super::takeover::Inheritance;
use super::threads::{self, Material};
use super::{privileges, report, runtime};
use crate::admin::handover::Holdings;
use crate::config::Supplies;
use crate::config::model::Config;
use crate::log;
use crate::sys::{cpu, signal};
use crate::worker::MOST_WORKERS;

/// Everything that was opened while the process still had its rights.
struct Opened {
    config: Arc<Config>,
    workers: usize,
    budget: Budget,
    sockets: Sockets,
    tables: Option<Tables>,
    predecessors: Predecessors,
    sessions: Option<UnixStream>,
    logs: log::Targets,
    pidfile: Option<PidFile>,
}

/// Runs the configuration until the process is told to stop. `began` is when the process started.
pub fn run(loaded: Loaded, invocation: &Invocation, began: Instant) -> ExitCode {
    conduct(loaded, invocation, began).map_or_else(|status| status, Ending::leave)
}

/// The same for the worker of a master.
pub fn run_under(bond: Bond, loaded: Loaded, invocation: &Invocation, began: Instant) -> ExitCode {
    let own = invocation.of_worker(&bond);
    conduct_under(Some(bond), loaded, &own, began).map_or_else(|status| status, Ending::leave)
}

/// As [`run`], up to how the process is to end. The error is the status of a start that failed, which was
/// told, or of the parent of a process in the background.
pub fn conduct(loaded: Loaded, invocation: &Invocation, began: Instant) -> Result<Ending, ExitCode> {
    conduct_under(None, loaded, invocation, began)
}

fn conduct_under(
    mut bond: Option<Bond>,
    mut loaded: Loaded,
    invocation: &Invocation,
    began: Instant,
) -> Result<Ending, ExitCode> {
    if let Some(of_worker) = &mut bond {
        settle_with_master(&mut loaded.config, of_worker, invocation)
            .map_err(|error| failed(&[error], &mut bond))?;
    }
    if loaded.config.global.quiet {
        report::silence();
    }
    let warnings = u32::try_from(loaded.warnings).unwrap_or(u32::MAX);
    ask_states(&loaded.config, &mut loaded.states, invocation, bond.as_mut());
    // A signal that comes before the control thread knows what it means waits. Every thread inherits the
    // mask; only the control thread takes it off.
    signal::block_all();
    let opened = open(loaded.config, invocation, bond.as_mut());
    let opened = opened.map_err(|failures| failed(&failures, &mut bond))?;
    let promise = match go_to_background(&opened.config) {
        Ok(None) => None,
        Ok(Some(Detached::Child(promise))) => Some(promise),
        Ok(Some(Detached::Parent(status))) => return Err(ExitCode::from(status)),
        Err(error) => return Err(failed(&[error], &mut bond)),
    };
    let steward = bond.as_mut().and_then(Bond::steward);
    let origin = origin(&opened.config, invocation, loaded.supplies, steward);
    start(opened, promise, &mut bond, loaded.states, warnings, began, origin)
        .and_then(|control| runtime::run("control", control.run()))
        .map_err(|error| failed(&[error], &mut bond))
}

/// States of servers as the process before has them now. Without an answer those of the files count.
fn ask_states(config: &Config, states: &mut States, invocation: &Invocation, bond: Option<&mut Bond>) {
    if !states::are_wanted(config) {
        return;
    }
    let stream = match (bond.and_then(Bond::states), &invocation.take_over) {
        (Some(stream), _) => Some(stream),
        (None, Some(path)) => UnixStream::connect(path).ok(),
        (None, None) => None,
    };
    match stream.map(states::ask) {
        Some(Ok(told)) => states.learn(config, &told),
        Some(Err(error)) => {
            tracing::warn!(%error, "the process before does not tell the states of its servers")
        }
        None => {}
    }
}

/// What a reload reads again; None: it came from no file. Where nobody else reads for this process, a chroot has a
/// door that only `reload` needs: the directories of the files. Without them a reload says that it cannot read them,
/// and nothing else suffers.
fn origin(
    config: &Config,
    invocation: &Invocation,
    supplies: Supplies,
    steward: Option<Steward>,
) -> Option<Origin> {
    let mut files = Files::new(&invocation.files);
    if config.global.chroot.is_some()
        && steward.is_none()
        && let Err(error) = files.keep()
    {
        tracing::warn!(%error, "the directories of the configuration cannot be kept open for a reload");
    }
    let invocation = invocation.clone();
    (!invocation.files.is_empty()).then(|| Origin { invocation, files, supplies: supplies.into(), steward })
}

/// The master has the pid file, and has gone to the background where that is wanted.
fn settle_with_master(
    config: &mut Config,
    bond: &mut Bond,
    invocation: &Invocation,
) -> Result<(), StartError> {
    if std::mem::take(&mut config.global.daemon) && !invocation.systemd {
        bond.will_be_silent()
            .map_err(|error| StartError::new("[haproxy.main()] Cannot open /dev/null").with_errno(error))?;
    }
    Ok(())
}

/// Says why there is no start, here and to the master.
fn failed(failures: &[StartError], bond: &mut Option<Bond>) -> ExitCode {
    failures.iter().for_each(report::start_error);
    bond.iter_mut().for_each(|bond| bond.failed(""));
    signal::unblock_all();
    ExitCode::FAILURE
}

fn open(
    mut config: Config,
    invocation: &Invocation,
    bond: Option<&mut Bond>,
) -> Result<Opened, Vec<StartError>> {
    let workers = workers(&config).map_err(|error| vec![error])?;
    if let Some(megabytes) = invocation.memory_mb {
        limits::confine_memory(megabytes).map_err(|error| vec![error])?;
    }
    let budget = limits::settle(&config, workers).map_err(|error| vec![error])?;
    // Backends derive their fullconn from it.
    config.global.maxconn = Some(budget.maxconn);
    let mut predecessors = invocation.predecessors.clone();
    // Without them a soft stop cannot see its successor, and closes its sockets as they are.
    let tables = Tables::open().ok();
    let sockets = bind(&config, workers, invocation, bond.as_deref(), tables.as_ref(), &mut predecessors)?;
    if sockets.is_empty() {
        return Err(vec![StartError::new(NO_LISTENER)]);
    }
    let global = &config.global;
    let silent = global.daemon || global.quiet || bond.as_deref().is_some_and(Bond::is_to_be_silent);
    let logs = log::open(&config, silent).map_err(|error| vec![error])?;
    let pidfile = match &config.global.pidfile {
        // As in HAProxy a process in the foreground writes none.
        Some(path) if config.global.daemon => Some(PidFile::open(path).map_err(|error| vec![error])?),
        _ => None,
    };
    let config = Arc::new(config);
    let sessions = sessions(&config, invocation, bond);
    Ok(Opened { config, workers, budget, sockets, tables, predecessors, sessions, logs, pidfile })
}

/// The way to the sessions of a process that is to end gracefully, as long as this one has its rights and sees
/// the path. Without it the old process keeps them.
fn sessions(config: &Config, invocation: &Invocation, bond: Option<&mut Bond>) -> Option<UnixStream> {
    if let Some(of_worker) = bond.and_then(Bond::sessions) {
        return config.global.session_hand_over.then_some(of_worker);
    }
    let predecessors = &invocation.predecessors;
    let graceful = !predecessors.pids.is_empty() && predecessors.farewell == Farewell::Finish;
    let path = invocation.take_over.as_ref().filter(|_| graceful && config.global.session_hand_over)?;
    UnixStream::connect(path).ok()
}

/// How often binding is tried while predecessors release their addresses, and the pause between: HAProxy's two
/// seconds.
const ATTEMPTS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(10);

/// Binds everything. Where it fails, the processes that are to be replaced are asked to release their addresses,
/// and to take them back if that does not help either.
fn bind(
    config: &Config,
    workers: usize,
    invocation: &Invocation,
    bond: Option<&Bond>,
    tables: Option<&Tables>,
    predecessors: &mut Predecessors,
) -> Result<Sockets, Vec<StartError>> {
    predecessors.await_turn();
    let inheritance = match (&invocation.take_over, bond) {
        (Some(path), _) => Inheritance::ask(path).map_err(|error| vec![error])?,
        (None, Some(bond)) => bond.inheritance(),
        (None, None) => Inheritance::default(),
    };
    for _ in 1..ATTEMPTS {
        match Sockets::bind(config, workers, &inheritance, tables) {
            Ok(sockets) => return Ok(sockets),
            // Where something else is in the way too, it would stop serving for nothing.
            Err(failures)
                if failures.iter().all(|failure| failure.in_use) && !predecessors.pids.is_empty() =>
            {
                predecessors.pause();
            }
            Err(_) => break,
        }
        thread::sleep(PAUSE);
    }
    Sockets::bind(config, workers, &inheritance, tables).map_err(|failures| {
        predecessors.resume();
        let mut failures = listen::explained(failures);
        failures.push(StartError::new(NOT_LISTENING));
        failures
    })
}

/// `nbthread`, or one worker for each CPU this process may use.
fn workers(config: &Config) -> Result<usize, StartError> {
    let workers = config.global.nbthread.map_or_else(|| cpu::allowed().len().min(MOST_WORKERS), usize::from);
    if (1..=MOST_WORKERS).contains(&workers) {
        return Ok(workers);
    }
    Err(StartError::new(format!("[haproxy.main()] nbthread {workers} is out of range"))
        .with_cause(format!("a process has 1 to {MOST_WORKERS} workers"))
        .with_remedy("change nbthread, or leave it out for one worker on each core"))
}

fn go_to_background(config: &Config) -> Result<Option<Detached>, StartError> {
    if config.global.daemon { background::detach().map(Some) } else { Ok(None) }
}

fn start(
    opened: Opened,
    promise: Option<Promise>,
    bond: &mut Option<Bond>,
    states: States,
    warnings: u32,
    began: Instant,
    origin: Option<Origin>,
) -> Result<Control, StartError> {
    let Opened { config, workers, budget, mut sockets, tables, mut predecessors, sessions, logs, pidfile } =
        opened;
    privileges::examine(&config.global)?;
    sockets.publish()?;
    sockets.hear(&config)?;
    predecessors.dismiss_before_becoming(config.global.uid.filter(|&uid| uid != 0));
    privileges::give_up(&config.global)?;
    if let Some(pidfile) = pidfile {
        pidfile.write()?;
    }
    let listeners = sockets.workers;
    let material = Material { config, workers, budget, listeners, logs, states, warnings, began };
    signal::ignore_sigpipe();
    if let Err(error) = limits::make_room(&budget) {
        tracing::warn!(%error, "accepting will stand still when the table of descriptors grows");
    }
    let threads = threads::start(material)?;
    let holdings = Holdings { held: sockets.held, inherited: sockets.inherited, ..Holdings::default() };
    let services = control::Services { pages: sockets.pages, stats: sockets.stats };
    let succession = Succession::new(holdings, sockets.earlier, tables, (predecessors, sessions));
    Ok(Control::new(threads, services, succession, promise, bond.take(), (origin, budget)))
}
