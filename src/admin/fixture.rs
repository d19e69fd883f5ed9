//! Statistics of a process that never ran, for unit tests.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::console::Console;
use super::dialogue::Line;
use super::reload;
use super::{Herald, Powers, Shared, Site};
use crate::config::model::{
    Bind, BindId, CliLevel, Config, ListenAddress, Mode, ProxyId, ProxyKind, StatsPage,
};
use crate::health;
use crate::load::Load;
use crate::stats::counters::WorkerCounters;
use crate::stats::{Limits, Rates, Sources};
use crate::table::TablePublisher;
use crate::table::fixture::backend;
use crate::worker::mailbox::crew;

/// A frontend `fe` (id 2), a backend `be` (3) with two servers, and a listen `web` (4) with a page at `/stats`.
pub fn config() -> Config {
    let mut frontend = backend("fe", 0);
    frontend.kind = ProxyKind::Frontend;
    let mut web = backend("web", 0);
    (web.kind, web.mode, web.stats) = (ProxyKind::Listen, Mode::Http, Some(page()));
    web.binds = vec![BindId(0)];
    let mut proxies = vec![frontend, backend("be", 2), web];
    for (proxy, id) in proxies.iter_mut().zip(2..) {
        proxy.id = id;
    }
    let bind = Bind::new(ProxyId(2), 1, ListenAddress::Tcp(([127, 0, 0, 1], 8404).into()));
    Config { proxies, binds: vec![bind], ..Config::default() }
}

/// A page at `/stats` with no setting beyond that.
pub fn page() -> StatsPage {
    StatsPage {
        uri: "/stats".to_owned(),
        realm: None,
        auth: Vec::new(),
        refresh: None,
        hide_version: false,
        show_legends: false,
        show_node: None,
        show_desc: None,
        scope: Vec::new(),
        admin: Vec::new(),
    }
}

/// The statistics of [`config`].
pub fn shared() -> Shared {
    sources(config())
}

/// The statistics of any configuration.
pub fn sources(config: Config) -> Shared {
    let config = Arc::new(config);
    let load = Arc::new(Load::new(&config, 1));
    let publisher = TablePublisher::new(Arc::clone(&config), &load);
    let counters = Arc::new(WorkerCounters::new(&config, load.server_capacity()));
    Rc::new(RefCell::new(Sources {
        table: publisher.shared(),
        rates: Rates::new(&config),
        history: crate::stats::History::default(),
        load,
        config,
        counters: vec![counters],
        start: Instant::now(),
        started_at: SystemTime::now(),
        dropped_logs: Arc::default(),
        limits: Limits::default(),
        workers: 1,
        hostname: "host".to_owned(),
        warnings: 0,
        boot_ms: 0,
        standings: Default::default(),
        stopping: false,
        forgotten_sessions: 0,
    }))
}

/// The listener of the page of a configuration's third proxy; it logs nothing.
pub fn site_of(config: Config) -> Site {
    let targets = crate::log::open(&config, false).expect("there are no targets");
    let (log, mut sinks) = crate::log::start(Arc::new(config.clone()), targets, 1, "host").expect("a thread");
    log.close();
    let journal = Rc::new(RefCell::new(sinks.pop().expect("one sink")));
    let (crew, ..) = crew(0).expect("descriptors");
    let health = health::channel().0;
    Site { shared: sources(config), journal, health, crew, proxy: ProxyId(2), bind: BindId(0) }
}

/// Runs a future as the control thread would.
pub fn local<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, future)
}

/// A client with this level of a process without workers whose health thread has ended.
pub fn console(level: CliLevel) -> Console {
    let (crew, ..) = crew(0).expect("descriptors");
    let powers = Powers {
        shared: shared(),
        health: health::channel().0,
        crew,
        reload: reload::channel().0,
        holdings: Rc::default(),
        gates: Rc::default(),
        herald: Herald::new(|_, _| {}),
        startup_logs: "said at the start\n".into(),
    };
    Console::new(powers, level)
}

/// The answers to one line.
pub fn ask(console: &mut Console, line: &str) -> String {
    local(async {
        console.hear(&Line::from(line));
        let mut answers = String::new();
        while let Some(answer) = console.follow().await {
            answers.push_str(&answer);
        }
        answers
    })
}
