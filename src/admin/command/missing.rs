//! Commands that HAProxy has and this version has not: each is refused by its name.

use super::{Row, row};
use crate::config::model::CliLevel::{self, Admin, Operator, User};

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
    missing("disable dynamic-cookie", Admin),
    missing("dump ssl", Admin),
    missing("enable dynamic-cookie", Admin),
    missing("get var", Admin),
    missing("httpclient", Admin),
    missing("new ssl", Admin),
    missing("set anon", Admin),
    missing("set dynamic-cookie-key", Admin),
    missing("set profiling", Admin),
    missing("set ssl", Admin),
    missing("set var", Admin),
    missing("show anon", User),
    missing("show default-server", Operator),
    missing("show defaults", Operator),
    missing("show dev", Operator),
    missing("show events", Operator),
    missing("show libs", Operator),
    missing("show profiling", Operator),
    missing("show ssl", Operator),
    missing("show tasks", Operator),
    missing("show trace", User),
    missing("trace", Admin),
    missing("update ssl", Admin),
];
