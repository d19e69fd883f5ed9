//! One proxy's values of a row, round by round.

use super::metric::Better;
use super::stats;

/// A place for each round up to the last that could be measured: rounds of two proxies belong together by their number,
/// however many have failed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rounds(Vec<Option<f64>>);

impl Rounds {
    pub fn put(&mut self, round: usize, value: f64) {
        self.0.resize(self.0.len().max(round + 1), None);
        self.0[round] = Some(value);
    }

    /// By number; None: it could not be measured.
    pub fn iter(&self) -> impl Iterator<Item = Option<f64>> {
        self.0.iter().copied()
    }

    /// Of the rounds that could be measured, in their order.
    pub fn values(&self) -> Vec<f64> {
        self.iter().flatten().collect()
    }

    pub fn median(&self) -> Option<f64> {
        stats::median(&self.values())
    }

    /// The values of the rounds that both have.
    pub fn pairs(&self, other: &Rounds) -> Vec<(f64, f64)> {
        self.iter().zip(other.iter()).filter_map(|(own, other)| own.zip(other)).collect()
    }

    /// How many times better these are than `theirs`: the median of the pairs' ratios, which a machine that changes its
    /// speed between rounds does not disturb; where no two are a pair, the ratio of the medians.
    pub fn advantage(&self, theirs: &Rounds, better: Better) -> Option<f64> {
        match self.ratios(theirs, better)?.as_slice() {
            [] => stats::advantage(self.median()?, theirs.median()?, better),
            ratios => stats::median(ratios),
        }
    }

    /// Its 95 % interval; None with less than three pairs.
    pub fn advantage_interval(&self, theirs: &Rounds, better: Better) -> Option<(f64, f64)> {
        stats::interval(&self.ratios(theirs, better)?)
    }

    fn ratios(&self, theirs: &Rounds, better: Better) -> Option<Vec<f64>> {
        let ratio = |(ours, theirs)| stats::advantage(ours, theirs, better);
        self.pairs(theirs).into_iter().map(ratio).collect()
    }
}

/// Of the first round, the second, and so on.
impl FromIterator<Option<f64>> for Rounds {
    fn from_iter<I: IntoIterator<Item = Option<f64>>>(values: I) -> Rounds {
        Rounds(values.into_iter().collect())
    }
}
