//! The threads beside the control thread: workers, health, log.

use std::any::Any;
use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::error::{StartError, strerror};
use super::limits::Budget;
use super::report::{self, Severity};
use super::runtime::ring_refused;
use super::sources;
use super::states::States;
use crate::config::model::{BindId, BusySpin, Config, Global};
use crate::health::{self, HealthThread};
use crate::load::Load;
use crate::log::{self, LogHandle, SessionSink};
use crate::process::placement::{self, Place};
use crate::ring::Spinning;
use crate::stats::counters::WorkerCounters;
use crate::stats::file::{self, Kept};
use crate::stats::{History, Limits, Rates, Sources};
use crate::sys::cpu;
use crate::table::{Snapshot, TablePublisher};
use crate::worker::mailbox::{Crew, Returns, crew};
use crate::worker::{self, Clock, Peers, Setup};

/// What the threads are made from.
pub struct Material {
    /// The configuration.
    pub config: Arc<Config>,
    /// How many workers.
    pub workers: usize,
    /// Descriptors and sessions.
    pub budget: Budget,
    /// Each worker's sockets.
    pub listeners: Vec<Vec<(BindId, OwnedFd)>>,
    /// Opened log targets.
    pub logs: log::Targets,
    /// What the process before left in files.
    pub states: States,
    /// Warnings of the configuration.
    pub warnings: u32,
    /// When the process started.
    pub began: Instant,
}

/// What a worker's thread reports.
#[derive(Debug)]
pub enum Event {
    /// It has its ring and accepts.
    Ready,
    /// It returned, or could not start.
    Ended(Result<(), StartError>),
}

/// Handles to every thread.
pub struct Threads {
    /// The way to all workers.
    pub crew: Crew,
    /// Orders that come back from them.
    pub returns: Returns,
    /// What the workers report.
    pub events: UnboundedReceiver<Event>,
    /// The health thread.
    pub health: HealthThread,
    /// The log thread.
    pub log: LogHandle,
    /// What all of them count.
    pub sources: Sources,
    /// Where the control thread logs the clients of the stats page.
    pub journal: SessionSink,
    /// Where workers tell that they listen no more.
    pub peers: Arc<Peers>,
}

/// Starts all threads. What a worker's ring is refused comes as its event.
pub fn start(material: Material) -> Result<Threads, StartError> {
    let Material { config, workers, budget, listeners, logs, states, warnings, began } = material;
    let hostname = sources::hostname();
    // One more than workers: the control thread logs the clients of the stats page.
    let logs = logs.complaining_to(|text| report::event(Severity::Alert, text));
    let (log, mut sinks) = log::start(Arc::clone(&config), logs, workers + 1, &hostname)?;
    let journal = sinks.pop().expect("there is one sink more than workers");
    let load = Arc::new(Load::new(&config, workers));
    let mut publisher = TablePublisher::new(Arc::clone(&config), &load);
    restore(&mut publisher, &load, &states);
    let (clock, started_at) = clock()?;
    // One more than workers: the control thread's own, for the clients of the stats page.
    let new_counters = || Arc::new(WorkerCounters::new(&config, load.server_capacity()));
    let counters: Vec<_> = (0..=workers).map(|_| new_counters()).collect();
    let mut rates = Rates::new(&config);
    let kept_sessions = keep(&states.counters, &counters, &mut rates, publisher.snapshot());
    let (send, events) = unbounded_channel();
    let peers = Arc::new(Peers::new(workers));
    let (crew, mailboxes, returns) = crew(workers).map_err(|error| no_thread("worker", error))?;
    publisher.count_in(counters.clone());
    let sleepers = crew.clone();
    publisher.on_eviction(move || sleepers.wake());
    let places = placement::places(&config.global, workers);
    let spin = spin(&config.global, &places);
    let each = listeners.into_iter().zip(sinks).zip(mailboxes).zip(places).enumerate();
    for (index, (((listeners, sink), mailbox), place)) in each {
        let setup = Setup {
            index,
            listeners,
            table: publisher.reader(),
            load: Arc::clone(&load),
            counters: Arc::clone(&counters[index]),
            log: sink,
            mailbox,
            peers: Arc::clone(&peers),
            clock,
            maxconn: budget.maxconn,
            pipes: budget.pipes as usize,
            spin,
            incoming_cpu: incoming_cpu(&config.global, &place),
        };
        spawn(setup, place, send.clone())?;
    }
    let sources = Sources {
        table: publisher.shared(),
        load: Arc::clone(&load),
        counters,
        rates,
        history: History::default(),
        start: clock.start,
        started_at,
        dropped_logs: log.losses(),
        limits: limits(budget, workers),
        workers,
        hostname,
        warnings,
        boot_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        standings: Default::default(),
        stopping: false,
        forgotten_sessions: -kept_sessions,
        config,
    };
    let health = health::start(publisher, log.clone(), load, clock.start, console())?;
    Ok(Threads { crew, returns, events, health, log, sources, journal, peers })
}

/// Puts servers and their checks where the process before left them.
fn restore(publisher: &mut TablePublisher, load: &Load, states: &States) {
    for text in health::restore(publisher, load, &states.servers) {
        report::warning(&format!("config : {text}"));
    }
    for (proxy, server, fails, downs) in file::checks(&publisher.shared().load_full(), &states.counters) {
        publisher.begin_with(proxy, server, |entry| {
            (entry.state.check.fails, entry.state.check.downs) = (fails, downs);
        });
    }
}

/// Lets the counters of the control thread begin with what was kept. How many sessions of frontends that were.
fn keep(kept: &[Kept], counters: &[Arc<WorkerCounters>], rates: &mut Rates, table: &Snapshot) -> i64 {
    let Some(own) = counters.last().filter(|_| !kept.is_empty()) else { return 0 };
    file::begin(own, table, kept);
    rates.begin(counters, table);
    let sessions = table.config.proxies().map(|(id, _)| own.frontend(id).sessions.value()).sum::<u64>();
    sessions.cast_signed()
}

fn clock() -> Result<(Clock, SystemTime), StartError> {
    let (start, now) = (Instant::now(), SystemTime::now());
    let since = now.duration_since(UNIX_EPOCH).map_err(|_| {
        StartError::new("[haproxy.main()] The clock shows a time before 1970")
            .with_remedy("set it, for instance with 'timedatectl set-ntp true'")
    })?;
    let epoch_us = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
    Ok((Clock { start, epoch_us }, now))
}

fn limits(budget: Budget, workers: usize) -> Limits {
    Limits {
        maxconn: budget.maxconn,
        maxsock: budget.descriptors,
        ulimit_n: budget.nofile,
        maxpipes: u32::try_from(workers).unwrap_or(u32::MAX).saturating_mul(budget.pipes),
        tls_sessions: 0,
    }
}

fn console() -> health::Console {
    let told = |severity| Box::new(move |text: &str| report::event(severity, text));
    health::Console { warning: told(Severity::Warning), alert: told(Severity::Alert) }
}

/// How long workers look for work before they sleep. Two on one CPU would only keep each other from working.
fn spin(global: &Global, places: &[Place]) -> Spinning {
    let (tune, workers) = (&global.tune, places.len());
    let shared = share_cpus(places);
    match tune.busy_spin {
        _ if tune.busy_polling => Spinning::Always,
        BusySpin::Us(0) => Spinning::Never,
        BusySpin::WhenItPays if shared => Spinning::Never,
        BusySpin::WhenItPays => Spinning::WhenItPays,
        BusySpin::Us(_) if shared => {
            tracing::warn!(workers, "no busy spin: workers share CPUs");
            Spinning::Never
        }
        BusySpin::Us(microseconds) => Spinning::For(Duration::from_micros(u64::from(microseconds))),
    }
}

/// Whether some worker finds no CPU that none before it took. Who has the least choice chooses first; of sets that
/// overlap without one being part of the other it may say so wrongly, and then nobody spins.
fn share_cpus(places: &[Place]) -> bool {
    let mut choosing: Vec<&Place> = places.iter().collect();
    choosing.sort_by_key(|place| place.cpus.len());
    let mut taken = BTreeSet::new();
    !choosing.into_iter().all(|place| place.cpus.iter().any(|cpu| taken.insert(*cpu)))
}

/// The CPU whose packets a worker wants: its own, if it has one alone.
fn incoming_cpu(global: &Global, place: &Place) -> Option<u16> {
    match place.cpus[..] {
        [cpu] if global.tune.incoming_cpu => Some(cpu),
        _ => None,
    }
}

fn spawn(setup: Setup, place: Place, events: UnboundedSender<Event>) -> Result<(), StartError> {
    let index = setup.index;
    let body = move || {
        pin(index, &place);
        let ended = work(setup, &events);
        // The receiver lives as long as the process.
        let _ = events.send(Event::Ended(ended));
    };
    let thread = thread::Builder::new().name(format!("worker-{}", index + 1)).spawn(body);
    thread.map(drop).map_err(|error| no_thread("worker", error))
}

fn work(setup: Setup, events: &UnboundedSender<Event>) -> Result<(), StartError> {
    let index = setup.index;
    let ready = || drop(events.send(Event::Ready));
    match catch_unwind(AssertUnwindSafe(|| worker::run(setup, ready))) {
        Ok(result) => result.map_err(|error| ring_refused(&format!("worker {}", index + 1), error)),
        Err(panic) => Err(StartError::new(format!("worker {} failed: {}", index + 1, panic_text(&*panic)))
            .with_cause("this is an error in Pronk")
            .with_remedy("please report it with this line and the configuration")),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Failing is no reason not to serve: a configuration may have come from a larger machine.
fn pin(index: usize, place: &Place) {
    let Err(error) = cpu::pin(&place.cpus) else { return };
    let (worker, cpus, reason) = (index + 1, listed(&place.cpus), strerror(&error));
    if place.demanded {
        let text = format!(
            "worker {worker} cannot be bound to CPU {cpus} of cpu-map ({reason}): 'taskset -cp $$' shows the allowed ones. It runs on any."
        );
        report::warning(&text);
    } else {
        tracing::warn!(worker, cpus, reason, "not bound to a CPU");
    }
}

fn listed(cpus: &[u16]) -> String {
    cpus.iter().map(u16::to_string).collect::<Vec<_>>().join(",")
}

fn no_thread(what: &str, error: io::Error) -> StartError {
    StartError::new(format!("[haproxy.main()] Cannot start a {what} thread"))
        .with_errno(error)
        .with_cause("the limit on threads or descriptors is reached")
        .with_remedy("check 'ulimit -u' and 'ulimit -n', or lower nbthread")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_keep_their_message() {
        let text = |panic: Box<dyn Any + Send>| panic_text(&*panic).to_owned();
        assert_eq!(text(Box::new("plain")), "plain");
        assert_eq!(text(Box::new("made".to_owned())), "made");
        assert_eq!(text(Box::new(7)), "no message");
    }

    #[test]
    fn workers_spin_as_told_but_not_side_by_side_on_one_cpu() {
        let mut config = Config::default();
        let places = |cpus: &[u16]| -> Vec<Place> {
            cpus.iter().map(|&cpu| Place { cpus: vec![cpu], demanded: true }).collect()
        };
        assert_eq!(spin(&config.global, &places(&[0, 1])), Spinning::WhenItPays);
        assert_eq!(spin(&config.global, &places(&[0, 0])), Spinning::Never);
        config.global.tune.busy_spin = BusySpin::Us(50);
        assert_eq!(spin(&config.global, &places(&[0, 1])), Spinning::For(Duration::from_micros(50)));
        assert_eq!(spin(&config.global, &places(&[0, 0])), Spinning::Never);
        let mut uneven = places(&[0, 0, 1]);
        uneven[2].cpus = vec![1, 2, 3];
        assert_eq!(spin(&config.global, &uneven), Spinning::Never, "two of three on one CPU");
        let mut pairs = places(&[0, 0, 0, 2]);
        pairs.iter_mut().for_each(|place| place.cpus.push(place.cpus[0] + 1));
        assert_eq!(spin(&config.global, &pairs), Spinning::Never, "three of four on two CPUs");
        assert_eq!(spin(&config.global, &pairs[1..]), Spinning::For(Duration::from_micros(50)));
        config.global.tune.busy_spin = BusySpin::Us(0);
        assert_eq!(spin(&config.global, &places(&[0])), Spinning::Never);
        config.global.tune.busy_polling = true;
        assert_eq!(spin(&config.global, &places(&[0, 0])), Spinning::Always);
    }
}
