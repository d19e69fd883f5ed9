//! A client that leaves before its server is connected, with or without bytes that wait for it.

use super::in_flight::InFlight;
use super::op::{Direction, Op, Outcome, Submit};
use super::policy::Policy;
use super::termination::{Cause, Stage};
use super::{Phase, Session, Verdict};

impl Session {
    /// The client has spoken, and its bytes wait for a server.
    pub fn has_request(&self) -> bool {
        self.relay(Direction::ToServer).holds()
    }

    /// What a client gives up that leaves: its place in a queue or the pause before a retry, with `option
    /// abortonclose` also a connect under way. One that has made its request and ends its side is still
    /// served without that option. None: the session goes on.
    pub(super) fn given_up(&self, outcome: Outcome, policy: &Policy) -> Option<Stage> {
        let waiting = matches!(self.standing(), Phase::Queued | Phase::TurnAround);
        let connecting = matches!(self.phase, Phase::Connecting | Phase::Abandoning) && policy.abort_on_close;
        let timed_out = self.relay(Direction::ToServer).expired();
        match outcome {
            _ if !(waiting || connecting) || timed_out => None,
            Ok(0) if self.has_request() && !policy.abort_on_close => None,
            Ok(0) => Some(self.stage()),
            Ok(_) => None,
            Err(_) => Some(Stage::Data),
        }
    }

    /// Listens on to a client whose bytes wait for a server, for what [`Session::given_up`] says.
    pub(super) fn watch_client(&mut self, abort_on_close: bool, ops: &mut impl Submit) {
        let waiting = matches!(self.phase, Phase::Queued | Phase::TurnAround);
        let connecting = self.phase == Phase::Connecting && abort_on_close;
        if (waiting || connecting) && self.has_request() && !self.watching() {
            self.submit(Op::Watch, ops);
        }
    }

    /// What waits for a sink has no operation of its own in flight.
    pub(super) fn watching(&self) -> bool {
        self.has_request() && self.in_flight.has(InFlight::of(Op::Watch))
    }

    pub(super) fn on_watched(&mut self, outcome: Outcome, policy: &Policy, ops: &mut impl Submit) -> Verdict {
        if self.phase == Phase::Established {
            // Whatever it was, it is told again behind the bytes.
            let step = self.relay_mut(Direction::ToServer).proceed();
            return self.take(step, ops);
        }
        match self.given_up(outcome, policy) {
            Some(stage) => self.end(Cause::ClientAbort, stage, ops),
            None => Verdict::Live,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::op::{Completion, Errno, ServerId};
    use crate::session::termination::Termination;

    const SERVER: ServerId = ServerId(3);
    const TO_SERVER: Completion = Completion::Filled(Direction::ToServer);
    fn policy(abort_on_close: bool) -> Policy {
        Policy { abort_on_close, ..Policy::default() }
    }

    /// One whose client has sent five bytes while it connects.
    fn connecting(policy: &Policy, ops: &mut Vec<Op>) -> Session {
        let mut session = Session::new(policy);
        session.start(policy, ops);
        session.assigned(SERVER, ops);
        ops.clear();
        session.on_completion(TO_SERVER, Ok(5), policy, ops);
        session
    }

    /// The same in a queue.
    fn queued(policy: &Policy, ops: &mut Vec<Op>) -> Session {
        let mut session = Session::new(policy);
        session.start(policy, ops);
        session.queued(None, ops);
        ops.clear();
        session.on_completion(TO_SERVER, Ok(5), policy, ops);
        session
    }

    fn ended(session: &Session, stage: Stage) {
        assert_eq!(session.phase(), Phase::Ending);
        assert_eq!(session.termination(), Termination { cause: Cause::ClientAbort, stage });
    }

    #[test]
    fn a_connect_is_given_up_only_with_the_option() {
        let mut ops = Vec::new();
        let mut session = connecting(&policy(true), &mut ops);
        assert_eq!(ops, [Op::Watch]);
        session.on_completion(Completion::Watched, Ok(0), &policy(true), &mut ops);
        ended(&session, Stage::Connect);
        ops.clear();
        connecting(&policy(false), &mut ops);
        assert_eq!(ops, []);
    }

    #[test]
    fn bytes_follow_once_the_watch_has_ended() {
        let mut ops = Vec::new();
        let mut session = connecting(&policy(true), &mut ops);
        ops.clear();
        session.on_completion(Completion::Connected, Ok(0), &policy(true), &mut ops);
        assert_eq!(ops, [Op::Fill(Direction::ToClient), Op::Unwatch]);
        ops.clear();
        session.on_completion(Completion::Watched, Err(Errno::ECANCELED), &policy(true), &mut ops);
        assert_eq!(ops, [Op::Drain(Direction::ToServer, 5)]);
    }

    #[test]
    fn in_a_queue_a_reset_is_an_end_and_a_half_close_only_with_the_option() {
        let mut ops = Vec::new();
        let mut session = queued(&policy(false), &mut ops);
        assert_eq!(ops, [Op::Watch]);
        session.on_completion(Completion::Watched, Ok(0), &policy(false), &mut ops);
        assert_eq!(session.phase(), Phase::Queued);
        let mut session = queued(&policy(true), &mut ops);
        session.on_completion(Completion::Watched, Ok(0), &policy(true), &mut ops);
        ended(&session, Stage::Queue);
        let mut session = queued(&policy(false), &mut ops);
        session.on_completion(Completion::Watched, Err(Errno::ECONNRESET), &policy(false), &mut ops);
        ended(&session, Stage::Data);
    }
}
