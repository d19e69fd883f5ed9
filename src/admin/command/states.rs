//! What is known of backends and servers, for scripts and for the next process.

use std::fmt::Write;

use super::super::answer::Answer;
use super::super::console::Console;
use super::{Row, Typed, row};
use crate::config::model::CliLevel::User;
use crate::config::model::{Proxy, ProxyId};
use crate::stats::Sources;
use crate::table::{Backend, Snapshot, saved};

pub(super) const ROWS: &[Row] = &[
    row("show backend", "", "the names of all backends", User),
    row("show servers conn", "[<backend>]", "servers' connections", User),
    row("show servers state", "[<backend>]", "servers' states, as 'server-state-file' reads them", User),
];

pub(super) fn run(console: &Console, typed: Typed<'_>) -> Answer {
    let sources = console.powers().shared.borrow();
    let table = sources.table.load_full();
    let Some(backends) = wanted(&table, typed.word(0)) else { return Answer::refusal("Can't find backend.") };
    match typed.row.words {
        "show servers state" => {
            let now_ms = sources.now_ms();
            let lines = backends.iter().map(|(settings, backend)| saved::lines(settings, backend, now_ms));
            let lines: String = lines.collect();
            Answer::listing(format!("{}\n# {}\n{lines}", saved::VERSION, saved::FIELDS))
        }
        "show servers conn" => Answer::listing(connections(&sources, &backends)),
        _ => {
            let names: String = all(&table).map(|(settings, _)| format!("{}\n", settings.name)).collect();
            Answer::listing(format!("# name\n{names}"))
        }
    }
}

fn all(table: &Snapshot) -> impl Iterator<Item = (&Proxy, &Backend)> {
    let proxies = (0..).map(ProxyId).zip(&table.config.proxies);
    let backends = proxies.filter(|(_, proxy)| proxy.kind.is_backend() && !proxy.removed);
    // The page of statistics has no servers to speak of.
    backends.map(|(id, settings)| (settings, table.backend(id)))
}

/// The backend of this name, or of this `#` and id; all for no name. None: there is none.
fn wanted<'a>(table: &'a Snapshot, name: &str) -> Option<Vec<(&'a Proxy, &'a Backend)>> {
    let is = |proxy: &Proxy| match name.strip_prefix('#') {
        Some(number) => number.parse() == Ok(proxy.id),
        None => name.is_empty() || proxy.name == name,
    };
    let found: Vec<_> = all(table).filter(|(settings, _)| is(settings)).collect();
    (name.is_empty() || !found.is_empty()).then_some(found)
}

/// A server connection serves one session: none is ever idle.
fn connections(sources: &Sources, backends: &[(&Proxy, &Backend)]) -> String {
    let per_worker = " 0".repeat(sources.workers);
    let mut out = format!(
        "# bkname/svname bkid/svid addr port - purge_delay served used_cur used_max need_est idle_sess unsafe_nb \
         safe_nb idle_lim idle_cur idle_per_thr[{}]\n",
        sources.workers
    );
    for (settings, backend) in backends {
        for (entry, server) in backend.servers.iter().zip(&settings.servers) {
            let (cell, place) = (sources.load.server(entry.id), saved::place(entry));
            let (live, peak) = (cell.live(), cell.peak());
            // Formatting into a String cannot fail.
            let _ = writeln!(
                out,
                "{}/{} {}/{} {} {} - 5000 {live} {live} {peak} {live} 0 0 0 -1 0{per_worker}",
                settings.name, server.name, settings.id, server.id, place.address, place.port,
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::admin::fixture::{ask, console};
    use crate::config::model::CliLevel;

    fn answer(line: &str) -> String {
        ask(&mut console(CliLevel::Operator), line)
    }

    #[test]
    fn one_backend_or_all() {
        assert_eq!(answer("show backend"), "# name\nbe\nweb\n\n");
        let states = answer("show servers state");
        assert!(states.starts_with("1\n# be_id be_name srv_id srv_name "), "{states}");
        assert_eq!(states.lines().count(), 2 + 2 + 1);
        assert_eq!(answer("show servers state be"), states);
        assert_eq!(answer("show servers state #3"), states);
        assert_eq!(answer("show servers state web").lines().count(), 2 + 1);
        assert_eq!(answer("show servers state fe"), "Can't find backend.\n\n");
        assert_eq!(answer("show servers conn 3"), "Can't find backend.\n\n");
    }

    #[test]
    fn connections_are_counted_by_server() {
        let conn = answer("show servers conn be");
        let lines: Vec<&str> = conn.lines().collect();
        assert!(lines[0].ends_with(" idle_per_thr[1]"), "{conn}");
        assert_eq!(lines[1], "be/s1 3/1 127.0.0.1 21001 - 5000 0 0 0 0 0 0 0 -1 0 0");
    }
}
