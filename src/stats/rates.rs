//! What only time shows: events per second, and their maxima.
//!
//! A rate slides over the last second, as HAProxy's: the events since the last sample, and of the
//! interval before it the share that still lies within that second.

use std::sync::Arc;

use crate::config::model::{Config, ProxyId};
use crate::session::op::ServerId;
use crate::table::Snapshot;

use super::counters::{Counter, ProcessCounters, WorkerCounters};

/// Events per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Over the last second.
    pub now: u64,
    /// The largest so far.
    pub max: u64,
}

/// What a rate is computed from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Past {
    /// Of the counter at the last sample.
    total: u64,
    /// Per second, in the interval before it.
    rate: u64,
    max: u64,
}

impl Past {
    fn sample(&mut self, total: u64, elapsed_ms: u64) {
        let events = total.saturating_sub(self.total);
        self.total = total;
        // A sample that comes early, as the first one does, makes no second of a few milliseconds.
        let before = self.rate.saturating_mul(1000u64.saturating_sub(elapsed_ms)) / 1000;
        self.rate = before + events.saturating_mul(1000).div_ceil(elapsed_ms.max(1000));
        self.max = self.max.max(self.rate);
    }

    /// When `since_ms` after the last sample the counter stands at `total`.
    fn at(&self, total: u64, since_ms: u64) -> Rate {
        let fresh = total.saturating_sub(self.total).saturating_mul(1000) / since_ms.max(1000);
        let now = fresh + self.rate.saturating_mul(1000u64.saturating_sub(since_ms)) / 1000;
        Rate { now, max: self.max.max(now) }
    }
}

/// Rates of everything that has a row, and of the process.
#[derive(Debug)]
pub struct Rates {
    sampled_ms: u64,
    connections: Past,
    sessions: Past,
    bytes_out: Past,
    cpu_ns: Past,
    frontend_connections: Vec<Past>,
    frontend_sessions: Vec<Past>,
    requests: Vec<Past>,
    backends: Vec<Past>,
    servers: Vec<Past>,
}

/// A sum over all workers.
fn sum(counters: &[Arc<WorkerCounters>], of: impl Fn(&WorkerCounters) -> u64) -> u64 {
    counters.iter().map(|worker| of(worker)).sum()
}

impl Rates {
    /// All zero, for this configuration.
    pub fn new(config: &Config) -> Rates {
        let proxies = config.proxies.len();
        Rates {
            sampled_ms: 0,
            connections: Past::default(),
            sessions: Past::default(),
            bytes_out: Past::default(),
            cpu_ns: Past::default(),
            frontend_connections: vec![Past::default(); proxies],
            frontend_sessions: vec![Past::default(); proxies],
            requests: vec![Past::default(); proxies],
            backends: vec![Past::default(); proxies],
            servers: vec![Past::default(); config.proxies.iter().map(|proxy| proxy.servers.len()).sum()],
        }
    }

    /// Takes one sample at `now_ms` on the process clock, when the process has used `cpu_ns` of processor
    /// time. Called twice within a millisecond, the second call does nothing.
    pub fn sample(&mut self, now_ms: u64, cpu_ns: u64, counters: &[Arc<WorkerCounters>], table: &Snapshot) {
        let elapsed_ms = now_ms.saturating_sub(self.sampled_ms);
        if elapsed_ms == 0 {
            return;
        }
        self.sampled_ms = now_ms;
        self.make_room(table);
        self.cpu_ns.sample(cpu_ns, elapsed_ms);
        let process = |of: fn(&ProcessCounters) -> &Counter| sum(counters, |w| of(w.process()).value());
        self.connections.sample(process(|p| &p.connections), elapsed_ms);
        self.bytes_out.sample(process(|p| &p.bytes_out), elapsed_ms);
        self.sample_proxies(elapsed_ms, counters);
        for (rate, id) in self.servers.iter_mut().zip((0..).map(ServerId)) {
            rate.sample(sum(counters, |worker| worker.server(id).sessions.value()), elapsed_ms);
        }
    }

    /// Takes the counters as they are for the beginning: nothing has happened yet.
    pub fn begin(&mut self, counters: &[Arc<WorkerCounters>], table: &Snapshot) {
        self.sampled_ms = 0;
        self.sample(1, 0, counters, table);
        self.all_mut().for_each(|past| (past.rate, past.max) = (0, 0));
    }

    /// For what a later configuration added; its past is empty.
    fn make_room(&mut self, table: &Snapshot) {
        let proxies = table.config.proxies.len().max(self.backends.len());
        let frontends = [&mut self.frontend_connections, &mut self.frontend_sessions, &mut self.requests];
        for rates in frontends.into_iter().chain([&mut self.backends]) {
            rates.resize(proxies, Past::default());
        }
        let servers = table.server_ids().max(self.servers.len());
        self.servers.resize(servers, Past::default());
    }

    fn sample_proxies(&mut self, elapsed_ms: u64, counters: &[Arc<WorkerCounters>]) {
        let mut sessions = 0;
        for (index, id) in (0..self.backends.len()).zip((0..).map(ProxyId)) {
            let begun = sum(counters, |worker| worker.frontend(id).sessions.value());
            sessions += begun;
            self.frontend_sessions[index].sample(begun, elapsed_ms);
            let accepted = sum(counters, |worker| worker.frontend(id).connections.value());
            self.frontend_connections[index].sample(accepted, elapsed_ms);
            let answered = sum(counters, |worker| worker.frontend(id).requests());
            self.requests[index].sample(answered, elapsed_ms);
            let assigned = sum(counters, |worker| worker.backend(id).sessions.value());
            self.backends[index].sample(assigned, elapsed_ms);
        }
        self.sessions.sample(sessions, elapsed_ms);
    }

    /// `clear counters`: the largest rates begin anew.
    pub fn forget_maxima(&mut self) {
        self.all_mut().for_each(|past| past.max = 0);
    }

    /// `clear counters server`: the rate of a server begins anew, as its counters do.
    pub fn forget_server(&mut self, server: ServerId) {
        if let Some(past) = self.servers.get_mut(server.0 as usize) {
            *past = Past::default();
        }
    }

    /// All but that of the processor's time.
    fn all_mut(&mut self) -> impl Iterator<Item = &mut Past> {
        let alone = [&mut self.connections, &mut self.sessions, &mut self.bytes_out];
        let proxies = self.frontend_connections.iter_mut().chain(&mut self.frontend_sessions);
        let proxies = proxies.chain(&mut self.requests);
        alone.into_iter().chain(proxies).chain(&mut self.backends).chain(&mut self.servers)
    }

    fn at(&self, past: &Past, total: u64, now_ms: u64) -> Rate {
        past.at(total, now_ms.saturating_sub(self.sampled_ms))
    }

    /// What was added since the last sample has no past yet.
    fn of(&self, pasts: &[Past], index: usize, total: u64, now_ms: u64) -> Rate {
        self.at(pasts.get(index).unwrap_or(&Past::default()), total, now_ms)
    }

    /// Connections accepted by the process (`ConnRate`), when it has accepted `total`.
    pub fn connections(&self, total: u64, now_ms: u64) -> Rate {
        self.at(&self.connections, total, now_ms)
    }

    /// Sessions begun by the process (`SessRate`).
    pub fn sessions(&self, total: u64, now_ms: u64) -> Rate {
        self.at(&self.sessions, total, now_ms)
    }

    /// Bytes sent by the process (`BytesOutRate`).
    pub fn bytes_out(&self, total: u64, now_ms: u64) -> Rate {
        self.at(&self.bytes_out, total, now_ms)
    }

    /// Share of `workers` cores that the process left unused in the last interval, 0 to 100 (`Idle_pct`).
    pub fn idle_percent(&self, workers: usize) -> u64 {
        // Nanoseconds of processor time per second, to percent of all cores.
        let used = self.cpu_ns.rate / (10_000_000 * workers.max(1) as u64);
        100u64.saturating_sub(used)
    }

    /// Connections of a frontend (`conn_rate`).
    pub fn frontend_connections(&self, proxy: ProxyId, total: u64, now_ms: u64) -> Rate {
        self.of(&self.frontend_connections, usize::from(proxy.0), total, now_ms)
    }

    /// Sessions of a frontend.
    pub fn frontend(&self, proxy: ProxyId, total: u64, now_ms: u64) -> Rate {
        self.of(&self.frontend_sessions, usize::from(proxy.0), total, now_ms)
    }

    /// HTTP requests of a frontend (`req_rate`).
    pub fn requests(&self, proxy: ProxyId, total: u64, now_ms: u64) -> Rate {
        self.of(&self.requests, usize::from(proxy.0), total, now_ms)
    }

    /// Sessions of a backend.
    pub fn backend(&self, proxy: ProxyId, total: u64, now_ms: u64) -> Rate {
        self.of(&self.backends, usize::from(proxy.0), total, now_ms)
    }

    /// Sessions of a server.
    pub fn server(&self, server: ServerId, total: u64, now_ms: u64) -> Rate {
        self.of(&self.servers, server.0 as usize, total, now_ms)
    }
}
