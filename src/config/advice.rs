//! Advice for gateways in front of Impala: shown with `-dD`, never counted as a warning.

use super::diagnostic::{Diagnostic, Form, Report, Severity};
use super::lexer::Line;
use super::model::{Mode, Proxy, ServerAddress};
use super::proxy::Section;

/// Ports of Impala's daemons that no client speaks to, and whose they are
/// (Impala documentation, "Ports Used by Impala").
const INTERNAL_PORTS: [(u16, &str); 6] = [
    (22_000, "the coordinators' and executors' exchange of query fragments (the old Thrift backend)"),
    (23_000, "the coordinator's subscription to the statestore"),
    (23_020, "the catalog's subscription to the statestore"),
    (24_000, "the statestore"),
    (26_000, "the catalog service"),
    (27_000, "the daemons' exchange of query data (KRPC)"),
];

const HOUR_MS: u32 = 3_600_000;

/// Advice on one section; `proxies` are all of them.
pub(super) fn section(section: &Section, proxy: &Proxy, proxies: &[Proxy], report: &mut Report) {
    if proxy.mode != Mode::Tcp {
        return;
    }
    for (written, server) in section.servers.iter().zip(&proxy.servers) {
        internal_port(&written.line, &server.address, report);
        if server.check.is_none() {
            let text = format!("server '{}/{}' has no 'check'.", proxy.name, server.name);
            advise(&written.line, 1, text, report)
                .help("when its coordinator stops, new sessions still go to it and fail: add 'check'");
        }
    }
    timeouts(section, proxy, proxies, report);
}

/// Once both sides have spoken the backend's `timeout tunnel`, where there is one, counts for both.
fn timeouts(section: &Section, proxy: &Proxy, proxies: &[Proxy], report: &mut Report) {
    let t = &proxy.timeouts;
    let chosen = proxy.use_backends.iter().map(|rule| rule.backend).chain(proxy.default_backend);
    let mut tunnels = chosen.map(|id| proxies.get(usize::from(id.0)).and_then(|to| to.timeouts.tunnel_ms));
    if section.is_frontend() && tunnels.any(|tunnel| tunnel.is_none()) {
        short_timeout(section, t.client_ms, "timeout client", report);
    }
    if section.is_backend() && !section.servers.is_empty() {
        match t.tunnel_ms {
            Some(_) => short_timeout(section, t.tunnel_ms, "timeout tunnel", report),
            None => short_timeout(section, t.server_ms, "timeout server", report),
        }
    }
}

fn internal_port(line: &Line, address: &ServerAddress, report: &mut Report) {
    let ServerAddress::Tcp(address) = address else { return };
    let Some((port, whose)) = INTERNAL_PORTS.iter().find(|(port, _)| *port == address.port()) else {
        return;
    };
    let text = format!("port {port} is one of Impala's internal ports.");
    advise(line, 2, text, report).help(format!(
        "it belongs to {whose}; clients connect to 21000 (Beeswax), 21050 (HiveServer2) or 28000 (HiveServer2 over HTTP)"
    ));
}

fn short_timeout(section: &Section, ms: Option<u32>, keyword: &str, report: &mut Report) {
    let Some(ms) = ms.filter(|ms| *ms < HOUR_MS) else { return };
    let line = section.settings.timeout_lines.get(keyword).unwrap_or(&section.line);
    let text = format!("'{keyword}' of {} is {} s, less than an hour.", section.shown(), ms / 1_000);
    advise(line, 2, text, report).help(
        "a connection is silent while a query runs and while a user reads: longer ones are cut; Impala's \
         documentation uses 3600s",
    );
}

fn advise<'r>(line: &Line, word: usize, text: String, report: &'r mut Report) -> &'r mut Diagnostic {
    let diagnostic = Diagnostic::at(Severity::Diag, line, line.span(word), text);
    report.push(diagnostic).form(Form::Parsing)
}
