//! `stats …`: the statistics page (configuration manual, section 4.2, `stats enable` and its kin).

use std::time::Duration;

use super::{Section, Surroundings};
use crate::config::arguments::Arguments;
use crate::config::diagnostic::{Form, Report};
use crate::config::keyword::Keyword;
use crate::config::lexer::Line;
use crate::config::model::{Exporter, StatsPage};
use crate::config::value::{self, TimeUnit};

const URI_DEFAULT: &str = "/haproxy?stats";

impl Section {
    /// Reads one line; any of them enables the page, as in HAProxy.
    pub(super) fn stats(&mut self, row: &Keyword, line: &Line, around: &mut Surroundings<'_>) {
        let words = &mut Arguments::after(line, row.length(), around.report);
        if row.words == "stats show-desc" && words.peek().is_none() && !around.described {
            self.forget_page_of_defaults();
            return nothing_to_show(line, around.report);
        }
        let page = self.page();
        match row.words {
            "stats enable" => {}
            "stats uri" => page.uri = words.next().unwrap_or(URI_DEFAULT).to_owned(),
            "stats realm" => page.realm = words.next().map(str::to_owned),
            "stats auth" => add_account(&mut page.auth, words),
            "stats refresh" => {
                let ms = words.time("stats refresh", TimeUnit::Seconds);
                page.refresh = ms.map(|ms| Duration::from_millis(u64::from(ms)));
            }
            "stats hide-version" => page.hide_version = true,
            "stats show-legends" => page.show_legends = true,
            "stats show-node" => page.show_node = node(words).or(page.show_node.take()),
            "stats show-desc" => {
                let text = words.rest().join(" ");
                page.show_desc = Some((!text.is_empty()).then_some(text));
            }
            "stats scope" => page.scope.extend(words.next().map(str::to_owned)),
            other => unreachable!("'{other}' is honoured in the table but not read"),
        }
    }

    /// The page, which any of its lines enables.
    pub(super) fn page(&mut self) -> &mut StatsPage {
        self.forget_page_of_defaults();
        self.settings.stats.get_or_insert_with(default_page)
    }

    /// The first line of a proxy forgets the page of the defaults with its accounts, as in HAProxy.
    fn forget_page_of_defaults(&mut self) {
        if !std::mem::replace(&mut self.has_own_page, true) {
            self.settings.stats = None;
        }
    }
}

/// Reads `monitor-uri PATH`.
pub(super) fn monitor_uri(uri: &mut Option<(String, Line)>, line: &Line, report: &mut Report) {
    let words = &mut Arguments::after(line, 1, report);
    match words.next().filter(|path| !path.is_empty()) {
        Some(path) => *uri = Some((path.to_owned(), line.clone())),
        None => {
            report
                .alert(line, line.end(), "'monitor-uri' expects an URI.")
                .help("as in: monitor-uri /haproxy_test");
        }
    }
}

/// Reads `http-request use-service NAME [if { path PATH… }]`. Every rule answers on its own paths, one without any on
/// all.
pub(super) fn service(exporter: &mut Option<(Exporter, Line)>, line: &Line, report: &mut Report) {
    let words = &mut Arguments::after(line, 2, report);
    let name = words.next().unwrap_or_default();
    if name != "prometheus-exporter" {
        words
            .alert_last(format!("'{name}' is no service known here."), "the only one is prometheus-exporter");
        return;
    }
    let condition = words.rest();
    let paths = match condition.as_slice() {
        [] => Vec::new(),
        ["if", "{", "path", paths @ .., "}"]
            if !paths.is_empty() && paths.iter().all(|path| path.starts_with('/')) =>
        {
            paths.iter().map(|&path| path.to_owned()).collect()
        }
        _ => {
            words.alert(
                3,
                "conditions of 'http-request use-service' are limited to paths here.",
                "as in: http-request use-service prometheus-exporter if { path /metrics }",
            );
            return;
        }
    };
    match exporter {
        None => *exporter = Some((Exporter { paths }, line.clone())),
        Some((known, _)) if known.paths.is_empty() || paths.is_empty() => known.paths.clear(),
        Some((known, _)) => known.paths.extend(paths),
    }
}

fn default_page() -> StatsPage {
    StatsPage {
        uri: URI_DEFAULT.to_owned(),
        realm: None,
        auth: Vec::new(),
        refresh: None,
        hide_version: false,
        show_legends: false,
        show_node: None,
        show_desc: None,
        scope: Vec::new(),
        admin: Vec::new(),
    }
}

/// HAProxy looks for the description when it reads the line, and passes over the line without one.
fn nothing_to_show(line: &Line, report: &mut Report) {
    let text = "'show-desc' requires a parameter or 'desc' to be set in the global section.";
    report
        .warning(line, line.span(1), text)
        .form(Form::ParsingTight)
        .help("write a text after it, or a 'description' line in the global section above");
}

/// A name to show, or none: the machine's.
fn node(words: &mut Arguments<'_>) -> Option<Option<String>> {
    let Some(name) = words.next() else { return Some(None) };
    if value::is_node_name(name) {
        return Some(Some(name.to_owned()));
    }
    words.form = Form::ParsingTight;
    words.alert_last(
        "'stats show-node' invalid node name - should be a stringwith digits(0-9), letters(A-Z, a-z), hyphen(-) or underscode(_).",
        value::NODE_HELP,
    );
    None
}

/// Of two passwords of one user the first counts.
fn add_account(accounts: &mut Vec<(String, String)>, words: &mut Arguments<'_>) {
    let Some((user, password)) = parse_auth(words) else { return };
    let span = words.line.span(words.at - 1);
    if accounts.iter().any(|(known, _)| *known == user) {
        let text = format!("uri auth: ignoring duplicated user '{user}'.");
        let help = "the password of the first line counts: remove this one";
        words.report.warning(words.line, span, text).form(Form::Bare).help(help);
        return;
    }
    if password.is_empty() {
        let text = format!("'stats auth' : '{user}' opens the page with an empty password.");
        words.report.diag(words.line, span, text).help("as in: stats auth admin:secret");
    }
    accounts.push((user, password));
}

/// A password may contain colons, a user name may not (RFC 7617, section 2). Without a colon the password is empty.
fn parse_auth(words: &mut Arguments<'_>) -> Option<(String, String)> {
    let word = words.next()?;
    let (user, password) = word.split_once(':').unwrap_or((word, ""));
    Some((user.to_owned(), password.to_owned()))
}
