//! Where the load was what limited the work.

use super::metric::Metric;
use super::{Report, SATURATED};

/// Names the workloads, and in each the proxies, whose load had next to nothing left of its core; None: there are none.
pub fn note(report: &Report) -> Option<String> {
    let mut bound = Vec::new();
    for row in report.rows.iter().filter(|row| row.metric == Metric::LoadBusy) {
        let peers = report.peers.iter().zip(&row.values);
        let full = peers.filter(|(_, values)| values.median().is_some_and(|busy| busy > SATURATED));
        let names: Vec<&str> = full.map(|(name, _)| name.as_str()).collect();
        if !names.is_empty() {
            bound.push(format!("{} ({})", row.workload, names.join(", ")));
        }
    }
    (!bound.is_empty()).then(|| {
        format!(
            "LOAD AT ITS LIMIT: its core was busy for more than {SATURATED} % of the time in {}: rates there, and \
             latencies of clients that ask again when they are answered, say how fast the load is; the proxy's CPU for \
             each unit is its own.",
            bound.join("; ")
        )
    })
}
