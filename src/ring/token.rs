//! The 64-bit tag of a kernel request: what it was, for which session or listener, of which generation.
//!
//! ```text
//!  63      56 55      48 47           32 31                0
//! | kind + 1 |   part   |   generation  |  slot or listener |
//! ```

use crate::session::op::{Direction, Side};

/// The kinds and the list of all, from one list.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// What a kernel request does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Kind {
            $($(#[$doc])* $name,)+
        }

        impl Kind {
            const ALL: &[Kind] = &[$(Kind::$name),+];
        }
    };
}

kinds! {
    /// Accept on a listener, one connection at a time.
    Accept,
    /// Multishot receive; the part is a direction.
    Receive,
    /// Send; the part is a direction.
    Send,
    /// Wait until the source of a direction is readable.
    Readable,
    /// Wait until the sink of a direction is writable.
    Writable,
    /// Connect to the server.
    Connect,
    /// A cancellation; its own answer says nothing.
    Cancel,
    /// The mailbox's eventfd is readable.
    Mail,
    /// Another worker hands over an accepted connection; the result is the descriptor.
    HandOver,
    /// Another worker says that a slot may be free.
    Wake,
    /// A message to another worker has been delivered or not.
    Sent,
    /// The cancellation of all that is in flight on a socket; the part is its side.
    Abort,
    /// Send by zero copy; the part and the slot name a direction, a session and a buffer.
    SendZc,
}

impl Kind {
    /// Something came that is to be passed on: a message, a connection, or word of a free slot.
    pub(super) fn is_message(self) -> bool {
        matches!(self, Kind::Receive | Kind::Accept | Kind::HandOver | Kind::Connect | Kind::Wake)
    }
}

/// The tag, unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: Kind,
    pub part: u8,
    pub generation: u16,
    pub slot: u32,
}

impl Token {
    pub(super) fn of_direction(kind: Kind, direction: Direction, generation: u16, slot: u32) -> Token {
        Token { kind, part: direction.index() as u8, generation, slot }
    }

    pub(super) fn of_side(kind: Kind, side: Side, generation: u16, slot: u32) -> Token {
        Token { kind, part: side.index() as u8, generation, slot }
    }

    pub(super) fn of_slot(kind: Kind, generation: u16, slot: u32) -> Token {
        Token { kind, part: 0, generation, slot }
    }

    pub(super) fn plain(kind: Kind, number: u32) -> Token {
        Token { kind, part: 0, generation: 0, slot: number }
    }

    /// A send whose memory is lent to the kernel. None: the slot leaves no room for the buffer's 15 bits, of
    /// which 7 stand in the part and 8 above the slot's 24.
    pub(super) fn lending(direction: Direction, generation: u16, slot: u32, buffer: u16) -> Option<Token> {
        debug_assert!(buffer < 1 << 15);
        let part = direction.index() as u8 | (buffer << 1) as u8;
        let token = Token { kind: Kind::SendZc, part, generation, slot: slot | u32::from(buffer >> 7) << 24 };
        (slot < 1 << 24).then_some(token)
    }

    /// The buffer that a `SendZc` lends.
    pub(super) fn buffer(self) -> u16 {
        u16::from(self.part >> 1) | ((self.slot >> 24) as u16) << 7
    }

    /// A `SendZc` as the plain send that it also is.
    pub(super) fn of_sender(self) -> Token {
        Token::of_direction(Kind::Send, self.direction(), self.generation, self.slot & 0xFF_FFFF)
    }

    pub(super) fn pack(self) -> u64 {
        (self.kind as u64 + 1) << 56
            | u64::from(self.part) << 48
            | u64::from(self.generation) << 32
            | u64::from(self.slot)
    }

    /// None for a tag that this ring never made.
    pub(super) fn unpack(tag: u64) -> Option<Token> {
        let number = (tag >> 56) as usize;
        let kind = *Kind::ALL.get(number.checked_sub(1)?)?;
        Some(Token { kind, part: (tag >> 48) as u8, generation: (tag >> 32) as u16, slot: tag as u32 })
    }

    pub(super) fn direction(self) -> Direction {
        Direction::BOTH[usize::from(self.part & 1)]
    }

    /// The socket that the request works on.
    pub(super) fn side(self) -> Side {
        match self.kind {
            Kind::Receive | Kind::Readable => self.direction().source(),
            Kind::Send | Kind::Writable => self.direction().sink(),
            Kind::Abort => Side::BOTH[usize::from(self.part & 1)],
            _ => Side::Server,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_is_reversible_for_every_kind() {
        for &kind in Kind::ALL {
            let token = Token { kind, part: 1, generation: 0xBEEF, slot: 0xDEAD_BEEF };
            assert_eq!(Token::unpack(token.pack()), Some(token));
        }
    }

    #[test]
    fn a_lending_send_names_its_session_and_its_buffer() {
        for (direction, slot, buffer) in [
            (Direction::ToServer, 0, 0),
            (Direction::ToClient, 0xFF_FFFF, 0x7FFF),
            (Direction::ToClient, 5, 0x1281),
        ] {
            let token = Token::lending(direction, 7, slot, buffer).expect("a slot of 24 bits");
            let token = Token::unpack(token.pack()).expect("our own");
            assert_eq!(token.buffer(), buffer);
            assert_eq!(token.of_sender(), Token::of_direction(Kind::Send, direction, 7, slot));
        }
        assert_eq!(Token::lending(Direction::ToServer, 7, 1 << 24, 0), None);
    }

    #[test]
    fn foreign_tags_are_recognised() {
        assert_eq!(Token::unpack(0), None);
        assert_eq!(Token::unpack(u64::MAX), None);
    }
}
