//! Sections, their names, and that no input makes the parser panic.

use crate::config::{Diagnostic, Environment, Severity, Source, Supplies, parse};

fn diagnostics(text: &str) -> Vec<Diagnostic> {
    let source = Source { name: "t.cfg".to_owned(), text: text.as_bytes().to_vec() };
    parse(&[source], &Environment::default(), &Supplies::default()).1
}

/// `LINE TEXT` of every alert but the closing ones.
fn alerts(text: &str) -> Vec<String> {
    let alert = |d: &Diagnostic| d.severity == Severity::Alert && d.file.is_some();
    diagnostics(text).iter().filter(|d| alert(d)).map(|d| format!("{} {}", d.line, d.text)).collect()
}

#[test]
fn names_are_checked() {
    assert_eq!(alerts("listen\n"), ["1 'listen' expects an <id> argument"]);
    assert_eq!(alerts("backend a@b\n"), ["1 character '@' is not permitted in 'backend' name 'a@b'."]);
    let same = alerts("backend a\nfrontend a\nbackend a\n");
    assert_eq!(
        same,
        ["3 Parsing [t.cfg:3]: backend 'a' has the same name as backend 'a' declared at t.cfg:1."]
    );
}

#[test]
fn from_finds_exactly_one_defaults_section() {
    assert_eq!(alerts("defaults d\nbackend a from d\n"), [""; 0]);
    assert_eq!(alerts("backend a from d\n"), ["1 defaults section 'd' not found for backend 'a'."]);
    assert_eq!(alerts("defaults x from nope\n"), ["1 defaults section 'nope' not found for defaults 'x'."]);
    let twice = alerts("defaults d\ndefaults d\nbackend a from d\n");
    assert_eq!(
        twice,
        [
            "3 ambiguous defaults section name 'd' referenced by backend 'a' exists at least at t.cfg:1 and t.cfg:2."
        ]
    );
}

#[test]
fn a_line_before_any_section_is_said_once() {
    assert_eq!(alerts("globl\n maxconn 5\n daemon\n"), ["1 unknown keyword 'globl' out of section."]);
}

#[test]
fn setenv_changes_the_lines_below_it() {
    let text = "global\n setenv WHO you\n presetenv WHO me\n.if !streq(\"$WHO\",you)\n.alert wrong\n.endif\n\
                \n unsetenv WHO\n.if defined(WHO)\n.alert there\n.endif\n";
    assert_eq!(alerts(text), [""; 0]);
    assert_eq!(alerts("global\n setenv A\n"), ["2 'setenv' expects a name and a value."]);
}

#[test]
fn a_false_block_is_not_read() {
    assert_eq!(
        alerts(".if 0\nnonsense\n.if 1\n.alert x\n.else\n.foo\n.endif\n.elif 1\n.else\n.alert no\n.endif\n"),
        [""; 0]
    );
    assert_eq!(alerts(".if 1\n"), ["1 non-terminated '.if' block."]);
    assert_eq!(alerts(".if 1\n.else\n.elif 1\n.endif\n"), ["3 '.elif' after '.else' is not permitted."]);
    assert_eq!(alerts(".endif\n"), ["1 lone '.endif' with no matching '.if'."]);
}

#[test]
fn a_missing_line_feed_and_a_nul_are_errors() {
    let text = "global\n daemon";
    assert_eq!(alerts(text), ["2 Missing LF on last line, file might have been truncated at position 8."]);
    assert_eq!(alerts("global\n dae\0mon\n"), ["2 Stray NUL character at position 5."]);
}

#[test]
fn the_closing_lines_name_the_file_and_the_end() {
    let all = diagnostics("listen\n");
    let closing: Vec<String> = all.iter().rev().take(2).map(Diagnostic::headline).collect();
    let expected = [
        "config : Fatal errors found in configuration.",
        "config : Error(s) found in configuration file : t.cfg",
    ];
    assert_eq!(closing, expected);
}

#[test]
fn an_empty_word_ends_the_line() {
    assert_eq!(
        alerts("global \"\"\n \"$EMPTY\"\n setenv A \"\"\n"),
        ["3 'setenv' expects a name and a value."]
    );
    let text = "argument number 1 at position 9 is empty and marks the end of the argument list.";
    assert_eq!(alerts("global\n setenv \"\" B\n"), [format!("2 {text}")]);
}

#[test]
fn sections_and_blocks_end_with_their_file() {
    let file = |name: &str, text: &str| Source { name: name.to_owned(), text: text.as_bytes().to_vec() };
    let sources = [file("a.cfg", "global\n.if 1\n"), file("b.cfg", "maxconn 5\n")];
    let (_, diagnostics) = parse(&sources, &Environment::default(), &Supplies::default());
    let headlines: Vec<String> = diagnostics.iter().map(Diagnostic::headline).collect();
    assert_eq!(
        headlines,
        [
            "config : parsing [a.cfg:2]: non-terminated '.if' block.",
            "config : Error(s) found in configuration file : a.cfg",
            "config : parsing [b.cfg:1]: unknown keyword 'maxconn' out of section.",
            "config : Error(s) found in configuration file : b.cfg",
            "config : Fatal errors found in configuration.",
        ]
    );
}

mod any_bytes {
    use proptest::prelude::*;

    use super::{Environment, Severity, Source, Supplies, parse};
    use crate::config::diagnostic::{Banner, render};

    /// Words that lead somewhere, so that random lines reach deep.
    fn word() -> impl Strategy<Value = String> {
        let known = prop::sample::select(SOUP).prop_map(str::to_owned);
        let value = "[a-z0-9:*.@+,/%$\"'\\\\{}\\[\\]() -]{0,12}";
        prop_oneof![6 => known, 2 => value, 1 => any::<String>()]
    }

    const SOUP: &[&str] = &[
        "global",
        "defaults",
        "frontend",
        "backend",
        "listen",
        "from",
        "a",
        "b",
        "impala",
        "no",
        "option",
        "tcplog",
        "bind",
        ":80",
        "*:80",
        "server",
        "127.0.0.1:21050",
        "check",
        "inter",
        "2s",
        "weight",
        "-1",
        "timeout",
        "client",
        "5000",
        "acl",
        "src",
        "10.0.0.0/8",
        "use_backend",
        "default_backend",
        "if",
        "unless",
        "{",
        "}",
        "||",
        "!",
        "mode",
        "tcp",
        "http",
        "balance",
        "hash",
        "leastconn",
        "source",
        "log",
        "stdout",
        "local0",
        "stats",
        "socket",
        "enable",
        "auth",
        "maxconn",
        "99999999999",
        ".if",
        ".elif",
        ".else",
        ".endif",
        "defined(X)",
        "&&",
        "setenv",
        "X",
        "\"${X[*]}\"",
        "\"$X\"",
        "\\x41",
        "'",
        "\"",
        "#",
        "\\",
        "default-server",
        "redispatch",
        "retries",
        "cpu-map",
        "1-4",
        "peers",
        "hash-type",
        "consistent",
        "random(2)",
        "path_beg",
        "/x",
        "path_end",
        ".alert",
        "unix@/x",
        "abns@x",
        "fd@3",
        "name",
        "id",
        "0",
        "addr",
        "port",
        "nbthread",
        "user",
        "ring",
    ];

    fn soup() -> impl Strategy<Value = Vec<u8>> {
        let line = prop::collection::vec(word(), 0..8).prop_map(|words| words.join(" "));
        prop::collection::vec(line, 0..24).prop_map(|lines| (lines.join("\n") + "\n").into_bytes())
    }

    /// Parses and renders; there is a result exactly when there is no alert.
    fn holds(text: Vec<u8>) {
        let source = Source { name: "any.cfg".to_owned(), text };
        let environment: Environment = [("X", "1 2")].into_iter().collect();
        let (config, diagnostics) = parse(&[source], &environment, &Supplies::default());
        let refused = diagnostics.iter().any(|d| d.severity == Severity::Alert);
        assert_eq!(config.is_none(), refused);
        let banner = Banner { pid: 1, notices: &[], show_diag: true };
        assert!(render(&diagnostics, &banner).len() >= diagnostics.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn never_panic(text in prop::collection::vec(any::<u8>(), 0..512)) {
            holds(text);
        }

        #[test]
        fn of_keywords_never_panic(text in soup()) {
            holds(text);
        }
    }
}
