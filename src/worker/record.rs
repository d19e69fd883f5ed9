//! What is known of a session beside its state: addresses, times, bytes, policy. One for each session,
//! in the same slab entry.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use slab::Slab;

use crate::config::model::BindId;
use crate::session::deadline::Ticks;

use super::policies::PolicyId;

/// A time that has not come.
const NEVER: u32 = u32::MAX;

/// A socket address in eight bytes: IPv4 in place, IPv6 in a slab of the worker's.
#[derive(Clone, Copy, Debug)]
pub(super) enum Address {
    None,
    V4([u8; 2], [u8; 4]),
    V6(u32),
}

const _: () = assert!(size_of::<Address>() <= 8);

/// The worker's IPv6 addresses.
#[derive(Debug, Default)]
pub(super) struct Addresses(Slab<SocketAddr>);

impl Addresses {
    pub(super) fn pack(&mut self, address: Option<SocketAddr>) -> Address {
        match address {
            None => Address::None,
            Some(SocketAddr::V4(v4)) => Address::V4(v4.port().to_be_bytes(), v4.ip().octets()),
            Some(v6) => Address::V6(self.0.insert(v6) as u32),
        }
    }

    pub(super) fn unpack(&self, address: Address) -> Option<SocketAddr> {
        match address {
            Address::None => None,
            Address::V4(port, ip) => {
                Some(SocketAddrV4::new(Ipv4Addr::from(ip), u16::from_be_bytes(port)).into())
            }
            Address::V6(index) => self.0.get(index as usize).copied(),
        }
    }

    pub(super) fn forget(&mut self, address: Address) {
        if let Address::V6(index) = address {
            self.0.try_remove(index as usize);
        }
    }
}

/// The facts of one session. Ticks are the worker's clock, milliseconds, without their upper half.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub client: Address,
    /// The address the client connected to.
    pub local: Address,
    /// When it was accepted, and the upper half of that: a session may live for more than 49 days.
    accepted: u32,
    accepted_high: u16,
    /// When its turn came; [`NEVER`]: it has not.
    dequeued: u32,
    /// When the server connection was made.
    connected: u32,
    pub ticks: Ticks,
    pub bytes: [u64; 2],
    pub bind: BindId,
    pub policy: PolicyId,
    /// How many were served before it from the server's queue, and the backend's, plus one; 0: it never waited.
    pub queue_place: [u16; 2],
}

const _: () = assert!(size_of::<Record>() <= 64);

impl Record {
    /// Of a session that was accepted at `now`, milliseconds of the worker's clock.
    pub(super) fn new(client: Address, local: Address, bind: BindId, policy: PolicyId, now: u64) -> Record {
        let tick = now as u32;
        Record {
            client,
            local,
            accepted: tick,
            accepted_high: (now >> 32) as u16,
            dequeued: NEVER,
            connected: NEVER,
            ticks: Ticks { activity: tick, phase: tick },
            bytes: [0; 2],
            bind,
            policy,
            queue_place: [0; 2],
        }
    }

    /// Its turn has come.
    pub(super) fn dequeue(&mut self, now: u64) {
        self.dequeued = tick(now);
    }

    /// The server connection is made.
    pub(super) fn connect(&mut self, now: u64) {
        self.connected = tick(now);
    }

    /// When it was accepted, milliseconds of the worker's clock. A session that was taken over may be older
    /// than the clock.
    pub(super) fn accepted_ms(&self) -> i64 {
        i64::from(self.accepted_high as i16) << 32 | i64::from(self.accepted)
    }

    /// How long ago it was accepted, milliseconds.
    pub(super) fn age_ms(&self, now: u64) -> u64 {
        now.wrapping_sub(self.accepted_ms() as u64)
    }

    /// The times of a session that was accepted `age_ms` ago, when its turn and the server connection came
    /// after `queue_ms` and `connect_ms` more; -1: they did not.
    pub(super) fn set_times(&mut self, now: u64, age_ms: u64, queue_ms: i32, connect_ms: i32) {
        let accepted = now.wrapping_sub(age_ms);
        (self.accepted, self.accepted_high) = (accepted as u32, (accepted >> 32) as u16);
        let after = |from: u32, ms: i32| match u32::try_from(ms) {
            Ok(ms) if from != NEVER => from.wrapping_add(ms).min(NEVER - 1),
            _ => NEVER,
        };
        self.dequeued = after(self.accepted, queue_ms);
        self.connected = after(self.dequeued, connect_ms);
    }

    /// Milliseconds until its turn came; -1: it did not.
    pub(super) fn queue_ms(&self) -> i32 {
        between(self.accepted, self.dequeued)
    }

    /// When its turn came, milliseconds of the worker's clock; before that when it was accepted.
    pub(super) fn dequeued_ms(&self) -> i64 {
        self.accepted_ms() + i64::from(self.queue_ms().max(0))
    }

    /// Milliseconds from its turn until the server connection was made; -1: it was not.
    pub(super) fn connect_ms(&self) -> i32 {
        between(self.dequeued, self.connected)
    }
}

fn tick(now: u64) -> u32 {
    (now as u32).min(NEVER - 1)
}

fn between(from: u32, tick: u32) -> i32 {
    if tick == NEVER { -1 } else { i32::try_from(tick.wrapping_sub(from)).unwrap_or(i32::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_may_be_older_than_a_tick_can_say() {
        let accepted = (3 << 32) + 500;
        let mut record = Record::new(Address::None, Address::None, BindId(0), PolicyId(0), accepted as u64);
        assert_eq!(record.accepted_ms(), accepted);
        assert_eq!((record.queue_ms(), record.connect_ms()), (-1, -1));
        record.dequeue(accepted as u64 + 20);
        record.connect(accepted as u64 + 60);
        assert_eq!((record.queue_ms(), record.connect_ms()), (20, 40));
        assert_eq!(record.dequeued_ms(), accepted + 20);
    }

    #[test]
    fn a_session_may_be_older_than_the_clock() {
        let mut record = Record::new(Address::None, Address::None, BindId(0), PolicyId(0), 1_000);
        record.set_times(1_000, 86_400_000, 30, 5);
        assert_eq!((record.accepted_ms(), record.age_ms(1_500)), (-86_399_000, 86_400_500));
        assert_eq!((record.queue_ms(), record.connect_ms(), record.dequeued_ms()), (30, 5, -86_398_970));
        record.set_times(1_000, 7, -1, -1);
        assert_eq!((record.queue_ms(), record.connect_ms(), record.age_ms(1_000)), (-1, -1, 7));
    }
}
