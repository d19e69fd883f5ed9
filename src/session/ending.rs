//! The one road out of every session, and which of its sockets is reset.

use super::in_flight::InFlight;
use super::op::{CloseHow, Direction, Op, Side, Submit};
use super::termination::{Cause, Stage};
use super::{Phase, Session, Verdict};

impl Session {
    pub(super) fn finish(&mut self, ops: &mut impl Submit) -> Verdict {
        self.phase = Phase::Ending;
        if self.relays.iter().any(|relay| relay.expired() || relay.is_void()) {
            // Its source may never have said EOF.
            self.abort_both(ops);
        }
        self.settle(ops)
    }

    /// The one road out: record the cause once, cancel what is in flight, wait for it, close.
    #[cold]
    pub(super) fn end(&mut self, cause: Cause, stage: Stage, ops: &mut impl Submit) -> Verdict {
        if self.phase == Phase::Ending {
            return Verdict::Live;
        }
        self.phase = Phase::Ending;
        self.record(cause, stage);
        self.abort_both(ops);
        Verdict::Live
    }

    /// Both sides, also when nothing of the session's is in flight: a receive that was answered may
    /// still be armed in the kernel.
    pub(super) fn abort_both(&mut self, ops: &mut impl Submit) {
        for side in Side::BOTH {
            if !self.in_flight.has(InFlight::abort(side)) {
                self.submit(Op::Abort(side), ops);
            }
        }
    }

    pub(super) fn settle(&mut self, ops: &mut impl Submit) -> Verdict {
        if self.in_flight != InFlight::default() {
            return Verdict::Live;
        }
        for side in Side::BOTH {
            ops.submit(Op::Close(side, self.how(side)));
        }
        Verdict::Ended(self.end)
    }

    /// As in HAProxy a server that has not said its last word is reset, whatever the reason: it may still work
    /// for a client that is gone. A client is reset with `option nolinger` alone. Both see a FIN before it,
    /// unless that option, or what went wrong, asks for the reset alone.
    fn how(&self, side: Side) -> CloseHow {
        match (side, self.heard_out(side), self.reset_on_close[side.index()]) {
            (Side::Server, true, _) | (Side::Client, _, false) => CloseHow::Fin,
            (Side::Client, true, true) | (Side::Server, false, true) => CloseHow::Reset,
            (Side::Client, false, true) | (Side::Server, false, false) => CloseHow::FinReset,
        }
    }

    pub(super) fn is_reset_at_once(&self) -> bool {
        self.reset_on_close[Side::Server.index()] && !self.heard_out(Side::Server)
    }

    fn heard_out(&self, side: Side) -> bool {
        let source = self.relay(Direction::out_of(side));
        source.source_ended() && !source.expired()
    }
}
