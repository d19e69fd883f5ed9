//! Ending the sessions of servers that changed their state: `on-marked-down`, `on-marked-up`.
//!
//! The snapshot says which server's sessions end, and since which generation. A worker that has missed
//! some snapshots still sees what they ordered, and walks all its sessions, a step a turn.

use super::Worker;

/// A walk over all sessions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evicting {
    /// The last generation whose orders were obeyed.
    since: u64,
    /// When the order was seen: sessions that begin later are not meant.
    seen_ms: u64,
    /// The next slot.
    from: u32,
}

impl Evicting {
    /// Obeys what was ordered after a generation; what an earlier walk has left over is done again.
    pub(super) fn since(generation: u64, earlier: Option<Evicting>, now_ms: u64) -> Evicting {
        let since = earlier.map_or(generation, |earlier| earlier.since.min(generation));
        Evicting { since, seen_ms: now_ms, from: 0 }
    }
}

impl Worker {
    pub(super) fn evict(&mut self, evicting: Evicting) {
        let (slots, next) = self.step(evicting.from);
        for slot in slots {
            let Some(entry) = self.sessions.get(slot as usize) else { continue };
            let Some(server) = entry.session.server() else { continue };
            let order = self.snapshot.server(server).1.eviction;
            let meant = entry.record.dequeued_ms() <= evicting.seen_ms as i64;
            if order.generation > evicting.since && meant {
                self.end_session(slot, order.cause);
            }
        }
        self.evicting = next.map(|from| Evicting { from, ..evicting });
    }
}
