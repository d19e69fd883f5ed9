//! random(draws): the least crowded of so many servers drawn by weight.

use std::sync::Arc;

use super::Choice;
use super::slots::Slots;

/// The candidates as stretches of a line, each as long as its weight.
#[derive(Clone, Debug)]
pub(super) struct Draws {
    draws: u8,
    /// (server, where its stretch ends).
    ends: Arc<[(u16, u32)]>,
}

impl Draws {
    /// `weights`: effective weights of the candidates, at least one, none 0.
    pub(super) fn new(draws: u8, weights: &[(u16, u32)]) -> Draws {
        let mut end = 0;
        let mut stretch = |&(server, weight): &(u16, u32)| {
            end += weight;
            (server, end)
        };
        Draws { draws: draws.max(1), ends: weights.iter().map(&mut stretch).collect() }
    }

    /// Takes a slot of the best of the draws; when that one is full the session waits for any server. One that waits
    /// takes whatever is free: as in HAProxy it is served by the server that has become free.
    pub(super) fn choose(&self, slots: &Slots<'_>, avoid: Option<u16>, random: &mut fastrand::Rng) -> Choice {
        let mut best = self.draw(avoid, random);
        for _ in 1..self.draws {
            let other = self.draw(avoid, random);
            if less_crowded(slots, other, best) {
                best = other;
            }
        }
        match slots.take(best) {
            true => Choice::Server(best),
            false if slots.is_of_waiter() => slots.take_first(slots.candidates().iter().copied(), avoid),
            false => Choice::QueueBackend,
        }
    }

    /// A server by weight; the neighbour of the one to avoid, if there is one.
    fn draw(&self, avoid: Option<u16>, random: &mut fastrand::Rng) -> u16 {
        let total = self.ends[self.ends.len() - 1].1;
        let point = random.u32(..total);
        let at = self.ends.partition_point(|&(_, end)| end <= point);
        let drawn = self.ends[at].0;
        if Some(drawn) == avoid { self.ends[(at + 1) % self.ends.len()].0 } else { drawn }
    }
}

/// Whether `a` serves fewer sessions for its weight than `b`.
fn less_crowded(slots: &Slots<'_>, a: u16, b: u16) -> bool {
    let share = |of: u16, weight_of: u16| {
        u64::from(slots.cell(of).live()) * u64::from(slots.server(weight_of).effective_weight())
    };
    share(a, b) < share(b, a)
}
