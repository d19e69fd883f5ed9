//! Sessions on their way to another owner, or from one: parked, told or built, then carried on by exactly one.

use std::io;

use crate::session::deadline::Ticks;
use crate::session::{Half, HalfState, Phase, Session, Verdict};

use super::mailbox::{Batch, Command, DESCRIPTORS, Moving, Order, Staying};
use super::record::Record;
use super::{Entry, Worker};

/// How long what was taken from one side may still be written to the other, milliseconds. Whoever reads takes it
/// at once; for one that does not a whole batch would wait.
const WRITING_MS: u64 = 10;

/// Sessions under way, of one batch at a time.
#[derive(Debug, Default)]
pub(super) struct Transit {
    /// The batch that is to be told once all its sessions are parked.
    order: Option<Order>,
    /// Until when they may write.
    writing_until: Option<u64>,
    slots: Vec<u32>,
    /// How many of them are not parked yet.
    parking: usize,
    /// They came from elsewhere, and nothing is counted for them yet.
    adopted: bool,
    /// It was told that one could not be handed over, and that one could not be taken over. What lacks for one lacks
    /// for many, again and again.
    told: [bool; 2],
}

impl Transit {
    /// When sessions that park must write no more.
    pub(super) fn writing_until(&self) -> Option<u64> {
        self.writing_until
    }

    #[cold]
    fn lament(&mut self, adopting: bool, error: &io::Error) {
        let told = std::mem::replace(&mut self.told[usize::from(adopting)], true);
        match (adopting, told) {
            (false, false) => tracing::warn!(%error, "a session cannot be handed over; others may follow"),
            (true, false) => tracing::warn!(%error, "a session cannot be taken over; others may follow"),
            (_, true) => tracing::debug!(%error, adopting, "one more session cannot change its owner"),
        }
    }
}

impl Worker {
    /// Parks what may move of the slots that the batch asks for. One batch at a time: while another is under
    /// way it comes back as it is.
    pub(super) fn release(&mut self, mut order: Order) {
        let Command::Release(batch) = &mut order.command else { return };
        (batch.next, batch.staying) = (None, Staying::default());
        if !self.transit.slots.is_empty() || self.transit.order.is_some() {
            batch.next = Some(batch.from);
            return self.mailbox.give_back(order);
        }
        let slots = self.choose_movers(batch);
        self.transit.parking = slots.len();
        self.transit.writing_until = Some(self.now + WRITING_MS);
        self.transit.adopted = false;
        self.transit.slots.clone_from(&slots);
        self.transit.order = Some(order);
        for slot in slots {
            self.park(slot);
        }
        self.tell_when_parked();
    }

    /// The sessions of a batch that may move, as many as its descriptors suffice for.
    fn choose_movers(&self, batch: &mut Batch) -> Vec<u32> {
        let (slots, next) = self.step(batch.from);
        batch.next = next;
        let mut chosen = Vec::with_capacity(slots.len());
        let mut room = DESCRIPTORS;
        for slot in slots {
            let Some(Entry { session, record }) = self.sessions.get(slot as usize) else { continue };
            if batch.settled.binary_search(&(slot, self.ring.generation(slot))).is_ok() {
                batch.staying.settled += 1;
                continue;
            }
            let policy = &self.policies.entry(record.policy).policy;
            if !session.can_move(policy) {
                *reason(&mut batch.staying, session.phase()) += 1;
                continue;
            }
            // A pipe may fill until it is parked: whoever finds no room then comes with the next batch.
            let needed = self.ring.descriptors(slot);
            if needed > room || chosen.len() == batch.sessions.capacity() {
                batch.next = Some(slot);
                break;
            }
            room -= needed;
            chosen.push(slot);
        }
        chosen
    }

    fn park(&mut self, slot: u32) {
        let Entry { session, record } = &self.sessions[slot as usize];
        let idle_ms = (self.now as u32).wrapping_sub(record.ticks.activity);
        if session.phase() == Phase::Queued {
            self.leave_queue(slot);
        }
        self.drive(slot, |session, _, ops| {
            session.park(ops);
            // Whoever took nothing for so long is not waited for.
            if u64::from(idle_ms) >= WRITING_MS {
                session.halt(ops);
            }
            Verdict::Live
        });
    }

    /// A session on its way changed its phase. False: it ended, and goes on as any that does.
    #[cold]
    pub(super) fn on_transit(&mut self, slot: u32, before: Phase, after: Phase, verdict: Verdict) -> bool {
        match after {
            Phase::Parking | Phase::Halting => self.timers.clear(slot),
            Phase::Parked => {
                self.transit.parking -= 1;
                self.tell_when_parked();
            }
            Phase::Ending if before == Phase::Parked => return false,
            Phase::Ending => {
                self.transit.slots.retain(|other| *other != slot);
                self.transit.parking -= 1;
                self.tell_when_parked();
                return false;
            }
            _ if matches!(verdict, Verdict::Redispatch { .. }) => self.redispatch(slot, false, false),
            _ => self.file_timer(slot),
        }
        true
    }

    /// Whoever still writes has had its time.
    pub(super) fn halt_writers(&mut self) {
        if self.transit.writing_until.is_none_or(|until| self.now < until) {
            return;
        }
        self.transit.writing_until = None;
        for at in (0..self.transit.slots.len()).rev() {
            let Some(&slot) = self.transit.slots.get(at) else { continue };
            if self.sessions[slot as usize].session.phase() == Phase::Parking {
                self.drive(slot, |session, _, ops| {
                    session.halt(ops);
                    Verdict::Live
                });
            }
        }
    }

    fn tell_when_parked(&mut self) {
        if self.transit.parking > 0 {
            return;
        }
        let Some(mut order) = self.transit.order.take() else { return };
        self.transit.writing_until = None;
        if let Command::Release(batch) = &mut order.command {
            self.tell(batch);
        }
        self.mailbox.give_back(order);
    }

    /// Writes the parked sessions down; those that cannot be told go on here.
    fn tell(&mut self, batch: &mut Batch) {
        let mut told = Vec::with_capacity(self.transit.slots.len());
        let mut room = DESCRIPTORS;
        for slot in std::mem::take(&mut self.transit.slots) {
            let needed = self.ring.descriptors(slot);
            let full = needed > room || batch.bytes.len() >= super::mailbox::BYTES;
            if full {
                batch.next = Some(batch.next.map_or(slot, |next| next.min(slot)));
                self.carry_on(slot);
                continue;
            }
            match self.moving(slot, &mut batch.bytes) {
                Ok(moving) => {
                    room -= needed;
                    batch.sessions.push(moving);
                    told.push(slot);
                }
                Err(error) => {
                    self.transit.lament(false, &error);
                    batch.staying.ending += 1;
                    self.carry_on(slot);
                }
            }
        }
        self.transit.slots = told;
    }

    fn moving(&self, slot: u32, bytes: &mut Vec<u8>) -> io::Result<Moving> {
        let Entry { session, record } = &self.sessions[slot as usize];
        let owner = self.policies.entry(record.policy);
        let before = bytes.len();
        let cargo = self.ring.cargo(slot, bytes).inspect_err(|_| bytes.truncate(before))?;
        let age = |tick: u32| (self.now as u32).wrapping_sub(tick);
        Ok(Moving {
            from: slot,
            generation: self.ring.generation(slot),
            to: None,
            parcel: session.parcel(),
            frontend: owner.frontend,
            bind: record.bind,
            backend: owner.backend,
            server: session.server(),
            client: self.addresses.unpack(record.client),
            local: self.addresses.unpack(record.local),
            age_ms: record.age_ms(self.now),
            queue_ms: record.queue_ms(),
            connect_ms: record.connect_ms(),
            idle_ms: age(record.ticks.activity),
            phase_ms: age(record.ticks.phase),
            bytes: record.bytes,
            queue_place: record.queue_place,
            cargo,
        })
    }

    /// Builds the sessions of a batch without moving a byte. Those that cannot be built are not taken up.
    pub(super) fn adopt(&mut self, batch: &mut Batch) {
        if !self.transit.slots.is_empty() || self.transit.order.is_some() {
            return;
        }
        self.transit.adopted = true;
        let Batch { sessions, bytes, .. } = batch;
        let mut rest = bytes.as_slice();
        for moving in sessions {
            let Some((own, others)) = rest.split_at_checked(moving.cargo.queued()) else { return };
            rest = others;
            match self.build(moving, own) {
                Ok(slot) => {
                    moving.to = Some(slot);
                    self.transit.slots.push(slot);
                }
                Err(error) => self.transit.lament(true, &error),
            }
        }
    }

    fn build(&mut self, moving: &mut Moving, bytes: &[u8]) -> io::Result<u32> {
        let impossible = || io::Error::from(io::ErrorKind::InvalidData);
        Session::from_parcel(&moving.parcel, moving.server).ok_or_else(impossible)?;
        let sockets = &moving.cargo.sockets;
        let open = moving.parcel.open_sides();
        if sockets.iter().flatten().count() != open.len() || sockets[0].is_none() {
            return Err(impossible());
        }
        let slot = self.sessions.vacant_key() as u32;
        let taken = moving.parcel.halves.map(|half| half.rest);
        let cargo = std::mem::take(&mut moving.cargo);
        let here = self.ring.adopt(slot, cargo, bytes, taken)?;
        let idle = moving.parcel.halves.iter().map(|half| half.state == HalfState::Idle);
        if idle.zip(here).any(|(idle, here)| idle && here > 0) {
            // It waits for bytes that only a pipe had room for, where nobody looks for them.
            self.ring.forget(slot);
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let mut record = self.record_of(moving);
        let mut parcel = moving.parcel;
        for (at, half) in parcel.halves.iter_mut().enumerate() {
            record.bytes[at] =
                record.bytes[at].wrapping_add(u64::from(here[at])).wrapping_sub(u64::from(half.rest));
            *half = half_with(*half, here[at]);
        }
        let Some(session) = Session::from_parcel(&parcel, moving.server) else {
            self.ring.forget(slot);
            self.policies.release(record.policy);
            return Err(impossible());
        };
        self.sessions.insert(Entry { session, record });
        self.timers.reserve(self.sessions.capacity());
        Ok(slot)
    }

    fn record_of(&mut self, moving: &Moving) -> Record {
        let policy = self.policies.find_or_add(moving.frontend, moving.backend);
        self.policies.hold(policy);
        let (client, local) = (self.addresses.pack(moving.client), self.addresses.pack(moving.local));
        let mut record = Record::new(client, local, moving.bind, policy, self.now);
        record.set_times(self.now, moving.age_ms, moving.queue_ms, moving.connect_ms);
        let tick = |age: u32| (self.now as u32).wrapping_sub(age);
        record.ticks = Ticks { activity: tick(moving.idle_ms), phase: tick(moving.phase_ms) };
        (record.bytes, record.queue_place) = (moving.bytes, moving.queue_place);
        record
    }

    /// The sessions under way are settled: this worker carries on these, somebody else all the others.
    pub(super) fn carry(&mut self, own: &[u32]) {
        let adopted = self.transit.adopted;
        for slot in std::mem::take(&mut self.transit.slots) {
            if !own.contains(&slot) {
                self.let_go(slot, adopted);
                continue;
            }
            if adopted {
                self.count_adopted(slot);
            }
            self.carry_on(slot);
        }
    }

    /// A parked session goes on. The time in a queue is that of before.
    fn carry_on(&mut self, slot: u32) {
        let since = self.sessions[slot as usize].record.ticks.phase;
        self.drive(slot, |session, policy, ops| session.resume(policy, ops));
        let Some(Entry { session, record }) = self.sessions.get_mut(slot as usize) else { return };
        if session.phase() == Phase::Queued {
            record.ticks.phase = since;
            self.file_timer(slot);
        }
    }

    /// A parked session is another owner's: nothing of it remains here, and nothing is told to its peers.
    fn let_go(&mut self, slot: u32, adopted: bool) {
        let record = self.sessions[slot as usize].record;
        let owner = self.policies.entry(record.policy);
        let (frontend, backend) = (owner.frontend, owner.backend);
        self.timers.clear(slot);
        self.ring.forget(slot);
        let freed = if adopted { None } else { self.release_slot(slot) };
        self.policies.release(record.policy);
        self.addresses.forget(record.client);
        self.addresses.forget(record.local);
        self.sessions.remove(slot as usize);
        if adopted {
            return;
        }
        if let Some(backend) = backend {
            self.load.backend(backend).release();
        }
        self.release_connection(record.bind, frontend);
        if let Some(id) = freed {
            self.wake_waiters(id);
        }
    }

    /// What is counted of a session that lives on here: that it is there, not how it came to be.
    fn count_adopted(&mut self, slot: u32) {
        let Entry { session, record } = &self.sessions[slot as usize];
        let owner = self.policies.entry(record.policy);
        let (server, backend) = (session.server(), owner.backend);
        self.load.process().take(None);
        self.load.frontend(owner.frontend).take(None);
        self.load.bind(record.bind).take(None);
        self.count_present(record.bind, owner.frontend);
        if let Some(backend) = backend {
            self.enter_backend(backend);
        }
        if let Some(server) = server {
            self.load.server(server).take(None);
            self.counters.server(server).sessions.add(1);
        }
    }
}

/// Which of them one in this phase is.
fn reason(staying: &mut Staying, phase: Phase) -> &mut u32 {
    match phase {
        Phase::Holding => &mut staying.inspected,
        Phase::Ending => &mut staying.ending,
        _ => &mut staying.connecting,
    }
}

/// Where a direction stands when `here` bytes of it count as taken.
fn half_with(half: Half, here: u32) -> Half {
    match half.state {
        HalfState::Full | HalfState::Listening if here > 0 => {
            Half { state: HalfState::Full, rest: here, ..half }
        }
        _ => half,
    }
}
