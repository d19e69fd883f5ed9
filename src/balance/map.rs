//! The map of static-rr and of map-based hashes: as many entries as the weights add up to, each naming a server.

use crate::config::model::Proxy;
use crate::table::ServerEntry;

/// The map for these candidates.
///
/// Where the first backup stands in for all, HAProxy's has as many entries as that one weighs, and fills them with
/// all usable backups: with unequal weights others than the first come too.
pub(super) fn of(proxy: &Proxy, servers: &[ServerEntry], candidates: &[u16]) -> Vec<u16> {
    let weights_of = |candidates: &[u16]| weights(proxy, servers, candidates);
    let own = weights_of(candidates);
    let entries = own.iter().map(|&(_, weight)| weight).sum();
    let stands_in = |at: &u16| servers[usize::from(*at)].backup && !proxy.options.allbackups;
    if !candidates.first().is_some_and(stands_in) {
        return fill(&own, entries);
    }
    let backups = (0..).zip(servers).filter(|(_, server)| server.backup && server.usable());
    let backups: Vec<u16> = backups.map(|(at, _)| at).collect();
    fill(&weights_of(&backups), entries)
}

/// Weights of the candidates, divided by what is common to the configured weights of all servers, usable
/// or not: the map must not change its shape when a server that does not take part in it changes.
fn weights(proxy: &Proxy, servers: &[ServerEntry], candidates: &[u16]) -> Vec<(u16, u32)> {
    let configured = proxy.servers.iter().map(|server| u32::from(server.weight));
    let divisor = configured.fold(0, common_divisor).max(1);
    let weight = |at: u16| u32::from(servers[usize::from(at)].uweight).div_ceil(divisor);
    candidates.iter().map(|&at| (at, weight(at))).collect()
}

/// Greatest common divisor; of 0 and n: n.
pub(super) fn common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// Fills the map: at each entry every server's score rises by its weight, the first one that has
/// reached the number of entries (else simply the first) gets the entry and pays that number.
fn fill(weights: &[(u16, u32)], entries: u32) -> Vec<u16> {
    let total = i64::from(entries);
    let mut scores = vec![0i64; weights.len()];
    let mut entry = || {
        let mut best = (0, i64::MIN);
        for (at, &(_, weight)) in weights.iter().enumerate() {
            scores[at] += i64::from(weight);
            let periods = (scores[at] + total) / total;
            if periods > best.1 {
                best = (at, periods);
            }
        }
        scores[best.0] -= total;
        weights[best.0].0
    };
    (0..entries).map(|_| entry()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn turns(of: &[u32], n: usize) -> String {
        let divisor = of.iter().fold(0, |d, &w| common_divisor(w, d));
        let weights: Vec<(u16, u32)> =
            (0..).zip(of).filter(|&(_, &w)| w > 0).map(|(at, &w)| (at, w / divisor)).collect();
        let letter = |&at: &u16| char::from(b'a' + at as u8);
        let entries = weights.iter().map(|&(_, w)| w).sum();
        fill(&weights, entries).iter().cycle().take(n).map(letter).collect()
    }

    /// What haproxy 2.6.12 did with sequential connections, `balance static-rr`.
    #[test]
    fn same_order_as_haproxy() {
        let observed: [(&[u32], &str); 13] = [
            (&[3, 1, 2], "aacabcaacabcaacabcaacabcaacabc"),
            (&[1, 1, 1], "abcabcabcabcabcabcabcabcabcabc"),
            (&[5, 1, 1], "aaabaacaaabaacaaabaacaaabaacaa"),
            (&[2, 3, 7], "acbcbccacbccacbcbccacbccacbcbccacbccacbcbccacbccacbcbccacbcc"),
            (&[1, 2, 3, 4], "abdcdbcdcdabdcdbcdcdabdcdbcdcdabdcdbcdcdabdcdbcdcdabdcdbcdcd"),
            (&[3, 0, 2], "aacacaacacaacacaacacaacacaacac"),
            (&[0, 1, 2], "bccbccbccbccbccbccbccbccbccbcc"),
            (&[256, 128, 64], "aababacaababacaababacaababacaababacaababacaababacaababacaaba"),
            (&[7, 7, 7, 3], "abcabcadbcabcabdcabcabcdabcabcadbcabcabdcabcabcdabcabcadbcab"),
            (&[4, 6, 10], "acbcacbcbcacbcacbcbcacbcacbcbcacbcacbcbcacbcacbcbcacbcacbcbc"),
            (&[13, 5, 9, 2], "abacabcaaccabadacabcacabacacdabacabcaaccabadacabcacabacacdab"),
            (&[100, 50, 25, 10], "aababacabacaababacdaababaabacabacabadaababacabacaababacdaaba"),
            (&[10, 10, 10, 11], "abcdabcdabcdabdcabdcabdcabdcadbcadbcadbcdabcdabcdabcdabdcabd"),
        ];
        for (of, order) in observed {
            assert_eq!(turns(of, order.len()), order, "weights {of:?}");
        }
    }

    proptest! {
        #[test]
        fn every_server_has_as_many_entries_as_its_weight(of in prop::collection::vec(1u32..=256, 1..8)) {
            let weights: Vec<(u16, u32)> = (0..).zip(of.iter().copied()).collect();
            let map = fill(&weights, of.iter().sum());
            for (at, weight) in weights {
                prop_assert_eq!(map.iter().filter(|&&server| server == at).count() as u32, weight);
            }
        }
    }
}
