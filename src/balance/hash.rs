//! HAProxy's hash functions: the same client must reach the same server after a migration.
//!
//! Facts of the algorithms: sdbm and djb2 are the public-domain string hashes of those names, crc32 is
//! IEEE 802.3's, wt6 is HAProxy's own, [`avalanche`] is Bob Jenkins' full avalanche of 4 bytes
//! times a prime near three quarters of 2^32.

use crate::config::model::{HashFunction, HashType};

/// The hash of `key` as `hash-type` says; without a function sdbm, and then `consistent` implies avalanche
/// (configuration manual, `hash-type`).
pub fn hash(key: &[u8], kind: HashType) -> u32 {
    let hash = match kind.function.unwrap_or(HashFunction::Sdbm) {
        HashFunction::Sdbm => sdbm(key),
        HashFunction::Djb2 => djb2(key),
        HashFunction::Wt6 => wt6(key),
        HashFunction::Crc32 => crc32(key),
        HashFunction::None => number(key),
    };
    if spread(kind) { avalanche(hash) } else { hash }
}

/// Whether [`avalanche`] is applied on top.
pub fn spread(kind: HashType) -> bool {
    kind.avalanche || (kind.consistent && kind.function.is_none())
}

fn sdbm(key: &[u8]) -> u32 {
    key.iter().fold(0, |hash: u32, &byte| hash.wrapping_mul(65_599).wrapping_add(u32::from(byte)))
}

fn djb2(key: &[u8]) -> u32 {
    key.iter().fold(5381, |hash: u32, &byte| hash.wrapping_mul(33).wrapping_add(u32::from(byte)))
}

/// Two words that take in a byte each round and change places, rotated by amounts taken from themselves.
fn wt6(key: &[u8]) -> u32 {
    let (mut a, mut b) = (0xa53c_965a_u32, 0x5ca6_953a_u32);
    let (mut turn_a, mut turn_b) = (6, 18);
    for &byte in key {
        let (mixed, added) = (!(a ^ u32::from(byte)), !b.wrapping_add(u32::from(byte)));
        (a, b) = (added.rotate_left(turn_a), mixed.rotate_left(turn_b));
        let amounts = ((a >> 16) ^ b) & 0xffff;
        (turn_a, turn_b) = (amounts & 31, amounts >> 11);
    }
    a ^ b
}

fn crc32(key: &[u8]) -> u32 {
    let shift = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    !key.iter().fold(!0, |crc: u32, &byte| (0..8).fold(crc ^ u32::from(byte), shift))
}

/// `none`: the decimal number that the key starts with; of a binary key mostly 0.
fn number(key: &[u8]) -> u32 {
    let (negative, text) = key.strip_prefix(b"-").map_or((false, key), |text| (true, text));
    let digits = text.iter().map_while(|&byte| char::from(byte).to_digit(10));
    let number = digits.fold(0, |number: u32, digit| number.wrapping_mul(10).wrapping_add(digit));
    if negative { number.wrapping_neg() } else { number }
}

/// Spreads every input bit over all output bits.
pub fn avalanche(hash: u32) -> u32 {
    let mut a = hash;
    a = a.wrapping_add(0x7ed5_5d16).wrapping_add(a << 12);
    a = (a ^ 0xc761_c23c) ^ (a >> 19);
    a = a.wrapping_add(0x1656_67b1).wrapping_add(a << 5);
    a = a.wrapping_add(0xd3a2_646c) ^ (a << 9);
    a = a.wrapping_add(0xfd70_46c5).wrapping_add(a << 3);
    ((a ^ 0xb55a_4f09) ^ (a >> 16)).wrapping_mul(3_221_225_473)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(function: HashFunction, key: &[u8]) -> u32 {
        hash(key, HashType { function: Some(function), ..HashType::default() })
    }

    const CONVERTED: [(HashFunction, &str, u32); 20] = [
        (HashFunction::Sdbm, "", 0),
        (HashFunction::Sdbm, "a", 97),
        (HashFunction::Sdbm, "impala", 2399380650),
        (HashFunction::Sdbm, "10.20.30.40", 668448172),
        (HashFunction::Sdbm, "The quick brown fox jumps over the lazy dog", 2359783795),
        (HashFunction::Djb2, "", 5381),
        (HashFunction::Djb2, "a", 177670),
        (HashFunction::Djb2, "impala", 79704857),
        (HashFunction::Djb2, "10.20.30.40", 625623353),
        (HashFunction::Djb2, "The quick brown fox jumps over the lazy dog", 885799134),
        (HashFunction::Wt6, "", 4187620192),
        (HashFunction::Wt6, "a", 1900802597),
        (HashFunction::Wt6, "impala", 3903703240),
        (HashFunction::Wt6, "10.20.30.40", 3771169915),
        (HashFunction::Wt6, "The quick brown fox jumps over the lazy dog", 3840389189),
        (HashFunction::Crc32, "", 0),
        (HashFunction::Crc32, "a", 3904355907),
        (HashFunction::Crc32, "impala", 776747043),
        (HashFunction::Crc32, "10.20.30.40", 1258617195),
        (HashFunction::Crc32, "The quick brown fox jumps over the lazy dog", 1095738169),
    ];

    /// What the converters of those names print for the same bytes, haproxy 2.6.12.
    #[test]
    fn same_values_as_haproxys_converters() {
        for (function, key, value) in CONVERTED {
            assert_eq!(plain(function, key.as_bytes()), value, "{function:?} of {key}");
        }
    }

    #[test]
    fn none_reads_the_key_as_a_number() {
        assert_eq!(plain(HashFunction::None, b"4096 and more"), 4096);
        assert_eq!(plain(HashFunction::None, b"-1"), u32::MAX);
        assert_eq!(plain(HashFunction::None, &[127, 0, 0, 1]), 0);
    }

    #[test]
    fn consistent_without_a_function_implies_avalanche() {
        let consistent = HashType { consistent: true, ..HashType::default() };
        assert_eq!(hash(b"key", consistent), avalanche(sdbm(b"key")));
        let named = HashType { function: Some(HashFunction::Sdbm), ..consistent };
        assert_eq!(hash(b"key", named), sdbm(b"key"));
    }
}
