//! What a configuration here cannot have: stick tables, maps, peers, resolvers, captured errors. The answers are
//! those of a HAProxy that has none.

use std::time::{SystemTime, UNIX_EPOCH};

use super::super::answer::Answer;
use super::super::console::Console;
use super::{Row, Typed, row};
use crate::config::model::CliLevel::{Admin, Operator, User};
use crate::log;

pub(super) const ROWS: &[Row] = &[
    row("add map", "<map> <key> <value>", "there are no maps", Admin),
    row("clear map", "<map>", "there are no maps", Admin),
    row("clear table", "<table> [<filter>]", "there are no stick tables", Operator),
    row("commit map", "@<ver> <map>", "there are no maps", Admin),
    row("del map", "<map> [<key>]", "there are no maps", Admin),
    row("get map", "<map> <key>", "there are no maps", Operator),
    row("prepare map", "<map>", "there are no maps", Admin),
    row("set map", "<map> <key> <value>", "there are no maps", Admin),
    row("set table", "<table> key <key> [data.<type> <value>]", "there are no stick tables", Operator),
    row("show cache", "", "there are no caches", User),
    row("show errors", "[<proxy>]", "protocol errors of HTTP; none is ever captured", Operator),
    row("show map", "[<map>]", "there are no maps", User),
    row("show peers", "[<section>]", "there are no peers", User),
    row("show resolvers", "[<section>]", "there are no resolvers", User),
    row("show table", "[<table>]", "there are no stick tables", User),
    row("show tls-keys", "[<id>|*]", "there are no TLS keys", Operator),
];

const NO_TABLE: &str = "No such table";
const NO_MAP: &str = "Unknown map identifier. Please use #<id> or <file>.";

pub(super) fn run(console: &Console, typed: Typed<'_>) -> Answer {
    let named = !typed.word(0).is_empty();
    match typed.row.words {
        "clear table" if !named => Answer::refusal(
            "Required arguments: <table> \"data.<store_data_type>\" <operator> <value> or <table> key <key>",
        ),
        "set table" if !named => {
            Answer::refusal("Required arguments: <table> key <key> [data.<store_data_type> <value>]*")
        }
        "show table" if !named => Answer::done(),
        "clear table" | "set table" | "show table" => Answer::refusal(NO_TABLE),
        "show errors" => errors(console, typed.word(0)),
        "show map" if !named => Answer::listing("# id (file) description\n"),
        "show peers" if named => Answer::refusal("No such peers"),
        "show resolvers" if named => Answer::refusal("Can't find that resolvers section"),
        "show tls-keys" if named => Answer::refusal("'show tls-keys' unable to locate referenced filename"),
        "show tls-keys" => Answer::listing("# id (file)\n"),
        "show cache" | "show peers" | "show resolvers" => Answer::done(),
        _ => Answer::refusal(NO_MAP),
    }
}

/// Numbers are ids, and any will do.
fn errors(console: &Console, proxy: &str) -> Answer {
    let known = proxy.is_empty()
        || proxy.parse::<i64>().is_ok()
        || console.powers().shared.borrow().config.proxies().any(|(_, known)| known.name == proxy);
    if !known {
        return Answer::refusal("No such proxy.");
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let date = log::date_us(u64::try_from(now.as_micros()).unwrap_or(u64::MAX));
    let to_milliseconds = &date[..date.len().saturating_sub(3)];
    Answer::listing(format!("Total events captured on [{to_milliseconds}] : 0\n"))
}

#[cfg(test)]
mod tests {
    use crate::admin::fixture::{ask, console};
    use crate::config::model::CliLevel;

    #[test]
    fn the_answers_are_those_of_haproxy_without_any() {
        let mut console = console(CliLevel::Admin);
        for (line, answer) in [
            ("show table", "\n"),
            ("show table x", "No such table\n\n"),
            ("set table x key 1", "No such table\n\n"),
            ("show map", "# id (file) description\n\n"),
            ("get map x y", "Unknown map identifier. Please use #<id> or <file>.\n\n"),
            ("show peers", "\n"),
            ("show resolvers x", "Can't find that resolvers section\n\n"),
            ("show errors nosuch", "No such proxy.\n\n"),
        ] {
            assert_eq!(ask(&mut console, line), answer, "{line}");
        }
        let errors = ask(&mut console, "show errors be");
        assert!(
            errors.starts_with("Total events captured on [") && errors.ends_with("] : 0\n\n"),
            "{errors}"
        );
    }
}
