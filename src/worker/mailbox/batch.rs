//! Sessions under way from one owner to another: what a worker tells of them, or takes up.
//!
//! ```text
//! old worker: Release -> parks, tells -> Carry(those that come back): they go on, it forgets the others
//! new worker: Adopt -> builds, moves no byte -> Carry(those that are its own): they go on, it drops the others
//! ```

use std::net::SocketAddr;

use crate::config::model::{BindId, ProxyId};
use crate::ring::cargo::Cargo;
use crate::session::op::ServerId;
use crate::session::parcel::Parcel;

use super::STEP;

/// Descriptors of one message (SCM_MAX_FD of the kernel).
pub const DESCRIPTORS: usize = 253;
/// With more received bytes than that a batch takes no further session.
pub const BYTES: usize = 1 << 20;

/// A look at up to [`STEP`] slots of a worker, and the sessions found there that may move.
#[derive(Debug)]
pub struct Batch {
    /// The first slot to look at.
    pub from: u32,
    /// Where to go on; None: there is nothing behind.
    pub next: Option<u32>,
    /// Slots and generations, in order, of sessions that are to be left in peace: nobody else has a place for them.
    pub settled: Vec<(u32, u16)>,
    /// The sessions.
    pub sessions: Vec<Moving>,
    /// Their received bytes, one after the other.
    pub bytes: Vec<u8>,
    /// Sessions in these slots that stay where they are for now.
    pub staying: Staying,
}

/// Sessions that cannot move for now, by what they do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Staying {
    /// A server is chosen or connected to, or waited for before the next attempt.
    pub connecting: u32,
    /// Their first bytes are looked at.
    pub inspected: u32,
    /// They end, or could not be told: no descriptor was left.
    pub ending: u32,
    /// Nobody else has a place for them.
    pub settled: u32,
}

impl Staying {
    /// How many these are.
    pub fn all(self) -> u32 {
        self.connecting + self.inspected + self.ending + self.settled
    }
}

impl std::ops::AddAssign for Staying {
    fn add_assign(&mut self, other: Staying) {
        self.connecting += other.connecting;
        self.inspected += other.inspected;
        self.ending += other.ending;
        self.settled += other.settled;
    }
}

/// One session on its way. Times are durations, milliseconds.
#[derive(Debug)]
pub struct Moving {
    /// Its slot with its former owner.
    pub from: u32,
    /// Of that slot, as long as the former owner has it.
    pub generation: u16,
    /// Its slot with the next owner; None: not taken up.
    pub to: Option<u32>,
    /// State.
    pub parcel: Parcel,
    /// The proxy that accepted it.
    pub frontend: ProxyId,
    /// The address that accepted it.
    pub bind: BindId,
    /// The proxy that serves it; None: none was chosen yet.
    pub backend: Option<ProxyId>,
    /// The server whose slot it holds.
    pub server: Option<ServerId>,
    /// The client; None: it has no IP address.
    pub client: Option<SocketAddr>,
    /// Where it connected to.
    pub local: Option<SocketAddr>,
    /// Since it was accepted.
    pub age_ms: u64,
    /// From then until its turn came; -1: it has not.
    pub queue_ms: i32,
    /// From then until the server connection was made; -1: it was not.
    pub connect_ms: i32,
    /// Since a byte moved.
    pub idle_ms: u32,
    /// Since its phase began.
    pub phase_ms: u32,
    /// Bytes taken from the client, and from the server.
    pub bytes: [u64; 2],
    /// Its place, from 1, when it entered the server's queue, and the backend's; 0: it never did.
    pub queue_place: [u16; 2],
    /// Descriptors and the lengths of received bytes; empty once taken up.
    pub cargo: Cargo,
}

impl Batch {
    /// From the first slot, with room for a whole step.
    pub fn new() -> Batch {
        Batch {
            from: 0,
            next: None,
            settled: Vec::new(),
            sessions: Vec::with_capacity(STEP as usize),
            bytes: Vec::with_capacity(BYTES),
            staying: Staying::default(),
        }
    }

    /// The next step with the same buffers; None: that was the last.
    pub fn onwards(mut self) -> Option<Batch> {
        self.from = self.next.take()?;
        self.settled.clear();
        self.sessions.clear();
        self.bytes.clear();
        self.staying = Staying::default();
        Some(self)
    }

    /// Descriptors of all its sessions.
    pub fn descriptors(&self) -> usize {
        self.sessions.iter().map(|moving| moving.cargo.descriptors()).sum()
    }
}

impl Default for Batch {
    fn default() -> Batch {
        Batch::new()
    }
}
