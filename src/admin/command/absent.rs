//! What a configuration here cannot have: stick tables, peers, resolvers, variables, TLS, captured errors. The answers are
//! those of a HAProxy that has none.

use std::time::{SystemTime, UNIX_EPOCH};

use super::super::answer::Answer;
use super::super::console::Console;
use super::{Row, Typed, row, servers};
use crate::config::model::CliLevel::{Admin, Operator, User};
use crate::log;

pub(super) const ROWS: &[Row] = &[
    row("clear table", "<table> [<filter>]", "there are no stick tables", User),
    row("set table", "<table> key <key> [data.<type> <value>]", "there are no stick tables", User),
    row("disable dynamic-cookie backend", "<backend>", "there are no cookies in TCP", Admin),
    row("enable dynamic-cookie backend", "<backend>", "there are no cookies in TCP", Admin),
    row("get var", "<name>", "there are no variables", Operator),
    row("set dynamic-cookie-key backend", "<backend> <key>", "there are no cookies in TCP", Admin),
    row("show cache", "", "there are no caches", Admin),
    row("show errors", "[<proxy>]", "protocol errors of HTTP; none is ever captured", Operator),
    row("show peers", "[<section>]", "there are no peers", User),
    row("show resolvers", "[<section>]", "there are no resolvers", User),
    row("show ssl ca-file", "[<file>]", "there is no TLS", Operator),
    row("show ssl cert", "[<file>]", "there is no TLS", Operator),
    row("show ssl crl-file", "[<file>]", "there is no TLS", Operator),
    row("show ssl crt-list", "[<list>]", "there is no TLS", Admin),
    row("show ssl ocsp-response", "[<id>]", "there is no TLS", User),
    row("show table", "[<table>]", "there are no stick tables", User),
    row("show tls-keys", "[<id>|*]", "there are no TLS keys", User),
];

const NO_TABLE: &str = "No such table";

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
        "show peers" if typed.arguments == ["dict"] => Answer::done(),
        "show peers" if named => Answer::refusal("No such peers"),
        "show resolvers" if named => Answer::refusal("Can't find that resolvers section"),
        "show tls-keys" if typed.word(0) == "*" => Answer::listing("# id secret\n"),
        "show tls-keys" if named => Answer::refusal("'show tls-keys' unable to locate referenced filename"),
        "show tls-keys" => Answer::listing("# id (file)\n"),
        "show cache" | "show peers" | "show resolvers" => Answer::done(),
        "get var" if !named => Answer::refusal("Missing process-wide variable identifier."),
        "get var" => Answer::refusal("Variable not found."),
        words if words.starts_with("show ssl") => certificates(words, named),
        _ => cookies(console, typed),
    }
}

/// Lists of files for TLS.
fn certificates(words: &str, named: bool) -> Answer {
    match (words, named) {
        ("show ssl ca-file" | "show ssl crl-file", false) => Answer::listing("# filename\n"),
        (_, false) => Answer::done(),
        ("show ssl ca-file", true) => Answer::refusal("Can't display the CA file : Not found!"),
        ("show ssl crl-file", true) => Answer::refusal("Can't display the CRL file : Not found!"),
        ("show ssl crt-list", true) => Answer::refusal("didn't find the specified filename"),
        ("show ssl ocsp-response", true) => Answer::refusal("Certificate ID does not match any certificate."),
        _ => Answer::refusal("Can't display the certificate: Not found or the certificate is a bundle!"),
    }
}

/// Cookies belong to HTTP: in `mode tcp` HAProxy follows these commands, and nothing comes of it.
fn cookies(console: &Console, typed: Typed<'_>) -> Answer {
    let backend = typed.word(0);
    if backend.is_empty() {
        return Answer::refusal("A backend name is expected.");
    }
    if typed.row.words.starts_with("set") && typed.word(1).is_empty() {
        return Answer::refusal("String value expected.");
    }
    match servers::backend(&console.powers().shared.borrow().config, backend) {
        Some(_) => Answer::done(),
        None => Answer::refusal("No such backend."),
    }
}

/// Numbers are ids, and any but 0 will do.
fn errors(console: &Console, proxy: &str) -> Answer {
    let known = proxy.is_empty()
        || proxy.parse().is_ok_and(|id: i64| id != 0)
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
