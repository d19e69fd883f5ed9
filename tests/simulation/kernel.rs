//! What the simulated kernel does for an operation, with the seed's faults.

use pronk::session::op::{Direction, Errno, Op, Outcome, Side};

use super::actor::ensure;
use super::faults::Fault;
use super::peer::{End, Peer};
use super::world::World;

const BUFFER: u32 = 16_384;

impl World {
    /// What the kernel does for an operation.
    pub(super) fn perform(&mut self, at: usize, op: Op) -> Result<Outcome, String> {
        Ok(match op {
            Op::Connect(_) => self.perform_connect(at),
            Op::Hold(_) => self.perform_hold(at),
            Op::Fill(direction) => self.perform_fill(at, direction)?,
            Op::Watch => self.perform_watch(at),
            Op::Drain(direction, len) => self.perform_drain(at, direction, len)?,
            Op::Shutdown(direction) => self.perform_shutdown(at, direction)?,
            _ => Ok(0),
        })
    }

    fn perform_connect(&mut self, at: usize) -> Outcome {
        let faults = [
            (Fault::ConnectRefused, Errno::ECONNREFUSED),
            (Fault::ConnectReset, Errno::ECONNRESET),
            (Fault::NoDescriptor, Errno::EMFILE),
        ];
        for (fault, errno) in faults {
            if self.strikes(fault) {
                return Err(errno);
            }
        }
        let uid = self.actors[at].uid;
        let peer = Peer::draw(uid, Side::Server, &self.faults, &mut self.rng);
        self.actors[at].peers[1] = Some(peer);
        Ok(0)
    }

    fn perform_hold(&mut self, at: usize) -> Outcome {
        let Some(peer) = &mut self.actors[at].peers[0] else { return Err(Errno::ECONNRESET) };
        match (peer.sent < peer.to_send, peer.end) {
            (true, _) => Ok(1),
            (false, End::Reset) => Err(Errno::ECONNRESET),
            (false, _) => Ok(0),
        }
    }

    fn perform_watch(&self, at: usize) -> Outcome {
        let client = self.actors[at].peers[0].as_ref();
        if client.is_none_or(|peer| peer.end == End::Reset) { Err(Errno::ECONNRESET) } else { Ok(0) }
    }

    fn perform_fill(&mut self, at: usize, direction: Direction) -> Result<Outcome, String> {
        let len = if self.strikes(Fault::OneByteFill) {
            1
        } else if self.strikes(Fault::FullFill) {
            BUFFER
        } else {
            self.rng.u32(1..BUFFER)
        };
        let side = direction.source();
        let peer = self.actors[at].peers[side.index()].as_mut().ok_or("a Fill on a closed socket")?;
        if peer.sent == peer.to_send {
            return Ok(match peer.end {
                End::Reset => Err(Errno::ECONNRESET),
                _ => Ok(0),
            });
        }
        let bytes = peer.speak(len);
        let mut pipe = match self.actors[at].pipes[direction.index()].take() {
            Some(pipe) => pipe,
            None => self.idle_pipes.pop().unwrap_or_default(),
        };
        ensure(pipe.is_empty(), "a pipe is filled that is not empty")?;
        pipe.extend_from_slice(&bytes);
        self.actors[at].pipes[direction.index()] = Some(pipe);
        Ok(Ok(bytes.len() as u32))
    }

    fn perform_drain(&mut self, at: usize, direction: Direction, len: u32) -> Result<Outcome, String> {
        let broken = match direction {
            Direction::ToServer => (Fault::ServerDrainPipe, Errno::EPIPE),
            Direction::ToClient => (Fault::ClientDrainReset, Errno::ECONNRESET),
        };
        let strikes = self.strikes(broken.0);
        let actor = &mut self.actors[at];
        let sink = actor.peers[direction.sink().index()].as_mut().ok_or("a Drain to a closed socket")?;
        sink.deaf |= strikes;
        if sink.deaf {
            actor.pipes[direction.index()] = None;
            return Ok(Err(broken.1));
        }
        let written = if self.strikes(Fault::OneByteDrain) {
            1
        } else if self.strikes(Fault::HalfDrain) {
            len.div_ceil(2)
        } else {
            len
        };
        let actor = &mut self.actors[at];
        let pipe = actor.pipes[direction.index()].as_mut().ok_or("a Drain without bytes")?;
        ensure(pipe.len() >= len as usize, "a Drain of more than there is")?;
        let bytes: Vec<u8> = pipe.drain(..written as usize).collect();
        let sink = actor.peers[direction.sink().index()].as_mut().ok_or("a Drain to a closed socket")?;
        sink.hear(&bytes)?;
        Ok(Ok(written))
    }

    fn perform_shutdown(&mut self, at: usize, direction: Direction) -> Result<Outcome, String> {
        let fails = self.strikes(Fault::ShutdownFails);
        let actor = &mut self.actors[at];
        let left = actor.pipes[direction.index()].as_ref().map_or(0, Vec::len);
        ensure(left == 0, "FIN overtakes bytes")?;
        let sink = actor.peers[direction.sink().index()].as_mut().ok_or("a Shutdown of a closed socket")?;
        ensure(!sink.got_fin, "FIN twice")?;
        sink.got_fin = true;
        Ok(if fails { Err(Errno(107)) } else { Ok(0) })
    }
}
