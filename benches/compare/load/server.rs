//! The backend: it answers what it is sent (`Echo`) or sends without end (`Source`).

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Instant;

use rustix::fd::OwnedFd;
use rustix::fs::sendfile;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, accept_with, recv, send, shutdown, sockopt};
use slab::Slab;

use super::Pumped;
use super::content::{self, Shape};
use super::pace::Pace;
use super::poll::{Poll, Tag};
use super::socket::{self, Moved, moved};
use crate::failure::{Attempt, Failure};

/// How many addresses each role listens on: the proxy's own connections need many port ranges.
pub const ADDRESSES: u8 = 8;
const CHUNK: usize = 512 << 10;
const PACED_CHUNK: usize = 64 << 10;
const MOST_STREAMS: usize = 1 << 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Answers each message; where the answer is as long, by returning every byte.
    Echo,
    /// After eight bytes that name the stream: sends until told to finish.
    Source,
}

struct Listener {
    socket: OwnedFd,
    role: Role,
}

struct Served {
    socket: OwnedFd,
    work: Work,
}

enum Work {
    Echo { unsent: Vec<u8> },
    Answer { message: Vec<u8>, unsent: Vec<u8> },
    Naming { name: Vec<u8> },
    Stream { name: usize, ready: bool },
}

pub struct Server {
    listeners: Vec<Listener>,
    served: Slab<Served>,
    ready: VecDeque<u32>,
    sent: Vec<u64>,
    resting: bool,
    finished: bool,
    content: OwnedFd,
    scratch: Vec<u8>,
    shape: Shape,
    /// What follows the message in each answer.
    rest: Vec<u8>,
    pace: Option<Pace>,
}

impl Server {
    /// A backend that listens on `ADDRESSES` addresses for each role.
    pub fn new(shape: Shape, poll: &Poll) -> Result<Server, Failure> {
        let mut server = Server {
            listeners: Vec::new(),
            served: Slab::new(),
            ready: VecDeque::new(),
            sent: Vec::new(),
            resting: false,
            finished: false,
            content: content::file()?,
            scratch: vec![0; 64 << 10],
            shape,
            rest: shape.rest(),
            pace: None,
        };
        server.listen(Role::Echo, poll)?;
        server.listen(Role::Source, poll)?;
        Ok(server)
    }

    fn listen(&mut self, role: Role, poll: &Poll) -> Result<(), Failure> {
        for last in 1..=ADDRESSES {
            let address = SocketAddrV4::new(Ipv4Addr::new(127, 64, 0, last), 0);
            let socket = socket::listen(address).attempting(format!("listening on {}", address.ip()))?;
            let tag = Tag::Listener(self.listeners.len() as u32);
            poll.add(&socket, tag).attempting("watching a listener")?;
            self.listeners.push(Listener { socket, role });
        }
        Ok(())
    }

    /// Where a role is served.
    pub fn addresses(&self, role: Role) -> Result<Vec<SocketAddrV4>, Failure> {
        let listeners = self.listeners.iter().filter(|listener| listener.role == role);
        let address = |socket| SocketAddrV4::try_from(rustix::net::getsockname(socket)?);
        listeners
            .map(|listener| address(&listener.socket).attempting("reading a listener's address"))
            .collect()
    }

    /// Limits all streams together from now on.
    pub fn pace(&mut self, bytes_per_second: f64, poll: &Poll) -> Result<(), Failure> {
        let pace = Pace::new(bytes_per_second, Instant::now()).attempting("creating a timer")?;
        poll.add(pace.ticker(), Tag::Pace).attempting("watching a timer")?;
        self.pace = Some(pace);
        Ok(())
    }

    /// The ticker ticked: `pump` does the rest.
    pub fn on_pace(&self) {
        self.pace.iter().for_each(Pace::rewind);
    }

    /// Connections open now.
    pub fn live(&self) -> usize {
        self.served.len()
    }

    /// Bytes handed to the kernel, by stream.
    pub fn sent(&self) -> &[u64] {
        &self.sent
    }

    pub fn on_listener(&mut self, index: u32, poll: &Poll) -> Result<(), Failure> {
        let Listener { socket, role } = &self.listeners[index as usize];
        loop {
            match accept_with(socket, socket::FLAGS) {
                Ok(accepted) => {
                    sockopt::set_tcp_nodelay(&accepted, true).attempting("setting TCP_NODELAY")?;
                    let entry = self.served.vacant_entry();
                    poll.add(&accepted, Tag::Served(entry.key() as u32))
                        .attempting("watching a connection")?;
                    entry.insert(Served { socket: accepted, work: Work::new(*role, self.shape) });
                }
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(errno) => return Err(Failure::new(format!("backend: accepting: {errno}"))),
            }
        }
    }

    /// Serves one connection; one that its peer has ended or reset is closed here.
    pub fn on_served(&mut self, key: u32, ended: bool) {
        let Some(served) = self.served.get_mut(key as usize) else { return };
        let open = match &mut served.work {
            Work::Echo { unsent } => echo(&served.socket, unsent, &mut self.scratch, ended),
            Work::Answer { message, unsent } => {
                let Server { shape, rest, scratch, .. } = self;
                answer(&served.socket, message, unsent, &mut scratch[..shape.request], rest)
            }
            Work::Naming { name } => read_name(&served.socket, name),
            Work::Stream { ready, .. } => {
                if !*ready && !self.finished {
                    *ready = true;
                    self.ready.push_back(key);
                }
                Ok(!ended)
            }
        };
        match open {
            Ok(true) => self.start_stream(key),
            Ok(false) | Err(_) => drop(self.served.remove(key as usize)),
        }
    }

    /// A connection whose name is complete begins to stream.
    fn start_stream(&mut self, key: u32) {
        let served = &mut self.served[key as usize];
        let Work::Naming { name } = &served.work else { return };
        let Ok(name) = <[u8; 8]>::try_from(name.as_slice()) else { return };
        let name = u64::from_le_bytes(name) as usize;
        if name >= MOST_STREAMS {
            return; // Not one of our clients: it gets nothing.
        }
        served.work = Work::Stream { name, ready: true };
        self.sent.resize(self.sent.len().max(name + 1), 0);
        self.ready.push_back(key);
    }

    /// Sends on every stream that has room: one chunk each, or what the pace allows.
    pub(super) fn pump(&mut self) -> Result<Pumped, Failure> {
        let mut pumped = Pumped { worked: false, more: false };
        if self.ready.is_empty() || self.resting {
            return Ok(pumped);
        }
        if let Some(pace) = &mut self.pace {
            pace.fill(Instant::now());
        }
        if self.pace.is_none() {
            (0..self.ready.len()).try_for_each(|_| self.send_chunk(CHUNK))?;
            return Ok(Pumped { worked: true, more: !self.ready.is_empty() });
        }
        while !self.ready.is_empty() && self.pace.as_ref().is_some_and(|pace| pace.available() >= PACED_CHUNK)
        {
            self.send_chunk(PACED_CHUNK)?;
            pumped.worked = true;
        }
        Ok(pumped)
    }

    fn send_chunk(&mut self, chunk: usize) -> Result<(), Failure> {
        let Some(key) = self.ready.pop_front() else { return Ok(()) };
        let Some(Served { socket, work: Work::Stream { name, ready } }) = self.served.get_mut(key as usize)
        else {
            return Ok(());
        };
        let sent = &mut self.sent[*name];
        let mut offset = *sent % content::PERIOD as u64;
        let count = chunk.min(content::PERIOD - offset as usize);
        match moved(sendfile(&*socket, &self.content, Some(&mut offset), count)) {
            Ok(Moved::Bytes(bytes)) => {
                *sent += bytes as u64;
                self.ready.push_back(key);
                if let Some(pace) = &mut self.pace {
                    pace.take(bytes);
                }
                Ok(())
            }
            Ok(Moved::Later) => {
                *ready = false;
                Ok(())
            }
            Ok(Moved::End) => Err(Failure::new("backend: sendfile moved nothing")),
            Err(errno) => Err(Failure::new(format!("backend: the proxy broke a bulk stream: {errno}"))),
        }
    }

    /// Whether no stream sends from now on.
    pub fn rest(&mut self, resting: bool) {
        self.resting = resting;
    }

    /// Ends every stream after the bytes already handed to the kernel.
    pub fn finish(&mut self) -> Result<(), Failure> {
        self.finished = true;
        self.ready.clear();
        let streams = self.served.iter().filter(|(_, served)| matches!(served.work, Work::Stream { .. }));
        for (_, served) in streams {
            shutdown(&served.socket, Shutdown::Write).attempting("backend: ending a bulk stream")?;
        }
        Ok(())
    }
}

impl Work {
    fn new(role: Role, shape: Shape) -> Work {
        match role {
            Role::Echo if shape.answer > shape.request => {
                Work::Answer { message: Vec::new(), unsent: Vec::new() }
            }
            Role::Echo => Work::Echo { unsent: Vec::new() },
            Role::Source => Work::Naming { name: Vec::with_capacity(8) },
        }
    }
}

/// Returns what arrived; false when the peer has finished and everything is returned.
fn echo(socket: &OwnedFd, unsent: &mut Vec<u8>, scratch: &mut [u8], ended: bool) -> Result<bool, Errno> {
    loop {
        if !flush(socket, unsent)? {
            return Ok(true);
        }
        let received = match moved(recv(socket, &mut *scratch, RecvFlags::empty()).map(|(_, length)| length))?
        {
            Moved::Bytes(bytes) => bytes,
            Moved::Later => return Ok(true),
            Moved::End => return Ok(false),
        };
        let sent = match moved(send(socket, &scratch[..received], SendFlags::NOSIGNAL))? {
            Moved::Bytes(bytes) => bytes,
            Moved::Later | Moved::End => 0,
        };
        unsent.extend_from_slice(&scratch[sent..received]);
        if unsent.is_empty() && received < scratch.len() && !ended {
            return Ok(true); // Drained: the next bytes raise the next event.
        }
    }
}

/// Answers one message after the other, each with itself and `rest`, as clients do that wait for the answer; false when
/// the peer has finished. `scratch` has room for one message.
fn answer(
    socket: &OwnedFd,
    message: &mut Vec<u8>,
    unsent: &mut Vec<u8>,
    scratch: &mut [u8],
    rest: &[u8],
) -> Result<bool, Errno> {
    loop {
        if !flush(socket, unsent)? {
            return Ok(true);
        }
        let wanted = scratch.len() - message.len();
        let room = &mut scratch[..wanted];
        match moved(recv(socket, &mut *room, RecvFlags::empty()).map(|(_, length)| length))? {
            Moved::Bytes(bytes) => message.extend_from_slice(&scratch[..bytes]),
            Moved::Later => return Ok(true),
            Moved::End => return Ok(false),
        }
        if message.len() == scratch.len() {
            unsent.append(message);
            unsent.extend_from_slice(rest);
        }
    }
}

/// Sends what could not be sent before; false when there is no room for all of it.
fn flush(socket: &OwnedFd, unsent: &mut Vec<u8>) -> Result<bool, Errno> {
    while !unsent.is_empty() {
        match moved(send(socket, unsent, SendFlags::NOSIGNAL))? {
            Moved::Bytes(bytes) => drop(unsent.drain(..bytes)),
            Moved::Later | Moved::End => return Ok(false),
        }
    }
    Ok(true)
}

/// Collects the eight bytes that name a stream.
fn read_name(socket: &OwnedFd, name: &mut Vec<u8>) -> Result<bool, Errno> {
    let mut bytes = [0; 8];
    let wanted = 8 - name.len();
    match moved(recv(socket, &mut bytes[..wanted], RecvFlags::empty()).map(|(_, length)| length))? {
        Moved::Bytes(received) => {
            name.extend_from_slice(&bytes[..received]);
            Ok(true)
        }
        Moved::Later => Ok(true),
        Moved::End => Ok(false),
    }
}
