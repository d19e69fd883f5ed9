//! Driving a session: handing it events, and answering what it asks for: a backend, a server, another server.

use std::io;

use crate::balance::{Choice, Request, choose, resume};
use crate::config::model::{Config, ProxyId, source_of};
use crate::load::QueueId;
use crate::ring::Ops;
use crate::rules::Facts;
use crate::session::op::ServerId;
use crate::session::policy::Policy;
use crate::session::termination::{Cause, Stage, Termination};
use crate::session::{Phase, Session, Verdict};
use crate::sys::socket::{Buffers, Route, resolve_route};
use crate::table::Snapshot;

use super::finish::Moment;
use super::policies::Entry as PolicyEntry;
use super::record::{Addresses, Record};
use super::{Entry, Worker};

/// The path of a session's operations.
type SessionOps<'a> = Ops<'a, &'a mut dyn FnMut(ServerId) -> io::Result<Route>>;

impl Worker {
    /// Gives a session an event and does what it wants next.
    pub(super) fn drive(
        &mut self,
        slot: u32,
        event: impl FnOnce(&mut Session, &Policy, &mut SessionOps<'_>) -> Verdict,
    ) {
        let Entry { session, record } = &mut self.sessions[slot as usize];
        let before = session.phase();
        let PolicyEntry { policy, backend, .. } = self.policies.entry(record.policy);
        let (snapshot, addresses) = (&self.snapshot, &self.addresses);
        let mut route = |server| route_to(snapshot, addresses, *backend, server, record);
        let mut ops = self.ring.ops(slot, &mut route as &mut dyn FnMut(ServerId) -> io::Result<Route>);
        let verdict = event(session, policy, &mut ops);
        let after = session.phase();
        if before != after || verdict != Verdict::Live {
            self.on_turn(slot, before, after, verdict);
        }
    }

    /// The session changed its phase or wants something.
    fn on_turn(&mut self, slot: u32, before: Phase, after: Phase, verdict: Verdict) {
        let now = self.now as u32;
        let transit = before.is_transit() || after.is_transit();
        if transit && self.on_transit(slot, before, after, verdict) {
            return;
        }
        if before == Phase::Queued && after == Phase::Ending {
            self.leave_queue(slot);
        }
        if before != Phase::Ending && after == Phase::Ending {
            self.settle_blame(slot, before);
        }
        let entry = &mut self.sessions[slot as usize];
        entry.record.ticks.phase = now;
        if after == Phase::Established {
            entry.record.ticks.activity = now;
            entry.record.connect(self.now);
            self.log_at(Moment::Connected, slot, Termination::default());
        }
        match verdict {
            Verdict::Ended(termination) => return self.finish(slot, termination),
            Verdict::Choose => return self.choose(slot),
            Verdict::Redispatch { optional, pause } => {
                return self.redispatch(slot, optional, pause);
            }
            Verdict::Live | Verdict::Parked => {}
        }
        let retries = matches!((before, after), (Phase::Connecting | Phase::Abandoning, Phase::TurnAround))
            || (before, after) == (Phase::Abandoning, Phase::Connecting);
        if retries {
            self.count_retry(slot);
        }
        if after == Phase::Connecting {
            self.count_connect(slot);
        }
        self.file_timer(slot);
    }

    /// The ways in which HAProxy logs an end in a queue or before a connection was made: a client whose FIN came with
    /// its connection, and no request, is not blamed, and neither for it nor for one whose time was up, nor for one
    /// that was left without a server, is the wait counted.
    fn settle_blame(&mut self, slot: u32, before: Phase) {
        let Entry { session, record } = &mut self.sessions[slot as usize];
        let Termination { cause, stage } = session.termination();
        let left_at_once =
            cause == Cause::ClientAbort && !session.has_request() && record.age_ms(self.now) <= 1;
        if left_at_once && matches!(stage, Stage::Queue | Stage::Connect) {
            session.forgive();
        } else if before == Phase::Queued && cause != Cause::ClientTimeout && stage != Stage::Connect {
            record.dequeue(self.now);
        }
    }

    /// The client has reset the connection before anything was asked for it: no server is troubled.
    #[cold]
    pub(super) fn dismiss(&mut self, slot: u32) {
        self.choose_backend(slot);
        self.drive(slot, |session, _, ops| session.gone(ops));
    }

    fn choose(&mut self, slot: u32) {
        if self.choose_backend(slot) {
            self.choose_server(slot, None);
        } else {
            self.drive(slot, |session, _, ops| session.unserved(ops));
        }
    }

    /// The rules of the frontend, then its default backend; false: there is none.
    fn choose_backend(&mut self, slot: u32) -> bool {
        let record = &self.sessions[slot as usize].record;
        let PolicyEntry { frontend, .. } = *self.policies.entry(record.policy);
        let facts = Facts {
            src: self.addresses.unpack(record.client),
            dst: self.addresses.unpack(record.local),
            bytes: self.ring.held(slot),
        };
        let backend = chosen_backend(&self.snapshot.config, frontend, &facts);
        let Some(policy) = backend.and_then(|b| self.policies.find(frontend, Some(b))) else { return false };
        let Entry { session, record } = &mut self.sessions[slot as usize];
        self.policies.hold(policy);
        self.policies.release(std::mem::replace(&mut record.policy, policy));
        let entry = self.policies.entry(policy);
        session.adopt(&entry.policy);
        self.enter_backend(entry.backend.unwrap_or(frontend));
        true
    }

    /// The failed server's slot goes to who waits for it; the session tries for another one.
    pub(super) fn redispatch(&mut self, slot: u32, optional: bool, pause: bool) {
        let backend = self.backend_of(slot).expect("a server failed, so a backend was chosen");
        if optional && self.snapshot.backend(backend).active < 2 {
            return self.drive(slot, |session, _, ops| session.stay(pause, ops));
        }
        let former = self.release_server(slot);
        self.choose_server(slot, former);
    }

    fn choose_server(&mut self, slot: u32, avoid: Option<u16>) {
        let backend = self.backend_of(slot).expect("a server is chosen after its backend");
        let proxy = &self.snapshot.config.proxies[usize::from(backend.0)];
        // Rules lead there, and it serves nobody. Sessions of a backend of the past run on.
        if proxy.disabled && !proxy.removed {
            return self.drive(slot, |session, _, ops| session.unserved(ops));
        }
        match self.ask(slot, backend, None, avoid) {
            Choice::Server(server) => self.assign(slot, backend, server),
            Choice::QueueServer(server) => self.enqueue(slot, backend, self.queue_of(backend, server)),
            Choice::QueueBackend => self.enqueue(slot, backend, QueueId::Backend(backend)),
            choice => self.turn_away(slot, backend, choice),
        }
    }

    /// Ends a session that no server takes: the queue of the one that would is full, or there is none.
    pub(super) fn turn_away(&mut self, slot: u32, backend: ProxyId, choice: Choice) {
        let full = match choice {
            Choice::QueueFull(server) => Some(self.server_id(backend, server)),
            _ => None,
        };
        self.drive(slot, |session, _, ops| match full {
            Some(server) => session.turned_away(server, ops),
            None => session.unserved(ops),
        });
    }

    /// Asks the balancing algorithm; a server it names has been taken already.
    pub(super) fn ask(
        &mut self,
        slot: u32,
        backend: ProxyId,
        waiting_in: Option<QueueId>,
        avoid: Option<u16>,
    ) -> Choice {
        let record = &self.sessions[slot as usize].record;
        let request = Request {
            client: self.addresses.unpack(record.client),
            local: self.addresses.unpack(record.local),
            avoid,
            random: &mut self.random,
        };
        let backend = self.snapshot.backend(backend);
        match waiting_in {
            Some(queue) => resume(backend, &self.load, queue, request),
            None => choose(backend, &self.load, request),
        }
    }

    /// Connects the session to a server whose slot it holds.
    pub(super) fn assign(&mut self, slot: u32, backend: ProxyId, server: u16) {
        let id = self.server_id(backend, server);
        self.sessions[slot as usize].record.dequeue(self.now);
        self.count_assigned(slot, backend, id);
        self.drive(slot, |session, _, ops| {
            session.assigned(id, ops);
            Verdict::Live
        });
    }

    /// The cell of a backend's server.
    pub(super) fn server_id(&self, backend: ProxyId, server: u16) -> ServerId {
        self.snapshot.backend(backend).servers[usize::from(server)].id
    }

    /// The backend a session belongs to; None: none was chosen yet.
    pub(super) fn backend_of(&self, slot: u32) -> Option<ProxyId> {
        self.policies.entry(self.sessions[slot as usize].record.policy).backend
    }
}

fn chosen_backend(config: &Config, frontend: ProxyId, facts: &Facts<'_>) -> Option<ProxyId> {
    let proxy = &config.proxies[usize::from(frontend.0)];
    // A section's own servers need no rule that could lead to them.
    let seen = |backend: ProxyId| backend == frontend || !config.proxies[usize::from(backend.0)].unpublished;
    let rule = proxy.use_backends.iter().filter(|rule| seen(rule.backend)).find(|rule| {
        let condition = rule.condition.as_ref();
        condition.is_none_or(|condition| condition.holds(facts))
    });
    rule.map(|rule| rule.backend).or(proxy.default_backend.filter(|&backend| seen(backend)))
}

/// How a server is reached, from the table as it is now.
fn route_to(
    snapshot: &Snapshot,
    addresses: &Addresses,
    backend: Option<ProxyId>,
    server: ServerId,
    record: &Record,
) -> io::Result<Route> {
    let (owner, entry) = snapshot.server(server);
    let proxy = &snapshot.config.proxies[usize::from(backend.unwrap_or(owner.proxy).0)];
    let tune = &snapshot.config.global.tune;
    Ok(Route {
        address: resolve_route(&entry.address, addresses.unpack(record.local))?,
        source: source_of(entry.source, proxy.source),
        keepalive: proxy.options.server_keepalive.then_some(proxy.server_probes),
        buffers: Buffers { receive: tune.rcvbuf_server, send: tune.sndbuf_server },
    })
}
