//! A simulated socket: what its peer will send, how it ends, and what it has received.

use fastrand::Rng;

use pronk::session::op::Side;

use super::faults::{Fault, Faults};

/// How a peer's sending ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Fin,
    Reset,
    Silence,
}

/// The peer's side of one connection.
#[derive(Debug)]
pub struct Peer {
    pub uid: u64,
    pub side: Side,
    pub to_send: u32,
    pub sent: u32,
    pub end: End,
    /// It sends only after it has seen our FIN.
    pub after_fin: bool,
    /// It does not read.
    pub stalls: bool,
    pub received: u32,
    pub got_fin: bool,
    /// It has answered bytes by a reset, and will not hear others.
    pub deaf: bool,
}

/// The byte at an offset of a stream: every stream is its own, so that a byte of another session shows.
pub fn byte(uid: u64, side: Side, offset: u32) -> u8 {
    let mixed = (uid.wrapping_mul(2) + side as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 33) as u8 ^ (offset as u8).wrapping_mul(31) ^ (offset >> 8) as u8
}

impl Peer {
    pub fn draw(uid: u64, side: Side, faults: &Faults, rng: &mut Rng) -> Peer {
        let client = side == Side::Client;
        let pick = |ours, theirs| if client { ours } else { theirs };
        let whole = [0, 1, 100, 100, 1_000, 1_000, 5_000, 20_000][rng.usize(..8)];
        let mut peer = Peer {
            uid,
            side,
            to_send: whole,
            sent: 0,
            end: End::Fin,
            after_fin: !client && faults.strikes(Fault::AnswerAfterFin, rng),
            stalls: faults.strikes(pick(Fault::ClientStalls, Fault::ServerStalls), rng),
            received: 0,
            got_fin: false,
            deaf: false,
        };
        if faults.strikes(pick(Fault::ClientFinFirst, Fault::ServerFinFirst), rng) {
            peer.to_send = 0;
        } else if faults.strikes(pick(Fault::ClientMute, Fault::ServerMute), rng) {
            (peer.to_send, peer.end) = (0, End::Silence);
        } else if faults.strikes(pick(Fault::ClientStops, Fault::ServerStops), rng) {
            (peer.to_send, peer.end) = (whole / 2, End::Silence);
        } else if faults.strikes(pick(Fault::ClientReset, Fault::ServerReset), rng) {
            (peer.to_send, peer.end) = (whole / 2, End::Reset);
        }
        peer
    }

    /// Whether a Fill could be answered now.
    pub fn can_speak(&self) -> bool {
        if self.after_fin && !self.got_fin {
            return false;
        }
        self.sent < self.to_send || self.end != End::Silence
    }

    /// Whether it may have said already that no more will come, behind bytes that nobody has taken.
    pub fn ends(&self) -> bool {
        self.end != End::Silence
    }

    /// The next bytes, at most `len`.
    pub fn speak(&mut self, len: u32) -> Vec<u8> {
        let n = len.min(self.to_send - self.sent);
        let bytes = (self.sent..self.sent + n).map(|offset| byte(self.uid, self.side, offset)).collect();
        self.sent += n;
        bytes
    }

    /// Takes bytes of `from`'s stream and checks each.
    pub fn hear(&mut self, bytes: &[u8]) -> Result<(), String> {
        if self.got_fin {
            return Err("bytes after FIN".into());
        }
        let from = self.side.other();
        for (offset, &got) in (self.received..).zip(bytes) {
            let expected = byte(self.uid, from, offset);
            if got != expected {
                return Err(format!("byte {offset} to {:?} of session {} is foreign", self.side, self.uid));
            }
        }
        self.received += bytes.len() as u32;
        Ok(())
    }
}
