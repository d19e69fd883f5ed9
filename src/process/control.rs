//! The control thread: signals, the end of workers, statistics each second, stats sockets and page.
//!
//! ```text
//! Starting -- every worker ready --> Running -- USR1 --> Stopping -- no session left --> Finished
//!     any state -- TERM, INT --> by that signal      any state -- a worker failed --> Failed
//! ```

use std::cell::{Cell, RefCell};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout, timeout_at};

use super::announce;
use super::background::Promise;
use super::bond::Bond;
use super::error::StartError;
use super::limits::Budget;
use super::pages::Pages;
use super::reload::{Origin, Reloader};
use super::report::{self, Severity};
use super::signals::{self, Asked};
use super::stderr;
use super::succession::Succession;
use super::threads::{Event, Threads};
use crate::admin::{self, Gate, Herald, Listener, Powers, Shared};
use crate::config::model::{BindId, ListenAddress};
use crate::health::HealthThread;
use crate::log::{Level, LogHandle};
use crate::sys::signal::{die_of, unblock_all};
use crate::worker::Peers;
use crate::worker::mailbox::{Command, Crew, Returns};

/// How long cut workers may take to return; then the process ends without them.
const CUT_TIME: Duration = Duration::from_secs(2);

/// Sockets that the control thread serves.
#[derive(Debug)]
pub struct Services {
    /// Of `mode http` proxies, and pairs of sockets.
    pub pages: Vec<(BindId, OwnedFd)>,
    /// Of `stats socket` lines, by their place.
    pub stats: Vec<(usize, OwnedFd)>,
}

/// How long sessions may take to end that a hard stop ends.
const RESISTANCE: Duration = Duration::from_secs(1);

/// A listener of the control thread.
#[derive(Debug)]
pub struct Served {
    /// None: a stats socket.
    pub bind: Option<BindId>,
    /// Accepts from it.
    pub task: JoinHandle<()>,
}

/// All of them, shared by the tasks of the control thread.
pub type Serving = Rc<RefCell<Vec<Served>>>;

/// How the process ends.
#[derive(Debug)]
pub enum Ending {
    /// After a soft stop: status 0.
    Finished,
    /// Of a signal, which the parent sees.
    Signal(i32),
    /// A thread could not start or broke.
    Failed(StartError),
}

impl Ending {
    /// Leaves, in the way the ending asks for.
    pub fn leave(self) -> ExitCode {
        if let Ending::Failed(error) = &self {
            report::start_error(error);
        }
        stderr::finish();
        match self {
            Ending::Finished => ExitCode::SUCCESS,
            Ending::Signal(signal) => die_of(signal),
            Ending::Failed(_) => ExitCode::FAILURE,
        }
    }
}

/// The control thread's state.
pub struct Control {
    shared: Shared,
    crew: Crew,
    returns: Option<Returns>,
    events: UnboundedReceiver<Event>,
    health: HealthThread,
    log: LogHandle,
    services: Option<Services>,
    promise: Option<Promise>,
    bond: Option<Bond>,
    /// Connections from the master, until it is gone.
    attending: Option<JoinHandle<()>>,
    succession: Succession,
    /// Sessions are being taken over, until all that could move at once have been.
    taking: Option<oneshot::Receiver<()>>,
    peers: Arc<Peers>,
    pages: Pages,
    serving: Serving,
    reloader: Option<JoinHandle<()>>,
    origin: Option<Arc<Origin>>,
    budget: Budget,
    /// To pause what is served.
    gates: Rc<RefCell<Vec<Gate>>>,
    /// What commands and signals act on, once everything runs.
    powers: Option<Powers>,
    /// The end of listening, under way.
    leaving: Option<JoinHandle<()>>,
    /// Clients that the stats sockets have served.
    cli_clients: Rc<Cell<u64>>,
    ready: usize,
    ended: usize,
    stopping: bool,
    hard_stop_at: Option<Instant>,
    hard_stopping: bool,
}

impl Control {
    /// With every thread started and nothing served yet.
    pub fn new(
        threads: Threads,
        services: Services,
        succession: Succession,
        promise: Option<Promise>,
        bond: Option<Bond>,
        (origin, budget): (Option<Origin>, Budget),
    ) -> Control {
        let shared = Rc::new(RefCell::new(threads.sources));
        let (serving, gates) = (Serving::default(), Rc::default());
        let acting = (Rc::clone(&shared), threads.health.remote(), threads.crew.clone());
        Control {
            pages: Pages::new(acting, threads.journal, Rc::clone(&serving), Rc::clone(&gates)),
            shared,
            crew: threads.crew,
            returns: Some(threads.returns),
            events: threads.events,
            health: threads.health,
            log: threads.log,
            services: Some(services),
            promise,
            bond,
            attending: None,
            succession,
            taking: None,
            peers: threads.peers,
            serving,
            reloader: None,
            origin: origin.map(Arc::new),
            budget,
            gates,
            powers: None,
            leaving: None,
            cli_clients: Rc::default(),
            ready: 0,
            ended: 0,
            stopping: false,
            hard_stop_at: None,
            hard_stopping: false,
        }
    }

    /// Runs to the end of the process.
    pub async fn run(mut self) -> Ending {
        let returns = self.returns.take().map(|returns| {
            tokio::task::spawn_local(async {
                if let Err(error) = returns.deliver().await {
                    tracing::error!(%error, "answers of workers are not delivered");
                }
            })
        });
        let ending = self.watch().await;
        if let (Some(leaving), Ending::Finished) = (self.leaving.take(), &ending) {
            // The last worker may end before its sockets' copies are closed in their order.
            let _ = timeout(CUT_TIME, leaving).await;
        }
        returns.iter().for_each(JoinHandle::abort);
        self.end_reloads().await;
        self.serving.borrow().iter().for_each(|served| served.task.abort());
        self.cut_workers().await;
        self.health.stop();
        self.log.close();
        if let (Ending::Failed(error), Some(bond)) = (&ending, &mut self.bond) {
            bond.failed(&report::start_error_text(error));
        }
        ending
    }

    /// Who waits for a reload is told that none will come.
    async fn end_reloads(&mut self) {
        let Some(reloader) = self.reloader.take() else { return };
        reloader.abort();
        let _ = reloader.await;
        // The clients' turn: once to hear it, once more to say it.
        yield_now().await;
        yield_now().await;
    }

    async fn watch(&mut self) -> Ending {
        let received = signals::receive();
        unblock_all();
        let mut asked = match received {
            Ok(asked) => asked,
            Err(error) => return Ending::Failed(StartError::new("cannot receive signals").with_errno(error)),
        };
        let mut seconds = interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let hard_stop_at = self.hard_stop_at;
            let ending = tokio::select! {
                Some(event) = self.events.recv() => self.on_event(event),
                Some(asked) = asked.recv() => self.on_signal(asked),
                _ = seconds.tick() => self.on_second(),
                () = at(hard_stop_at) => self.on_hard_stop(),
                () = taken(&mut self.taking) => self.on_taken(),
                () = gone(&mut self.attending) => {
                    Some(Ending::Failed(StartError::new("the master process has gone")))
                }
            };
            if let Some(ending) = ending {
                return ending;
            }
        }
    }

    fn on_event(&mut self, event: Event) -> Option<Ending> {
        match event {
            Event::Ready => {
                self.ready += 1;
                if self.ready == self.crew.count() { self.on_started() } else { None }
            }
            Event::Ended(Ok(())) if self.stopping => {
                self.ended += 1;
                (self.ended == self.crew.count()).then_some(Ending::Finished)
            }
            Event::Ended(result) => {
                self.ended += 1;
                let unasked = || StartError::new("a worker ended without being told to");
                Some(Ending::Failed(result.err().unwrap_or_else(unasked)))
            }
        }
    }

    /// Every worker accepts: serve people too, and tell the parent.
    fn on_started(&mut self) -> Option<Ending> {
        let reload = self.await_reloads();
        let powers = self.powers.insert(self.powers(reload)).clone();
        if let Some(services) = self.services.take()
            && let Err(error) = self.serve(services, &powers)
        {
            return Some(Ending::Failed(error));
        }
        report::started();
        self.taking = self.succession.take_sessions(&self.crew, &self.shared.borrow().table);
        if self.taking.is_some() { None } else { self.on_taken() }
    }

    /// What could move at once has: whoever served before may go, and the parent and the master are told.
    fn on_taken(&mut self) -> Option<Ending> {
        self.taking = None;
        self.succession.dismiss();
        if let (Some(bond), Some(powers)) = (self.bond.take(), self.powers.clone())
            && let Err(error) = self.attend(bond, powers)
        {
            return Some(Ending::Failed(StartError::new("the master does not listen").with_errno(error)));
        }
        if let Some(promise) = self.promise.take() {
            promise.keep();
        }
        None
    }

    /// Tells the master that everything runs, and serves the consoles that it connects.
    fn attend(&mut self, mut bond: Bond, powers: Powers) -> std::io::Result<()> {
        bond.ready()?;
        let sockets = Rc::clone(&self.succession.holdings);
        let clients = Rc::clone(&self.cli_clients);
        self.attending = Some(tokio::task::spawn_local(async move {
            let serve = |connection, level| {
                clients.set(clients.get() + 1);
                let rights = admin::Rights { level, sockets: Some(Rc::clone(&sockets)) };
                tokio::task::spawn_local(admin::serve_connection(connection, rights, powers.clone()));
            };
            if let Err(error) = bond.attend(serve).await {
                tracing::error!(%error, "the master cannot be heard");
            }
        }));
        Ok(())
    }

    fn serve(&mut self, services: Services, powers: &Powers) -> Result<(), StartError> {
        let failed = |error| StartError::new("cannot serve statistics").with_errno(error);
        let config = Arc::clone(&self.shared.borrow().config);
        for (bind, socket) in services.pages {
            self.pages.serve(&config, bind, socket).map_err(failed)?;
        }
        let places = Arc::new(Semaphore::new(config.global.stats_maxconn.max(1) as usize));
        for (line, socket) in services.stats {
            let settings = &config.global.stats_sockets[line];
            let mut listener = Listener::new(socket).map_err(failed)?;
            if matches!(settings.address, ListenAddress::Tcp(_)) {
                self.gates.borrow_mut().push(listener.gate(None, false));
            }
            let rights = admin::Rights {
                level: settings.level,
                sockets: settings.expose_fd_listeners.then(|| Rc::clone(&self.succession.holdings)),
            };
            let (places, clients) = (Arc::clone(&places), Rc::clone(&self.cli_clients));
            let serving = admin::serve_stats_socket(listener, rights, powers.clone(), places, clients);
            let served = Served { bind: None, task: tokio::task::spawn_local(serving) };
            self.serving.borrow_mut().push(served);
        }
        Ok(())
    }

    fn await_reloads(&mut self) -> admin::reload::Reload {
        let (reload, asked) = admin::reload::channel();
        let reloader = Reloader {
            shared: Rc::clone(&self.shared),
            crew: self.crew.clone(),
            health: self.health.remote(),
            pages: self.pages.clone(),
            holdings: Rc::clone(&self.succession.holdings),
            serving: Rc::clone(&self.serving),
            gates: Rc::clone(&self.gates),
            origin: self.origin.clone(),
            budget: self.budget,
        };
        self.reloader = Some(tokio::task::spawn_local(reloader.serve(asked)));
        reload
    }

    /// What commands act on, and signals.
    fn powers(&self, reload: admin::reload::Reload) -> Powers {
        let log = self.log.clone();
        let herald = Herald::new(move |proxy, text| {
            report::event(Severity::Warning, &text);
            log.notice(proxy, Level::Warning, text);
        });
        Powers {
            shared: Rc::clone(&self.shared),
            health: self.health.remote(),
            crew: self.crew.clone(),
            reload,
            holdings: Rc::clone(&self.succession.holdings),
            gates: Rc::clone(&self.gates),
            herald,
            startup_logs: report::startup_log().into(),
        }
    }

    fn on_signal(&mut self, asked: Asked) -> Option<Ending> {
        match asked {
            Asked::Stop(signal) => return Some(Ending::Signal(signal)),
            Asked::SoftStop => self.soft_stop(),
            Asked::Tell => self.tell(announce::states(&self.shared.borrow(), self.cli_clients.get())),
            Asked::Pause => self.meanwhile(|powers| async move { admin::pause_all(&powers).await }),
            Asked::Resume => self.meanwhile(|powers| async move { admin::resume_all(&powers).await }),
            Asked::Ignored(name, instead) => {
                report::event(Severity::Warning, &format!("{name} has no effect in Pronk: {instead}."));
            }
        }
        None
    }

    /// Does what takes a moment without keeping the control thread from anything else.
    fn meanwhile<F: Future<Output = ()> + 'static>(&self, work: impl FnOnce(Powers) -> F) {
        if let Some(powers) = self.powers.clone() {
            tokio::task::spawn_local(work(powers));
        }
    }

    fn soft_stop(&mut self) {
        if std::mem::replace(&mut self.stopping, true) {
            return;
        }
        self.shared.borrow_mut().stopping = true;
        let serving = std::mem::take(&mut *self.serving.borrow_mut());
        let serving = serving.into_iter().map(|served| served.task).collect();
        self.leaving = Some(self.succession.leave(self.crew.clone(), Arc::clone(&self.peers), serving));
        self.tell(announce::stopped(&self.shared.borrow(), self.cli_clients.get()));
        let limit = self.shared.borrow().config.global.hard_stop_after_ms;
        self.hard_stop_at = limit.map(|ms| Instant::now() + Duration::from_millis(u64::from(ms)));
    }

    /// Messages to the logs and to standard error.
    fn tell(&self, lines: Vec<announce::Line>) {
        for line in lines {
            report::event(Severity::Warning, &line.text);
            self.log.notice(line.proxy, line.level, line.text);
        }
    }

    /// `hard-stop-after`: the sessions that are left end, each with its line in the log; whatever resists that ends with the
    /// process, as in HAProxy.
    fn on_hard_stop(&mut self) -> Option<Ending> {
        if std::mem::replace(&mut self.hard_stopping, true) {
            let text = "Some tasks resisted to hard-stop, exiting now.";
            report::event(Severity::Warning, text);
            return Some(Ending::Finished);
        }
        self.tell(announce::hard_stopped(&self.shared.borrow()));
        self.hard_stop_at = Some(Instant::now() + RESISTANCE);
        let crew = self.crew.clone();
        tokio::task::spawn_local(async move { admin::end_of_all(&crew).await });
        None
    }

    fn on_second(&mut self) -> Option<Ending> {
        self.shared.borrow_mut().sample();
        self.health.has_ended().then(|| {
            let error = StartError::new("the health thread ended without being told to");
            Ending::Failed(error.with_cause("this is an error in Pronk").with_remedy("please report it"))
        })
    }

    /// Workers that still run return at once; their sessions are reset by the kernel.
    async fn cut_workers(&mut self) {
        self.crew.tell(|| Command::HardStop);
        let deadline = Instant::now() + CUT_TIME;
        while self.ended < self.crew.count() {
            match timeout_at(deadline, self.events.recv()).await {
                Ok(Some(Event::Ended(_))) => self.ended += 1,
                Ok(Some(Event::Ready)) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }
}

/// When the sender has told or is gone; never without one.
async fn taken(taking: &mut Option<oneshot::Receiver<()>>) {
    match taking {
        Some(taking) => drop(taking.await),
        None => std::future::pending().await,
    }
}

/// When the master has gone; never without one.
async fn gone(attending: &mut Option<JoinHandle<()>>) {
    match attending {
        Some(attending) => drop(attending.await),
        None => std::future::pending().await,
    }
}

/// That moment; never when there is none.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
