//! A list that only grows, so that an index stays good for ever and a reader needs no lock.
//! Chunk k holds as many elements as all chunks before it together.

use std::sync::OnceLock;

/// Elements in the first chunk.
const FIRST: usize = 16;
/// 16 · 2^22 elements: more than any process has servers.
const CHUNKS: usize = 23;

/// Elements by index. Only [`Chunks::extend_to`] writes, and only what no reader has seen.
#[derive(Debug)]
pub struct Chunks<T>([OnceLock<Box<[T]>>; CHUNKS]);

impl<T> Default for Chunks<T> {
    fn default() -> Chunks<T> {
        Chunks([const { OnceLock::new() }; CHUNKS])
    }
}

/// Where index `at` lies: (chunk, offset in it).
fn position(at: usize) -> (usize, usize) {
    match (at / FIRST).checked_ilog2() {
        None => (0, at),
        Some(log) => (log as usize + 1, at - (FIRST << log)),
    }
}

/// Elements in a chunk.
fn chunk_len(chunk: usize) -> usize {
    FIRST << chunk.saturating_sub(1)
}

impl<T> Chunks<T> {
    /// Makes room for indices below `len`, at least; never moves what is there.
    pub fn extend_to(&self, len: usize, make: impl Fn() -> T) {
        for chunk in 0..=position(len.saturating_sub(1)).0 {
            self.0[chunk].get_or_init(|| (0..chunk_len(chunk)).map(|_| make()).collect());
        }
    }

    /// Indices there is room for.
    pub fn capacity(&self) -> usize {
        self.0.iter().map_while(OnceLock::get).map(|chunk| chunk.len()).sum()
    }

    /// All of them, by index.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map_while(OnceLock::get).flat_map(|chunk| chunk.iter())
    }

    /// The element at an index below [`Chunks::capacity`].
    pub fn at(&self, at: usize) -> &T {
        let (chunk, offset) = position(at);
        let chunk = self.0[chunk].get().expect("an index is handed out after its chunk was made");
        &chunk[offset]
    }
}

#[cfg(all(test, not(px_loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_index_has_a_place_of_its_own() {
        let mut at = 0;
        for chunk in 0..6 {
            for offset in 0..chunk_len(chunk) {
                assert_eq!(position(at), (chunk, offset));
                at += 1;
            }
        }
    }

    #[test]
    fn growing_keeps_what_is_there() {
        let numbers = Chunks::default();
        numbers.extend_to(1, std::cell::Cell::<u32>::default);
        assert_eq!(numbers.capacity(), FIRST);
        numbers.at(15).set(7);
        let before: *const std::cell::Cell<u32> = numbers.at(15);
        numbers.extend_to(1000, std::cell::Cell::default);
        assert_eq!(numbers.capacity(), 1024);
        assert!(std::ptr::eq(before, numbers.at(15)));
        assert_eq!((numbers.at(15).get(), numbers.at(16).get()), (7, 0));
    }
}
