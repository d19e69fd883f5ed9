//! Maps. A configuration here cannot have any: the answers are those of a HAProxy that has none.

use super::super::answer::Answer;
use super::super::console::Console;
use super::{Row, Typed, row};
use crate::config::model::CliLevel::User;

pub(super) const ROWS: &[Row] = &[
    row("add map", "[@<ver>] <map> <key> <value>", "there are no maps", User),
    row("clear map", "[@<ver>] <map>", "there are no maps", User),
    row("commit map", "@<ver> <map>", "there are no maps", User),
    row("del map", "<map> [<key>]", "there are no maps", User),
    row("get map", "<map> <key>", "there are no maps", User),
    row("prepare map", "<map>", "there are no maps", User),
    row("set map", "<map> <key> <value>", "there are no maps", User),
    row("show map", "[<map>]", "there are no maps", User),
];

const UNKNOWN: &str = "Unknown map identifier. Please use #<id> or <file>.";

pub(super) fn run(console: &Console, typed: Typed<'_>) -> Answer {
    let versioned = typed.word(0).starts_with('@');
    let count = typed.arguments.len() - usize::from(versioned);
    let missing = match typed.row.words {
        "show map" if typed.arguments.is_empty() => return Answer::listing("# id (file) description\n"),
        "add map" if count < 3 && !(count == 1 && console.has_payload()) => {
            "'add map' expects three parameters (map identifier, key and value) or one parameter (map identifier) \
             and a payload"
        }
        "set map" if count < 3 => "'set map' expects three parameters: map identifier, key and value.",
        "del map" if count < 2 => "This command expects two parameters: map identifier and key.",
        "get map" if count < 2 => "Missing map identifier and/or key.",
        "commit map" if !versioned => "Missing version number.",
        "clear map" | "commit map" if count == 0 => "Missing map identifier.",
        _ => UNKNOWN,
    };
    Answer::refusal(missing)
}
