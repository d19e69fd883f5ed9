//! What is left of a backend after each of several changes that were published together.

use std::collections::HashMap;

use crate::config::model::ProxyId;
use crate::load::Load;
use crate::table::{Backend, ServerEntry, Snapshot};

use super::lines::Left;
use super::verdict::Turn;

/// Usable active and backup servers by backend, counted on from the snapshot before the changes.
#[derive(Debug, Default)]
pub struct Tally(HashMap<ProxyId, (u32, u32)>);

impl Tally {
    /// After this server's change, the next in order.
    pub fn left(
        &mut self,
        before: &Snapshot,
        after: &Snapshot,
        (proxy, server): (ProxyId, u16),
        turn: Turn,
        load: &Load,
    ) -> Left {
        let (old, new) = (before.backend(proxy), after.backend(proxy));
        let entry = &new.servers[usize::from(server)];
        let was_usable = old.servers[usize::from(server)].usable();
        let (active, backup) = self.0.entry(proxy).or_insert((old.active, old.backup));
        let before = *active + *backup;
        let count = if entry.backup { &mut *backup } else { &mut *active };
        *count = (*count + u32::from(entry.usable())).saturating_sub(u32::from(was_usable));
        let redispatch = after.config.proxies[usize::from(proxy.0)].redispatch_every != 0;
        let (requeued, queued) = queues(new, entry, turn, load, redispatch);
        let sessions = load.server(entry.id).live();
        let last = before > 0 && *active + *backup == 0;
        Left { active: *active, backup: *backup, last, sessions, requeued, queued }
    }
}

/// Sessions that move to or from the server's queue, and those that stay. Workers move them when they see
/// the new table: what is known now is who waits.
fn queues(backend: &Backend, entry: &ServerEntry, turn: Turn, load: &Load, redispatch: bool) -> (u32, u32) {
    let waiting = load.server(entry.id).waiting();
    match turn {
        Turn::Down if redispatch => (waiting, 0),
        Turn::Down => (0, waiting),
        Turn::Up => {
            let room = entry.maxconn.unwrap_or(u32::MAX);
            (load.backend(backend.proxy).waiting().min(room), waiting)
        }
    }
}
