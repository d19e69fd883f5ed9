//! leastconn: the fewest sessions, served and waiting, for the weight; among equals whose turn it is.

use crate::table::WEIGHT_STEPS;

use super::Choice;
use super::slots::Slots;

/// Largest effective weight: the scale that HAProxy rounds its quotients on.
const MAX_WEIGHT: u64 = 256 * WEIGHT_STEPS as u64;

/// Sessions for the weight; an idle server is 0 whatever its weight.
fn crowding(sessions: u32, effective_weight: u32) -> u64 {
    if sessions == 0 { 0 } else { (u64::from(sessions) + 1) * MAX_WEIGHT / u64::from(effective_weight) }
}

/// A server with room, in its slots or in the queue that its maxqueue grants.
struct Found {
    server: u16,
    crowding: u64,
}

/// Looks at every server; when another worker takes the last slot meanwhile, once more.
pub(super) fn choose(slots: &Slots<'_>, avoid: Option<u16>) -> Choice {
    let turn = slots.cursor().turn();
    for _ in slots.candidates() {
        let Some(server) = least_crowded(slots, turn, avoid) else { return Choice::QueueBackend };
        match slots.take_or_wait(server) {
            Choice::QueueServer(at) if slots.server(at).maxqueue.is_none() => continue,
            Choice::QueueFull(_) => continue,
            choice => return choice,
        }
    }
    Choice::QueueBackend
}

fn least_crowded(slots: &Slots<'_>, turn: u64, avoid: Option<u16>) -> Option<u16> {
    let candidates = slots.candidates();
    let (before, after) = candidates.split_at((turn % candidates.len() as u64) as usize);
    let mut best: Option<Found> = None;
    let mut avoided = None;
    for &server in after.iter().chain(before) {
        let Some(crowding) = room(slots, server) else { continue };
        if Some(server) == avoid {
            avoided = avoid;
        } else if best.as_ref().is_none_or(|best| crowding < best.crowding) {
            best = Some(Found { server, crowding });
        }
    }
    best.map(|best| best.server).or(avoided)
}

/// How crowded the server is; None: it takes no more.
fn room(slots: &Slots<'_>, at: u16) -> Option<u64> {
    let (server, cell) = (slots.server(at), slots.cell(at));
    let sessions = cell.live() + cell.waiting();
    let limit = slots.limit(at).map(|limit| limit.saturating_add(server.maxqueue.unwrap_or(0)));
    limit.is_none_or(|limit| sessions < limit).then(|| crowding(sessions, server.effective_weight()))
}
