//! A simulated kernel, network and worker around real sessions, a real table and real load counts.
//!
//! Every step does one thing that the seed chooses: answer an operation, let time pass, accept a client,
//! change a server. After every step the invariants are checked.

use std::collections::VecDeque;
use std::sync::Arc;

use fastrand::Rng;

use pronk::balance::{Choice, Request, choose, resume};
use pronk::config::model::{Config, Proxy, ProxyId, ProxyKind, Server};
use pronk::load::{Load, QueueId};
use pronk::session::deadline::Ticks;
use pronk::session::op::{CloseHow, Completion, Direction, Errno, Op, Outcome, ServerId, Side, Submit};
use pronk::session::policy::{Hold, Policy};
use pronk::session::termination::{Cause, Termination};
use pronk::session::{Phase, Session, Verdict};
use pronk::table::{Health, Snapshot, TablePublisher};

use super::actor::{Actor, Pending, SILENT, completion_of, direction_of, ensure, side_of};
use super::faults::{Fault, Faults};
use super::handover::transit_ends;
use super::peer::Peer;

const BACKEND: ProxyId = ProxyId(0);
const SESSIONS: u64 = 10;
const AT_ONCE: usize = 5;
const STEPS: usize = 60_000;

/// A relay broken on purpose, at the seam; see the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    None,
    ForgetsTheRest,
    ClosesInFlight,
    SwallowsHalfClose,
    LosesCargo,
    LivesTwice,
}

/// Everything.
pub struct World {
    pub(super) rng: Rng,
    pub(super) faults: Faults,
    pub(super) mutant: Mutant,
    pub(super) now: u32,
    publisher: TablePublisher,
    snapshot: Arc<Snapshot>,
    load: Load,
    policy: Policy,
    pub(super) actors: Vec<Actor>,
    pub(super) idle_pipes: Vec<Vec<u8>>,
    queue: VecDeque<u64>,
    accepted: u64,
    ended: u64,
    /// Sessions that went to another owner, by the phase they were in.
    pub moved: [(Phase, u32); 3],
    /// The last things that happened, when a seed is replayed.
    pub trace: Option<VecDeque<String>>,
}

pub(super) struct Collect<'a>(&'a mut Vec<Op>);

impl Submit for Collect<'_> {
    fn submit(&mut self, op: Op) {
        self.0.push(op);
    }
}

fn draw_policy(rng: &mut Rng) -> Policy {
    let mut policy = Policy {
        hold: [Hold::No, Hold::Glance, Hold::FirstByte][rng.usize(..3)],
        retries: rng.u16(..4),
        redispatch_every: rng.i16(-2..3),
        redispatch_at_once: rng.bool(),
        abort_on_close: rng.bool(),
        nolinger: [rng.bool(), rng.bool()],
        ..Policy::default()
    };
    let timeouts = &mut policy.timeouts;
    timeouts.connect_ms = Some(500);
    timeouts.queue_ms = Some(700);
    timeouts.client_ms = Some(rng.u32(100..2000));
    timeouts.server_ms = Some(rng.u32(100..2000));
    timeouts.tunnel_ms = rng.bool().then(|| rng.u32(100..3000));
    timeouts.client_fin_ms = rng.bool().then(|| rng.u32(50..500));
    timeouts.server_fin_ms = rng.bool().then(|| rng.u32(50..500));
    policy
}

fn draw_config(faults: &Faults, rng: &mut Rng) -> Config {
    let mut backend = Proxy::new("impala", ProxyKind::Backend);
    for number in 1..=rng.u32(1..4) {
        let mut server = Server::new(format!("i{number}"), number, ([10, 0, 0, number as u8], 21050).into());
        server.maxconn = faults.strikes(Fault::ServerFull, rng).then_some(1);
        backend.servers.push(server);
    }
    Config { proxies: vec![backend], ..Config::default() }
}

impl World {
    pub fn new(seed: u64, mutant: Mutant) -> World {
        let mut rng = Rng::with_seed(seed);
        let faults = Faults::draw(&mut rng);
        let config = Arc::new(draw_config(&faults, &mut rng));
        let load = Load::new(&config, 1);
        let publisher = TablePublisher::new(config, &load);
        let snapshot = Arc::clone(publisher.reader().load());
        let policy = draw_policy(&mut rng);
        World {
            rng,
            faults,
            mutant,
            now: 0,
            publisher,
            snapshot,
            load,
            policy,
            actors: Vec::new(),
            idle_pipes: Vec::new(),
            queue: VecDeque::new(),
            accepted: 0,
            ended: 0,
            moved: [(Phase::Established, 0), (Phase::Queued, 0), (Phase::Holding, 0)],
            trace: None,
        }
    }

    /// Until every session has ended.
    pub fn run(&mut self) -> Result<(), String> {
        for _ in 0..STEPS {
            if self.accepted == SESSIONS && self.actors.is_empty() {
                return self.check_rest();
            }
            self.step()?;
            self.check()?;
        }
        Err(format!("{} sessions do not end within {STEPS} steps", self.actors.len()))
    }

    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.truncate(60);
            trace.push_front(what());
        }
    }

    fn step(&mut self) -> Result<(), String> {
        let dice = self.rng.u32(..100);
        if self.accepted < SESSIONS && self.actors.len() < AT_ONCE && dice < 15 {
            return self.accept();
        }
        if dice < 18 && self.strikes(Fault::ServerDown) {
            return self.flip_server();
        }
        if dice < 20 && !self.actors.is_empty() {
            return self.meddle();
        }
        if dice < 30 && !self.actors.is_empty() && self.strikes(Fault::Moved) {
            return self.begin_move();
        }
        let ready: Vec<(usize, usize)> = self.answerable();
        if ready.is_empty() || self.rng.u32(..100) < 5 {
            return self.pass_time(ready.is_empty());
        }
        let first = if self.strikes(Fault::Reordered) { self.rng.usize(..ready.len()) } else { 0 };
        let (actor, pending) = ready[first];
        self.answer(actor, pending)
    }

    pub(super) fn strikes(&mut self, fault: Fault) -> bool {
        self.faults.strikes(fault, &mut self.rng)
    }

    fn accept(&mut self) -> Result<(), String> {
        let uid = self.accepted;
        self.accepted += 1;
        let peer = Peer::draw(uid, Side::Client, &self.faults, &mut self.rng);
        self.actors.push(Actor {
            uid,
            session: Session::new(&self.policy),
            policy: self.policy,
            ticks: Ticks { activity: self.now, phase: self.now },
            peers: [Some(peer), None],
            pipes: [None, None],
            pending: Vec::new(),
            ops: Vec::new(),
            blame: Vec::new(),
            connects: 0,
            last_connect: Ok(0),
            armed: [false; 2],
            queued_in: None,
            established: false,
            transit_since: None,
            final_counts: [None; 2],
        });
        let at = self.actors.len() - 1;
        if self.strikes(Fault::ClientGone) {
            self.actors[at].blame.push(Cause::ClientAbort);
            return self.drive(at, |session, _, ops| session.gone(ops));
        }
        self.drive(at, |session, policy, ops| session.start(policy, ops))
    }

    /// A kill or a timer that looks too early.
    fn meddle(&mut self) -> Result<(), String> {
        let at = self.rng.usize(..self.actors.len());
        if self.strikes(Fault::EarlyTimer) {
            return self.look(at);
        }
        let phase = self.actors[at].session.phase();
        if self.strikes(Fault::Killed) && !matches!(phase, Phase::Ending | Phase::Parked) {
            self.leave_queue(at);
            self.actors[at].blame.push(Cause::Killed);
            return self.drive(at, |session, _, ops| session.kill(Cause::Killed, ops));
        }
        Ok(())
    }

    fn flip_server(&mut self) -> Result<(), String> {
        let servers = self.snapshot.backend(BACKEND).servers.len();
        let place = self.rng.u16(..servers as u16);
        let health = if self.rng.bool() { Health::Down } else { Health::Up };
        self.note(|| format!("server {place} {health:?}"));
        self.publisher.update(BACKEND, place, |state| state.health = health, u64::from(self.now));
        self.snapshot = Arc::clone(self.publisher.reader().load());
        self.serve_queue()
    }

    fn pass_time(&mut self, far: bool) -> Result<(), String> {
        let deadline = |actor: &Actor| actor.session.deadline(&actor.policy, &actor.ticks);
        let deadlines = self.actors.iter().filter_map(deadline).map(|deadline| deadline.at);
        let nearest = deadlines.chain(self.actors.iter().filter_map(transit_ends)).min();
        self.now = match nearest {
            Some(at) if far => at.max(self.now + 1),
            _ => self.now + self.rng.u32(1..50),
        };
        self.go_on_moving()?;
        for uid in self.actors.iter().map(|actor| actor.uid).collect::<Vec<_>>() {
            if let Some(at) = self.actors.iter().position(|actor| actor.uid == uid) {
                self.look(at)?;
            }
        }
        Ok(())
    }

    fn look(&mut self, at: usize) -> Result<(), String> {
        let actor = &mut self.actors[at];
        let Some(expiry) = actor.session.expired(&actor.policy, &actor.ticks, self.now) else {
            return Ok(());
        };
        let phase = actor.session.phase();
        let uid = actor.uid;
        if let pronk::session::deadline::Expiry::Side(side) = expiry {
            actor.blame.push(match side {
                Side::Client => Cause::ClientTimeout,
                Side::Server => Cause::ServerTimeout,
            });
        }
        if phase == Phase::Queued {
            self.leave_queue(at);
        }
        self.note(|| format!("{uid}: {expiry:?} in {phase:?}"));
        self.drive(at, |session, _, ops| session.on_timeout(expiry, ops))
    }

    /// (actor, pending operation) of everything that could complete now.
    fn answerable(&self) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for (at, actor) in self.actors.iter().enumerate() {
            for (index, pending) in actor.pending.iter().enumerate() {
                if actor.can_complete(pending) {
                    found.push((at, index));
                }
            }
        }
        found
    }

    fn answer(&mut self, at: usize, index: usize) -> Result<(), String> {
        let Pending { op, cancelled } = self.actors[at].pending.swap_remove(index);
        let really = !cancelled || (self.strikes(Fault::CancelTooLate) && self.actors[at].would_complete(op));
        let outcome = if really { self.perform(at, op)? } else { Err(Errno::ECANCELED) };
        let completion = completion_of(op).ok_or("an unanswered operation was pending")?;
        let uid = self.actors[at].uid;
        self.note(|| format!("{uid}: {op:?} -> {outcome:?}"));
        self.tell(at, op, completion, outcome)
    }

    /// Hands an answer to the session, or what a mutant makes of it.
    fn tell(&mut self, at: usize, op: Op, completion: Completion, outcome: Outcome) -> Result<(), String> {
        let actor = &mut self.actors[at];
        let mut outcome = outcome;
        if let (Mutant::ForgetsTheRest, Op::Drain(_, len), Ok(_)) = (self.mutant, op, outcome) {
            outcome = Ok(len);
        }
        match (completion, outcome) {
            // It has made up its mind.
            _ if actor.session.phase() == Phase::Ending => {}
            (Completion::Filled(d), Err(e)) if e != Errno::ECANCELED => actor.blame(d.source()),
            (Completion::Drained(d), Err(e)) if e != Errno::ECANCELED => actor.blame(d.sink()),
            (Completion::Connected, _) => actor.last_connect = outcome,
            (Completion::Filled(_) | Completion::Drained(_), Ok(_)) => actor.ticks.activity = self.now,
            _ => {}
        }
        match completion {
            Completion::Filled(d) => actor.armed[d.source().index()] = matches!(outcome, Ok(1..)),
            Completion::Held => actor.armed[Side::Client.index()] = matches!(outcome, Ok(1..)),
            Completion::Watched => actor.armed[Side::Client.index()] = outcome == Err(Errno::ECANCELED),
            Completion::Aborted(side) => actor.armed[side.index()] = false,
            _ => {}
        }
        if let (Completion::ShutDown(direction), true) = (completion, outcome != Err(Errno::ECANCELED)) {
            let sink = actor.peers[direction.sink().index()].as_ref();
            ensure(sink.is_some_and(|sink| sink.got_fin), "a half-close was not carried through")?;
        }
        self.drive(at, |session, policy, ops| session.on_completion(completion, outcome, policy, ops))
    }

    /// What a worker does: hands the event over, carries out the operations, answers the verdict.
    pub(super) fn drive(
        &mut self,
        at: usize,
        event: impl FnOnce(&mut Session, &Policy, &mut Collect<'_>) -> Verdict,
    ) -> Result<(), String> {
        let now = self.now;
        let actor = &mut self.actors[at];
        let before = actor.session.phase();
        let policy = actor.policy;
        let verdict = event(&mut actor.session, &policy, &mut Collect(&mut actor.ops));
        let after = actor.session.phase();
        if before == Phase::Queued && after == Phase::Ending {
            self.leave_queue(at);
        }
        let actor = &mut self.actors[at];
        if before != after && !before.is_transit() && !after.is_transit() {
            actor.ticks.phase = now;
            if after == Phase::Established {
                actor.ticks.activity = now;
                actor.established = true;
            }
        }
        for op in std::mem::take(&mut actor.ops) {
            self.submit(at, op)?;
        }
        match verdict {
            Verdict::Live => Ok(()),
            Verdict::Parked => self.on_parked(at),
            Verdict::Choose => self.choose_server(at, None),
            Verdict::Redispatch { optional, pause } => self.redispatch(at, optional, pause),
            Verdict::Ended(termination) => self.end(at, termination),
        }
    }

    fn redispatch(&mut self, at: usize, optional: bool, pause: bool) -> Result<(), String> {
        if optional && self.snapshot.backend(BACKEND).active < 2 {
            return self.drive(at, |session, _, ops| session.stay(pause, ops));
        }
        let former = self.release(at);
        self.choose_server(at, former.and_then(|id| self.snapshot.place(id).1))
    }

    fn ask(&mut self, waiting_in: Option<QueueId>, avoid: Option<u16>) -> Choice {
        let request = Request { client: None, local: None, avoid, random: &mut self.rng };
        let backend = self.snapshot.backend(BACKEND);
        match waiting_in {
            Some(queue) => resume(backend, &self.load, queue, request),
            None => choose(backend, &self.load, request),
        }
    }

    fn choose_server(&mut self, at: usize, avoid: Option<u16>) -> Result<(), String> {
        match self.ask(None, avoid) {
            Choice::Server(place) => self.assign(at, place),
            Choice::QueueBackend | Choice::QueueServer(_) if self.actors[at].session.is_deserted() => {
                self.drive(at, |session, _, ops| session.desert(ops))
            }
            Choice::QueueBackend | Choice::QueueServer(_) => {
                self.actors[at].queued_in = Some(QueueId::Backend(BACKEND));
                self.queue.push_back(self.actors[at].uid);
                self.drive(at, |session, _, ops| {
                    session.queued(None, ops);
                    Verdict::Live
                })
            }
            Choice::QueueFull(_) | Choice::Nobody => self.drive(at, |session, _, ops| session.unserved(ops)),
        }
    }

    fn assign(&mut self, at: usize, place: u16) -> Result<(), String> {
        let id = self.snapshot.backend(BACKEND).servers[usize::from(place)].id;
        self.drive(at, |session, _, ops| {
            session.assigned(id, ops);
            Verdict::Live
        })
    }

    fn release(&mut self, at: usize) -> Option<ServerId> {
        let id = self.actors[at].session.server()?;
        self.actors[at].session.released();
        self.load.server(id).release();
        Some(id)
    }

    pub(super) fn leave_queue(&mut self, at: usize) {
        let uid = self.actors[at].uid;
        self.actors[at].queued_in = None;
        self.queue.retain(|waiter| *waiter != uid);
    }

    fn serve_queue(&mut self) -> Result<(), String> {
        while let Some(&uid) = self.queue.front() {
            let Some(at) = self.actors.iter().position(|actor| actor.uid == uid) else {
                return Err(format!("session {uid} waits and is gone"));
            };
            let Choice::Server(place) = self.ask(self.actors[at].queued_in, None) else { return Ok(()) };
            self.leave_queue(at);
            self.assign(at, place)?;
        }
        Ok(())
    }

    /// The kernel takes an operation.
    fn submit(&mut self, at: usize, op: Op) -> Result<(), String> {
        let actor = &mut self.actors[at];
        match op {
            Op::Close(side, how) => return self.close(at, side, how),
            Op::Stop(direction) => actor.cancel(|op| op == Op::Fill(direction)),
            Op::Unwatch => actor.cancel(|op| op == Op::Watch),
            Op::Abort(side) if self.mutant == Mutant::ClosesInFlight => {
                return self.lie_about_abort(at, side);
            }
            Op::Abort(side) => {
                actor.cancel(|op| side_of(op) == Some(side));
                actor.pending.push(Pending { op, cancelled: false });
            }
            Op::Shutdown(direction) if self.mutant == Mutant::SwallowsHalfClose => {
                return self.tell(at, op, Completion::ShutDown(direction), Ok(0));
            }
            Op::Connect(_) => {
                actor.connects += 1;
                actor.pending.push(Pending { op, cancelled: false });
                if self.faults.strikes(Fault::ConnectSilent, &mut self.rng) {
                    self.actors[at].last_connect = Err(Errno::ETIMEDOUT);
                    self.actors[at].pending.pop();
                    self.actors[at].pending.push(Pending { op: Op::Connect(SILENT), cancelled: false });
                }
            }
            _ => actor.pending.push(Pending { op, cancelled: false }),
        }
        let doubled = |direction| {
            let mine = |p: &&Pending| direction_of(p.op) == Some(direction);
            self.actors[at].pending.iter().filter(mine).count() > 1
        };
        ensure(!Direction::BOTH.into_iter().any(doubled), "two operations in one direction")
    }

    /// The mutant says at once that nothing is in flight.
    fn lie_about_abort(&mut self, at: usize, side: Side) -> Result<(), String> {
        let uid = self.actors[at].uid;
        let mine: Vec<Op> =
            self.actors[at].pending.iter().map(|p| p.op).filter(|op| side_of(*op) == Some(side)).collect();
        for op in mine {
            if let Some(completion) = completion_of(op)
                && let Some(at) = self.actors.iter().position(|actor| actor.uid == uid)
            {
                self.tell(at, op, completion, Err(Errno::ECANCELED))?;
            }
        }
        match self.actors.iter().position(|actor| actor.uid == uid) {
            Some(at) => self.tell(at, Op::Abort(side), Completion::Aborted(side), Ok(0)),
            None => Ok(()),
        }
    }

    fn close(&mut self, at: usize, side: Side, how: CloseHow) -> Result<(), String> {
        let actor = &mut self.actors[at];
        let busy = actor.pending.iter().any(|p| side_of(p.op) == Some(side));
        ensure(!busy, format!("{side:?} of session {} is closed with an operation in flight", actor.uid))?;
        let armed = actor.armed[side.index()];
        ensure(!armed, format!("{side:?} of session {} is closed while it may still receive", actor.uid))?;
        if side == Side::Client {
            ensure(actor.peers[0].is_some(), "the client's socket is closed twice")?;
            for pipe in actor.pipes.iter_mut().filter_map(Option::take) {
                // What a pool does: only an empty pipe may serve somebody else.
                if pipe.is_empty() {
                    self.idle_pipes.push(pipe);
                }
            }
        }
        if let Some(peer) = &mut self.actors[at].peers[side.index()] {
            peer.got_fin |= how != CloseHow::Reset;
        }
        if let Some(peer) = self.actors[at].peers[side.index()].take() {
            self.actors[at].final_counts[side.index()] = Some((peer.sent, peer.to_send, peer.received));
        }
        Ok(())
    }

    fn end(&mut self, at: usize, termination: Termination) -> Result<(), String> {
        self.release(at);
        self.leave_queue(at);
        let actor = self.actors.swap_remove(at);
        self.note(|| format!("{}: ended {:?}", actor.uid, termination));
        self.ended += 1;
        ensure(actor.pending.is_empty(), "a session ended with operations in flight")?;
        ensure(actor.peers[0].is_none(), "a session ended and left its client open")?;
        ensure(
            actor.connects <= 1 + u32::from(actor.policy.retries),
            format!("{} connects with {} retries", actor.connects, actor.policy.retries),
        )?;
        actor.check_cause(termination)?;
        self.serve_queue()
    }

    fn check(&self) -> Result<(), String> {
        ensure(self.accepted == self.actors.len() as u64 + self.ended, "a session was lost")?;
        let servers = &self.snapshot.backend(BACKEND).servers;
        for server in servers {
            let holders =
                self.actors.iter().filter(|actor| actor.session.server() == Some(server.id)).count();
            let live = self.load.server(server.id).live() as usize;
            ensure(live == holders, format!("load {live} with {holders} sessions on {:?}", server.id))?;
        }
        for actor in &self.actors {
            if let Some(deadline) = actor.session.deadline(&actor.policy, &actor.ticks) {
                let look = actor.session.next_look(&actor.policy, &actor.ticks);
                ensure(look.is_some_and(|at| at <= deadline.at), "a timer would look too late")?;
            }
        }
        let queued = || self.actors.iter().filter(|actor| actor.session.phase() == Phase::Queued);
        ensure(!queued().any(|actor| actor.session.is_deserted()), "a client waits that has left")?;
        ensure(queued().count() == self.queue.len(), "the queue does not hold exactly those who wait")
    }

    fn check_rest(&self) -> Result<(), String> {
        ensure(self.queue.is_empty(), "somebody is left in the queue")?;
        ensure(self.idle_pipes.iter().all(Vec::is_empty), "a pipe in the pool holds bytes")
    }
}
