//! Round trips: each connection sends a message, waits for the answer, compares it, sends the next: at once (a closed
//! loop), or when it is meant to be sent (an open one, whose latency counts from then: no omission is hidden).

use std::collections::VecDeque;
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::Pumped;
use super::arrivals::Arrivals;
use super::content::Shape;
use super::latency::Tally;
use super::poll::{Poll, Tag};
use super::socket::{Moved, Sources, moved};
use crate::failure::{Attempt, Failure};

struct Trip {
    socket: OwnedFd,
    message: Vec<u8>,
    /// What the answer is: the message, and what follows it.
    expected: Vec<u8>,
    /// One byte longer than the answer, so that one that is too long is seen.
    reply: Vec<u8>,
    received: usize,
    /// The message's number, also its first eight bytes; 0 before the first.
    number: u64,
    waiting: bool,
    sent_at: Instant,
    /// When the messages behind the one on its way were meant to be sent.
    due: VecDeque<Instant>,
}

pub struct Trips {
    shape: Shape,
    trips: Vec<Trip>,
    running: bool,
    arrivals: Option<Arrivals>,
    /// The connection that takes the next arrival.
    turn: usize,
    answered_once: usize,
    pub tally: Tally,
}

impl Trips {
    /// Messages and answers of the shape. Each connection makes one trip, then waits for `run`.
    pub fn new(shape: Shape, moment: Duration) -> Trips {
        Trips {
            shape,
            trips: Vec::new(),
            running: false,
            arrivals: None,
            turn: 0,
            answered_once: 0,
            tally: Tally::new(moment),
        }
    }

    pub fn connect(
        &mut self,
        count: usize,
        to: SocketAddrV4,
        sources: &mut Sources,
        poll: &Poll,
    ) -> Result<(), Failure> {
        for _ in 0..count {
            let index = self.trips.len();
            let socket = sources.connect(to).attempting(format!("connecting to the proxy at {to}"))?;
            poll.add(&socket, Tag::Trip(index as u32)).attempting("watching a connection")?;
            self.trips.push(Trip::new(socket, index, self.shape));
        }
        Ok(())
    }

    /// Connections over which the first trip has gone.
    pub fn established(&self) -> usize {
        self.answered_once
    }

    /// Starts a trip on every connection, and the next whenever one completes.
    pub fn run(&mut self) -> Result<(), Failure> {
        self.running = true;
        let now = Instant::now();
        for index in 0..self.trips.len() {
            self.send(index, now)?;
        }
        Ok(())
    }

    /// Starts so many trips a second, over the connections in turn, however long they take.
    pub fn run_at(&mut self, per_second: f64) {
        self.arrivals.get_or_insert_with(|| Arrivals::new(per_second)).resume(Instant::now());
    }

    /// Sends what is due of an open loop, of which the next may be due any moment.
    pub(super) fn pump(&mut self) -> Result<Pumped, Failure> {
        let (now, mut worked) = (Instant::now(), false);
        while let Some(due) = self.arrivals.as_mut().and_then(|arrivals| arrivals.due(now)) {
            let index = self.turn % self.trips.len();
            self.turn += 1;
            worked = true;
            if self.trips[index].waiting {
                self.trips[index].due.push_back(due);
            } else {
                self.send(index, due)?;
            }
        }
        let more = self.arrivals.as_ref().is_some_and(|arrivals| !arrivals.is_at_rest());
        Ok(Pumped { worked, more })
    }

    /// Starts no further trip but those that were due.
    pub fn pause(&mut self) {
        self.running = false;
        self.arrivals.iter_mut().for_each(Arrivals::rest);
    }

    /// Closes every connection.
    pub fn close(&mut self) {
        self.running = false;
        self.trips.clear();
    }

    pub fn on_event(&mut self, index: u32) -> Result<(), Failure> {
        let index = index as usize;
        let Some(trip) = self.trips.get_mut(index) else { return Ok(()) };
        if trip.number == 0 {
            return self.send(index, Instant::now());
        }
        if !trip.receive()? {
            return Ok(());
        }
        let now = Instant::now();
        trip.waiting = false;
        self.answered_once += usize::from(trip.number == 1);
        self.tally.complete();
        self.tally.answer(trip.sent_at);
        match trip.due.pop_front().or(self.running.then_some(now)) {
            Some(due) => self.send(index, due),
            None => Ok(()),
        }
    }

    fn send(&mut self, index: usize, due: Instant) -> Result<(), Failure> {
        let trip = &mut self.trips[index];
        if trip.waiting {
            return Ok(());
        }
        if trip.send(due)? {
            self.tally.begin();
        }
        Ok(())
    }
}

impl Trip {
    fn new(socket: OwnedFd, index: usize, shape: Shape) -> Trip {
        let message: Vec<u8> = (0..shape.request).map(|offset| (offset * 31 + index * 7) as u8).collect();
        let expected = shape.answer_to(&message);
        Trip {
            socket,
            message,
            reply: vec![0; expected.len() + 1],
            expected,
            received: 0,
            number: 0,
            waiting: false,
            sent_at: Instant::now(),
            due: VecDeque::new(),
        }
    }

    /// Sends the next message, meant to be sent at `due`. False: the connection is not there yet; its event will come.
    fn send(&mut self, due: Instant) -> Result<bool, Failure> {
        let number = self.number + 1;
        self.message[..8].copy_from_slice(&number.to_le_bytes());
        self.expected[..8].copy_from_slice(&number.to_le_bytes());
        match send(&self.socket, &self.message, SendFlags::NOSIGNAL) {
            Ok(sent) if sent == self.message.len() => {}
            Ok(sent) => return Err(Failure::new(format!("only {sent} bytes of a message fit the socket"))),
            Err(Errno::AGAIN | Errno::NOTCONN) if self.number == 0 => return Ok(false),
            Err(errno) => return Err(Failure::new(format!("sending to the proxy: {errno}"))),
        }
        (self.number, self.sent_at, self.received, self.waiting) = (number, due, 0, true);
        Ok(true)
    }

    /// Takes what has come. True: the answer is complete and the right one.
    fn receive(&mut self) -> Result<bool, Failure> {
        let room = &mut self.reply[self.received..];
        let result = recv(&self.socket, room, RecvFlags::empty()).map(|(_, length)| length);
        match moved(result).attempting("receiving from the proxy")? {
            Moved::Bytes(bytes) => self.received += bytes,
            Moved::Later => return Ok(false),
            Moved::End => return Err(Failure::new("the proxy closed a connection in the middle")),
        }
        if self.received < self.expected.len() {
            return Ok(false);
        }
        if !self.waiting || self.reply[..self.received] != self.expected {
            return Err(Failure::new(format!("the answer to trip {} is not the right one", self.number)));
        }
        Ok(true)
    }
}
