//! What is known of a session beside its state: addresses, times, bytes, policy. One for each session,
//! in the same slab entry.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use slab::Slab;

use crate::config::model::BindId;
use crate::session::deadline::Ticks;

use super::policies::PolicyId;

/// A time that has not come.
pub(super) const NEVER: u32 = u32::MAX;

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

/// The facts of one session. Ticks are the worker's clock, milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub client: Address,
    /// The address the client connected to.
    pub local: Address,
    /// When it was accepted.
    pub accepted: u32,
    /// When its turn came; [`NEVER`]: it has not.
    pub dequeued: u32,
    /// When the server connection was made.
    pub connected: u32,
    pub ticks: Ticks,
    pub bytes: [u64; 2],
    pub bind: BindId,
    pub policy: PolicyId,
    /// Its place, from 1, when it entered the server's queue, and the backend's; 0: it never did.
    pub queue_place: [u16; 2],
}

const _: () = assert!(size_of::<Record>() <= 64);
