//! hash-type consistent: each server at many points of a ring of 2^32; a key goes to the nearest point.
//!
//! When a server leaves, only the keys of its own points move.

use std::sync::Arc;

use crate::table::ServerEntry;

use super::hash::avalanche;

/// Points that one server may have at most, and the distance between the seeds of two servers.
const POINTS: u32 = 4096;

/// The ring, sorted by place.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    places: Arc<[u32]>,
    servers: Arc<[u16]>,
}

impl Ring {
    /// As many points for each candidate as it has sixteenths of weight.
    pub(super) fn new(servers: &[ServerEntry], candidates: &[u16]) -> Ring {
        let mut points: Vec<(u32, u16)> = Vec::new();
        for &at in candidates {
            let server = &servers[usize::from(at)];
            let seed = server.number.wrapping_mul(POINTS);
            points.extend((0..server.effective_weight()).map(|n| (avalanche(seed.wrapping_add(n)), at)));
        }
        points.sort_unstable();
        Ring {
            places: points.iter().map(|&(place, _)| place).collect(),
            servers: points.iter().map(|&(_, at)| at).collect(),
        }
    }

    /// The servers in the order of the ring.
    pub(super) fn servers(&self) -> &[u16] {
        &self.servers
    }

    /// The server nearest to `hash`; the next one on the ring if that is the one to avoid.
    pub(super) fn nearest(&self, hash: u32, avoid: Option<u16>) -> u16 {
        let len = self.places.len();
        let after = self.places.partition_point(|&place| place < hash) % len;
        let before = (after + len - 1) % len;
        let to_before = hash.wrapping_sub(self.places[before]);
        let to_after = self.places[after].wrapping_sub(hash);
        let start = if to_before <= to_after { before } else { after };
        let mut order = self.servers[start..].iter().chain(&self.servers[..start]);
        order.find(|&&at| Some(at) != avoid).copied().unwrap_or(self.servers[start])
    }
}
