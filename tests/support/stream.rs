//! Streams of bytes that can be told apart at every position: what was sent is compared, not summed.

use std::io::{self, Read, Write};

const BLOCK: usize = 1 << 20;

/// An endless stream of pseudo-random bytes that its seed decides.
pub struct Bytes {
    block: Vec<u8>,
    at: usize,
    round: u8,
}

impl Bytes {
    pub fn seeded(seed: u64) -> Bytes {
        let mut random = fastrand::Rng::with_seed(seed);
        // One byte less than a power of two: a lost or doubled buffer shifts everything behind it.
        let block = std::iter::repeat_with(|| random.u8(..)).take(BLOCK - 1).collect();
        Bytes { block, at: 0, round: 0 }
    }

    /// The next bytes, at most `limit`.
    fn next(&mut self, limit: usize) -> &[u8] {
        if self.at == self.block.len() {
            self.at = 0;
            self.round = self.round.wrapping_add(1);
            self.block[0] = self.round;
        }
        let end = self.block.len().min(self.at + limit);
        let bytes = &self.block[self.at..end];
        self.at = end;
        bytes
    }

    /// Writes the next `total` bytes, in pieces of at most `piece`.
    pub fn send(&mut self, to: &mut impl Write, total: u64, piece: usize) -> io::Result<()> {
        let mut left = total;
        while left > 0 {
            let bytes = self.next(piece.min(left.min(usize::MAX as u64) as usize));
            to.write_all(bytes)?;
            left -= bytes.len() as u64;
        }
        Ok(())
    }

    /// Reads until EOF or an error and compares; how many bytes came. Panics at the first wrong byte.
    pub fn receive(&mut self, from: &mut impl Read, piece: usize) -> u64 {
        let mut buffer = vec![0; piece];
        let mut total = 0;
        while let Ok(n) = from.read(&mut buffer) {
            if n == 0 {
                break;
            }
            let mut seen = &buffer[..n];
            while !seen.is_empty() {
                let expected = self.next(seen.len());
                let (head, rest) = seen.split_at(expected.len());
                assert!(head == expected, "the stream differs within {} bytes after {total}", head.len());
                total += head.len() as u64;
                seen = rest;
            }
        }
        total
    }
}
