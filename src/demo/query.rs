//! One statement that a client has begun: its state over time and its result, batch by batch.

use std::time::{Instant, SystemTime};

use super::handle::Guid;
use super::statement::{Cell, Column, Rows, Statement};

/// Most bytes of rows in one answer.
const BATCH_BYTES: u64 = 16 << 20;
/// Rows of a batch when the client names no number.
const BATCH_ROWS: u64 = 1024;

/// Where a query is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum QueryState {
    Running,
    Finished,
    Cancelled,
    Failed(String),
}

impl QueryState {
    /// As Impala's web page shows it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            QueryState::Running => "RUNNING",
            QueryState::Finished => "FINISHED",
            QueryState::Cancelled | QueryState::Failed(_) => "EXCEPTION",
        }
    }

    /// What a client is told when it asks for the query's log.
    pub(super) fn log(self) -> String {
        match self {
            QueryState::Failed(text) => text,
            _ => String::new(),
        }
    }
}

/// Some rows of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    /// Number of the first row in the whole result.
    pub(super) first: u64,
    pub(super) rows: Vec<Vec<Cell>>,
    pub(super) more: bool,
}

pub(super) struct Query {
    pub(super) text: String,
    pub(super) user: String,
    pub(super) session: Guid,
    pub(super) columns: Vec<Column>,
    pub(super) since: SystemTime,
    pub(super) began: Instant,
    /// Rows already given out.
    pub(super) fetched: u64,
    rows: Rows,
    ready: Instant,
    failure: Option<String>,
    cancelled: bool,
}

impl Query {
    pub(super) fn new(text: &str, user: &str, session: Guid, statement: Statement) -> Query {
        let began = Instant::now();
        Query {
            text: text.to_owned(),
            user: user.to_owned(),
            session,
            columns: statement.columns,
            since: SystemTime::now(),
            began,
            fetched: 0,
            rows: statement.rows,
            ready: began + statement.runs,
            failure: statement.failure,
            cancelled: false,
        }
    }

    pub(super) fn cancel(&mut self) {
        self.cancelled = true;
    }

    /// Frees its rows; what still ran is cancelled.
    pub(super) fn close(&mut self) {
        self.cancelled |= self.state(Instant::now()) == QueryState::Running;
        self.rows = Rows::Stored(Vec::new());
    }

    /// The moment its state may change by itself.
    pub(super) fn ready(&self) -> Instant {
        self.ready
    }

    pub(super) fn state(&self, now: Instant) -> QueryState {
        match &self.failure {
            _ if self.cancelled => QueryState::Cancelled,
            _ if now < self.ready => QueryState::Running,
            Some(text) => QueryState::Failed(text.clone()),
            None => QueryState::Finished,
        }
    }

    /// Rows of the whole result.
    pub(super) fn total(&self) -> u64 {
        match &self.rows {
            Rows::Stored(rows) => rows.len() as u64,
            Rows::Generated { rows, .. } => *rows,
        }
    }

    /// The next rows: at most `most` (a default when it is not positive), and at most 16 MiB of them.
    pub(super) fn next_batch(&mut self, most: i64) -> Batch {
        let wanted = u64::try_from(most).ok().filter(|rows| *rows > 0).unwrap_or(BATCH_ROWS);
        let first = self.fetched;
        let end = first.saturating_add(wanted.min(self.rows_in_a_batch())).min(self.total());
        self.fetched = end;
        Batch { first, rows: (first..end).map(|row| self.row(row)).collect(), more: end < self.total() }
    }

    fn rows_in_a_batch(&self) -> u64 {
        match &self.rows {
            Rows::Generated { width, .. } => BATCH_BYTES / (*width as u64 + 64),
            Rows::Stored(_) => BATCH_ROWS,
        }
    }

    fn row(&self, row: u64) -> Vec<Cell> {
        match &self.rows {
            Rows::Stored(rows) => rows[row as usize].clone(),
            Rows::Generated { width: 0, .. } => vec![Cell::Number(row as i64)],
            Rows::Generated { width, .. } => {
                let mut text = format!("{row:0width$}");
                text.truncate(*width);
                vec![Cell::Text(text)]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::statement::Place;
    use super::*;

    fn query(text: &str) -> Query {
        let place = Place { coordinator: "c", version: "v", pid: 1, client: "p", user: "u" };
        Query::new(text, "u", Guid([0; 16]), Statement::parse(text, place).unwrap())
    }

    #[test]
    fn batches_follow_each_other_and_end() {
        let mut query = query("select gen(5, 3)");
        let first = query.next_batch(3);
        assert_eq!((first.first, first.rows.len(), first.more), (0, 3, true));
        let second = query.next_batch(3);
        assert_eq!((second.first, second.more), (3, false));
        assert_eq!(second.rows, vec![vec![Cell::Text("003".into())], vec![Cell::Text("004".into())]]);
        assert!(query.next_batch(3).rows.is_empty());
    }

    #[test]
    fn a_batch_is_bounded_whatever_the_client_asks() {
        let mut query = query("select gen(9000000000000000000, 65535)");
        assert_eq!(query.next_batch(i64::MAX).rows.len() as u64, BATCH_BYTES / (65_535 + 64));
        assert!(query.next_batch(-1).more);
    }

    #[test]
    fn a_query_runs_then_finishes_fails_or_is_cancelled() {
        let mut sleeping = query("select sleep(1000)");
        assert_eq!(sleeping.state(sleeping.began), QueryState::Running);
        assert_eq!(sleeping.state(sleeping.ready()), QueryState::Finished);
        sleeping.cancel();
        assert_eq!(sleeping.state(sleeping.began), QueryState::Cancelled);
        let failing = query("select fail()");
        assert!(matches!(failing.state(failing.ready()), QueryState::Failed(_)));
    }
}
