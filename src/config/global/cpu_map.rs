//! `cpu-map [auto:]GROUPS[/THREADS] CPUS…` (configuration manual, section 3.1).

use std::ops::RangeInclusive;

use super::WORKERS_MAX;
use crate::config::arguments::Arguments;

/// The greatest CPU number: that of the kernel's `cpu_set_t`.
const CPU_MAX: u16 = 1_023;
const HELP: &str = "as in: cpu-map 1/1-4 0-3, or cpu-map auto:1/1-4 0-3";

/// How many threads a group of HAProxy's may have, and how many groups there may be: what `all` and an open
/// range stand for where threads and CPUs are counted against each other.
const GROUP_MAX: u16 = 64;

/// What stands before the CPUs.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    /// Thread groups, from 1. Here is one only: the others have no threads.
    groups: Vec<u16>,
    /// Workers, 0-based; None: each group as a whole.
    workers: Option<Vec<u16>>,
}

/// Reads the words after `cpu-map` into `map`, which is indexed by worker.
pub(super) fn parse(words: &mut Arguments<'_>, map: &mut Vec<Vec<u16>>) {
    let Some(written) = words.next() else { return };
    let (auto, target) = match written.strip_prefix("auto:") {
        Some(target) => (true, target),
        None => (false, written),
    };
    let Some(target) = parse_target(target, if auto { GROUP_MAX } else { WORKERS_MAX }) else {
        return words.alert_last(format!("cpu-map : '{written}' names no thread."), HELP);
    };
    let Some(cpus) = parse_cpus(words) else { return };
    let count = target.workers.as_ref().unwrap_or(&target.groups).len();
    if auto && count != cpus.len() {
        let text = "cpu-map : 'auto:' requires as many threads as CPUs.";
        return words.alert(1, text, format!("{count} threads or groups are given for {} CPUs", cpus.len()));
    }
    let Some(group) = target.groups.iter().position(|group| *group == 1) else {
        let text = format!("cpu-map : '{written}' has no effect here: there is one thread group.");
        words.report.diag(words.line, &words.line.words[1], text).help(HELP);
        return;
    };
    match target.workers {
        Some(workers) if auto => {
            workers.into_iter().zip(cpus).for_each(|(worker, cpu)| assign(map, worker, vec![cpu]));
        }
        Some(workers) => workers.into_iter().for_each(|worker| assign(map, worker, cpus.clone())),
        None => {
            let cpus = if auto { vec![cpus[group]] } else { cpus };
            (0..WORKERS_MAX).for_each(|worker| assign(map, worker, cpus.clone()));
        }
    }
}

fn assign(map: &mut Vec<Vec<u16>>, worker: u16, cpus: Vec<u16>) {
    let worker = usize::from(worker);
    if map.len() <= worker {
        map.resize(worker + 1, Vec::new());
    }
    map[worker] = cpus;
}

/// `GROUPS[/THREADS]`; `most`: the last thread of `all` and of an open range.
fn parse_target(target: &str, most: u16) -> Option<Target> {
    let Some((groups, threads)) = target.split_once('/') else {
        return Some(Target { groups: parse_numbers(target, GROUP_MAX, GROUP_MAX)?, workers: None });
    };
    let threads = parse_numbers(threads, most, WORKERS_MAX)?;
    Some(Target {
        groups: parse_numbers(groups, GROUP_MAX, GROUP_MAX)?,
        workers: Some(threads.into_iter().map(|thread| thread - 1).collect()),
    })
}

/// `all`, `odd`, `even`, `3`, `1-4` or `3-`, where the open ones end with `most`.
fn parse_numbers(text: &str, most: u16, high: u16) -> Option<Vec<u16>> {
    match text {
        "all" => Some((1..=most).collect()),
        "odd" => Some((1..=most).step_by(2).collect()),
        "even" => Some((2..=most).step_by(2).collect()),
        _ => parse_range(text, 1, most, high).map(Iterator::collect),
    }
}

fn parse_cpus(words: &mut Arguments<'_>) -> Option<Vec<u16>> {
    let mut cpus = Vec::new();
    while let Some(word) = words.next() {
        match parse_set(word, 0, CPU_MAX) {
            Some(set) => cpus.extend(set),
            None => {
                words.alert_last(format!("cpu-map : '{word}' is not a set of CPUs."), HELP);
                return None;
            }
        }
    }
    if cpus.is_empty() {
        words.alert(words.at, "cpu-map : missing CPUs.", HELP);
        return None;
    }
    Some(cpus)
}

/// `3`, `0-3`, `3-` or `0,2-3`.
fn parse_set(text: &str, low: u16, high: u16) -> Option<Vec<u16>> {
    let mut set = Vec::new();
    for part in text.split(',') {
        set.extend(parse_range(part, low, high, high)?);
    }
    Some(set)
}

/// `3`, `1-4`, or `3-` up to `open`.
fn parse_range(text: &str, low: u16, open: u16, high: u16) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let first: u16 = first.parse().ok()?;
    let last = if last.is_empty() { open } else { last.parse().ok()? };
    (low <= first && first <= last && last <= high).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_lists_of_ranges() {
        assert_eq!(parse_set("0,2-4", 0, 9), Some(vec![0, 2, 3, 4]));
        assert_eq!(parse_set("4-2", 0, 9), None);
        assert_eq!(parse_set("10", 0, 9), None);
    }

    #[test]
    fn an_open_range_ends_with_the_last() {
        assert_eq!(parse_set("7-", 0, 9), Some(vec![7, 8, 9]));
        assert_eq!(parse_set("-7", 0, 9), None);
        assert_eq!(parse_numbers("3-", 4, 9), Some(vec![3, 4]));
        assert_eq!(parse_numbers("3-9", 4, 9).map(|all| all.len()), Some(7));
        assert_eq!(parse_numbers("", 4, 9), None);
    }

    #[test]
    fn targets_are_threads_of_groups() {
        let target = |text| parse_target(text, GROUP_MAX);
        let threads = |workers: &[u16]| Some(Target { groups: vec![1], workers: Some(workers.to_vec()) });
        assert_eq!(target("1/1-2"), threads(&[0, 1]));
        assert_eq!(target("1-3"), Some(Target { groups: vec![1, 2, 3], workers: None }));
        assert_eq!(target("2/1"), Some(Target { groups: vec![2], workers: Some(vec![0]) }));
        for wrong in ["", "/1", "1/", "1/0", "65", "1/257", "1,2"] {
            assert_eq!(target(wrong), None, "{wrong}");
        }
    }
}
