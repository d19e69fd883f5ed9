//! `.if`, `.elif`, `.else`, `.endif` and the messages `.diag`, `.notice`, `.warning`, `.alert`
//! (configuration manual, section 2.4).

use super::diagnostic::{Form, Report, Severity};
use super::environment::Environment;
use super::lexer::{Line, Word};

mod expression;
mod version;

pub use expression::{ConditionError, evaluate, evaluate_argument};

/// The compile-time features that are here, as HAProxy names them: what `feature()` is true for.
pub const FEATURES: &[&str] = &[
    "ACCEPT4",
    "CPU_AFFINITY",
    "GETADDRINFO",
    "LINUX_SPLICE",
    "LINUX_TPROXY",
    "NETFILTER",
    "PROMEX",
    "SYSTEMD",
    "TFO",
    "THREAD",
    "TPROXY",
];

/// Those of HAProxy 3.5 that are not.
pub const ABSENT: &[&str] = &[
    "51DEGREES",
    "BACKTRACE",
    "CLOSEFROM",
    "CRYPT_H",
    "DEVICEATLAS",
    "DL",
    "ENGINE",
    "EPOLL",
    "EVPORTS",
    "KQUEUE",
    "LIBATOMIC",
    "LIBCRYPT",
    "LUA",
    "MATH",
    "MEMORY_PROFILING",
    "NS",
    "OBSOLETE_LINKER",
    "OPENSSL",
    "OPENSSL_AWSLC",
    "OPENSSL_WOLFSSL",
    "OT",
    "PCRE",
    "PCRE2",
    "PCRE2_JIT",
    "PCRE_JIT",
    "POLL",
    "PRCTL",
    "PROCCTL",
    "PTHREAD_EMULATION",
    "QUIC",
    "QUIC_OPENSSL_COMPAT",
    "RT",
    "SHM_OPEN",
    "SLZ",
    "STATIC_PCRE",
    "STATIC_PCRE2",
    "THREAD_DUMP",
    "WURFL",
    "ZLIB",
];

/// What a condition may ask about.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// For `defined()`.
    pub environment: &'a Environment,
    /// For `enabled(SPLICE)`: no `nosplice` so far.
    pub splice: bool,
    /// For `enabled(REUSEPORT)`: no `noreuseport` so far.
    pub reuseport: bool,
}

/// The open `.if` blocks of a file.
#[derive(Debug, Default)]
pub struct Blocks {
    open: Vec<Block>,
}

#[derive(Debug)]
struct Block {
    /// Whether the block around it is read.
    outer: bool,
    /// Whether the lines of the current branch are read.
    active: bool,
    /// Whether some branch was read already.
    taken: bool,
    /// Whether `.else` has come.
    last: bool,
}

impl Blocks {
    /// Whether the lines at this place are read.
    pub fn active(&self) -> bool {
        self.open.last().is_none_or(|block| block.active)
    }

    /// Whether an `.if` was never closed.
    pub fn unclosed(&self) -> bool {
        !self.open.is_empty()
    }

    /// A line that starts with a dot.
    pub fn directive(&mut self, line: &Line, world: World<'_>, report: &mut Report) {
        match line.keyword() {
            ".if" => self.begin(line, world, report),
            ".elif" => self.branch(line, world, report),
            ".else" => self.otherwise(line, report),
            ".endif" => self.end(line, report),
            _ if !self.active() => {}
            ".diag" => message(line, Severity::Diag, report),
            ".notice" => message(line, Severity::Notice, report),
            ".warning" => message(line, Severity::Warning, report),
            ".alert" => message(line, Severity::Alert, report),
            other => {
                tight(report, line, &line.words[0], format!("unknown directive '{other}'."))
                    .help("known are .if .elif .else .endif .diag .notice .warning .alert");
            }
        }
    }

    fn begin(&mut self, line: &Line, world: World<'_>, report: &mut Report) {
        let outer = self.active();
        let active = outer && condition(line, world, report);
        self.open.push(Block { outer, active, taken: active, last: false });
    }

    fn branch(&mut self, line: &Line, world: World<'_>, report: &mut Report) {
        let Some(block) = self.open.last_mut() else { return lone(report, line) };
        if block.last {
            return after_else(report, line);
        }
        block.active = block.outer && !block.taken && condition(line, world, report);
        block.taken |= block.active;
    }

    fn otherwise(&mut self, line: &Line, report: &mut Report) {
        no_arguments(line, report);
        let Some(block) = self.open.last_mut() else { return lone(report, line) };
        if block.last {
            return after_else(report, line);
        }
        block.last = true;
        block.active = block.outer && !block.taken;
    }

    fn end(&mut self, line: &Line, report: &mut Report) {
        no_arguments(line, report);
        if self.open.pop().is_none() {
            lone(report, line);
        }
    }
}

fn tight<'r>(report: &'r mut Report, line: &Line, word: &Word, text: String) -> &'r mut super::Diagnostic {
    report.alert(line, word, text).form(Form::ParsingTight)
}

fn lone(report: &mut Report, line: &Line) {
    let word = line.keyword();
    tight(report, line, &line.words[0], format!("lone '{word}' with no matching '.if'."))
        .help("each block starts with '.if CONDITION' and ends with one '.endif'");
}

fn after_else(report: &mut Report, line: &Line) {
    let word = line.keyword();
    tight(report, line, &line.words[0], format!("'{word}' after '.else' is not permitted."))
        .help("'.else' is the last branch of a block: close it with '.endif'");
}

fn no_arguments(line: &Line, report: &mut Report) {
    if let Some(extra) = line.arguments().first() {
        let text = format!("Unexpected argument '{}' for '{}'.", extra.text, line.keyword());
        tight(report, line, extra, text).help("write a comment after '#'");
    }
}

/// `.notice "text"`: one argument, printed at that level.
fn message(line: &Line, severity: Severity, report: &mut Report) {
    if let Some(extra) = line.words.get(2) {
        let keyword = line.keyword();
        let text = format!(
            "Unexpected argument '{}' for '{keyword}'. Use quotes if the message should contain spaces.",
            extra.text
        );
        tight(report, line, extra, text).help(format!("write {keyword} \"text of several words\""));
        return;
    }
    let text = format!("'{}'.", line.word(1).unwrap_or(""));
    let mut diagnostic = super::Diagnostic::at(severity, line, line.span(1), text);
    diagnostic.form(Form::ParsingTight);
    report.push(diagnostic);
}

/// The value of the condition of an `.if` or `.elif`; false when it cannot be read.
fn condition(line: &Line, world: World<'_>, report: &mut Report) -> bool {
    let words: Vec<&str> = line.arguments().iter().map(|word| word.text.as_str()).collect();
    let text = words.join(" ");
    match evaluate(&text, world) {
        Ok(value) => value,
        Err(error) => {
            let keyword = line.keyword();
            let headline = format!("{} in '{keyword}' at position {}:", error.text, error.at + 1);
            report.alert(line, place(line, error.at), headline).form(Form::ParsingTight).help(error.help);
            false
        }
    }
}

/// Where the byte `at` of the joined words stands in the raw line: its word.
fn place(line: &Line, mut at: usize) -> std::ops::Range<usize> {
    for word in line.arguments() {
        if at <= word.text.len() {
            let as_written = line.raw.get(word.span.clone()) == Some(word.text.as_str());
            let start = word.span.start + if as_written { at } else { 0 };
            return start..if as_written { start } else { word.span.end };
        }
        at -= word.text.len() + 1;
    }
    line.end()
}

#[cfg(test)]
mod tests;
