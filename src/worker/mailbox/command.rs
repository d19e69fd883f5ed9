//! What a worker can be told. A command has room for its answer: the worker fills it in and gives it back,
//! so that it neither allocates nor frees.

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use crate::config::model::{BindId, ProxyId};
use crate::session::Phase;
use crate::session::op::{Errno, ServerId};
use crate::session::termination::Cause;

use super::Batch;

/// Slots that one order looks at: a worker with many sessions goes on serving them between two.
pub const STEP: u32 = 128;

/// What a worker can be told.
#[derive(Debug)]
pub enum Command {
    /// Close the listeners, finish the sessions, then return.
    SoftStop,
    /// Return now; sessions are cut.
    HardStop,
    /// Tell about some of the sessions.
    Sessions(Walk),
    /// End some of the sessions.
    End(Cut),
    /// Accept nobody at this proxy's addresses, which stay bound: connections are refused.
    Pause(ProxyId),
    /// The end of a pause.
    Resume(Resume),
    /// A limit has changed: see who may come in.
    Retry,
    /// Look at the newest table, and listen on these sockets, which it names.
    Listen(Vec<(BindId, OwnedFd)>),
    /// Serve a connection of this address that the control thread has received.
    Take(BindId, Option<OwnedFd>),
    /// Stop listening on some addresses: what is queued is served.
    Unlisten(Leave),
    /// Park some of the sessions and tell them. Answered once they are parked.
    Release(Batch),
    /// Build the sessions of a batch, parked.
    Adopt(Batch),
    /// Sessions under way in these slots go on here, all others elsewhere.
    Carry(Vec<u32>),
    /// Begin to count anew.
    Forget(Forget),
}

/// `clear counters`: only the worker itself may write its counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forget {
    /// The largest values seen.
    Maxima,
    /// Everything that `show stat` has.
    All,
    /// Everything of one server.
    Server(ServerId),
}

/// Addresses that are left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leave {
    /// Which.
    pub binds: Vec<BindId>,
    /// Another process has their sockets too, and goes on listening.
    pub shared: bool,
}

/// The end of a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Whose addresses.
    pub proxy: ProxyId,
    /// What listen(2) said, if it failed.
    pub refused: Option<Errno>,
}

/// A look at up to [`STEP`] slots of a worker.
#[derive(Debug)]
pub struct Walk {
    /// The first slot to look at.
    pub from: u32,
    /// Where to go on; None: there is nothing behind.
    pub next: Option<u32>,
    /// The sessions found: as many as the sender left room for.
    pub rows: Vec<SessionRow>,
}

/// Ends some of the sessions in up to [`STEP`] slots of a worker.
#[derive(Debug)]
pub struct Cut {
    /// Which.
    pub whom: Whom,
    /// The first letter of their log lines.
    pub cause: Cause,
    /// The first slot to look at.
    pub from: u32,
    /// Where to go on; None: there is nothing behind.
    pub next: Option<u32>,
    /// Sessions that were told to end.
    pub ended: u32,
}

/// Which sessions are to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// This one.
    Session(SessionId),
    /// All that hold a slot of this server.
    Server(ServerId),
    /// All of the worker.
    All,
}

/// One session of the process, in a number that tools take for a pointer: `0x<worker><generation><slot>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId {
    /// 0-based number of its worker.
    pub worker: u8,
    /// Counts the sessions that the slot has had; wraps.
    pub generation: u16,
    /// Its place on the worker.
    pub slot: u32,
}

/// What is known of one session, as of the moment the worker looked.
#[derive(Clone, Copy, Debug)]
pub struct SessionRow {
    /// Which.
    pub id: SessionId,
    /// The client; None: it has no IP address.
    pub client: Option<SocketAddr>,
    /// Where it connected to.
    pub local: Option<SocketAddr>,
    /// The proxy that accepted it.
    pub frontend: ProxyId,
    /// The address that accepted it.
    pub bind: BindId,
    /// The proxy that serves it; None: none was chosen yet.
    pub backend: Option<ProxyId>,
    /// The server it was assigned to last.
    pub server: Option<ServerId>,
    /// Where it stands.
    pub phase: Phase,
    /// When it was accepted, process clock; negative: before this process started.
    pub accepted_ms: i64,
    /// Since when no byte has moved.
    pub idle_ms: u32,
    /// When its nearest timeout strikes; None: none can.
    pub expires_ms: Option<u32>,
    /// Bytes taken from the client, and from the server.
    pub bytes: [u64; 2],
    /// Connection attempts after the first.
    pub retries: u16,
    /// Descriptors of the client's and the server's socket; None: not open.
    pub descriptors: [Option<i32>; 2],
}

impl Walk {
    /// From the first slot, with room for a whole step.
    pub fn new() -> Walk {
        Walk { from: 0, next: None, rows: Vec::with_capacity(STEP as usize) }
    }

    /// The next step with the same buffer; None: that was the last.
    pub fn onwards(mut self) -> Option<Walk> {
        self.from = self.next.take()?;
        self.rows.clear();
        Some(self)
    }
}

impl Default for Walk {
    fn default() -> Walk {
        Walk::new()
    }
}

impl Cut {
    /// From the first slot.
    pub fn new(whom: Whom, cause: Cause) -> Cut {
        Cut { whom, cause, from: 0, next: None, ended: 0 }
    }

    /// The next step; None: that was the last.
    pub fn onwards(mut self) -> Option<Cut> {
        self.from = self.next.take()?;
        Some(self)
    }
}

impl SessionId {
    /// The number, never 0.
    pub fn bits(self) -> u64 {
        (u64::from(self.worker) + 1) << 48 | u64::from(self.generation) << 32 | u64::from(self.slot)
    }

    /// The session of a number; None: no session ever has it.
    pub fn of_bits(bits: u64) -> Option<SessionId> {
        let worker = u8::try_from((bits >> 48).checked_sub(1)?).ok()?;
        Some(SessionId { worker, generation: (bits >> 32) as u16, slot: bits as u32 })
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.bits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_named_by_a_number() {
        for id in [
            SessionId { worker: 0, generation: 0, slot: 0 },
            SessionId { worker: 255, generation: u16::MAX, slot: u32::MAX },
            SessionId { worker: 3, generation: 7, slot: 129 },
        ] {
            assert_eq!(SessionId::of_bits(id.bits()), Some(id));
        }
        assert_eq!(SessionId { worker: 3, generation: 7, slot: 129 }.to_string(), "0x4000700000081");
        assert_eq!([0, 12, u64::MAX].map(SessionId::of_bits), [None; 3]);
    }

    #[test]
    fn a_walk_goes_on_with_its_buffer() {
        let mut walk = Walk::new();
        let room = walk.rows.capacity();
        walk.next = Some(STEP);
        let walk = walk.onwards().expect("there is more");
        assert_eq!((walk.from, walk.next, walk.rows.len()), (STEP, None, 0));
        assert!(room >= STEP as usize && walk.rows.capacity() == room);
        assert!(walk.onwards().is_none());
    }
}
