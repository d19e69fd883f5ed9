//! Diagnostics as text for standard error.

use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, renderer::DecorStyle};

use super::{Diagnostic, Excerpt, Severity};

/// What the lines around the diagnostics name.
#[derive(Clone, Debug)]
pub struct Banner<'a> {
    /// The process id in each line.
    pub pid: u32,
    /// The two NOTICE lines before the first warning or alert, without their level and pid.
    pub notices: &'a [String],
    /// Whether diagnostics of level DIAG are shown (`-dD`).
    pub show_diag: bool,
}

/// All diagnostics as HAProxy would print them, each with its source line, caret and help.
pub fn render(diagnostics: &[Diagnostic], banner: &Banner<'_>) -> String {
    let mut out = String::new();
    let mut introduced = false;
    for diagnostic in diagnostics.iter().filter(|d| banner.show_diag || d.severity != Severity::Diag) {
        if diagnostic.severity >= Severity::Warning && !introduced {
            introduced = true;
            for notice in banner.notices {
                push_line(&mut out, Severity::Notice, banner.pid, notice);
            }
        }
        push_line(&mut out, diagnostic.severity, banner.pid, &diagnostic.headline());
        if let Some(details) = details(diagnostic) {
            out.push_str(&details);
            out.push('\n');
        }
    }
    out
}

fn push_line(out: &mut String, severity: Severity, pid: u32, text: &str) {
    writeln!(out, "{severity:<10} ({pid}) : {text}").expect("writing to a String cannot fail");
}

/// Source line, caret and help; None when there is neither source nor help.
fn details(diagnostic: &Diagnostic) -> Option<String> {
    let renderer = Renderer::plain().decor_style(DecorStyle::Ascii);
    let help = diagnostic.help.as_deref();
    let Some(excerpt) = &diagnostic.excerpt else {
        return help.map(|help| format!("  = help: {help}"));
    };
    let (text, span) = printable(excerpt);
    let snippet = Snippet::source(text.as_str())
        .line_start(diagnostic.line as usize)
        .annotation(AnnotationKind::Primary.span(span));
    let mut group = annotate_snippets::Group::with_level(Level::ERROR).element(snippet);
    if let Some(help) = help {
        group = group.element(Level::HELP.message(help));
    }
    Some(renderer.render(&[group]))
}

/// The excerpt with control characters made visible as blanks, and its span on character boundaries.
fn printable(excerpt: &Excerpt) -> (String, std::ops::Range<usize>) {
    let text: String = excerpt.text.chars().map(visible).collect();
    let start = floor_boundary(&text, excerpt.span.start);
    let end = floor_boundary(&text, excerpt.span.end.max(start));
    let end = if end > start { end } else { after(&text, start) };
    (text, start..end)
}

/// Same length in UTF-8 as the character it stands for, so that spans stay right.
fn visible(c: char) -> char {
    if c.is_ascii_control() && c != '\n' { ' ' } else { c }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The end of the character at `start`: an empty span shows one caret.
fn after(text: &str, start: usize) -> usize {
    text[start..].chars().next().filter(|c| *c != '\n').map_or(start, |c| start + c.len_utf8())
}
