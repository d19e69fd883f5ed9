//! From an accepted socket to a session: limits, placement across workers, and pausing when full.
//!
//! A connection that may not become a session yet is parked, never closed. Accepts are made one at a time, so
//! that a burst beyond maxconn stays in the kernel's queue and costs no descriptor.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::Ordering::Relaxed;

use crate::config::model::{BindId, Config, Mode, ProxyId};
use crate::session::Session;
use crate::session::op::Errno;
use crate::session::termination::Termination;
use crate::sys::socket::{
    accept_queued, is_listening, local_address, peer, set_backlog, set_incoming_cpu, set_keepalive,
};

use super::finish::Moment;
use super::placement::elsewhere;
use super::record::Record;
use super::{Entry, Worker};

/// How long accepting rests after the system had no descriptor or memory left, milliseconds.
const REST_MS: u64 = 100;
/// How often it is looked whether a socket that others have made deaf listens again, milliseconds.
const DEAF_MS: u64 = 1_000;

/// One listening socket of this worker.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) bind: BindId,
    pub(super) proxy: ProxyId,
    maxconn: Option<u32>,
    /// Connections that may wait in the kernel.
    pub(super) backlog: u32,
    /// It also gets connections to addresses that are not its own.
    transparent: bool,
    /// Whoever started the process has its socket too, and so may who comes after: no change of it is for us alone.
    pub(super) inherited: bool,
    pub(super) socket: Option<OwnedFd>,
    /// Its address, when every client connects to the same one: no system call for each of them.
    pub(super) address: Option<SocketAddr>,
    /// An accept is in flight.
    pub(super) armed: bool,
    /// It has been told to stop.
    stopping: bool,
    /// The operator said so: it accepts nobody.
    pub(super) paused: bool,
    /// Until then a limit per second is reached, or nobody looks whether a deaf socket listens again.
    rests_until: Option<u64>,
    /// It is to be closed at that time, as its bind is gone.
    pub(super) leaves_at: Option<u64>,
    /// Takes its place when it is closed.
    pub(super) next: Option<OwnedFd>,
    parked: VecDeque<OwnedFd>,
}

/// Why a connection may not become a session yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Full {
    /// No slot is free.
    Slots,
    /// A limit per second is reached for so many milliseconds.
    Rate(u64),
}

/// All listening sockets of a worker; the ring knows each by its place. A bind may have several, when they were
/// taken over from a process with more workers.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) all: Vec<Listener>,
    /// For a bind's number the place in `all` of one of its sockets.
    place: Vec<Option<usize>>,
    retry_at: Option<u64>,
    closing: bool,
}

impl Listener {
    /// Without a socket yet.
    fn new(config: &Config, id: BindId) -> Listener {
        let bind = &config.binds[usize::from(id.0)];
        Listener {
            bind: id,
            proxy: bind.proxy,
            maxconn: bind.maxconn,
            backlog: config.backlog(bind),
            transparent: bind.tcp.transparent,
            inherited: bind.address.inherited().is_some(),
            socket: None,
            address: None,
            armed: false,
            stopping: false,
            paused: false,
            rests_until: None,
            leaves_at: None,
            next: None,
            parked: VecDeque::new(),
        }
    }

    fn follow(&mut self, config: &Config) {
        let bind = &config.binds[usize::from(self.bind.0)];
        self.proxy = bind.proxy;
        self.maxconn = bind.maxconn;
        let backlog = std::mem::replace(&mut self.backlog, config.backlog(bind));
        if let (Some(socket), true) = (&self.socket, backlog != self.backlog && !bind.removed && !self.paused)
        {
            set_backlog(socket.as_fd(), self.backlog);
        }
    }

    pub(super) fn take(&mut self, socket: OwnedFd) {
        // Where clients connected to, if that is the same for all.
        let one = |address: &SocketAddr| !address.ip().is_unspecified() && !self.transparent;
        self.address = local_address(socket.as_fd()).filter(one);
        self.socket = Some(socket);
        self.paused = false;
    }
}

impl Listeners {
    pub(super) fn new(config: &Config, sockets: Vec<(BindId, OwnedFd)>) -> Listeners {
        let mut listeners = Listeners { all: Vec::new(), place: Vec::new(), retry_at: None, closing: false };
        listeners.follow(config);
        for (bind, socket) in sockets {
            let Some(place) = listeners.find(u32::from(bind.0)) else { continue };
            if listeners.all[place].socket.is_none() {
                listeners.all[place].take(socket);
                continue;
            }
            let mut further = Listener::new(config, bind);
            further.take(socket);
            listeners.all.push(further);
        }
        listeners
    }

    /// New limits, and a place for every bind, with a socket or without: another worker may hand a connection of
    /// it over at once.
    pub(super) fn follow(&mut self, config: &Config) {
        self.place.resize(config.binds.len(), None);
        self.all.iter_mut().for_each(|listener| listener.follow(config));
        for (number, bind) in config.binds.iter().enumerate() {
            let tcp = config.proxies[usize::from(bind.proxy.0)].mode == Mode::Tcp;
            if tcp && self.place[number].is_none() {
                self.place[number] = Some(self.all.len());
                self.all.push(Listener::new(config, BindId(number as u16)));
            }
        }
    }

    /// When something is to be done without an event: after a shortage, or for a bind that is gone.
    pub(super) fn look_at(&self) -> Option<u64> {
        let due = self.all.iter().flat_map(|listener| [listener.leaves_at, listener.rests_until]);
        due.chain([self.retry_at]).flatten().min()
    }

    /// Every socket is closed and nothing is parked.
    pub(super) fn are_closed(&self) -> bool {
        self.all.iter().all(|listener| listener.socket.is_none() && listener.parked.is_empty())
    }

    /// Every socket is closed.
    fn are_deaf(&self) -> bool {
        self.all.iter().all(|listener| listener.socket.is_none())
    }

    /// Where a socket of the bind of that number stands.
    pub(super) fn find(&self, bind: u32) -> Option<usize> {
        *self.place.get(bind as usize)?
    }
}

impl Worker {
    pub(super) fn open_listeners(&mut self) {
        for place in 0..self.listeners.all.len() {
            self.prefer_own_packets(place);
            self.arm(place);
        }
    }

    /// Of the sockets of an address this one gets the connections whose packets arrive on the worker's CPU.
    pub(super) fn prefer_own_packets(&self, place: usize) {
        if let (Some(cpu), Some(socket)) = (self.incoming_cpu, &self.listeners.all[place].socket) {
            set_incoming_cpu(socket.as_fd(), cpu);
        }
    }

    pub(super) fn arm(&mut self, place: usize) {
        let listener = &mut self.listeners.all[place];
        let idle = !listener.armed && !listener.paused && listener.rests_until.is_none();
        if let (Some(socket), true) = (&listener.socket, idle) {
            listener.armed = true;
            self.ring.listen(place as u32, socket.as_raw_fd());
        }
    }

    pub(super) fn disarm(&mut self, place: usize) {
        let listener = &mut self.listeners.all[place];
        if listener.armed && !listener.stopping {
            listener.stopping = true;
            self.ring.stop_listening(place as u32);
        }
    }

    pub(super) fn on_accepted(&mut self, place: u32, result: Result<OwnedFd, Errno>) {
        let place = place as usize;
        let listener = &mut self.listeners.all[place];
        listener.armed = false;
        let told = std::mem::take(&mut listener.stopping);
        match result {
            Ok(socket) => self.keep_or_hand_over(place, socket),
            // Also what a socket says that does not listen for a while.
            Err(_) if told => {}
            Err(errno) => self.on_accept_failed(place, errno),
        }
        self.settle_listener(place);
    }

    /// What accept(2) says of one client is no reason to wait, and what it says of the socket will never
    /// change. Everything else, above all a want of descriptors or memory, passes: pause, then try by itself,
    /// unless idle pipes can make room.
    #[cold]
    fn on_accept_failed(&mut self, place: usize, errno: Errno) {
        let again = [Errno::ECANCELED, Errno::ECONNABORTED, Errno::EPROTO, Errno::EINTR, Errno::EAGAIN];
        let for_good = [Errno::EBADF, Errno::ENOTSOCK, Errno::EOPNOTSUPP];
        let exhausted = matches!(errno, Errno::EMFILE | Errno::ENFILE);
        if again.contains(&errno) || (exhausted && self.ring.release_pipes()) {
            return;
        }
        let listener = &mut self.listeners.all[place];
        if errno == Errno::EINVAL
            && listener.socket.as_ref().is_some_and(|socket| !is_listening(socket.as_fd()))
        {
            // Another worker or another process that has the same socket pauses, and will not do so for ever.
            listener.rests_until = Some(self.now + DEAF_MS);
            return;
        }
        self.counters.process().accept_failures.add(1);
        if for_good.contains(&errno) {
            listener.socket = None;
            let at = &self.snapshot.config.binds[usize::from(listener.bind.0)].declared_at;
            tracing::error!(bind = %at, error = ?errno, "this address accepts no more connections");
        } else {
            self.listeners.retry_at = Some(self.now + REST_MS);
        }
    }

    /// An accept ended: arm it again unless there is a reason not to.
    fn settle_listener(&mut self, place: usize) {
        if self.listeners.closing || self.is_leaving(place) {
            return self.drain_and_close(place);
        }
        if self.listeners.all[place].parked.is_empty() && self.listeners.retry_at.is_none() {
            self.arm(place);
        }
    }

    /// Keeps the connection, or gives it to the least loaded worker when this one is crowded.
    fn keep_or_hand_over(&mut self, place: usize, socket: OwnedFd) {
        let listener = &self.listeners.all[place];
        let number = listener.bind.0;
        let process = self.load.process();
        let full = !listener.parked.is_empty() || process.limit().is_some_and(|most| process.live() >= most);
        let other = if full { None } else { self.less_crowded() };
        match other.and_then(|worker| Some((worker, self.peers.announce(worker)?))) {
            Some(other) => {
                self.counters.process().handed_over.add(1);
                self.ring.hand_over(other, number, socket);
            }
            None => self.admit_at(place, socket),
        }
    }

    fn less_crowded(&self) -> Option<usize> {
        // A burst is accepted before the first that was handed over is a session there.
        let live = |worker: usize| self.load.worker_live(worker).load(Relaxed) + self.peers.inbound(worker);
        elsewhere(self.index, self.peers.count(), live)
    }

    /// A connection of this bind comes from another worker, or back from it.
    pub(super) fn admit(&mut self, bind: u32, socket: OwnedFd) {
        if self.listeners.find(bind).is_none() {
            // The other worker has seen a newer table.
            self.refresh_table();
        }
        if let Some(place) = self.listeners.find(bind) {
            self.admit_at(place, socket);
        }
    }

    /// Makes the connection a session, or parks it when a limit is reached.
    pub(super) fn admit_at(&mut self, place: usize, socket: OwnedFd) {
        if self.listeners.all[place].parked.is_empty() && self.take_slots(place).is_ok() {
            return self.begin(place, socket);
        }
        self.listeners.all[place].parked.push_back(socket);
        self.disarm(place);
        self.resume(place);
        let listener = &self.listeners.all[place];
        if !listener.parked.is_empty() && listener.rests_until.is_none() {
            self.counters.process().maxconn_reached.add(1);
        }
    }

    /// One slot of the process, the frontend and the address, and one event of each limit per second; all or
    /// none. The events first: who gives one back owes nobody a wake-up.
    fn take_slots(&self, place: usize) -> Result<(), Full> {
        let Listener { bind, proxy, maxconn, .. } = self.listeners.all[place];
        let meters = [self.load.connections(), self.load.sessions(), self.load.frontend_sessions(proxy)];
        for (taken, meter) in meters.iter().enumerate() {
            if let Err(wait_ms) = meter.take(self.now) {
                meters[..taken].iter().for_each(|meter| meter.give_back());
                return Err(Full::Rate(wait_ms));
            }
        }
        let (bind, frontend) = (self.load.bind(bind), self.load.frontend(proxy));
        // The narrowest first: a slot of the process is never held for a moment by who cannot use it.
        if bind.take(maxconn).is_some() {
            if frontend.take_within_limit().is_some() {
                if self.load.process().take_within_limit().is_some() {
                    return Ok(());
                }
                frontend.release();
            }
            bind.release();
        }
        meters.iter().for_each(|meter| meter.give_back());
        Err(Full::Slots)
    }

    fn begin(&mut self, place: usize, socket: OwnedFd) {
        let Listener { bind, proxy, address, .. } = self.listeners.all[place];
        let config = &self.snapshot.config;
        let settings = &config.proxies[usize::from(proxy.0)];
        if settings.options.client_keepalive {
            set_keepalive(socket.as_fd(), settings.client_probes);
        }
        let (client, gone) = peer(socket.as_fd());
        let client = self.addresses.pack(client);
        let local = self.addresses.pack(address.or_else(|| local_address(socket.as_fd())));
        let policy = self.policies.find(proxy, None).expect("every frontend has a policy of its own");
        self.policies.hold(policy);
        let record = Record::new(client, local, bind, policy, self.now);
        let session = Session::new(&self.policies.entry(policy).policy);
        let slot = self.sessions.insert(Entry { session, record }) as u32;
        self.timers.reserve(self.sessions.capacity());
        self.ring.open(slot, socket);
        self.count_begin(bind, proxy);
        self.log_at(Moment::Accepted, slot, Termination::default());
        if gone {
            return self.dismiss(slot);
        }
        self.drive(slot, |session, policy, ops| session.start(policy, ops));
    }

    fn count_begin(&self, bind: BindId, proxy: ProxyId) {
        self.counters.process().connections.add(1);
        for counters in [self.counters.frontend(proxy), self.counters.bind(bind)] {
            counters.connections.add(1);
        }
        self.count_present(bind, proxy);
    }

    /// One session more is here, accepted or taken over.
    pub(super) fn count_present(&self, bind: BindId, proxy: ProxyId) {
        self.load.worker_live(self.index).fetch_add(1, Relaxed);
        for counters in [self.counters.frontend(proxy), self.counters.bind(bind)] {
            counters.sessions.add(1);
        }
    }

    /// Admits what is parked; accepts again when nothing is.
    pub(super) fn resume(&mut self, place: usize) {
        self.listeners.all[place].rests_until = None;
        while !self.listeners.all[place].parked.is_empty() {
            if let Err(full) = self.take_slots_or_wait(place) {
                if let Full::Rate(wait_ms) = full {
                    self.listeners.all[place].rests_until = Some(self.now + wait_ms);
                }
                return;
            }
            let socket = self.listeners.all[place].parked.pop_front().expect("checked to be there");
            self.begin(place, socket);
        }
        if !self.listeners.closing && self.listeners.retry_at.is_none() {
            self.arm(place);
        }
    }

    /// When a limit is reached, this worker is woken when a slot is free anywhere.
    fn take_slots_or_wait(&self, place: usize) -> Result<(), Full> {
        match self.take_slots(place) {
            Err(Full::Slots) => {
                self.peers.pause(self.index);
                // A slot that was freed before the pause was known woke nobody: look once more.
                self.take_slots(place)
            }
            other => other,
        }
    }

    pub(super) fn resume_listeners(&mut self) {
        for place in 0..self.listeners.all.len() {
            let listener = &self.listeners.all[place];
            if !listener.armed || !listener.parked.is_empty() {
                self.resume(place);
            }
        }
    }

    /// After a shortage or a limit per second, once its rest is over.
    pub(super) fn retry_listeners(&mut self) {
        if self.listeners.retry_at.is_some_and(|at| at <= self.now) {
            self.listeners.retry_at = None;
            self.resume_listeners();
        }
        for place in 0..self.listeners.all.len() {
            if self.listeners.all[place].rests_until.is_some_and(|at| at <= self.now) {
                self.resume(place);
            }
        }
    }

    /// A session ended: its slots are free, here and for whoever waits for them.
    pub(super) fn release_connection(&mut self, bind: BindId, proxy: ProxyId) {
        self.load.worker_live(self.index).fetch_sub(1, Relaxed);
        self.load.bind(bind).release();
        self.load.frontend(proxy).release();
        self.load.process().release();
        if self.peers.any_paused() {
            self.wake_paused();
        }
    }

    #[cold]
    fn wake_paused(&mut self) {
        for worker in 0..self.peers.count() {
            match (self.peers.unpause(worker), self.peers.ring(worker)) {
                (true, _) if worker == self.index => self.resume_listeners(),
                (true, Some(ring)) => self.ring.wake(ring),
                _ => {}
            }
        }
    }

    /// Soft stop: what the kernel has queued is still served, as far as maxconn goes, then the sockets are closed.
    pub(super) fn close_listeners(&mut self) {
        self.listeners.closing = true;
        self.peers.close(self.index);
        for place in 0..self.listeners.all.len() {
            if self.listeners.all[place].armed {
                self.disarm(place);
            } else {
                self.drain_and_close(place);
            }
        }
        self.tell_deaf();
    }

    pub(super) fn drain_and_close(&mut self, place: usize) {
        if let Some(listening) = self.listeners.all[place].socket.take() {
            while self.may_hold_more()
                && let Some(socket) = accept_queued(listening.as_fd())
            {
                self.admit_at(place, socket);
            }
        }
        self.open_next(place);
        self.tell_deaf();
    }

    /// The control thread waits for it before it closes its own copies.
    fn tell_deaf(&self) {
        if self.listeners.closing && self.listeners.are_deaf() {
            self.peers.stop_listening(self.index);
        }
    }

    /// Whether descriptors are left for one more connection, to be served or parked: maxconn reckons with them.
    /// Other workers park as many as this one.
    pub(super) fn may_hold_more(&self) -> bool {
        let parked: usize = self.listeners.all.iter().map(|listener| listener.parked.len()).sum();
        let live = self.load.process().live() as usize;
        live + parked * self.peers.count() < self.maxconn as usize
    }
}
