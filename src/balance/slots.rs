//! The slots of a backend's servers: which are free, and taking one.

use crate::load::{Cell, Load};
use crate::table::{Backend, ServerEntry};

use super::Choice;

/// A backend together with its live counts.
#[derive(Clone, Copy)]
pub(super) struct Slots<'a> {
    backend: &'a Backend,
    load: &'a Load,
}

impl<'a> Slots<'a> {
    pub(super) fn new(backend: &'a Backend, load: &'a Load) -> Slots<'a> {
        Slots { backend, load }
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

    /// Takes a slot of the server, if one is free.
    pub(super) fn take(&self, at: u16) -> bool {
        self.cell(at).take(self.limit(at)).is_some()
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
