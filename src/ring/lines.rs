//! What the mover knows of one session: its two sockets and, per direction, where the bytes are.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::buffers::Queue;
use crate::session::op::{Direction, Side};

/// One bit each; the state of a direction is their combination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags(u16);

impl Flags {
    /// A multishot receive is armed on the source.
    pub(super) const RECEIVING: u16 = 1;
    /// It has been told to stop.
    pub(super) const STOPPING: u16 = 1 << 1;
    /// The session waits for bytes.
    pub(super) const FILL: u16 = 1 << 2;
    /// The session waits for bytes that stay where they are.
    pub(super) const HOLD: u16 = 1 << 3;
    /// The session waits for bytes to be written.
    pub(super) const DRAIN: u16 = 1 << 4;
    /// The source said that no more will come.
    pub(super) const EOF: u16 = 1 << 5;
    /// Bytes move by splice(2) through a pipe.
    pub(super) const BULK: u16 = 1 << 6;
    /// To move by splice as soon as nothing is queued or armed.
    pub(super) const WANTS_BULK: u16 = 1 << 7;
    /// On the list of those that found no buffer.
    pub(super) const STARVED: u16 = 1 << 8;
    /// Nothing more is to be taken from the source.
    pub(super) const STOPPED: u16 = 1 << 9;
    /// The session, whose bytes wait, is to hear of the end before them.
    pub(super) const WATCH: u16 = 1 << 10;
    /// The sink has no zero-copy send.
    pub(super) const COPIES: u16 = 1 << 11;

    pub(super) fn has(self, bits: u16) -> bool {
        self.0 & bits != 0
    }

    pub(super) fn set(&mut self, bits: u16) {
        self.0 |= bits;
    }

    pub(super) fn clear(&mut self, bits: u16) {
        self.0 &= !bits;
    }

    /// Clears the bits and says whether one of them was set.
    pub(super) fn take(&mut self, bits: u16) -> bool {
        let had = self.has(bits);
        self.clear(bits);
        had
    }
}

/// One direction.
#[derive(Debug)]
pub(super) struct Line {
    pub queue: Queue,
    pub flags: Flags,
    /// Index of the pipe, or [`super::pipes::NONE`].
    pub pipe: u16,
    /// Errno that the source reported, told after the bytes before it; 0: none.
    pub error: u16,
    /// Full receives, or thin wake-ups, in a row.
    pub streak: u8,
    /// Bytes of the first buffer already written, or bytes in the pipe.
    pub offset: u32,
}

impl Line {
    const fn new() -> Line {
        Line {
            queue: Queue::EMPTY,
            flags: Flags(0),
            pipe: super::pipes::NONE,
            error: 0,
            streak: 0,
            offset: 0,
        }
    }
}

/// Both sockets and both directions of a session.
#[derive(Debug)]
pub(super) struct Lines {
    sockets: [Option<OwnedFd>; 2],
    /// Kernel requests in flight on each socket.
    pub pending: [u8; 2],
    /// Somebody waits until a socket has none.
    pub aborting: [bool; 2],
    pub generation: u16,
    pub line: [Line; 2],
}

const _: () = assert!(size_of::<Lines>() <= 56);

impl Lines {
    pub(super) const fn new() -> Lines {
        Lines {
            sockets: [None, None],
            pending: [0; 2],
            aborting: [false; 2],
            generation: 0,
            line: [Line::new(), Line::new()],
        }
    }

    pub(super) fn line(&self, direction: Direction) -> &Line {
        &self.line[direction.index()]
    }

    pub(super) fn line_mut(&mut self, direction: Direction) -> &mut Line {
        &mut self.line[direction.index()]
    }

    pub(super) fn put(&mut self, side: Side, socket: OwnedFd) {
        debug_assert!(self.sockets[side.index()].is_none(), "the former socket was not closed");
        self.sockets[side.index()] = Some(socket);
    }

    pub(super) fn take(&mut self, side: Side) -> Option<OwnedFd> {
        self.sockets[side.index()].take()
    }

    pub(super) fn socket(&self, side: Side) -> Option<BorrowedFd<'_>> {
        self.sockets[side.index()].as_ref().map(AsFd::as_fd)
    }

    pub(super) fn is_open(&self) -> bool {
        self.sockets.iter().any(Option::is_some)
    }
}
