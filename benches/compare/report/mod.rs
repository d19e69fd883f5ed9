//! The results and their forms, pure: medians and ratios, a table, Markdown, JSON, what more cores would
//! carry, and the change between two runs.

pub mod account;
pub mod bound;
pub mod control;
pub mod diff;
pub mod json;
pub mod metric;
pub mod missing;
pub mod number;
pub mod rounds;
pub mod scale;
pub mod stats;
pub mod table;
pub mod target;

use self::metric::{Better, Metric};
use self::rounds::Rounds;

/// Percent of its core beyond which a proxy, or the load, can do no more.
const SATURATED: f64 = 95.0;

/// The proxy that is compared with the others.
pub const OURS: &str = "pronk";

/// Beginnings of other proxies' names, and what they are called.
pub const RIVALS: [(&str, &str); 4] =
    [("haproxy", "HAProxy"), ("nginx", "nginx"), ("sozu", "Sōzu"), ("envoy", "Envoy")];

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
    /// What this machine cannot do, and why.
    pub not_run: Vec<String>,
    /// How the proxies' memory grows with idle sessions.
    pub memory: Vec<Growth>,
}

/// One proxy's resident memory on the way up to the most idle sessions of a measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Growth {
    pub peer: String,
    /// Sessions and MiB.
    pub points: Vec<(f64, f64)>,
}

/// One metric of one workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub workload: String,
    pub metric: Metric,
    /// By peer.
    pub values: Vec<Rounds>,
}

impl Report {
    /// Files a value under its row, which is made when it is the first, behind those of its workload. What is no number,
    /// or endless, is a failure: it would be the best of all, and no axis of a plot holds it.
    pub fn add(&mut self, workload: &str, metric: Metric, peer: usize, round: usize, value: f64) {
        if !value.is_finite() {
            let (name, metric) = (&self.peers[peer], metric.label());
            self.failures.push(format!("round {}, {workload}, {name}: {metric} was {value}", round + 1));
            return;
        }
        let place = self.rows.iter().position(|row| row.workload == workload && row.metric == metric);
        let place = place.unwrap_or_else(|| {
            let last = self.rows.iter().rposition(|row| row.workload == workload);
            let place = last.map_or(self.rows.len(), |last| last + 1);
            let values = vec![Rounds::default(); self.peers.len()];
            self.rows.insert(place, Row { workload: workload.to_owned(), metric, values });
            place
        });
        self.rows[place].values[peer].put(round, value);
    }

    /// Leaves out a metric of each workload in which a peer has fewer rounds of it than of `whole`, and says of whom: one
    /// that only the faster ones have is no comparison.
    pub fn leave_out_partial(&mut self, metric: Metric, whole: Metric) {
        let (mut kept, mut missing) = (Vec::new(), Vec::new());
        for row in &self.rows {
            let lacking =
                if row.metric == metric { self.lacking(row, whole).join(", ") } else { String::new() };
            if lacking.is_empty() {
                kept.push(row.clone());
            } else {
                missing.push(format!("{}, {}: too few answers with {lacking}", row.workload, metric.label()));
            }
        }
        self.rows = kept;
        self.not_run.extend(missing);
    }

    /// The peers of which a row has fewer rounds than another one of the same workload.
    fn lacking(&self, row: &Row, whole: Metric) -> Vec<&str> {
        let Some(whole) = self.row(&row.workload, whole) else { return Vec::new() };
        let rounds = row.values.iter().zip(&whole.values);
        let lacks = rounds.map(|(some, all)| some.values().len() < all.values().len());
        self.peers.iter().zip(lacks).filter(|(_, lacks)| *lacks).map(|(name, _)| name.as_str()).collect()
    }

    pub fn row(&self, workload: &str, metric: Metric) -> Option<&Row> {
        self.rows.iter().find(|row| row.workload == workload && row.metric == metric)
    }

    /// What one proxy has of a row of this report.
    pub fn rounds<'a>(&self, row: &'a Row, peer: &str) -> Option<&'a Rounds> {
        let place = self.peers.iter().position(|name| name == peer)?;
        row.values.get(place).filter(|rounds| rounds.median().is_some())
    }

    /// What is said of the machine, the run or a proxy under this name.
    pub fn environment(&self, name: &str) -> Option<&str> {
        self.environment.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Keeps the measurement with the most sessions, of those the last.
    pub fn add_memory(&mut self, peer: &str, points: Vec<(f64, f64)>) {
        let most = |points: &[(f64, f64)]| points.last().map_or(0.0, |(sessions, _)| *sessions);
        match self.memory.iter_mut().find(|growth| growth.peer == peer) {
            Some(growth) if most(&growth.points) > most(&points) => {}
            Some(growth) => growth.points = points,
            None => self.memory.push(Growth { peer: peer.to_owned(), points }),
        }
    }

    /// The rounds that were begun, failed ones among them.
    pub fn rounds_begun(&self) -> usize {
        let rounds = self.rows.iter().flat_map(|row| &row.values).map(|rounds| rounds.iter().count());
        rounds.max().unwrap_or(0)
    }

    /// Other builds and settings of Pronk that ran beside it.
    pub fn variants(&self) -> impl Iterator<Item = &str> {
        self.peers.iter().map(String::as_str).filter(|name| name.starts_with("pronk-"))
    }

    /// Those of the other proxies that took part.
    pub fn rivals(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        RIVALS.into_iter().filter(|(prefix, _)| self.peers.iter().any(|name| name.starts_with(prefix)))
    }

    /// How many times better Pronk is than the best of the peers whose names begin with `prefix`.
    pub fn advantage(&self, row: &Row, prefix: &str) -> Option<f64> {
        self.ours(row)?.advantage(self.best(row, prefix)?, row.metric.better())
    }

    /// Its 95 % interval over the rounds.
    pub fn advantage_interval(&self, row: &Row, prefix: &str) -> Option<(f64, f64)> {
        self.ours(row)?.advantage_interval(self.best(row, prefix)?, row.metric.better())
    }

    /// How many times better Pronk would be than HAProxy if it moved its bytes as it does and spent nothing but what the
    /// kernel's sockets cost it, as a profile has shown; None without one, and where its CPU does not decide.
    pub fn possible(&self, row: &Row) -> Option<f64> {
        let ours = |metric| self.ours(self.row(&row.workload, metric)?)?.median();
        let decides = match row.metric {
            Metric::CpuPerGib | Metric::CpuPerTrip | Metric::CpuPerConnection => true,
            Metric::Gbps => ours(Metric::ProxyBusy)? > SATURATED,
            _ => false,
        };
        let reached = self.advantage(row, "haproxy").filter(|_| decides)?;
        let percent = ours(Metric::Sockets)?;
        (percent > 0.0).then(|| reached * 100.0 / percent)
    }

    fn ours<'a>(&self, row: &'a Row) -> Option<&'a Rounds> {
        let place = self.peers.iter().position(|name| name == OURS)?;
        row.values.get(place)
    }

    /// The rounds of the peer that is the best of those whose names begin with `prefix`.
    fn best<'a>(&self, row: &'a Row, prefix: &str) -> Option<&'a Rounds> {
        let better = row.metric.better();
        let named = self.peers.iter().zip(&row.values).filter(|(name, _)| name.starts_with(prefix));
        let medians = named.filter_map(|(_, values)| Some((values.median()?, values)));
        let order = |a: &(f64, &Rounds), b: &(f64, &Rounds)| a.0.total_cmp(&b.0);
        let best = match better {
            Better::Lower => medians.min_by(order),
            Better::Higher => medians.max_by(order),
            Better::Neither => None,
        };
        best.map(|(_, values)| values)
    }
}
