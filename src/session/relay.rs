//! One direction of a session: bytes are taken from the source, then written to the sink, in turn.
//!
//! ```text
//!            Fill           Ok(n)          Drain          all written
//!   Idle ----------> Filling -----> Full ----------> Draining ----------> Filling ...
//!                       | Ok(0)                         | short: Drain the rest
//!                       v         Shutdown              v Err
//!                      Eof -----------------> Closing   Broken(sink)
//!                       |                        |
//!                       +----(nobody listens)----+--> Done
//! ```
//! `Full` and `Eof` also wait for a sink that is not connected yet. A source that stays silent for too long
//! is treated as if it had ended: what it sent before is still passed on. Pure: every method returns the one
//! thing that follows.

use super::op::{Direction, Op, Outcome, Side};

/// Where one direction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Filling,
    Full,
    Draining,
    Eof,
    Closing,
    Done,
    Broken,
}

/// One direction of a session, in eight bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Relay {
    state: State,
    direction: Direction,
    /// The source's time is over: nothing more is taken from it.
    expired: bool,
    /// Bytes taken and not yet written.
    rest: u32,
}

/// What follows a completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Submit this.
    Next(Op),
    /// Nothing until the sink is connected.
    Park,
    /// No byte will come any more, and the sink was told or will be by its close.
    Finished,
    /// The peer on this side failed.
    Broken(Side),
}

impl Relay {
    pub(super) const fn new(direction: Direction) -> Relay {
        Relay { state: State::Idle, direction, expired: false, rest: 0 }
    }

    /// Starts taking bytes from the source.
    pub(super) fn start(&mut self) -> Op {
        debug_assert_eq!(self.state, State::Idle);
        self.state = State::Filling;
        Op::Fill(self.direction)
    }

    /// The answer to Fill; `sink_connected` says whether bytes can be passed on.
    pub(super) fn on_fill(&mut self, outcome: Outcome, sink_connected: bool) -> Step {
        debug_assert_eq!(self.state, State::Filling);
        match outcome {
            Ok(0) => self.state = State::Eof,
            Err(_) if self.expired => self.state = State::Eof,
            Ok(n) => {
                self.state = State::Full;
                self.rest = n;
            }
            Err(_) => self.state = State::Broken,
        }
        if sink_connected { self.proceed() } else { Step::Park }
    }

    /// Carries on with what was parked, now that the sink is connected.
    pub(super) fn proceed(&mut self) -> Step {
        match self.state {
            State::Full => {
                self.state = State::Draining;
                Step::Next(Op::Drain(self.direction, self.rest))
            }
            State::Eof => {
                self.state = State::Closing;
                Step::Next(Op::Shutdown(self.direction))
            }
            State::Broken => Step::Broken(self.direction.source()),
            _ => Step::Park,
        }
    }

    /// The answer to Drain.
    pub(super) fn on_drain(&mut self, outcome: Outcome) -> Step {
        debug_assert_eq!(self.state, State::Draining);
        match outcome {
            Ok(n) if n < self.rest => {
                self.rest -= n;
                Step::Next(Op::Drain(self.direction, self.rest))
            }
            Ok(_) if self.expired => {
                self.state = State::Eof;
                self.proceed()
            }
            Ok(_) => {
                self.state = State::Filling;
                Step::Next(Op::Fill(self.direction))
            }
            Err(_) => {
                self.state = State::Broken;
                Step::Broken(self.direction.sink())
            }
        }
    }

    /// The source's timeout struck: the direction ends as if the source had. Returns what stops a Fill.
    pub(super) fn expire(&mut self) -> Option<Op> {
        self.expired = true;
        (self.state == State::Filling).then_some(Op::Stop(self.direction))
    }

    /// It ended by its source's timeout, not by EOF.
    pub(super) fn expired(&self) -> bool {
        self.expired
    }

    /// The answer to Shutdown. A sink that is already gone needs no telling: its error shows on the way back.
    pub(super) fn on_shutdown(&mut self) -> Step {
        self.state = State::Done;
        Step::Finished
    }

    /// The source said that no more will come, and everything before it was passed on.
    pub(super) fn source_ended(&self) -> bool {
        matches!(self.state, State::Eof | State::Closing | State::Done)
    }

    /// Nothing was asked of the source yet.
    pub(super) fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// The sink has been told as well.
    pub(super) fn finished(&self) -> bool {
        self.state == State::Done
    }

    /// The source may speak at any moment.
    pub(super) fn listening(&self) -> bool {
        self.state == State::Filling && !self.expired
    }

    /// The sink owes progress.
    pub(super) fn pushing(&self) -> bool {
        self.state == State::Draining
    }
}
