//! Numeric ids: the ones the file gives, and automatic ones for the rest.

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

    /// That of the next one in the file: its own, or the next automatic one that no line has taken. As in HAProxy
    /// the automatic ones count it either way: they decide where a server stands on the ring of a hash.
    pub fn of(&mut self, own: Option<u32>) -> u32 {
        let id = own.unwrap_or_else(|| {
            while self.taken.contains_key(&self.next) {
                self.next += 1;
            }
            self.next
        });
        self.next += 1;
        id
    }
}
