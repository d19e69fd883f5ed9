//! What each worker counts. One writer (the worker), any number of readers: plain loads and stores,
//! no locked instruction and no shared cache line on the data path. Sums are made by the reader.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam_utils::CachePadded;

use crate::chunks::Chunks;
use crate::config::model::{BindId, Config, ProxyId};
use crate::session::op::ServerId;

/// A monotonic counter with exactly one writing thread.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. Only the owning worker may call it: two writers would lose counts.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Begins at `n`. Only while nobody counts here yet.
    pub fn begin(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    /// Back to zero. Only while the owning worker counts nothing here.
    fn clear(&self) {
        self.0.store(0, Relaxed);
    }

    /// Raises the value to `n` if it is lower (a maximum kept by the one writer).
    pub fn raise(&self, n: u64) {
        if n > self.0.load(Relaxed) {
            self.0.store(n, Relaxed);
        }
    }

    /// The value now.
    pub fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Sliding average over about the last 1024 samples, kept as their sum (as HAProxy's qtime, ctime, ttime).
#[derive(Debug, Default)]
pub struct TimeAverage {
    sum: AtomicU64,
    samples: Counter,
    max: Counter,
}

/// Samples that the sliding averages look back.
pub const AVERAGE_SAMPLES: u64 = 1024;

impl TimeAverage {
    /// Adds one sample, milliseconds.
    pub fn sample(&self, ms: u64) {
        let sum = self.sum.load(Relaxed);
        let seen = self.samples.value();
        let next = if seen < AVERAGE_SAMPLES { sum + ms } else { sum + ms - sum.div_ceil(AVERAGE_SAMPLES) };
        self.sum.store(next, Relaxed);
        self.samples.add(1);
        self.max.raise(ms);
    }

    fn clear(&self) {
        self.sum.store(0, Relaxed);
        self.samples.clear();
        self.max.clear();
    }

    /// (sum, number of samples it stands for), to be added over workers before dividing.
    pub fn parts(&self) -> (u64, u64) {
        (self.sum.load(Relaxed), self.samples.value().min(AVERAGE_SAMPLES))
    }

    /// The largest sample ever, milliseconds.
    pub fn max(&self) -> u64 {
        self.max.value()
    }
}

/// Counters of one frontend or one bind address on one worker.
#[derive(Debug, Default)]
pub struct FrontendCounters {
    /// Connections accepted (`conn_tot`).
    pub connections: Counter,
    /// Sessions begun (`stot`).
    pub sessions: Counter,
    /// Bytes from clients (`bin`).
    pub bytes_in: Counter,
    /// Bytes to clients (`bout`).
    pub bytes_out: Counter,
    /// Sessions refused by a content rule (`dreq`).
    pub denied_requests: Counter,
    /// Connections refused by a connection rule (`dcon`).
    pub denied_connections: Counter,
    /// Sessions that ended before a request was complete (`ereq`).
    pub request_errors: Counter,
    /// Answers of a `mode http` proxy by the hundreds of their status from 100 on, others last (`hrsp_1xx` to
    /// `hrsp_other`).
    pub answers: [Counter; 6],
    /// Of these, what the proxy's own pages and services gave (`intercepted`).
    pub intercepted: Counter,
}

/// Counters of one backend or one server on one worker.
#[derive(Debug, Default)]
pub struct BackendCounters {
    /// Sessions assigned (`stot`).
    pub sessions: Counter,
    /// Sessions assigned by the balancing algorithm (`lbtot`).
    pub balanced: Counter,
    /// Connection attempts (`connect`).
    pub connects: Counter,
    /// Bytes from clients (`bin`).
    pub bytes_in: Counter,
    /// Bytes to clients (`bout`).
    pub bytes_out: Counter,
    /// Connections that failed for good (`econ`).
    pub connect_errors: Counter,
    /// Sessions whose server failed while data was expected (`eresp`).
    pub response_errors: Counter,
    /// Connection retries (`wretr`).
    pub retries: Counter,
    /// Redispatches to another server (`wredis`).
    pub redispatches: Counter,
    /// Transfers aborted by the client (`cli_abrt`).
    pub client_aborts: Counter,
    /// Transfers aborted by the server (`srv_abrt`).
    pub server_aborts: Counter,
    /// When the last session was assigned, milliseconds since the process started, plus one; 0: never;
    /// negative: before it started, so a file said.
    pub last_session_ms: Counter,
    /// `qtime`.
    pub queue_time: TimeAverage,
    /// `ctime`.
    pub connect_time: TimeAverage,
    /// `ttime`.
    pub total_time: TimeAverage,
}

impl BackendCounters {
    /// Lets the last session be one of a process before this one.
    pub fn session_ago(&self, seconds: u64) {
        let ago_ms = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
        self.last_session_ms.begin((1 - ago_ms).cast_unsigned());
    }

    /// When the last session was assigned, milliseconds since the process started.
    pub fn last_session(&self) -> Option<i64> {
        let at = self.last_session_ms.value().cast_signed();
        (at != 0).then(|| at - 1)
    }

    fn clear(&self) {
        let counters = [
            &self.sessions,
            &self.balanced,
            &self.connects,
            &self.bytes_in,
            &self.bytes_out,
            &self.connect_errors,
            &self.response_errors,
            &self.retries,
            &self.redispatches,
            &self.client_aborts,
            &self.server_aborts,
            &self.last_session_ms,
        ];
        counters.into_iter().for_each(Counter::clear);
        [&self.queue_time, &self.connect_time, &self.total_time].into_iter().for_each(TimeAverage::clear);
    }
}

impl FrontendCounters {
    fn clear(&self) {
        let counters = [
            &self.connections,
            &self.sessions,
            &self.bytes_in,
            &self.bytes_out,
            &self.denied_requests,
            &self.denied_connections,
            &self.request_errors,
            &self.intercepted,
        ];
        counters.into_iter().chain(&self.answers).for_each(Counter::clear);
    }

    /// HTTP requests that were answered.
    pub fn requests(&self) -> u64 {
        self.answers.iter().map(Counter::value).sum()
    }

    /// The counter of answers with this status.
    pub fn answers_of(&self, status: u16) -> &Counter {
        let class = usize::from(status / 100).wrapping_sub(1);
        &self.answers[class.min(self.answers.len() - 1)]
    }
}

/// Counters of one worker that belong to no proxy.
#[derive(Debug, Default)]
pub struct ProcessCounters {
    /// Connections accepted (`CumConns`).
    pub connections: Counter,
    /// Bytes sent to either side (`TotalBytesOut`).
    pub bytes_out: Counter,
    /// Of these, bytes that were spliced (`TotalSplicedBytesOut`).
    pub spliced_bytes_out: Counter,
    /// Zero-copy sends whose memory the kernel has given back.
    pub zero_copy_sends: Counter,
    /// Of these, those that it copied after all.
    pub zero_copy_copied: Counter,
    /// Session log records lost because the log ring was full (`DroppedLogs`).
    pub dropped_logs: Counter,
    /// Connections handed to another worker at accept.
    pub handed_over: Counter,
    /// Times that accepting stopped because maxconn was reached (`MaxconnReached`).
    pub maxconn_reached: Counter,
    /// accept(2) failures for want of descriptors or memory, or for good.
    pub accept_failures: Counter,
    /// Pipes in use by sessions now.
    pub pipes_used: AtomicU64,
    /// Idle pipes in the pool now.
    pub pipes_free: AtomicU64,
}

/// Everything one worker counts.
#[derive(Debug)]
pub struct WorkerCounters {
    process: CachePadded<ProcessCounters>,
    frontends: Chunks<CachePadded<FrontendCounters>>,
    binds: Chunks<CachePadded<FrontendCounters>>,
    backends: Chunks<CachePadded<BackendCounters>>,
    servers: Chunks<CachePadded<BackendCounters>>,
}

impl WorkerCounters {
    /// All zero, with room for `servers` server cells (see [`crate::load::Load::server_capacity`]).
    pub fn new(config: &Config, servers: usize) -> Self {
        let counters = WorkerCounters {
            process: CachePadded::default(),
            frontends: Chunks::default(),
            binds: Chunks::default(),
            backends: Chunks::default(),
            servers: Chunks::default(),
        };
        counters.make_room(config, servers);
        counters
    }

    /// Adds what is missing for `config` and for server cells below `servers`. To be called before a snapshot
    /// with them is published.
    pub fn make_room(&self, config: &Config, servers: usize) {
        self.frontends.extend_to(config.proxies.len(), CachePadded::default);
        self.binds.extend_to(config.binds.len(), CachePadded::default);
        self.backends.extend_to(config.proxies.len(), CachePadded::default);
        self.servers.extend_to(servers, CachePadded::default);
    }

    /// A server's counts begin anew, because its cell is given to another one that has had no session for a
    /// while, or by `clear counters server`. In the second case only by the owning thread.
    pub fn forget_server(&self, server: ServerId) {
        self.server(server).clear();
    }

    /// `clear counters all`: everything that belongs to a proxy begins anew. Only by the owning thread.
    pub fn forget(&self) {
        self.frontends.iter().chain(self.binds.iter()).for_each(|counters| counters.clear());
        self.backends.iter().chain(self.servers.iter()).for_each(|counters| counters.clear());
    }

    /// `clear counters`: the largest times begin anew. Only by the owning thread.
    pub fn forget_maxima(&self) {
        for counters in self.backends.iter().chain(self.servers.iter()) {
            let times = [&counters.queue_time, &counters.connect_time, &counters.total_time];
            times.into_iter().for_each(|time| time.max.clear());
        }
    }

    /// Of no proxy.
    pub fn process(&self) -> &ProcessCounters {
        &self.process
    }

    /// Of the frontend side of a proxy.
    pub fn frontend(&self, proxy: ProxyId) -> &FrontendCounters {
        self.frontends.at(usize::from(proxy.0))
    }

    /// Of one bind address.
    pub fn bind(&self, bind: BindId) -> &FrontendCounters {
        self.binds.at(usize::from(bind.0))
    }

    /// Of the backend side of a proxy.
    pub fn backend(&self, proxy: ProxyId) -> &BackendCounters {
        self.backends.at(usize::from(proxy.0))
    }

    /// Of one server.
    pub fn server(&self, server: ServerId) -> &BackendCounters {
        self.servers.at(server.0 as usize)
    }
}
