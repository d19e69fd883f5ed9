//! Random lines of quotes, escapes, variables and conditions, judged by haproxy and by this parser alike.

use pronk::config::diagnostic::Severity;
use pronk::config::{Diagnostic, Environment, Source, Supplies, parse};

use super::{haproxy_in, skipped};

/// haproxy gives up after fifty errors in a file.
const LINES: usize = 40;
const FILES: u64 = 25;

const VARIABLES: &[(&str, &str)] = &[("LIST", "x  y z"), ("EMPTY", ""), ("HOST", "10.0.0.1")];

const PIECES: &[&str] = &[
    "a",
    "b",
    "\"",
    "\"",
    "'",
    "'",
    "\\",
    "\\ ",
    "\\\"",
    "\\'",
    "\\x41",
    "\\x4",
    "\\t",
    "\\q",
    "$",
    "${",
    "}",
    "$HOST",
    "${HOST}",
    "${LIST[*]}",
    "${LIST}",
    "${NO-d e}",
    "${NO[*]-d e}",
    "[",
    "]",
    "-",
    "#",
    "\\#",
    "\\$",
    " ",
    " ",
    "\t",
    ".",
    "$.LINE",
    "${EMPTY}",
    "1",
    "_",
    "${EMPTY-x}",
    "{",
    "*",
    "\\\\",
];

const TERMS: &[&str] = &[
    "0",
    "1",
    "12",
    "-1",
    "streq(a,a)",
    "streq(a,b)",
    "strneq(a,b)",
    "defined(HOST)",
    "defined(NO)",
    "defined",
    "version_atleast(2.4)",
    "version_before(2.4)",
    "feature(THREAD)",
    "streq(a",
    "nope",
    "(1)",
    "(0 || 1)",
    "(1",
    "1)",
];

fn pick<'a>(random: &mut fastrand::Rng, from: &[&'a str]) -> &'a str {
    from[random.usize(..from.len())]
}

/// `.notice` prints what its word was cut to; the comment keeps a last `\` from continuing the line.
fn notice(random: &mut fastrand::Rng) -> String {
    let pieces: String = (0..random.usize(1..9)).map(|_| pick(random, PIECES)).collect();
    format!(".notice {pieces} #\n")
}

fn condition(random: &mut fastrand::Rng) -> String {
    let mut text = String::from(".if ");
    for term in 0..random.usize(1..5) {
        text += if term == 0 { "" } else { pick(random, &["&&", "||", " && ", " || "]) };
        text += pick(random, &["", "", "!"]);
        text += pick(random, TERMS);
    }
    text + "\n.notice yes\n.else\n.notice no\n.endif\n"
}

/// `LEVEL LINE TEXT` of each message about a line, up to `stop`.
fn ours(text: &str) -> Vec<String> {
    let environment: Environment = VARIABLES.iter().copied().collect();
    let source = Source { name: "random.cfg".to_owned(), text: text.as_bytes().to_vec() };
    let (_, diagnostics) = parse(&[source], &environment, &Supplies::default());
    let said = |d: &Diagnostic| format!("{:<10} {}", d.severity, d.headline());
    diagnostics.iter().filter(|d| d.file.is_some()).map(said).collect()
}

/// The same of haproxy's messages; None when it is not installed.
fn theirs(text: &str) -> Option<Vec<String>> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("random.cfg"), text).expect("a writable temporary folder");
    let (_, messages) = haproxy_in(folder.path(), "random.cfg", VARIABLES)?;
    let line = |line: &str| {
        let (level, rest) = line.split_at_checked(11)?;
        let (_, text) = rest.split_once(") : ")?;
        text.starts_with("config : parsing [").then(|| format!("{level}{text}"))
    };
    Some(messages.lines().filter_map(line).collect())
}

#[test]
fn random_words_are_cut_as_haproxy_cuts_them() {
    for seed in 0..FILES {
        let mut random = fastrand::Rng::with_seed(seed);
        let text: String = (0..LINES).map(|_| notice(&mut random)).collect();
        let Some(theirs) = theirs(&text) else { return skipped() };
        assert_eq!(ours(&text), theirs, "seed {seed}\n{text}");
    }
}

/// An error ends haproxy's reading, so its first message decides; the texts of errors are not compared.
#[test]
fn random_conditions_are_as_true_as_haproxy_says() {
    let alert = format!("{:<10}", Severity::Alert);
    for seed in 0..FILES * 2 {
        let text = condition(&mut fastrand::Rng::with_seed(seed));
        let Some(theirs) = theirs(&text) else { return skipped() };
        let ours = ours(&text);
        let both_refuse = theirs[0].starts_with(&alert) && ours[0].starts_with(&alert);
        assert!(both_refuse || ours == theirs, "seed {seed}: {text}\nours {ours:?}\ntheirs {theirs:?}");
    }
}
