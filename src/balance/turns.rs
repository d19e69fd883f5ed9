//! roundrobin and static-rr: one sequence of servers, one cursor for all workers.

use super::Choice;
use super::slots::Slots;

/// Turns looked ahead for a free server, per candidate, before all candidates are simply gone through:
/// a long sequence may name one full server thousands of times in a row.
const LOOK_AHEAD: usize = 4;

/// The server whose turn it is; one that is full or avoided loses its turn to the next.
pub(super) fn choose(sequence: &[u16], slots: &Slots<'_>, avoid: Option<u16>) -> Choice {
    let turns = sequence.len() as u32;
    let start = slots.cursor().turn(turns) as usize;
    let candidates = slots.candidates();
    let ahead = sequence.len().min(LOOK_AHEAD * candidates.len());
    for (skipped, &at) in (0..).zip(sequence[start..].iter().chain(sequence).take(ahead)) {
        if Some(at) != avoid && slots.take(at) {
            if skipped > 0 {
                slots.cursor().skip_turns(skipped, turns);
            }
            return Choice::Server(at);
        }
    }
    let (before, after) = candidates.split_at(start % candidates.len());
    slots.take_first(after.iter().chain(before).copied(), avoid)
}
