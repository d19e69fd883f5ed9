//! source and hash: the session's key decides, by map or by ring. A full server is waited for.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::config::model::{HashInput, HashType, Proxy};
use crate::table::ServerEntry;

use super::hash::{avalanche, hash, spread};
use super::ring::Ring;
use super::slots::Slots;
use super::{Choice, Request, map, turns};

/// What is hashed, how, and where the hash leads.
#[derive(Clone, Debug)]
pub(super) struct Hashed {
    input: Input,
    kind: HashType,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Input {
    /// `balance source`: the address folded to a word; `hash-type` adds avalanche at most.
    Source,
    /// `balance hash`: an address or a port through the hash function.
    Expression(HashInput),
}

#[derive(Clone, Debug)]
enum Place {
    Map(Arc<[u16]>),
    Ring(Ring),
}

impl Hashed {
    pub(super) fn new(input: Input, proxy: &Proxy, servers: &[ServerEntry], candidates: &[u16]) -> Hashed {
        let place = match proxy.hash_type.consistent {
            true => Place::Ring(Ring::new(servers, candidates)),
            false => Place::Map(mapped(proxy, servers, candidates)),
        };
        Hashed { input, kind: proxy.hash_type, place }
    }

    /// Without the key (a Unix socket) the servers take turns, as in HAProxy.
    pub(super) fn choose(&self, slots: &Slots<'_>, request: &Request<'_>) -> Choice {
        let Some(hash) = self.input.hash(self.kind, request) else {
            return turns::choose(self.place.servers(), slots, request.avoid);
        };
        slots.take_or_wait(self.place.server(hash, request.avoid))
    }
}

/// Where one server is used the first entry is for everybody, as in HAProxy.
fn mapped(proxy: &Proxy, servers: &[ServerEntry], candidates: &[u16]) -> Arc<[u16]> {
    let map = map::of(proxy, servers, candidates);
    match candidates {
        [_] => map[..1].into(),
        _ => map.into(),
    }
}

impl Place {
    fn servers(&self) -> &[u16] {
        match self {
            Place::Map(map) => map,
            Place::Ring(ring) => ring.servers(),
        }
    }

    /// A map knows no other server for a key than its own.
    fn server(&self, hash: u32, avoid: Option<u16>) -> u16 {
        match self {
            Place::Map(map) => map[hash as usize % map.len()],
            Place::Ring(ring) => ring.nearest(hash, avoid),
        }
    }
}

impl Input {
    fn hash(self, kind: HashType, request: &Request<'_>) -> Option<u32> {
        match self {
            Input::Source => {
                let word = fold(request.client?.ip());
                Some(if spread(kind) { avalanche(word) } else { word })
            }
            Input::Expression(input) => {
                let key = match input {
                    HashInput::Src | HashInput::SrcPort => request.client?,
                    HashInput::Dst | HashInput::DstPort => request.local?,
                };
                Some(match input {
                    HashInput::Src | HashInput::Dst => hash_address(key.ip(), kind),
                    HashInput::SrcPort | HashInput::DstPort => hash_port(key, kind),
                })
            }
        }
    }
}

/// The words of the address, first byte highest, XORed.
fn fold(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(v4) => v4.to_bits(),
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            (0..4).fold(0, |word, n| word ^ (bits >> (32 * n)) as u32)
        }
    }
}

fn hash_address(address: IpAddr, kind: HashType) -> u32 {
    match address {
        IpAddr::V4(v4) => hash(&v4.octets(), kind),
        IpAddr::V6(v6) => hash(&v6.octets(), kind),
    }
}

/// A number is hashed as its eight bytes, highest first.
fn hash_port(address: SocketAddr, kind: HashType) -> u32 {
    hash(&u64::from(address.port()).to_be_bytes(), kind)
}
