//! What is left to do when a session is connected, gives up a server, or ends: counts, slots, the log.

use std::sync::Arc;

use crate::config::model::{LogStyle, Proxy, ProxyId};
use crate::load::QueueId;
use crate::log::record::SessionRecord;
use crate::session::op::{Direction, ServerId};
use crate::session::termination::{Cause, Stage, Termination};

use super::{Entry, Worker};

/// When a session is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Without `option tcplog`: who connected is all there is to say.
    Accepted,
    /// `option logasap`; a session that never connects is logged at its end.
    Connected,
    /// `option tcplog`.
    End,
}

impl Moment {
    fn of(proxy: &Proxy) -> Moment {
        match (&proxy.log_style, proxy.options.logasap) {
            (LogStyle::Connect, _) => Moment::Accepted,
            (LogStyle::Tcplog | LogStyle::Httplog | LogStyle::Httpslog, true) => Moment::Connected,
            (LogStyle::Tcplog | LogStyle::Httplog | LogStyle::Httpslog, false) => Moment::End,
        }
    }
}

impl Worker {
    /// A backend was chosen: the session counts there from now on.
    pub(super) fn enter_backend(&mut self, backend: ProxyId) {
        self.load.backend(backend).take(None);
        self.counters.backend(backend).sessions.add(1);
    }

    pub(super) fn count_assigned(&mut self, slot: u32, backend: ProxyId, server: ServerId) {
        let session = &self.sessions[slot as usize].session;
        let stamp = self.now + 1;
        for counters in [self.counters.backend(backend), self.counters.server(server)] {
            counters.balanced.add(1);
            counters.last_session_ms.raise(stamp);
        }
        self.counters.server(server).sessions.add(1);
        // Who has waited for this very server was not sent there again.
        let tried = |former: &ServerId| session.retries() > 0 || *former != server;
        let Some(former) = session.last_server().filter(tried) else { return };
        for counters in [self.counters.backend(backend), self.counters.server(former)] {
            if former == server { &counters.retries } else { &counters.redispatches }.add(1);
        }
    }

    pub(super) fn count_connect(&mut self, slot: u32) {
        let backend = self.backend_of(slot);
        if let (Some(backend), Some(server)) = (backend, self.sessions[slot as usize].session.server()) {
            self.counters.backend(backend).connects.add(1);
            self.counters.server(server).connects.add(1);
        }
    }

    pub(super) fn count_retry(&mut self, slot: u32) {
        let backend = self.backend_of(slot);
        if let (Some(backend), Some(server)) = (backend, self.sessions[slot as usize].session.server()) {
            self.counters.backend(backend).retries.add(1);
            self.counters.server(server).retries.add(1);
        }
    }

    /// Writes the session's one log line if this is the moment for it.
    pub(super) fn log_at(&mut self, moment: Moment, slot: u32, termination: Termination) {
        let entry = self.policies.entry(self.sessions[slot as usize].record.policy);
        if moment == Moment::of(entry.frontend_settings()) {
            let facts = self.session_record(slot, termination, moment == Moment::Connected);
            self.write_log(facts);
        }
    }

    /// The session ended and its sockets are closed: give everything back, count, log.
    pub(super) fn finish(&mut self, slot: u32, termination: Termination) {
        self.timers.clear(slot);
        let server = self.sessions[slot as usize].session.server();
        let record = self.sessions[slot as usize].record;
        let entry = self.policies.entry(record.policy);
        let (frontend, backend) = (entry.frontend, entry.backend);
        let due = Moment::of(entry.frontend_settings());
        let freed = self.release_slot(slot);
        if let Some(backend) = backend {
            self.load.backend(backend).release();
        }
        let facts = self.session_record(slot, termination, false);
        self.count_end(&facts, backend, server);
        if due == Moment::End || (due == Moment::Connected && record.connect_ms() < 0) {
            self.write_log(facts);
        }
        self.policies.release(record.policy);
        self.addresses.forget(record.client);
        self.addresses.forget(record.local);
        self.sessions.remove(slot as usize);
        self.release_connection(record.bind, frontend);
        // Last, so that the log line does not count the session that takes the slot.
        if let Some(id) = freed {
            self.wake_waiters(id);
        }
    }

    fn write_log(&mut self, facts: SessionRecord) {
        if !self.log.push(facts) {
            self.counters.process().dropped_logs.add(1);
        }
    }

    /// Gives the session's server slot back, if it holds one, and wakes who waits for it. Returns the
    /// server's place in its backend.
    pub(super) fn release_server(&mut self, slot: u32) -> Option<u16> {
        let id = self.release_slot(slot)?;
        self.wake_waiters(id);
        self.snapshot.place(id).1
    }

    /// The slot alone, and whose it was.
    pub(super) fn release_slot(&mut self, slot: u32) -> Option<ServerId> {
        let session = &mut self.sessions[slot as usize].session;
        let id = session.server()?;
        session.released();
        self.load.server(id).release();
        Some(id)
    }

    pub(super) fn wake_waiters(&mut self, id: ServerId) {
        let (backend, _) = self.snapshot.place(id);
        self.wake_next(QueueId::Server(id), backend);
        self.wake_next(QueueId::Backend(backend), backend);
    }

    fn session_record(&self, slot: u32, termination: Termination, early: bool) -> SessionRecord {
        let Entry { session, record } = &self.sessions[slot as usize];
        let entry = self.policies.entry(record.policy);
        let backend = entry.backend.unwrap_or(entry.frontend);
        let server = session.last_server();
        SessionRecord {
            config: Arc::clone(&entry.config),
            client: self.addresses.unpack(record.client),
            frontend_address: self.addresses.unpack(record.local),
            frontend: entry.frontend,
            bind: record.bind,
            backend,
            server: server.and_then(|id| self.server_name(id, backend)),
            accepted_us: self.clock.epoch_us.saturating_add_signed(record.accepted_ms() * 1000),
            queue_ms: record.queue_ms(),
            connect_ms: record.connect_ms(),
            total_ms: record.age_ms(self.now),
            bytes_to_client: record.bytes[Direction::ToClient.index()],
            bytes_to_server: record.bytes[Direction::ToServer.index()],
            termination,
            early,
            process_conns: self.load.process().live(),
            frontend_conns: self.load.frontend(entry.frontend).live(),
            backend_conns: entry.backend.map_or(0, |backend| self.load.backend(backend).live()),
            server_conns: server.map_or(0, |id| self.load.server(id).live()),
            retries: session.retries(),
            redispatched: session.redispatched(),
            server_queue: u32::from(record.queue_place[0]),
            backend_queue: u32::from(record.queue_place[1]),
            request: None,
        }
    }

    /// None: it is no server of this backend any more.
    fn server_name(&self, id: ServerId, backend: ProxyId) -> Option<Arc<str>> {
        let (owner, server) = self.snapshot.server(id);
        (owner.proxy == backend).then(|| Arc::clone(&server.name))
    }

    fn count_end(&self, facts: &SessionRecord, backend: Option<ProxyId>, server: Option<ServerId>) {
        let counters = &self.counters;
        for side in [counters.frontend(facts.frontend), counters.bind(facts.bind)] {
            side.bytes_in.add(facts.bytes_to_server);
            side.bytes_out.add(facts.bytes_to_client);
            if facts.termination.stage == Stage::Request {
                side.request_errors.add(1);
            }
        }
        let backend = backend.map(|proxy| counters.backend(proxy));
        for side in backend.into_iter().chain(server.map(|id| counters.server(id))) {
            side.bytes_in.add(facts.bytes_to_server);
            side.bytes_out.add(facts.bytes_to_client);
            side.total_time.sample(facts.total_ms);
            side.queue_time.sample(facts.queue_ms.max(0) as u64);
            side.connect_time.sample(facts.connect_ms.max(0) as u64);
            match (facts.termination.cause, facts.termination.stage) {
                (Cause::ClientAbort, Stage::Data | Stage::Request) | (Cause::ClientTimeout, Stage::Data) => {
                    side.client_aborts.add(1);
                }
                (Cause::ServerAbort | Cause::ServerTimeout, Stage::Data) => side.server_aborts.add(1),
                (Cause::ServerAbort | Cause::ServerTimeout | Cause::Resource, Stage::Connect) => {
                    side.connect_errors.add(1);
                }
                _ => {}
            }
        }
    }
}
