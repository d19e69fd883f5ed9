//! What the ring holds of a parked session, told to its next owner and taken up from the former one.
//!
//! Descriptors are told as copies, so that whoever gives up later only closes its own: a close of one of two
//! copies sends nothing. Received bytes travel as bytes, those in a pipe inside it.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use super::lines::Flags;
use super::{Ring, pipes};
use crate::session::op::{Direction, Side};
use crate::sys::pipe::Pipe;

/// What is held of one session. The received bytes stand in the order of the directions in a buffer beside it.
#[derive(Debug, Default)]
pub struct Cargo {
    /// By [`Side::index`].
    pub sockets: [Option<OwnedFd>; 2],
    /// By [`Direction::index`].
    pub ways: [Way; 2],
}

/// One direction of it.
#[derive(Debug, Default)]
pub struct Way {
    /// Bytes received and not written; none when there is a pipe.
    pub queued: u32,
    /// Both ends of a pipe, to read and to write.
    pub pipe: Option<[OwnedFd; 2]>,
    /// Bytes in that pipe.
    pub piped: u32,
    /// The source said that no more will come.
    pub eof: bool,
    /// Errno that the source reported, to be told after the bytes; 0: none.
    pub error: u16,
}

impl Cargo {
    /// How many descriptors it has.
    pub fn descriptors(&self) -> usize {
        let pipes = self.ways.iter().filter(|way| way.pipe.is_some()).count();
        self.sockets.iter().flatten().count() + 2 * pipes
    }

    /// Bytes beside it.
    pub fn queued(&self) -> usize {
        self.ways.iter().map(|way| way.queued as usize).sum()
    }
}

impl Ring {
    /// Descriptors that a session in this slot would tell now.
    pub fn descriptors(&self, slot: u32) -> usize {
        let lines = &self.lines[slot as usize];
        let sockets = Side::BOTH.iter().filter(|side| lines.socket(**side).is_some()).count();
        let pipes = lines.line.iter().filter(|line| line.pipe != pipes::NONE && line.offset > 0).count();
        sockets + 2 * pipes
    }

    /// Tells what is held of a parked session; its received bytes are appended to `bytes`. The slot keeps all.
    ///
    /// # Errors
    /// EMFILE or ENFILE: no descriptor is left for a copy. Bytes may have been appended.
    pub fn cargo(&self, slot: u32, bytes: &mut Vec<u8>) -> io::Result<Cargo> {
        let lines = &self.lines[slot as usize];
        debug_assert_eq!(lines.pending, [0; 2], "a parked session has no kernel request");
        let mut cargo = Cargo::default();
        for side in Side::BOTH {
            let copy = lines.socket(side).map(|fd: BorrowedFd<'_>| fd.try_clone_to_owned());
            cargo.sockets[side.index()] = copy.transpose()?;
        }
        for direction in Direction::BOTH {
            let line = lines.line(direction);
            let way = &mut cargo.ways[direction.index()];
            way.eof = line.flags.has(Flags::EOF);
            way.error = line.error;
            if line.flags.has(Flags::BULK) {
                if line.pipe != pipes::NONE && line.offset > 0 {
                    way.pipe = Some(self.pipes.pipe(line.pipe).copies()?);
                    way.piped = line.offset;
                }
                continue;
            }
            let before = bytes.len();
            let written = if line.queue.count > 0 { line.offset as usize } else { 0 };
            self.buffers.append(&line.queue, written, bytes);
            way.queued = (bytes.len() - before) as u32;
        }
        Ok(cargo)
    }

    /// Lets a parked session go that has another owner now: closes the own copies and nothing else.
    pub fn forget(&mut self, slot: u32) {
        let lines = &mut self.lines[slot as usize];
        debug_assert_eq!(lines.pending, [0; 2], "a parked session has no kernel request");
        for side in Side::BOTH {
            drop(lines.take(side));
        }
        for direction in Direction::BOTH {
            self.reset_line(slot, direction);
        }
    }

    /// Makes `slot` the place of a session that another owner tells of; no byte moves. `taken` bytes of each
    /// direction were taken from the source already. Returns how many that is here: all of a direction that
    /// had to go into a pipe, and no more than a buffer holds.
    ///
    /// # Errors
    /// No buffer and no pipe is left for its bytes, or they are not what is told of them. The slot is free
    /// again then, and the copies are closed.
    pub fn adopt(
        &mut self,
        slot: u32,
        mut cargo: Cargo,
        mut bytes: &[u8],
        taken: [u32; 2],
    ) -> io::Result<[u32; 2]> {
        if bytes.len() != cargo.queued() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.prepare(slot);
        let mut here = [0; 2];
        for direction in Direction::BOTH {
            let way = std::mem::take(&mut cargo.ways[direction.index()]);
            let (own, rest) = bytes.split_at(way.queued as usize);
            bytes = rest;
            match self.adopt_way(slot, direction, way, own, taken[direction.index()]) {
                Ok(taken) => here[direction.index()] = taken,
                Err(error) => {
                    self.forget(slot);
                    return Err(error);
                }
            }
        }
        for side in Side::BOTH {
            if let Some(socket) = cargo.sockets[side.index()].take() {
                self.lines[slot as usize].put(side, socket);
            }
        }
        Ok(here)
    }

    fn adopt_way(
        &mut self,
        slot: u32,
        direction: Direction,
        way: Way,
        bytes: &[u8],
        taken: u32,
    ) -> io::Result<u32> {
        let line = self.lines[slot as usize].line_mut(direction);
        line.error = way.error;
        if way.eof {
            line.flags.set(Flags::EOF);
        }
        if let Some(ends) = way.pipe {
            let pipe = Pipe::of_ends(ends)?;
            if pipe.held()? != u64::from(way.piped) {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let pipe = self.pipes.adopt(pipe)?;
            self.fill_from_pipe(slot, direction, pipe, way.piped);
            return Ok(way.piped);
        }
        // A buffer's bytes are written before the next are taken: what was taken comes into one of its own.
        let first = (taken as usize).min(bytes.len()).min(self.buffers.size());
        let line = self.lines[slot as usize].line_mut(direction);
        if self.buffers.store(&mut line.queue, &bytes[..first])
            && self.buffers.store(&mut line.queue, &bytes[first..])
        {
            return Ok(first as u32);
        }
        while line.queue.count > 0 {
            self.buffers.pop(&mut line.queue);
        }
        self.adopt_by_pipe(slot, direction, bytes)
    }

    /// No buffer is free: the bytes go through a pipe, all of them taken.
    #[cold]
    fn adopt_by_pipe(&mut self, slot: u32, direction: Direction, bytes: &[u8]) -> io::Result<u32> {
        let pipe = self.pipes.take().ok_or(io::ErrorKind::QuotaExceeded)?;
        let written = self.pipes.pipe(pipe).put(bytes);
        if !matches!(written, Ok(all) if all == bytes.len()) {
            self.pipes.put(pipe, false);
            return Err(written.err().unwrap_or(io::ErrorKind::QuotaExceeded.into()));
        }
        self.fill_from_pipe(slot, direction, pipe, bytes.len() as u32);
        Ok(bytes.len() as u32)
    }

    fn fill_from_pipe(&mut self, slot: u32, direction: Direction, pipe: u16, bytes: u32) {
        let allowed = self.pipes.allowed();
        let line = self.lines[slot as usize].line_mut(direction);
        (line.pipe, line.offset) = (pipe, bytes);
        line.flags.set(Flags::BULK);
        if !allowed {
            line.streak = super::bulk::THIN_WAKE_UPS;
        }
    }
}
