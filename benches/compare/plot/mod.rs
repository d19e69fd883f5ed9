//! Plots: `bars` compare workloads, `lines` show what grows with load or sessions.

mod bars;
mod lines;

use std::path::Path;

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use crate::failure::{Attempt, Failure};
use crate::report::metric::{Better, Metric};
use crate::report::{Report, Row};

/// The colour of each proxy, the same in every plot.
const COLOURS: [(&str, RGBColor); 8] = [
    ("pronk", RGBColor(204, 51, 17)),
    ("haproxy-copy", RGBColor(0, 68, 136)),
    ("haproxy-auto", RGBColor(0, 119, 187)),
    ("haproxy-splice", RGBColor(102, 204, 238)),
    ("haproxy-pipes", RGBColor(153, 153, 153)),
    ("nginx", RGBColor(0, 153, 136)),
    ("sozu", RGBColor(170, 68, 153)),
    ("envoy", RGBColor(136, 34, 85)),
];
const SIZE: (u32, u32) = (960, 420);
type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// One file for each metric of each family of workloads that was measured, and one for memory; the names of those that
/// could be drawn, and why others could not.
pub fn draw_all(report: &Report, folder: &Path) -> (Vec<String>, Vec<Failure>) {
    let (mut drawn, mut failures) = (Vec::new(), Vec::new());
    let mut finish = |name: String, result: Drawn| match result.attempting(format!("drawing {name}")) {
        Ok(()) => drawn.push(name),
        Err(failure) => failures.push(failure),
    };
    for family in families(report) {
        for metric in Metric::ALL.iter().copied().filter(|metric| metric.better() != Better::Neither) {
            let fits = |row: &&Row| row.metric == metric && family_of(&row.workload) == family;
            let rows: Vec<&Row> = report.rows.iter().filter(fits).collect();
            if rows.is_empty() {
                continue;
            }
            let name = format!("{family}-{}.svg", metric.id());
            let path = folder.join(&name);
            let result = match lines::against_load(report, &rows) {
                Some(plot) => plot.draw(&path),
                None => bars::draw(report, &rows, &path),
            };
            finish(name, result);
        }
    }
    if !report.memory.is_empty() {
        let name = "memory.svg".to_owned();
        let result = lines::memory(report).draw(&folder.join(&name));
        finish(name, result);
    }
    (drawn, failures)
}

fn family_of(workload: &str) -> &str {
    workload.split('-').next().unwrap_or(workload)
}

fn families(report: &Report) -> Vec<String> {
    let mut families: Vec<String> = Vec::new();
    for row in &report.rows {
        let family = family_of(&row.workload).to_owned();
        if !families.contains(&family) {
            families.push(family);
        }
    }
    families
}

fn colour(peer: &str) -> RGBColor {
    COLOURS.iter().find(|(name, _)| *name == peer).map_or(BLACK, |(_, colour)| *colour)
}

fn way(metric: Metric) -> &'static str {
    if metric.better() == Better::Lower { "less is better" } else { "more is better" }
}

/// Which colour is whose.
fn legend(chart: &mut Chart<'_>) -> Drawn {
    let mut labels = chart.configure_series_labels();
    let labels = labels.position(SeriesLabelPosition::UpperRight);
    labels.background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.3)).draw()?;
    Ok(())
}
