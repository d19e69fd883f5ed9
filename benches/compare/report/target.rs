//! How far ahead of HAProxy's better mode Pronk means to be.

use super::metric::Metric;

/// The advantage aimed at, above 1 being better; None where there is no aim.
pub fn target(workload: &str, metric: Metric) -> Option<f64> {
    let many = !workload.ends_with("-1");
    let family = workload.split('-').next().unwrap_or(workload);
    match (family, metric) {
        ("bulk" | "paced", Metric::CpuPerGib) => Some(1.0 / 0.5),
        ("bulk", Metric::Gbps) => Some(1.5),
        ("trip", Metric::CpuPerTrip) if many => Some(1.0 / 0.6),
        ("trip", Metric::P50) if !many => Some(1.0 / 0.6),
        ("short", Metric::CpuPerConnection) => Some(1.0 / 0.7),
        ("idle", Metric::ResidentPerSession) => Some(1.0 / 0.1),
        ("mixed", Metric::TripRate) if workload == family => Some(1.3),
        ("mixed", Metric::P99) if workload == family => Some(1.0 / 0.5),
        _ => None,
    }
}
