//! The session lines of `mode http` listeners: one for each request, written by the log thread.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::Site;
use super::response::By;
use crate::config::model::ProxyKind;
use crate::log::SessionSink;
use crate::log::record::{RequestRecord, SessionRecord};
use crate::session::termination::{Cause, Stage, Termination};
use crate::stats::counters::WorkerCounters;

/// The control thread's way to the log thread.
pub type Journal = Rc<RefCell<SessionSink>>;

/// Both ends of a client's connection; None for a Unix socket.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ends {
    /// The client.
    pub client: Option<SocketAddr>,
    /// Where it connected to.
    pub local: Option<SocketAddr>,
}

/// One request from the moment in which it could have come.
#[derive(Clone, Debug)]
pub struct Visit {
    began: Instant,
    began_at: SystemTime,
    /// Its first byte.
    first_byte: Option<Instant>,
    /// The end of its head.
    understood: Option<Instant>,
    /// Bytes of the client.
    pub received: u64,
    /// `GET /stats HTTP/1.1`
    pub line: Option<String>,
}

/// How it ended.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Of the answer.
    pub status: u16,
    /// Who answered; None: there was no request to answer.
    pub by: Option<By>,
    /// Bytes of the answer.
    pub sent: u64,
    /// The letters.
    pub termination: Termination,
}

impl Visit {
    /// From now on.
    pub fn new() -> Visit {
        Visit {
            began: Instant::now(),
            began_at: SystemTime::now(),
            first_byte: None,
            understood: None,
            received: 0,
            line: None,
        }
    }

    /// Bytes came, or were there already.
    pub fn begin(&mut self) {
        self.first_byte.get_or_insert_with(Instant::now);
    }

    /// The head is complete.
    pub fn understand(&mut self, line: String) {
        self.understood = Some(Instant::now());
        self.line = Some(line);
    }

    /// Whether anything came.
    pub fn is_silent(&self) -> bool {
        self.first_byte.is_none()
    }

    /// Hands its line to the log thread.
    pub fn log(self, site: &Site, ends: Ends, outcome: Outcome) {
        let sources = site.shared.borrow();
        let Some(own) = sources.counters.last() else { return };
        self.count(site, own, &outcome, sources.now_ms());
        if outcome.by == Some(By::Monitor) {
            return;
        }
        let kind = sources.config.proxies[usize::from(site.proxy.0)].kind;
        let served = matches!(outcome.by, Some(By::Page | By::Service(_)));
        let step = if served { 0 } else { -1 };
        let load = &sources.load;
        let record = SessionRecord {
            config: Arc::clone(&sources.config),
            client: ends.client,
            frontend_address: ends.local,
            frontend: site.proxy,
            bind: site.bind,
            backend: site.proxy,
            server: outcome.by.and_then(name).map(Arc::from),
            accepted_us: micros(self.began_at),
            queue_ms: step,
            connect_ms: step,
            total_ms: millis(self.began),
            bytes_to_client: outcome.sent,
            bytes_to_server: self.received,
            termination: outcome.termination,
            early: false,
            process_conns: load.process().live(),
            frontend_conns: load.frontend(site.proxy).live(),
            backend_conns: 0,
            server_conns: 0,
            retries: 0,
            redispatched: false,
            server_queue: 0,
            backend_queue: 0,
            request: Some(Box::new(self.request(kind, &outcome, served))),
        };
        if !site.journal.borrow_mut().push(record) {
            own.process().dropped_logs.add(1);
        }
    }

    /// In the rows of the listener, of the frontend and of its backend side.
    fn count(&self, site: &Site, own: &WorkerCounters, outcome: &Outcome, now_ms: u64) {
        for side in [own.frontend(site.proxy), own.bind(site.bind)] {
            side.bytes_in.add(self.received);
            side.bytes_out.add(outcome.sent);
            side.answers_of(outcome.status).add(1);
            match outcome.by {
                None => side.request_errors.add(1),
                Some(By::Page | By::Service(_) | By::Monitor) => side.intercepted.add(1),
                Some(By::Nobody) => {}
            }
        }
        let backend = own.backend(site.proxy);
        backend.bytes_in.add(self.received);
        backend.bytes_out.add(outcome.sent);
        if outcome.by == Some(By::Nobody) {
            backend.sessions.add(1);
            backend.connect_errors.add(1);
            backend.last_session_ms.raise(now_ms + 1);
        }
    }

    fn request(self, kind: ProxyKind, outcome: &Outcome, served: bool) -> RequestRecord {
        let first_byte = self.first_byte.unwrap_or(self.began);
        // A frontend that leads nowhere has not even a time for it, as in HAProxy.
        let led_nowhere = outcome.by == Some(By::Nobody) && kind == ProxyKind::Frontend;
        let request_ms = match self.understood.filter(|_| !led_nowhere) {
            Some(understood) => i32::try_from((understood - first_byte).as_millis()).unwrap_or(i32::MAX),
            None => -1,
        };
        let idle = first_byte - self.began;
        RequestRecord {
            line: self.line,
            status: outcome.status,
            received_us: micros(self.began_at) + u64::try_from(idle.as_micros()).unwrap_or(0),
            request_ms,
            response_ms: if served && !matches!(outcome.status, 401 | 408) { 0 } else { -1 },
            active_ms: millis(first_byte),
        }
    }
}

impl Outcome {
    /// A request that somebody answered.
    pub fn answered(status: u16, by: By, sent: u64) -> Outcome {
        let termination = match by {
            By::Nobody => Termination { cause: Cause::ServerAbort, stage: Stage::Connect },
            By::Page | By::Service(_) | By::Monitor => {
                Termination { cause: Cause::Local, stage: Stage::Request }
            }
        };
        Outcome { status, by: Some(by), sent, termination }
    }

    /// What is no request, or none that ended.
    pub fn refused(status: u16, cause: Cause) -> Outcome {
        Outcome { status, by: None, sent: 0, termination: Termination { cause, stage: Stage::Request } }
    }
}

fn name(by: By) -> Option<&'static str> {
    match by {
        By::Page => Some("<STATS>"),
        By::Service(name) => Some(name),
        By::Monitor | By::Nobody => None,
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn micros(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
