//! From what the lines say to what they mean: references, defaults, numbers, and what only the whole shows.

use std::collections::HashMap;

use super::advice;
use super::balance_line::Asked;
use super::diagnostic::{Diagnostic, Form, Report, Severity, Span};
use super::guid;
use super::lexer::Line;
use super::model::{
    Balance, Bind, BindId, Config, Global, LogStyle, LogTarget, Mode, Proxy, ProxyId, ProxyKind, Server,
    StatsPage, Template, Timeouts, UseBackend,
};
use super::proxy::{LogStyleLine, Section};
use super::server::ServerLine;

mod check;
mod ids;
#[cfg(test)]
mod tests;

use ids::Ids;

const RETRIES_DEFAULT: u16 = 3;
/// HAProxy keeps 0 and 1 for proxies of its own.
const FIRST_PROXY_ID: u32 = 2;

/// Resolves a whole configuration; None when there is an alert.
pub(super) fn config(
    global: Global,
    log_targets: Vec<LogTarget>,
    sections: &[Section],
    report: &mut Report,
) -> Option<Config> {
    // After a line that could not be read, what seems to be missing may have been on it.
    let understood = report.alerts() == 0;
    let mut resolver = Resolver::new(sections, report);
    let proxies: Vec<Proxy> = (0..sections.len()).map(|at| resolver.proxy(at)).collect();
    let binds = resolver.binds;
    for (section, proxy) in sections.iter().zip(&proxies) {
        if proxy.disabled {
            continue;
        }
        check::mode(section, proxy, report);
        if understood {
            check::section(section, proxy, report);
            advice::section(section, proxy, &proxies, report);
        }
    }
    guid::check_unique(sections, report);
    check::size(sections, &proxies, &binds, &log_targets, report);
    (report.alerts() == 0).then_some(Config { global, proxies, binds, log_targets, ..Config::default() })
}

struct Resolver<'a> {
    sections: &'a [Section],
    ids: Vec<u32>,
    binds: Vec<Bind>,
    report: &'a mut Report,
}

impl<'a> Resolver<'a> {
    fn new(sections: &'a [Section], report: &'a mut Report) -> Resolver<'a> {
        let ids = proxy_ids(sections, report);
        Resolver { sections, ids, binds: Vec::new(), report }
    }

    fn proxy(&mut self, at: usize) -> Proxy {
        let section = &self.sections[at];
        let kind = section.kind.expect("defaults sections are kept apart");
        let own = ProxyId(index(at));
        Proxy {
            id: self.ids[at],
            binds: self.section_binds(section, own),
            default_backend: self.default_backend(section, own),
            use_backends: self.use_backends(section),
            servers: self.servers(section),
            ..plain(section, kind)
        }
    }

    /// Appends the section's binds to the whole list and numbers them from 1.
    fn section_binds(&mut self, section: &Section, owner: ProxyId) -> Vec<BindId> {
        let mut ids = Ids::from(1);
        for line in &section.binds {
            if let Some(id) = line.id
                && let Err(taken) = ids.reserve(id, &line.line)
            {
                let text = format!("'id' : custom id {id} already used at {}.", taken.declared_at());
                self.report.alert(&line.line, line.line.span(1), text).help("choose another number");
            }
        }
        let mut own = Vec::new();
        for line in &section.binds {
            for bind in &line.binds {
                let id = ids.of(line.id);
                own.push(BindId(index(self.binds.len())));
                let custom_id = line.id.is_some();
                self.binds.push(Bind { proxy: owner, id, custom_id, ..bind.clone() });
            }
        }
        own
    }

    fn servers(&mut self, section: &Section) -> Vec<Server> {
        let mut ids = Ids::from(1);
        let mut names: HashMap<&str, &Line> = HashMap::new();
        for line in &section.servers {
            let (name, at) = (line.server.name.as_str(), &line.line);
            if let Some(first) = names.insert(name, at) {
                let text = format!(
                    "{}, another server named '{name}' was already defined at line {}, please use distinct names.",
                    section.shown(),
                    first.number
                );
                self.report
                    .alert(at, at.span(1), text)
                    .help("statistics and commands name servers: each needs its own");
            }
            if let Some(id) = line.id
                && let Err(taken) = ids.reserve(id, at)
            {
                let text = format!(
                    "'server {}/{name}' : 'id' : custom id {id} already used at {} ('server {}').",
                    section.name,
                    taken.declared_at(),
                    taken.word(1).unwrap_or("")
                );
                self.report.alert(at, at.span(1), text).form(Form::Bracketed).help("choose another number");
            }
        }
        let numbered = |line: &ServerLine, ids: &mut Ids| Server {
            id: ids.of(line.id),
            custom_id: line.id.is_some(),
            maxconn: line.server.maxconn.max(line.server.minconn),
            ..line.server.clone()
        };
        section.servers.iter().map(|line| numbered(line, &mut ids)).collect()
    }

    fn default_backend(&mut self, section: &Section, own: ProxyId) -> Option<ProxyId> {
        let named = section.settings.default_backend.as_ref();
        let found = named.map(|line| self.backend(section, line, "default_backend"));
        if !section.is_frontend() {
            return None;
        }
        found.unwrap_or_else(|| section.is_backend().then_some(own))
    }

    fn use_backends(&mut self, section: &Section) -> Vec<UseBackend> {
        let rules = section.use_backends.iter();
        rules
            .filter_map(|rule| {
                let backend = self.backend(section, &rule.line, "use_backend")?;
                let condition = rule.condition.clone().map(|it| it.with_all_of(&section.acls));
                Some(UseBackend { backend, condition })
            })
            .collect()
    }

    /// The backend that word 1 of the line names; a disabled proxy may name what is not there.
    fn backend(&mut self, section: &Section, line: &Line, keyword: &str) -> Option<ProxyId> {
        let name = line.word(1)?;
        let found = self.sections.iter().position(|other| other.is_backend() && other.name == name);
        if section.settings.disabled {
            return found.map(|at| ProxyId(index(at)));
        }
        let Some(at) = found else {
            let text = format!("Proxy '{}': unable to find required {keyword}: '{name}'.", section.name);
            let help = self.suggest_backend(name);
            self.report.alert(line, line.span(1), text).form(Form::Bare).help(help);
            return None;
        };
        let target = &self.sections[at];
        if std::ptr::eq(target, section) {
            let text = format!("Proxy '{name}': loop detected for {keyword}: '{name}'.");
            self.report
                .alert(line, line.span(1), text)
                .form(Form::Bare)
                .help("a listen section has its own servers: remove the line, or name another section");
        }
        if section.mode() == Mode::Tcp && target.mode() == Mode::Http {
            let text = format!(
                "tcp {} tries to use the http {} as {keyword}: HTTP is not proxied here.",
                section.shown(),
                target.shown()
            );
            self.report
                .alert(line, line.span(1), text)
                .form(Form::Bare)
                .help("write 'mode tcp' in that section or in its defaults");
        }
        Some(ProxyId(index(at)))
    }

    fn suggest_backend(&self, name: &str) -> String {
        let names = self.sections.iter().filter(|other| other.is_backend()).map(|other| other.name.as_str());
        if self.sections.iter().any(|other| other.name == name) {
            return format!("'{name}' is a frontend: sessions are given to a backend or listen section");
        }
        match super::suggest::nearest(name, names) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("write a 'backend {name}' section, or name one that is there"),
        }
    }
}

/// A named defaults section, for backends that commands add.
pub(super) fn template(section: &Section) -> Template {
    Template { settings: plain(section, ProxyKind::Backend), has_mode: section.settings.mode.is_some() }
}

/// What a section says of itself alone.
fn plain(section: &Section, kind: ProxyKind) -> Proxy {
    let settings = &section.settings;
    let served_here = section.mode() == Mode::Http;
    Proxy {
        custom_id: section.id.is_some(),
        guid: section.guid.as_ref().map(|(guid, _)| guid.clone()),
        unpublished: section.unpublished,
        mode: section.mode(),
        disabled: settings.disabled,
        description: section.description.clone(),
        maxconn: settings.maxconn,
        session_rate: settings.session_rate,
        fullconn: settings.fullconn,
        backlog: settings.backlog,
        acls: section.acls.clone(),
        balance: balance(section),
        hash_type: settings.hash_type,
        server_states: settings.server_states,
        server_state_file_name: section.server_state_file_name.clone(),
        retries: settings.retries.unwrap_or(RETRIES_DEFAULT),
        redispatch_every: settings.redispatch_every,
        timeouts: timeouts(settings.timeouts),
        options: settings.options,
        client_probes: settings.client_probes,
        server_probes: settings.server_probes,
        logs: settings.logs.iter().map(|line| line.target).collect(),
        log_style: log_style(section),
        log_tag: settings.log_tag.clone(),
        source: settings.source,
        stats: settings.stats.clone().filter(|_| served_here).map(|page| with_all_acls(page, section)),
        exporter: settings.exporter.as_ref().filter(|_| served_here).map(|(exporter, _)| exporter.clone()),
        monitor_uri: settings.monitor_uri.as_ref().filter(|_| served_here).map(|(uri, _)| uri.clone()),
        ..Proxy::new(section.name.clone(), kind)
    }
}

/// Its conditions with every ACL that the section has.
fn with_all_acls(page: StatsPage, section: &Section) -> StatsPage {
    let admin = page.admin.into_iter().map(|condition| condition.with_all_of(&section.acls)).collect();
    StatsPage { admin, ..page }
}

fn proxy_ids(sections: &[Section], report: &mut Report) -> Vec<u32> {
    let mut ids = Ids::from(FIRST_PROXY_ID);
    for section in sections {
        if let Some((id, line)) = &section.id
            && let Err(taken) = ids.reserve(*id, line)
        {
            let text = format!(
                "{} reuses same custom id {id} as declared at {}.",
                section.shown(),
                taken.declared_at()
            );
            report.alert(line, line.span(1), text).form(Form::ParsingTight).help("choose another number");
        }
    }
    sections.iter().map(|section| ids.of(section.id.as_ref().map(|(id, _)| *id))).collect()
}

fn balance(section: &Section) -> Balance {
    match section.settings.balance {
        Some((Asked::Algorithm(balance), _)) => balance,
        Some((Asked::NeedsHttp, _)) | None => Balance::RoundRobin,
    }
}

fn timeouts(written: Timeouts) -> Timeouts {
    Timeouts { queue_ms: written.queue_ms.or(written.connect_ms), ..written }
}

fn log_style(section: &Section) -> LogStyle {
    match &section.settings.log_style {
        Some(LogStyleLine::Http(row, _)) if section.mode() == Mode::Http => match row.words {
            "option httpslog" => LogStyle::Httpslog,
            _ => LogStyle::Httplog,
        },
        Some(LogStyleLine::Tcplog | LogStyleLine::Http(..)) => LogStyle::Tcplog,
        None => LogStyle::Connect,
    }
}

/// Indices are 16 bits; [`check::size`] refuses configurations that need more.
fn index(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}

/// A message about the configuration as a whole that shows one of its lines.
fn bare(severity: Severity, line: &Line, span: impl Into<Span>, text: String) -> Diagnostic {
    let mut diagnostic = Diagnostic::at(severity, line, span, text);
    diagnostic.form(Form::Bare);
    diagnostic
}
