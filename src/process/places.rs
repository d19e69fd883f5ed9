//! Where the members of a SO_REUSEPORT group stand in the kernel's array: who joins stands at the end, and the
//! last one takes the place of who leaves. Pure.

use std::ops::Range;

/// Own members, and heirs, who joined later and stay.
#[derive(Clone, Debug)]
pub struct Places {
    /// For each index the number of an own member, in the order of joining; None: an heir.
    members: Vec<Option<usize>>,
    /// How many own ones there were.
    own: usize,
    later: usize,
}

impl Places {
    /// `own` members that joined before `later` heirs.
    pub fn new(own: usize, later: usize) -> Places {
        let members = (0..own).map(Some).chain(std::iter::repeat_n(None, later)).collect();
        Places { members, own, later }
    }

    /// The longest row of heirs.
    pub fn heirs(&self) -> Range<usize> {
        longest(self.members.iter().map(Option::is_none))
    }

    /// Heirs to send connections to while own member `number` leaves. The second: they are heirs before it
    /// leaves and after it, or there is nobody else then, since an index beyond the end means anybody.
    pub fn while_leaving(&self, number: usize) -> (Range<usize>, bool) {
        let closed = self.own - self.members.iter().flatten().count();
        let last = closed + 1 == self.own;
        if self.later > closed + 1 {
            // Heirs that stay where they are whoever of the own ones leaves first.
            return (self.own..self.own + self.later - closed - 1, true);
        }
        if last && self.members.last() == Some(&None) {
            let end = self.members.len();
            return (end - 1..end, true);
        }
        let mut after = self.clone();
        after.leave(number);
        let stays = |at: usize| self.members[at].is_none() && after.members.get(at) == Some(&None);
        let both = longest((0..self.members.len()).map(stays));
        if both.is_empty() { (self.heirs(), last) } else { (both, true) }
    }

    /// Own member `number` has left.
    pub fn leave(&mut self, number: usize) {
        if let Some(at) = self.members.iter().position(|member| *member == Some(number)) {
            self.members.swap_remove(at);
        }
    }
}

/// The first of the longest rows of true.
fn longest(flags: impl Iterator<Item = bool>) -> Range<usize> {
    let (mut best, mut current) = (0..0, 0..0);
    for (at, flag) in flags.enumerate() {
        current = if flag { current.start..at + 1 } else { at + 1..at + 1 };
        if current.len() > best.len() {
            best = current.clone();
        }
    }
    best
}

/// In what order `own` members stand, by the order of their joining, when `earlier` ones have left, the last one
/// first.
pub fn after_departure(earlier: usize, own: usize) -> Vec<usize> {
    let mut members: Vec<Option<usize>> =
        std::iter::repeat_n(None, earlier).chain((0..own).map(Some)).collect();
    for at in (0..earlier).rev() {
        members.swap_remove(at);
    }
    members.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [(usize, usize); 10] =
        [(1, 1), (2, 2), (2, 1), (4, 4), (4, 6), (4, 2), (4, 3), (3, 1), (8, 1), (1, 3)];

    /// Closes all own members in that order; false: a connection could have gone to an own one.
    fn departs(own: usize, later: usize, order: &[usize]) {
        let mut places = Places::new(own, later);
        for &number in order {
            let (meanwhile, certain) = places.while_leaving(number);
            assert!(!meanwhile.is_empty());
            assert!(meanwhile.clone().all(|at| places.members[at].is_none()), "{places:?} {number}");
            places.leave(number);
            let left: Vec<_> = meanwhile.filter_map(|at| places.members.get(at)).collect();
            assert!(left.iter().all(|member| member.is_none()) || !certain, "{places:?} {number}");
            let reaches_heirs = !left.is_empty() || places.members.iter().all(Option::is_none);
            assert!(reaches_heirs || !certain, "{places:?} {number}");
            assert!(certain || later == 1, "{own} {later} {places:?}");
        }
        assert_eq!(places.members, vec![None; later]);
    }

    #[test]
    fn connections_reach_heirs_while_own_members_leave() {
        for (own, later) in SIZES {
            departs(own, later, &(0..own).rev().collect::<Vec<_>>());
        }
    }

    #[test]
    fn with_as_many_heirs_nobody_needs_to_know_the_order() {
        for (own, later) in [(2, 2), (4, 4), (4, 6)] {
            let mut actual = vec![false; own];
            actual.extend(vec![true; later]);
            let mut places = Places::new(own, later);
            for number in (0..own).rev() {
                let (meanwhile, certain) = places.while_leaving(number);
                assert!(certain && meanwhile.clone().all(|at| actual[at]), "{actual:?}");
                // In truth the first one leaves.
                let at = actual.iter().position(|heir| !heir).expect("one is left");
                actual.swap_remove(at);
                places.leave(number);
            }
        }
    }

    #[test]
    fn who_joined_behind_others_stands_otherwise_when_they_have_left() {
        assert_eq!(after_departure(0, 3), [0, 1, 2]);
        assert_eq!(after_departure(2, 2), [0, 1]);
        assert_eq!(after_departure(2, 3), [1, 2, 0]);
        assert_eq!(after_departure(3, 1), [0]);
        assert_eq!(after_departure(1, 3), [2, 0, 1]);
    }
}
