//! Something that sessions hold and queue for.

use super::cell::Cell;
use super::heads::Heads;
use crossbeam_utils::CachePadded;

/// A backend or a server.
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
