//! Conditions, predicates, and the errors of both.

use super::{World, evaluate};
use crate::config::environment::Environment;

fn value(text: &str) -> Result<bool, (String, usize)> {
    let environment: Environment = [("SET", ""), ("X", "1")].into_iter().collect();
    let world = World { environment: &environment, splice: false, reuseport: true };
    evaluate(text, world).map_err(|error| (error.text, error.at + 1))
}

#[test]
fn integers_and_operators() {
    let truths =
        ["1", "-1", "12", "!0", "1 && 1", "0 || 1", "1 || 0 && 0", "(1)", "!(0 || 0)", "!!1", "0x10", "010"];
    let lies = ["", "0", "00", "!1", "1 && 0", "0 || 0", "(1 || 1) && 0", "0&&1", "0x0", "-0"];
    truths.iter().for_each(|text| assert_eq!(value(text), Ok(true), "{text}"));
    lies.iter().for_each(|text| assert_eq!(value(text), Ok(false), "{text}"));
}

#[test]
fn predicates() {
    let truths = [
        "defined(SET)",
        "feature(THREAD)",
        "streq(a,a)",
        "strneq(a,b)",
        "strstr(abc,bc)",
        "version_atleast(2.6)",
        "version_atleast(3.5-dev1)",
        "version_before(99.0)",
        "version_atleast(x)",
        "enabled(REUSEPORT)",
        "streq(\"a,b)\",'a,b)')",
    ];
    let lies = [
        "defined(NOPE)",
        "defined",
        "defined()",
        "feature(OPENSSL)",
        "streq( a,a)",
        "version_atleast(99)",
        "version_before(x)",
        "enabled(SPLICE)",
        "openssl_version_atleast(1.1.1)",
        "ssllib_name_startswith(OpenSSL)",
        "fips_mode",
    ];
    truths.iter().for_each(|text| assert_eq!(value(text), Ok(true), "{text}"));
    lies.iter().for_each(|text| assert_eq!(value(text), Ok(false), "{text}"));
}

#[test]
fn errors_read_as_haproxys() {
    let cases = [
        ("foo", "unparsable conditional expression 'foo'", 1),
        ("!", "unparsable conditional expression '!'", 1),
        ("0x", "unexpected character 'x' at the end of conditional expression '0x'", 2),
        ("08", "unexpected character '8' at the end of conditional expression '08'", 2),
        ("1 && 0 ||", "unparsable conditional expression '1 && 0 ||'", 1),
        ("1 &&", "unparsable conditional expression '&&'", 3),
        ("12abc", "unexpected character 'a' at the end of conditional expression '12abc'", 3),
        ("1)", "unexpected character ')' at the end of conditional expression '1)'", 2),
        ("(1", "expected ')' after conditional expression '(1'", 1),
        ("streq(a,a", "expected ')' in argument 1 of predicate 'streq' used in conditional expression", 10),
        (
            "streq(a)",
            "missing arguments (got 1/2), type 'string' expected in argument 1 of predicate 'streq' used in conditional expression",
            8,
        ),
    ];
    for (text, error, at) in cases {
        assert_eq!(value(text), Err((error.to_owned(), at)), "{text}");
    }
}

#[test]
fn nesting_is_bounded() {
    assert!(value(&"(".repeat(100_000)).is_err());
    assert!(value(&"!".repeat(100_000)).is_err());
}

#[test]
fn an_argument_is_unquoted_as_a_whole() {
    let environment: Environment = [("X", "a,b"), ("HOME", "/root")].into_iter().collect();
    let world = World { environment: &environment, splice: true, reuseport: true };
    let value = |text: &str| super::evaluate_argument(text, world);
    for text in [
        "\"1\"",
        "streq(\"$HOME\",/root)",
        "streq(a  b,a b)",
        "streq(\\x41,A)",
        "streq(\"${NO-d}\",d)",
        "  1",
    ] {
        assert_eq!(value(text), Ok(true), "{text}");
    }
    for text in ["", "streq($HOME,/root)", "streq('$HOME',/root)", "streq(a  b,\"a  b\")"] {
        assert_eq!(value(text), Ok(false), "{text}");
    }
    for text in [" ", "\"1", "streq('a,b','a,b')", "streq(\"$X\",1)", "1 # 0", "streq(\"${HOME\",a)"] {
        assert!(value(text).is_err(), "{text}");
    }
}
