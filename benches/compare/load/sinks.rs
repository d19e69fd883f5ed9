//! Bulk receivers: count what comes, compare the beginning, throw the rest away in the kernel.

use std::net::SocketAddrV4;

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::content;
use super::poll::{Poll, Tag};
use super::socket::{Moved, Sources, moved};
use crate::failure::{Attempt, Failure};

/// So much of each stream is compared byte by byte before the rest is only counted.
const COMPARED: u64 = 256 << 10;
const CHUNK: usize = 1 << 20;

struct Sink {
    socket: OwnedFd,
    named: bool,
    received: u64,
    ended: bool,
}

pub struct Sinks {
    sinks: Vec<Sink>,
    received: u64,
    ended: usize,
    content: Vec<u8>,
    /// Never touched: MSG_TRUNC discards TCP bytes without writing here.
    scratch: Vec<u8>,
}

impl Sinks {
    pub fn new() -> Sinks {
        Sinks { sinks: Vec::new(), received: 0, ended: 0, content: content::bytes(), scratch: vec![0; CHUNK] }
    }

    pub fn connect(
        &mut self,
        count: usize,
        to: SocketAddrV4,
        sources: &mut Sources,
        poll: &Poll,
    ) -> Result<(), Failure> {
        for _ in 0..count {
            let socket = sources.connect(to).attempting(format!("connecting to the proxy at {to}"))?;
            let tag = Tag::Sink(self.sinks.len() as u32);
            poll.add(&socket, tag).attempting("watching a connection")?;
            self.sinks.push(Sink { socket, named: false, received: 0, ended: false });
        }
        Ok(())
    }

    /// Bytes of all streams since the start.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Streams past the part that is compared.
    pub fn flowing(&self) -> usize {
        self.sinks.iter().filter(|sink| sink.received > COMPARED).count()
    }

    pub fn all_ended(&self) -> bool {
        self.ended == self.sinks.len()
    }

    /// Each stream must have brought exactly what the backend sent.
    pub fn verify(&self, sent: &[u64]) -> Result<(), Failure> {
        for (index, sink) in self.sinks.iter().enumerate() {
            let sent = sent.get(index).copied().unwrap_or(0);
            if sink.received != sent {
                let received = sink.received;
                return Err(Failure::new(format!("stream {index}: {sent} bytes sent, {received} received")));
            }
        }
        Ok(())
    }

    pub fn close(&mut self) {
        self.sinks.clear();
        self.ended = 0;
    }

    pub fn on_event(&mut self, index: u32, ended: bool) -> Result<(), Failure> {
        let Some(sink) = self.sinks.get_mut(index as usize) else { return Ok(()) };
        if !sink.named && !sink.name(index)? {
            return Ok(());
        }
        while !sink.ended {
            let counted_only = sink.received >= COMPARED;
            match sink.receive(&mut self.scratch, &self.content)? {
                Moved::Bytes(bytes) => {
                    self.received += bytes as u64;
                    if counted_only && bytes < CHUNK && !ended {
                        break; // Drained: the next bytes raise the next event.
                    }
                }
                Moved::Later => break,
                Moved::End => {
                    sink.ended = true;
                    self.ended += 1;
                }
            }
        }
        Ok(())
    }
}

impl Sink {
    /// Asks for the stream by number. False: not connected yet.
    fn name(&mut self, index: u32) -> Result<bool, Failure> {
        match send(&self.socket, &u64::from(index).to_le_bytes(), SendFlags::NOSIGNAL) {
            Ok(8) => self.named = true,
            Ok(sent) => return Err(Failure::new(format!("only {sent} of 8 bytes fit an empty socket"))),
            Err(Errno::AGAIN | Errno::NOTCONN) => {}
            Err(errno) => return Err(Failure::new(format!("sending to the proxy: {errno}"))),
        }
        Ok(self.named)
    }

    fn receive(&mut self, scratch: &mut [u8], content: &[u8]) -> Result<Moved, Failure> {
        let compare = self.received < COMPARED;
        let (room, flags) = if compare {
            (&mut scratch[..(COMPARED - self.received) as usize], RecvFlags::empty())
        } else {
            (scratch, RecvFlags::TRUNC)
        };
        let result = moved(recv(&self.socket, &mut *room, flags).map(|(_, length)| length));
        let outcome = result.attempting("receiving a bulk stream")?;
        if let Moved::Bytes(bytes) = outcome {
            let start = self.received as usize;
            if compare && room[..bytes] != content[start..start + bytes] {
                return Err(Failure::new(format!(
                    "a bulk stream differs from what was sent near byte {start}"
                )));
            }
            self.received += bytes as u64;
        }
        Ok(outcome)
    }
}
