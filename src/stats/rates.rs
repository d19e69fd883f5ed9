//! What only time shows: events per second, their maxima, and since when a backend is up or down.
//!
//! HAProxy's rates slide over the last second; these are of the last whole interval between two
//! samples, taken once a second.

use std::sync::Arc;

use crate::config::model::{BindId, Config, ProxyId};
use crate::session::op::ServerId;
use crate::table::{Backend, Snapshot};

use super::counters::WorkerCounters;

/// Events per second of one counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    last_total: u64,
    /// Of the last interval.
    pub now: u64,
    /// The largest so far.
    pub max: u64,
}

impl Rate {
    fn sample(&mut self, total: u64, elapsed_ms: u64) {
        let events = total.saturating_sub(self.last_total);
        self.last_total = total;
        self.now = events.saturating_mul(1000).div_ceil(elapsed_ms);
        self.max = self.max.max(self.now);
    }
}

/// Whether a backend can serve, and its history (`lastchg`, `downtime`, `chkdown` of its row).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Availability {
    down: bool,
    /// Of the last change, process clock.
    pub since_ms: u64,
    /// Changes from up to down.
    pub downs: u64,
    down_ms: u64,
}

impl Availability {
    /// Time spent without a usable server until `now_ms`.
    pub fn downtime_ms(&self, now_ms: u64) -> u64 {
        self.down_ms + if self.down { now_ms.saturating_sub(self.since_ms) } else { 0 }
    }

    /// An outage shorter than the interval between two samples goes unseen.
    fn sample(&mut self, backend: &Backend) {
        let down = backend.dead() && !backend.servers.is_empty();
        if down == self.down {
            return;
        }
        // The change was the last one of its servers'.
        let changes = backend.servers.iter().map(|server| server.state.since_ms);
        let at = changes.max().unwrap_or(0).max(self.since_ms);
        if down {
            self.downs += 1;
        } else {
            self.down_ms += at - self.since_ms;
        }
        (self.down, self.since_ms) = (down, at);
    }
}

/// Rates of everything that has a row, and of the process.
#[derive(Debug)]
pub struct Rates {
    sampled_ms: u64,
    connections: Rate,
    sessions: Rate,
    bytes_out: Rate,
    idle: Rate,
    frontend_connections: Vec<Rate>,
    frontend_sessions: Vec<Rate>,
    binds: Vec<Rate>,
    backends: Vec<Rate>,
    servers: Vec<Rate>,
    availability: Vec<Availability>,
}

impl Rates {
    /// All zero, for this configuration.
    pub fn new(config: &Config) -> Rates {
        let proxies = config.proxies.len();
        Rates {
            sampled_ms: 0,
            connections: Rate::default(),
            sessions: Rate::default(),
            bytes_out: Rate::default(),
            idle: Rate::default(),
            frontend_connections: vec![Rate::default(); proxies],
            frontend_sessions: vec![Rate::default(); proxies],
            binds: vec![Rate::default(); config.binds.len()],
            backends: vec![Rate::default(); proxies],
            servers: vec![Rate::default(); config.proxies.iter().map(|proxy| proxy.servers.len()).sum()],
            availability: vec![Availability::default(); proxies],
        }
    }

    /// Takes one sample at `now_ms` on the process clock. Called twice within a millisecond, the second
    /// call does nothing.
    pub fn sample(&mut self, now_ms: u64, counters: &[Arc<WorkerCounters>], table: &Snapshot) {
        let elapsed_ms = now_ms.saturating_sub(self.sampled_ms);
        if elapsed_ms == 0 {
            return;
        }
        self.sampled_ms = now_ms;
        self.sample_process(elapsed_ms, counters);
        self.sample_proxies(elapsed_ms, counters);
        self.sample_servers(elapsed_ms, counters);
        for backend in table.backends() {
            self.availability[usize::from(backend.proxy.0)].sample(backend);
        }
    }

    fn sample_process(&mut self, elapsed_ms: u64, counters: &[Arc<WorkerCounters>]) {
        let sum = |of: &dyn Fn(&WorkerCounters) -> u64| counters.iter().map(|worker| of(worker)).sum::<u64>();
        self.connections.sample(sum(&|worker| worker.process().connections.value()), elapsed_ms);
        self.bytes_out.sample(sum(&|worker| worker.process().bytes_out.value()), elapsed_ms);
        self.idle.sample(sum(&|worker| worker.process().idle_ns.value()), elapsed_ms);
    }

    fn sample_proxies(&mut self, elapsed_ms: u64, counters: &[Arc<WorkerCounters>]) {
        let sum = |of: &dyn Fn(&WorkerCounters) -> u64| counters.iter().map(|worker| of(worker)).sum::<u64>();
        let mut sessions = 0;
        for (index, id) in (0..self.backends.len()).zip((0..).map(ProxyId)) {
            let begun = sum(&|worker| worker.frontend(id).sessions.value());
            sessions += begun;
            self.frontend_sessions[index].sample(begun, elapsed_ms);
            let accepted = sum(&|worker| worker.frontend(id).connections.value());
            self.frontend_connections[index].sample(accepted, elapsed_ms);
            self.backends[index].sample(sum(&|worker| worker.backend(id).sessions.value()), elapsed_ms);
        }
        self.sessions.sample(sessions, elapsed_ms);
        for (rate, id) in self.binds.iter_mut().zip((0..).map(BindId)) {
            rate.sample(sum(&|worker| worker.bind(id).sessions.value()), elapsed_ms);
        }
    }

    fn sample_servers(&mut self, elapsed_ms: u64, counters: &[Arc<WorkerCounters>]) {
        for (rate, id) in self.servers.iter_mut().zip((0..).map(ServerId)) {
            rate.sample(counters.iter().map(|worker| worker.server(id).sessions.value()).sum(), elapsed_ms);
        }
    }

    /// Connections accepted by the process (`ConnRate`).
    pub fn connections(&self) -> Rate {
        self.connections
    }

    /// Sessions begun by the process (`SessRate`).
    pub fn sessions(&self) -> Rate {
        self.sessions
    }

    /// Bytes sent by the process (`BytesOutRate`).
    pub fn bytes_out(&self) -> Rate {
        self.bytes_out
    }

    /// Share of the last interval that `workers` workers waited, 0 to 100 (`Idle_pct`); 100 before the first.
    pub fn idle_percent(&self, workers: usize) -> u64 {
        if self.sampled_ms == 0 {
            return 100;
        }
        // Nanoseconds per second and worker, to percent.
        (self.idle.now / (10_000_000 * workers.max(1) as u64)).min(100)
    }

    /// Connections of a frontend (`conn_rate`).
    pub fn frontend_connections(&self, proxy: ProxyId) -> Rate {
        self.frontend_connections[usize::from(proxy.0)]
    }

    /// Sessions of a frontend.
    pub fn frontend(&self, proxy: ProxyId) -> Rate {
        self.frontend_sessions[usize::from(proxy.0)]
    }

    /// Sessions of a bind address.
    pub fn bind(&self, bind: BindId) -> Rate {
        self.binds[usize::from(bind.0)]
    }

    /// Sessions of a backend.
    pub fn backend(&self, proxy: ProxyId) -> Rate {
        self.backends[usize::from(proxy.0)]
    }

    /// Sessions of a server.
    pub fn server(&self, server: ServerId) -> Rate {
        self.servers[server.0 as usize]
    }

    /// Whether and since when a backend can serve.
    pub fn availability(&self, proxy: ProxyId) -> Availability {
        self.availability[usize::from(proxy.0)]
    }
}
