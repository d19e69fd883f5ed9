//! Numeric ids: what the file gives, then what was given before, then the lowest free ones.

use std::collections::HashSet;

/// What one element would like to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// The id it was read with.
    pub read: u32,
    /// The file says that id.
    pub custom: bool,
    /// The id it has had so far.
    pub kept: Option<u32>,
}

/// An id for each; automatic ones begin at `first`.
pub(super) fn numbers(first: u32, wishes: &[Wish]) -> Vec<u32> {
    let mut taken: HashSet<u32> = wishes.iter().filter(|wish| wish.custom).map(|wish| wish.read).collect();
    let mut given: Vec<Option<u32>> = wishes.iter().map(|wish| wish.custom.then_some(wish.read)).collect();
    for of in [|wish: &Wish| wish.kept, |wish: &Wish| Some(wish.read)] {
        for (given, wish) in given.iter_mut().zip(wishes).filter(|(given, _)| given.is_none()) {
            *given = of(wish).filter(|&id| taken.insert(id));
        }
    }
    let mut free = (first..).filter(|&id| !taken.contains(&id));
    given.into_iter().map(|id| id.or_else(|| free.next()).unwrap_or(u32::MAX)).collect()
}
