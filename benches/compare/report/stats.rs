//! Medians, ratios, slopes.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::metric::Better;

/// How a sample stands to an earlier one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// How many times what it was.
    pub ratio: f64,
    /// Its 95 % interval.
    pub interval: (f64, f64),
    /// How often chance alone would bring as much or more where nothing has changed.
    pub chance: f64,
}

/// The middle value; of an even number, the mean of the two in the middle.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// Lowest and highest.
pub fn range(values: &[f64]) -> Option<(f64, f64)> {
    let first = *values.first()?;
    Some(values.iter().fold((first, first), |(low, high), value| (low.min(*value), high.max(*value))))
}

/// Highest less lowest, in percent of the median; None unless there are two.
pub fn spread(values: &[f64]) -> Option<f64> {
    let (low, high) = range(values)?;
    let median = median(values).filter(|median| *median != 0.0 && values.len() > 1)?;
    Some((high - low) / median * 100.0)
}

/// How many times better `ours` is than `theirs`: above 1 is ahead, whichever way is better.
pub fn advantage(ours: f64, theirs: f64, better: Better) -> Option<f64> {
    let ratio = match better {
        Better::Lower => theirs / ours,
        Better::Higher => ours / theirs,
        Better::Neither => return None,
    };
    ratio.is_finite().then_some(ratio)
}

/// The 95 % interval of what these ratios vary about: Student's t over their logarithms. None with less than three.
pub fn interval(ratios: &[f64]) -> Option<(f64, f64)> {
    let (mean, variance) = log_mean(ratios);
    let half = quantile(ratios.len().checked_sub(1)? as f64)? * variance.sqrt();
    half.is_finite().then(|| ((mean - half).exp(), (mean + half).exp()))
}

/// How many times `before` the values of `after` are, from two samples that have nothing to do with each other: Welch's t
/// over their logarithms. None below two of each and two degrees of freedom, or when one is not above zero.
pub fn trend(before: &[f64], after: &[f64]) -> Option<Trend> {
    let ((was, was_variance), (is, is_variance)) = (log_mean(before), log_mean(after));
    let least = before.len().min(after.len()).checked_sub(1)? as f64;
    let variance = was_variance + is_variance;
    let part = |part: f64, values: &[f64]| part.powi(2) / (values.len() - 1) as f64;
    let freedom = variance.powi(2) / (part(was_variance, before) + part(is_variance, after));
    // Rounds that are all alike have no variance; `max` then leaves what there is at least.
    let freedom = freedom.max(least);
    let half = quantile(freedom)? * variance.sqrt();
    let mean = is - was;
    let chance = match mean.abs() / variance.sqrt() {
        errors if errors.is_finite() => 2.0 * students(freedom)?.sf(errors),
        // Rounds that are all alike.
        _ if mean == 0.0 => 1.0,
        _ => 0.0,
    };
    let interval = ((mean - half).exp(), (mean + half).exp());
    (mean.is_finite() && half.is_finite()).then(|| Trend { ratio: mean.exp(), interval, chance })
}

/// The mean of the logarithms, and the variance of that mean.
fn log_mean(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    let mean = logs.iter().sum::<f64>() / count;
    let squares: f64 = logs.iter().map(|log| (log - mean).powi(2)).sum();
    (mean, squares / (count - 1.0) / count)
}

/// None below two degrees of freedom.
fn students(freedom: f64) -> Option<StudentsT> {
    StudentsT::new(0.0, 1.0, freedom).ok().filter(|_| freedom >= 2.0)
}

/// The two-sided 95 % quantile of Student's t.
fn quantile(freedom: f64) -> Option<f64> {
    students(freedom).map(|students| students.inverse_cdf(0.975))
}

/// The slope of the least-squares line through (x, y); None unless two x differ.
pub fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let spread: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let together: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    (spread > 0.0).then(|| together / spread)
}
