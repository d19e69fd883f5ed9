//! The session's one seam to the kernel: its operations, put to the ring.

use std::io;

use super::Ring;
use crate::session::op::{Op, ServerId, Submit};
use crate::sys::socket::Route;

/// A session's way to the ring.
pub struct Ops<'a, R> {
    ring: &'a mut Ring,
    slot: u32,
    route: R,
}

impl<'a, R> Ops<'a, R> {
    pub(super) fn new(ring: &'a mut Ring, slot: u32, route: R) -> Ops<'a, R> {
        Ops { ring, slot, route }
    }
}

impl<R: FnMut(ServerId) -> io::Result<Route>> Submit for Ops<'_, R> {
    fn submit(&mut self, op: Op) {
        let slot = self.slot;
        match op {
            Op::Connect(server) => {
                let route = (self.route)(server);
                self.ring.connect(slot, route);
            }
            Op::Hold(wanted) => self.ring.hold(slot, wanted),
            Op::Fill(direction) => self.ring.fill(slot, direction),
            Op::Watch => self.ring.watch(slot),
            Op::Unwatch => self.ring.unwatch(slot),
            Op::Stop(direction) => self.ring.stop(slot, direction),
            Op::Drain(direction, len) => self.ring.drain(slot, direction, len),
            Op::Shutdown(direction) => self.ring.shutdown(slot, direction),
            Op::Abort(side) => self.ring.abort(slot, side),
            Op::Close(side, how) => self.ring.close(slot, side, how),
        }
    }
}
