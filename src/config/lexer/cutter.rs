//! One logical line to words.

use super::{LexError, LexErrorKind, RawLine, Word, expansion};
use crate::config::environment::{Here, Variables};

/// How many bytes the words of one line may hold together.
const LINE_LIMIT: usize = 1 << 20;

/// Cuts one logical line into words; empty for a blank or comment line.
pub fn words(raw: &RawLine, here: Here<'_>, variables: &dyn Variables) -> Result<Vec<Word>, LexError> {
    let mut cutter = Cutter::new(&raw.text, here, variables);
    while cutter.step()? {}
    cutter.finish(raw.lossy)
}

/// The text of a condition given as one argument: quotes, escapes and variables as in a file, but blanks cut
/// nothing (a run of them is one), and `#` is no comment.
pub fn condition(text: &str, variables: &dyn Variables) -> Result<String, LexError> {
    let mut cutter = Cutter::new(text, Here::default(), variables);
    cutter.whole = true;
    while cutter.step()? {}
    let words = cutter.finish(false)?;
    Ok(words.into_iter().map(|word| word.text).collect::<Vec<_>>().join(" "))
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
    /// Whether the line is one word.
    whole: bool,
}

/// A word being put together; bytes, because `\xNN` may write half a character.
#[derive(Clone, Debug, Default)]
struct Partial {
    bytes: Vec<u8>,
    start: usize,
    /// Whether `"${X[*]}"` made it; such a word is none when it stays empty.
    list: bool,
}

impl<'a> Cutter<'a> {
    fn new(text: &'a str, here: Here<'a>, variables: &'a dyn Variables) -> Self {
        Cutter {
            text,
            at: 0,
            here,
            variables,
            quote: None,
            word: None,
            done: Vec::new(),
            total: 0,
            whole: false,
        }
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
            (_, None) if is_blank(byte) && self.whole => self.blanks()?,
            (_, None) if is_blank(byte) => self.end_word(),
            (b'#', None) if !self.whole => return Ok(false),
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
        self.replace(byte, 1)
    }

    /// Puts `byte` for the next `written` bytes of the line.
    fn replace(&mut self, byte: u8, written: usize) -> Result<(), LexError> {
        self.put(byte)?;
        self.at += written;
        Ok(())
    }

    fn open_quote(&mut self, quote: u8) {
        self.quote = Some((quote, self.at));
        // Quotes around nothing make an empty word.
        self.partial();
        self.at += 1;
    }

    fn close_quote(&mut self) {
        self.quote = None;
        self.at += 1;
    }

    fn blanks(&mut self) -> Result<(), LexError> {
        let run = self.rest().iter().take_while(|byte| is_blank(**byte)).count();
        self.replace(b' ', run)
    }

    fn end_word(&mut self) {
        self.cut();
        self.at += 1;
    }

    fn cut(&mut self) {
        if let Some(word) = self.word.take().filter(|word| !(word.list && word.bytes.is_empty())) {
            self.done.push((word, self.at));
        }
    }

    /// A backslash: known escapes are replaced, of any other both characters stay.
    fn escape(&mut self) -> Result<(), LexError> {
        let continued = [&b"\\\n"[..], b"\\\r\n"].into_iter().find(|end| self.rest().starts_with(end));
        if let Some(end) = continued {
            self.at += end.len();
            return Ok(());
        }
        let in_quotes = self.quote.is_some();
        let replaced = match self.rest().get(1).copied() {
            Some(b'x') => return self.hexadecimal(),
            Some(c @ (b' ' | b'\\' | b'"' | b'\'' | b'#')) => Some(c),
            Some(b'$') if in_quotes => Some(b'$'),
            Some(b'n') => Some(b'\n'),
            Some(b'r') => Some(b'\r'),
            Some(b't') => Some(b'\t'),
            _ => None,
        };
        match replaced {
            Some(byte) => self.replace(byte, 2),
            None => self.push(b'\\'),
        }
    }

    fn hexadecimal(&mut self) -> Result<(), LexError> {
        let digits = self.rest().get(2..4).and_then(|d| std::str::from_utf8(d).ok());
        let byte = digits.filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        match byte.and_then(|d| u8::from_str_radix(d, 16).ok()) {
            Some(byte) => self.replace(byte, 4),
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

    /// `"${X[*]}"`: each run of blanks in the value ends a word.
    fn put_words(&mut self, value: &str) -> Result<(), LexError> {
        let start = self.partial().start;
        self.partial().list = true;
        for byte in value.bytes() {
            if is_blank(byte) {
                self.cut();
                self.word = Some(Partial { start, list: true, bytes: Vec::new() });
            } else {
                self.put(byte)?;
            }
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

/// As isspace(3) has it: vertical tabs and form feeds too.
fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == b'\x0b'
}

fn finished(word: Partial, end: usize, lossy: bool) -> Result<Word, LexError> {
    let fail = |kind| LexError { kind, at: word.start };
    if word.bytes.contains(&0) {
        return Err(fail(LexErrorKind::Nul));
    }
    let text = String::from_utf8(word.bytes).map_err(|_| fail(LexErrorKind::Utf8))?;
    if lossy && text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(fail(LexErrorKind::Utf8));
    }
    Ok(Word { text, span: word.start..end.max(word.start) })
}
