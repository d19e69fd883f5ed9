//! Short connections: connect, request and reply once or more, finish, await the proxy's end, close; then the next.

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};

use super::latency::Tally;
use super::poll::{Poll, Tag};
use super::socket::{Moved, Sources, moved};
use crate::failure::{Attempt, Failure};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    Asked,
    Finishing,
}

struct Visit {
    socket: OwnedFd,
    stage: Stage,
    /// Requests still to be answered.
    trips: u32,
    received: usize,
    began: Instant,
}

pub struct Visits {
    to: Option<SocketAddrV4>,
    trips: u32,
    request: Vec<u8>,
    visits: Vec<Option<Visit>>,
    running: bool,
    pub tally: Tally,
    scratch: Vec<u8>,
}

impl Visits {
    /// Requests and replies of `size` bytes.
    pub fn new(size: usize, moment: Duration) -> Visits {
        Visits {
            to: None,
            trips: 1,
            request: (0..size).map(|offset| (offset * 31) as u8).collect(),
            visits: Vec::new(),
            running: false,
            tally: Tally::new(moment),
            scratch: vec![0; size + 1],
        }
    }

    /// Keeps `count` connections going at once, each for `trips` requests.
    pub fn run(
        &mut self,
        count: usize,
        trips: u32,
        to: SocketAddrV4,
        sources: &mut Sources,
        poll: &Poll,
    ) -> Result<(), Failure> {
        (self.to, self.trips, self.running) = (Some(to), trips, true);
        self.visits.resize_with(count, || None);
        (0..count).try_for_each(|index| self.begin(index, sources, poll))
    }

    /// Begins no further connection.
    pub fn pause(&mut self) {
        self.running = false;
    }

    fn begin(&mut self, index: usize, sources: &mut Sources, poll: &Poll) -> Result<(), Failure> {
        let Some(to) = self.to else { return Ok(()) };
        let began = Instant::now();
        let socket = sources.connect(to).attempting(format!("connecting to the proxy at {to}"))?;
        poll.add(&socket, Tag::Visit(index as u32)).attempting("watching a connection")?;
        self.visits[index] =
            Some(Visit { socket, stage: Stage::Connecting, trips: self.trips, received: 0, began });
        self.tally.begin();
        Ok(())
    }

    pub fn on_event(
        &mut self,
        index: u32,
        ended: bool,
        sources: &mut Sources,
        poll: &Poll,
    ) -> Result<(), Failure> {
        let index = index as usize;
        let Some(Some(visit)) = self.visits.get_mut(index) else { return Ok(()) };
        if visit.stage == Stage::Connecting {
            return visit.ask(&self.request);
        }
        loop {
            let before = visit.stage;
            match visit.receive(&mut self.scratch, &self.request)? {
                Moved::Later => return Ok(()),
                Moved::End => break,
                Moved::Bytes(_) if before == Stage::Asked && visit.stage == Stage::Finishing => {
                    self.tally.answer(visit.began);
                    if !ended {
                        return Ok(()); // The proxy's end raises the next event.
                    }
                }
                Moved::Bytes(_) => {}
            }
        }
        self.tally.complete();
        self.visits[index] = None;
        if self.running { self.begin(index, sources, poll) } else { Ok(()) }
    }
}

impl Visit {
    fn ask(&mut self, request: &[u8]) -> Result<(), Failure> {
        match send(&self.socket, request, SendFlags::NOSIGNAL) {
            Ok(sent) if sent == request.len() => {
                self.stage = Stage::Asked;
                Ok(())
            }
            Ok(sent) => Err(Failure::new(format!("only {sent} bytes of a request fit an empty socket"))),
            Err(Errno::AGAIN | Errno::NOTCONN) => Ok(()),
            Err(errno) => Err(Failure::new(format!("connecting to the proxy: {errno}"))),
        }
    }

    /// Takes what has come; once a reply is whole, asks again, or finishes its own direction after the last.
    fn receive(&mut self, scratch: &mut [u8], request: &[u8]) -> Result<Moved, Failure> {
        let result = moved(recv(&self.socket, &mut *scratch, RecvFlags::empty()).map(|(_, length)| length));
        let outcome = result.attempting("receiving a reply")?;
        match outcome {
            Moved::Later => return Ok(outcome),
            Moved::End if self.stage == Stage::Finishing => return Ok(outcome),
            Moved::End => return Err(Failure::new("the proxy closed before the reply was whole")),
            Moved::Bytes(_) if self.stage == Stage::Finishing => {
                return Err(Failure::new("the proxy sent more than the reply"));
            }
            Moved::Bytes(bytes) => {
                let expected = request.get(self.received..self.received + bytes);
                if expected != Some(&scratch[..bytes]) {
                    return Err(Failure::new("a reply is not what was asked for"));
                }
                self.received += bytes;
            }
        }
        if self.received == request.len() {
            (self.received, self.trips) = (0, self.trips - 1);
            if self.trips > 0 {
                self.ask(request)?;
            } else {
                self.stage = Stage::Finishing;
                shutdown(&self.socket, Shutdown::Write).attempting("finishing a connection")?;
            }
        }
        Ok(outcome)
    }
}
