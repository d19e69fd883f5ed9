//! A session on its way to another owner: parked, told as plain data, taken up again.
//!
//! ```text
//!  Established, Queued, Holding --park--> Parking --nothing pushes, or time is up--> Halting
//!      ^                                     |                                          | nothing in flight
//!      |                                     +--any cause--> Ending <--any cause--------+
//!      +---------------------------- resume, here or there ---------------------------Parked
//! ```
//! While it parks nothing more is taken from either side, what was taken is written, then everything is
//! cancelled: a cancelled operation may have done its work, or part of it. A parked session has nothing in
//! flight and can be told as a [`Parcel`]; whoever holds it resumes it, and nobody else may.

use super::in_flight::InFlight;
use super::op::{Completion, Direction, Errno, Op, Outcome, ServerId, Side, Submit};
use super::policy::{Hold, Policy};
use super::relay::{Half, HalfState, Relay, Step};
use super::termination::{Cause, Stage, Termination};
use super::{NOBODY, Phase, Session, Verdict};

/// A parked session as plain data. Servers are named by whoever carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Where it stood: Established, Queued or Holding.
    pub phase: Phase,
    /// Both directions, by [`Direction::index`].
    pub halves: [Half; 2],
    /// What is known of its end already: a side whose time was over.
    pub end: Termination,
    /// Connection attempts after the first.
    pub retries: u16,
    /// A retry went to another server.
    pub redispatched: bool,
    /// Whether each side's socket is to be closed with a reset.
    pub reset_on_close: [bool; 2],
}

impl Phase {
    /// On its way to another owner, or back.
    pub fn is_transit(self) -> bool {
        matches!(self, Phase::Parking | Phase::Halting | Phase::Parked)
    }
}

impl Session {
    /// Whether it may go to another owner: it is established, or has no server and waits.
    pub fn can_move(&self, policy: &Policy) -> bool {
        match self.phase {
            Phase::Established | Phase::Queued => true,
            Phase::Holding => policy.hold == Hold::FirstByte,
            _ => false,
        }
    }

    /// Takes nothing more from either side; [`Verdict::Parked`] follows. Only for one that can move. One that
    /// waits in a queue has left it.
    pub fn park(&mut self, ops: &mut impl Submit) {
        debug_assert!(matches!(self.phase, Phase::Established | Phase::Queued | Phase::Holding));
        self.before = self.phase;
        self.phase = Phase::Parking;
        self.halt_when_written(ops);
    }

    /// The time for writing is over: what is in flight is cancelled.
    pub fn halt(&mut self, ops: &mut impl Submit) {
        if self.phase == Phase::Parking {
            self.phase = Phase::Halting;
            self.abort_both(ops);
        }
    }

    fn halt_when_written(&mut self, ops: &mut impl Submit) {
        if !self.relays.iter().any(Relay::pushing) {
            self.halt(ops);
        }
    }

    /// An operation was answered while parking.
    #[cold]
    pub(super) fn on_transit(
        &mut self,
        completion: Completion,
        outcome: Outcome,
        policy: &Policy,
        ops: &mut impl Submit,
    ) -> Verdict {
        let verdict = match self.step_of_transit(completion, outcome, policy) {
            Ok(Step::Next(Op::Fill(_))) => Verdict::Live,
            Ok(Step::Next(Op::Drain(..))) if self.phase == Phase::Halting => Verdict::Live,
            Ok(step) => self.take(step, ops),
            Err(stage) => self.end(Cause::ClientAbort, stage, ops),
        };
        if self.phase == Phase::Parking {
            self.halt_when_written(ops);
        }
        if self.phase == Phase::Halting && self.in_flight == InFlight::default() {
            self.phase = Phase::Parked;
            return Verdict::Parked;
        }
        verdict
    }

    /// What a relay makes of an answer; the error is what a client that has left gives up.
    fn step_of_transit(
        &mut self,
        completion: Completion,
        outcome: Outcome,
        policy: &Policy,
    ) -> Result<Step, Stage> {
        let connected = self.before == Phase::Established;
        let cancelled = outcome == Err(Errno::ECANCELED);
        Ok(match completion {
            Completion::Filled(d) if cancelled && !self.relay(d).expired() => Step::Park,
            Completion::Drained(_) | Completion::Watched if cancelled => Step::Park,
            Completion::Watched => self.given_up(outcome, policy).map_or(Ok(Step::Park), Err)?,
            Completion::Filled(d) => match self.given_up(outcome, policy) {
                Some(stage) => return Err(stage),
                None => self.relay_mut(d).on_fill(outcome, connected),
            },
            Completion::Drained(d) => match outcome {
                Ok(written) => self.relay_mut(d).on_drain(written),
                Err(errno) => self.on_refused(d, errno),
            },
            Completion::ShutDown(d) => self.relay_mut(d).on_shutdown(),
            // A Hold leaves the bytes where they are and is asked again.
            Completion::Held | Completion::Connected | Completion::Aborted(_) => Step::Park,
        })
    }

    /// A parked session goes on, with its first owner or the next. One that waited in a queue asks for a
    /// server as after [`Verdict::Redispatch`].
    pub fn resume(&mut self, policy: &Policy, ops: &mut impl Submit) -> Verdict {
        debug_assert_eq!(self.phase, Phase::Parked);
        self.phase = self.before;
        if self.phase == Phase::Holding {
            self.submit(Op::Hold(policy.hold.wanted()), ops);
            return Verdict::Live;
        }
        for direction in Direction::BOTH {
            let sink_connected = self.phase == Phase::Established;
            let step = self.relay_mut(direction).resume(sink_connected);
            let verdict = self.take(step, ops);
            if self.phase == Phase::Ending {
                return verdict;
            }
        }
        if self.phase == Phase::Queued {
            self.phase = Phase::Choosing;
            return Verdict::Redispatch { optional: false, pause: false };
        }
        Verdict::Live
    }

    /// Tells a parked session.
    pub fn parcel(&self) -> Parcel {
        debug_assert_eq!(self.phase, Phase::Parked);
        Parcel {
            phase: self.before,
            halves: self.relays.map(|relay| relay.half()),
            end: self.end,
            retries: self.retries,
            redispatched: self.redispatched,
            reset_on_close: self.reset_on_close,
        }
    }

    /// The parked session that a parcel tells of, with the server whose slot it is to hold. None: no session
    /// can be in that state.
    pub fn from_parcel(parcel: &Parcel, server: Option<ServerId>) -> Option<Session> {
        let established = parcel.phase == Phase::Established;
        let [to_server, to_client] = parcel.halves;
        let possible = match parcel.phase {
            Phase::Established => to_server.is_relaying() && to_client.is_relaying() && !parcel.is_over(),
            Phase::Queued => to_server.is_waiting() && to_client.is_idle(),
            Phase::Holding => to_server.is_idle() && to_client.is_idle(),
            _ => false,
        };
        if !possible || established != server.is_some() || server == Some(NOBODY) {
            return None;
        }
        Some(Session {
            relays: Direction::BOTH.map(|d| Relay::of_half(d, parcel.halves[d.index()])),
            phase: Phase::Parked,
            before: parcel.phase,
            in_flight: InFlight::default(),
            end: parcel.end,
            server: server.unwrap_or(NOBODY),
            retries: parcel.retries,
            redispatched: parcel.redispatched,
            moving: false,
            holds_slot: established,
            reset_on_close: parcel.reset_on_close,
        })
    }
}

impl Parcel {
    /// Bytes of a direction that were taken from its source and not yet written.
    pub fn taken(&self, direction: Direction) -> u32 {
        self.halves[direction.index()].rest
    }

    /// Both directions are done: nothing is left to be carried on.
    fn is_over(&self) -> bool {
        self.halves.iter().all(|half| half.state == HalfState::Done)
    }

    /// The sockets that a session in this state has open.
    pub fn open_sides(&self) -> &'static [Side] {
        if self.phase == Phase::Established { &Side::BOTH } else { &[Side::Client] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::op::CloseHow;

    const SERVER: ServerId = ServerId(3);
    const TO_SERVER: Completion = Completion::Filled(Direction::ToServer);
    const TO_CLIENT: Completion = Completion::Filled(Direction::ToClient);

    fn policy(hold: Hold) -> Policy {
        Policy { hold, ..Policy::default() }
    }

    fn established(ops: &mut Vec<Op>) -> Session {
        let policy = policy(Hold::No);
        let mut session = Session::new(&policy);
        assert_eq!(session.start(&policy, ops), Verdict::Choose);
        session.assigned(SERVER, ops);
        session.on_completion(Completion::Connected, Ok(0), &policy, ops);
        ops.clear();
        session
    }

    fn tell(session: &mut Session, completion: Completion, outcome: Outcome, ops: &mut Vec<Op>) -> Verdict {
        session.on_completion(completion, outcome, &policy(Hold::No), ops)
    }

    fn both_aborted(session: &mut Session, ops: &mut Vec<Op>) -> Verdict {
        tell(session, Completion::Aborted(Side::Client), Ok(0), ops);
        tell(session, Completion::Aborted(Side::Server), Ok(0), ops)
    }

    #[test]
    fn an_idle_session_is_cancelled_at_once_and_listens_again() {
        let mut ops = Vec::new();
        let mut session = established(&mut ops);
        session.park(&mut ops);
        assert_eq!(ops, [Op::Abort(Side::Client), Op::Abort(Side::Server)]);
        tell(&mut session, TO_SERVER, Err(Errno::ECANCELED), &mut ops);
        tell(&mut session, TO_CLIENT, Err(Errno::ECANCELED), &mut ops);
        assert_eq!(both_aborted(&mut session, &mut ops), Verdict::Parked);
        let mut there = Session::from_parcel(&session.parcel(), Some(SERVER)).expect("a state");
        assert_eq!(there.server(), Some(SERVER));
        ops.clear();
        assert_eq!(there.resume(&policy(Hold::No), &mut ops), Verdict::Live);
        assert_eq!(ops, [Op::Fill(Direction::ToServer), Op::Fill(Direction::ToClient)]);
    }

    #[test]
    fn what_was_taken_is_written_first_and_the_rest_travels() {
        let mut ops = Vec::new();
        let mut session = established(&mut ops);
        tell(&mut session, TO_CLIENT, Ok(100), &mut ops);
        ops.clear();
        session.park(&mut ops);
        assert_eq!(ops, [], "the client may still take it");
        let drained = Completion::Drained(Direction::ToClient);
        tell(&mut session, drained, Ok(30), &mut ops);
        assert_eq!(ops, [Op::Drain(Direction::ToClient, 70)]);
        ops.clear();
        session.halt(&mut ops);
        assert_eq!(ops, [Op::Abort(Side::Client), Op::Abort(Side::Server)]);
        ops.clear();
        // A cancelled write may have written part.
        tell(&mut session, drained, Ok(20), &mut ops);
        tell(&mut session, TO_SERVER, Ok(8), &mut ops);
        tell(&mut session, Completion::Aborted(Side::Client), Ok(0), &mut ops);
        assert_eq!(tell(&mut session, Completion::Aborted(Side::Server), Ok(0), &mut ops), Verdict::Parked);
        assert_eq!(ops, [], "nothing is begun while it halts");
        let parcel = session.parcel();
        assert_eq!(Direction::BOTH.map(|d| parcel.taken(d)), [8, 50]);
        let mut there = Session::from_parcel(&parcel, Some(SERVER)).expect("a state");
        there.resume(&policy(Hold::No), &mut ops);
        assert_eq!(ops, [Op::Drain(Direction::ToServer, 8), Op::Drain(Direction::ToClient, 50)]);
    }

    #[test]
    fn a_half_close_that_comes_while_parking_is_passed_on_before_or_after_but_once() {
        let mut ops = Vec::new();
        let mut session = established(&mut ops);
        session.park(&mut ops);
        ops.clear();
        tell(&mut session, TO_SERVER, Ok(0), &mut ops);
        assert_eq!(ops, [Op::Shutdown(Direction::ToServer)]);
        tell(&mut session, Completion::ShutDown(Direction::ToServer), Ok(0), &mut ops);
        tell(&mut session, TO_CLIENT, Err(Errno::ECANCELED), &mut ops);
        assert_eq!(both_aborted(&mut session, &mut ops), Verdict::Parked);
        ops.clear();
        let mut there = Session::from_parcel(&session.parcel(), Some(SERVER)).expect("a state");
        there.resume(&policy(Hold::No), &mut ops);
        assert_eq!(ops, [Op::Fill(Direction::ToClient)]);
        // The other half closes: that is the end, with no second FIN but the close's.
        ops.clear();
        let verdict = tell(&mut there, TO_CLIENT, Ok(0), &mut ops);
        assert_eq!(verdict, Verdict::Ended(Termination::default()));
        assert_eq!(ops, Side::BOTH.map(|side| Op::Close(side, CloseHow::Fin)));
    }

    #[test]
    fn a_peer_that_breaks_while_parking_ends_the_session() {
        let mut ops = Vec::new();
        let mut session = established(&mut ops);
        session.park(&mut ops);
        tell(&mut session, TO_CLIENT, Err(Errno::ECONNRESET), &mut ops);
        assert_eq!(session.phase(), Phase::Ending);
        tell(&mut session, TO_SERVER, Err(Errno::ECANCELED), &mut ops);
        let Verdict::Ended(termination) = both_aborted(&mut session, &mut ops) else {
            panic!("it ends");
        };
        assert_eq!(termination.letters(), *b"SD");
    }

    #[test]
    fn a_silent_client_is_waited_for_again() {
        let policy = policy(Hold::FirstByte);
        let (mut session, mut ops) = (Session::new(&policy), Vec::new());
        session.start(&policy, &mut ops);
        assert!(session.can_move(&policy));
        session.park(&mut ops);
        session.on_completion(Completion::Held, Err(Errno::ECANCELED), &policy, &mut ops);
        session.on_completion(Completion::Aborted(Side::Server), Ok(0), &policy, &mut ops);
        let verdict = session.on_completion(Completion::Aborted(Side::Client), Ok(0), &policy, &mut ops);
        assert_eq!(verdict, Verdict::Parked);
        let parcel = session.parcel();
        assert_eq!(parcel.open_sides(), [Side::Client]);
        let mut there = Session::from_parcel(&parcel, None).expect("a state");
        ops.clear();
        there.resume(&policy, &mut ops);
        assert_eq!((ops.as_slice(), there.phase()), (&[Op::Hold(1)][..], Phase::Holding));
    }

    #[test]
    fn who_waits_in_a_queue_asks_again_and_keeps_what_it_said() {
        let policy = policy(Hold::No);
        let (mut session, mut ops) = (Session::new(&policy), Vec::new());
        session.start(&policy, &mut ops);
        session.queued(None, &mut ops);
        tell(&mut session, TO_SERVER, Ok(5), &mut ops);
        session.park(&mut ops);
        tell(&mut session, Completion::Watched, Err(Errno::ECANCELED), &mut ops);
        assert_eq!(both_aborted(&mut session, &mut ops), Verdict::Parked);
        let mut there = Session::from_parcel(&session.parcel(), None).expect("a state");
        ops.clear();
        let verdict = there.resume(&policy, &mut ops);
        assert_eq!(verdict, Verdict::Redispatch { optional: false, pause: false });
        there.assigned(SERVER, &mut ops);
        tell(&mut there, Completion::Connected, Ok(0), &mut ops);
        let fill = Op::Fill(Direction::ToClient);
        assert_eq!(ops, [Op::Connect(SERVER), fill, Op::Drain(Direction::ToServer, 5)]);
        assert!(!there.redispatched());
    }

    #[test]
    fn states_that_no_session_has_are_refused() {
        let mut ops = Vec::new();
        let mut session = established(&mut ops);
        session.park(&mut ops);
        tell(&mut session, TO_SERVER, Err(Errno::ECANCELED), &mut ops);
        tell(&mut session, TO_CLIENT, Err(Errno::ECANCELED), &mut ops);
        both_aborted(&mut session, &mut ops);
        let good = session.parcel();
        assert!(Session::from_parcel(&good, None).is_none(), "established without a server");
        assert!(Session::from_parcel(&Parcel { phase: Phase::Queued, ..good }, None).is_none());
        assert!(Session::from_parcel(&Parcel { phase: Phase::Ending, ..good }, None).is_none());
        let done = Half { state: HalfState::Done, expired: false, rest: 0 };
        assert!(Session::from_parcel(&Parcel { halves: [done; 2], ..good }, Some(SERVER)).is_none());
        let empty = Half { state: HalfState::Full, expired: false, rest: 0 };
        assert!(Session::from_parcel(&Parcel { halves: [empty; 2], ..good }, Some(SERVER)).is_none());
    }
}
