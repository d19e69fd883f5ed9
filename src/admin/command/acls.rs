//! The values of ACLs: shown, and changed for the sessions that begin from now on.

use super::super::answer::Answer;
use super::super::console::Console;
use super::dynamic::change;
use super::{Row, Typed, row};
use crate::config::lists;
use crate::config::model::CliLevel::User;
use crate::config::model::Config;
use crate::rules::{List, ListId};
use crate::table::Snapshot;

pub(super) const ROWS: &[Row] = &[
    row("add acl", "[@<ver>] <acl> <value>", "add a value to an ACL", User),
    row("clear acl", "[@<ver>] <acl>", "delete the values of an ACL", User),
    row("commit acl", "@<ver> <acl>", "put a prepared version of an ACL into force", User),
    row("del acl", "<acl> [<value>|#<ref>]", "delete a value of an ACL", User),
    row("get acl", "<acl> <sample>", "the value of an ACL that a sample matches", User),
    row("prepare acl", "<acl>", "open another version of an ACL, to be committed", User),
    row("show acl", "[[@<ver>] <acl>]", "the ACLs, or the values of one", User),
];

const UNKNOWN: &str = "Unknown ACL identifier. Please use #<id> or <file>.";

/// What is done to a list, and what is said then.
type Change<'a> = &'a dyn Fn(&mut List) -> Result<String, String>;

pub(super) async fn run(console: &Console, typed: Typed<'_>) -> Answer {
    let (version, words) = version(typed.arguments);
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    match typed.row.words {
        "show acl" if word(0).is_empty() => all(console),
        "show acl" => values(console, version, word(0)),
        "get acl" if word(1).is_empty() => Answer::refusal("Missing ACL identifier and/or key."),
        "get acl" => sought(console, word(0), word(1)),
        "add acl" if word(1).is_empty() => {
            Answer::refusal("'add acl' expects two parameters: ACL identifier and pattern.")
        }
        "add acl" => add(console, version, word(0), word(1)).await,
        "del acl" if word(1).is_empty() => {
            Answer::refusal("This command expects two parameters: ACL identifier and key.")
        }
        "del acl" => edit(console, word(0), &|list| delete(list, word(1))).await,
        "commit acl" if version.is_none() => Answer::refusal("Missing version number."),
        "clear acl" | "commit acl" if word(0).is_empty() => Answer::refusal("Missing ACL identifier."),
        "clear acl" => edit(console, word(0), &|list| clear(list, version)).await,
        "commit acl" => edit(console, word(0), &|list| done(list.commit(version.unwrap_or_default()))).await,
        _ => edit(console, word(0), &|list| Ok(format!("New version created: {}", list.prepare()))).await,
    }
}

/// `@VERSION` in front of the other words.
fn version(words: &[String]) -> (Option<u32>, &[String]) {
    match words.split_first() {
        Some((first, rest)) if first.starts_with('@') => (Some(first[1..].parse().unwrap_or(0)), rest),
        _ => (None, words),
    }
}

fn find(config: &Config, wanted: &str) -> Result<ListId, Answer> {
    lists::find(config, wanted).ok_or_else(|| Answer::refusal(UNKNOWN))
}

fn all(console: &Console) -> Answer {
    let sources = console.powers().shared.borrow();
    let mut lists: Vec<&List> = sources.config.lists.iter().map(|list| &**list).collect();
    lists.sort_by_key(|list| list.id);
    let lines: String = lists.iter().map(|list| format!("{list}\n")).collect();
    Answer::listing(format!("# id (file) description\n{lines}"))
}

fn values(console: &Console, version: Option<u32>, wanted: &str) -> Answer {
    let config = &console.powers().shared.borrow().config;
    match find(config, wanted) {
        Err(refusal) => refusal,
        Ok(list) => {
            let entries = config.lists[list.0 as usize].entries(version);
            let line = |reference: u64, text: &str| format!("{reference:#x} {text}\n");
            Answer::listing(entries.map(|entry| line(entry.reference, &entry.text)).collect::<String>())
        }
    }
}

/// A line for each way in which the list is looked at.
fn sought(console: &Console, wanted: &str, key: &str) -> Answer {
    let config = &console.powers().shared.borrow().config;
    let list = match find(config, wanted) {
        Ok(list) => list,
        Err(refusal) => return refusal,
    };
    let entries = || config.lists[list.0 as usize].entries(None);
    let mut styles = Vec::new();
    let mut lines = String::new();
    for acl in lists::users(config, list) {
        if styles.contains(&acl.style) {
            continue;
        }
        styles.push(acl.style);
        let case = if acl.style.ignores_case() { "insensitive" } else { "sensitive" };
        let found = match acl.style.seek(entries(), key) {
            None => "no".to_owned(),
            Some(text) => {
                let index = if acl.style.is_precise() { "tree" } else { "list" };
                format!("yes, idx={index}, pattern=\"{text}\"")
            }
        };
        lines.push_str(&format!("type={}, case={case}, match={found}\n", acl.type_name()));
    }
    Answer::listing(lines)
}

/// A value must be readable by every ACL that looks at the list.
async fn add(console: &Console, version: Option<u32>, wanted: &str, text: &str) -> Answer {
    let readable = |config: &Config, list| {
        lists::users(config, list).try_for_each(|acl| acl.style.read_late(text).map(drop))
    };
    let make = |table: &Snapshot| {
        let config = &table.config;
        let list = find(config, wanted)?;
        readable(config, list).map_err(|error| Answer::refusal(format!("{error}.")))?;
        lists::with(config, list, |list| done(list.add(version, text))).map_err(Answer::refusal)
    };
    change(console, make).await
}

fn delete(list: &mut List, key: &str) -> Result<String, String> {
    let deleted = match key.strip_prefix('#') {
        None => list.delete(key),
        Some(reference) => {
            let digits = reference.strip_prefix("0x").unwrap_or(reference);
            u64::from_str_radix(digits, 16).is_ok_and(|reference| list.delete_reference(reference))
        }
    };
    if deleted { Ok(String::new()) } else { Err("Key not found.".to_owned()) }
}

fn clear(list: &mut List, version: Option<u32>) -> Result<String, String> {
    list.clear(version);
    Ok(String::new())
}

fn done(result: Result<(), &'static str>) -> Result<String, String> {
    result.map(|()| String::new()).map_err(str::to_owned)
}

async fn edit(console: &Console, wanted: &str, edit: Change<'_>) -> Answer {
    let make = |table: &Snapshot| {
        let config = &table.config;
        let list = find(config, wanted)?;
        lists::with(config, list, edit).map_err(Answer::refusal)
    };
    change(console, make).await
}
