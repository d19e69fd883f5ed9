//! `show activity`: what each worker carries and has done (management guide, section 9.3).

use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

use super::counters::{Counter, ProcessCounters};
use super::sources::Sources;

/// Name and reading of a line.
type Total = (&'static str, fn(&ProcessCounters) -> &Counter);

/// Totals since the start, by the name that HAProxy has for the same where it has one.
const TOTALS: [Total; 6] = [
    ("accepted", |process| &process.connections),
    // Accepted here, and given to a worker that carried less.
    ("accq_pushed", |process| &process.handed_over),
    ("accept_failures", |process| &process.accept_failures),
    ("maxconn_reached", |process| &process.maxconn_reached),
    ("zc_sends", |process| &process.zero_copy_sends),
    // Copied after all: no card took part.
    ("zc_copied", |process| &process.zero_copy_copied),
];

/// Lines `name: total [ worker 1 worker 2 … ]`, the total alone when there is one worker; first the sessions
/// now. The empty line that ends an answer on the stats socket is not part of it.
pub fn activity(sources: &Sources) -> String {
    let mut out = String::new();
    let live = |worker| u64::from(sources.load.worker_live(worker).load(Relaxed));
    line(&mut out, "live", (0..sources.workers).map(live).collect());
    for (name, of) in TOTALS {
        // Behind the workers' counters lie those of the control thread.
        let workers = sources.counters.iter().take(sources.workers);
        line(&mut out, name, workers.map(|worker| of(worker.process()).value()).collect());
    }
    out
}

fn line(out: &mut String, name: &str, of_workers: Vec<u64>) {
    let columns: String = of_workers.iter().map(|number| format!(" {number}")).collect();
    let columns = if of_workers.len() > 1 { format!(" [{columns} ]") } else { String::new() };
    // Formatting into a String cannot fail.
    let _ = writeln!(out, "{name}: {}{columns}", of_workers.iter().sum::<u64>());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixture::sources;

    #[test]
    fn each_worker_has_a_column_beside_the_total() {
        let (sources, _publisher) = sources();
        sources.load.worker_live(0).store(51, Relaxed);
        sources.load.worker_live(1).store(49, Relaxed);
        sources.counters[0].process().connections.add(100);
        sources.counters[1].process().accept_failures.add(3);
        sources.counters[0].process().handed_over.add(49);
        let expected = "live: 100 [ 51 49 ]\naccepted: 100 [ 100 0 ]\naccq_pushed: 49 [ 49 0 ]\n\
                        accept_failures: 3 [ 0 3 ]\nmaxconn_reached: 0 [ 0 0 ]\nzc_sends: 0 [ 0 0 ]\nzc_copied: 0 [ 0 0 ]\n";
        assert_eq!(activity(&sources), expected);
        let alone = Sources { workers: 1, ..sources };
        assert!(activity(&alone).starts_with("live: 51\naccepted: 100\n"));
    }
}
