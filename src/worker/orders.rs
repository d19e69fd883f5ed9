//! Obeying the control thread: a few orders a turn, each done at once and given back.

use crate::session::op::{Direction, Side};
use crate::session::termination::Cause;
use crate::session::{Phase, Session};

use super::mailbox::{Command, Cut, Forget, Order, STEP, SessionId, SessionRow, Walk, Whom};
use super::{Entry, Stop, Worker};

/// Orders that are done in one turn.
const BATCH: usize = 16;

impl Worker {
    pub(super) fn on_mail(&mut self) {
        self.mailbox.silence();
        for _ in 0..BATCH {
            let Some(order) = self.mailbox.next() else {
                self.mail_waits = false;
                return;
            };
            self.obey(order);
            if self.stop == Some(Stop::Hard) {
                return;
            }
        }
        self.mail_waits = true;
    }

    fn obey(&mut self, mut order: Order) {
        match &mut order.command {
            Command::SoftStop => self.stop_softly(),
            Command::HardStop => self.stop = Some(Stop::Hard),
            Command::Sessions(walk) => self.look_at_sessions(walk),
            Command::End(cut) => self.end_sessions(cut),
            Command::Pause(proxy) => self.pause_frontend(*proxy),
            Command::Resume(resume) => self.resume_frontend(resume),
            Command::Retry => self.resume_listeners(),
            Command::Listen(sockets) => self.listen(sockets),
            Command::Take(bind, socket) => {
                let bind = u32::from(bind.0);
                socket.take().into_iter().for_each(|socket| self.admit(bind, socket));
            }
            Command::Unlisten(leave) => self.unlisten(leave),
            Command::Release(_) => return self.release(order),
            Command::Adopt(batch) => self.adopt(batch),
            Command::Carry(slots) => self.carry(slots),
            Command::Forget(Forget::Maxima) => self.counters.forget_maxima(),
            Command::Forget(Forget::All) => self.counters.forget(),
            Command::Forget(Forget::Server(server)) => self.counters.forget_server(*server),
        }
        self.mailbox.give_back(order);
    }

    fn stop_softly(&mut self) {
        if self.stop.is_none() {
            self.stop = Some(Stop::Soft);
            self.close_listeners();
        }
    }

    /// The slots of a step that starts at `from`, and where the next one starts.
    pub(super) fn step(&self, from: u32) -> (std::ops::Range<u32>, Option<u32>) {
        let all = self.sessions.capacity() as u32;
        let end = from.saturating_add(STEP).min(all);
        (from.min(end)..end, (end < all).then_some(end))
    }

    fn look_at_sessions(&self, walk: &mut Walk) {
        let (slots, next) = self.step(walk.from);
        walk.next = next;
        for slot in slots {
            if !self.sessions.contains(slot as usize) {
                continue;
            }
            // The buffer is the sender's: it never grows here.
            if walk.rows.len() == walk.rows.capacity() {
                walk.next = Some(slot);
                return;
            }
            walk.rows.push(self.row(slot));
        }
    }

    fn row(&self, slot: u32) -> SessionRow {
        let Entry { session, record } = &self.sessions[slot as usize];
        let owner = self.policies.entry(record.policy);
        let now = self.now as u32;
        let deadline = session.deadline(&owner.policy, &record.ticks);
        SessionRow {
            id: self.session_id(slot),
            client: self.addresses.unpack(record.client),
            local: self.addresses.unpack(record.local),
            frontend: owner.frontend,
            bind: record.bind,
            backend: owner.backend,
            server: session.last_server(),
            phase: session.phase(),
            accepted_ms: record.accepted_ms(),
            idle_ms: now.wrapping_sub(record.ticks.activity),
            expires_ms: deadline.map(|deadline| (deadline.at.wrapping_sub(now) as i32).max(0) as u32),
            bytes: [Direction::ToServer, Direction::ToClient].map(|d| record.bytes[d.index()]),
            retries: session.retries(),
            descriptors: Side::BOTH.map(|side| self.ring.socket(slot, side)),
        }
    }

    fn session_id(&self, slot: u32) -> SessionId {
        SessionId { worker: self.index as u8, generation: self.ring.generation(slot), slot }
    }

    fn end_sessions(&mut self, cut: &mut Cut) {
        cut.next = None;
        match cut.whom {
            Whom::Session(id) => {
                let there = self.sessions.contains(id.slot as usize) && self.session_id(id.slot) == id;
                cut.ended += u32::from(there && self.end_session(id.slot, cut.cause));
            }
            Whom::Server(server) => self.end_those(cut, |session| session.server() == Some(server)),
            Whom::All => self.end_those(cut, |_| true),
        }
    }

    fn end_those(&mut self, cut: &mut Cut, meant: impl Fn(&Session) -> bool) {
        let (slots, next) = self.step(cut.from);
        cut.next = next;
        for slot in slots {
            if self.sessions.get(slot as usize).is_some_and(|entry| meant(&entry.session)) {
                cut.ended += u32::from(self.end_session(slot, cut.cause));
            }
        }
    }

    /// Ends a live session for a cause that is neither side's; false: it was ending already, or may be another
    /// owner's.
    pub(super) fn end_session(&mut self, slot: u32, cause: Cause) -> bool {
        if matches!(self.sessions[slot as usize].session.phase(), Phase::Ending | Phase::Parked) {
            return false;
        }
        self.drive(slot, |session, _, ops| session.kill(cause, ops));
        true
    }
}
