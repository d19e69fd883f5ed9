//! Cutting lines: the matrix of the manual, expansion, and where errors point.

use super::{LexErrorKind, lines, words};
use crate::config::environment::{Environment, Here};

fn environment() -> Environment {
    [("LIST", "x  y z"), ("EMPTY", ""), ("PADDED", " x y "), ("HOST", "10.0.0.1")].into_iter().collect()
}

fn cut(text: &str) -> Result<Vec<String>, (LexErrorKind, usize)> {
    let here = Here { file: "a.cfg", line: 7, section: "impala" };
    let raw = lines(text.as_bytes()).remove(0);
    match words(&raw, here, &environment()) {
        Ok(words) => Ok(words.into_iter().map(|word| word.text).collect()),
        Err(error) => Err((error.kind, error.at)),
    }
}

fn ok(text: &str) -> Vec<String> {
    cut(text).expect(text)
}

#[test]
fn blanks_separate_and_a_hash_ends() {
    assert_eq!(ok("  bind\t :80  # comment"), ["bind", ":80"]);
    assert_eq!(ok("\x0cbind\x0b:80\x0b\x0c name\x0ca"), ["bind", ":80", "name", "a"]);
    assert_eq!(ok("global#this is one"), ["global"]);
    assert_eq!(ok("# _version=3"), [""; 0]);
    assert_eq!(ok("a\\#b c"), ["a#b", "c"]);
    assert_eq!(ok("a\"#\"b"), ["a#b"]);
}

#[test]
fn escapes_of_the_manual() {
    assert_eq!(ok(r"log-format %{+Q}o\ %t\ %s"), ["log-format", "%{+Q}o %t %s"]);
    assert_eq!(ok(r"\x41\x42 \\ \' \t \n \r"), ["AB", "\\", "'", "\t", "\n", "\r"]);
    assert_eq!(ok("a\\\"b"), ["a\"b"]);
    assert_eq!(ok(r#""\x41 \" \$HOST \#""#), ["A \" $HOST #"]);
}

#[test]
fn unknown_escapes_keep_their_backslash() {
    assert_eq!(ok(r"\q"), [r"\q"]);
    assert_eq!(ok(r#""\q""#), [r"\q"]);
    assert_eq!(ok(r"\$HOST"), [r"\$HOST"]);
}

#[test]
fn quotes_join_with_what_stands_beside_them() {
    assert_eq!(ok(r#""%{+Q}o %t"' %s'\ %r"#), ["%{+Q}o %t %s %r"]);
    assert_eq!(ok("'$HOST \\x41'"), ["$HOST \\x41"]);
    assert_eq!(ok("a \"\" b"), ["a", "", "b"]);
}

#[test]
fn variables_expand_inside_double_quotes_only() {
    assert_eq!(ok("$HOST"), ["$HOST"]);
    assert_eq!(ok("\"$HOST:80\" \"${HOST}0\""), ["10.0.0.1:80", "10.0.0.10"]);
    assert_eq!(ok("\"${NOPE-a b}\" \"${EMPTY-a}\" \"$NOPE\""), ["a b", "", ""]);
}

#[test]
fn a_list_expands_to_words() {
    assert_eq!(ok("\"${LIST}\""), ["x  y z"]);
    assert_eq!(ok("\"${LIST[*]}\""), ["x", "y", "z"]);
    assert_eq!(ok("a\"${LIST[*]}\"b"), ["ax", "y", "zb"]);
    assert_eq!(ok("\"${NOPE[*]-1 2}\""), ["1", "2"]);
    assert_eq!(ok("a\"${PADDED[*]}\"b"), ["a", "x", "y", "b"]);
    assert_eq!(ok("a \"${EMPTY[*]}\" b"), ["a", "b"]);
}

#[test]
fn pseudo_variables() {
    assert_eq!(ok("\"$.FILE:${.LINE} $.SECTION\""), ["a.cfg:7 impala"]);
}

#[test]
fn errors_name_their_place() {
    use LexErrorKind::*;
    assert_eq!(cut(" description \"abc"), Err((Quote, 13)));
    assert_eq!(cut(" description 'abc"), Err((Quote, 13)));
    assert_eq!(cut("bind \"${LIST\""), Err((Brace, 7)));
    assert_eq!(cut("bind \"${LIST.x}\""), Err((Brace, 7)));
    assert_eq!(cut("bind \"${LIST[]}\""), Err((WordExpansion, 12)));
    assert_eq!(cut("bind \"$1\""), Err((VariableStart, 7)));
    assert_eq!(cut("bind \"$.FILES\""), Err((VariableStart, 7)));
    assert_eq!(cut("bind \\x4"), Err((Hexadecimal, 5)));
    assert_eq!(cut("bind a\\x00"), Err((Nul, 5)));
    assert_eq!(cut("bind \\xff"), Err((Utf8, 5)));
}

#[test]
fn a_backslash_before_the_line_feed_continues() {
    let all = lines(b"bind :1 \\\n  name x\nend # no \\\nlast \\\\\nz");
    let numbers: Vec<(u32, bool)> = all.iter().map(|line| (line.number, line.terminated)).collect();
    assert_eq!(numbers, [(1, true), (3, true), (4, true), (5, false)]);
    assert_eq!(ok("bind :1 \\\n  name x\n"), ["bind", ":1", "name", "x"]);
    assert_eq!(ok("bind :1\\\n0\n"), ["bind", ":10"]);
    assert_eq!(ok("bind \"a \\\r\nb\"\r\n"), ["bind", "a b"]);
}

#[test]
fn quotes_escapes_and_comments_go_on_over_continued_lines() {
    let text = |text: &[u8]| lines(text).len();
    assert_eq!(text(b"a '\\\n# \\\n' \\\n# \\\nb\n"), 2);
    assert_eq!(text(b"a \\\n\"\\\"# \\\n\" # \\\nb\n"), 2);
    assert_eq!(text(b"a \\\\\nb \\\r\nc\n"), 2);
}

#[test]
fn many_continued_lines_are_one_and_take_no_time() {
    let text = "description x \\\n".repeat(200_000);
    assert_eq!(lines(text.as_bytes()).len(), 1);
}

#[test]
fn a_latin_1_comment_is_no_error_but_a_word_is() {
    let raw = lines(b"mode tcp # caf\xe9\nd caf\xe9\n");
    let environment = environment();
    assert!(raw.iter().all(|line| line.lossy));
    assert_eq!(words(&raw[0], Here::default(), &environment).map(|words| words.len()), Ok(2));
    assert_eq!(words(&raw[1], Here::default(), &environment).map_err(|e| e.kind), Err(LexErrorKind::Utf8));
}

#[test]
fn spans_are_what_was_written() {
    let text = " bind \"$HOST\":80 x";
    let raw = lines(text.as_bytes()).remove(0);
    let words = words(&raw, Here::default(), &environment()).expect("it is well formed");
    let written: Vec<&str> = words.iter().map(|word| &text[word.span.clone()]).collect();
    assert_eq!(written, ["bind", "\"$HOST\":80", "x"]);
}
