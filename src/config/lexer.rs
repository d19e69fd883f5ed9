//! Text to lines to words: quoting, escapes, comments, continuation and environment expansion.
//!
//! Configuration manual, sections 2.1 to 2.3. Lines are cut lazily, one at a time, because a
//! `setenv` changes what the lines after it expand to.

use std::ops::Range;
use std::sync::Arc;

use super::environment::{Here, Variables};

mod expansion;

/// One word of a line, quotes and escapes resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// What the keyword parsers see.
    pub text: String,
    /// Where it stands in [`Line::raw`], in bytes; words of one `"${X[*]}"` share a span.
    pub span: Range<usize>,
    /// Whether any part of it was quoted.
    pub quoted: bool,
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
    let mut pending: Vec<u8> = Vec::new();
    let mut first = 1;
    for (number, part) in (1..).zip(text.split_inclusive(|b| *b == b'\n')) {
        if pending.is_empty() {
            first = number;
        }
        pending.extend_from_slice(part);
        if !continues(&pending) {
            lines.push(raw_line(first, &pending));
            pending.clear();
        }
    }
    if !pending.is_empty() {
        lines.push(raw_line(first, &pending));
    }
    lines
}

/// Whether the text ends in an unescaped `\` and a line feed, outside a comment.
fn continues(text: &[u8]) -> bool {
    let Some(body) = text.strip_suffix(b"\n") else { return false };
    let body = body.strip_suffix(b"\r").unwrap_or(body);
    let backslashes = body.iter().rev().take_while(|b| **b == b'\\').count();
    backslashes % 2 == 1 && !Scan::over(body).comment
}

fn raw_line(number: u32, bytes: &[u8]) -> RawLine {
    let terminated = bytes.ends_with(b"\n");
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let body = body.strip_suffix(b"\r").unwrap_or(body);
    let text = String::from_utf8_lossy(body);
    let lossy = matches!(text, std::borrow::Cow::Owned(_));
    RawLine { number, nul: text.find('\0'), text: text.into_owned(), lossy, terminated }
}

/// The quoting state at the end of some bytes, for the continuation rule alone.
#[derive(Default)]
struct Scan {
    comment: bool,
}

impl Scan {
    fn over(bytes: &[u8]) -> Scan {
        let mut quote = None;
        let mut bytes = bytes.iter();
        while let Some(byte) = bytes.next() {
            match (byte, quote) {
                (b'\\', None | Some(b'"')) => drop(bytes.next()),
                (b'#', None) => return Scan { comment: true },
                (b'"' | b'\'', None) => quote = Some(*byte),
                (_, Some(open)) if open == *byte => quote = None,
                _ => {}
            }
        }
        Scan::default()
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

/// How many bytes the words of one line may hold together.
const LINE_LIMIT: usize = 1 << 20;

/// Cuts one logical line into words; empty for a blank or comment line.
pub fn words(raw: &RawLine, here: Here<'_>, variables: &dyn Variables) -> Result<Vec<Word>, LexError> {
    let mut cutter = Cutter::new(&raw.text, here, variables);
    while cutter.step()? {}
    cutter.finish(raw.lossy)
}

/// The state of cutting one line.
struct Cutter<'a> {
    text: &'a str,
    at: usize,
    here: Here<'a>,
    variables: &'a dyn Variables,
    quote: Option<(u8, usize)>,
    word: Option<Partial>,
    done: Vec<(Partial, usize)>,
    total: usize,
}

/// A word being put together; bytes, because `\xNN` may write half a character.
#[derive(Clone, Debug, Default)]
struct Partial {
    bytes: Vec<u8>,
    start: usize,
    quoted: bool,
}

impl<'a> Cutter<'a> {
    fn new(text: &'a str, here: Here<'a>, variables: &'a dyn Variables) -> Self {
        Cutter { text, at: 0, here, variables, quote: None, word: None, done: Vec::new(), total: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn error(&self, kind: LexErrorKind) -> LexError {
        LexError { kind, at: self.at }
    }

    /// Takes one character, escape or expansion; false at the end of the line.
    fn step(&mut self) -> Result<bool, LexError> {
        let Some(byte) = self.rest().first().copied() else { return Ok(false) };
        match (byte, self.quote.map(|(quote, _)| quote)) {
            (b' ' | b'\t' | b'\n' | b'\r', None) => self.end_word(),
            (b'#', None) => return Ok(false),
            (b'\\', None | Some(b'"')) => self.escape()?,
            (b'"' | b'\'', None) => self.open_quote(byte),
            (_, Some(quote)) if quote == byte => self.close_quote(),
            (b'$', Some(b'"')) => self.expand()?,
            _ => self.push(byte)?,
        }
        Ok(true)
    }

    fn partial(&mut self) -> &mut Partial {
        let start = self.at;
        self.word.get_or_insert_with(|| Partial { start, ..Partial::default() })
    }

    fn put(&mut self, byte: u8) -> Result<(), LexError> {
        self.total += 1;
        if self.total > LINE_LIMIT {
            return Err(self.error(LexErrorKind::TooLong));
        }
        self.partial().bytes.push(byte);
        Ok(())
    }

    fn push(&mut self, byte: u8) -> Result<(), LexError> {
        self.put(byte)?;
        self.at += 1;
        Ok(())
    }

    fn open_quote(&mut self, quote: u8) {
        self.quote = Some((quote, self.at));
        self.partial().quoted = true;
        self.at += 1;
    }

    fn close_quote(&mut self) {
        self.quote = None;
        self.at += 1;
    }

    fn end_word(&mut self) {
        self.cut();
        self.at += 1;
    }

    fn cut(&mut self) {
        if let Some(word) = self.word.take() {
            self.done.push((word, self.at));
        }
    }

    /// A backslash: known escapes are replaced, of any other both characters stay.
    fn escape(&mut self) -> Result<(), LexError> {
        let in_quotes = self.quote.is_some();
        let replaced = match self.rest().get(1).copied() {
            Some(b'\n') => return self.skip_continuation(1),
            Some(b'\r') if self.rest().get(2) == Some(&b'\n') => return self.skip_continuation(2),
            Some(b'x') => return self.hexadecimal(),
            Some(c @ (b' ' | b'\\' | b'"' | b'\'' | b'#')) => Some(c),
            Some(b'$') if in_quotes => Some(b'$'),
            Some(b'n') => Some(b'\n'),
            Some(b'r') => Some(b'\r'),
            Some(b't') => Some(b'\t'),
            _ => None,
        };
        match replaced {
            Some(byte) => {
                self.put(byte)?;
                self.at += 2;
                Ok(())
            }
            None => self.push(b'\\'),
        }
    }

    fn skip_continuation(&mut self, line_end: usize) -> Result<(), LexError> {
        self.at += 1 + line_end;
        Ok(())
    }

    fn hexadecimal(&mut self) -> Result<(), LexError> {
        let digits = self.rest().get(2..4).and_then(|d| std::str::from_utf8(d).ok());
        let byte = digits.filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        match byte.and_then(|d| u8::from_str_radix(d, 16).ok()) {
            Some(byte) => {
                self.put(byte)?;
                self.at += 4;
                Ok(())
            }
            None => Err(self.error(LexErrorKind::Hexadecimal)),
        }
    }

    fn expand(&mut self) -> Result<(), LexError> {
        let variable = expansion::variable(self.text, self.at)?;
        let value = self.variables.value(variable.name, self.here);
        let value = value.as_deref().or(variable.default).unwrap_or("");
        self.partial();
        if variable.as_words {
            self.put_words(value)?;
        } else {
            value.bytes().try_for_each(|byte| self.put(byte))?;
        }
        self.at = variable.end;
        Ok(())
    }

    /// `"${X[*]}"`: each blank in the value starts a new word.
    fn put_words(&mut self, value: &str) -> Result<(), LexError> {
        let start = self.partial().start;
        for (index, part) in value.split_ascii_whitespace().enumerate() {
            if index > 0 {
                self.cut();
                self.word = Some(Partial { start, quoted: true, bytes: Vec::new() });
            }
            part.bytes().try_for_each(|byte| self.put(byte))?;
        }
        Ok(())
    }

    fn finish(mut self, lossy: bool) -> Result<Vec<Word>, LexError> {
        if let Some((_, at)) = self.quote {
            return Err(LexError { kind: LexErrorKind::Quote, at });
        }
        self.cut();
        self.done.into_iter().map(|(word, end)| finished(word, end, lossy)).collect()
    }
}

fn finished(word: Partial, end: usize, lossy: bool) -> Result<Word, LexError> {
    let fail = |kind| LexError { kind, at: word.start };
    if word.bytes.contains(&0) {
        return Err(fail(LexErrorKind::Nul));
    }
    let text =
        String::from_utf8(word.bytes).map_err(|_| LexError { kind: LexErrorKind::Utf8, at: word.start })?;
    if lossy && text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(LexError { kind: LexErrorKind::Utf8, at: word.start });
    }
    Ok(Word { text, span: word.start..end.max(word.start), quoted: word.quoted })
}

#[cfg(test)]
mod tests;
