//! The cells of the servers: a list that only grows, so that an index stays good for ever and a
//! reader needs no lock. Chunk k holds as many cells as all chunks before it together.

use std::sync::OnceLock;

use super::cell::Cell;
use super::heads::Heads;
use crossbeam_utils::CachePadded;

/// Cells in the first chunk.
const FIRST: usize = 64;
/// 64 · 2^20 cells: more than any process has servers.
const CHUNKS: usize = 21;

/// Something that sessions hold and queue for: a backend or a server.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) cell: CachePadded<Cell>,
    pub(super) heads: Heads,
}

impl Place {
    pub(super) fn new(workers: usize) -> Place {
        Place { cell: CachePadded::default(), heads: Heads::new(workers) }
    }
}

/// Places by index. Only [`Places::extend_to`] writes, and only what no reader has seen.
#[derive(Debug)]
pub(super) struct Places {
    chunks: [OnceLock<Box<[Place]>>; CHUNKS],
    workers: usize,
}

/// Where index `at` lies: (chunk, offset in it).
fn position(at: usize) -> (usize, usize) {
    match (at / FIRST).checked_ilog2() {
        None => (0, at),
        Some(log) => (log as usize + 1, at - (FIRST << log)),
    }
}

/// Cells in a chunk.
fn chunk_len(chunk: usize) -> usize {
    FIRST << chunk.saturating_sub(1)
}

impl Places {
    pub(super) fn new(workers: usize) -> Places {
        Places { chunks: [const { OnceLock::new() }; CHUNKS], workers }
    }

    /// Makes room for indices below `len`, at least; never moves what is there.
    pub(super) fn extend_to(&self, len: usize) {
        for chunk in 0..=position(len.saturating_sub(1)).0 {
            self.chunks[chunk]
                .get_or_init(|| (0..chunk_len(chunk)).map(|_| Place::new(self.workers)).collect());
        }
    }

    /// Indices there is room for.
    pub(super) fn capacity(&self) -> usize {
        self.chunks.iter().map_while(OnceLock::get).map(|chunk| chunk.len()).sum()
    }

    /// The place at an index below [`Places::capacity`].
    pub(super) fn at(&self, at: usize) -> &Place {
        let (chunk, offset) = position(at);
        let chunk = self.chunks[chunk].get().expect("a server id is handed out after its chunk was made");
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
        let places = Places::new(1);
        places.extend_to(1);
        assert_eq!(places.capacity(), FIRST);
        places.at(63).cell.take(None);
        let before: *const Place = places.at(63);
        places.extend_to(1000);
        assert_eq!(places.capacity(), 1024);
        assert!(std::ptr::eq(before, places.at(63)));
        assert_eq!((places.at(63).cell.live(), places.at(64).cell.live()), (1, 0));
    }
}
