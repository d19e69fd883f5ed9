//! The results and their forms, pure: medians and ratios, a table, Markdown, JSON, and the change
//! between two runs.

pub mod diff;
pub mod json;
pub mod metric;
pub mod number;
pub mod stats;
pub mod table;
pub mod target;

use self::metric::Metric;

/// One run of the comparison.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Kernel, cores, versions and so on, in the order shown.
    pub environment: Vec<(String, String)>,
    /// Names of the proxies, in the order of the columns.
    pub peers: Vec<String>,
    pub rows: Vec<Row>,
    /// What could not be measured, and why.
    pub failures: Vec<String>,
}

/// One metric of one workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub workload: String,
    pub metric: Metric,
    /// By peer: one value for each round that could be measured.
    pub values: Vec<Vec<f64>>,
}

impl Report {
    /// Files a value under its row, which is made when it is the first.
    pub fn add(&mut self, workload: &str, metric: Metric, peer: usize, value: f64) {
        let place = self.rows.iter().position(|row| row.workload == workload && row.metric == metric);
        let place = place.unwrap_or_else(|| {
            let values = vec![Vec::new(); self.peers.len()];
            self.rows.push(Row { workload: workload.to_owned(), metric, values });
            self.rows.len() - 1
        });
        self.rows[place].values[peer].push(value);
    }

    pub fn row(&self, workload: &str, metric: Metric) -> Option<&Row> {
        self.rows.iter().find(|row| row.workload == workload && row.metric == metric)
    }

    /// How many times better Pronk is than the best of the peers whose names begin with `prefix`.
    pub fn advantage(&self, row: &Row, prefix: &str) -> Option<f64> {
        let named = |prefix: &str| -> Vec<f64> {
            let pairs = self.peers.iter().zip(&row.values);
            let chosen = pairs.filter(|(name, _)| name.starts_with(prefix));
            chosen.filter_map(|(_, values)| stats::median(values)).collect()
        };
        let better = row.metric.better();
        let ours = stats::best(named("pronk").into_iter(), better)?;
        let theirs = stats::best(named(prefix).into_iter(), better)?;
        stats::advantage(ours, theirs, better)
    }
}
