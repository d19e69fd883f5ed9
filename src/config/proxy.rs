//! Lines of defaults, frontend, backend and listen sections (configuration manual, section 4).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::arguments::Arguments;
use super::balance_line::{self, Asked};
use super::bind::{self, BindLine};
use super::diagnostic::{Form, Report};
use super::global::LogTargets;
use super::guid;
use super::keyword::{Ignored, Keyword, Places, Support};
use super::lexer::{Line, Modifier};
use super::log_line;
use super::model::{
    Exporter, HashType, LogTargetId, Mode, Options, Probes, ProxyKind, ServerStates, StatsPage, Timeouts,
};
use super::server::{self, ServerLine, ServerOptions};
use super::supplies::Supplies;
use super::support;
use crate::rules::{Acl, List};

mod option;
mod place;
mod rule;
mod setting;
mod stats;

use place::Standing;
pub(super) use rule::UseBackendLine;

/// What a proxy takes over from its defaults section, and what that section says itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub mode: Option<Mode>,
    pub disabled: bool,
    pub maxconn: Option<u32>,
    /// `rate-limit sessions`.
    pub session_rate: Option<u32>,
    pub fullconn: Option<u32>,
    pub backlog: Option<u32>,
    pub balance: Option<(Asked, Line)>,
    pub hash_type: HashType,
    pub server_states: ServerStates,
    pub retries: Option<u16>,
    pub redispatch_every: i16,
    pub timeouts: Timeouts,
    /// Where each timeout was set, by its keyword.
    pub timeout_lines: BTreeMap<&'static str, Line>,
    pub options: Options,
    pub client_probes: Probes,
    pub server_probes: Probes,
    pub logs: Vec<LogLine>,
    pub log_style: Option<LogStyleLine>,
    pub log_tag: Option<String>,
    pub source: Option<SocketAddr>,
    pub default_backend: Option<Line>,
    pub default_server: ServerOptions,
    pub stats: Option<StatsPage>,
    pub exporter: Option<(Exporter, Line)>,
    pub monitor_uri: Option<(String, Line)>,
    /// Values of timeouts without effect and of rates, by their keyword.
    pub limits: BTreeMap<&'static str, String>,
    /// Lines that only HTTP proxies obey, each keyword once.
    pub http_only: Vec<(&'static Keyword, Line)>,
}

/// Where one `log` line leads, or one that `log global` copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LogLine {
    pub target: LogTargetId,
    /// Which line of `global` it is: none of these is copied twice.
    global: Option<usize>,
}

/// Which option decides the form of log lines, and where it stands.
#[derive(Clone, Debug)]
pub(super) enum LogStyleLine {
    /// `option tcplog`
    Tcplog,
    /// `option httplog` or `option httpslog`, which fall back to it in a TCP proxy.
    Http(&'static Keyword, Line),
}

/// One section.
#[derive(Clone, Debug)]
pub(super) struct Section {
    /// None: a defaults section.
    pub kind: Option<ProxyKind>,
    /// Empty for an unnamed defaults section.
    pub name: String,
    /// The line that opened it.
    pub line: Line,
    /// Inherited and own settings.
    pub settings: Settings,
    /// The timeouts before its first line.
    inherited: Timeouts,
    inherited_limits: BTreeMap<&'static str, String>,
    /// False: what its settings say of the stats page are the words of the defaults.
    has_own_page: bool,
    pub id: Option<(u32, Line)>,
    pub guid: Option<(String, Line)>,
    /// `be-unpublished`.
    pub unpublished: bool,
    pub description: Option<String>,
    pub binds: Vec<BindLine>,
    pub servers: Vec<ServerLine>,
    pub server_state_file_name: Option<String>,
    pub acls: Vec<Acl>,
    pub use_backends: Vec<UseBackendLine>,
}

/// What a section's lines need besides the section.
#[derive(Debug)]
pub(super) struct Surroundings<'a> {
    /// `log` lines of `global`, for `log global`.
    pub global_logs: &'a [LogTargetId],
    /// Whether `global` has a `description` so far.
    pub described: bool,
    pub logs: &'a mut LogTargets,
    pub supplies: &'a mut Supplies,
    pub lists: &'a mut Vec<Arc<List>>,
    pub report: &'a mut Report,
}

/// Lines that may say what only HAProxy can do: where nothing comes of them, that is no mistake.
const SAY_MORE_ELSEWHERE: [&str; 5] = ["balance", "bind", "http-request", "source", "use_backend"];

impl Section {
    /// An empty one that starts from these settings.
    pub fn new(kind: Option<ProxyKind>, name: &str, line: &Line, mut settings: Settings) -> Section {
        if kind == Some(ProxyKind::Backend) {
            settings.default_backend = None;
        }
        Section {
            kind,
            name: name.to_owned(),
            line: line.clone(),
            inherited: settings.timeouts,
            inherited_limits: settings.limits.clone(),
            settings,
            has_own_page: kind.is_none(),
            id: None,
            guid: None,
            unpublished: false,
            description: None,
            binds: Vec::new(),
            servers: Vec::new(),
            server_state_file_name: None,
            acls: Vec::new(),
            use_backends: Vec::new(),
        }
    }

    /// `frontend 'f'`, `backend 'b'` or `proxy 'l'`, as messages name it.
    pub fn shown(&self) -> String {
        format!("{} '{}'", self.kind.map_or("defaults", ProxyKind::word), self.name)
    }

    /// The place its lines are looked up in.
    pub fn place(&self) -> Places {
        match self.kind {
            Some(ProxyKind::Frontend) => Places::FRONTEND,
            Some(ProxyKind::Backend) => Places::BACKEND,
            Some(ProxyKind::Listen) => Places::LISTEN,
            None => Places::DEFAULTS,
        }
    }

    /// Reads one line.
    pub fn line(&mut self, line: &Line, around: &mut Surroundings<'_>) {
        let places = Places::PROXIES;
        let Some(row) = support::find_at(places, line, 0) else {
            return support::unknown(line, self.line.keyword(), self.place(), around.report);
        };
        if !option::may_be_negated(row, line, around.report) {
            return;
        }
        let standing = place::standing(self, row, line, around.report);
        if standing == Standing::Refused || support::is_default_anyway(row, line) {
            return;
        }
        if standing == Standing::InVain {
            return self.line_in_vain(row, line, around);
        }
        if row.words == "log" && line.modifier == Modifier::No {
            return log_line::clear(line, &mut self.settings.logs, around.report);
        }
        if !support::check_arity(row, line, 0, around.report)
            || place::is_log_form_of_backend(self, row, line, around.report)
        {
            return;
        }
        let unused = row.words.starts_with("timeout ") && matches!(row.support, Support::Ignored(_));
        if unused || row.words == "rate-limit sessions" {
            self.warn_of_a_second(row, line, around.report);
        }
        if self.only_http(row, line, around.report) {
            return;
        }
        if support::is_honoured(row, line, 0, around.report) {
            self.honoured(row, line, around);
        }
    }

    /// Reads a line for the side that is missing. Nothing comes of it, but what HAProxy does not take there is a
    /// mistake all the same.
    fn line_in_vain(&self, row: &'static Keyword, line: &Line, around: &mut Surroundings<'_>) {
        let refused = matches!(row.support, Support::Refused(_));
        if refused || !support::check_arity(row, line, 0, around.report) {
            return;
        }
        let first = row.words.split(' ').next().unwrap_or("");
        if matches!(row.support, Support::Honoured(_)) && !SAY_MORE_ELSEWHERE.contains(&first) {
            let mut other = Section { kind: Some(ProxyKind::Listen), ..self.clone() };
            other.honoured(row, line, around);
        }
    }

    /// Notes a keyword that only HTTP proxies obey: what becomes of it depends on the mode, known at the end.
    fn only_http(&mut self, row: &'static Keyword, line: &Line, report: &mut Report) -> bool {
        if !matches!(row.support, Support::Ignored(Ignored::Http { .. })) {
            return false;
        }
        if matches!(row.words, "option httplog" | "option httpslog") {
            self.log_style(LogStyleLine::Http(row, line.clone()), line, report);
            return true;
        }
        if !self.settings.http_only.iter().any(|(known, _)| known.words == row.words) {
            self.settings.http_only.push((row, line.clone()));
        }
        true
    }

    fn honoured(&mut self, row: &'static Keyword, line: &Line, around: &mut Surroundings<'_>) {
        match row.words.split(' ').next().unwrap_or("") {
            "timeout" => {
                let inherited = self.kind.map(|_| self.inherited);
                self.settings.timeout(row, line, inherited, around.report);
            }
            "option" if row.words == "option tcplog" => self.tcplog(line, around.report),
            "option" => self.settings.option(row, line, around.report),
            "http-request" => stats::service(&mut self.settings.exporter, line, around.report),
            "stats" if row.words == "stats admin" => self.stats_admin(line, around),
            "monitor-uri" => stats::monitor_uri(&mut self.settings.monitor_uri, line, around.report),
            "stats" => self.stats(row, line, around),
            "log" => self.log(line, around),
            "acl" => self.acl(line, around),
            "use_backend" => self.use_backend(line, around),
            "bind" => {
                let section = self.line.keyword();
                self.binds.extend(bind::parse_bind(line, section, around.supplies, around.report));
            }
            "server" => self.servers.extend(server::parse_server(
                line,
                &self.name,
                &self.settings.default_server,
                around.supplies,
                around.report,
            )),
            "default-server" => server::parse_default_server(
                line,
                &mut self.settings.default_server,
                around.supplies,
                around.report,
            ),
            "id" => self.own_id(line, around.report),
            "be-unpublished" => self.unpublished = true,
            "guid" => {
                let guid = guid::parse("guid", &mut Arguments::after(line, 1, around.report));
                self.guid = guid.map(|guid| (guid, line.clone()));
            }
            "description" => {
                self.description = Some(Arguments::after(line, 1, around.report).rest().join(" "))
            }
            "server-state-file-name" => self.state_file_name(line, around.report),
            "balance" => {
                let asked = balance_line::parse_balance(&mut Arguments::after(line, 1, around.report));
                self.settings.balance = asked.map(|asked| (asked, line.clone()));
            }
            _ => self.settings.line(row, line, around),
        }
    }

    /// `server-state-file-name [NAME]`. HAProxy takes it in a defaults section too, from where no proxy inherits it.
    fn state_file_name(&mut self, line: &Line, report: &mut Report) {
        let name = Arguments::after(line, 1, report).next();
        self.server_state_file_name = name.filter(|name| *name != "use-backend-name").map(str::to_owned);
        if self.kind.is_none() {
            let text = "'server-state-file-name' has no effect in a 'defaults' section.";
            report.diag(line, line.span(0), text).help("no proxy inherits it: write it in the backends");
        }
    }

    /// HAProxy warns of a second line about a limit that is no longer as inherited, used or not.
    fn warn_of_a_second(&mut self, row: &Keyword, line: &Line, report: &mut Report) {
        let value = line.word(row.length()).unwrap_or("").to_owned();
        let before = self.settings.limits.insert(row.words, value);
        if self.kind.is_some() && before.as_ref() != self.inherited_limits.get(row.words) {
            let timeout = row.words.starts_with("timeout ");
            let what = if timeout { format!("'{}'", row.words) } else { row.words.to_owned() };
            setting::overwriting(&what, line, report);
        }
    }

    /// The number of `id`, which a second line may not change.
    fn own_id(&mut self, line: &Line, report: &mut Report) {
        let id = Arguments::after(line, 1, report).count("id", 1);
        if let (Some(_), Some((first, at))) = (id, &self.id) {
            let text =
                format!("{} has the custom id {first} already, from line {}.", self.shown(), at.number);
            report
                .alert(line, line.span(0), text)
                .form(Form::ParsingTight)
                .help("remove one of the two lines");
            return;
        }
        self.id = id.map(|id| (id, line.clone())).or(self.id.take());
    }

    /// `log global` and `log TARGET…`.
    fn log(&mut self, line: &Line, around: &mut Surroundings<'_>) {
        let logs = &mut self.settings.logs;
        let mut words = Arguments::after(line, 1, around.report);
        if words.peek() != Some("global") {
            if let Some(target) = log_line::parse(&mut words, around.supplies) {
                logs.push(LogLine { target: around.logs.intern(target), global: None });
            }
            return;
        }
        words.at += 1;
        words.end("log");
        for (at, &target) in around.global_logs.iter().enumerate() {
            let line = LogLine { target, global: Some(at) };
            if !logs.contains(&line) {
                logs.push(line);
            }
        }
    }

    /// Whether clients connect to it; a defaults section counts.
    pub fn is_frontend(&self) -> bool {
        self.kind.is_none_or(ProxyKind::is_frontend)
    }

    /// Whether it has servers; a defaults section counts.
    pub fn is_backend(&self) -> bool {
        self.kind.is_none_or(ProxyKind::is_backend)
    }

    /// The mode, which is tcp unless said otherwise.
    pub fn mode(&self) -> Mode {
        self.settings.mode.unwrap_or(Mode::Tcp)
    }
}
