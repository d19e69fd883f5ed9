//! Numeric ids: the ones the file gives, and the lowest free ones for the rest.

use std::collections::HashMap;

use crate::config::lexer::Line;

/// The ids of one kind of thing.
pub(super) struct Ids<'a> {
    next: u32,
    taken: HashMap<u32, &'a Line>,
}

impl<'a> Ids<'a> {
    /// Automatic ones begin at `first`.
    pub fn from(first: u32) -> Ids<'a> {
        Ids { next: first, taken: HashMap::new() }
    }

    /// Takes an id given in the file; Err is the line that has it already.
    pub fn reserve(&mut self, id: u32, line: &'a Line) -> Result<(), &'a Line> {
        match self.taken.get(&id) {
            Some(first) => Err(first),
            None => {
                self.taken.insert(id, line);
                Ok(())
            }
        }
    }

    /// The lowest automatic one that no line has taken.
    pub fn next(&mut self) -> u32 {
        while self.taken.contains_key(&self.next) {
            self.next += 1;
        }
        self.next += 1;
        self.next - 1
    }
}
