//! One session of the simulated world: what is in flight for it, and what its end must look like.

use pronk::load::QueueId;
use pronk::session::Session;
use pronk::session::deadline::Ticks;
use pronk::session::op::{Completion, Direction, Op, Outcome, ServerId, Side};
use pronk::session::policy::Policy;
use pronk::session::termination::{Cause, Termination};

use super::peer::Peer;

/// An operation that the kernel works on.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    pub op: Op,
    pub cancelled: bool,
}

/// One session and its part of the world.
pub struct Actor {
    pub uid: u64,
    pub session: Session,
    pub policy: Policy,
    pub ticks: Ticks,
    pub peers: [Option<Peer>; 2],
    pub pipes: [Option<Vec<u8>>; 2],
    pub pending: Vec<Pending>,
    pub ops: Vec<Op>,
    /// What went wrong, in the order in which the session was told.
    pub blame: Vec<Cause>,
    pub connects: u32,
    pub last_connect: Outcome,
    /// A receive of this side was answered with bytes: the kernel may answer it again until it is aborted.
    pub armed: [bool; 2],
    pub queued_in: Option<QueueId>,
    pub established: bool,
    /// When it began to park, or was parked.
    pub transit_since: Option<u32>,
    /// (sent, to send, received) of each peer once its socket was closed.
    pub final_counts: [Option<(u32, u32, u32)>; 2],
}

/// An invariant, or what is wrong.
pub fn ensure(holds: bool, what: impl Into<String>) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.into()) }
}

/// A connect that nobody answers; the session's own id stays with the session.
pub const SILENT: ServerId = ServerId(u32::MAX - 1);

pub fn completion_of(op: Op) -> Option<Completion> {
    Some(match op {
        Op::Connect(_) => Completion::Connected,
        Op::Hold(_) => Completion::Held,
        Op::Fill(d) => Completion::Filled(d),
        Op::Watch => Completion::Watched,
        Op::Drain(d, _) => Completion::Drained(d),
        Op::Shutdown(d) => Completion::ShutDown(d),
        Op::Abort(side) => Completion::Aborted(side),
        Op::Stop(_) | Op::Unwatch | Op::Close(..) => return None,
    })
}

pub fn side_of(op: Op) -> Option<Side> {
    Some(match op {
        Op::Connect(_) => Side::Server,
        Op::Hold(_) | Op::Watch => Side::Client,
        Op::Fill(d) => d.source(),
        Op::Drain(d, _) | Op::Shutdown(d) => d.sink(),
        _ => return None,
    })
}

pub fn direction_of(op: Op) -> Option<Direction> {
    Some(match op {
        Op::Hold(_) | Op::Watch => Direction::ToServer,
        Op::Fill(d) | Op::Drain(d, _) | Op::Shutdown(d) => d,
        _ => return None,
    })
}

impl Actor {
    pub fn cancel(&mut self, which: impl Fn(Op) -> bool) {
        for pending in self.pending.iter_mut().filter(|pending| which(pending.op)) {
            pending.cancelled = true;
        }
    }

    pub fn blame(&mut self, side: Side) {
        self.blame.push(match side {
            Side::Client => Cause::ClientAbort,
            Side::Server => Cause::ServerAbort,
        });
    }

    /// Whether the kernel could answer this now.
    pub fn can_complete(&self, pending: &Pending) -> bool {
        pending.cancelled || self.would_complete(pending.op)
    }

    pub fn would_complete(&self, op: Op) -> bool {
        let peer = |side: Side| self.peers[side.index()].as_ref();
        match op {
            Op::Connect(id) => id != SILENT,
            Op::Hold(0) => true,
            Op::Hold(_) => peer(Side::Client).is_some_and(Peer::can_speak),
            Op::Fill(d) => peer(d.source()).is_some_and(Peer::can_speak),
            Op::Watch => peer(Side::Client).is_some_and(Peer::ends),
            Op::Drain(d, _) => peer(d.sink()).is_some_and(|sink| !sink.stalls),
            Op::Abort(side) => !self.pending.iter().any(|p| side_of(p.op) == Some(side)),
            _ => true,
        }
    }

    /// The letters name the side that broke, and nothing broke when there is none.
    pub fn check_cause(&self, termination: Termination) -> Result<(), String> {
        let cause = termination.cause;
        let expected = match self.blame.first() {
            Some(&first) if self.established => vec![first],
            None if self.established => {
                // A server with nolinger is reset where others hear that the client has ended.
                if !self.policy.nolinger[Side::Server.index()] {
                    self.check_complete()?;
                }
                vec![Cause::Normal]
            }
            // Before it is connected a session may learn of several troubles and act on a later one.
            _ => {
                let connect = [Cause::ServerAbort, Cause::ServerTimeout, Cause::Resource, Cause::ClientAbort];
                let connect = connect.into_iter().chain([Cause::Normal]);
                self.blame.iter().copied().chain(connect).collect()
            }
        };
        ensure(expected.contains(&cause), format!("ended with {cause:?}, expected {expected:?}"))
    }

    /// A session that finished has delivered everything, both ways, and said so.
    fn check_complete(&self) -> Result<(), String> {
        let [Some(client), Some(server)] = self.final_counts else {
            return Err("a finished session had only one side".into());
        };
        ensure(client.0 == client.1 && server.2 == client.0, format!("request cut: {client:?} {server:?}"))?;
        ensure(server.0 == server.1 && client.2 == server.0, format!("answer cut: {client:?} {server:?}"))
    }
}
