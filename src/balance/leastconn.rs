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

/// A server that takes one more session, in a slot or in the queue that its maxqueue grants.
struct Room {
    server: u16,
    crowding: u64,
    slot: bool,
}

/// Looks at every server; when another worker takes the last slot meanwhile, once more.
pub(super) fn choose(slots: &Slots<'_>, avoid: Option<u16>) -> Choice {
    let turn = slots.cursor().turn(slots.candidates().len() as u32);
    for _ in slots.candidates() {
        match least_crowded(slots, turn, avoid) {
            None => break,
            Some(_) if slots.behind_others() => break,
            Some(room) if !room.slot => return Choice::QueueServer(room.server),
            Some(room) if slots.take(room.server) => return Choice::Server(room.server),
            Some(_) => {}
        }
    }
    Choice::QueueBackend
}

fn least_crowded(slots: &Slots<'_>, turn: u32, avoid: Option<u16>) -> Option<Room> {
    let candidates = slots.candidates();
    let (before, after) = candidates.split_at(turn as usize);
    let (mut best, mut avoided) = (None::<Room>, None);
    for room in after.iter().chain(before).filter_map(|&at| room(slots, at)) {
        if Some(room.server) == avoid {
            avoided = Some(room);
        } else if best.as_ref().is_none_or(|best| room.crowding < best.crowding) {
            best = Some(room);
        }
    }
    best.or(avoided)
}

/// How crowded the server is; None: it takes no more.
fn room(slots: &Slots<'_>, server: u16) -> Option<Room> {
    let slot = slots.free(server);
    let sessions = slots.cell(server).live().saturating_add(slots.cell(server).waiting());
    let crowding = crowding(sessions, slots.server(server).effective_weight());
    (slot || slots.queue_open(server)).then_some(Room { server, crowding, slot })
}
