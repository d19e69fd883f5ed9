//! Everything the statistics are read from.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Instant, SystemTime};

use arc_swap::ArcSwap;

use crate::config::model::{Config, ProxyId};
use crate::load::Load;
use crate::table::Snapshot;

use super::counters::{Counter, ProcessCounters, WorkerCounters};
use super::history::History;
use super::rates::Rates;
use super::standing::Standings;

/// What the process may use, as computed at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// `Hard_maxconn`: sessions.
    pub maxconn: u32,
    /// `Maxsock`: sockets that maxconn sessions need.
    pub maxsock: u64,
    /// `Ulimit-n`: RLIMIT_NOFILE.
    pub ulimit_n: u64,
    /// `Maxpipes`.
    pub maxpipes: u32,
    /// `SslRateLimit`: TLS sessions per second, as a command asked for; 0: no limit.
    pub tls_sessions: u32,
}

/// Handles to all that is counted, built once and kept by the control thread.
#[derive(Debug)]
pub struct Sources {
    /// What the configuration says.
    pub config: Arc<Config>,
    /// Server states.
    pub table: Arc<ArcSwap<Snapshot>>,
    /// Live counts.
    pub load: Arc<Load>,
    /// One for each worker, and one more for whoever else serves clients.
    pub counters: Vec<Arc<WorkerCounters>>,
    /// Rates and maxima; [`Sources::sample`] renews them.
    pub rates: Rates,
    /// What servers did in the last minutes; sampled with the rates.
    pub history: History,
    /// Zero of the process clock: table, counters and rates count milliseconds from here.
    pub start: Instant,
    /// The same moment on the wall clock.
    pub started_at: SystemTime,
    /// Lines that log targets lost ([`crate::log::LogHandle::losses`]).
    pub dropped_logs: Arc<AtomicU64>,
    /// As computed at the start.
    pub limits: Limits,
    /// Workers (`Nbthread`).
    pub workers: usize,
    /// The machine's name, for `node` without one in the configuration.
    pub hostname: String,
    /// Warnings at the start (`TotalWarnings`).
    pub warnings: u32,
    /// From the first instruction to accepting (`BootTime_ms`).
    pub boot_ms: u64,
    /// What the operator has made of the frontends.
    pub standings: Standings,
    /// A soft stop is under way.
    pub stopping: bool,
    /// Sessions that `clear counters all` took out of the counters, less those that a file put in.
    pub forgotten_sessions: i64,
}

impl Sources {
    /// Milliseconds on the process clock.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Sessions that the process may have now (`Maxconn`).
    pub fn maxconn(&self) -> u32 {
        self.load.process().limit().unwrap_or(self.limits.maxconn)
    }

    /// The table has another configuration.
    pub fn follow_table(&mut self) {
        self.config = Arc::clone(&self.table.load().config);
    }

    /// Renews the rates; to be called once a second.
    pub fn sample(&mut self) {
        let now_ms = self.now_ms();
        let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let cpu_ns = used.tv_sec.unsigned_abs() * 1_000_000_000 + used.tv_nsec.unsigned_abs();
        let table = self.table.load();
        self.rates.sample(now_ms, cpu_ns, &self.counters, &table);
        self.history.sample(now_ms, &self.counters, &self.load, table.server_ids());
    }

    /// Sum over all workers of one process counter.
    pub(super) fn process_total(&self, of: fn(&ProcessCounters) -> &Counter) -> u64 {
        self.counters.iter().map(|worker| of(worker.process()).value()).sum()
    }

    /// Sessions begun at any frontend: in `mode tcp` a session is one request and one stream.
    pub fn sessions(&self) -> u64 {
        let ids = (0..).map(ProxyId).take(self.config.proxies.len());
        let of = |id| self.counters.iter().map(|worker| worker.frontend(id).sessions.value()).sum::<u64>();
        ids.map(of).sum::<u64>().saturating_add_signed(self.forgotten_sessions)
    }

    /// Sum over all workers of one process gauge.
    pub(super) fn process_gauge(&self, of: fn(&ProcessCounters) -> &AtomicU64) -> u64 {
        self.counters.iter().map(|worker| of(worker.process()).load(Relaxed)).sum()
    }

    /// Pipes that sessions use, and idle ones.
    pub fn pipes(&self) -> (u64, u64) {
        let of = |gauge| self.process_gauge(gauge);
        (of(|process| &process.pipes_used), of(|process| &process.pipes_free))
    }

    /// Session records that found their ring full, and lines that targets lost.
    pub(super) fn logs_dropped(&self) -> u64 {
        self.process_total(|process| &process.dropped_logs) + self.dropped_logs.load(Relaxed)
    }
}
