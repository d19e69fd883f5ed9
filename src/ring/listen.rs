//! Accepting, and messages between the rings of one process.

use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd};

use io_uring::types::Fd;
use io_uring::{cqueue, opcode};

use super::token::{Kind, Token};
use super::{Event, Ring, outcome};

impl Ring {
    /// Accepts one connection from a listening socket; [`Event::Accepted`] says when to ask for the next one.
    /// The socket must stay open.
    pub fn listen(&mut self, listener: u32, socket: RawFd) {
        let entry = opcode::Accept::new(Fd(socket), std::ptr::null_mut(), std::ptr::null_mut())
            .flags(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)
            .build();
        self.push(entry.user_data(Token::plain(Kind::Accept, listener).pack()));
    }

    /// Asks a listener to end. A connection may still arrive in its place: [`Event::Accepted`] says which.
    pub fn stop_listening(&mut self, listener: u32) {
        self.cancel(Token::plain(Kind::Accept, listener));
    }

    /// Reports [`Event::Mail`] when the eventfd becomes readable, each time until the ring ends.
    pub fn watch_mail(&mut self, eventfd: RawFd) {
        self.mail = eventfd;
        let entry = opcode::PollAdd::new(Fd(eventfd), libc::POLLIN as u32).multi(true).build();
        self.push(entry.user_data(Token::plain(Kind::Mail, 0).pack()));
    }

    /// The kernel ends a multishot poll when it cannot report it, as on an overflow: it is asked for again, and
    /// there may be mail meanwhile.
    pub(super) fn on_mail(&mut self, flags: u32) -> Event {
        if !cqueue::more(flags) {
            self.watch_mail(self.mail);
        }
        Event::Mail
    }

    /// Gives an accepted connection to another worker, whose ring is known. If the message cannot be delivered,
    /// [`Event::Returned`] brings the connection back.
    pub fn hand_over(&mut self, (worker, ring): (usize, RawFd), listener: u16, socket: OwnedFd) {
        let socket = socket.into_raw_fd();
        let tag = Token::plain(Kind::HandOver, listener.into()).pack();
        let entry = opcode::MsgRingData::new(Fd(ring), socket, tag, None).build();
        self.handing_over += 1;
        let token = Token { kind: Kind::Sent, part: worker as u8, generation: listener, slot: socket as u32 };
        self.push(entry.user_data(token.pack()));
    }

    /// Whether a hand-over may still come back.
    pub fn is_handing_over(&self) -> bool {
        self.handing_over > 0
    }

    /// Tells another worker that a slot may be free.
    pub fn wake(&mut self, ring: RawFd) {
        let tag = Token::plain(Kind::Wake, 0).pack();
        let entry = opcode::MsgRingData::new(Fd(ring), 0, tag, None).build();
        self.push(entry.user_data(Token::plain(Kind::Cancel, 0).pack()));
    }

    /// The answer to a hand-over, whose tag names the worker, the listener and the descriptor.
    pub(super) fn on_sent(&mut self, sent: Token, result: i32) -> Option<Event> {
        self.handing_over -= 1;
        if result >= 0 {
            return None;
        }
        // SAFETY: the descriptor was ours, and the kernel says that nobody else received it.
        let socket = unsafe { OwnedFd::from_raw_fd(sent.slot as RawFd) };
        Some(Event::Returned { worker: sent.part.into(), listener: sent.generation.into(), socket })
    }
}

pub(super) fn accepted(listener: u32, result: i32) -> Event {
    let result = outcome(result).map(|fd| {
        // SAFETY: the kernel has just created this descriptor for us alone.
        unsafe { OwnedFd::from_raw_fd(fd as RawFd) }
    });
    Event::Accepted { listener, result }
}

pub(super) fn handed_over(listener: u32, descriptor: i32) -> Option<Event> {
    if descriptor < 0 {
        return None;
    }
    // SAFETY: the sending worker gave its ownership away with the message.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    Some(Event::HandedOver { listener, socket })
}
