//! One core: the event loop, its listeners and its sessions.
//!
//! ```text
//!   wait -> clock -> table -> completions -> timers -> (repeat)
//! ```
//! The loop is `Worker::turn`. `admission` decides whether and where a connection becomes a session,
//! `dispatch` which server it gets, `queues` who waits for one, `finish` what is left to do at its end.
//! Nothing on the road of an established session allocates, locks, formats or logs.

mod admission;
mod binds;
mod dispatch;
mod eviction;
mod finish;
pub mod mailbox;
mod orders;
mod peers;
mod placement;
mod policies;
mod queues;
mod record;
#[cfg(test)]
mod tests;
mod transit;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use slab::Slab;

use crate::config::model::{BindId, Config};
use crate::load::Load;
use crate::log::SessionSink;
use crate::ring::{Event, Ring, Settings, Spinning};
use crate::session::Session;
use crate::session::op::{Completion, Outcome};
use crate::stats::counters::WorkerCounters;
use crate::sys::limits::address_space;
use crate::table::{Snapshot, TableReader};
use crate::timers::Wheel;

use admission::Listeners;
use eviction::Evicting;
use mailbox::Mailbox;
pub use peers::{MOST_WORKERS, Peers};
use policies::Policies;
use queues::Queues;
use record::{Addresses, Record};
use transit::Transit;

/// How often the table is looked at while somebody waits for a server: a new one wakes nobody.
const TABLE_LOOK: Duration = Duration::from_millis(20);

/// Between two turns of a worker that is not kept from its core there is less, unless nothing happens.
const STALL_MS: u64 = 100;
/// How long after that a timer does not strike while answers are still to be seen.
const CATCHING_UP_MS: u64 = 1_000;

/// The process's clock: every worker counts milliseconds from the same start.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Tick 0.
    pub start: Instant,
    /// Wall-clock time of tick 0, microseconds since the epoch.
    pub epoch_us: u64,
}

/// Everything a worker is made of.
pub struct Setup {
    /// 0-based number.
    pub index: usize,
    /// Its own socket for each address.
    pub listeners: Vec<(BindId, OwnedFd)>,
    /// Where it reads the table.
    pub table: TableReader,
    /// Live counts of the process.
    pub load: Arc<Load>,
    /// Its counters.
    pub counters: Arc<WorkerCounters>,
    /// Where ended sessions go.
    pub log: SessionSink,
    /// Where commands come from.
    pub mailbox: Mailbox,
    /// The other workers.
    pub peers: Arc<Peers>,
    /// The process's clock.
    pub clock: Clock,
    /// `maxconn` of the process, sessions.
    pub maxconn: u32,
    /// Pipes of this worker at most.
    pub pipes: usize,
    /// Whether it looks for work before it sleeps.
    pub spin: Spinning,
    /// The CPU whose packets it wants; None: any.
    pub incoming_cpu: Option<u16>,
}

/// How the worker is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// When its sessions have.
    Soft,
    /// Now.
    Hard,
}

/// A session and what is known of it.
struct Entry {
    session: Session,
    record: Record,
}

/// One worker.
struct Worker {
    index: usize,
    ring: Ring,
    sessions: Slab<Entry>,
    timers: Wheel,
    listeners: Listeners,
    queues: Queues,
    transit: Transit,
    addresses: Addresses,
    policies: Policies,
    table: TableReader,
    snapshot: Arc<Snapshot>,
    load: Arc<Load>,
    counters: Arc<WorkerCounters>,
    log: SessionSink,
    mailbox: Mailbox,
    peers: Arc<Peers>,
    clock: Clock,
    now: u64,
    /// It has slept or stood still, and what came meanwhile may not have been seen.
    catching_up_until: Option<u64>,
    maxconn: u32,
    incoming_cpu: Option<u16>,
    random: fastrand::Rng,
    stop: Option<Stop>,
    /// Sessions that servers' changes of state are ending.
    evicting: Option<Evicting>,
    /// The bell has rung, or more orders wait than one turn takes.
    mail_waits: bool,
}

/// Runs one worker on the calling thread until it is told to stop; `ready` is called when it accepts.
///
/// # Errors
/// What setting up the ring says (see [`Ring::new`]), or a failure of io_uring_enter that cannot be
/// recovered from.
pub fn run(setup: Setup, ready: impl FnOnce()) -> io::Result<()> {
    let (index, peers) = (setup.index, Arc::clone(&setup.peers));
    let mut worker = Worker::new(setup)?;
    peers.join(index, worker.ring.descriptor());
    worker.open_listeners();
    ready();
    let result = loop {
        match worker.turn() {
            Ok(true) => {}
            Ok(false) => break Ok(()),
            Err(e) => break Err(e),
        }
    };
    peers.leave(index);
    result
}

impl Worker {
    fn new(mut setup: Setup) -> io::Result<Worker> {
        let snapshot = Arc::clone(setup.table.load());
        let settings = ring_settings(&setup, &snapshot.config);
        let mut ring = Ring::new(&settings)?;
        ring.watch_mail(setup.mailbox.descriptor());
        if let Some(microseconds) = snapshot.config.global.tune.napi_busy_poll_us
            && let Err(error) = ring.poll_cards(microseconds)
        {
            tracing::warn!(worker = setup.index + 1, %error, "tune.napi-busy-poll: this kernel polls no card");
        }
        if let Some(from) = snapshot.config.global.tune.send_zc {
            send_zero_copy(&mut ring, from, setup.index);
        }
        Ok(Worker {
            index: setup.index,
            ring,
            sessions: Slab::new(),
            timers: Wheel::new(0),
            listeners: Listeners::new(&snapshot.config, setup.listeners),
            queues: Queues::default(),
            transit: Transit::default(),
            addresses: Addresses::default(),
            policies: Policies::new(&snapshot.config),
            table: setup.table,
            snapshot,
            load: setup.load,
            counters: setup.counters,
            log: setup.log,
            mailbox: setup.mailbox,
            peers: setup.peers,
            clock: setup.clock,
            now: 0,
            catching_up_until: None,
            maxconn: setup.maxconn,
            incoming_cpu: setup.incoming_cpu,
            random: fastrand::Rng::new(),
            stop: None,
            evicting: None,
            mail_waits: false,
        })
    }

    /// One batch; false: the worker is done.
    fn turn(&mut self) -> io::Result<bool> {
        let began = self.wait()?;
        self.refresh_table();
        while let Some(event) = self.ring.next_event() {
            self.on_event(event);
        }
        if self.mail_waits {
            self.on_mail();
        }
        if let Some(evicting) = self.evicting.take() {
            self.evict(evicting);
        }
        while let Some(slot) = self.timers.pop(self.now) {
            self.on_timer(slot);
        }
        self.retry_listeners();
        self.halt_writers();
        self.leave_listeners();
        self.ring.end_turn(began);
        self.count_moved();
        Ok(!self.is_done())
    }

    /// Waits for events; how long after the start of the clock it ended.
    fn wait(&mut self) -> io::Result<Duration> {
        let own = [self.timers.next(), self.transit.writing_until()];
        let due = [self.listeners.look_at(), self.ring.pipes_due()];
        let next = own.into_iter().chain(due).flatten().min();
        let limit = next.map(|at| Duration::from_millis(at.saturating_sub(self.now)));
        let look = self.queues.waiting().then_some(TABLE_LOOK);
        let at_once = (self.mail_waits || self.evicting.is_some()).then_some(Duration::ZERO);
        let limit = [limit, look, at_once].into_iter().flatten().min();
        self.ring.wait(limit)?;
        let elapsed = self.clock.start.elapsed();
        let before = std::mem::replace(&mut self.now, elapsed.as_millis() as u64);
        // One that follows soon adds nothing: a host that takes the core away again and again must not hold up timers for ever.
        let over = self.catching_up_until.is_none_or(|until| self.now >= until + CATCHING_UP_MS);
        if over && self.now - before > STALL_MS {
            self.catching_up_until = Some(self.now + CATCHING_UP_MS);
        }
        Ok(elapsed)
    }

    /// The snapshot this batch works with. The publisher keeps the old one, so dropping it frees nothing.
    fn refresh_table(&mut self) {
        let newest = self.table.load();
        if !Arc::ptr_eq(newest, &self.snapshot) {
            let former = std::mem::replace(&mut self.snapshot, Arc::clone(newest));
            if self.snapshot.eviction > former.generation {
                self.evicting = Some(Evicting::since(former.generation, self.evicting, self.now));
            }
            if !Arc::ptr_eq(&former.config, &self.snapshot.config) {
                self.follow(&former.config);
            }
            self.serve_queues();
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Completed { slot, completion, outcome } => self.on_completed(slot, completion, outcome),
            Event::Accepted { listener, result } => self.on_accepted(listener, result),
            Event::HandedOver { listener, socket } => {
                self.peers.arrived(self.index);
                self.admit(listener, socket);
            }
            Event::Returned { worker, listener, socket } => {
                self.peers.arrived(worker);
                self.admit(listener, socket);
            }
            Event::Woken => self.on_woken(),
            Event::Mail => self.mail_waits = true,
        }
    }

    fn on_completed(&mut self, slot: u32, completion: Completion, outcome: Outcome) {
        if let (Ok(n), Some(entry)) = (outcome, self.sessions.get_mut(slot as usize)) {
            match completion {
                // The end of a direction: see `Ticks`.
                Completion::Filled(_) if n == 0 => {}
                Completion::ShutDown(_) => entry.record.ticks.phase = self.now as u32,
                Completion::Filled(direction) => {
                    entry.record.bytes[direction.index()] += u64::from(n);
                    entry.record.ticks.activity = self.now as u32;
                }
                Completion::Drained(_) => entry.record.ticks.activity = self.now as u32,
                _ => {}
            }
        }
        self.drive(slot, |session, policy, ops| session.on_completion(completion, outcome, policy, ops));
    }

    fn on_timer(&mut self, slot: u32) {
        let Some(entry) = self.sessions.get(slot as usize) else { return };
        let policy = &self.policies.entry(entry.record.policy).policy;
        match entry.session.expired(policy, &entry.record.ticks, self.now as u32) {
            Some(_) if self.is_behind(slot) => self.timers.set(slot, self.now + 1),
            Some(expiry) => {
                self.drive(slot, |session, _, ops| session.on_timeout(expiry, ops));
                // A half of the session may live on, under the other timeout.
                if self.sessions.contains(slot as usize) {
                    self.file_timer(slot);
                }
            }
            None => self.file_timer(slot),
        }
    }

    /// Whether the worker is late, not the peer: what has become possible while it stood still comes first.
    fn is_behind(&mut self, slot: u32) -> bool {
        let catching_up = self.catching_up_until.is_some_and(|until| self.now < until);
        if catching_up && self.ring.is_behind() {
            return true;
        }
        self.catching_up_until = None;
        self.ring.owes(slot)
    }

    /// Files the session's timer for its next look.
    fn file_timer(&mut self, slot: u32) {
        let Entry { session, record } = &mut self.sessions[slot as usize];
        record.ticks.keep_comparable(self.now as u32);
        let policy = &self.policies.entry(record.policy).policy;
        let deadline = session.deadline(policy, &record.ticks).map(|deadline| deadline.at);
        let look = session.next_look(policy, &record.ticks);
        let passed = |at: u32| (self.now as u32).wrapping_sub(at) as i32 >= 0;
        let at = match look {
            // A look that is due without a deadline being: the next one is a whole shortest timeout away.
            Some(at) if passed(at) => {
                let pause = policy.shortest_idle_ms().unwrap_or(1);
                let next = (self.now as u32).wrapping_add(pause);
                deadline.filter(|d| (d.wrapping_sub(next) as i32) < 0).or(Some(next))
            }
            look => look,
        };
        match at {
            Some(at) => {
                let ahead = (at.wrapping_sub(self.now as u32) as i32).max(0);
                self.timers.set(slot, self.now + ahead as u64);
            }
            None => self.timers.clear(slot),
        }
    }

    fn on_woken(&mut self) {
        self.resume_listeners();
        self.serve_queues();
    }

    fn is_done(&self) -> bool {
        match self.stop {
            None => false,
            Some(Stop::Hard) => true,
            Some(Stop::Soft) => {
                let moving = self.peers.inbound(self.index) > 0 || self.ring.is_handing_over();
                self.sessions.is_empty() && self.listeners.are_closed() && !moving
            }
        }
    }

    fn count_moved(&mut self) {
        let moved = self.ring.take_moved();
        let process = self.counters.process();
        if moved.bytes > 0 {
            process.bytes_out.add(moved.bytes);
            process.spliced_bytes_out.add(moved.spliced);
        }
        if moved.zero_copy > 0 {
            process.zero_copy_sends.add(moved.zero_copy);
            process.zero_copy_copied.add(moved.copied_after_all);
        }
        let (used, idle) = self.ring.pipe_counts();
        process.pipes_used.store(used as u64, Relaxed);
        process.pipes_free.store(idle as u64, Relaxed);
    }
}

fn send_zero_copy(ring: &mut Ring, from: u32, index: usize) {
    let worker = index + 1;
    match ring.send_zero_copy(from) {
        Ok(true) => {}
        Ok(false) => tracing::warn!(
            worker,
            "tune.send-zc: no memory can be pinned, each send pins its own: raise RLIMIT_MEMLOCK (ulimit -l)"
        ),
        Err(error) => tracing::warn!(worker, %error, "tune.send-zc: this kernel has no zero-copy send"),
    }
}

/// Buffers that a receive may fill before its cancellation ends it: the kernel answers 32 times in a row.
const STALLED_HOLDS: usize = 32;

/// One part in so many of a limit on address space is for the receive buffers of all workers.
const BUFFERS_PART: u64 = 4;
/// Fewer buffers than that are no help.
const LEAST_BUFFERS: u64 = 64;

/// Receive buffers: what every session may hold whose receiver stalls, up to 128 MiB, and at least one for each
/// session of the worker's share, as far as `-m` allows. They take memory only when they are needed.
fn ring_settings(setup: &Setup, config: &Config) -> Settings {
    let (maxconn, workers) = (setup.maxconn, setup.peers.count());
    let Setup { pipes, spin, .. } = *setup;
    let tune = &config.global.tune;
    let share = (maxconn as usize).div_ceil(workers.max(1));
    let wished = (STALLED_HOLDS * share).min(8_192).max(share).next_power_of_two().clamp(256, 32_768) as u16;
    Settings {
        buffer_size: tune.bufsize as usize,
        buffers: affordable(wished, tune.bufsize, workers, address_space()),
        pipe_size: tune.pipesize.unwrap_or(262_144) as usize,
        pipes,
        spin,
        huge_pages: tune.huge_pages,
    }
}

/// As many buffers of `size` bytes as fit into a worker's part of a limit on address space; a power of two.
fn affordable(wished: u16, size: u32, workers: usize, limit: Option<u64>) -> u16 {
    let Some(bytes) = limit else { return wished };
    let fitting = bytes / BUFFERS_PART / (workers as u64 * u64::from(size)).max(1);
    let fitting = 1_u64 << fitting.max(LEAST_BUFFERS).ilog2();
    u16::try_from(fitting).map_or(wished, |fitting| fitting.min(wished))
}

/// The bytes of an idle session that are this project's own: state, facts and timer (the ring asserts its own).
const _: () = assert!(size_of::<Entry>() + crate::ring::BYTES_PER_SESSION <= 168 - 16);
