//! A session goes to another owner: it is parked, told as a parcel, and taken up in a new slot of another
//! world with the same sockets; or that world refuses it, and its first owner carries on.

use pronk::session::op::{Direction, Side};
use pronk::session::{Phase, Session, Verdict};

use super::actor::{Actor, ensure};
use super::faults::Fault;
use super::world::{Mutant, World};

/// How long what was taken may be written, milliseconds.
const WRITING_MS: u32 = 100;
/// How long the other world takes to answer at most.
const ANSWER_MS: u32 = 30;

/// When something is to be done with a session that is on its way.
pub fn transit_ends(actor: &Actor) -> Option<u32> {
    let limit = match actor.session.phase() {
        Phase::Parking => WRITING_MS,
        Phase::Parked => ANSWER_MS,
        _ => return None,
    };
    actor.transit_since.map(|since| since + limit)
}

impl World {
    /// Somebody who may move does; whoever waits in a queue is preferred, since few do.
    pub(super) fn begin_move(&mut self) -> Result<(), String> {
        let first = self.rng.usize(..self.actors.len());
        let queued = self.actors.iter().position(|actor| actor.session.phase() == Phase::Queued);
        let at = queued.unwrap_or(first);
        let actor = &self.actors[at];
        if !actor.session.can_move(&actor.policy) {
            return Ok(());
        }
        if actor.session.phase() == Phase::Queued {
            self.leave_queue(at);
        }
        let (now, uid) = (self.now, self.actors[at].uid);
        self.note(|| format!("{uid}: is to move"));
        self.actors[at].transit_since = Some(now);
        self.drive(at, |session, _, ops| {
            session.park(ops);
            Verdict::Live
        })
    }

    pub(super) fn on_parked(&mut self, at: usize) -> Result<(), String> {
        let now = self.now;
        let actor = &mut self.actors[at];
        actor.transit_since = Some(now);
        ensure(actor.pending.is_empty(), "a session is parked with operations in flight")?;
        ensure(actor.armed == [false; 2], "a session is parked while it may still receive")?;
        let parcel = actor.session.parcel();
        for direction in Direction::BOTH {
            let kept = actor.pipes[direction.index()].as_ref().map_or(0, Vec::len);
            let told = parcel.taken(direction) as usize;
            ensure(kept == told, format!("{kept} bytes are kept and {told} told of"))?;
        }
        for side in Side::BOTH {
            let open = actor.peers[side.index()].is_some();
            ensure(open == parcel.open_sides().contains(&side), format!("{side:?} is open: {open}"))?;
        }
        Ok(())
    }

    /// Time has passed: ends the writing of those who park, answers for the other world.
    pub(super) fn go_on_moving(&mut self) -> Result<(), String> {
        let due = |actor: &&Actor| transit_ends(actor).is_some_and(|at| at <= self.now);
        let due: Vec<u64> = self.actors.iter().filter(due).map(|actor| actor.uid).collect();
        for uid in due {
            let Some(at) = self.actors.iter().position(|actor| actor.uid == uid) else { continue };
            match self.actors[at].session.phase() {
                Phase::Parking => self.drive(at, |session, _, ops| {
                    session.halt(ops);
                    Verdict::Live
                })?,
                Phase::Parked if self.strikes(Fault::MoveRefused) => self.go_on(at)?,
                _ => self.arrive(at)?,
            }
        }
        Ok(())
    }

    fn go_on(&mut self, at: usize) -> Result<(), String> {
        let uid = self.actors[at].uid;
        self.note(|| format!("{uid}: goes on"));
        self.actors[at].transit_since = None;
        self.drive(at, |session, policy, ops| session.resume(policy, ops))
    }

    /// The other world has it: nothing of the first one's is left but the sockets and the bytes.
    fn arrive(&mut self, at: usize) -> Result<(), String> {
        let former = self.actors.swap_remove(at);
        let parcel = former.session.parcel();
        let session = Session::from_parcel(&parcel, former.session.server());
        let session = session.ok_or(format!("{parcel:?} is refused"))?;
        ensure(session.parcel() == parcel, "a parcel changes on its way")?;
        ensure(session.server() == former.session.server(), "the server's slot is lost")?;
        let mut actor = Actor {
            session,
            pending: Vec::new(),
            ops: Vec::new(),
            armed: [false; 2],
            transit_since: None,
            ..former
        };
        for (_, count) in self.moved.iter_mut().filter(|(phase, _)| *phase == parcel.phase) {
            *count += 1;
        }
        if self.mutant == Mutant::LosesCargo {
            actor.pipes.iter_mut().flatten().for_each(Vec::clear);
        }
        self.actors.push(actor);
        let at = self.actors.len() - 1;
        if self.mutant == Mutant::LivesTwice {
            self.drive(at, |_, policy, ops| {
                let mut ghost = session;
                ghost.resume(policy, ops)
            })?;
        }
        self.go_on(at)
    }
}
