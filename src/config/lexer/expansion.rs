//! The syntax of `$NAME` and `${NAME}` inside double quotes (configuration manual, section 2.3).

use super::{LexError, LexErrorKind};

/// A variable reference.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Variable<'a> {
    pub name: &'a str,
    /// `-default`: used when the variable does not exist.
    pub default: Option<&'a str>,
    /// `[*]`: each blank in the value starts a new word.
    pub as_words: bool,
    /// Where the text goes on.
    pub end: usize,
}

/// What the parser itself knows; no other name starts with a dot.
const PSEUDO: [&str; 3] = [".FILE", ".LINE", ".SECTION"];

/// Reads the reference whose `$` stands at `dollar`.
pub(super) fn variable(text: &str, dollar: usize) -> Result<Variable<'_>, LexError> {
    let bytes = text.as_bytes();
    let braced = bytes.get(dollar + 1) == Some(&b'{');
    let start = dollar + 1 + usize::from(braced);
    let first = bytes.get(start).copied().unwrap_or(0);
    if !(first.is_ascii_alphabetic() || first == b'_' || first == b'.') {
        return Err(LexError { kind: LexErrorKind::VariableStart, at: start });
    }
    let length =
        1 + bytes[start + 1..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    let end = start + length;
    let name = &text[start..end];
    if first == b'.' && !PSEUDO.contains(&name) {
        return Err(LexError { kind: LexErrorKind::VariableStart, at: start });
    }
    if braced {
        braced_tail(text, start, end, name)
    } else {
        Ok(Variable { name, default: None, as_words: false, end })
    }
}

/// What may follow the name in braces: `[*]`, `-default`, `}`.
fn braced_tail<'a>(
    text: &'a str,
    start: usize,
    mut end: usize,
    name: &'a str,
) -> Result<Variable<'a>, LexError> {
    let unmatched = LexError { kind: LexErrorKind::Brace, at: start - 1 };
    let as_words = text[end..].starts_with('[');
    if as_words {
        if !text[end..].starts_with("[*]") {
            return Err(LexError { kind: LexErrorKind::WordExpansion, at: end });
        }
        end += 3;
    }
    let mut default = None;
    if text[end..].starts_with('-') {
        let length = text[end + 1..].find(['}', '"']).ok_or_else(|| unmatched.clone())?;
        default = Some(&text[end + 1..end + 1 + length]);
        end += 1 + length;
    }
    match text[end..].starts_with('}') {
        true => Ok(Variable { name, default, as_words, end: end + 1 }),
        false => Err(unmatched),
    }
}
