//! What changed between two runs, to judge a change of the data path.

use std::fmt::Write;

use super::control::{self, Control};
use super::metric::{Better, Metric};
use super::number::{percent, short};
use super::rounds::Rounds;
use super::stats::Trend;
use super::{OURS, Report, Row, missing, stats, table};

/// With less of them in each run the interval says little.
const FEWEST_ROUNDS: usize = 4;
/// A run is worse when chance alone would make a row of it so in one of so many comparisons at most …
const SELDOM: f64 = 20.0;
/// … and by more percent than that.
const SLIGHT: f64 = 2.0;

/// How a row changed, the control's change taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Better,
    Worse,
    /// The interval includes no change.
    Noise,
    TooFew,
    /// A round was zero: there is no ratio.
    Unknown,
}

/// One peer's change in one row; changes are in percent of what was before.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub workload: String,
    pub metric: &'static str,
    pub peer: String,
    pub before: f64,
    pub after: f64,
    pub change: f64,
    /// None: the row has none.
    pub control: Option<f64>,
    /// What is left without the control's change, and its 95 % interval.
    pub own: Option<(f64, (f64, f64))>,
    /// How often chance alone would bring that; 1 where nothing is known.
    pub chance: f64,
    pub verdict: Verdict,
}

/// The judged rows of the peers that both runs have, but for the control, in the order of `after`.
pub fn changes(before: &Report, after: &Report) -> Vec<Change> {
    let controls = control::names(before, after);
    let judged = || after.peers.iter().filter(|name| !controls.contains(&name.as_str()));
    let mut changes = Vec::new();
    for row in after.rows.iter().filter(|row| row.metric.better() != Better::Neither) {
        let Some(old) = before.row(&row.workload, row.metric) else { continue };
        for peer in judged() {
            let rounds = before.rounds(old, peer).zip(after.rounds(row, peer));
            let Some((was, is)) = rounds else { continue };
            let control = Control::of_row(&controls, [(before, old), (after, row)], [was, is]);
            changes.extend(change(row, peer, [was, is], control));
        }
    }
    changes
}

fn change(row: &Row, peer: &str, [was, is]: [&Rounds; 2], [old, new]: [Control<'_>; 2]) -> Option<Change> {
    let (before, after) = was.median().zip(is.median())?;
    let more = |ratio: f64| (ratio - 1.0) * 100.0;
    let (before_pairs, after_pairs) = (old.beside(was), new.beside(is));
    let part =
        |pairs: &[(f64, f64)], part: fn(&(f64, f64)) -> f64| pairs.iter().map(part).collect::<Vec<_>>();
    let own = |pairs| part(pairs, |(value, control)| value / control);
    let control = |pairs| stats::median(&part(pairs, |(_, control)| *control));
    let trend = stats::trend(&own(&before_pairs), &own(&after_pairs));
    let enough = before_pairs.len().min(after_pairs.len()) >= FEWEST_ROUNDS;
    let moved = control(&after_pairs)? / control(&before_pairs)?;
    Some(Change {
        workload: row.workload.clone(),
        metric: row.metric.label(),
        peer: peer.to_owned(),
        before,
        after,
        change: if before == 0.0 { 0.0 } else { more(after / before) },
        control: (!old.is_empty()).then(|| more(moved)),
        own: trend.map(|Trend { ratio, interval: (low, high), .. }| (more(ratio), (more(low), more(high)))),
        chance: trend.map_or(1.0, |trend| trend.chance),
        verdict: match trend {
            _ if !enough => Verdict::TooFew,
            None => Verdict::Unknown,
            Some(Trend { interval, .. }) => verdict(interval, row.metric),
        },
    })
}

fn verdict((low, high): (f64, f64), metric: Metric) -> Verdict {
    if low <= 1.0 && high >= 1.0 {
        Verdict::Noise
    } else if (high < 1.0) == (metric.better() == Better::Lower) {
        Verdict::Better
    } else {
        Verdict::Worse
    }
}

/// Whether Pronk is clearly worse in a row, by more than all that were judged would make likely, or could no longer be
/// measured where it had been. Its other builds and settings do not count.
pub fn is_worse(before: &Report, after: &Report) -> bool {
    let mut changes = changes(before, after);
    changes.retain(|change| change.peer == OURS);
    let judged = changes.iter().filter(|change| change.own.is_some()).count() as f64;
    let clear = |change: &Change| {
        let much = change.own.is_some_and(|(own, _)| own.abs() > SLIGHT);
        change.verdict == Verdict::Worse && much && change.chance * judged * SELDOM <= 1.0
    };
    changes.iter().any(clear) || missing::is_lost(before, after, OURS)
}

/// Which parts of the environment differ, what the control is, the changes as a table, and what is missing in it.
pub fn text(before: &Report, after: &Report) -> String {
    let mut lines = environment(before, after);
    for (name, run) in [("before", before), ("after", after)] {
        lines.extend(table::warning(run).map(|warning| format!("{name}: {warning}")));
    }
    lines.push(control::sentence(before, after));
    let changes = changes(before, after);
    if changes.is_empty() {
        lines.push("The two runs have no row in common that could be judged.".to_owned());
    } else {
        lines.push(String::new());
        lines.extend(rows(&changes));
        lines.push(format!("\n{}", summary(&changes)));
    }
    lines.extend(missing::lines(before, after));
    lines.iter().fold(String::new(), |mut out, line| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{line}");
        out
    })
}

fn environment(before: &Report, after: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, value) in &after.environment {
        match before.environment(name) {
            Some(old) if old != value => lines.push(format!("{name}: {old} -> {value}")),
            Some(_) if name.starts_with("pronk") => lines.push(format!("{name}: the same in both, {value}")),
            _ => {}
        }
    }
    lines
}

fn rows(changes: &[Change]) -> Vec<String> {
    let head =
        ["workload", "metric", "proxy", "before", "after", "change", "control", "own change", "95 %", ""];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(changes.iter().map(|change| {
        let shown = |percents: Option<f64>| percents.map_or_else(|| "none".to_owned(), percent);
        let interval = change.own.map(|(_, (low, high))| format!("{low:+.1} to {high:+.1} %"));
        vec![
            change.workload.clone(),
            change.metric.to_owned(),
            change.peer.clone(),
            short(change.before),
            short(change.after),
            percent(change.change),
            shown(change.control),
            change.own.map_or_else(|| "-".to_owned(), |(own, _)| percent(own)),
            interval.unwrap_or_else(|| "-".to_owned()),
            name(change.verdict).to_owned(),
        ]
    }));
    table::aligned(&rows, 3)
}

fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::Noise => "within noise",
        Verdict::TooFew => "too few rounds to judge",
        Verdict::Unknown => "no ratio",
    }
}

/// How many were judged how, and what chance alone would have made of them.
fn summary(changes: &[Change]) -> String {
    let count = |verdict| changes.iter().filter(|change| change.verdict == verdict).count();
    let (better, worse, noise) = (count(Verdict::Better), count(Verdict::Worse), count(Verdict::Noise));
    let judged = better + worse + noise;
    format!(
        "Own change: that of the geometric means, each round divided by the control's. \"better\" and \"worse\" where \
         its 95 % interval excludes no change, with {FEWEST_ROUNDS} rounds of each run at least. {judged} judged: \
         {better} better, {worse} worse; were nothing changed, chance alone would make about {} of each.",
        short(judged as f64 / 40.0)
    )
}
