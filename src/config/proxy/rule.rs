//! `acl` and `use_backend` lines.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::{Section, Surroundings};
use crate::config::address::HostName;
use crate::config::diagnostic::{Diagnostic, Form, Report, Severity};
use crate::config::lexer::Line;
use crate::config::supplies::Supplies;
use crate::config::value;
use crate::rules::{self, Acl, Condition, Mistake, Place, Reading};

/// What messages call a `use_backend` line.
const SWITCHING: &str = "switching rule";

/// A `use_backend` line.
#[derive(Clone, Debug)]
pub(crate) struct UseBackendLine {
    /// The line; word 1 names the backend.
    pub line: Line,
    /// None: always.
    pub condition: Option<Condition>,
}

impl Section {
    /// Reads `acl NAME FETCH …`. That of a defaults section is for the rules of that section, of which none has an
    /// effect here; no proxy inherits it.
    pub(super) fn acl(&mut self, line: &Line, around: &mut Surroundings<'_>) {
        let name = line.word(1).unwrap_or("");
        if !check_name(name, line, around.report) {
            return self.acls.push(Acl::unread(name));
        }
        let words = texts(line, 2);
        let acl = around.reading(line, |reading| rules::parse_acl(name, &words, reading));
        let report = &mut *around.report;
        match acl {
            Ok(acl) => {
                warn_of_no_value(&acl, &words, line, 2, report);
                self.acls.extend(self.kind.is_some().then_some(acl));
            }
            Err(mistake) => {
                say(&mistake, &format!("error detected while parsing ACL '{name}' : "), line, 2, report);
                self.acls.push(Acl::unread(name));
            }
        }
    }

    /// Reads `use_backend NAME [if|unless CONDITION]`.
    pub(super) fn use_backend(&mut self, line: &Line, around: &mut Surroundings<'_>) {
        let report = &mut *around.report;
        let Some(name) = line.word(1) else {
            report
                .alert(line, line.end(), "'use_backend' expects a backend name.")
                .help("as in: use_backend static if url_static");
            return;
        };
        if name.contains('%') {
            report
                .alert(line, line.span(1), format!("dynamic backend name '{name}' is not supported here."))
                .help("write a 'use_backend NAME if CONDITION' line for each backend");
            return;
        }
        let condition = match line.word(2) {
            None => None,
            Some("if" | "unless") => match self.condition(line, SWITCHING, around) {
                Some(condition) => Some(condition),
                None => return,
            },
            Some(word) => {
                let text = format!(
                    "unexpected keyword '{word}' after switching rule, only 'if' and 'unless' are allowed."
                );
                report.alert(line, line.span(2), text).help("as in: use_backend static if url_static");
                return;
            }
        };
        self.use_backends.push(UseBackendLine { line: line.clone(), condition });
    }

    /// Reads `stats admin if|unless CONDITION`, which enables the page as its other lines do.
    pub(super) fn stats_admin(&mut self, line: &Line, around: &mut Surroundings<'_>) {
        if !matches!(line.word(2), Some("if" | "unless")) {
            let text = "'stats admin' requires either 'if' or 'unless' followed by a condition.";
            around.report.alert(line, line.end(), text).help("as in: stats admin if LOCALHOST");
            return;
        }
        let condition = self.condition(line, "a 'stats admin' rule", around);
        self.page().admin.extend(condition);
    }

    /// The condition from the third word on of what `rule` calls it.
    fn condition(&mut self, line: &Line, rule: &str, around: &mut Surroundings<'_>) -> Option<Condition> {
        let words = texts(line, 2);
        let acls = &mut self.acls;
        let condition = around.reading(line, |reading| rules::parse_condition(&words, acls, reading));
        let report = &mut *around.report;
        match condition {
            Ok(condition) => {
                warn_of_anonymous(&condition, &words, line, report);
                advise_of_nothing(&condition, rule, line, report);
                Some(condition)
            }
            Err(mistake) => {
                say(&mistake, &format!("error detected while parsing {rule} : "), line, 2, report);
                None
            }
        }
    }
}

impl Surroundings<'_> {
    /// Lends what the ACLs of a line are read with.
    fn reading<T>(&mut self, line: &Line, read: impl FnOnce(&mut Reading<'_>) -> T) -> T {
        let Supplies { files, hosts, .. } = &mut *self.supplies;
        let place = Place { file: Arc::clone(&line.file), line: line.number };
        let mut file = |name: &str| match name.strip_prefix("virt@") {
            Some(_) => Ok("".into()),
            None => files.of_or(&name.to_owned(), "".into()),
        };
        let mut host = |name: &str| match hosts.of_or(&HostName::ipv4(name)?, Ipv4Addr::UNSPECIFIED.into()) {
            Ok(IpAddr::V4(address)) => Some(address),
            _ => None,
        };
        read(&mut Reading { lists: self.lists, place, file: &mut file, host: &mut host })
    }
}

fn texts(line: &Line, from: usize) -> Vec<&str> {
    line.words.get(from..).unwrap_or(&[]).iter().map(|word| word.text.as_str()).collect()
}

fn check_name(name: &str, line: &Line, report: &mut Report) -> bool {
    if let Some(odd) = value::odd_in_name(name) {
        let text = format!("character '{odd}' is not permitted in acl name '{name}'.");
        report.alert(line, line.span(1), text).help(value::NAME_HELP);
        return false;
    }
    if name.eq_ignore_ascii_case("or") {
        let text = format!("acl name '{name}' will never match: 'or' joins the ACLs of a condition.");
        report.alert(line, line.span(1), text).help("give it another name");
        return false;
    }
    true
}

fn say(mistake: &Mistake, before: &str, line: &Line, offset: usize, report: &mut Report) {
    let text = format!("{before}{}", mistake.message);
    let diagnostic = report.alert(line, line.span(offset + mistake.word), text);
    if let Some(help) = &mistake.help {
        diagnostic.help(help.as_str());
    }
}

/// HAProxy warns unless `--` shows that an ACL without values is meant so.
fn warn_of_no_value(acl: &Acl, words: &[&str], line: &Line, at: usize, report: &mut Report) {
    if !acl.patterns.is_empty() || words.contains(&"--") || words.contains(&"-f") {
        return;
    }
    let keyword = words.first().copied().unwrap_or("");
    let text = format!(
        "parsing acl keyword '{keyword}' :\n  no pattern to match against were provided, so this ACL will never match."
    );
    report.push(Diagnostic::at(Severity::Warning, line, line.span(at), text)).form(Form::Bare).help(
        "write values after it, '-m found' to ask whether there is anything, or '--' if it is meant so",
    );
}

/// HAProxy takes it without a word.
fn advise_of_nothing(condition: &Condition, rule: &str, line: &Line, report: &mut Report) {
    if condition.any_of.is_empty() {
        let when = if condition.unless { "always" } else { "never" };
        let text = format!("'{}' without a condition: {rule} {when} applies.", line.words[2].text);
        report.diag(line, line.span(2), text).help("name an ACL after it, or remove the line");
    }
}

fn warn_of_anonymous(condition: &Condition, words: &[&str], line: &Line, report: &mut Report) {
    let opens = words.iter().enumerate().filter(|(_, word)| word.trim_start_matches('!') == "{");
    let anonymous =
        condition.any_of.iter().flatten().flat_map(|term| &term.acls).filter(|acl| acl.name.is_empty());
    for ((at, _), acl) in opens.zip(anonymous) {
        let end = words[at..].iter().position(|word| *word == "}").map_or(words.len(), |length| at + length);
        warn_of_no_value(acl, &words[at + 1..end], line, at + 3, report);
    }
}
