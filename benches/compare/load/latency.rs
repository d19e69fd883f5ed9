//! Latency histograms: nanoseconds, three significant digits, up to a minute.

use std::time::Duration;

use hdrhistogram::Histogram;

const HIGHEST_NS: u64 = 60_000_000_000;

pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(100, HIGHEST_NS, 3).expect("the bounds are constants that hdrhistogram allows")
}

pub fn record(histogram: &mut Histogram<u64>, latency: Duration) {
    let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(HIGHEST_NS);
    histogram.saturating_record(nanoseconds);
}

/// A quantile in microseconds.
pub fn quantile_us(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1000.0
}
