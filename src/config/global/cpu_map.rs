//! `cpu-map [auto:]GROUP[/THREADS] CPUS…` (configuration manual, section 3.1).

use super::WORKERS_MAX;
use crate::config::arguments::Arguments;

/// The greatest CPU number: that of the kernel's `cpu_set_t`.
const CPU_MAX: u16 = 1_023;
const HELP: &str = "as in: cpu-map 1/1-4 0-3, or cpu-map auto:1/1-4 0-3";

/// Reads the words after `cpu-map` into `map`, which is indexed by worker.
pub(super) fn parse(words: &mut Arguments<'_>, map: &mut Vec<Vec<u16>>) {
    let Some(written) = words.next() else { return };
    let (auto, target) = match written.strip_prefix("auto:") {
        Some(target) => (true, target),
        None => (false, written),
    };
    let Some(workers) = parse_target(target) else {
        return words.alert_last(format!("cpu-map : '{written}' names no thread."), HELP);
    };
    let Some(cpus) = parse_cpus(words) else { return };
    if !auto {
        for worker in workers {
            assign(map, worker, cpus.clone());
        }
        return;
    }
    if workers.len() != cpus.len() {
        let text = "cpu-map : 'auto:' requires as many threads as CPUs.";
        let help = format!("{} threads and {} CPUs are given", workers.len(), cpus.len());
        return words.alert(1, text, help);
    }
    for (worker, cpu) in workers.into_iter().zip(cpus) {
        assign(map, worker, vec![cpu]);
    }
}

fn assign(map: &mut Vec<Vec<u16>>, worker: u16, cpus: Vec<u16>) {
    let worker = usize::from(worker);
    if map.len() <= worker {
        map.resize(worker + 1, Vec::new());
    }
    map[worker] = cpus;
}

/// `GROUP[/THREADS]` as 0-based workers; there is one group, and without threads all of it is meant.
fn parse_target(target: &str) -> Option<Vec<u16>> {
    let (group, threads) = target.split_once('/').unwrap_or((target, "all"));
    if !matches!(group, "1" | "all" | "odd") {
        return None;
    }
    let one_based: Vec<u16> = match threads {
        "all" => (1..=WORKERS_MAX).collect(),
        "odd" => (1..=WORKERS_MAX).step_by(2).collect(),
        "even" => (2..=WORKERS_MAX).step_by(2).collect(),
        _ => parse_set(threads, 1, WORKERS_MAX)?,
    };
    Some(one_based.into_iter().map(|thread| thread - 1).collect())
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

/// `3`, `0-3` or `0,2-3`.
fn parse_set(text: &str, low: u16, high: u16) -> Option<Vec<u16>> {
    let mut set = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
        if first < low || last > high || first > last {
            return None;
        }
        set.extend(first..=last);
    }
    Some(set)
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
    fn targets_are_threads_of_the_one_group() {
        assert_eq!(parse_target("1/1-2"), Some(vec![0, 1]));
        assert_eq!(parse_target("1").map(|all| all.len()), Some(usize::from(WORKERS_MAX)));
        assert_eq!(parse_target("2/1"), None);
        assert_eq!(parse_target("1/0"), None);
    }
}
