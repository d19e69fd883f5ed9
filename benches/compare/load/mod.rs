//! The load: clients and backend in one thread over one epoll, so that it needs only one core and
//! a byte's way through the proxy is the only thing that another core has a part in.

mod arrivals;
pub mod content;
pub mod latency;
pub mod moments;
mod pace;
mod poll;
pub mod server;
mod sinks;
pub mod socket;
mod trips;
mod visits;

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use rustix::event::epoll::Event;
use rustix::fd::OwnedFd;
use rustix::net::{RecvFlags, recv};

use self::content::Shape;
use self::poll::{Poll, Tag, read_event};
use self::server::Server;
use self::sinks::Sinks;
use self::socket::Sources;
use self::trips::Trips;
use self::visits::Visits;
use crate::failure::{Attempt, Failure};

/// What clients or backend did of their own accord, without an event.
#[derive(Clone, Copy)]
struct Pumped {
    /// Something was sent.
    worked: bool,
    /// More may be sent any moment.
    more: bool,
}

/// How often a wait looks at the clock when nothing happens.
const LONGEST_WAIT: Duration = Duration::from_millis(10);

pub struct Load {
    poll: Poll,
    events: Vec<Event>,
    sources: Sources,
    log: OwnedFd,
    log_lines: u64,
    busy: Duration,
    pub server: Server,
    pub trips: Trips,
    pub sinks: Sinks,
    pub visits: Visits,
}

impl Load {
    /// A backend that listens, and clients that exchange messages of this shape; `moment` is how long one is whose
    /// slowest answers are looked at apart.
    pub fn new(shape: Shape, moment: Duration) -> Result<Load, Failure> {
        let poll = Poll::new().attempting("creating an epoll instance")?;
        let log = socket::datagram().attempting("opening a socket for logs")?;
        poll.add_level(&log, Tag::Log).attempting("watching the socket for logs")?;
        Ok(Load {
            events: Poll::batch(),
            sources: Sources::default(),
            log,
            log_lines: 0,
            busy: Duration::ZERO,
            server: Server::new(shape, &poll)?,
            trips: Trips::new(shape, moment),
            sinks: Sinks::new(),
            visits: Visits::new(shape.request, moment),
            poll,
        })
    }

    /// Where proxies send their logs.
    pub fn log_port(&self) -> Result<u16, Failure> {
        socket::port(&self.log).attempting("reading the log socket's port")
    }

    /// Log lines received so far.
    pub fn log_lines(&self) -> u64 {
        self.log_lines
    }

    /// Time of the turns in which there was something to do, so far.
    pub fn busy(&self) -> Duration {
        self.busy
    }

    /// Connections that clients have begun so far.
    pub fn connections(&self) -> u32 {
        self.sources.connections()
    }

    pub fn connect_trips(&mut self, count: usize, to: SocketAddrV4) -> Result<(), Failure> {
        self.trips.connect(count, to, &mut self.sources, &self.poll)
    }

    pub fn connect_sinks(&mut self, count: usize, to: SocketAddrV4) -> Result<(), Failure> {
        self.sinks.connect(count, to, &mut self.sources, &self.poll)
    }

    pub fn run_visits(&mut self, count: usize, trips: u32, to: SocketAddrV4) -> Result<(), Failure> {
        self.visits.run(count, trips, to, &mut self.sources, &self.poll)
    }

    pub fn pace(&mut self, bytes_per_second: f64) -> Result<(), Failure> {
        self.server.pace(bytes_per_second, &self.poll)
    }

    /// Whether what clients complete, and what they begin, from now on counts.
    pub fn count(&mut self, counting: bool) {
        self.trips.tally.count(counting);
        self.visits.tally.count(counting);
    }

    /// Works for a fixed time.
    pub fn run_for(&mut self, time: Duration) -> Result<(), Failure> {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.turn(left)?;
        }
    }

    /// Works until `done`; a failure when that takes longer than `limit`.
    pub fn run_until(
        &mut self,
        what: &str,
        limit: Duration,
        done: impl Fn(&Load) -> bool,
    ) -> Result<(), Failure> {
        let end = Instant::now() + limit;
        while !done(self) {
            if Instant::now() >= end {
                return Err(Failure::new(format!("{what}: not within {} s", limit.as_secs())));
            }
            self.turn(LONGEST_WAIT)?;
        }
        Ok(())
    }

    /// One wait and the events it brought. The load's own wake-ups are not to be in anybody's latency: while an answer
    /// is on its way, or a message may be due, it does not sleep; a turn that only looked is not counted as busy.
    fn turn(&mut self, longest: Duration) -> Result<(), Failure> {
        let began = Instant::now();
        let awaited = self.trips.tally.on_their_way() + self.visits.tally.on_their_way() > 0;
        let pumped = [self.server.pump()?, self.trips.pump()?];
        let more = awaited || pumped.iter().any(|pumped| pumped.more);
        let timeout = if more { Duration::ZERO } else { longest.min(LONGEST_WAIT) };
        let mut events = std::mem::take(&mut self.events);
        let asleep = Instant::now();
        self.poll.wait(&mut events, timeout).attempting("waiting for events")?;
        let slept = if more { Duration::ZERO } else { asleep.elapsed() };
        for event in &events {
            self.on_event(event)?;
        }
        if !events.is_empty() || pumped.iter().any(|pumped| pumped.worked) {
            self.busy += began.elapsed().saturating_sub(slept);
        }
        self.events = events;
        Ok(())
    }

    fn on_event(&mut self, event: &Event) -> Result<(), Failure> {
        let (tag, ended) = read_event(event);
        match tag {
            Tag::Listener(index) => self.server.on_listener(index, &self.poll),
            Tag::Served(key) => {
                self.server.on_served(key, ended);
                Ok(())
            }
            Tag::Trip(index) => self.trips.on_event(index),
            Tag::Sink(index) => self.sinks.on_event(index, ended),
            Tag::Visit(index) => self.visits.on_event(index, ended, &mut self.sources, &self.poll),
            Tag::Pace => {
                self.server.on_pace();
                Ok(())
            }
            Tag::Log => {
                self.read_log();
                Ok(())
            }
        }
    }

    fn read_log(&mut self) {
        let mut byte = [0; 1];
        while recv(&self.log, &mut byte[..], RecvFlags::empty()).is_ok() {
            self.log_lines += 1;
        }
    }
}
