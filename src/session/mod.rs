//! The life of one connection: a pure state machine over operations and their completions.
//!
//! ```text
//!  start --> Holding --> Choosing --assigned--> Connecting --Ok--> Established --both relays done--+
//!     \________________^    |  ^ \                |   | timeout                                    |
//!                           |  |  queued          |   v                                            |
//!                           |  |   v         Err  | Abandoning --cancelled--+                      |
//!                           |  +-- Queued         v                         |                      v
//!                           |  +--(redispatch)-- retry? <-------------------+    any cause --> Ending --> ended
//!                           |                     | same server: TurnAround --> Connecting
//!                           +--unserved--> Ending
//! ```
//! A session owns no socket, reads no clock and allocates nothing. It ends only when nothing is in flight.

pub mod deadline;
mod ending;
mod in_flight;
pub mod op;
pub mod parcel;
pub mod policy;
mod relay;
mod retry;
pub mod termination;
mod waiting;

use deadline::Expiry;
use in_flight::InFlight;
use op::{Completion, Direction, Errno, Op, Outcome, ServerId, Side, Submit};
use policy::{Hold, Policy};
pub use relay::{Half, HalfState};
use relay::{Relay, Step};
use termination::{Cause, Stage, Termination};

/// Where a session stands; see the diagram above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for the client's first bytes before anything is chosen.
    Holding,
    /// Its owner is to answer with assigned, queued or unserved.
    Choosing,
    /// In a queue; its owner answers with assigned when a slot is free.
    Queued,
    /// A connection to the server is being made.
    Connecting,
    /// A connection attempt timed out and is being cancelled.
    Abandoning,
    /// Pausing before the same server is tried again.
    TurnAround,
    /// Both sides are connected.
    Established,
    /// To go to another owner: what was taken from either side is still written ([`parcel`]).
    Parking,
    /// To go to another owner: waiting until nothing is in flight.
    Halting,
    /// Nothing is in flight; its present owner or the next one resumes it.
    Parked,
    /// The cause is recorded; waiting until nothing is in flight.
    Ending,
}

/// What a session wants of its owner after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Live,
    /// Choose a server now: answer with [`Session::assigned`], [`Session::queued`] or [`Session::unserved`].
    Choose,
    /// Give the present server back and choose again, as after [`Verdict::Choose`]. When it is `optional`
    /// and there is no other active server, answer with [`Session::stay`] instead.
    Redispatch {
        /// The retry count alone does not ask for it.
        optional: bool,
        /// The same server is to be left alone for a moment before it is tried again.
        pause: bool,
    },
    /// It may be told as a [`parcel::Parcel`]; nothing happens before it is resumed.
    Parked,
    /// Over. Both sockets were closed; the slot may be reused.
    Ended(Termination),
}

/// One client connection and its server connection. State only: addresses, times and names are its owner's.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    relays: [Relay; 2],
    phase: Phase,
    /// The phase that parking interrupted.
    before: Phase,
    in_flight: InFlight,
    end: Termination,
    server: ServerId,
    retries: u16,
    redispatched: bool,
    moving: bool,
    holds_slot: bool,
    reset_on_close: [bool; 2],
}

const _: () = assert!(size_of::<Session>() <= 32);

/// No server was chosen: one word instead of two for an Option.
const NOBODY: ServerId = ServerId(u32::MAX);

impl Session {
    /// A session whose client was just accepted.
    pub fn new(policy: &Policy) -> Session {
        Session {
            relays: [Relay::new(Direction::ToServer), Relay::new(Direction::ToClient)],
            phase: Phase::Choosing,
            before: Phase::Choosing,
            in_flight: InFlight::default(),
            end: Termination::default(),
            server: NOBODY,
            retries: 0,
            redispatched: false,
            moving: false,
            holds_slot: false,
            reset_on_close: policy.nolinger,
        }
    }

    /// Begins: either waits for the client's first bytes or asks for a server at once.
    pub fn start(&mut self, policy: &Policy, ops: &mut impl Submit) -> Verdict {
        if policy.hold == Hold::No {
            return Verdict::Choose;
        }
        self.phase = Phase::Holding;
        self.submit(Op::Hold(policy.hold.wanted()), ops);
        Verdict::Live
    }

    /// Its client had reset the connection before it began.
    pub fn gone(&mut self, ops: &mut impl Submit) -> Verdict {
        self.end(Cause::ClientAbort, Stage::Request, ops)
    }

    /// Takes over what only the backend's policy says, once a backend is chosen.
    pub fn adopt(&mut self, policy: &Policy) {
        self.reset_on_close = policy.nolinger;
    }

    /// A server was chosen: connect to it, and listen to the client meanwhile.
    ///
    /// Its slot is the session's until [`Session::released`].
    pub fn assigned(&mut self, server: ServerId, ops: &mut impl Submit) {
        debug_assert!(matches!(self.phase, Phase::Choosing | Phase::Queued));
        self.listen_to_client(ops);
        self.redispatched |= self.server != NOBODY && self.server != server;
        self.moving = false;
        self.holds_slot = true;
        self.server = server;
        self.connect(ops);
    }

    /// Whether the client has left while a server was connected to, so that nobody would wait in a queue.
    pub fn is_deserted(&self) -> bool {
        let client = self.relay(Direction::ToServer);
        client.broken() || client.source_ended() && !client.expired() && !self.has_request()
    }

    /// Ends for a client that has left before there was a server, as one that leaves a queue.
    pub fn desert(&mut self, ops: &mut impl Submit) -> Verdict {
        let stage = if self.relay(Direction::ToServer).broken() { Stage::Data } else { Stage::Queue };
        self.end(Cause::ClientAbort, stage, ops)
    }

    /// Every server, or this one that alone will do, is full: the session waits in a queue, and its client is listened to.
    pub fn queued(&mut self, server: Option<ServerId>, ops: &mut impl Submit) {
        self.phase = Phase::Queued;
        self.server = server.unwrap_or(NOBODY);
        self.listen_to_client(ops);
        self.watch_client(false, ops);
    }

    /// No server can be used. Who has waited for one was sent on, to nobody.
    pub fn unserved(&mut self, ops: &mut impl Submit) -> Verdict {
        self.redispatched |= self.phase == Phase::Queued && self.server != NOBODY;
        self.server = NOBODY;
        self.end(Cause::ServerAbort, Stage::Connect, ops)
    }

    /// The only server that will do has as many waiters as it may have (`maxqueue`).
    pub fn turned_away(&mut self, server: ServerId, ops: &mut impl Submit) -> Verdict {
        self.server = server;
        self.end(Cause::ServerAbort, Stage::Queue, ops)
    }

    /// Ends the session for a reason of its owner's: it was killed, its server went down. As in HAProxy the
    /// stage of one that relays is that of its connection. A parked one may be another owner's already.
    pub fn kill(&mut self, cause: Cause, ops: &mut impl Submit) -> Verdict {
        if self.phase == Phase::Parked {
            return Verdict::Live;
        }
        let stage = match self.stage() {
            Stage::Data => Stage::Connect,
            stage => stage,
        };
        self.end(cause, stage, ops)
    }

    /// An operation was answered.
    pub fn on_completion(
        &mut self,
        completion: Completion,
        outcome: Outcome,
        policy: &Policy,
        ops: &mut impl Submit,
    ) -> Verdict {
        let bit = InFlight::answered_by(completion);
        debug_assert!(self.in_flight.has(bit), "{completion:?} answers nothing");
        self.in_flight.0 &= !bit;
        match self.phase {
            Phase::Ending => self.settle(ops),
            Phase::Abandoning => self.on_abandoning(completion, outcome, policy, ops),
            Phase::Parking | Phase::Halting => self.on_transit(completion, outcome, policy, ops),
            _ => self.advance(completion, outcome, policy, ops),
        }
    }

    fn advance(
        &mut self,
        completion: Completion,
        outcome: Outcome,
        policy: &Policy,
        ops: &mut impl Submit,
    ) -> Verdict {
        let connected = self.phase == Phase::Established;
        let step = match completion {
            Completion::Held => return self.on_held(outcome, policy, ops),
            Completion::Connected => return self.on_connected(outcome, policy, ops),
            Completion::Filled(d) => {
                if let Some(stage) = self.given_up(outcome, policy) {
                    return self.end(Cause::ClientAbort, stage, ops);
                }
                let step = self.relay_mut(d).on_fill(outcome, connected);
                self.watch_client(policy.abort_on_close, ops);
                step
            }
            Completion::Watched => return self.on_watched(outcome, policy, ops),
            Completion::Drained(d) => match outcome {
                Ok(written) => self.relay_mut(d).on_drain(written),
                Err(errno) => self.on_refused(d, errno),
            },
            Completion::ShutDown(d) => self.relay_mut(d).on_shutdown(),
            Completion::Aborted(_) => Step::Park,
        };
        self.take(step, ops)
    }

    /// A deadline struck. The owner has checked that it is still the one in force.
    pub fn on_timeout(&mut self, expiry: Expiry, ops: &mut impl Submit) -> Verdict {
        match (expiry, self.phase) {
            (Expiry::Connect, Phase::Connecting) => {
                self.phase = Phase::Abandoning;
                self.submit(Op::Abort(Side::Server), ops);
                Verdict::Live
            }
            (Expiry::Queue, Phase::Queued) => self.end(Cause::ServerTimeout, Stage::Queue, ops),
            (Expiry::TurnAround, Phase::TurnAround) if self.moving => {
                self.phase = Phase::Choosing;
                Verdict::Redispatch { optional: false, pause: false }
            }
            (Expiry::TurnAround, Phase::TurnAround) => {
                self.connect(ops);
                Verdict::Live
            }
            (Expiry::Side(_), Phase::Holding) => self.end(Cause::ClientTimeout, Stage::Data, ops),
            (Expiry::Side(_), Phase::Queued) => self.end(Cause::ClientTimeout, Stage::Queue, ops),
            (Expiry::Side(_), Phase::TurnAround) => self.end(Cause::ClientTimeout, Stage::Connect, ops),
            (Expiry::Side(side), Phase::Connecting | Phase::Established) => self.on_silence(side, ops),
            _ => Verdict::Live,
        }
    }

    /// A side neither spoke nor took what it was sent. Silence ends its direction only, as if it had sent
    /// FIN, and the other direction lives on; a side that does not read is given up.
    fn on_silence(&mut self, side: Side, ops: &mut impl Submit) -> Verdict {
        let from = Direction::out_of(side);
        let cause = match side {
            Side::Client => Cause::ClientTimeout,
            Side::Server => Cause::ServerTimeout,
        };
        if self.relay(from.other()).pushing() {
            self.reset_on_close[side.index()] |= side == Side::Server;
            return self.end(cause, Stage::Data, ops);
        }
        self.record(cause, self.stage());
        if let Some(stop) = self.relay_mut(from).expire() {
            ops.submit(stop);
        }
        Verdict::Live
    }

    /// The first cause stays.
    fn record(&mut self, cause: Cause, stage: Stage) {
        if self.end.cause == Cause::Normal {
            self.end = Termination { cause, stage };
        }
    }

    fn on_held(&mut self, outcome: Outcome, policy: &Policy, ops: &mut impl Submit) -> Verdict {
        match outcome {
            Ok(0) if policy.hold == Hold::FirstByte => self.end(Cause::ClientAbort, Stage::Data, ops),
            Ok(_) => {
                self.phase = Phase::Choosing;
                Verdict::Choose
            }
            Err(_) => self.end(Cause::ClientAbort, Stage::Data, ops),
        }
    }

    fn on_connected(&mut self, outcome: Outcome, policy: &Policy, ops: &mut impl Submit) -> Verdict {
        if let Err(errno) = outcome {
            return self.on_connect_failed(errno, policy, ops);
        }
        self.phase = Phase::Established;
        let fill = self.relay_mut(Direction::ToClient).start();
        self.submit(fill, ops);
        if self.watching() {
            ops.submit(Op::Unwatch);
            return Verdict::Live;
        }
        let step = self.relay_mut(Direction::ToServer).proceed();
        self.take(step, ops)
    }

    /// The answers that an abandoned attempt still owes; then it counts as failed.
    fn on_abandoning(
        &mut self,
        completion: Completion,
        outcome: Outcome,
        policy: &Policy,
        ops: &mut impl Submit,
    ) -> Verdict {
        match completion {
            Completion::Filled(d) => {
                let step = self.relay_mut(d).on_fill(outcome, false);
                return self.take(step, ops);
            }
            Completion::Watched => return self.on_watched(outcome, policy, ops),
            _ => {}
        }
        if self.in_flight.has(InFlight::CONNECT | InFlight::abort(Side::Server)) {
            return Verdict::Live;
        }
        self.on_connect_failed(Errno::ETIMEDOUT, policy, ops)
    }

    /// Does what a relay's step says.
    fn take(&mut self, step: Step, ops: &mut impl Submit) -> Verdict {
        match step {
            Step::Next(Op::Shutdown(Direction::ToServer)) if self.is_reset_at_once() => {
                // A server with `option nolinger` is not told but reset, and its answer is not awaited.
                self.end(Cause::Normal, Stage::Ended, ops)
            }
            Step::Next(Op::Shutdown(d))
                if self.relay(d.other()).finished() || self.relay(d.other()).is_void() =>
            {
                // The close that follows says it too: one system call less for every session.
                self.relay_mut(d).on_shutdown();
                self.finish(ops)
            }
            Step::Next(op) => {
                self.submit(op, ops);
                Verdict::Live
            }
            Step::Park => Verdict::Live,
            Step::Finished if self.relays.iter().all(|r| r.finished() || r.is_void()) => self.finish(ops),
            Step::Finished => Verdict::Live,
            Step::Broken(side) => self.on_broken(side, ops),
        }
    }

    fn on_broken(&mut self, side: Side, ops: &mut impl Submit) -> Verdict {
        // The server learns at once that nobody waits for the rest.
        self.reset_on_close[Side::Server.index()] |= side == Side::Client;
        let cause = match side {
            Side::Client => Cause::ClientAbort,
            Side::Server => Cause::ServerAbort,
        };
        self.end(cause, Stage::Data, ops)
    }

    /// A server that hears no more may have answered before: what it sent still goes to the client. When its socket is
    /// dead that ends by itself.
    fn on_refused(&mut self, direction: Direction, errno: Errno) -> Step {
        const DEAD: [Errno; 5] =
            [Errno::EPIPE, Errno::ECONNRESET, Errno::ETIMEDOUT, Errno::EHOSTUNREACH, Errno::ENETUNREACH];
        if direction == Direction::ToClient
            || !DEAD.contains(&errno)
            || self.relay(direction.other()).finished()
        {
            return Step::Broken(direction.sink());
        }
        self.record(Cause::ServerAbort, Stage::Data);
        self.relay_mut(direction).lose_sink()
    }

    fn connect(&mut self, ops: &mut impl Submit) {
        self.phase = Phase::Connecting;
        debug_assert_ne!(self.server, NOBODY, "connect follows a choice");
        self.submit(Op::Connect(self.server), ops);
    }

    fn listen_to_client(&mut self, ops: &mut impl Submit) {
        if self.relay(Direction::ToServer).is_idle() {
            let fill = self.relay_mut(Direction::ToServer).start();
            self.submit(fill, ops);
        }
    }

    fn submit(&mut self, op: Op, ops: &mut impl Submit) {
        let bit = InFlight::of(op);
        debug_assert!(!self.in_flight.has(bit), "{op:?} while one is in flight");
        self.in_flight.0 |= bit;
        ops.submit(op);
    }

    /// The phase, of one in transit that which it left.
    fn standing(&self) -> Phase {
        if self.phase.is_transit() { self.before } else { self.phase }
    }

    fn stage(&self) -> Stage {
        match self.standing() {
            Phase::Holding => Stage::Request,
            Phase::Queued => Stage::Queue,
            Phase::Established => Stage::Data,
            _ => Stage::Connect,
        }
    }

    fn relay(&self, direction: Direction) -> &Relay {
        &self.relays[direction.index()]
    }

    fn relay_mut(&mut self, direction: Direction) -> &mut Relay {
        &mut self.relays[direction.index()]
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The server whose slot it holds.
    pub fn server(&self) -> Option<ServerId> {
        self.last_server().filter(|_| self.holds_slot)
    }

    /// The server it was assigned to last, for its log line.
    pub fn last_server(&self) -> Option<ServerId> {
        (self.server != NOBODY).then_some(self.server)
    }

    /// Its owner has given the server's slot back.
    pub fn released(&mut self) {
        self.holds_slot = false;
    }

    /// Connection attempts after the first.
    pub fn retries(&self) -> u16 {
        self.retries
    }

    /// A retry went to another server.
    pub fn redispatched(&self) -> bool {
        self.redispatched
    }

    /// Why it ends, as far as is known.
    pub fn termination(&self) -> Termination {
        self.end
    }

    /// What ends it is nobody's fault after all.
    pub fn forgive(&mut self) {
        self.end = Termination::default();
    }
}
