//! Imports point downwards: the layers of `src/lib.rs` as a table, and every `crate::` and `super::` path
//! held against it.

use crate::source::{Source, is_word, line_of, word_positions};

/// Modules by layer, the lowest first. A module may name what stands in a layer below its own.
/// An entry with `::` is plain data taken out of its parent's layer.
const LAYERS: &[&[&str]] = &[
    // Plain data, and the errors everybody may return.
    &["config::model", "session::op", "session::termination", "process::error", "chunks"],
    // The one file that names tokio-uring: the control and the health thread start from it.
    &["process::runtime"],
    &["log::record", "stats::counters"],
    // `config::model` holds rules, and rules name what the model names: one layer, see PEERS.
    &["rules", "timers"],
    &["config", "load"],
    // A backend of the table carries its selector, and a selector chooses from a backend: see PEERS.
    &["balance", "table"],
    &["sys", "impala"],
    &["session", "ring", "stats", "log"],
    // What control and worker send each other.
    &["worker::mailbox"],
    &["worker", "health", "demo", "top", "tune"],
    // The commands of the stats sockets tell the health thread and the workers what to do.
    &["admin"],
    &["process"],
    &["cli"],
];

/// Pairs inside one layer, or upwards, that use each other, each with its reason.
const PEERS: &[(&str, &str, &str)] = &[
    ("config::model", "rules", "a frontend holds its ACLs and conditions, which are plain data"),
    ("balance", "table", "a selector reads the backend it was prepared for"),
    ("table", "balance", "a backend carries its selector"),
];

/// The violations of one file.
pub fn violations(source: &Source) -> Vec<String> {
    let module = source.module();
    let Some(own) = entry(&module) else {
        // lib.rs declares, main.rs calls: both stand above everything.
        return Vec::new();
    };
    let mut found = Vec::new();
    for (line, path) in paths(source) {
        let named: Vec<&str> = path.iter().map(String::as_str).collect();
        match entry(&named) {
            None => found.push(format!("{}:{line}: crate::{} is in no layer", source.path, path.join("::"))),
            Some(other) if may_name(own, other) => {}
            Some(other) => found.push(format!("{}:{line}: {own} must not name {other}", source.path)),
        }
    }
    found
}

/// Modules of src that no layer holds, and entries that are no module.
pub fn unplaced(sources: &[Source]) -> Vec<String> {
    let unplaced =
        sources.iter().filter(|source| !source.module().is_empty() && entry(&source.module()).is_none());
    let unplaced = unplaced.map(|source| format!("{}: its module is in no layer", source.path));
    let held: Vec<_> = sources.iter().filter_map(|source| entry(&source.module())).collect();
    let empty = LAYERS.iter().copied().flatten().filter(|entry| !held.contains(entry));
    unplaced
        .chain(empty.map(|entry| format!("{entry}: a layer names it, and there is no such module")))
        .collect()
}

/// The layers as `src/lib.rs` shows them, the highest first: the names on each line.
pub fn shown() -> Vec<String> {
    LAYERS.iter().rev().map(|layer| layer.join(" · ")).collect()
}

fn may_name(own: &str, other: &str) -> bool {
    let top = |entry: &str| entry.split("::").next().unwrap_or_default().to_owned();
    own == other
        || (top(own) == top(other) && own.contains("::") == other.contains("::"))
        || layer(other) < layer(own)
        || PEERS.iter().any(|(from, to, _)| *from == own && *to == other)
}

fn layer(entry: &str) -> usize {
    LAYERS.iter().position(|layer| layer.contains(&entry)).expect("an entry of LAYERS")
}

/// The most specific entry of LAYERS that `path` lies in.
fn entry(path: &[&str]) -> Option<&'static str> {
    let all = LAYERS.iter().flat_map(|layer| layer.iter());
    let holding = all.filter(|entry| {
        let parts: Vec<&str> = entry.split("::").collect();
        path.len() >= parts.len() && path[..parts.len()] == parts[..]
    });
    holding.copied().max_by_key(|entry| entry.len())
}

/// Every path that starts at the crate's root, with its line: `crate::a::{b, c::d}` gives a::b and a::c::d.
fn paths(source: &Source) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    for at in word_positions(&source.code, "crate") {
        if let Some(rest) = source.code[at + 5..].strip_prefix("::") {
            expand(rest, &mut Vec::new(), &mut |path| found.push((line_of(&source.code, at), path.to_vec())));
        }
    }
    for at in word_positions(&source.code, "super") {
        // Only the first `super` of a chain starts a path.
        if source.code[..at].ends_with("::") {
            continue;
        }
        let mut module: Vec<String> = source.module().iter().map(|part| (*part).to_owned()).collect();
        let mut rest = &source.code[at..];
        while let Some(after) = rest.strip_prefix("super::") {
            module.pop();
            rest = after;
        }
        expand(rest, &mut module, &mut |path| found.push((line_of(&source.code, at), path.to_vec())));
    }
    found.retain(|(_, path)| !path.is_empty());
    found
}

/// Calls `each` for every path that the use tree at the start of `rest` holds below `prefix`; returns what follows it.
fn expand<'a>(rest: &'a str, prefix: &mut Vec<String>, each: &mut impl FnMut(&[String])) -> &'a str {
    let rest = rest.trim_start();
    if let Some(mut inner) = rest.strip_prefix('{') {
        loop {
            inner = inner.trim_start().trim_start_matches(',').trim_start();
            if inner.is_empty() || inner.starts_with('}') {
                return inner.get(1..).unwrap_or_default();
            }
            let before = inner.len();
            inner = expand(inner, prefix, each);
            if inner.len() == before {
                return inner;
            }
        }
    }
    let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    if end == 0 {
        each(prefix);
        return rest.strip_prefix('*').unwrap_or(rest);
    }
    prefix.push(rest[..end].to_owned());
    let after = match rest[end..].strip_prefix("::") {
        Some(deeper) => expand(deeper, prefix, each),
        None => {
            each(prefix);
            renamed(&rest[end..])
        }
    };
    prefix.pop();
    after
}

/// Skips ` as name`.
fn renamed(rest: &str) -> &str {
    match rest.trim_start().strip_prefix("as ") {
        Some(name) => name.trim_start().trim_start_matches(is_word),
        None => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source::new(path.to_owned(), text.to_owned())
    }

    #[test]
    fn use_trees_are_expanded() {
        let text = "use crate::{config::model::{Bind, Proxy as P}, load::*};\nfn f() { super::super::sys::close(1); }";
        let found: Vec<String> =
            paths(&source("src/a/b.rs", text)).iter().map(|(_, path)| path.join("::")).collect();
        assert_eq!(found, ["config::model::Bind", "config::model::Proxy", "load", "sys::close"]);
    }

    #[test]
    fn upwards_and_sideways_are_refused() {
        assert!(violations(&source("src/session/relay.rs", "use crate::session::op::Op;")).is_empty());
        assert!(
            violations(&source("src/worker/mod.rs", "use crate::{ring::Ring, session::Session};")).is_empty()
        );
        assert_eq!(violations(&source("src/session/mod.rs", "use crate::ring::Ring;")).len(), 1);
        assert_eq!(
            violations(&source("src/ring/mod.rs", "fn f() { crate::session::Session::new() }")).len(),
            1
        );
        assert_eq!(violations(&source("src/balance/mod.rs", "use crate::worker::run;")).len(), 1);
        assert_eq!(violations(&source("src/log/mod.rs", "use crate::nowhere::X;")).len(), 1);
    }
}
