//! A line for each proxy through its medians.

use std::path::Path;

use plotters::prelude::*;

use super::{Chart, Drawn, SIZE, colour, family_of, legend, way};
use crate::report::number::short;
use crate::report::{Report, Row};

/// What is drawn.
pub struct Lines {
    caption: String,
    below: &'static str,
    lines: Vec<(String, Vec<(f64, f64)>)>,
}

/// A metric against the trips asked for each second; None when the workloads do not differ in that.
pub fn against_load(report: &Report, rows: &[&Row]) -> Option<Lines> {
    let load: Vec<f64> = rows.iter().map(|row| thousands(&row.workload)).collect::<Option<_>>()?;
    let line = |(index, peer): (usize, &String)| {
        let points = load.iter().zip(rows);
        let points = points.filter_map(|(load, row)| Some((*load, row.values[index].median()?)));
        (peer.clone(), points.collect())
    };
    let metric = rows.first()?.metric;
    let family = family_of(&rows[0].workload);
    Some(Lines {
        caption: format!("{family}: {} ({})", metric.label(), way(metric)),
        below: "trips asked for each second, in thousands",
        lines: report.peers.iter().enumerate().map(line).collect(),
    })
}

/// Resident memory against idle sessions.
pub fn memory(report: &Report) -> Lines {
    Lines {
        caption: "idle: resident memory, MiB (less is better)".to_owned(),
        below: "idle sessions",
        lines: report.memory.iter().map(|growth| (growth.peer.clone(), growth.points.clone())).collect(),
    }
}

/// 20 of "rate-20k".
fn thousands(workload: &str) -> Option<f64> {
    workload.strip_prefix("rate-")?.strip_suffix('k')?.parse().ok()
}

impl Lines {
    pub fn draw(&self, path: &Path) -> Drawn {
        let area = SVGBackend::new(path, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let points = || self.lines.iter().flat_map(|(_, points)| points);
        let right = points().map(|(x, _)| *x).fold(1.0, f64::max);
        let highest = points().map(|(_, y)| *y).fold(0.0, f64::max);
        let top = if highest > 0.0 { highest * 1.4 } else { 1.0 };
        let mut chart: Chart<'_> = ChartBuilder::on(&area)
            .caption(&self.caption, ("sans-serif", 20))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..right * 1.02, 0.0..top)?;
        let mut mesh = chart.configure_mesh();
        mesh.x_desc(self.below).x_label_formatter(&|value| short(*value));
        mesh.y_label_formatter(&|value| short(*value)).light_line_style(WHITE).draw()?;
        for (peer, points) in &self.lines {
            let colour = colour(peer);
            let swatch = move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled());
            let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(3);
            chart.draw_series(line)?.label(peer).legend(swatch);
        }
        legend(&mut chart)?;
        area.present()?;
        Ok(())
    }
}
