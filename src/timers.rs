//! Deadlines of sessions: a wheel of wheels. Pure: the time is an argument.
//!
//! Level k has 64 buckets of 64^k ms; a deadline stands in the lowest level whose turn holds it, and moves
//! down when the time reaches its bucket. Buckets are lists through the entries themselves, so that
//! setting, clearing and expiring touch no more than a neighbour and allocate nothing.

/// Bits of one level.
const BITS: u32 = 6;
/// 64^8 ms are 8 900 years: no deadline lies beyond the last level.
const LEVELS: usize = 8;
const BUCKETS: u32 = 1 << BITS;
/// The list of those that were due already when they were set.
const DUE: u32 = LEVELS as u32 * BUCKETS;
/// No entry.
const NIL: u32 = u32::MAX;
/// In [`Entry::prev`]: the entry is the first of the bucket in the other bits.
const HEAD: u32 = 1 << 31;
/// In [`Entry::at_ms`]: not set.
const UNSET: u64 = u64::MAX;
/// The latest time that the levels hold; a deadline beyond it is set to it.
const LAST_MS: u64 = (1 << (BITS * LEVELS as u32)) - 1;

#[derive(Clone, Copy, Debug)]
struct Entry {
    at_ms: u64,
    prev: u32,
    next: u32,
}

const _: () = assert!(size_of::<Entry>() <= 16);

/// At most one deadline for each slot.
#[derive(Debug)]
pub struct Wheel {
    now_ms: u64,
    entries: Vec<Entry>,
    heads: [u32; DUE as usize + 1],
    /// One bit for each bucket that is not empty.
    occupied: [u64; LEVELS],
}

impl Wheel {
    /// Empty, at `now_ms`.
    pub fn new(now_ms: u64) -> Wheel {
        Wheel { now_ms, entries: Vec::new(), heads: [NIL; DUE as usize + 1], occupied: [0; LEVELS] }
    }

    /// Makes room for slots 0 to `slots` - 1, at most 2^31: the only call that allocates.
    pub fn reserve(&mut self, slots: usize) {
        debug_assert!(slots <= HEAD as usize);
        let unset = Entry { at_ms: UNSET, prev: NIL, next: NIL };
        self.entries.resize(slots.max(self.entries.len()), unset);
    }

    /// Sets the deadline of a slot, in place of the one it has. A deadline in the past expires next.
    pub fn set(&mut self, slot: u32, at_ms: u64) {
        self.clear(slot);
        self.entries[slot as usize].at_ms = at_ms.min(LAST_MS);
        self.file(slot);
    }

    /// Takes the deadline of a slot away, if it has one.
    pub fn clear(&mut self, slot: u32) {
        if self.entries[slot as usize].at_ms != UNSET {
            self.unlink(slot);
            self.entries[slot as usize].at_ms = UNSET;
        }
    }

    /// When to call [`Wheel::pop`] again: never after the nearest deadline, possibly before it. None:
    /// nothing is set.
    pub fn next(&self) -> Option<u64> {
        if self.heads[DUE as usize] != NIL {
            return Some(self.now_ms);
        }
        self.next_bucket().map(|(start_ms, _)| start_ms)
    }

    /// Takes out one slot whose deadline is `now_ms` or earlier.
    pub fn pop(&mut self, now_ms: u64) -> Option<u32> {
        loop {
            let due = self.heads[DUE as usize];
            if due != NIL {
                self.clear(due);
                return Some(due);
            }
            match self.next_bucket() {
                Some((start_ms, bucket)) if start_ms <= now_ms => self.turn_to(start_ms, bucket),
                _ => {
                    self.now_ms = self.now_ms.max(now_ms);
                    return None;
                }
            }
        }
    }

    /// Moves the time on to the start of the nearest bucket and files what stands in it anew.
    fn turn_to(&mut self, start_ms: u64, bucket: u32) {
        self.now_ms = start_ms;
        while self.heads[bucket as usize] != NIL {
            let slot = self.heads[bucket as usize];
            self.unlink(slot);
            self.file(slot);
        }
    }

    /// (start, number) of the nearest bucket with an entry. A lower level's is always nearer.
    fn next_bucket(&self) -> Option<(u64, u32)> {
        let level = self.occupied.iter().position(|&bits| bits != 0)?;
        let shift = BITS * level as u32;
        let bucket = self.occupied[level].trailing_zeros();
        let turn = self.now_ms >> (shift + BITS) << (shift + BITS);
        Some((turn + (u64::from(bucket) << shift), level as u32 * BUCKETS + bucket))
    }

    /// Puts a slot that has a deadline and stands in no list into its bucket.
    fn file(&mut self, slot: u32) {
        let at_ms = self.entries[slot as usize].at_ms;
        if at_ms <= self.now_ms {
            return self.link(slot, DUE);
        }
        let differing = 63 - (at_ms ^ self.now_ms).leading_zeros();
        let level = differing / BITS;
        let bucket = (at_ms >> (BITS * level)) as u32 % BUCKETS;
        self.link(slot, level * BUCKETS + bucket);
    }

    fn link(&mut self, slot: u32, bucket: u32) {
        let next = std::mem::replace(&mut self.heads[bucket as usize], slot);
        if next != NIL {
            self.entries[next as usize].prev = slot;
        }
        if bucket < DUE {
            self.occupied[(bucket / BUCKETS) as usize] |= 1 << (bucket % BUCKETS);
        }
        let entry = &mut self.entries[slot as usize];
        (entry.prev, entry.next) = (HEAD | bucket, next);
    }

    fn unlink(&mut self, slot: u32) {
        let Entry { prev, next, .. } = self.entries[slot as usize];
        if next != NIL {
            self.entries[next as usize].prev = prev;
        }
        if prev & HEAD == 0 {
            self.entries[prev as usize].next = next;
            return;
        }
        let bucket = prev & !HEAD;
        self.heads[bucket as usize] = next;
        if next == NIL && bucket < DUE {
            self.occupied[(bucket / BUCKETS) as usize] &= !(1 << (bucket % BUCKETS));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn wheel(now_ms: u64, slots: usize) -> Wheel {
        let mut wheel = Wheel::new(now_ms);
        wheel.reserve(slots);
        wheel
    }

    fn expired(wheel: &mut Wheel, now_ms: u64) -> Vec<u32> {
        let mut slots: Vec<u32> = std::iter::from_fn(|| wheel.pop(now_ms)).collect();
        slots.sort_unstable();
        slots
    }

    #[test]
    fn expires_at_its_millisecond_and_once() {
        let mut wheel = wheel(1_000, 2);
        wheel.set(0, 51_000);
        assert!(expired(&mut wheel, 50_999).is_empty());
        assert_eq!(expired(&mut wheel, 51_000), [0]);
        assert!(expired(&mut wheel, 60_000).is_empty());
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn a_deadline_in_the_past_expires_next() {
        let mut wheel = wheel(1_000, 1);
        wheel.set(0, 10);
        assert_eq!(wheel.next(), Some(1_000));
        assert_eq!(expired(&mut wheel, 1_000), [0]);
    }

    #[test]
    fn the_furthest_future_never_comes() {
        let mut wheel = wheel(0, 1);
        wheel.set(0, u64::MAX);
        assert!(expired(&mut wheel, 1 << 40).is_empty());
        assert!(wheel.next().is_some());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Set(u32, u64),
        Clear(u32),
        Pass(u64),
        PassToNext,
    }

    fn span() -> impl Strategy<Value = u64> {
        prop_oneof![0..200u64, 0..10_000u64, 0..100_000_000u64, 0..(1u64 << 38)]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..20u32, span()).prop_map(|(slot, ahead)| Step::Set(slot, ahead)),
            1 => (0..20u32).prop_map(Step::Clear),
            2 => span().prop_map(Step::Pass),
            3 => Just(Step::PassToNext),
        ]
    }

    proptest! {
        #[test]
        fn behaves_as_an_ordered_map(start in span(), steps in prop::collection::vec(step(), 1..200)) {
            let (mut wheel, mut model, mut now) = (wheel(start, 20), BTreeMap::new(), start);
            for step in steps {
                match step {
                    Step::Set(slot, ahead) => {
                        // Half of them a little in the past.
                        let at = if ahead % 2 == 0 { now + ahead } else { now.saturating_sub(ahead % 64) };
                        wheel.set(slot, at);
                        model.insert(slot, at);
                    }
                    Step::Clear(slot) => {
                        wheel.clear(slot);
                        model.remove(&slot);
                    }
                    Step::Pass(ahead) => now += ahead,
                    Step::PassToNext => now = wheel.next().unwrap_or(now).max(now),
                }
                if let Some(&nearest) = model.values().min() {
                    prop_assert!(wheel.next().is_some_and(|next| next <= nearest.max(now)));
                }
                let due: Vec<u32> = model.iter().filter(|&(_, &at)| at <= now).map(|(&slot, _)| slot).collect();
                prop_assert_eq!(expired(&mut wheel, now), due);
                model.retain(|_, &mut at| at > now);
            }
        }

        #[test]
        fn following_next_comes_to_the_deadline_in_few_steps(start in span(), ahead in span()) {
            let mut wheel = wheel(start, 1);
            wheel.set(0, start + ahead);
            let mut now = start;
            for _ in 0..=LEVELS {
                now = wheel.next().expect("one is set");
                if wheel.pop(now).is_some() {
                    break;
                }
            }
            prop_assert_eq!(now, start + ahead);
        }
    }
}
