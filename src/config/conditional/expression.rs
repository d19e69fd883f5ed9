//! Conditions: `!`, `&&`, `||`, parentheses, integers and predicates.

use super::version::Version;
use super::{FEATURES, World};
use crate::config::environment::HAPROXY_VERSION;
use crate::config::lexer::{self, LexErrorKind};

/// Why a condition cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionError {
    /// HAProxy's text, up to ` in '.if'`.
    pub text: String,
    /// Where in the condition, in bytes.
    pub at: usize,
    /// What to do about it.
    pub help: &'static str,
}

/// How deep parentheses and negations may nest.
const DEPTH: usize = 64;

/// The value of a condition that is one argument of a command line, where quotes, escapes and variables are still
/// to be resolved. The error is HAProxy's text.
pub fn evaluate_argument(text: &str, world: World<'_>) -> Result<bool, String> {
    let text = lexer::condition(text, world.environment).map_err(|error| match error.kind {
        LexErrorKind::Quote => "Syntax Error in condition: Unmatched quote.".to_owned(),
        kind => format!("Syntax Error in condition: {}: {}.", kind.text(), kind.help()),
    })?;
    if !text.is_empty() && text.trim_ascii().is_empty() {
        return Err(format!("Failed to evaluate condition: unparsable conditional sub-expression '{text}'"));
    }
    evaluate(&text, world)
        .map_err(|error| format!("Failed to evaluate condition: {} ({})", error.text, error.help))
}

/// The value of a condition; an empty one is false.
pub fn evaluate(text: &str, world: World<'_>) -> Result<bool, ConditionError> {
    let mut reader = Reader { text, at: 0, world };
    reader.blanks();
    if reader.rest().is_empty() {
        return Ok(false);
    }
    let value = reader.any(DEPTH)?;
    reader.blanks();
    match reader.rest().chars().next() {
        None => Ok(value),
        Some(extra) => Err(ConditionError {
            text: format!("unexpected character '{extra}' at the end of conditional expression '{text}'"),
            at: reader.at,
            help: "join conditions with && or ||",
        }),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    world: World<'a>,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    /// Takes `mark` if it comes next.
    fn take(&mut self, mark: &str) -> bool {
        let found = self.rest().starts_with(mark);
        self.at += if found { mark.len() } else { 0 };
        found
    }

    /// `all || all …`
    fn any(&mut self, depth: usize) -> Result<bool, ConditionError> {
        self.chain("||", depth, Reader::all, |left, right| left | right)
    }

    /// `term && term …`
    fn all(&mut self, depth: usize) -> Result<bool, ConditionError> {
        self.chain("&&", depth, Reader::term, |left, right| left & right)
    }

    fn chain(
        &mut self,
        operator: &str,
        depth: usize,
        part: fn(&mut Self, usize) -> Result<bool, ConditionError>,
        join: fn(bool, bool) -> bool,
    ) -> Result<bool, ConditionError> {
        let start = self.at;
        let mut value = part(self, depth)?;
        loop {
            self.blanks();
            let operator_at = if operator == "||" { start } else { self.at };
            if !self.take(operator) {
                return Ok(value);
            }
            self.blanks();
            if self.rest().is_empty() {
                self.at = operator_at;
                return Err(self.unparsable());
            }
            value = join(value, part(self, depth)?);
        }
    }

    fn unparsable(&self) -> ConditionError {
        ConditionError {
            text: format!("unparsable conditional expression '{}'", self.rest()),
            at: self.at,
            help: "a condition is 0, 1, PREDICATE(ARGUMENTS), or several joined by !, &&, || and parentheses; \
                   predicates: defined feature streq strneq strstr version_atleast version_before enabled",
        }
    }

    fn term(&mut self, depth: usize) -> Result<bool, ConditionError> {
        let start = self.at;
        if depth == 0 {
            return Err(ConditionError { help: "nest at most 64 levels", ..self.unparsable() });
        }
        let mut negated = false;
        while self.take("!") {
            negated = !negated;
            self.blanks();
        }
        let value = match self.rest().bytes().next() {
            Some(b'(') => self.parenthesis(start, depth),
            Some(b'0'..=b'9' | b'-' | b'+') => self.integer(start),
            _ => self.predicate(start),
        };
        value.map(|value| value != negated)
    }

    /// What starts at `start` is no term.
    fn no_term(&mut self, start: usize) -> ConditionError {
        self.at = start;
        self.unparsable()
    }

    fn parenthesis(&mut self, start: usize, depth: usize) -> Result<bool, ConditionError> {
        self.at += 1;
        self.blanks();
        let value = self.any(depth - 1)?;
        self.blanks();
        if self.take(")") {
            return Ok(value);
        }
        let text = format!("expected ')' after conditional expression '{}'", &self.text[start..]);
        Err(ConditionError { text, at: start, help: "close the parenthesis" })
    }

    /// Zero is false, any other integer true; `0x` and a leading 0 choose the base, as in C.
    fn integer(&mut self, start: usize) -> Result<bool, ConditionError> {
        let rest = self.rest();
        let sign = usize::from(rest.starts_with(['-', '+']));
        let digits = &rest.as_bytes()[sign..];
        let run = |from: &[u8], base: u32| from.iter().take_while(|b| char::from(**b).is_digit(base)).count();
        let hexadecimal = match digits {
            [b'0', b'x' | b'X', after @ ..] => run(after, 16),
            _ => 0,
        };
        let length = match (hexadecimal, digits) {
            (0, [b'0', ..]) => run(digits, 8),
            (0, _) => run(digits, 10),
            (after, _) => after + 2,
        };
        if length == 0 {
            return Err(self.no_term(start));
        }
        self.at += sign + length;
        Ok(digits[..length].iter().any(|digit| !matches!(digit, b'0' | b'x' | b'X')))
    }

    fn predicate(&mut self, start: usize) -> Result<bool, ConditionError> {
        let rest = self.rest();
        let length = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let name = &rest[..length];
        let Some((_, arity)) = PREDICATES.iter().find(|(known, _)| *known == name) else {
            return Err(self.no_term(start));
        };
        if !rest[length..].is_empty() && !rest[length..].starts_with(['(', ')', ' ', '\t']) {
            return Err(self.no_term(start));
        }
        self.at += length;
        let arguments = if self.rest().starts_with('(') { self.arguments(name, *arity)? } else { Vec::new() };
        if *arity > 1 && arguments.len() < *arity {
            return Err(self.missing(name, arguments.len().max(1), *arity, self.at - 1));
        }
        let argument = |index: usize| arguments.get(index).map_or("", String::as_str);
        Ok(holds(name, argument(0), argument(1), self.world))
    }

    fn missing(&self, name: &str, got: usize, arity: usize, at: usize) -> ConditionError {
        let text = format!("missing arguments (got {got}/{arity}), type 'string' expected");
        self.argument_error(name, got, at, &text)
    }

    fn argument_error(&self, name: &str, number: usize, at: usize, text: &str) -> ConditionError {
        let number = number.max(1);
        ConditionError {
            text: format!("{text} in argument {number} of predicate '{name}' used in conditional expression"),
            at,
            help: "arguments stand in parentheses with commas between them; quote one that holds ',' or ')'",
        }
    }

    /// `(a,b)`: a second level of quotes and escapes.
    fn arguments(&mut self, name: &str, arity: usize) -> Result<Vec<String>, ConditionError> {
        self.at += 1;
        let mut arguments = vec![String::new()];
        let mut quote = None;
        while let Some(c) = self.rest().chars().next() {
            self.at += c.len_utf8();
            let last = arguments.len() - 1;
            match (c, quote) {
                (')', None) if arguments == [""] => return Ok(Vec::new()),
                (')', None) => return Ok(arguments),
                (',', None) if arguments.len() >= arity => {
                    let text = format!("expected ')' before '{}'", &self.text[self.at - 1..]);
                    return Err(self.argument_error(name, last, self.at - 1, &text));
                }
                (',', None) => arguments.push(String::new()),
                ('"' | '\'', None) => quote = Some(c),
                (c, Some(open)) if c == open => quote = None,
                ('\\', None | Some('"')) => arguments[last].push(self.escape()),
                _ => arguments[last].push(c),
            }
        }
        if arguments.len() < arity {
            return Err(self.missing(name, arguments.len(), arity, self.text.len()));
        }
        Err(self.argument_error(name, arguments.len() - 1, self.text.len(), "expected ')'"))
    }

    fn escape(&mut self) -> char {
        let Some(c) = self.rest().chars().next() else { return '\\' };
        self.at += c.len_utf8();
        match c {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            other => other,
        }
    }
}

/// The predicates and how many arguments each needs; those of one argument do without it.
const PREDICATES: &[(&str, usize)] = &[
    ("defined", 1),
    ("feature", 1),
    ("streq", 2),
    ("strneq", 2),
    ("strstr", 2),
    ("version_atleast", 1),
    ("version_before", 1),
    ("enabled", 1),
    ("openssl_version_atleast", 1),
    ("openssl_version_before", 1),
    ("ssllib_name_startswith", 1),
    ("fips_mode", 0),
    ("awslc_api_atleast", 1),
    ("awslc_api_before", 1),
];

/// Those that ask about an SSL library are false: this proxy is linked with none of them.
fn holds(name: &str, first: &str, second: &str, world: World<'_>) -> bool {
    match name {
        "defined" => world.environment.value_of(first).is_some(),
        "feature" => FEATURES.contains(&first),
        "streq" => first == second,
        "strneq" => first != second,
        "strstr" => first.contains(second),
        // HAProxy takes what is no version for an old one.
        "version_atleast" => compare(first).is_none_or(|order| order.is_ge()),
        "version_before" => compare(first).is_some_and(|order| order.is_lt()),
        "enabled" => match first.to_ascii_uppercase().as_str() {
            "SPLICE" => world.splice,
            "REUSEPORT" => world.reuseport,
            "GETADDRINFO" => true,
            _ => false,
        },
        _ => false,
    }
}

/// How the version whose behaviour this proxy follows compares to `text`.
fn compare(text: &str) -> Option<std::cmp::Ordering> {
    Some(Version::parse(HAPROXY_VERSION)?.cmp(&Version::parse(text)?))
}
