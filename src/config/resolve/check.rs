//! What only a complete section shows: modes, missing timeouts, lines without effect.

use super::{Asked, LogStyleLine, bare};
use crate::config::diagnostic::{Diagnostic, Report, Severity};
use crate::config::keyword::{self, Ignored, Keyword, Refusal, Support};
use crate::config::lexer::Line;
use crate::config::model::{Bind, LogTarget, Mode, Proxy};
use crate::config::proxy::Section;
use crate::config::server::cookie_warning;
use crate::config::support;

/// Refuses to proxy HTTP.
pub(super) fn mode(section: &Section, proxy: &Proxy, report: &mut Report) {
    if proxy.mode == Mode::Http {
        http(section, proxy, report);
    }
}

/// Warns of what has no effect, and of what is missing.
pub(super) fn section(section: &Section, proxy: &Proxy, report: &mut Report) {
    if proxy.mode == Mode::Tcp {
        tcp(section, report);
    }
    log_form(section, proxy, report);
    entries(section, report);
    precedence(section, report);
    timeouts(section, proxy, report);
}

fn tcp(section: &Section, report: &mut Report) {
    let shown = section.shown();
    for (row, line) in &section.settings.http_only {
        if let Some(warning) = warning(row, &shown)
            && row.places.contains(section.place())
        {
            report
                .push(bare(Severity::Warning, line, support::span(row, line, 0), warning))
                .help("remove it from this TCP proxy");
        }
    }
    if let Some((_, line)) = &section.settings.exporter {
        let text = keyword::REQUEST_WARNING.replace("{proxy}", &shown);
        report
            .push(bare(Severity::Warning, line, line.span(0), text))
            .help("metrics need a section of its own with 'mode http'");
    }
    if let Some((_, line)) = section.settings.monitor_uri.as_ref().filter(|_| section.is_frontend()) {
        let text = keyword::MONITOR_WARNING.replace("{proxy}", &shown);
        report.push(bare(Severity::Warning, line, line.span(0), text)).help("remove it from this TCP proxy");
    }
    if section.settings.stats.is_some() {
        let text = keyword::STATS_WARNING.replace("{proxy}", &shown);
        report
            .push(bare(Severity::Warning, &section.line, section.line.span(1), text))
            .help("the page needs a section of its own with 'mode http'");
    }
    if let Some((Asked::NeedsHttp, line)) = &section.settings.balance
        && section.is_backend()
    {
        let text = format!(
            "Layer 7 hash not possible for {shown} (needs 'mode http'). Falling back to round robin."
        );
        report
            .push(bare(Severity::Warning, line, line.span(1), text))
            .help("'balance source' keeps a client on its server");
    }
    for server in section.servers.iter().filter(|server| server.cookie) {
        let text = cookie_warning(&shown, &server.server.name);
        report
            .push(bare(Severity::Warning, &server.line, server.line.span(1), text))
            .help("remove 'cookie' from the line");
    }
}

fn warning(row: &Keyword, shown: &str) -> Option<String> {
    let Support::Ignored(Ignored::Http { warning, .. }) = row.support else { return None };
    Some(warning?.replace("{proxy}", shown).replace("{keyword}", row.words))
}

/// What a rule is told that a stats page would have to obey.
const ON_PAGE: Refusal = Refusal::Missing {
    reason: "the stats page is served by itself, without rules",
    remedy: "remove it; protect the page with 'stats auth' and by its bind address",
};

/// The fetches that count servers are not there.
const ON_PROBE: Refusal = Refusal::Missing {
    reason: "'monitor-uri' answers 200 as long as the process serves it",
    remedy: "remove it; how many servers are left is told by 'haproxy_backend_active_servers' of the Prometheus \
             exporter and by the column 'act' of 'show stat'",
};

/// Only the stats page is HTTP here: anything else would have to be proxied.
fn http(section: &Section, proxy: &Proxy, report: &mut Report) {
    for (row, line) in &section.settings.http_only {
        if let Support::Ignored(Ignored::Http { changes_page: true, .. }) = row.support {
            let refusal = if row.words == "monitor fail" { ON_PROBE } else { ON_PAGE };
            support::refuse(row, refusal, line, 0, report);
        }
    }
    let proxies_to = section
        .servers
        .first()
        .map(|server| &server.line)
        .or(section.settings.default_backend.as_ref().filter(|_| section.is_frontend()))
        .or(section.use_backends.first().map(|rule| &rule.line));
    let shown = section.shown();
    let answers = proxy.stats.is_some() || proxy.exporter.is_some() || proxy.monitor_uri.is_some();
    match (proxies_to, answers) {
        (Some(line), _) => {
            let text = format!("{shown} would proxy HTTP (mode http), which is not supported here.");
            report.push(bare(Severity::Alert, line, line.span(0), text)).help(
                "Impala's protocols are TCP, HiveServer2 over HTTP included: write 'mode tcp'; \
                 'mode http' is only for the stats page",
            );
        }
        (None, false) if section.is_frontend() && !section.binds.is_empty() => {
            let text = format!("{shown} has 'mode http' and nothing to answer with.");
            report
                .push(bare(Severity::Alert, &section.line, section.line.span(0), text))
                .help("write 'stats enable' for the stats page, or 'mode tcp'");
        }
        _ => {}
    }
}

fn log_form(section: &Section, proxy: &Proxy, report: &mut Report) {
    if !section.is_frontend() || section.settings.log_style.is_none() {
        return;
    }
    let shown = section.shown();
    if proxy.mode == Mode::Tcp
        && let Some(LogStyleLine::Http(row, line)) = &section.settings.log_style
        && let Some(text) = warning(row, &shown)
    {
        report.warning(line, line.span(1), text).help("write 'option tcplog'");
    }
    if proxy.logs.is_empty() {
        let text = format!("log format ignored for {shown} since it has no log address.");
        report
            .push(bare(Severity::Warning, &section.line, section.line.span(1), text))
            .help("write 'log global' with a 'log' line in global, or a 'log' line here");
    }
}

fn entries(section: &Section, report: &mut Report) {
    if section.is_frontend() && section.binds.is_empty() {
        let shown = section.shown();
        let text =
            format!("{shown} has no 'bind' directive. Please declare it as a backend if this was intended.");
        report
            .push(bare(Severity::Warning, &section.line, section.line.span(1), text))
            .help("write where it listens, as in: bind :21050");
    }
}

/// In a listen section the two contradict each other.
fn precedence(section: &Section, report: &mut Report) {
    let rule = section.settings.default_backend.as_ref().filter(|_| section.is_frontend());
    if let (Some(line), Some(server)) = (rule, section.servers.first()) {
        let text = format!(
            "In {}, the 'default_backend' rule always has precedence over the servers, which will never be used.",
            section.shown()
        );
        report
            .push(bare(Severity::Warning, line, line.span(0), text))
            .help(format!("remove one of the two; the first server is on line {}", server.line.number));
    }
}

fn timeouts(section: &Section, proxy: &Proxy, report: &mut Report) {
    let t = &proxy.timeouts;
    let client = section.is_frontend() && t.client_ms.is_none();
    let served = section.is_backend() && !section.servers.is_empty();
    let connect = served && t.connect_ms.is_none();
    let server = served && t.server_ms.is_none() && (proxy.mode == Mode::Http || t.tunnel_ms.is_none());
    let missing: Vec<&str> = [(client, "client"), (connect, "connect"), (server, "server")]
        .into_iter()
        .filter_map(|(is, name)| is.then_some(name))
        .collect();
    if missing.is_empty() {
        return;
    }
    let text = format!("missing timeouts for {}.", section.shown());
    let help = format!(
        "without them a peer that vanished holds its connection for ever: set 'timeout {}'",
        missing.join("', 'timeout ")
    );
    report.push(bare(Severity::Warning, &section.line, section.line.span(1), text)).help(help);
}

/// Indices are 16 bits wide.
pub(super) fn size(
    sections: &[Section],
    proxies: &[Proxy],
    binds: &[Bind],
    log_targets: &[LogTarget],
    report: &mut Report,
) {
    let most = usize::from(u16::MAX);
    let at = |line: Option<&Line>, what: &str, count: usize, report: &mut Report| {
        if count <= most {
            return;
        }
        let text = format!("too many {what}: {count}, and {most} are possible.");
        match line {
            Some(line) => report.push(bare(Severity::Alert, line, line.span(0), text)),
            None => report.push(Diagnostic::bare(Severity::Alert, text)),
        };
    };
    at(sections.last().map(|section| &section.line), "proxies", sections.len(), report);
    at(None, "listening addresses", binds.len(), report);
    at(None, "log targets", log_targets.len(), report);
    for (section, proxy) in sections.iter().zip(proxies) {
        at(Some(&section.line), "servers", proxy.servers.len(), report);
    }
}
