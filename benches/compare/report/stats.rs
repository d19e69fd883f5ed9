//! Medians, ratios, slopes.

use super::metric::Better;

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
    /// Two-sided 95 % quantiles for 2, 3, … degrees of freedom.
    const T: [f64; 10] = [4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201];
    let count = ratios.len();
    if count < 3 {
        return None;
    }
    let logs: Vec<f64> = ratios.iter().map(|ratio| ratio.ln()).collect();
    let mean = logs.iter().sum::<f64>() / count as f64;
    let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (count - 1) as f64;
    let t = T.get(count - 3).copied().unwrap_or(2.2);
    let half = t * (variance / count as f64).sqrt();
    half.is_finite().then(|| ((mean - half).exp(), (mean + half).exp()))
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
