//! HAProxy's hash functions: the same client must reach the same server after a migration.
//!
//! Facts of the algorithms: sdbm and djb2 are the public-domain string hashes of those names, crc32 is
//! IEEE 802.3's, wt6 is HAProxy's own, [`avalanche`] is Bob Jenkins' full avalanche of 4 bytes.

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
    let digits = key.iter().map_while(|&byte| char::from(byte).to_digit(10));
    digits.fold(0, |number: u32, digit| number.wrapping_mul(10).wrapping_add(digit))
}

/// Spreads every input bit over all output bits.
pub fn avalanche(hash: u32) -> u32 {
    let mut a = hash;
    a = a.wrapping_add(0x7ed5_5d16).wrapping_add(a << 12);
    a = (a ^ 0xc761_c23c) ^ (a >> 19);
    a = a.wrapping_add(0x1656_67b1).wrapping_add(a << 5);
    a = a.wrapping_add(0xd3a2_646c) ^ (a << 9);
    a = a.wrapping_add(0xfd70_46c5).wrapping_add(a << 3);
    (a ^ 0xb55a_4f09) ^ (a >> 16)
}
