//! One direction of a session: bytes are taken from the source, then written to the sink, in turn.
//!
//! ```text
//!            Fill           Ok(n)          Drain          all written
//!   Idle ----------> Filling -----> Full ----------> Draining ----------> Filling ...
//!                       | Ok(0)                         | short: Drain the rest
//!                       v         Shutdown              v Err: thrown away
//!                      Eof -----------------> Closing   Filling ...
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
    /// The sink hears nothing any more: what is taken is thrown away.
    void: bool,
    /// Bytes taken and not yet written.
    rest: u32,
}

/// One direction of a parked session, as plain data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Half {
    /// Where it stands.
    pub state: HalfState,
    /// The source's time is over: nothing more is taken from it.
    pub expired: bool,
    /// Bytes taken and not yet written.
    pub rest: u32,
}

/// What is to be done next in a direction with nothing in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfState {
    /// Nothing was asked of the source yet.
    Idle,
    /// Take bytes from the source.
    Listening,
    /// Write what was taken.
    Full,
    /// Tell the sink that no more will come.
    Ended,
    /// Nothing: the sink has been told.
    Done,
    /// End the session: the source failed before there was a sink.
    Broken,
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
        Relay { state: State::Idle, direction, expired: false, void: false, rest: 0 }
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

    /// The answer to Drain: so many bytes were written.
    pub(super) fn on_drain(&mut self, written: u32) -> Step {
        debug_assert_eq!(self.state, State::Draining);
        if written < self.rest {
            self.rest -= written;
            return Step::Next(Op::Drain(self.direction, self.rest));
        }
        self.written()
    }

    fn written(&mut self) -> Step {
        if self.expired {
            self.state = State::Eof;
            return self.proceed();
        }
        self.state = State::Filling;
        Step::Next(Op::Fill(self.direction))
    }

    /// A Drain failed, and what it had was thrown away. The source goes on being heard, or it would never be known
    /// when it leaves, and a peer that writes before it reads would wait for ever.
    pub(super) fn lose_sink(&mut self) -> Step {
        (self.void, self.rest) = (true, 0);
        self.written()
    }

    /// Its bytes go nowhere.
    pub(super) fn is_void(&self) -> bool {
        self.void
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

    /// Goes on with nothing in flight, as after parking.
    pub(super) fn resume(&mut self, sink_connected: bool) -> Step {
        match self.state {
            State::Filling => Step::Next(Op::Fill(self.direction)),
            State::Draining | State::Full => self.proceed_from(State::Full, sink_connected),
            State::Closing | State::Eof => self.proceed_from(State::Eof, sink_connected),
            State::Broken if sink_connected => self.proceed(),
            State::Idle | State::Done | State::Broken => Step::Park,
        }
    }

    fn proceed_from(&mut self, state: State, sink_connected: bool) -> Step {
        self.state = state;
        if sink_connected { self.proceed() } else { Step::Park }
    }

    /// Told with nothing in flight.
    pub(super) fn half(&self) -> Half {
        let state = match self.state {
            State::Idle => HalfState::Idle,
            State::Filling => HalfState::Listening,
            State::Full | State::Draining => HalfState::Full,
            State::Eof | State::Closing => HalfState::Ended,
            State::Done => HalfState::Done,
            State::Broken => HalfState::Broken,
        };
        Half { state, expired: self.expired, rest: if state == HalfState::Full { self.rest } else { 0 } }
    }

    /// The direction that was told.
    pub(super) fn of_half(direction: Direction, half: Half) -> Relay {
        let state = match half.state {
            HalfState::Idle => State::Idle,
            HalfState::Listening => State::Filling,
            HalfState::Full => State::Full,
            HalfState::Ended => State::Eof,
            HalfState::Done => State::Done,
            HalfState::Broken => State::Broken,
        };
        Relay { state, direction, expired: half.expired, void: false, rest: half.rest }
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

    /// The source or the sink failed.
    pub(super) fn broken(&self) -> bool {
        self.state == State::Broken
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

    /// Bytes were taken and wait for a sink.
    pub(super) fn holds(&self) -> bool {
        self.state == State::Full
    }

    /// The sink owes progress.
    pub(super) fn pushing(&self) -> bool {
        self.state == State::Draining
    }
}

impl Half {
    fn is_sound(&self) -> bool {
        (self.rest > 0) == (self.state == HalfState::Full)
    }

    /// Between two connected sides.
    pub(super) fn is_relaying(&self) -> bool {
        self.is_sound() && !matches!(self.state, HalfState::Idle | HalfState::Broken)
    }

    /// Its sink is still to come.
    pub(super) fn is_waiting(&self) -> bool {
        self.is_sound() && !matches!(self.state, HalfState::Idle | HalfState::Done)
    }

    /// Not begun.
    pub(super) fn is_idle(&self) -> bool {
        self.is_sound() && self.state == HalfState::Idle
    }
}
