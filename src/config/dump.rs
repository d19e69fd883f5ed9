//! The configuration as it was understood, for `-dC`; with a key what would tell names, addresses and secrets is
//! replaced, so that the text may be shown to others.

use std::fmt::Write as _;

use super::keyword;
use super::lexer::Line;

/// How the lines are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Not 0: words are replaced by hashes of it and of themselves.
    pub key: u32,
    /// Line numbers come first.
    pub numbers: bool,
}

impl Style {
    /// From what follows `-dC`: `[key][,line]`.
    pub fn parse(text: &str) -> Option<Style> {
        let (key, rest) = text.split_once(',').map_or((text, ""), |(key, rest)| (key, rest));
        let key = if key.is_empty() { 0 } else { key.parse().ok()? };
        match rest {
            "" | "line" => Some(Style { key, numbers: rest == "line" }),
            _ => None,
        }
    }
}

/// One text of all lines: sections at the margin, what they hold behind a tabulator.
pub fn dump(lines: &[Line], style: Style) -> String {
    let mut out = String::new();
    for line in lines {
        let header = is_header(line);
        if header && !out.is_empty() {
            out.push('\n');
        }
        if style.numbers {
            write!(out, "{:<6}", line.number).expect("a String takes any text");
        }
        let shown = if style.key == 0 { plain(line) } else { anonymous(line, header, style.key) };
        out.push_str(if header { "" } else { "\t" });
        out.push_str(&shown.join(" "));
        out.push('\n');
    }
    out
}

fn is_header(line: &Line) -> bool {
    keyword::find(keyword::Places::TOP, std::iter::once(line.keyword())).is_some()
}

fn plain(line: &Line) -> Vec<String> {
    line.words.iter().map(|word| quoted(&word.text)).collect()
}

/// So that the text can be read again.
fn quoted(word: &str) -> String {
    let special = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\' | '#' | '$');
    if !word.is_empty() && !word.contains(special) {
        return word.to_owned();
    }
    let mut out = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' | '$' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out + "\""
}

/// Keywords whose values are secrets or free text: nothing of them is shown.
const SECRET: [&str; 11] = [
    "stats auth",
    "stats realm",
    "cluster-secret",
    "setenv",
    "presetenv",
    "user",
    "password",
    "insecure-password",
    "description",
    "node",
    "log-tag",
];

fn anonymous(line: &Line, header: bool, key: u32) -> Vec<String> {
    let words: Vec<&str> = line.words.iter().map(|word| word.text.as_str()).collect();
    let named =
        keyword::find(keyword::Places::ALL, words.iter().copied()).map_or(1, keyword::Keyword::length);
    let (own, values) = words.split_at(named.min(words.len()));
    let mut out: Vec<String> = own.iter().map(|word| (*word).to_owned()).collect();
    if SECRET.contains(&own.join(" ").as_str()) && !values.is_empty() {
        out.push("[...]".to_owned());
        return out;
    }
    out.extend(values.iter().map(|word| match header && *word != "from" {
        true => hashed(word, key),
        false => hidden(word, key),
    }));
    out
}

/// Numbers, times, sizes and the language's own words stay; of `host:port` the port does.
fn hidden(word: &str, key: u32) -> String {
    if is_amount(word) || is_known(word) {
        return word.to_owned();
    }
    match word.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && matches!(host, "" | "*") => {
            word.to_owned()
        }
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{}:{port}", hashed(host, key))
        }
        _ => hashed(word, key),
    }
}

fn is_amount(word: &str) -> bool {
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit());
    unit.len() < word.len() && matches!(unit, "" | "us" | "ms" | "s" | "m" | "h" | "d" | "k" | "g" | "%")
}

/// Words of the language that are no keywords.
const GRAMMAR: [&str; 21] = [
    "if",
    "unless",
    "or",
    "||",
    "from",
    "tcp",
    "http",
    "global",
    "roundrobin",
    "static-rr",
    "leastconn",
    "first",
    "source",
    "random",
    "admin",
    "operator",
    "level",
    "stdout",
    "stderr",
    "len",
    "format",
];

fn is_known(word: &str) -> bool {
    GRAMMAR.contains(&word)
        || keyword::names(keyword::Places::ALL).any(|name| name.split(' ').any(|own| own == word))
}

/// Six hexadecimal digits of FNV-1a over key and word: the same word is the same everywhere.
fn hashed(word: &str, key: u32) -> String {
    let bytes = key.to_be_bytes().into_iter().chain(word.bytes());
    let hash = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    format!("{:06x}", (hash ^ (hash >> 32)) & 0xff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Source, tokens};

    const TEXT: &str = "# c\nglobal\n  maxconn 10 # c\n.if 0\n  nbthread 1\n.endif\ndefaults\n  mode tcp\n  timeout client 3h\n\
                        listen impala\n  bind 10.1.2.3:21050\n  bind :9\n  log-format \"%ci $x\"\n  stats auth me:secret\n  \
                        server coord1 h.example:21050 check inter 2s\n";

    fn shown(style: &str) -> String {
        let source = Source { name: "h.cfg".to_owned(), text: TEXT.replace("$x", "\\$x").into_bytes() };
        dump(&tokens(&[source], &Environment::default()), Style::parse(style).expect("a style"))
    }

    #[test]
    fn lines_are_tidied_and_read_again_alike() {
        let text = shown("");
        assert!(text.starts_with("global\n\tmaxconn 10\n\ndefaults\n\tmode tcp\n"), "{text}");
        assert!(text.contains("\tlog-format \"%ci \\$x\"\n"), "{text}");
        let again = Source { name: "h.cfg".to_owned(), text: text.clone().into_bytes() };
        assert_eq!(dump(&tokens(&[again], &Environment::default()), Style::default()), text);
        assert!(shown(",line").starts_with("2     global\n3     \tmaxconn 10\n"), "{}", shown(",line"));
    }

    #[test]
    fn with_a_key_nothing_is_told() {
        let text = shown("7");
        for told in ["impala", "10.1.2.3", "secret", "me:", "coord1", "example", "%ci"] {
            assert!(!text.contains(told), "{told}: {text}");
        }
        for kept in
            ["\ttimeout client 3h\n", ":21050 check inter 2s\n", "\tbind :9\n", "\tstats auth [...]\n"]
        {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        assert_eq!(text, shown("7"));
        assert_ne!(text, shown("8"));
    }

    #[test]
    fn what_follows_the_option_is_judged() {
        assert_eq!(Style::parse("5,line"), Some(Style { key: 5, numbers: true }));
        assert_eq!(Style::parse("x"), None);
        assert_eq!(Style::parse(",lines"), None);
    }
}
