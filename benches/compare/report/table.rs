//! The comparison as a table, for a terminal and as Markdown.

use std::fmt::Write;

use super::metric::Metric;
use super::number::{short, times};
use super::rounds::Rounds;
use super::target::target;
use super::{RIVALS, Report, Row, bound, scale, stats};

const LEGEND: &str = "Medians over interleaved rounds; spread: highest less lowest round in percent of the median, of the \
proxy where it is largest. \"vs\": how many times better Pronk is (above 1: ahead; a cost: theirs/ours, a rate: \
ours/theirs) than HAProxy's better mode of the row and than other proxies, the median of the rounds' ratios, with the \
95 % interval over the rounds; then what is aimed at against HAProxy. \"possible\": with --profile, what Pronk would \
reach if it moved its bytes as it does and spent nothing but what the kernel's sockets cost it.";

/// The beginning of a proxy's name, and what it is called.
type Rival = (&'static str, &'static str);

const SCALE: &str = "What more cores would carry";

/// Beyond this share of the time without a core, in percent, somebody else is measured too.
const BUSY: f64 = 5.0;

/// For a terminal: aligned columns, a blank line between workloads.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    // All proxies would be wider than a terminal: the others are in the Markdown.
    let rivals = &RIVALS[..2];
    let body = body(report, rivals);
    environment(report).for_each(|line| push(&mut out, &line));
    push(&mut out, "");
    let rows: Vec<Vec<String>> = std::iter::once(head(report, rivals)).chain(body).collect();
    for (index, (row, line)) in rows.iter().zip(aligned(&rows, 2)).enumerate() {
        if index > 1 && !row[0].is_empty() {
            push(&mut out, "");
        }
        push(&mut out, &line);
    }
    push(&mut out, &format!("\n{LEGEND}"));
    warning(report).iter().for_each(|warning| push(&mut out, warning));
    bound::note(report).iter().for_each(|note| push(&mut out, note));
    report.failures.iter().for_each(|failure| push(&mut out, &format!("NOT MEASURED: {failure}")));
    report.not_run.iter().for_each(|what| push(&mut out, &format!("NOT RUN: {what}")));
    let scale = scale::lines(report);
    if !scale.is_empty() {
        push(&mut out, &format!("\n{SCALE}"));
        scale.iter().for_each(|line| push(&mut out, line));
    }
    out
}

/// The same as a Markdown document that shows the plots named in `plots`.
pub fn markdown(report: &Report, plots: &[String]) -> String {
    let mut out = String::from("# Pronk and other proxies on the same work\n\n");
    environment(report).for_each(|line| push(&mut out, &format!("- {line}")));
    push(&mut out, &format!("\n{LEGEND}\n"));
    warning(report).iter().for_each(|warning| push(&mut out, &format!("**{warning}**\n")));
    bound::note(report).iter().for_each(|note| push(&mut out, &format!("**{note}**\n")));
    let rivals: Vec<Rival> = report.rivals().collect();
    let head = head(report, &rivals);
    push(&mut out, &piped(&head));
    push(&mut out, &piped(&rule(head.len())));
    body(report, &rivals).iter().for_each(|row| push(&mut out, &piped(row)));
    for (title, lines) in [("Not measured", &report.failures), ("Not run", &report.not_run)] {
        if !lines.is_empty() {
            push(&mut out, &format!("\n## {title}\n"));
            lines.iter().for_each(|line| push(&mut out, &format!("- {line}")));
        }
    }
    let scale = scale::lines(report);
    if !scale.is_empty() {
        push(&mut out, &format!("\n## {SCALE}\n\n```"));
        scale.iter().for_each(|line| push(&mut out, line));
        push(&mut out, "```");
    }
    push(&mut out, "");
    plots.iter().for_each(|plot| push(&mut out, &format!("![{plot}]({plot})")));
    out
}

fn push(out: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{line}");
}

fn environment(report: &Report) -> impl Iterator<Item = String> {
    report.environment.iter().map(|(name, value)| format!("{name}: {value}"))
}

fn head(report: &Report, rivals: &[Rival]) -> Vec<String> {
    let own = |text: &str| text.to_owned();
    let mut names: Vec<String> = ["workload", "metric"].map(own).to_vec();
    names.extend(report.peers.iter().cloned());
    names.push(own("spread, %"));
    let against = rivals.iter().map(|(_, name)| *name).chain(report.variants());
    names.extend(against.map(|name| format!("vs {name}")));
    names.push(own("aim"));
    names
}

/// One line a row; the workload's name only on its first.
fn body(report: &Report, rivals: &[Rival]) -> Vec<Vec<String>> {
    let mut before = "";
    let line = |row| {
        let mut cells = cells(report, row, rivals);
        if before == row.workload {
            cells[0].clear();
        }
        before = &row.workload;
        cells
    };
    report.rows.iter().map(line).collect()
}

fn cells(report: &Report, row: &Row, rivals: &[Rival]) -> Vec<String> {
    let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), short);
    let mut cells = vec![row.workload.clone(), row.metric.label().to_owned()];
    cells.extend(row.values.iter().map(|values| shown(values.median())));
    let spreads = row.values.iter().filter_map(|values| stats::spread(&values.values()));
    cells.push(shown(spreads.max_by(f64::total_cmp)));
    let against = rivals.iter().map(|(prefix, _)| *prefix).chain(report.variants());
    cells.extend(against.map(|prefix| versus(report, row, prefix)));
    let target = target(&row.workload, row.metric);
    cells.push(aim(target, report.advantage(row, "haproxy"), report.possible(row)));
    cells
}

/// "2.50x 2.31-2.70": the ratio and its interval, as far as there are any.
fn versus(report: &Report, row: &Row, prefix: &str) -> String {
    let Some(ratio) = report.advantage(row, prefix) else { return "-".to_owned() };
    let interval = report.advantage_interval(row, prefix).map(|(low, high)| format!(" {low:.2}-{high:.2}"));
    times(ratio) + &interval.unwrap_or_default()
}

/// Says so when other processes, or other machines of the host, had a share of the two cores.
pub fn warning(report: &Report) -> Option<String> {
    let shares = [
        (
            "other processes kept the proxy or the load from its core",
            [Metric::ProxyWaited, Metric::LoadWaited],
        ),
        ("the host stole the proxy's core or the load's", [Metric::ProxyStolen, Metric::LoadStolen]),
    ];
    let beyond = shares.into_iter().filter_map(|(what, metrics)| {
        let rows = report.rows.iter().filter(|row| metrics.contains(&row.metric));
        let medians = rows.flat_map(|row| &row.values).filter_map(Rounds::median);
        let most = medians.max_by(f64::total_cmp).filter(|most| *most > BUSY)?;
        Some(format!("{what} for up to {} % of the time", short(most)))
    });
    let reasons: Vec<String> = beyond.collect();
    let reasons = Some(reasons.join(", ")).filter(|reasons| !reasons.is_empty())?;
    Some(format!("BUSY MACHINE: {reasons}; do not trust these numbers."))
}

fn aim(target: Option<f64>, reached: Option<f64>, possible: Option<f64>) -> String {
    let Some(target) = target else { return String::new() };
    let missed = || match possible {
        Some(possible) => format!("{} missed, {} possible", times(target), times(possible)),
        None => format!("{} missed", times(target)),
    };
    match reached {
        None => times(target),
        Some(reached) if reached >= target => format!("{} met", times(target)),
        Some(_) => missed(),
    }
}

/// Lines of columns as wide as their widest cell: the first ones are words, to the left, the others numbers.
pub fn aligned(rows: &[Vec<String>], words: usize) -> Vec<String> {
    let columns = rows.first().map_or(0, Vec::len);
    let width =
        |column: usize| rows.iter().map(|row: &Vec<String>| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let cell = |(column, text): (usize, &String)| {
        let width = widths[column];
        if column < words { format!("{text:<width$}") } else { format!("{text:>width$}") }
    };
    let line = |row: &Vec<String>| row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ");
    rows.iter().map(|row| line(row).trim_end().to_owned()).collect()
}

fn piped(row: &[String]) -> String {
    format!("| {} |", row.join(" | "))
}

fn rule(columns: usize) -> Vec<String> {
    (0..columns).map(|column| if column < 2 { "---" } else { "---:" }.to_owned()).collect()
}
