//! The small phase: multishot receive into buffers that the kernel picks, plain send.
//!
//! Every session starts here; requests and small answers never leave it. Three full receives in a row
//! say that a result is coming: the receive is stopped, what is queued is sent, then [`super::bulk`] goes on.

use io_uring::{cqueue, opcode};

use super::buffers::GROUP;
use super::lines::{Flags, Line};
use super::token::{Kind, Token};
use super::{Ring, errno_of, outcome};
use crate::session::op::{Completion, Direction, Errno, Outcome};
use crate::sys::socket::send_now;

/// Full receives in a row that turn a direction to bulk.
const FULL_RECEIVES: u8 = 3;
/// Received buffers that wait for the sink before the receive is stopped.
const QUEUED_MOST: u16 = 4;
/// Buffers for each session there may have been at a time: with fewer the pool grows before a pipe is taken.
const FEW: usize = 4;

/// A completion to tell the session, if there is one.
pub(super) type Answer = Option<(Completion, Outcome)>;

impl Ring {
    pub(super) fn fill(&mut self, slot: u32, direction: Direction) {
        let line = self.lines[slot as usize].line_mut(direction);
        line.flags.set(Flags::FILL);
        if line.flags.has(Flags::BULK) {
            return self.fill_bulk(slot, direction);
        }
        line.offset = 0;
        if let Some((completion, outcome)) = self.serve_fill(slot, direction) {
            return self.answer(slot, completion, outcome);
        }
        let line = self.lines[slot as usize].line(direction);
        if line.flags.has(Flags::RECEIVING) {
            return;
        }
        if line.flags.has(Flags::WANTS_BULK) && self.turn_to_bulk(slot, direction) {
            return self.fill_bulk(slot, direction);
        }
        self.receive(slot, direction);
    }

    pub(super) fn hold(&mut self, slot: u32, wanted: u16) {
        let lines = &mut self.lines[slot as usize];
        let generation = lines.generation;
        let line = lines.line_mut(Direction::ToServer);
        line.flags.set(Flags::HOLD);
        line.offset = u32::from(wanted);
        // One that was parked may hold bytes already.
        if let Some((completion, outcome)) = self.serve_fill(slot, Direction::ToServer) {
            return self.answer(slot, completion, outcome);
        }
        self.receive(slot, Direction::ToServer);
        if wanted == 0 {
            self.glances.push_back((slot, generation));
        }
    }

    /// Listens on behind bytes that were taken and wait.
    pub(super) fn watch(&mut self, slot: u32) {
        self.lines[slot as usize].line_mut(Direction::ToServer).flags.set(Flags::WATCH);
        match self.serve_fill(slot, Direction::ToServer) {
            Some((completion, outcome)) => self.answer(slot, completion, outcome),
            None => self.resume_receiving(slot, Direction::ToServer),
        }
    }

    pub(super) fn unwatch(&mut self, slot: u32) {
        if self.lines[slot as usize].line_mut(Direction::ToServer).flags.take(Flags::WATCH) {
            self.answer(slot, Completion::Watched, Err(Errno::ECANCELED));
        }
    }

    /// Answers a waiting Fill or Hold from what has arrived: bytes first, then the end or the error.
    fn serve_fill(&mut self, slot: u32, direction: Direction) -> Answer {
        let line = self.lines[slot as usize].line_mut(direction);
        if line.flags.has(Flags::HOLD) {
            return self.serve_hold(slot);
        }
        if line.flags.has(Flags::WATCH) {
            return serve_watch(line);
        }
        if !line.flags.has(Flags::FILL) {
            return None;
        }
        let outcome = if line.queue.count > 0 {
            Ok(self.buffers.head_len(&line.queue))
        } else if line.error != 0 {
            Err(Errno(line.error))
        } else if line.flags.has(Flags::EOF) {
            Ok(0)
        } else if line.flags.has(Flags::STOPPED) && !line.flags.has(Flags::RECEIVING) {
            Err(Errno::ECANCELED)
        } else {
            return None;
        };
        line.flags.clear(Flags::FILL);
        Some((Completion::Filled(direction), outcome))
    }

    fn serve_hold(&mut self, slot: u32) -> Answer {
        let line = self.lines[slot as usize].line_mut(Direction::ToServer);
        if line.queue.count > 1 {
            self.buffers.coalesce(&mut line.queue);
        }
        let wanted = line.offset;
        let held = if line.queue.count > 0 { self.buffers.head_len(&line.queue) } else { 0 };
        let complete = held >= wanted.max(1) || line.queue.count > 1;
        let outcome = if complete {
            Ok(held)
        } else if line.error != 0 {
            Err(Errno(line.error))
        } else if line.flags.has(Flags::EOF) {
            Ok(held)
        } else {
            return None;
        };
        line.flags.clear(Flags::HOLD);
        line.offset = 0;
        Some((Completion::Held, outcome))
    }

    /// Arms the multishot receive.
    pub(super) fn receive(&mut self, slot: u32, direction: Direction) {
        let side = direction.source();
        let Some(fd) = self.fd(slot, side) else { return };
        let lines = &mut self.lines[slot as usize];
        let generation = lines.generation;
        lines.line_mut(direction).flags.set(Flags::RECEIVING);
        let token = Token::of_direction(Kind::Receive, direction, generation, slot);
        self.push_on(slot, side, opcode::RecvMulti::new(fd, GROUP).build(), token);
    }

    /// Stops the multishot receive; its last answer is awaited.
    fn stop_receiving(&mut self, slot: u32, direction: Direction) {
        let lines = &mut self.lines[slot as usize];
        let token = Token::of_direction(Kind::Receive, direction, lines.generation, slot);
        let flags = &mut lines.line_mut(direction).flags;
        if !flags.has(Flags::RECEIVING) || flags.has(Flags::STOPPING) {
            return;
        }
        flags.set(Flags::STOPPING);
        self.cancel(token);
    }

    /// Takes no more from the source; a waiting Fill is answered.
    pub(super) fn stop(&mut self, slot: u32, direction: Direction) {
        let lines = &mut self.lines[slot as usize];
        let generation = lines.generation;
        let flags = &mut lines.line_mut(direction).flags;
        flags.set(Flags::STOPPED);
        if flags.has(Flags::BULK) {
            return self.cancel(Token::of_direction(Kind::Readable, direction, generation, slot));
        }
        self.stop_receiving(slot, direction);
        if let Some((completion, outcome)) = self.serve_fill(slot, direction) {
            self.answer(slot, completion, outcome);
        }
    }

    pub(super) fn on_received(&mut self, slot: u32, direction: Direction, result: i32, flags: u32) -> Answer {
        let line = self.lines[slot as usize].line_mut(direction);
        let armed = cqueue::more(flags);
        if !armed {
            line.flags.clear(Flags::RECEIVING | Flags::STOPPING);
        }
        match outcome(result) {
            Ok(0) => line.flags.set(Flags::EOF),
            Ok(len) => {
                let index = cqueue::buffer_select(flags).expect("a receive with bytes names their buffer");
                self.buffers.push(&mut line.queue, index, len);
                let full = len as usize == self.buffers.size();
                line.streak = if full { line.streak.saturating_add(1) } else { 0 };
                self.consider_stopping(slot, direction);
            }
            Err(Errno::ENOBUFS) => return self.on_starved(slot, direction),
            Err(Errno::ECANCELED) => {}
            Err(errno) => line.error = errno.0,
        }
        if let Some(answer) = self.serve_fill(slot, direction) {
            return Some(answer);
        }
        self.resume_receiving(slot, direction);
        None
    }

    /// Stops the receive when bulk is coming, or when more is queued than the sink takes.
    fn consider_stopping(&mut self, slot: u32, direction: Direction) {
        let line = self.lines[slot as usize].line_mut(direction);
        let bulk = line.streak >= FULL_RECEIVES && self.pipes.allowed();
        if bulk {
            line.flags.set(Flags::WANTS_BULK);
        }
        if bulk || line.queue.count >= QUEUED_MOST {
            self.stop_receiving(slot, direction);
        }
    }

    /// A receive ended by itself or was stopped while the session still waits: go on, in bulk if wanted.
    fn resume_receiving(&mut self, slot: u32, direction: Direction) {
        let lines = &self.lines[slot as usize];
        let flags = lines.line(direction).flags;
        // Behind bytes that wait no more is received than a sink that reads would leave.
        let watching = flags.has(Flags::WATCH) && !flags.has(Flags::BULK | Flags::WANTS_BULK);
        let room = lines.line(direction).queue.count < QUEUED_MOST;
        let waiting = flags.has(Flags::FILL | Flags::HOLD) || (watching && room);
        if !waiting || flags.has(Flags::RECEIVING) || lines.aborting[direction.source().index()] {
            return;
        }
        if flags.has(Flags::WANTS_BULK) && self.turn_to_bulk(slot, direction) {
            return self.fill_bulk(slot, direction);
        }
        self.receive(slot, direction);
    }

    /// The pool was empty: whoever has nothing else to do gets a pipe, more buffers, or a place on the list of those
    /// who wait until one comes back.
    #[cold]
    fn on_starved(&mut self, slot: u32, direction: Direction) -> Answer {
        // It may have been told to stop meanwhile.
        if let Some(answer) = self.serve_fill(slot, direction) {
            return Some(answer);
        }
        if !self.lines[slot as usize].line(direction).flags.has(Flags::FILL | Flags::HOLD | Flags::WATCH) {
            return None;
        }
        // Where each session could have a few, some hold many for a moment: more would be touched once and lie idle.
        if self.buffers.published() >= FEW * self.lines.len() && self.receive_by_pipe(slot, direction) {
            return None;
        }
        if self.buffers.grow() {
            self.pin();
            self.resume_receiving(slot, direction);
        } else if !self.receive_by_pipe(slot, direction) {
            let flags = &mut self.lines[slot as usize].line_mut(direction).flags;
            if !flags.has(Flags::STARVED) {
                flags.set(Flags::STARVED);
                self.starved.push_back((slot, direction));
            }
        }
        None
    }

    /// A pipe needs no buffer.
    fn receive_by_pipe(&mut self, slot: u32, direction: Direction) -> bool {
        let lines = &self.lines[slot as usize];
        let can = lines.line(direction).flags.has(Flags::FILL)
            && !lines.aborting[direction.source().index()]
            && self.pipes.allowed()
            && self.turn_to_bulk(slot, direction);
        if can {
            self.fill_bulk(slot, direction);
        }
        can
    }

    /// Buffers came back: those that waited longest may receive again, as many as there are buffers. One
    /// whose source is silent takes none, so the rest of the list has its chance in the next turn.
    #[cold]
    pub(super) fn feed_starved(&mut self) {
        for _ in 0..self.buffers.free() {
            let Some((slot, direction)) = self.starved.pop_front() else { return };
            if self.lines[slot as usize].line_mut(direction).flags.take(Flags::STARVED) {
                self.resume_receiving(slot, direction);
            }
        }
    }

    pub(super) fn drain(&mut self, slot: u32, direction: Direction, len: u32) {
        let line = self.lines[slot as usize].line_mut(direction);
        line.flags.set(Flags::DRAIN);
        if line.flags.has(Flags::BULK) {
            return self.drain_bulk(slot, direction);
        }
        if self.is_alone() && self.send_at_once(slot, direction, len) {
            return;
        }
        let line = self.lines[slot as usize].line(direction);
        let side = direction.sink();
        let start = self.buffers.head(&line.queue)[line.offset as usize..][..len as usize].as_ptr();
        let Some(fd) = self.fd(slot, side) else { return };
        let (entry, token) = self.send_entry(slot, direction, fd, start, len);
        self.push_on(slot, side, entry, token);
    }

    /// Whether a message is all that the wake-up brought.
    fn is_alone(&self) -> bool {
        self.batch.len() == 1 && self.messages == 1
    }

    /// What goes out with the next submission would be answered in a turn of its own. Many messages are cheaper
    /// submitted together. False: it has to be submitted after all.
    fn send_at_once(&mut self, slot: u32, direction: Direction, len: u32) -> bool {
        let lines = &self.lines[slot as usize];
        let (line, socket) = (lines.line(direction), lines.socket(direction.sink()));
        // A rest has met a sink that is full.
        let whole = line.offset == 0 && !self.zero_copy.wants(len);
        let Some(socket) = socket.filter(|_| whole) else { return false };
        let bytes = &self.buffers.head(&line.queue)[line.offset as usize..][..len as usize];
        let result = match send_now(socket, bytes) {
            Ok(sent) => sent as i32,
            Err(error) if matches!(errno_of(&error), Errno::EAGAIN | Errno::EINTR) => return false,
            Err(error) => -i32::from(errno_of(&error).0),
        };
        if let Some((completion, outcome)) = self.on_sent_bytes(slot, direction, result) {
            self.answer(slot, completion, outcome);
        }
        true
    }

    pub(super) fn on_sent_bytes(&mut self, slot: u32, direction: Direction, result: i32) -> Answer {
        let line = self.lines[slot as usize].line_mut(direction);
        line.flags.clear(Flags::DRAIN);
        let outcome = outcome(result);
        match outcome {
            Ok(sent) => {
                line.offset += sent;
                self.moved.bytes += u64::from(sent);
                if line.offset >= self.buffers.head_len(&line.queue) {
                    line.offset = 0;
                    self.buffers.pop(&mut line.queue);
                }
            }
            Err(Errno::ECANCELED) => {}
            Err(_) => {
                line.offset = 0;
                while line.queue.count > 0 {
                    self.buffers.pop(&mut line.queue);
                }
            }
        }
        Some((Completion::Drained(direction), outcome))
    }
}

/// Answers a waiting Watch from what the source has said: its error or its end.
fn serve_watch(line: &mut Line) -> Answer {
    let outcome = match line.error {
        0 if line.flags.has(Flags::EOF) => Ok(0),
        0 => return None,
        errno => Err(Errno(errno)),
    };
    line.flags.clear(Flags::WATCH);
    Some((Completion::Watched, outcome))
}
