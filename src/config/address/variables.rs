//! Variables that an address names outside double quotes (configuration manual, section 4.2: bind).
//!
//! Words are cut before anybody knows what they mean; only what is an address is expanded here, and by an
//! older syntax: `$NAME` or `${NAME}` without a default, empty when there is no such variable.

use crate::config::environment::Environment;
use crate::config::lexer::Line;

/// Expands the variables in the words of a line that are addresses.
pub(in crate::config) fn expand(line: &mut Line, environment: &Environment) {
    for at in 1..line.words.len() {
        if line.words[at].text.contains('$') && is_address(line, at) {
            let expanded = expanded(&line.words[at].text, environment);
            // What expands to nothing stays as written, so that the error can name it.
            if !expanded.is_empty() {
                line.words[at].text = expanded;
            }
        }
    }
}

fn is_address(line: &Line, at: usize) -> bool {
    let option = || matches!(line.words[at - 1].text.as_str(), "addr" | "source");
    match line.keyword() {
        "bind" | "log" | "source" => at == 1,
        "listen" | "frontend" => at == 2,
        "stats" => at == 2 && line.word(1) == Some("socket"),
        "server" => at == 2 || at > 3 && option(),
        "default-server" => at > 1 && option(),
        _ => false,
    }
}

fn expanded(text: &str, environment: &Environment) -> String {
    let mut parts = text.split('$');
    let mut expanded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let braced = part.strip_prefix('{');
        let inner = braced.unwrap_or(part);
        let end = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inner.len());
        let (name, rest) = inner.split_at(end);
        expanded += environment.value_of(name).unwrap_or_default();
        expanded += if braced.is_some() { rest.strip_prefix('}').unwrap_or(rest) } else { rest };
    }
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_where_haproxy_ends_them() {
        let environment: Environment = [("A", "10.0.0.1"), ("1", "one"), ("A_B", "x")].into_iter().collect();
        let cases = [
            ("$A:80", "10.0.0.1:80"),
            ("${A}:80", "10.0.0.1:80"),
            ("ipv4@${A}:${1}", "ipv4@10.0.0.1:one"),
            ("$A_B-$A", "x-10.0.0.1"),
            ("${A:80", "10.0.0.1:80"),
            ("${A-9}", "10.0.0.1-9}"),
            ("$NONE:80$", ":80"),
            ("${NONE}", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(expanded(text, &environment), expected, "{text}");
        }
    }
}
