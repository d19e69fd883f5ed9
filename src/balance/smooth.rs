//! The sequence of roundrobin: servers of unequal weight come as evenly spaced as HAProxy's do.
//!
//! A server of weight w out of a total t comes every t/w turns; the remainder of that division is
//! carried along. Among those that are due the one due first goes first, then the heavier. Servers that
//! have not come yet fill the turns at which nobody is due, the heaviest first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::table::WEIGHT_STEPS;

use super::map::common_divisor;

/// Longest sequence kept, in turns. HAProxy keeps none and has no such bound; with a larger total the
/// weights are scaled down here.
const MAX_TURNS: u32 = 1 << 16;
/// Periods laid out where one period does not hold every server as often as its weight says.
const MANY: u32 = 16;
/// Largest effective weight.
const MAX_WEIGHT: u32 = 256 * WEIGHT_STEPS;

/// Due turn and lateness within it, then the turn it last came at: the smallest goes first.
type Rank = (u64, u32);

#[derive(Debug)]
struct Member {
    server: u16,
    weight: u32,
    /// The turn it is due at, once it has come.
    due: u32,
    /// What total / weight left over so far; below `weight`.
    rest: u32,
}

impl Member {
    /// Comes in its place at `turn`, out of a weight of `total` together.
    fn come(&mut self, turn: u32, total: u32) {
        self.rest += total % self.weight;
        let carry = u32::from(self.rest >= self.weight);
        self.rest -= carry * self.weight;
        self.due = turn + total / self.weight + carry;
    }

    /// Its rank among those that have come, the last time at turn `came`.
    fn rank(&self, came: u32) -> Rank {
        let late = (MAX_WEIGHT + self.rest - self.weight) / WEIGHT_STEPS;
        (u64::from(self.due) * u64::from(MAX_WEIGHT / WEIGHT_STEPS) + u64::from(late), came)
    }
}

/// Total and greatest common divisor.
fn total_and_divisor(weights: &[(u16, u32)]) -> (u32, u32) {
    weights.iter().fold((0, 0), |(total, divisor), &(_, w)| (total + w, common_divisor(w, divisor)))
}

/// The turns of servers with these effective weights (in sixteenths, none 0), to be repeated for ever.
pub(super) fn sequence(weights: &[(u16, u32)]) -> Vec<u16> {
    let (total, divisor) = total_and_divisor(weights);
    if total / divisor > MAX_TURNS {
        return sequence(&scaled(weights, total));
    }
    let period = total / divisor;
    let one = lay_out(weights, total, period);
    if fair(&one, weights, divisor) || period > MAX_TURNS / MANY {
        return complete(one, weights);
    }
    complete(lay_out(weights, total, period * MANY), weights)
}

/// Weights in the same proportions, as far as half of [`MAX_TURNS`] turns can express them.
fn scaled(weights: &[(u16, u32)], total: u32) -> Vec<(u16, u32)> {
    let scale = |w: u32| (u64::from(w) * u64::from(MAX_TURNS / 2) / u64::from(total)).max(1) as u32;
    weights.iter().map(|&(server, w)| (server, scale(w))).collect()
}

/// Whether every server comes as often as its weight says.
fn fair(turns: &[u16], weights: &[(u16, u32)], divisor: u32) -> bool {
    let slots = weights.iter().map(|&(server, _)| usize::from(server)).max().map_or(0, |last| last + 1);
    let mut came = vec![0u32; slots];
    turns.iter().for_each(|&server| came[usize::from(server)] += 1);
    weights.iter().all(|&(server, w)| came[usize::from(server)] == w / divisor)
}

/// Adds the servers that rounding has left out: each one must come.
fn complete(mut turns: Vec<u16>, weights: &[(u16, u32)]) -> Vec<u16> {
    let missing: Vec<u16> =
        weights.iter().map(|&(server, _)| server).filter(|s| !turns.contains(s)).collect();
    turns.extend(missing);
    turns
}

/// The first `turns` turns.
fn lay_out(weights: &[(u16, u32)], total: u32, turns: u32) -> Vec<u16> {
    let member = |&(server, weight): &(u16, u32)| Member { server, weight, due: 0, rest: 0 };
    let mut members: Vec<Member> = weights.iter().map(member).collect();
    members.sort_by_key(|member| Reverse(member.weight));
    let mut fresh = 0..members.len();
    let mut came = BinaryHeap::with_capacity(members.len());
    let mut order = Vec::with_capacity(turns as usize);
    for turn in 0..turns {
        let someone_due =
            came.peek().is_some_and(|&(Reverse(_), at): &(Reverse<Rank>, usize)| members[at].due <= turn);
        let at = if someone_due { None } else { fresh.next() };
        let first_time = at.is_some();
        let at = at.or_else(|| came.pop().map(|(_, at)| at)).expect("every member is fresh or has come");
        let member = &mut members[at];
        member.come(if first_time { turn } else { member.due }, total);
        came.push((Reverse(member.rank(turn)), at));
        order.push(member.server);
    }
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn weights(of: &[u32]) -> Vec<(u16, u32)> {
        (0..).zip(of).filter(|&(_, &w)| w > 0).map(|(at, &w)| (at, w * WEIGHT_STEPS)).collect()
    }

    /// The first `n` turns as letters, the first server being a.
    fn turns(of: &[u32], n: usize) -> String {
        let letter = |&at: &u16| char::from(b'a' + at as u8);
        sequence(&weights(of)).iter().cycle().take(n).map(letter).collect()
    }

    /// What haproxy 2.6.12 did with sequential connections, `balance roundrobin`.
    #[test]
    fn same_order_as_haproxy() {
        let observed: [(&[u32], &str); 13] = [
            (&[3, 1, 2], "acabacacabacacabacacabacacabac"),
            (&[1, 1, 1], "abcabcabcabcabcabcabcabcabcabc"),
            (&[5, 1, 1], "aaabaacaaabaacaaabaacaaabaacaa"),
            (&[2, 3, 7], "ccbcacbcccbaccbcacbcccbaccbcacbcccbaccbcacbcccbaccbcacbcccba"),
            (&[1, 2, 3, 4], "dcdbcdadcbdcdbcdadcbdcdbcdadcbdcdbcdadcbdcdbcdadcbdcdbcdadcb"),
            (&[3, 0, 2], "aacacaacacaacacaacacaacacaacac"),
            (&[0, 1, 2], "ccbccbccbccbccbccbccbccbccbccb"),
            (&[256, 128, 64], "aabacabaabacabaabacabaabacabaabacabaabacabaabacabaabacabaaba"),
            (&[7, 7, 7, 3], "abcabcabcdabcabcadbcabcabdcabcabcdabcabcadbcabcabdcabcabcdab"),
            (&[4, 6, 10], "cbcacbcbcacbcacbcbcacbcacbcbcacbcacbcbcacbcacbcbcacbcacbcbca"),
            (&[13, 5, 9, 2], "acabcaacbacadacbacaacbacabacdacabcaacbacadacbacaacbacabacdac"),
            (&[100, 50, 25, 10], "aabacabadabacabaabacabaabacdabaabacabaabacabadabacabaabacaba"),
            (&[10, 10, 10, 11], "dabdcabdcabdcabdcabdcadbcadbcadbcdabcdabcdabdcabdcabdcabdcab"),
        ];
        for (of, order) in observed {
            assert_eq!(turns(of, order.len()), order, "weights {of:?}");
        }
    }

    /// Observed likewise: with 256 and 1 the light one came last of each 257.
    #[test]
    fn the_lightest_comes_once_a_period() {
        let order = turns(&[256, 1], 514);
        assert_eq!(order.match_indices('b').map(|(at, _)| at).collect::<Vec<_>>(), [256, 513]);
    }

    #[test]
    fn a_great_total_is_scaled_down_and_still_names_everyone() {
        let mut of = vec![255; 999];
        of.push(1);
        let order = sequence(&weights(&of));
        assert!(order.len() <= MAX_TURNS as usize);
        assert!((0..1000).all(|at| order.contains(&at)));
    }

    proptest! {
        #[test]
        fn everyone_comes_as_often_as_the_weight_says(of in prop::collection::vec(1u32..=256, 1..12)) {
            let order = sequence(&weights(&of));
            let total: u32 = of.iter().sum();
            for (at, &w) in (0u16..).zip(&of) {
                let came = order.iter().filter(|&&server| server == at).count() as f64;
                let due = order.len() as f64 * f64::from(w) / f64::from(total);
                prop_assert!((came - due).abs() <= 1.0 && came >= 1.0, "{at} came {came} times, due {due}");
            }
        }
    }
}
