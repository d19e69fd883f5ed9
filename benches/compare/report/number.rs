//! Numbers with as many digits as they deserve.

/// Three significant digits, and whole numbers from 100 on.
pub fn short(value: f64) -> String {
    match value.abs() {
        magnitude if magnitude >= 100.0 => format!("{value:.0}"),
        magnitude if magnitude >= 10.0 => format!("{value:.1}"),
        0.0 => "0".to_owned(),
        magnitude if magnitude >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// A ratio: "1.28x".
pub fn times(ratio: f64) -> String {
    format!("{ratio:.2}x")
}

/// A change: "-12.3 %".
pub fn percent(change: f64) -> String {
    format!("{change:+.1} %")
}
