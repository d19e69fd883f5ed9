//! Bars, one group a workload, one colour a proxy, with the range over the rounds.

use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{Chart, SIZE, colour, family_of, legend, way};
use crate::report::number::short;
use crate::report::rounds::Rounds;
use crate::report::{Report, Row, stats};

/// The medians of one metric.
pub fn draw(report: &Report, rows: &[&Row], path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = axes(&area, rows)?;
    for (index, peer) in report.peers.iter().enumerate() {
        let colour = colour(peer);
        for (group, row) in rows.iter().enumerate() {
            draw_bar(
                &mut chart,
                place(group, index, report.peers.len()),
                &row.values[index].values(),
                colour,
            )?;
        }
        let swatch = move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled());
        chart.draw_series(std::iter::empty::<Rectangle<(f64, f64)>>())?.label(peer).legend(swatch);
    }
    legend(&mut chart)?;
    area.present()?;
    Ok(())
}

/// The empty chart: workloads below, values from zero to a little above the highest.
fn axes<'a>(
    area: &DrawingArea<SVGBackend<'a>, Shift>,
    rows: &[&Row],
) -> Result<Chart<'a>, Box<dyn std::error::Error>> {
    let highest = rows.iter().flat_map(|row| row.values.iter().flat_map(Rounds::values)).fold(0.0, f64::max);
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
    format!("{}: {} ({})", family_of(&row.workload), row.metric.label(), way(row.metric))
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
