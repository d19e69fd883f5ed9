//! Commands that HAProxy has and this version has not: each is refused by its name.

use super::super::answer::Answer;
use super::super::console::{Console, Mode};
use super::{Row, row};
use crate::config::model::CliLevel::{self, Admin, Operator, User};

/// HAProxy itself follows some of them in certain modes only.
pub(super) fn run(console: &Console, words: &str) -> Answer {
    match words {
        "set var" if !console.has(Mode::Experimental) => {
            Answer::refusal("This command is restricted to experimental mode only.")
        }
        "httpclient" if !console.has(Mode::Expert) => {
            Answer::refusal("This command is restricted to expert mode only.")
        }
        _ => Answer::missing(words),
    }
}

const fn missing(words: &'static str, level: CliLevel) -> Row {
    row(words, "", "", level)
}

pub(super) const ROWS: &[Row] = &[
    missing("abort ssl", Admin),
    missing("acme", Admin),
    missing("add ssl", Admin),
    missing("commit ssl", Admin),
    missing("debug", Admin),
    missing("del ssl", Admin),
    missing("dump ssl", Admin),
    missing("httpclient", User),
    missing("new ssl", Admin),
    missing("set anon", Admin),
    missing("set profiling", Admin),
    missing("set ssl", Admin),
    missing("set ssl ocsp-response", User),
    missing("set ssl tls-key", User),
    missing("set var", User),
    missing("show anon", User),
    missing("show default-server", Operator),
    missing("show defaults", Operator),
    missing("show dev", Operator),
    missing("show events", User),
    missing("show libs", Operator),
    missing("show profiling", Admin),
    missing("show ssl", Operator),
    missing("show tasks", User),
    missing("show trace", User),
    missing("trace", Operator),
    missing("update ssl", Admin),
];
