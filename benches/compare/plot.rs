//! Bars, one group a workload, one colour a proxy, with the range over the rounds.

use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::failure::{Attempt, Failure};
use crate::report::metric::{Better, Metric};
use crate::report::number::short;
use crate::report::{Report, Row, stats};

/// The colour of each proxy, the same in every plot.
const COLOURS: [(&str, RGBColor); 5] = [
    ("pronk", RGBColor(204, 51, 17)),
    ("haproxy-copy", RGBColor(0, 68, 136)),
    ("haproxy-auto", RGBColor(0, 119, 187)),
    ("haproxy-splice", RGBColor(102, 204, 238)),
    ("nginx", RGBColor(0, 153, 136)),
];
const SIZE: (u32, u32) = (960, 420);
type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// One file for each metric of each family of workloads that was measured; their names.
pub fn draw_all(report: &Report, folder: &Path) -> Result<Vec<String>, Failure> {
    let mut drawn = Vec::new();
    for family in families(report) {
        for metric in Metric::ALL.iter().copied().filter(|metric| metric.better() != Better::Neither) {
            let fits = |row: &&Row| row.metric == metric && family_of(&row.workload) == family;
            let rows: Vec<&Row> = report.rows.iter().filter(fits).collect();
            if rows.is_empty() {
                continue;
            }
            let name = format!("{family}-{}.svg", metric.id());
            draw(report, &rows, &folder.join(&name)).attempting(format!("drawing {name}"))?;
            drawn.push(name);
        }
    }
    Ok(drawn)
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

fn draw(report: &Report, rows: &[&Row], path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = axes(&area, rows)?;
    for (index, peer) in report.peers.iter().enumerate() {
        let colour = COLOURS.iter().find(|(name, _)| name == peer).map_or(BLACK, |(_, colour)| *colour);
        for (group, row) in rows.iter().enumerate() {
            draw_bar(&mut chart, place(group, index, report.peers.len()), &row.values[index], colour)?;
        }
        let swatch = move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled());
        chart.draw_series(std::iter::empty::<Rectangle<(f64, f64)>>())?.label(peer).legend(swatch);
    }
    let mut labels = chart.configure_series_labels();
    let labels = labels.position(SeriesLabelPosition::UpperRight);
    labels.background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.3)).draw()?;
    area.present()?;
    Ok(())
}

/// The empty chart: workloads below, values from zero to a little above the highest.
fn axes<'a>(
    area: &DrawingArea<SVGBackend<'a>, Shift>,
    rows: &[&Row],
) -> Result<Chart<'a>, Box<dyn std::error::Error>> {
    let highest = rows.iter().flat_map(|row| row.values.iter().flatten()).copied().fold(0.0, f64::max);
    let top = if highest > 0.0 { highest * 1.4 } else { 1.0 };
    let mut chart = ChartBuilder::on(area)
        .caption(caption(rows[0]), ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(30)
        .y_label_area_size(64)
        .build_cartesian_2d(-0.02..rows.len() as f64, 0.0..top)?;
    let name = |x: &f64| {
        let middle = (x.fract() - 0.5).abs() < 0.01;
        rows.get(*x as usize).filter(|_| middle).map_or_else(String::new, |row| row.workload.clone())
    };
    let mut mesh = chart.configure_mesh();
    mesh.disable_x_mesh().x_labels(rows.len() * 2 + 1).x_label_formatter(&name);
    mesh.y_label_formatter(&|value| short(*value)).light_line_style(WHITE).draw()?;
    Ok(chart)
}

fn caption(row: &Row) -> String {
    let way = if row.metric.better() == Better::Lower { "less is better" } else { "more is better" };
    format!("{}: {} ({way})", family_of(&row.workload), row.metric.label())
}

/// Where on the horizontal axis one peer's bar of one group stands.
fn place(group: usize, peer: usize, peers: usize) -> Range<f64> {
    let width = 0.8 / peers as f64;
    let left = group as f64 + 0.1 + peer as f64 * width;
    left..left + width * 0.9
}

/// A bar up to the median, a line over the range, the median as text.
fn draw_bar(
    chart: &mut Chart<'_>,
    place: Range<f64>,
    values: &[f64],
    colour: RGBColor,
) -> Result<(), Box<dyn std::error::Error>> {
    let Some((median, (low, high))) = stats::median(values).zip(stats::range(values)) else { return Ok(()) };
    let middle = (place.start + place.end) / 2.0;
    let bar = Rectangle::new([(place.start, 0.0), (place.end, median)], colour.filled());
    chart.draw_series([bar])?;
    chart.draw_series([PathElement::new(vec![(middle, low), (middle, high)], BLACK)])?;
    let style = ("sans-serif", 11).into_text_style(chart.plotting_area());
    let style = style.pos(Pos::new(HPos::Center, VPos::Bottom));
    chart.draw_series([Text::new(short(median), (middle, high), style)])?;
    Ok(())
}
