//! Sends that a network card reads out of the receive buffers themselves (`tune.send-zc`).
//!
//! The kernel answers such a send twice: when it took the bytes, as any send, and once more, its notification,
//! when nobody reads the memory any longer, which may be after the session. Until then the buffer is lent: no
//! receive gets it. Where no card takes part, on loopback say, the kernel copies after all and says so then.

use std::io;

use io_uring::types::Fd;
use io_uring::{Probe, cqueue, opcode, squeue};

use super::lines::Flags;
use super::token::{Kind, Token};
use super::{Event, Ring};
use crate::session::op::Direction;

/// Asks for the notification to tell whether the bytes were copied (IORING_SEND_ZC_REPORT_USAGE).
const REPORT_USAGE: u16 = 1 << 3;
/// They were (IORING_NOTIF_USAGE_ZC_COPIED).
const COPIED: u32 = 1 << 31;

/// All of it, and no signal where nobody reads.
const FLAGS: i32 = libc::MSG_WAITALL | libc::MSG_NOSIGNAL;

/// Which sends are zero-copy, and what became of them.
#[derive(Debug)]
pub(super) struct ZeroCopy {
    /// Bytes from which a send is one.
    from: u32,
    /// Whether batches of buffers are registered, so that the kernel keeps them pinned; the pages of others
    /// are pinned for each send.
    pinning: bool,
    /// Batches registered so far.
    pinned: u16,
    /// The kernel had no memory left to pin for a send from others (RLIMIT_MEMLOCK): those are copied.
    exhausted: bool,
}

impl ZeroCopy {
    /// No send is one, whatever its length.
    pub(super) const OFF: ZeroCopy = ZeroCopy { from: u32::MAX, pinning: false, pinned: 0, exhausted: false };

    /// Whether a send of so many bytes is to be one.
    pub(super) fn wants(&self, len: u32) -> bool {
        len >= self.from
    }
}

impl Ring {
    /// Makes every send of at least `from` bytes a zero-copy one. False: no memory could be pinned
    /// (RLIMIT_MEMLOCK), so that each send pins its own, at a higher price.
    ///
    /// # Errors
    /// Unsupported: the kernel has no such send (before 6.0).
    pub fn send_zero_copy(&mut self, from: u32) -> io::Result<bool> {
        let mut probe = Probe::new();
        self.uring.submitter().register_probe(&mut probe)?;
        if !probe.is_supported(opcode::SendZc::CODE) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let registered = self.uring.submitter().register_buffers_sparse(self.buffers.batches().into());
        self.zero_copy = ZeroCopy { from, pinning: registered.is_ok(), ..ZeroCopy::OFF };
        self.pin();
        Ok(self.zero_copy.pinning)
    }

    /// Registers the buffers that have been added. After the first failure, of RLIMIT_MEMLOCK say, the others
    /// stay unregistered.
    pub(super) fn pin(&mut self) {
        while self.zero_copy.pinning
            && let Some(batch) = self.buffers.batch(self.zero_copy.pinned)
        {
            let number = self.zero_copy.pinned.into();
            // SAFETY: the batch lies in the buffers' mapping, which outlives the ring.
            let pinned = unsafe { self.uring.submitter().register_buffers_update(number, &[batch], None) };
            self.zero_copy.pinned += u16::from(pinned.is_ok());
            self.zero_copy.pinning = pinned.is_ok();
        }
    }

    /// A send of a direction's first buffer, by zero copy where it is long enough.
    pub(super) fn send_entry(
        &self,
        slot: u32,
        direction: Direction,
        fd: Fd,
        start: *const u8,
        len: u32,
    ) -> (squeue::Entry, Token) {
        let lines = &self.lines[slot as usize];
        if self.zero_copy.wants(len) && !lines.line(direction).flags.has(Flags::COPIES) {
            let buffer = lines.line(direction).queue.head;
            let batch = buffer / super::buffers::BATCH;
            let pinned = (batch < self.zero_copy.pinned).then_some(batch);
            if (pinned.is_some() || !self.zero_copy.exhausted)
                && let Some(token) = Token::lending(direction, lines.generation, slot, buffer)
            {
                let entry = opcode::SendZc::new(fd, start, len).flags(FLAGS);
                return (entry.zc_flags(REPORT_USAGE).buf_index(pinned).build(), token);
            }
        }
        let token = Token::of_direction(Kind::Send, direction, lines.generation, slot);
        (copying(fd, start, len), token)
    }

    /// The same bytes once more, copied: the kernel does not send them otherwise.
    #[cold]
    fn send_by_copy(&mut self, slot: u32, direction: Direction) {
        let line = self.lines[slot as usize].line(direction);
        let rest = &self.buffers.head(&line.queue)[line.offset as usize..];
        let (start, len) = (rest.as_ptr(), rest.len() as u32);
        let (side, generation) = (direction.sink(), self.lines[slot as usize].generation);
        let Some(fd) = self.fd(slot, side) else { return };
        let token = Token::of_direction(Kind::Send, direction, generation, slot);
        self.push_on(slot, side, copying(fd, start, len), token);
    }

    /// The first answer to a zero-copy send is that of any send; the second gives the buffer back.
    pub(super) fn on_lent(&mut self, token: Token, result: i32, flags: u32) -> Option<Event> {
        if cqueue::notif(flags) {
            self.moved.zero_copy += 1;
            self.moved.copied_after_all += u64::from(result.cast_unsigned() & COPIED != 0);
            self.buffers.take_back(token.buffer());
            return None;
        }
        if cqueue::more(flags) {
            self.buffers.lend(token.buffer());
        }
        let (token, memory) = (token.of_sender(), [-libc::ENOMEM, -libc::ENOBUFS].contains(&result));
        self.zero_copy.exhausted |= memory;
        let unable = result == -libc::EOPNOTSUPP;
        let lines = &mut self.lines[token.slot as usize];
        if unable {
            // A Unix socket: it is not asked again.
            lines.line_mut(token.direction()).flags.set(Flags::COPIES);
        }
        if (memory || unable) && !lines.aborting[token.side().index()] {
            lines.pending[token.side().index()] -= 1;
            self.send_by_copy(token.slot, token.direction());
            return None;
        }
        self.on_session(token, result, 0)
    }
}

fn copying(fd: Fd, start: *const u8, len: u32) -> squeue::Entry {
    opcode::Send::new(fd, start, len).flags(FLAGS).build()
}
