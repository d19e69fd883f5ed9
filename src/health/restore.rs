//! Servers that begin as a state file of the process before has them.

use crate::config::model::ProxyId;
use crate::load::Load;
use crate::table::saved::{Restored, Row};
use crate::table::{Health, Snapshot, TablePublisher};

use super::lines::{self, Subject};
use super::tally::Tally;
use super::verdict::Turn;

/// What a row of a state file is about.
pub type Remembered = (ProxyId, u16, Row);

/// Changes the table as the rows say; what is to be said about it, in HAProxy's words.
pub fn restore(publisher: &mut TablePublisher, load: &Load, rows: &[Remembered]) -> Vec<String> {
    let mut said = Vec::new();
    for (proxy, server, row) in rows {
        let before = publisher.shared().load_full();
        let settings = &before.config.proxies[usize::from(proxy.0)];
        let written = &settings.servers[usize::from(*server)];
        match row.restored(written) {
            Ok(restored) => {
                publisher.begin_with(*proxy, *server, |entry| restored.apply(entry));
                let after = publisher.snapshot();
                said.extend(told(&before, after, (*proxy, *server), &restored, load));
            }
            Err(wrong) => {
                let (backend, server) = (&settings.name, &written.name);
                said.push(format!("server-state application failed for server '{backend}/{server}'{wrong}"));
            }
        }
    }
    said
}

fn told(
    before: &Snapshot,
    after: &Snapshot,
    at: (ProxyId, u16),
    restored: &Restored,
    load: &Load,
) -> Vec<String> {
    let settings = &after.config.proxies[usize::from(at.0.0)];
    let server = &settings.servers[usize::from(at.1)];
    let who = Subject { proxy: &settings.name, server: &server.name, backup: server.backup, drained: false };
    let left = |turn| Tally::default().left(before, after, at, turn, load);
    let mut said = Vec::new();
    if server.disabled && !restored.admin.maint {
        said.push(lines::leaves_maintenance(who, restored.admin.drain));
    }
    // A server that the configuration keeps in maintenance changes nothing.
    let kept = server.disabled && restored.admin.maint;
    match restored.was {
        Health::Down if !kept => {
            said.push(lines::state_change(who, Turn::Down, lines::BY_FILE, left(Turn::Down)));
        }
        Health::Stopping if !kept => said.push(lines::stopping(who, lines::BY_FILE, left(Turn::Down))),
        _ => {}
    }
    said.extend(restored.admin.drain.then(|| lines::goes_on_draining(who)));
    said
}
