//! What a row is about, and the questions that columns ask of it.

use crate::config::model::{Bind, BindId, ListenAddress, Mode, Proxy, ProxyId, Server, ServerAddress};
use crate::load::Cell;
use crate::sys::socket::inherited_address;
use crate::table::{Backend, Checks, ServerEntry};

use super::counters::{BackendCounters, Counter, FrontendCounters, TimeAverage};
use super::rates::Rate;
use super::sources::Sources;
use super::standing::Standing;
use super::status;
use super::value::Value;

/// The four kinds of rows; the number is the `type` column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowKind {
    /// Sum of a frontend.
    Frontend = 0,
    /// Sum of a backend.
    Backend = 1,
    /// One server.
    Server = 2,
    /// One bind address, with `option socket-stats`.
    Listener = 3,
}

/// What stands behind one row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Entity<'a> {
    Frontend,
    Listener(BindId, &'a Bind),
    Server(&'a ServerEntry, &'a Server),
    Backend(&'a Backend),
}

/// One row's object, with everything its columns may ask.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) sources: &'a Sources,
    pub(super) now_ms: u64,
    pub(super) id: ProxyId,
    pub(super) proxy: &'a Proxy,
    pub(super) entity: Entity<'a>,
}

fn seconds(ms: u64) -> Value {
    Value::Number(ms / 1000)
}

impl Subject<'_> {
    pub(super) fn kind(&self) -> RowKind {
        match self.entity {
            Entity::Frontend => RowKind::Frontend,
            Entity::Listener(..) => RowKind::Listener,
            Entity::Server(..) => RowKind::Server,
            Entity::Backend(_) => RowKind::Backend,
        }
    }

    /// `svname`.
    pub(super) fn name(&self) -> Value {
        match self.entity {
            Entity::Frontend => Value::text("FRONTEND"),
            Entity::Backend(_) => Value::text("BACKEND"),
            Entity::Server(_, server) => Value::text(server.name.clone()),
            Entity::Listener(_, bind) => {
                Value::text(bind.name.clone().unwrap_or_else(|| format!("sock-{}", bind.id)))
            }
        }
    }

    /// `sid`.
    pub(super) fn number(&self) -> u32 {
        match self.entity {
            Entity::Frontend | Entity::Backend(_) => 0,
            Entity::Server(_, server) => server.id,
            Entity::Listener(_, bind) => bind.id,
        }
    }

    pub(super) fn mode(&self) -> &'static str {
        match self.proxy.mode {
            Mode::Tcp => "tcp",
            Mode::Http => "http",
        }
    }

    /// The live counts.
    pub(super) fn cell(&self) -> &Cell {
        let load = &self.sources.load;
        match self.entity {
            Entity::Frontend => load.frontend(self.id),
            Entity::Listener(bind, _) => load.bind(bind),
            Entity::Server(entry, _) => load.server(entry.id),
            Entity::Backend(_) => load.backend(self.id),
        }
    }

    /// `slim`: maxconn, for a backend fullconn.
    pub(super) fn limit(&self) -> Value {
        match self.entity {
            Entity::Frontend => {
                let load = &self.sources.load;
                load.frontend(self.id).limit().unwrap_or(self.sources.limits.maxconn).into()
            }
            Entity::Listener(_, bind) => bind.maxconn.unwrap_or(0).into(),
            Entity::Server(entry, _) => Value::optional(entry.maxconn),
            Entity::Backend(backend) => backend.fullconn.into(),
        }
    }

    /// `rate_lim`: sessions per second; 0: no limit.
    pub(super) fn rate_limit(&self) -> Value {
        self.sources.load.frontend_sessions(self.id).limit().unwrap_or(0).into()
    }

    /// A total over all workers: `front` for what accepts, `back` for what is connected to.
    pub(super) fn total(
        &self,
        front: fn(&FrontendCounters) -> &Counter,
        back: fn(&BackendCounters) -> &Counter,
    ) -> Value {
        match self.entity {
            Entity::Frontend | Entity::Listener(..) => self.accepted(front),
            Entity::Server(..) | Entity::Backend(_) => self.connected(back),
        }
    }

    /// A total of a frontend or listener; empty for the others.
    pub(super) fn accepted(&self, of: fn(&FrontendCounters) -> &Counter) -> Value {
        let workers = self.sources.counters.iter();
        match self.entity {
            Entity::Frontend => Value::Number(workers.map(|w| of(w.frontend(self.id)).value()).sum()),
            Entity::Listener(bind, _) => Value::Number(workers.map(|w| of(w.bind(bind)).value()).sum()),
            Entity::Server(..) | Entity::Backend(_) => Value::Empty,
        }
    }

    /// A total of a `mode http` frontend; empty for the others.
    pub(super) fn of_http(&self, of: fn(&FrontendCounters) -> &Counter) -> Value {
        match self.proxy.mode {
            Mode::Http => self.accepted(of),
            Mode::Tcp => Value::Empty,
        }
    }

    /// HTTP requests of a frontend, each of which was answered.
    pub(super) fn requests(&self) -> u64 {
        self.sources.counters.iter().map(|worker| worker.frontend(self.id).requests()).sum()
    }

    /// HTTP requests per second of a frontend.
    pub(super) fn request_rate(&self) -> Rate {
        self.sources.rates.requests(self.id, self.requests(), self.now_ms)
    }

    fn backend_counters(&self) -> impl Iterator<Item = &BackendCounters> {
        self.sources.counters.iter().filter_map(|worker| match self.entity {
            Entity::Server(entry, _) => Some(worker.server(entry.id)),
            Entity::Backend(_) => Some(worker.backend(self.id)),
            Entity::Frontend | Entity::Listener(..) => None,
        })
    }

    /// A total of a server or backend.
    pub(super) fn connected(&self, of: fn(&BackendCounters) -> &Counter) -> Value {
        Value::Number(self.backend_counters().map(|counters| of(counters).value()).sum())
    }

    /// A sliding average in milliseconds, rounded up.
    pub(super) fn average(&self, of: fn(&BackendCounters) -> &TimeAverage) -> Value {
        let (mut sum, mut samples) = (0, 0);
        for counters in self.backend_counters() {
            let (worker_sum, worker_samples) = of(counters).parts();
            sum += worker_sum;
            samples += worker_samples;
        }
        Value::Number(sum.div_ceil(samples.max(1)))
    }

    /// The largest sample, milliseconds.
    pub(super) fn longest(&self, of: fn(&BackendCounters) -> &TimeAverage) -> Value {
        Value::Number(self.backend_counters().map(|counters| of(counters).max()).max().unwrap_or(0))
    }

    /// `lastsess`: seconds since the last session; -1: never.
    pub(super) fn last_session(&self) -> Value {
        let last = self.backend_counters().filter_map(BackendCounters::last_session).max();
        let age_ms = |at| self.now_ms.cast_signed().saturating_sub(at).max(0);
        Value::Signed(last.map_or(-1, |at| age_ms(at) / 1000))
    }

    /// Sessions per second; listeners have no such column.
    pub(super) fn rate(&self) -> Rate {
        let (rates, now_ms) = (&self.sources.rates, self.now_ms);
        let total = self.total(|f| &f.sessions, |b| &b.sessions).number();
        match self.entity {
            Entity::Frontend => rates.frontend(self.id, total, now_ms),
            Entity::Server(entry, _) => rates.server(entry.id, total, now_ms),
            Entity::Backend(_) => rates.backend(self.id, total, now_ms),
            Entity::Listener(..) => Rate::default(),
        }
    }

    /// Connections per second of a frontend.
    pub(super) fn connection_rate(&self) -> Rate {
        let total = self.accepted(|f| &f.connections).number();
        self.sources.rates.frontend_connections(self.id, total, self.now_ms)
    }

    /// `status`.
    pub(super) fn status(&self) -> Value {
        match self.entity {
            Entity::Frontend => Value::text(match self.sources.standings.of(self.id) {
                _ if self.sources.stopping => "STOP",
                Standing::Stopped => "STOP",
                Standing::Paused => "PAUSED",
                Standing::Open => "OPEN",
            }),
            Entity::Listener(_, bind) => Value::text(self.listener_status(bind)),
            Entity::Server(entry, _) => status::server(&entry.state),
            Entity::Backend(backend) => Value::text(match (backend.is_down(), self.proxy.unpublished) {
                (false, false) => "UP",
                (true, false) => "DOWN",
                (false, true) => "UP (UNPUB)",
                (true, true) => "DOWN (UNPUB)",
            }),
        }
    }

    fn listener_status(&self, bind: &Bind) -> &'static str {
        let load = &self.sources.load;
        let full = |cell: &Cell, limit: Option<u32>| limit.is_some_and(|limit| cell.live() >= limit);
        if full(self.cell(), bind.maxconn.filter(|&limit| limit > 0)) {
            "FULL"
        } else if full(load.frontend(self.id), load.frontend(self.id).limit())
            || full(load.process(), Some(self.sources.maxconn()))
        {
            "WAITING"
        } else {
            "OPEN"
        }
    }

    /// `weight`: effective, also while draining.
    pub(super) fn weight(&self) -> Value {
        match self.entity {
            Entity::Server(entry, _) => {
                let steps = u32::from(entry.uweight) * u32::from(entry.ramp);
                steps.div_ceil(crate::table::WEIGHT_STEPS).into()
            }
            Entity::Backend(backend) => backend.total_weight().into(),
            Entity::Frontend | Entity::Listener(..) => Value::Empty,
        }
    }

    /// `uweight`: as asked for; of a backend the sum over the servers that sessions go to.
    pub(super) fn user_weight(&self) -> Value {
        match self.entity {
            Entity::Server(entry, _) => u32::from(entry.uweight).into(),
            Entity::Backend(backend) => {
                let candidates = backend.selector.candidates().iter();
                let weights = candidates.map(|&at| u32::from(backend.servers[usize::from(at)].uweight));
                weights.sum::<u32>().into()
            }
            Entity::Frontend | Entity::Listener(..) => Value::Empty,
        }
    }

    /// `act` and `bck`: of a server whether it is one, of a backend how many are usable.
    pub(super) fn servers(&self, backup: bool) -> Value {
        match self.entity {
            Entity::Server(entry, _) => u32::from(entry.backup == backup).into(),
            Entity::Backend(backend) if backup => backend.backup.into(),
            Entity::Backend(backend) => backend.active.into(),
            Entity::Frontend | Entity::Listener(..) => Value::Empty,
        }
    }

    /// `lastchg`: seconds since the state changed.
    pub(super) fn last_change(&self) -> Value {
        seconds(match self.entity {
            Entity::Server(entry, _) => entry.state.age_ms(self.now_ms),
            Entity::Backend(backend) => self.now_ms.saturating_sub(backend.outages.since_ms),
            Entity::Frontend | Entity::Listener(..) => self.now_ms,
        })
    }

    /// `downtime`: seconds in all.
    pub(super) fn downtime(&self) -> Value {
        match self.entity {
            Entity::Server(entry, _) if entry.state.checks == Checks::On => {
                let state = &entry.state;
                let running = if state.up() { 0 } else { self.now_ms.saturating_sub(state.since_ms) };
                seconds(state.check.downtime_ms + running)
            }
            Entity::Backend(backend) if !backend.servers.is_empty() => {
                seconds(backend.outages.downtime_ms(self.now_ms))
            }
            _ => Value::Empty,
        }
    }

    /// `chkdown`: changes from up to down.
    pub(super) fn downs(&self) -> Value {
        match self.entity {
            Entity::Server(entry, _) if entry.state.checks == Checks::On => entry.state.check.downs.into(),
            Entity::Backend(backend) => backend.outages.downs.into(),
            _ => Value::Empty,
        }
    }

    /// Something of a server whose check is switched on, also while it rests in maintenance.
    pub(super) fn checked(&self, read: fn(&ServerEntry) -> Value) -> Value {
        match self.entity {
            Entity::Server(entry, _) if entry.state.checks == Checks::On => read(entry),
            _ => Value::Empty,
        }
    }

    /// Something of a server that is being checked now.
    pub(super) fn checking(&self, read: fn(&ServerEntry) -> Value) -> Value {
        match self.entity {
            Entity::Server(entry, _) if entry.state.is_checked() => read(entry),
            _ => Value::Empty,
        }
    }

    /// Something of a server; empty for the others.
    pub(super) fn of_server(&self, read: fn(&ServerEntry) -> Value) -> Value {
        match self.entity {
            Entity::Server(entry, _) => read(entry),
            _ => Value::Empty,
        }
    }

    /// `addr`.
    pub(super) fn address(&self) -> Value {
        match self.entity {
            Entity::Listener(_, bind) => listen_address(&bind.address),
            Entity::Server(entry, _) if entry.state.admin.unresolved => Value::Empty,
            Entity::Server(entry, _) => server_address(&entry.address),
            _ => Value::Empty,
        }
    }

    /// `proto` of a listener.
    pub(super) fn protocol(&self) -> Value {
        match self.entity {
            Entity::Listener(_, bind) => listen_protocol(&bind.address),
            _ => Value::Empty,
        }
    }
}

fn listen_protocol(address: &ListenAddress) -> Value {
    Value::text(match address {
        ListenAddress::Tcp(address) if address.is_ipv4() => "tcpv4",
        ListenAddress::Tcp(_) => "tcpv6",
        ListenAddress::Abstract(name) if name.padded => "abns_stream",
        ListenAddress::Abstract(_) => "abnsz_stream",
        ListenAddress::Unix(_) => "unix_stream",
        ListenAddress::SocketPair(_) => "sockpair",
        ListenAddress::Fd(number) => {
            return inherited_address(*number).map_or(Value::Empty, |bound| listen_protocol(&bound));
        }
    })
}

fn listen_address(address: &ListenAddress) -> Value {
    match address {
        ListenAddress::Tcp(address) => Value::text(address.to_string()),
        ListenAddress::Unix(_) | ListenAddress::Abstract(_) => Value::text("unix"),
        // As in HAProxy: it has no name.
        ListenAddress::SocketPair(_) => Value::Empty,
        ListenAddress::Fd(number) => match inherited_address(*number) {
            Some(bound) => listen_address(&bound),
            None => Value::text(format!("fd@{number}")),
        },
    }
}

fn server_address(address: &ServerAddress) -> Value {
    match address {
        ServerAddress::Tcp(address) => Value::text(address.to_string()),
        ServerAddress::TcpMapped(ip, offset) if ip.is_ipv4() => Value::text(format!("{ip}:{offset}")),
        ServerAddress::TcpMapped(ip, offset) => Value::text(format!("[{ip}]:{offset}")),
        ServerAddress::Unix(_) | ServerAddress::Abstract(_) => Value::text("unix"),
    }
}
