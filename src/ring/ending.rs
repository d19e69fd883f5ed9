//! The end of a direction, of what is in flight on a socket, and of the socket.

use std::os::fd::AsFd;

use io_uring::opcode;
use io_uring::types::CancelBuilder;

use super::lines::Flags;
use super::token::{Kind, Token};
use super::{Ring, pipes};
use crate::session::op::{CloseHow, Completion, Direction, Errno, Side};

impl Ring {
    pub(super) fn shutdown(&mut self, slot: u32, direction: Direction) {
        if let Some(sink) = self.lines[slot as usize].socket(direction.sink()) {
            crate::sys::socket::finish_writing(sink);
        }
        self.answer(slot, Completion::ShutDown(direction), Ok(0));
    }

    pub(super) fn abort(&mut self, slot: u32, side: Side) {
        let lines = &mut self.lines[slot as usize];
        lines.aborting[side.index()] = true;
        self.cancel_all(slot, side);
        self.settle_abort(slot, side);
    }

    fn cancel_all(&mut self, slot: u32, side: Side) {
        let lines = &self.lines[slot as usize];
        if lines.pending[side.index()] > 0
            && let Some(fd) = self.fd(slot, side)
        {
            let token = Token::of_side(Kind::Abort, side, lines.generation, slot);
            let entry = opcode::AsyncCancel2::new(CancelBuilder::fd(fd).all()).build();
            self.push(entry.user_data(token.pack()));
        }
    }

    /// A cancellation was answered. One of the kernel's own threads that has just written a part misses it and
    /// waits for the peer again, so it is repeated until nothing is in flight.
    #[cold]
    pub(super) fn abort_again(&mut self, token: Token) {
        let lines = &self.lines[token.slot as usize];
        if lines.generation == token.generation && lines.aborting[token.side().index()] {
            self.cancel_all(token.slot, token.side());
        }
    }

    /// Answers an abort once the socket has no kernel request left, and before it what still waits.
    pub(super) fn settle_abort(&mut self, slot: u32, side: Side) {
        let lines = &mut self.lines[slot as usize];
        if !lines.aborting[side.index()] || lines.pending[side.index()] > 0 {
            return;
        }
        lines.aborting[side.index()] = false;
        let direction = Direction::out_of(side);
        let flags = &mut lines.line_mut(direction).flags;
        let (filling, holding) = (flags.take(Flags::FILL), flags.take(Flags::HOLD));
        let watching = flags.take(Flags::WATCH);
        let draining = lines.line_mut(direction.other()).flags.take(Flags::DRAIN);
        if filling || draining {
            self.forget_splices(slot, direction);
        }
        if filling {
            self.answer(slot, Completion::Filled(direction), Err(Errno::ECANCELED));
        }
        if holding {
            self.answer(slot, Completion::Held, Err(Errno::ECANCELED));
        }
        if watching {
            self.answer(slot, Completion::Watched, Err(Errno::ECANCELED));
        }
        if draining {
            self.answer(slot, Completion::Drained(direction.other()), Err(Errno::ECANCELED));
        }
        self.answer(slot, Completion::Aborted(side), Ok(0));
    }

    /// Those that read from, or write to, the source of `direction`.
    #[cold]
    fn forget_splices(&mut self, slot: u32, direction: Direction) {
        self.bulk.retain(|step| step.slot != slot || (step.direction == direction) != step.fills);
    }

    pub(super) fn close(&mut self, slot: u32, side: Side, how: CloseHow) {
        let lines = &mut self.lines[slot as usize];
        debug_assert_eq!(lines.pending[side.index()], 0, "closed while the kernel works on it");
        let direction = Direction::out_of(side);
        let heard_out = lines.line_mut(direction).flags.has(Flags::EOF);
        let Some(socket) = lines.take(side) else { return };
        match how {
            CloseHow::Reset => crate::sys::socket::reset_on_close(socket.as_fd()),
            CloseHow::FinReset => {
                crate::sys::socket::finish_writing(socket.as_fd());
                crate::sys::socket::reset_on_close(socket.as_fd());
            }
            // Unread bytes turn a close into RST, which would overtake what the peer is still to read: the
            // FIN goes first, and what has arrived is thrown away.
            CloseHow::Fin if !heard_out => {
                crate::sys::socket::finish_writing(socket.as_fd());
                crate::sys::socket::discard_unread(socket.as_fd());
            }
            CloseHow::Fin => {}
        }
        drop(socket);
        // Not before the last: how the other socket is closed depends on what was heard from it.
        if !self.lines[slot as usize].is_open() {
            for direction in Direction::BOTH {
                self.reset_line(slot, direction);
            }
        }
    }

    /// Gives back what the direction holds.
    pub(super) fn reset_line(&mut self, slot: u32, direction: Direction) {
        let line = self.lines[slot as usize].line_mut(direction);
        while line.queue.count > 0 {
            self.buffers.pop(&mut line.queue);
        }
        if line.pipe != pipes::NONE {
            self.pipes.put(line.pipe, line.offset == 0);
            line.pipe = pipes::NONE;
        }
        line.flags = Flags::default();
        (line.error, line.streak, line.offset) = (0, 0, 0);
    }
}
