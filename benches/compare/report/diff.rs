//! What changed between two runs, to judge a change of the data path.

use std::fmt::Write;

use super::metric::Better;
use super::number::{percent, short};
use super::{Report, stats, table};

/// How a row changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Better,
    Worse,
    /// The rounds of the two runs overlap.
    Noise,
    /// One round says nothing about the noise.
    Unknown,
}

/// One peer's change in one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub workload: String,
    pub metric: &'static str,
    pub peer: String,
    pub before: f64,
    pub after: f64,
    /// Percent of `before`.
    pub change: f64,
    pub verdict: Verdict,
}

/// The judged rows and the peers that both runs have, in the order of `after`.
pub fn changes(before: &Report, after: &Report) -> Vec<Change> {
    let mut changes = Vec::new();
    for row in after.rows.iter().filter(|row| row.metric.better() != Better::Neither) {
        let Some(old) = before.row(&row.workload, row.metric) else { continue };
        for (peer, values) in after.peers.iter().zip(&row.values) {
            let Some(place) = before.peers.iter().position(|name| name == peer) else { continue };
            let medians = old.values[place].median().zip(values.median());
            let Some((was, is)) = medians else { continue };
            changes.push(Change {
                workload: row.workload.clone(),
                metric: row.metric.label(),
                peer: peer.clone(),
                before: was,
                after: is,
                change: if was == 0.0 { 0.0 } else { (is / was - 1.0) * 100.0 },
                verdict: verdict(&old.values[place].values(), &values.values(), row.metric.better()),
            });
        }
    }
    changes
}

fn verdict(before: &[f64], after: &[f64], better: Better) -> Verdict {
    let ranges = stats::range(before).zip(stats::range(after));
    let enough = before.len() > 1 && after.len() > 1;
    let Some(((low, high), (new_low, new_high))) = ranges.filter(|_| enough) else {
        return Verdict::Unknown;
    };
    if new_low <= high && low <= new_high {
        Verdict::Noise
    } else if (new_high < low) == (better == Better::Lower) {
        Verdict::Better
    } else {
        Verdict::Worse
    }
}

/// The changes as a table, and which parts of the environment differ.
pub fn text(before: &Report, after: &Report) -> String {
    let mut out = String::new();
    for (name, value) in &after.environment {
        let old = before.environment.iter().find(|(other, _)| other == name);
        if let Some((_, old)) = old.filter(|(_, old)| old != value) {
            let _ = writeln!(out, "{name}: {old} -> {value}");
        }
    }
    for (name, run) in [("before", before), ("after", after)] {
        if let Some(warning) = table::warning(run) {
            let _ = writeln!(out, "{name}: {warning}");
        }
    }
    let changes = changes(before, after);
    if changes.is_empty() {
        out.push_str("The two runs have no row in common.\n");
    }
    changes.iter().for_each(|change| line(&mut out, change));
    out.push_str(
        "\"better\" and \"worse\" only where no round of one run reaches into the rounds of the other.\n",
    );
    out
}

fn line(out: &mut String, change: &Change) {
    let verdict = match change.verdict {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::Noise => "within noise",
        Verdict::Unknown => "one round only",
    };
    let Change { workload, metric, peer, .. } = change;
    let (before, after) = (short(change.before), short(change.after));
    let moved = percent(change.change);
    let text =
        format!("{workload:<14} {metric:<28} {peer:<15} {before:>10} -> {after:>10} {moved:>9}  {verdict}");
    let _ = writeln!(out, "{}", text.trim_end());
}
