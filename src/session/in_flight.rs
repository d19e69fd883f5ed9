//! What a session waits for: it ends only when this is nothing.

use super::op::{Completion, Direction, Op, Side};

/// One bit for each operation that has not been answered. A direction has at most one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct InFlight(pub(super) u8);

impl InFlight {
    pub(super) const CONNECT: u8 = 1 << 4;

    fn direction(direction: Direction) -> u8 {
        1 << direction.index()
    }

    pub(super) fn abort(side: Side) -> u8 {
        1 << (2 + side.index())
    }

    pub(super) fn of(op: Op) -> u8 {
        match op {
            Op::Connect(_) => Self::CONNECT,
            Op::Hold(_) | Op::Watch => Self::direction(Direction::ToServer),
            Op::Fill(d) | Op::Drain(d, _) | Op::Shutdown(d) => Self::direction(d),
            Op::Abort(side) => Self::abort(side),
            Op::Stop(_) | Op::Unwatch | Op::Close(..) => 0,
        }
    }

    pub(super) fn answered_by(completion: Completion) -> u8 {
        match completion {
            Completion::Connected => Self::CONNECT,
            Completion::Held | Completion::Watched => Self::direction(Direction::ToServer),
            Completion::Filled(d) | Completion::Drained(d) | Completion::ShutDown(d) => Self::direction(d),
            Completion::Aborted(side) => Self::abort(side),
        }
    }

    pub(super) fn has(self, bits: u8) -> bool {
        self.0 & bits != 0
    }
}
