//! Servers that come and go while the process runs.
//!
//! Such a server lives in the running configuration alone. It stays through `reload`, until the file has a
//! server of its name; a new process does not know it. One of the file that was deleted or renamed comes back with
//! `reload`.

use std::sync::Arc;

use super::super::answer::Answer;
use super::super::console::Console;
use super::servers;
use super::{Row, Typed, row};
use crate::balance::weights_are_dynamic;
use crate::config::dynamic;
use crate::config::model::CliLevel::Admin;
use crate::config::model::{Config, Mode, ProxyId};
use crate::health::Order;
use crate::log::Level;
use crate::table::{ServerEntry, Snapshot};

pub(super) const ROWS: &[Row] = &[
    row("add server", "<backend>/<server> <address> [opts]", "create a server", Admin),
    row("del server", "<backend>/<server>", "remove a server that is in maintenance and unused", Admin),
];

/// How often a change is tried while others change the configuration too.
const ATTEMPTS: usize = 5;

pub(super) async fn run(console: &Console, typed: Typed<'_>) -> Answer {
    match typed.row.words {
        "add server" => add_server(console, typed).await,
        _ => del_server(console, typed.word(0)).await,
    }
}

async fn add_server(console: &Console, typed: Typed<'_>) -> Answer {
    let (backend, server) = match servers::parts(typed.word(0)) {
        Ok(parts) => parts,
        Err(refusal) => return refusal,
    };
    let mut words = vec![server.to_owned()];
    words.extend(typed.arguments.iter().skip(1).cloned());
    let added = |table: &Snapshot| {
        let proxy = backend_for(&table.config, backend)?;
        let next = dynamic::add_server(&table.config, proxy, &words).map_err(Answer::refusal)?;
        Ok((next, "New server registered.".to_owned()))
    };
    change(console, added).await
}

/// A backend that takes further servers.
fn backend_for(config: &Config, name: &str) -> Result<ProxyId, Answer> {
    let proxy = servers::backend(config, name).ok_or_else(|| Answer::refusal("No such backend."))?;
    let settings = &config.proxies[usize::from(proxy.0)];
    if settings.mode == Mode::Http {
        return Err(Answer::refusal("This backend has 'mode http', which is not proxied here."));
    }
    if !weights_are_dynamic(settings) {
        let text = "Backend must use a dynamic load balancing to support dynamic servers.";
        return Err(Answer::refusal(text));
    }
    match settings.disabled {
        true => Err(Answer::refusal("Proxy is disabled.")),
        false => Ok(proxy),
    }
}

async fn del_server(console: &Console, path: &str) -> Answer {
    let removed = |table: &Snapshot| {
        let (proxy, at) = servers::place(&table.config, path)?;
        match obstacle(console, servers::entry(table, path)?) {
            None => Ok((dynamic::del_server(&table.config, proxy, at), "Server deleted.".to_owned())),
            Some(obstacle) => Err(Answer::refusal(obstacle.text())),
        }
    };
    change(console, removed).await
}

/// `set server NAME name`: a server in maintenance keeps everything but its name.
pub(super) async fn rename(console: &Console, path: &str, name: &str) -> Answer {
    if name.is_empty() {
        return Answer::refusal("'set server <srv> name' expects the new name.");
    }
    let renamed = |table: &Snapshot| {
        let (proxy, at) = servers::place(&table.config, path)?;
        if obstacle(console, servers::entry(table, path)?) == Some(Obstacle::Service) {
            return Err(Answer::refusal("Only servers in maintenance mode can be renamed."));
        }
        let next = dynamic::rename_server(&table.config, proxy, at, name).map_err(Answer::refusal)?;
        Ok((next, String::new()))
    };
    change(console, renamed).await
}

/// Why a server cannot be deleted yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// It is in service.
    Service,
    /// It has sessions, or some wait for it.
    Sessions,
}

impl Obstacle {
    /// In HAProxy's words.
    pub(super) fn text(self) -> &'static str {
        match self {
            Obstacle::Service => "Only servers in maintenance mode can be deleted.",
            Obstacle::Sessions => "Server still has connections attached to it, cannot remove it.",
        }
    }
}

/// What still needs the server.
pub(super) fn obstacle(console: &Console, entry: &ServerEntry) -> Option<Obstacle> {
    if !entry.state.admin.is_out() {
        return Some(Obstacle::Service);
    }
    let sources = console.powers().shared.borrow();
    let cell = sources.load.server(entry.id);
    (cell.live() + cell.waiting() > 0).then_some(Obstacle::Sessions)
}

/// Lets the process follow what `make` makes of its configuration, then says what that said.
pub(super) async fn change(
    console: &Console,
    make: impl Fn(&Snapshot) -> Result<(Config, String), Answer>,
) -> Answer {
    let powers = console.powers();
    let mut refused = String::new();
    for _ in 0..ATTEMPTS {
        let table = console.table();
        let (next, done) = match make(&table) {
            Ok((next, done)) => (Arc::new(next), done),
            Err(refusal) => return refusal,
        };
        let base = Arc::clone(&table.config);
        match powers.health.order(Order::Replace { base, next }).await {
            Err(error) => refused = error,
            Ok(_) => {
                powers.shared.borrow_mut().follow_table();
                return Answer::message(Level::Info, done);
            }
        }
    }
    Answer::refusal(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture::{ask, console};

    #[test]
    fn refusals_are_haproxys() {
        let mut console = console(Admin);
        for (line, answer) in [
            ("add server", "Require 'backend/server'."),
            ("add server be/", "Require 'backend/server'."),
            ("add server nope/s3 127.0.0.1:1", "No such backend."),
            ("add server fe/s3 127.0.0.1:1", "No such backend."),
            ("add server be/s3", "'server' expects <name> and <addr>[:<port>] as arguments."),
            ("add server be/s1 127.0.0.1:1", "Already exists a server with the same name in backend."),
            ("add server web/s1 127.0.0.1:1", "This backend has 'mode http', which is not proxied here."),
            ("del server be/s1", "Only servers in maintenance mode can be deleted."),
            ("del server be/nope", "No such server."),
            ("del server nope/s1", "No such backend."),
        ] {
            assert_eq!(ask(&mut console, line), format!("{answer}\n\n"), "{line}");
        }
    }
}
