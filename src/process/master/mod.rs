//! The master of `-W`: one thread that starts worker processes, passes signals on and answers on its socket.
//!
//! ```text
//! start or reload -- worker says READY --> it is current, the one before finishes its sessions
//!                 -- worker says FAILED or ends --> the one before goes on
//! ```
//! A worker is this program executed once more with the same command line; it reads the configuration itself
//! and asks the worker before for its listening sockets.

mod console;
mod notify;
mod roster;
mod routing;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::process::{ExitCode, ExitStatus};
use std::rc::Rc;

use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::yield_now;

use super::background::{self, Detached, PidFile, Promise};
use super::error::StartError;
use super::invocation::Invocation;
use super::listen::{self, NOT_LISTENING};
use super::report::{self, Severity};
use super::stderr;
use crate::config::model::{CliLevel, Global, StatsSocket};
use crate::sys::signal::unblock_all;
use notify::Supervisor;
use roster::{Former, Roster, Standing, Worker, code, connect};

/// What the consoles and the loop have in common.
type Shared = Rc<RefCell<Roster>>;

/// What happens to a master.
#[derive(Debug)]
enum Event {
    /// A worker has said how its start went: ready or not, and its messages.
    Said(i32, bool, String),
    /// A signal.
    Signal(i32),
    /// `reload` on the master socket; true: the former worker ends at once.
    Reload(bool, oneshot::Sender<Outcome>),
}

/// How a reload went, and what was said.
#[derive(Clone, Debug)]
struct Outcome {
    succeeded: bool,
    log: String,
}

/// A reload that was asked for.
#[derive(Debug)]
struct Wish {
    hard: bool,
    answer: Option<oneshot::Sender<Outcome>>,
}

impl Wish {
    fn tell(self, outcome: Outcome) {
        // Whoever asked may have gone.
        let _ = self.answer.map(|answer| answer.send(outcome));
    }
}

struct Master {
    invocation: Invocation,
    shared: Shared,
    supervisor: Supervisor,
    exit_on_failure: bool,
    max_reloads: Option<u32>,
    events: UnboundedSender<Event>,
    /// The start that is under way; the very first one was wished by nobody.
    under_way: Option<Wish>,
    wishes: VecDeque<Wish>,
    promise: Option<Promise>,
    /// The status to leave with when the last worker has ended.
    leaving: Option<u8>,
    /// The status of the first worker that ended while it served, though nobody had told it to.
    crashed: Option<u8>,
}

/// Runs as a master until the end. `global` is the configuration's.
pub fn run(global: &Global, invocation: &Invocation) -> ExitCode {
    match prepare(global, invocation) {
        Ok(Err(status)) => ExitCode::from(status),
        Ok(Ok((promise, sockets))) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let local = tokio::task::LocalSet::new();
            match runtime {
                Ok(runtime) => {
                    let (events, happened) = unbounded_channel();
                    let master = Master::new(global, invocation, events, promise);
                    ExitCode::from(local.block_on(&runtime, master.run(happened, sockets)))
                }
                Err(error) => {
                    fail(StartError::new("[haproxy.main()] Cannot start the master").with_errno(error))
                }
            }
        }
        Err(error) => fail(error),
    }
}

fn fail(error: StartError) -> ExitCode {
    report::start_error(&error);
    ExitCode::FAILURE
}

type Prepared = (Option<Promise>, Vec<(std::os::fd::OwnedFd, CliLevel)>);

/// Socket, pid file, background; the inner error is the status of the parent of a master in the background.
fn prepare(global: &Global, invocation: &Invocation) -> Result<Result<Prepared, u8>, StartError> {
    let mut sockets = Vec::new();
    for socket in master_sockets(invocation)? {
        let opened = listen::console(&socket).map_err(|error| {
            report::start_error(&error);
            StartError::new(NOT_LISTENING)
        })?;
        sockets.push((opened, socket.level));
    }
    let pidfile = global.pidfile.as_deref().map(PidFile::open).transpose()?;
    let promise = match global.daemon && !invocation.systemd {
        true => match background::detach()? {
            Detached::Parent(status) => return Ok(Err(status)),
            Detached::Child(promise) => Some(promise),
        },
        false => None,
    };
    pidfile.map_or(Ok(()), PidFile::write)?;
    Ok(Ok((promise, sockets)))
}

/// Whether a master could listen where the command line says; nothing is bound.
pub fn check_sockets(invocation: &Invocation) -> Result<(), StartError> {
    master_sockets(invocation).map(drop)
}

/// `-S ADDR[,option…]`: a `stats socket` line with commas for blanks.
fn master_sockets(invocation: &Invocation) -> Result<Vec<StatsSocket>, StartError> {
    let mut sockets = Vec::new();
    for text in &invocation.master_sockets {
        let line = format!("global\n stats socket {}\n", text.replace(',', " "));
        let source = crate::config::Source { name: "-S".to_owned(), text: line.into_bytes() };
        let environment = super::sources::environment(&[], None);
        let source = [source];
        let supplies = super::sources::supply(&source, &environment, invocation.ipv4_first);
        let (config, said) = crate::config::parse(&source, &environment, &supplies);
        let Some(config) = config else {
            super::load::tell(&said, invocation);
            return Err(StartError::new(format!(
                "[haproxy.main()] '-S {text}' is no address for the master socket"
            ))
            .with_remedy("as in: -S /run/haproxy-master.sock,mode,600"));
        };
        let given = text.contains(",level,");
        sockets.extend(config.global.stats_sockets.into_iter().map(|socket| StatsSocket {
            level: if given { socket.level } else { CliLevel::Admin },
            ..socket
        }));
    }
    Ok(sockets)
}

impl Master {
    fn new(
        global: &Global,
        invocation: &Invocation,
        events: UnboundedSender<Event>,
        promise: Option<Promise>,
    ) -> Master {
        Master {
            invocation: invocation.clone(),
            shared: Rc::new(RefCell::new(Roster::new())),
            supervisor: if invocation.systemd { Supervisor::of_environment() } else { Supervisor::default() },
            exit_on_failure: !global.no_exit_on_failure,
            max_reloads: global.max_reloads,
            events,
            under_way: None,
            wishes: VecDeque::new(),
            promise,
            leaving: None,
            crashed: None,
        }
    }

    async fn run(
        mut self,
        mut happened: UnboundedReceiver<Event>,
        sockets: Vec<(std::os::fd::OwnedFd, CliLevel)>,
    ) -> u8 {
        if let Err(error) = self.receive_signals() {
            report::start_error(&StartError::new("cannot receive signals").with_errno(error));
            return 1;
        }
        for (socket, level) in sockets {
            let address = console::shown(&socket);
            if let Err(error) =
                console::serve(socket, level, address, self.shared.clone(), self.events.clone())
            {
                report::start_error(&StartError::new("cannot serve the master socket").with_errno(error));
                return 1;
            }
        }
        self.begin(Wish { hard: false, answer: None }).await;
        while self.leaving.is_none() || !self.shared.borrow().workers.is_empty() {
            let Some(event) = happened.recv().await else { return 1 };
            self.on_event(event).await;
        }
        let status = self.leaving.unwrap_or(1);
        report::event(Severity::Warning, &format!("All workers exited. Exiting... ({status})"));
        self.end_reloads(happened).await;
        stderr::finish();
        status
    }

    /// Who asked for a reload too late for the loop is told, and has a turn to hear it and one to say it.
    async fn end_reloads(&mut self, mut happened: UnboundedReceiver<Event>) {
        happened.close();
        while let Ok(event) = happened.try_recv() {
            if let Event::Reload(hard, answer) = event {
                self.wishes.push_back(Wish { hard, answer: Some(answer) });
            }
        }
        self.refuse();
        yield_now().await;
        yield_now().await;
    }

    fn receive_signals(&self) -> std::io::Result<()> {
        let numbers = [
            libc::SIGTERM,
            libc::SIGINT,
            libc::SIGUSR1,
            libc::SIGUSR2,
            libc::SIGHUP,
            libc::SIGCHLD,
            libc::SIGQUIT,
            libc::SIGTTIN,
            libc::SIGTTOU,
        ];
        for number in numbers {
            let (mut signals, events) = (signal(SignalKind::from_raw(number))?, self.events.clone());
            tokio::task::spawn_local(async move {
                while signals.recv().await.is_some() && events.send(Event::Signal(number)).is_ok() {}
            });
        }
        unblock_all();
        Ok(())
    }

    async fn on_event(&mut self, event: Event) {
        match event {
            Event::Said(pid, true, log) => {
                // It may have ended since, and whichever is heard first: the worker before serves on.
                self.on_ended();
                if self.shared.borrow_mut().with_pid(pid).is_some() {
                    self.on_ready(pid, log);
                }
            }
            Event::Said(pid, false, log) => {
                self.shared.borrow_mut().log = log;
                tracing::debug!(pid, "a worker cannot start");
            }
            Event::Signal(libc::SIGCHLD) => self.on_ended(),
            Event::Signal(libc::SIGUSR2 | libc::SIGHUP) => {
                self.wishes.push_back(Wish { hard: false, answer: None });
            }
            Event::Signal(libc::SIGTERM) => self.leave(Signal::TERM, 0),
            Event::Signal(libc::SIGINT) => self.leave(Signal::TERM, 130),
            Event::Signal(libc::SIGUSR1) => self.leave(Signal::USR1, 0),
            Event::Signal(_) => {}
            Event::Reload(hard, answer) => self.wishes.push_back(Wish { hard, answer: Some(answer) }),
        }
        if self.leaving.is_some() {
            return self.refuse();
        }
        // One start at a time; what was wished meanwhile comes next.
        if self.under_way.is_none()
            && let Some(wish) = self.wishes.pop_front()
        {
            self.reload(wish).await;
        }
    }

    /// Tells all who wait for a reload that none will come.
    fn refuse(&mut self) {
        let log = report::line(Severity::Alert, "the master is stopping and takes no new configuration.");
        for wish in self.under_way.take().into_iter().chain(self.wishes.drain(..)) {
            wish.tell(Outcome { succeeded: false, log: log.clone() });
        }
    }

    async fn reload(&mut self, wish: Wish) {
        report::event(Severity::Notice, "Reloading HAProxy");
        self.supervisor.reloading();
        self.shared.borrow_mut().reloads += 1;
        self.begin(wish).await;
    }

    /// Starts a worker process that takes over from the current one.
    async fn begin(&mut self, wish: Wish) {
        self.under_way = Some(wish);
        self.shared.borrow_mut().log.clear();
        let former = self.former().await;
        match Worker::start(&former, &self.invocation) {
            Ok(worker) => {
                report::event(Severity::Notice, &format!("New worker ({}) forked", worker.pid()));
                let (channel, events) = (Rc::clone(&worker.channel), self.events.clone());
                let pid = worker.pid();
                self.shared.borrow_mut().workers.push(worker);
                tokio::task::spawn_local(async move {
                    if let Ok((ready, log)) = hear(&channel).await {
                        // Nobody listens any more when the master leaves.
                        let _ = events.send(Event::Said(pid, ready, log));
                    }
                });
            }
            Err(error) => {
                let error =
                    StartError::new("[haproxy.main()] Cannot start a worker process").with_errno(error);
                report::start_error(&error);
                self.on_failed_start(1);
            }
        }
    }

    /// The current worker, as the next one is told of it. One that is to end at once keeps its sessions.
    async fn former(&self) -> Former {
        let hard = self.under_way.as_ref().is_some_and(|wish| wish.hard);
        let current = self.shared.borrow().current().map(|worker| (Rc::clone(&worker.channel), worker.pid()));
        let gone = Former { pid: if self.shared.borrow().reloads > 0 { -1 } else { 0 }, ..Former::default() };
        let Some((channel, pid)) = current else { return gone };
        let Ok(sockets) = connect(&channel, CliLevel::Admin).await else { return gone };
        let sessions = if hard { None } else { connect(&channel, CliLevel::Admin).await.ok() };
        let states = connect(&channel, CliLevel::User).await.ok();
        Former { pid, connections: [Some(sockets), sessions, states] }
    }

    fn on_ready(&mut self, pid: i32, log: String) {
        let hard = self.under_way.as_ref().is_some_and(|wish| wish.hard);
        let mut roster = self.shared.borrow_mut();
        roster.log = log;
        roster.failed = 0;
        for worker in &mut roster.workers {
            if worker.pid() == pid {
                worker.standing = Standing::Current;
                continue;
            }
            worker.reloads += 1;
            if worker.standing == Standing::Current {
                worker.standing = Standing::Former;
                worker.signal(if hard { Signal::TERM } else { Signal::USR1 });
            } else if self.max_reloads.is_some_and(|most| worker.reloads > most) {
                worker.signal(Signal::TERM);
            }
        }
        drop(roster);
        report::event(Severity::Notice, "Loading success.");
        self.supervisor.ready();
        report::started();
        if let Some(promise) = self.promise.take() {
            promise.keep();
        }
        self.answer(true);
    }

    fn answer(&mut self, succeeded: bool) {
        if let Some(wish) = self.under_way.take() {
            wish.tell(Outcome { succeeded, log: self.shared.borrow().log.clone() });
        }
    }

    /// Some worker process has ended.
    fn on_ended(&mut self) {
        let mut gone = Vec::new();
        self.shared.borrow_mut().workers.retain_mut(|worker| match worker.ended() {
            None => true,
            Some(status) => {
                gone.push((worker.pid(), worker.standing, status));
                false
            }
        });
        for (pid, standing, status) in gone {
            self.on_gone(pid, standing, status);
        }
        self.leave_the_deserted();
    }

    /// A master whose last worker has ended serves nobody, whatever `no-exit-on-failure` says: whoever started it is to see
    /// that, as with HAProxy.
    fn leave_the_deserted(&mut self) {
        let deserted = self.shared.borrow().workers.is_empty() && self.under_way.is_none();
        if deserted && self.wishes.is_empty() && self.leaving.is_none() {
            self.leave(Signal::TERM, self.crashed.unwrap_or(0));
        }
    }

    fn on_gone(&mut self, pid: i32, standing: Standing, status: ExitStatus) {
        let (code, word) = code(status);
        let kind = if standing == Standing::Former { "Former" } else { "Current" };
        let bad = code != 0 && standing != Standing::Former;
        let severity = if bad { Severity::Alert } else { Severity::Warning };
        report::event(severity, &format!("{kind} worker ({pid}) exited with code {code} ({word})"));
        if bad && standing == Standing::Current {
            self.crashed.get_or_insert(code);
        }
        match standing {
            _ if self.leaving.is_some() => {}
            Standing::Starting => self.on_failed_start(code.max(1)),
            Standing::Current if !bad || self.exit_on_failure => {
                report::event(Severity::Alert, "exit-on-failure: killing every processes with SIGTERM");
                self.leave(Signal::TERM, code);
            }
            Standing::Current | Standing::Former => {}
        }
    }

    fn on_failed_start(&mut self, code: u8) {
        let serves = self.shared.borrow().current().is_some();
        self.shared.borrow_mut().failed += 1;
        report::event(Severity::Warning, "Loading failure!");
        self.answer(false);
        if serves || self.shared.borrow().reloads > 0 {
            self.supervisor.failed();
        } else {
            self.leave(Signal::TERM, code);
        }
    }

    fn leave(&mut self, signal: Signal, status: u8) {
        if self.leaving.is_none() && status != 1 {
            report::event(Severity::Warning, "Exiting Master process...");
        }
        // A soft stop may be followed by a hard one.
        self.leaving = Some(self.leaving.filter(|&before| before != 0).unwrap_or(status));
        self.shared.borrow().workers.iter().for_each(|worker| worker.signal(signal));
    }
}

/// What a worker says once: whether it runs, and its messages.
async fn hear(channel: &UnixStream) -> std::io::Result<(bool, String)> {
    let mut reader = BufReader::new(Half(channel));
    let mut line = String::new();
    reader.read_line(&mut line).await?;
    let (word, length) = line.trim_end().split_once(' ').ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let length: u64 = length.parse().map_err(|_| std::io::ErrorKind::InvalidData)?;
    let mut log = Vec::new();
    reader.take(length.min(1 << 20)).read_to_end(&mut log).await?;
    Ok((word == "READY", String::from_utf8_lossy(&log).into_owned()))
}

/// The reading side of a channel that others write to.
struct Half<'a>(&'a UnixStream);

impl tokio::io::AsyncRead for Half<'_> {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        loop {
            std::task::ready!(self.0.poll_read_ready(cx))?;
            match self.0.try_read(buffer.initialize_unfilled()) {
                Ok(length) => {
                    buffer.advance(length);
                    return std::task::Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return std::task::Poll::Ready(Err(error)),
            }
        }
    }
}
