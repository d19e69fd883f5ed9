//! What two runs do not share, and what could not be measured in either.

use super::metric::Better;
use super::{Report, Row};

/// Failures of both runs, those marked that are new in `after`; what was not run; what only one of them has.
pub fn lines(before: &Report, after: &Report) -> Vec<String> {
    let new = new_failures(before, after);
    let mut lines: Vec<String> =
        before.failures.iter().map(|failure| format!("before: NOT MEASURED: {failure}")).collect();
    lines.extend(after.failures.iter().enumerate().map(|(place, failure)| {
        let mark = if new.contains(&place) { "worse, NOT MEASURED" } else { "NOT MEASURED" };
        format!("after: {mark}: {failure}")
    }));
    for (name, run, other) in [("before", before, after), ("after", after, before)] {
        lines.extend(run.not_run.iter().map(|what| format!("{name}: NOT RUN: {what}")));
        lines.extend(only(run, other).into_iter().map(|what| format!("only {name}: {what}")));
    }
    lines
}

/// Places of the failures of `after` that `before` did not have: of one workload and proxy those beyond its number.
pub fn new_failures(before: &Report, after: &Report) -> Vec<usize> {
    let of = |failures: &[String], subject: &str| {
        failures.iter().filter(|failure| self::subject(failure) == subject).count()
    };
    let failures = after.failures.iter().enumerate();
    let new = failures.filter(|(place, failure)| {
        let subject = subject(failure);
        of(&after.failures[..*place], subject) >= of(&before.failures, subject)
    });
    new.map(|(place, _)| place).collect()
}

/// Whether `peer`, which both runs have, failed in a larger part of the rounds of a workload than before.
pub fn is_lost(before: &Report, after: &Report, peer: &str) -> bool {
    let shared = [before, after].iter().all(|run| run.peers.iter().any(|name| name == peer));
    let part = |run: &Report, subject: &str| {
        let failed = run.failures.iter().filter(|failure| self::subject(failure) == subject).count();
        failed as f64 / run.rounds_begun().max(1) as f64
    };
    let ours =
        after.failures.iter().map(|failure| subject(failure)).filter(|subject| subject.ends_with(peer));
    shared && ours.into_iter().any(|subject| part(after, subject) > part(before, subject))
}

/// "idle, nginx" of "round 2/5, idle, nginx: it ended": which round it was and what was said differs from run to run.
fn subject(failure: &str) -> &str {
    let subject = failure.split_once(": ").map_or(failure, |(subject, _)| subject);
    subject.split_once(", ").map_or(subject, |(_, subject)| subject)
}

/// Proxies, workloads and metrics of `run` that `other` has nowhere; then the values that are missing in the rows of the
/// others.
fn only(run: &Report, other: &Report) -> Vec<String> {
    let alone = |row: &&Row| !other.rows.iter().any(|old| old.workload == row.workload);
    let unknown = |row: &&Row| !other.rows.iter().any(|old| old.metric == row.metric);
    let judged = || run.rows.iter().filter(|row| row.metric.better() != Better::Neither);
    let shared = || judged().filter(|row| !alone(row));
    let peers = run.peers.iter().filter(|name| !other.peers.contains(name));
    let names = [
        ("proxies", distinct(peers.map(String::as_str))),
        ("workloads", distinct(judged().filter(alone).map(|row| row.workload.as_str()))),
        ("metrics", distinct(shared().filter(unknown).map(|row| row.metric.label()))),
    ];
    let named = names.into_iter().filter(|(_, names)| !names.is_empty());
    let lines = named.map(|(kind, names)| format!("{kind} {}", names.join("; ")));
    lines.chain(shared().filter(|row| !unknown(row)).filter_map(|row| gap(run, row, other))).collect()
}

/// The proxies that have values in this row of `run` and none in `other`, though it has the proxy.
fn gap(run: &Report, row: &Row, other: &Report) -> Option<String> {
    let old = other.row(&row.workload, row.metric);
    let missing = |peer: &&String| {
        let has = old.is_some_and(|old| other.rounds(old, peer).is_some());
        run.rounds(row, peer).is_some() && other.peers.contains(peer) && !has
    };
    let missing: Vec<&str> = run.peers.iter().filter(missing).map(String::as_str).collect();
    (!missing.is_empty()).then(|| format!("{}, {}: {}", row.workload, row.metric.label(), missing.join(", ")))
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut distinct = Vec::new();
    names.for_each(|name| {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    });
    distinct
}
