//! What follows a failed connect: the same server again, at once or after a pause, another one, or the end.

use super::op::{CloseHow, Direction, Errno, Op, Side, Submit};
use super::policy::Policy;
use super::termination::{Cause, Stage};
use super::{Phase, Session, Verdict};

impl Session {
    #[cold]
    pub(super) fn on_connect_failed(
        &mut self,
        errno: Errno,
        policy: &Policy,
        ops: &mut impl Submit,
    ) -> Verdict {
        let timed_out = self.phase == Phase::Abandoning;
        ops.submit(Op::Close(Side::Server, CloseHow::Fin));
        if self.retries >= policy.retries || !is_worth_retrying(errno) {
            let cause = match (timed_out, is_worth_retrying(errno)) {
                (true, _) => Cause::ServerTimeout,
                (false, true) => Cause::ServerAbort,
                (false, false) => Cause::Resource,
            };
            return self.end(cause, Stage::Connect, ops);
        }
        self.retries += 1;
        self.moving = self.redispatch_is_due(policy);
        let at_once = policy.redispatch_every != 0 && policy.redispatch_at_once;
        if at_once || (self.moving && timed_out) {
            self.phase = Phase::Choosing;
            return Verdict::Redispatch { optional: at_once, pause: !timed_out };
        }
        self.stay(!timed_out, ops)
    }

    /// Declines an optional redispatch: after the pause the same server is tried again, or, if the retry
    /// count asks for it, whichever is chosen then. For a client that left while it was connected nobody
    /// pauses: its FIN is nobody's fault.
    pub fn stay(&mut self, pause: bool, ops: &mut impl Submit) -> Verdict {
        let client = self.relay(Direction::ToServer);
        match (pause, client.broken(), client.source_ended() && !client.expired()) {
            (false, ..) => self.connect(ops),
            (true, true, _) => return self.end(Cause::ClientAbort, Stage::Data, ops),
            (true, false, true) => return self.end(Cause::Normal, Stage::Ended, ops),
            (true, false, false) => self.phase = Phase::TurnAround,
        }
        self.watch_client(false, ops);
        Verdict::Live
    }

    /// Configuration manual, `option redispatch`: N > 0 every N-th retry, N < 0 the N-th before the last.
    fn redispatch_is_due(&self, policy: &Policy) -> bool {
        match policy.redispatch_every {
            0 => false,
            every if every > 0 => self.retries.is_multiple_of(every.unsigned_abs()),
            every => policy.retries - self.retries + 1 == every.unsigned_abs(),
        }
    }
}

/// A local shortage does not get better by asking again at once, and says nothing about the server.
fn is_worth_retrying(errno: Errno) -> bool {
    !matches!(errno, Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::ENOBUFS | Errno::EADDRNOTAVAIL)
}
