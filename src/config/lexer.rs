//! Text to lines to words: quoting, escapes, comments, continuation and environment expansion.
//!
//! Configuration manual, sections 2.1 to 2.3. Lines are cut lazily, one at a time, because a
//! `setenv` changes what the lines after it expand to.

use std::ops::Range;
use std::sync::Arc;

mod cutter;
mod expansion;

pub use cutter::{condition, words};

/// One word of a line, quotes and escapes resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// What the keyword parsers see.
    pub text: String,
    /// Where it stands in [`Line::raw`], in bytes; words of one `"${X[*]}"` share a span.
    pub span: Range<usize>,
}

/// The prefix of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Modifier {
    /// No prefix.
    #[default]
    None,
    /// `no …`
    No,
    /// `default …`
    Default,
}

/// One logical line cut into words; a continued line is one.
#[derive(Clone, Debug)]
pub struct Line {
    /// The file's name as given.
    pub file: Arc<str>,
    /// 1-based, of its first physical line.
    pub number: u32,
    /// The text, without the final line feed; inner ones stay for continued lines.
    pub raw: Arc<str>,
    /// `no` or `default`, which is not among the words.
    pub modifier: Modifier,
    /// Never empty: blank lines produce no [`Line`].
    pub words: Vec<Word>,
}

impl Line {
    /// The keyword: the first word's text.
    pub fn keyword(&self) -> &str {
        &self.words[0].text
    }

    /// The text of word `index` (0 is the keyword), None when there is none or it is empty.
    pub fn word(&self, index: usize) -> Option<&str> {
        self.words.get(index).map(|w| w.text.as_str()).filter(|t| !t.is_empty())
    }

    /// The words after the keyword.
    pub fn arguments(&self) -> &[Word] {
        &self.words[1..]
    }

    /// The span of word `index`, or the place just after the last word.
    pub fn span(&self, index: usize) -> Range<usize> {
        self.words.get(index).map_or_else(|| self.end(), |w| w.span.clone())
    }

    /// The empty span just after the last word: where something is missing.
    pub fn end(&self) -> Range<usize> {
        let end = self.words.last().map_or(0, |w| w.span.end);
        end..end
    }

    /// `FILE:LINE`, as [`super::model`] keeps it.
    pub fn declared_at(&self) -> String {
        format!("{}:{}", self.file, self.number)
    }
}

/// A logical line not yet cut into words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawLine {
    /// 1-based, of its first physical line.
    pub number: u32,
    /// Without the final line feed. Bytes that are no UTF-8 are replaced and [`RawLine::lossy`] set.
    pub text: String,
    /// Whether bytes had to be replaced.
    pub lossy: bool,
    /// Byte offset of a NUL character, if any.
    pub nul: Option<usize>,
    /// Whether a line feed ended it.
    pub terminated: bool,
}

impl RawLine {
    /// How far `at` is from the start of its physical line.
    pub fn line_start_offset(&self, at: usize) -> usize {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        before.iter().rev().take_while(|b| **b != b'\n').count()
    }
}

/// Cuts a file into logical lines: a `\` before a line feed continues the line.
pub fn lines(text: &[u8]) -> Vec<RawLine> {
    let mut lines = Vec::new();
    let (mut start, mut end, mut first) = (0, 0, 1);
    let mut scan = Scan::default();
    for (number, part) in (1..).zip(text.split_inclusive(|b| *b == b'\n')) {
        end += part.len();
        scan.pass(part);
        if scan.comment || !ends_in_a_backslash(part) {
            lines.push(raw_line(first, &text[start..end]));
            (start, first, scan) = (end, number + 1, Scan::default());
        }
    }
    if start < end {
        lines.push(raw_line(first, &text[start..end]));
    }
    lines
}

/// Whether the last character before the line feed is an unescaped `\`.
fn ends_in_a_backslash(part: &[u8]) -> bool {
    let Some(body) = part.strip_suffix(b"\n") else { return false };
    let body = body.strip_suffix(b"\r").unwrap_or(body);
    body.iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1
}

fn raw_line(number: u32, bytes: &[u8]) -> RawLine {
    let terminated = bytes.ends_with(b"\n");
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let body = body.strip_suffix(b"\r").unwrap_or(body);
    let text = String::from_utf8_lossy(body);
    let lossy = matches!(text, std::borrow::Cow::Owned(_));
    RawLine { number, nul: text.find('\0'), text: text.into_owned(), lossy, terminated }
}

/// What a logical line is in the middle of; it is passed part by part, each byte once.
#[derive(Default)]
struct Scan {
    quote: Option<u8>,
    escaped: bool,
    comment: bool,
}

impl Scan {
    fn pass(&mut self, part: &[u8]) {
        for byte in part {
            match (byte, self.quote) {
                _ if self.comment => return,
                _ if self.escaped => self.escaped = false,
                (b'\\', None | Some(b'"')) => self.escaped = true,
                (b'#', None) => self.comment = true,
                (b'"' | b'\'', None) => self.quote = Some(*byte),
                (_, Some(open)) if open == *byte => self.quote = None,
                _ => {}
            }
        }
    }
}

/// Why a line cannot be cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LexError {
    /// What is wrong.
    pub kind: LexErrorKind,
    /// Where, in bytes of the raw line.
    pub at: usize,
}

/// The kinds of [`LexError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexErrorKind {
    /// A quote is never closed.
    Quote,
    /// `${` is never closed, or holds something that is no name.
    Brace,
    /// The name after `$` does not start with a letter, `_` or `.`.
    VariableStart,
    /// `${X[` is not followed by `*]`.
    WordExpansion,
    /// `\x` is not followed by two hexadecimal digits.
    Hexadecimal,
    /// The word holds bytes that are no UTF-8.
    Utf8,
    /// The word holds a NUL character, which ends a string everywhere below.
    Nul,
    /// The line expands to more than the parser takes.
    TooLong,
}

impl LexErrorKind {
    /// The words HAProxy uses, up to the position.
    pub fn text(self) -> &'static str {
        match self {
            LexErrorKind::Quote => "unmatched quote",
            LexErrorKind::Brace => "unmatched brace in environment variable name",
            LexErrorKind::VariableStart => "forbidden first char in environment variable name",
            LexErrorKind::WordExpansion => "truncated or invalid word expansion sequence",
            LexErrorKind::Hexadecimal => "truncated or invalid hexadecimal sequence",
            LexErrorKind::Utf8 => "word that is not valid UTF-8",
            LexErrorKind::Nul => "NUL character in a word",
            LexErrorKind::TooLong => "line too long after expansion",
        }
    }

    /// What to do about it.
    pub fn help(self) -> &'static str {
        match self {
            LexErrorKind::Quote => {
                "close it, or write \\\" or \\' (or put it between the other quotes) to mean the character itself"
            }
            LexErrorKind::Brace => "write \"${NAME}\", \"${NAME-default}\" or \"${NAME[*]}\"",
            LexErrorKind::VariableStart => {
                "a name starts with a letter or '_'; write \\$ inside double quotes to mean a dollar"
            }
            LexErrorKind::WordExpansion => "only \"${NAME[*]}\" expands a variable into several words",
            LexErrorKind::Hexadecimal => "\\x takes two hexadecimal digits, as in \\x0a",
            LexErrorKind::Utf8 => {
                "save the file as UTF-8 (iconv -f latin1 -t utf8), and write \\xc3\\xa9 rather than \\xe9"
            }
            LexErrorKind::Nul => "remove \\x00: nothing after it would be seen",
            LexErrorKind::TooLong => "a line may expand to at most 1 MiB: check the environment variables",
        }
    }
}

#[cfg(test)]
mod tests;
