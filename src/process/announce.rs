//! What is said about proxies and servers when the process is asked to tell or stops: HAProxy's lines.

use crate::config::model::{Proxy, ProxyId};
use crate::log::Level;
use crate::stats::counters::WorkerCounters;
use crate::stats::{Sources, Standing, stop_line, totals};
use crate::table::{Backend, ServerEntry, Snapshot};

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Whose logs it goes to; None: the global ones.
    pub proxy: Option<ProxyId>,
    /// With what severity it is logged.
    pub level: Level,
    /// The message.
    pub text: String,
}

/// The last line of every proxy, at a soft stop; GLOBAL is what HAProxy calls the stats sockets.
pub fn stopped(sources: &Sources, cli_clients: u64) -> Vec<Line> {
    let text = format!("Proxy GLOBAL stopped (cumulated conns: FE: {cli_clients}, BE: {cli_clients}).");
    let global = Line { proxy: None, level: Level::Warning, text };
    proxies(sources)
        .filter(|(id, _)| sources.standings.of(*id) != Standing::Stopped)
        .map(|(id, _)| Line { proxy: Some(id), level: Level::Warning, text: stop_line(sources, id) })
        .chain(has_sockets(sources).then_some(global))
        .collect()
}

/// The state of every server and proxy, for SIGHUP.
pub fn states(sources: &Sources, cli_clients: u64) -> Vec<Line> {
    let table = sources.table.load_full();
    let first = Line {
        proxy: None,
        level: Level::Notice,
        text: "SIGHUP received, dumping servers states.".to_owned(),
    };
    let mut lines = vec![first];
    if has_sockets(sources) {
        let text = format!(
            "SIGHUP: Proxy GLOBAL has no servers. Conn: act(FE+BE): 0+0, 0 pend (0 unass), tot(FE+BE): {cli_clients}+{cli_clients}."
        );
        lines.push(Line { proxy: None, level: Level::Notice, text });
    }
    for (id, proxy) in proxies(sources) {
        let notice = |text| Line { proxy: Some(id), level: Level::Notice, text };
        if proxy.kind.is_backend() {
            let servers = proxy.servers.iter().zip(&table.backend(id).servers);
            lines.extend(
                servers.map(|(server, entry)| notice(server_line(sources, proxy, &server.name, entry))),
            );
        }
        lines.push(notice(proxy_line(sources, &table, id, proxy)));
    }
    lines
}

/// What HAProxy says when a soft stop has lasted for too long.
pub fn hard_stopped(sources: &Sources) -> Vec<Line> {
    let warning = |proxy, text| Line { proxy, level: Level::Warning, text };
    let first = warning(None, "soft-stop running for too long, performing a hard-stop.".to_owned());
    let left = |id| sources.load.frontend(id).live();
    let busy = proxies(sources).filter(|(id, proxy)| proxy.kind.is_frontend() && left(*id) > 0);
    let text = |id, proxy: &Proxy| {
        format!("Proxy {} hard-stopped ({} remaining conns will be closed).", proxy.name, left(id))
    };
    std::iter::once(first).chain(busy.map(|(id, proxy)| warning(Some(id), text(id, proxy)))).collect()
}

fn has_sockets(sources: &Sources) -> bool {
    !sources.config.global.stats_sockets.is_empty()
}

fn proxies(sources: &Sources) -> impl Iterator<Item = (ProxyId, &Proxy)> {
    (0..).map(ProxyId).zip(&sources.config.proxies).filter(|(_, proxy)| !proxy.disabled)
}

fn sum(sources: &Sources, of: impl Fn(&WorkerCounters) -> u64) -> u64 {
    sources.counters.iter().map(|worker| of(worker)).sum()
}

fn server_line(sources: &Sources, proxy: &Proxy, name: &str, entry: &ServerEntry) -> String {
    let cell = sources.load.server(entry.id);
    let state = if entry.state.up() && !entry.state.admin.maint { "UP" } else { "DOWN" };
    let total = sum(sources, |worker| worker.server(entry.id).sessions.value());
    format!(
        "SIGHUP: Server {}/{name} is {state}. Conn: {} act, {} pend, {total} tot.",
        proxy.name,
        cell.live(),
        cell.waiting(),
    )
}

fn proxy_line(sources: &Sources, table: &Snapshot, id: ProxyId, proxy: &Proxy) -> String {
    let backend = proxy.kind.is_backend().then(|| table.backend(id));
    let state = match backend {
        None => "has no servers.".to_owned(),
        Some(backend) => availability(backend),
    };
    let front = sources.load.frontend(id).live();
    let (back, unassigned) = match backend {
        Some(_) => (sources.load.backend(id).live(), sources.load.backend(id).waiting()),
        None => (0, 0),
    };
    let queued =
        |backend: &Backend| backend.servers.iter().map(|entry| sources.load.server(entry.id).waiting()).sum();
    let pending = unassigned + backend.map_or(0, queued);
    let (all_front, all_back) = totals(sources, id);
    format!(
        "SIGHUP: Proxy {} {state} Conn: act(FE+BE): {front}+{back}, {pending} pend ({unassigned} unass), tot(FE+BE): {all_front}+{all_back}.",
        proxy.name,
    )
}

fn availability(backend: &Backend) -> String {
    let usable =
        |backup| backend.servers.iter().filter(|entry| entry.backup == backup && entry.usable()).count();
    match (backend.servers.len(), usable(false), usable(true)) {
        (0, ..) => "has no servers.".to_owned(),
        (_, 0, 0) => "has no server available !".to_owned(),
        (_, 0, _) => "is running on backup servers !".to_owned(),
        (_, active, backup) => format!("has {active} active servers and {backup} backup servers available."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture::{config, sources};

    #[test]
    fn a_stop_counts_what_each_proxy_has_had() {
        let shared = sources(config());
        let sources = shared.borrow();
        sources.counters[0].frontend(ProxyId(0)).connections.add(3);
        sources.counters[0].backend(ProxyId(1)).sessions.add(2);
        let lines = stopped(&sources, 0);
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0].text, "Proxy fe stopped (cumulated conns: FE: 3, BE: 0).");
        assert_eq!(lines[1].text, "Proxy be stopped (cumulated conns: FE: 0, BE: 2).");
        assert_eq!(lines[1].level, Level::Warning);
    }

    #[test]
    fn every_state_reads_as_in_haproxy() {
        let mut config = config();
        config.proxies[1].servers[1].backup = true;
        let shared = sources(config.clone());
        let lines = states(&shared.borrow(), 0);
        let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "SIGHUP received, dumping servers states.",
                "SIGHUP: Proxy fe has no servers. Conn: act(FE+BE): 0+0, 0 pend (0 unass), tot(FE+BE): 0+0.",
                "SIGHUP: Server be/s1 is UP. Conn: 0 act, 0 pend, 0 tot.",
                "SIGHUP: Server be/s2 is UP. Conn: 0 act, 0 pend, 0 tot.",
                "SIGHUP: Proxy be has 1 active servers and 1 backup servers available. Conn: act(FE+BE): 0+0, 0 pend (0 unass), tot(FE+BE): 0+0.",
                "SIGHUP: Proxy web has no servers. Conn: act(FE+BE): 0+0, 0 pend (0 unass), tot(FE+BE): 0+0.",
            ]
        );
        config.proxies[1].servers[0].disabled = true;
        let texts: Vec<String> =
            states(&sources(config.clone()).borrow(), 0).into_iter().map(|line| line.text).collect();
        assert!(texts[2].starts_with("SIGHUP: Server be/s1 is DOWN."));
        assert!(texts[4].starts_with("SIGHUP: Proxy be is running on backup servers ! Conn:"));
        config.proxies[1].servers[1].disabled = true;
        let texts: Vec<String> =
            states(&sources(config).borrow(), 0).into_iter().map(|line| line.text).collect();
        assert!(texts[4].starts_with("SIGHUP: Proxy be has no server available ! Conn:"));
    }
}
