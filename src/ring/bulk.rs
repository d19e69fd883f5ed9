//! The bulk phase: splice(2) from socket to pipe to socket, on readiness.
//!
//! The pipe is filled only when it is empty, so that EAGAIN means that the socket is empty and never that
//! the pipe is full. Three thin wake-ups in a row end the phase.
//!
//! No splice is made where it becomes possible: it is queued, and a turn makes so many of them at its end.

use std::os::fd::BorrowedFd;

use io_uring::opcode;
use rustix::net::{RecvFlags, recv};

use super::copy::Answer;
use super::lines::Flags;
use super::pipes;
use super::token::{Kind, Token};
use super::{Ring, errno_of};
use crate::session::op::{Completion, Direction, Errno};

/// Bytes asked of one splice; the pipe bounds what is moved.
const SPLICE_LEN: usize = 1 << 20;
/// A wake-up that moves less than this is thin.
const THIN: usize = 16_384;
/// Thin wake-ups in a row that end the phase.
pub(super) const THIN_WAKE_UPS: u8 = 3;

/// A splice that a turn still owes to a direction, whose Fill or Drain it answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub slot: u32,
    pub direction: Direction,
    /// From the source into the pipe; else from the pipe into the sink.
    pub fills: bool,
    /// The kernel has said that it is possible now.
    pub told: bool,
}

impl Ring {
    /// Takes a pipe; false: there is none, and copying goes on.
    pub(super) fn turn_to_bulk(&mut self, slot: u32, direction: Direction) -> bool {
        let line = self.lines[slot as usize].line_mut(direction);
        line.flags.clear(Flags::WANTS_BULK);
        line.streak = 0;
        let Some(pipe) = self.pipes.take() else { return false };
        line.pipe = pipe;
        line.offset = 0;
        line.flags.set(Flags::BULK);
        true
    }

    /// Back to copying: the pipe is empty, since only then is it filled.
    fn turn_to_small(&mut self, slot: u32, direction: Direction) {
        let line = self.lines[slot as usize].line_mut(direction);
        debug_assert_eq!(line.offset, 0, "bytes are left in the pipe");
        if line.pipe != pipes::NONE {
            self.pipes.put(line.pipe, true);
            line.pipe = pipes::NONE;
        }
        line.streak = 0;
        line.flags.clear(Flags::BULK);
    }

    pub(super) fn fill_bulk(&mut self, slot: u32, direction: Direction) {
        if self.lines[slot as usize].line(direction).streak >= THIN_WAKE_UPS {
            self.turn_to_small(slot, direction);
            return self.receive(slot, direction);
        }
        self.bulk.push_back(Step { slot, direction, fills: true, told: false });
    }

    /// Whether a splice of the session waits for its turn.
    pub fn owes(&self, slot: u32) -> bool {
        self.bulk.iter().any(|step| step.slot == slot)
    }

    /// Makes a splice. Its socket may have been given up since the step was queued.
    pub(super) fn splice(&mut self, step: Step) -> Answer {
        let Step { slot, direction, fills, told } = step;
        let lines = &self.lines[slot as usize];
        match fills {
            true if lines.aborting[direction.source().index()] => self.refuse_fill(slot, direction),
            true if lines.line(direction).flags.has(Flags::STOPPED) => self.refuse_fill(slot, direction),
            true => self.splice_in(slot, direction, told),
            false if lines.aborting[direction.sink().index()] => self.refuse_drain(slot, direction),
            false => self.splice_out(slot, direction),
        }
    }

    fn refuse_fill(&mut self, slot: u32, direction: Direction) -> Answer {
        let had = self.lines[slot as usize].line_mut(direction).flags.take(Flags::FILL);
        had.then_some((Completion::Filled(direction), Err(Errno::ECANCELED)))
    }

    fn refuse_drain(&mut self, slot: u32, direction: Direction) -> Answer {
        let had = self.lines[slot as usize].line_mut(direction).flags.take(Flags::DRAIN);
        had.then_some((Completion::Drained(direction), Err(Errno::ECANCELED)))
    }

    /// The pipe is held only while bytes may be in it: a session that waits holds none.
    fn splice_in(&mut self, slot: u32, direction: Direction, told: bool) -> Answer {
        let line = self.lines[slot as usize].line_mut(direction);
        if line.error != 0 {
            // Whoever handed the session over had it from the socket, which says it once.
            line.flags.clear(Flags::FILL);
            return Some((Completion::Filled(direction), Err(Errno(line.error))));
        }
        if self.lines[slot as usize].line(direction).pipe == pipes::NONE {
            let Some(pipe) = self.pipes.take() else { return self.copy_on(slot, direction) };
            self.lines[slot as usize].line_mut(direction).pipe = pipe;
        }
        let lines = &mut self.lines[slot as usize];
        let source = lines.socket(direction.source())?;
        let result = self.pipes.pipe(lines.line(direction).pipe).fill(source, SPLICE_LEN);
        let more = matches!(result, Ok(0)) && has_more(source);
        let line = lines.line_mut(direction);
        if !matches!(result, Ok(1..)) {
            self.pipes.put(line.pipe, true);
            line.pipe = pipes::NONE;
        }
        let outcome = match result {
            Err(e) if e.raw_os_error() == Some(libc::EAGAIN) && !told => {
                self.await_readable(slot, direction);
                return None;
            }
            // Urgent data stands before what came, which splice(2) does not pass and recv(2) does.
            Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => return self.copy_on(slot, direction),
            Ok(0) if more => return self.copy_on(slot, direction),
            Ok(0) => {
                line.flags.set(Flags::EOF);
                Ok(0)
            }
            Ok(moved) => {
                line.offset = moved as u32;
                line.streak = if moved < THIN { line.streak + 1 } else { 0 };
                Ok(moved as u32)
            }
            Err(e) => Err(errno_of(&e)),
        };
        line.flags.clear(Flags::FILL);
        Some((Completion::Filled(direction), outcome))
    }

    fn copy_on(&mut self, slot: u32, direction: Direction) -> Answer {
        self.turn_to_small(slot, direction);
        self.receive(slot, direction);
        None
    }

    fn await_readable(&mut self, slot: u32, direction: Direction) {
        let side = direction.source();
        let Some(fd) = self.fd(slot, side) else { return };
        let events = (libc::POLLIN | libc::POLLRDHUP) as u32;
        let token =
            Token::of_direction(Kind::Readable, direction, self.lines[slot as usize].generation, slot);
        self.push_on(slot, side, opcode::PollAdd::new(fd, events).build(), token);
    }

    pub(super) fn on_readable(&mut self, slot: u32, direction: Direction, result: i32) -> Answer {
        if result < 0 {
            return self.refuse_fill(slot, direction);
        }
        self.bulk.push_back(Step { slot, direction, fills: true, told: true });
        None
    }

    pub(super) fn drain_bulk(&mut self, slot: u32, direction: Direction) {
        self.bulk.push_back(Step { slot, direction, fills: false, told: false });
    }

    fn splice_out(&mut self, slot: u32, direction: Direction) -> Answer {
        let lines = &mut self.lines[slot as usize];
        let sink = lines.socket(direction.sink())?;
        let line = lines.line(direction);
        let result = self.pipes.pipe(line.pipe).drain(sink, line.offset as usize);
        let line = lines.line_mut(direction);
        let outcome = match result {
            Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => {
                self.await_writable(slot, direction);
                return None;
            }
            Ok(moved) => {
                line.offset -= moved as u32;
                self.moved.bytes += moved as u64;
                self.moved.spliced += moved as u64;
                Ok(moved as u32)
            }
            Err(e) => {
                self.pipes.put(line.pipe, false);
                (line.pipe, line.offset) = (pipes::NONE, 0);
                Err(errno_of(&e))
            }
        };
        line.flags.clear(Flags::DRAIN);
        Some((Completion::Drained(direction), outcome))
    }

    fn await_writable(&mut self, slot: u32, direction: Direction) {
        let side = direction.sink();
        let Some(fd) = self.fd(slot, side) else { return };
        let token =
            Token::of_direction(Kind::Writable, direction, self.lines[slot as usize].generation, slot);
        self.push_on(slot, side, opcode::PollAdd::new(fd, libc::POLLOUT as u32).build(), token);
    }

    pub(super) fn on_writable(&mut self, slot: u32, direction: Direction, result: i32) -> Answer {
        if result < 0 {
            return self.refuse_drain(slot, direction);
        }
        self.drain_bulk(slot, direction);
        None
    }
}

/// Whether bytes wait in a socket.
fn has_more(source: BorrowedFd<'_>) -> bool {
    let peek = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    matches!(recv(source, &mut [0; 1], peek), Ok((1, _)))
}
