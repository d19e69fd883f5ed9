//! The walk over the files: conditions, section headers, and which section a line belongs to.
//!
//! `global` and proxy lines go to the [`Draft`]; names, `from` and the old address-on-the-header form
//! are settled here (configuration manual, sections 2.1 and 4).

use std::ops::Range;
use std::sync::Arc;

use super::Source;
use super::address;
use super::conditional::{Blocks, World};
use super::diagnostic::{Diagnostic, Excerpt, Form, Report, Severity};
use super::draft::{Draft, Opening};
use super::environment::{Environment, Here};
use super::keyword::{self, Keyword, Places, Support};
use super::lexer::{self, Line, Modifier, RawLine, Word};
use super::model::{Config, ProxyKind};
use super::suggest::nearest;
use super::supplies::Wants;
use super::support;

mod names;
mod setenv;

use names::Names;

/// How many words a line may have.
const WORDS_MAX: usize = 64;

/// What a line belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    /// Nothing yet in this file.
    Nothing,
    /// Nothing, and that was said already.
    Lost,
    Global,
    /// A defaults section or a proxy.
    Proxy,
    /// A section of another kind, whose lines are not read.
    Skipped,
}

/// Reads files one after the other into a draft.
pub struct Walker<'r> {
    environment: Environment,
    draft: Draft,
    report: &'r mut Report,
    names: Names,
    open: Open,
    /// What `.SECTION` expands to.
    section: String,
    /// Whether a section other than `global` was seen.
    past_global: bool,
    /// Some: every line that is not skipped is kept here, as it was cut.
    kept: Option<Vec<Line>>,
}

impl<'r> Walker<'r> {
    /// Starts with the variables that the first line may expand.
    pub fn new(environment: Environment, draft: Draft, report: &'r mut Report) -> Self {
        Walker {
            environment,
            draft,
            report,
            names: Names::default(),
            open: Open::Nothing,
            section: String::new(),
            past_global: false,
            kept: None,
        }
    }

    /// Keeps every line from now on.
    pub fn keep_lines(&mut self) {
        self.kept = Some(Vec::new());
    }

    /// The lines kept.
    pub fn into_lines(self) -> Vec<Line> {
        self.kept.unwrap_or_default()
    }

    /// Reads one file to its end, whatever is wrong with it.
    pub fn file(&mut self, source: &Source) {
        let name: Arc<str> = source.name.as_str().into();
        let alerts = self.report.alerts();
        let mut blocks = Blocks::default();
        self.open = Open::Nothing;
        let lines = lexer::lines(&source.text);
        for raw in &lines {
            self.raw_line(&name, raw, &mut blocks);
        }
        if let Some(last) = lines.last() {
            self.end_of_file(&name, last, &blocks);
        }
        if self.report.alerts() > alerts {
            let text = format!("Error(s) found in configuration file : {name}");
            self.report.push(Diagnostic::bare(Severity::Alert, text));
        }
    }

    /// Resolves what was read.
    pub fn finish(self) -> (Option<Config>, Wants) {
        self.draft.finish(self.report)
    }

    fn end_of_file(&mut self, file: &Arc<str>, last: &RawLine, blocks: &Blocks) {
        if !last.terminated && !last.text.is_empty() {
            let end = last.text.len();
            let text = format!(
                "Missing LF on last line, file might have been truncated at position {}.",
                last.line_start_offset(end) + 1
            );
            self.lex_alert(file, last, end..end, text).help("end the last line with a line feed");
        }
        if blocks.unclosed() {
            let end = last.text.len();
            self.lex_alert(file, last, end..end, "non-terminated '.if' block.".to_owned())
                .help("each '.if' needs its '.endif' in the same file");
        }
    }

    fn lex_alert(
        &mut self,
        file: &Arc<str>,
        raw: &RawLine,
        span: Range<usize>,
        text: String,
    ) -> &mut Diagnostic {
        self.report.push(Diagnostic {
            file: Some(file.clone()),
            line: raw.number,
            form: Form::ParsingTight,
            excerpt: Some(Excerpt { text: raw.text.as_str().into(), span }),
            ..Diagnostic::bare(Severity::Alert, text)
        })
    }

    fn raw_line(&mut self, file: &Arc<str>, raw: &RawLine, blocks: &mut Blocks) {
        if let Some(at) = raw.nul {
            self.lex_alert(file, raw, at..at, format!("Stray NUL character at position {}.", at + 1))
                .help("the file is not plain text: a NUL ends the line for every reader");
            return;
        }
        let here = Here { file, line: raw.number, section: &self.section };
        match lexer::words(raw, here, &self.environment) {
            Ok(words) if words.is_empty() => {}
            Ok(words) if words.len() > WORDS_MAX => self.too_many(file, raw, &words),
            Ok(words) => {
                let line = Line {
                    file: file.clone(),
                    number: raw.number,
                    raw: raw.text.as_str().into(),
                    modifier: Modifier::None,
                    words,
                };
                self.line(line, blocks);
            }
            Err(error) => {
                let text =
                    format!("{} at position {}:", error.kind.text(), raw.line_start_offset(error.at) + 1);
                self.lex_alert(file, raw, error.at..error.at, text).help(error.kind.help());
            }
        }
    }

    /// HAProxy counts the position in the words as they were cut, with a blank after each.
    fn too_many(&mut self, file: &Arc<str>, raw: &RawLine, words: &[Word]) {
        let last = &words[WORDS_MAX - 1];
        let before: usize = words[..WORDS_MAX - 1].iter().map(|word| word.text.len() + 1).sum();
        let text = format!(
            "too many words, truncating after word {WORDS_MAX}, position {}: <{}>.",
            before + 1,
            last.text
        );
        let first_too_many = words[WORDS_MAX].span.clone();
        self.lex_alert(file, raw, first_too_many, text)
            .help("write a second line, as of an ACL of the same name, or values into a file for '-f'");
    }

    fn line(&mut self, line: Line, blocks: &mut Blocks) {
        if line.keyword().starts_with('.') {
            let tune = self.draft.tune();
            let world =
                World { environment: &self.environment, splice: tune.splice, reuseport: tune.reuseport };
            return blocks.directive(&line, world, self.report);
        }
        if !blocks.active() {
            return;
        }
        if let Some(kept) = &mut self.kept {
            kept.push(line.clone());
        }
        if let Some(line) = self.ended(line)
            && let Some(mut line) = self.modified(line)
        {
            address::variables::expand(&mut line, &self.environment);
            if !self.header(&line) {
                self.body(&line);
            }
        }
    }

    /// An empty word is the end of the line for every keyword, as it is for HAProxy.
    fn ended(&mut self, mut line: Line) -> Option<Line> {
        let Some(empty) = line.words.iter().position(|word| word.text.is_empty()) else { return Some(line) };
        if line.words[empty..].iter().any(|word| !word.text.is_empty()) {
            let position = line.words[empty].span.start + 1;
            let text = format!(
                "argument number {empty} at position {position} is empty and marks the end of the argument list."
            );
            self.report
                .alert(&line, &line.words[empty], text)
                .form(Form::ParsingTight)
                .help("remove it, or use \"${NAME[*]}\" for a variable that may be empty");
            return None;
        }
        line.words.truncate(empty);
        (!line.words.is_empty()).then_some(line)
    }

    /// Takes `no` and `default` off the line; None when they are not permitted there.
    fn modified(&mut self, mut line: Line) -> Option<Line> {
        let modifier = match line.keyword() {
            "no" => Modifier::No,
            "default" => Modifier::Default,
            _ => return Some(line),
        };
        if line.words.get(1).is_some_and(|word| NEGATABLE.contains(&word.text.as_str())) {
            line.words.remove(0);
            line.modifier = modifier;
            return Some(line);
        }
        self.report
            .alert(&line, line.span(1), "negation/default currently supported only for options, log, busy-polling, set-dumpable, strict-limits, insecure-fork-wanted and numa-cpu-mapping.")
            .form(Form::ParsingTight)
            .help("remove the line: what is not set has its default");
        None
    }

    /// Whether the line opens a section; if so, opens it.
    fn header(&mut self, line: &Line) -> bool {
        match line.keyword() {
            "global" => self.global(line),
            "defaults" => self.defaults(line),
            "frontend" => self.proxy(ProxyKind::Frontend, line),
            "backend" => self.proxy(ProxyKind::Backend, line),
            "listen" => self.proxy(ProxyKind::Listen, line),
            keyword => match keyword::find(Places::TOP, [keyword].into_iter()) {
                Some(row) => self.other(row, line),
                None => return false,
            },
        }
        true
    }

    fn enter(&mut self, open: Open, line: &Line) {
        self.past_global |= open != Open::Global;
        self.open = open;
        self.section = line.word(1).unwrap_or(line.keyword()).to_owned();
    }

    fn global(&mut self, line: &Line) {
        if self.past_global {
            let text = "global section detected after a non-global one, \
                        the prevalence of their statements is unspecified";
            self.report.diag(line, &line.words[0], text).help("move it to the top of the file");
        }
        if let Some(extra) = line.arguments().first() {
            let text = format!("'global' cannot handle unexpected argument '{}'.", extra.text);
            self.report.alert(line, extra, text).help("a global section has no name");
        }
        self.enter(Open::Global, line);
        "global".clone_into(&mut self.section);
    }

    fn defaults(&mut self, line: &Line) {
        self.enter(Open::Proxy, line);
        let named = line.word(1).is_some_and(|name| name != "from");
        let name = named.then(|| &line.words[1]);
        let from_at = if named { 2 } else { 1 };
        let defaults = match line.word(from_at) {
            Some("from") => self.names.from(line, from_at, "defaults", self.report),
            Some(extra) => {
                let text = format!("'defaults' : the word '{extra}' after the name has no effect.");
                self.report.warning(line, line.span(from_at), text).help("write 'defaults NAME from OTHER'");
                None
            }
            None => None,
        };
        if !named {
            "defaults".clone_into(&mut self.section);
        }
        if let Some(index) = defaults {
            self.names.used(index, true, line, self.report);
        }
        self.names.add_defaults(name.map_or("", |word| &word.text), line);
        self.draft.open_defaults(&Opening { line, name, defaults });
    }

    fn proxy(&mut self, kind: ProxyKind, line: &Line) {
        self.enter(Open::Proxy, line);
        let keyword = line.keyword();
        let Some(name) = line.words.get(1).filter(|name| !name.text.is_empty()) else {
            let text = format!("'{keyword}' expects an <id> argument");
            self.report.alert(line, line.end(), text).help(format!("name it: {keyword} impala"));
            self.open = Open::Skipped;
            return;
        };
        self.names.check(kind, name, line, self.report);
        let from = line.word(2) == Some("from");
        let defaults = if from {
            self.names.from(line, 2, kind.word(), self.report)
        } else {
            self.names.last_defaults()
        };
        if let Some(index) = defaults {
            self.names.used(index, from, line, self.report);
        }
        self.draft.open_proxy(kind, &Opening { line, name: Some(name), defaults });
        match line.words.get(2) {
            Some(address) if !from => self.old_form(kind, address, line),
            _ => {
                if let Some(extra) = line.words.get(4) {
                    let text = format!("'{keyword}' cannot handle unexpected argument '{}'.", extra.text);
                    self.report
                        .alert(line, extra, text)
                        .help("a section line is KEYWORD NAME [from DEFAULTS]");
                }
            }
        }
    }

    /// `listen NAME ADDR:PORT`, as published Impala configurations have it: a bind line.
    fn old_form(&mut self, kind: ProxyKind, address: &Word, line: &Line) {
        let keyword = line.keyword();
        if kind == ProxyKind::Backend {
            self.report
                .alert(line, address, "please use the 'bind' keyword for listening addresses.")
                .help("a backend does not listen: make it a 'listen' section, or remove the address");
            return;
        }
        self.report
            .diag(line, address, format!("address on the '{keyword}' line; current HAProxy refuses it"))
            .help(format!("write '{keyword} {}' and 'bind {}' below it", line.words[1].text, address.text));
        // HAProxy passed over words there when it took this form.
        if let Some(extra) = line.words.get(3) {
            let text = format!("'{keyword}' : the word '{}' has no effect here.", extra.text);
            self.report.warning(line, extra, text).help("a section line is KEYWORD NAME [from DEFAULTS]");
        }
        let bind = Word { text: "bind".to_owned(), span: line.words[0].span.clone() };
        let line = Line { words: vec![bind, address.clone()], ..line.clone() };
        self.draft.proxy_line(&line, self.report);
    }

    /// A section that is no proxy: refused, or without effect as long as nothing refers to it.
    fn other(&mut self, row: &Keyword, line: &Line) {
        self.enter(Open::Skipped, line);
        if let Support::Refused(refusal) = row.support {
            return support::refuse(row, refusal, line, 0, self.report);
        }
        let text = format!("'{}' section has no effect on a TCP proxy", row.words);
        self.report.diag(line, &line.words[0], text).help("its lines are not read");
    }

    /// A line inside a section.
    fn body(&mut self, line: &Line) {
        match self.open {
            Open::Nothing => self.lost(line),
            Open::Lost | Open::Skipped => {}
            Open::Proxy => self.draft.proxy_line(line, self.report),
            Open::Global if setenv::is_one(line) => {
                setenv::apply(line, &mut self.environment, self.report);
            }
            Open::Global => self.draft.global_line(line, self.report),
        }
    }

    fn lost(&mut self, line: &Line) {
        self.open = Open::Lost;
        let keyword = line.keyword();
        let help = match nearest(keyword, keyword::names(Places::TOP)) {
            Some(near) => format!("did you mean '{near}'? The lines up to the next section are not read"),
            None => "a file starts with a section: global, defaults, frontend, backend or listen".to_owned(),
        };
        let text = format!("unknown keyword '{keyword}' out of section.");
        self.report.alert(line, &line.words[0], text).form(Form::ParsingTight).help(help);
    }
}

/// What `no` and `default` may stand before.
const NEGATABLE: &[&str] = &[
    "option",
    "log",
    "busy-polling",
    "set-dumpable",
    "strict-limits",
    "insecure-fork-wanted",
    "numa-cpu-mapping",
];

#[cfg(test)]
mod tests;
