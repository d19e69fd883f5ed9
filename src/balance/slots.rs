//! The slots of a backend's servers: which are free, and taking one.

use crate::load::{Cell, Load};
use crate::table::{Backend, ServerEntry};

use super::{Choice, Method};

/// A backend together with its live counts, as a newcomer or as one who waits sees them.
#[derive(Clone, Copy)]
pub(super) struct Slots<'a> {
    backend: &'a Backend,
    load: &'a Load,
    waiter: bool,
}

impl<'a> Slots<'a> {
    pub(super) fn new(backend: &'a Backend, load: &'a Load) -> Slots<'a> {
        Slots { backend, load, waiter: false }
    }

    /// For a session that waits already: a free slot is its own.
    pub(super) fn of_waiter(self) -> Slots<'a> {
        Slots { waiter: true, ..self }
    }

    pub(super) fn is_of_waiter(&self) -> bool {
        self.waiter
    }

    pub(super) fn method(&self) -> &'a Method {
        &self.backend.selector.method
    }

    /// Whether others wait for any server, and a session that is being served will end and wake them. The
    /// newcomer itself is among the live ones.
    pub(super) fn behind_others(&self) -> bool {
        let cell = self.cursor();
        let waiting = cell.waiting();
        !self.waiter && waiting > 0 && cell.live() > waiting + 1
    }

    /// The servers that sessions go to now.
    pub(super) fn candidates(&self) -> &'a [u16] {
        self.backend.selector.candidates()
    }

    pub(super) fn server(&self, at: u16) -> &'a ServerEntry {
        &self.backend.servers[usize::from(at)]
    }

    /// The server's live counts.
    pub(super) fn cell(&self, at: u16) -> &'a Cell {
        self.load.server(self.server(at).id)
    }

    /// The backend's cell, which holds the cursor.
    pub(super) fn cursor(&self) -> &'a Cell {
        self.load.backend(self.backend.proxy)
    }

    /// Sessions the server may hold now; None: unlimited.
    pub(super) fn limit(&self, at: u16) -> Option<u32> {
        self.server(at).limit(|| self.cursor().live(), self.backend.fullconn)
    }

    /// Takes a slot of the server, if one is free and nobody who waits for this server has to have it.
    pub(super) fn take(&self, at: u16) -> bool {
        !self.owed(at) && self.cell(at).take(self.limit(at)).is_some()
    }

    /// Whether [`Slots::take`] would find a slot now.
    pub(super) fn free(&self, at: u16) -> bool {
        !self.owed(at) && self.limit(at).is_none_or(|limit| self.cell(at).live() < limit)
    }

    /// Whether this session may still join the server's queue, on the grounds of its maxqueue. One that waits for any server
    /// goes on doing so.
    pub(super) fn queue_open(&self, at: u16) -> bool {
        let sessions = self.cell(at).live().saturating_add(self.cell(at).waiting());
        let most =
            self.server(at).maxqueue.zip(self.limit(at)).map(|(queue, limit)| limit.saturating_add(queue));
        !self.waiter && most.is_some_and(|most| sessions < most)
    }

    fn owed(&self, at: u16) -> bool {
        !self.waiter && self.cell(at).waiting() > 0 && self.cell(at).live() > 0
    }

    /// Takes a slot of the one server that will do, or says how to wait for it.
    pub(super) fn take_or_wait(&self, at: u16) -> Choice {
        if self.take(at) {
            return Choice::Server(at);
        }
        match self.server(at).maxqueue {
            Some(maxqueue) if self.cell(at).waiting() >= maxqueue => Choice::QueueFull(at),
            _ => Choice::QueueServer(at),
        }
    }

    /// Takes a slot of the first server of `order` that has one; the avoided one comes last.
    pub(super) fn take_first(&self, order: impl Iterator<Item = u16>, avoid: Option<u16>) -> Choice {
        let mut avoided = None;
        for at in order {
            if Some(at) == avoid {
                avoided = avoid;
            } else if self.take(at) {
                return Choice::Server(at);
            }
        }
        match avoided {
            Some(at) if self.take(at) => Choice::Server(at),
            _ => Choice::QueueBackend,
        }
    }
}
