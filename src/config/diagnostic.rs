//! What is said about a configuration: HAProxy's line, then source, caret and help.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::lexer::{Line, Word};

mod render;

pub use render::{Banner, render};

/// How bad it is; the order is by weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Shown with `-dD` only, never counted by `-dW`.
    Diag,
    /// Information.
    Notice,
    /// Fatal under `-dW` and `zero-warning`.
    Warning,
    /// Shown as an alert and got over, as HAProxy does.
    Overruled,
    /// The configuration is refused.
    Alert,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Severity::Diag => "[DIAG]",
            Severity::Notice => "[NOTICE]",
            Severity::Warning => "[WARNING]",
            Severity::Overruled | Severity::Alert => "[ALERT]",
        })
    }
}

/// How HAProxy writes the place in this message; scripts match on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Form {
    /// `parsing [FILE:LINE] : TEXT`
    #[default]
    Parsing,
    /// `parsing [FILE:LINE]: TEXT`, the lexer's and the `.if` family's.
    ParsingTight,
    /// `[FILE:LINE] : TEXT`, the server line's.
    Bracketed,
    /// `TEXT` alone.
    Bare,
}

/// A stretch of the configuration's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// One logical line.
    pub text: Arc<str>,
    /// The stretch, in bytes of `text`.
    pub span: Range<usize>,
}

/// One message about a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// The file; None when it is about none.
    pub file: Option<Arc<str>>,
    /// 1-based; 0 when it is about no line.
    pub line: u32,
    /// How the place is written.
    pub form: Form,
    /// HAProxy's text after the place.
    pub text: String,
    /// What the caret shows.
    pub excerpt: Option<Excerpt>,
    /// Cause and remedy, for people.
    pub help: Option<String>,
}

/// Where in a line: a word of it, or any stretch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span(pub Range<usize>);

impl From<&Word> for Span {
    fn from(word: &Word) -> Self {
        Span(word.span.clone())
    }
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        Span(range)
    }
}

impl Diagnostic {
    /// About a stretch of a line.
    pub fn at(severity: Severity, line: &Line, span: impl Into<Span>, text: impl Into<String>) -> Self {
        Diagnostic {
            file: Some(line.file.clone()),
            line: line.number,
            form: Form::Parsing,
            excerpt: Some(Excerpt { text: line.raw.clone(), span: span.into().0 }),
            ..Diagnostic::bare(severity, text)
        }
    }

    /// About the configuration as a whole.
    pub fn bare(severity: Severity, text: impl Into<String>) -> Self {
        Diagnostic {
            severity,
            file: None,
            line: 0,
            form: Form::Bare,
            text: text.into(),
            excerpt: None,
            help: None,
        }
    }

    /// Adds cause and remedy.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Changes how the place is written.
    pub fn form(&mut self, form: Form) -> &mut Self {
        self.form = form;
        self
    }

    /// HAProxy's line after the pid: `config : parsing [FILE:LINE] : TEXT`.
    pub fn headline(&self) -> String {
        let (file, line) = (self.file.as_deref().unwrap_or(""), self.line);
        match self.form {
            Form::Parsing => format!("config : parsing [{file}:{line}] : {}", self.text),
            Form::ParsingTight => format!("config : parsing [{file}:{line}]: {}", self.text),
            Form::Bracketed => format!("config : [{file}:{line}] : {}", self.text),
            Form::Bare => format!("config : {}", self.text),
        }
    }
}

/// Collects the diagnostics of a configuration, in the order in which they were found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// An error at a stretch of a line: `report.alert(line, line.span(1), "…").help("…")`.
    pub fn alert(&mut self, line: &Line, span: impl Into<Span>, text: impl Into<String>) -> &mut Diagnostic {
        self.push(Diagnostic::at(Severity::Alert, line, span, text))
    }

    /// A warning at a stretch of a line.
    pub fn warning(
        &mut self,
        line: &Line,
        span: impl Into<Span>,
        text: impl Into<String>,
    ) -> &mut Diagnostic {
        self.push(Diagnostic::at(Severity::Warning, line, span, text))
    }

    /// Advice at a stretch of a line, shown with `-dD`.
    pub fn diag(&mut self, line: &Line, span: impl Into<Span>, text: impl Into<String>) -> &mut Diagnostic {
        self.push(Diagnostic::at(Severity::Diag, line, span, text))
    }

    /// Any diagnostic.
    pub fn push(&mut self, diagnostic: Diagnostic) -> &mut Diagnostic {
        self.diagnostics.push(diagnostic);
        self.diagnostics.last_mut().expect("one was pushed just now")
    }

    /// How many alerts there are.
    pub fn alerts(&self) -> usize {
        self.diagnostics.iter().filter(|d| d.severity == Severity::Alert).count()
    }

    /// All of them.
    pub fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics
    }
}
