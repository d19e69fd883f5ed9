//! Which rows of the statistics a request wants.

use crate::config::model::{CliLevel, Config};
use crate::stats::{COLUMNS, Row, Value};

/// `show stat {IID|PROXY} TYPE SID` (management manual, section 9.3, `show stat`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The proxy's id; None: all.
    iid: Option<u64>,
    /// 1 frontends, 2 backends, 4 servers, 8 listeners, added up; -1: all.
    kinds: i64,
    /// The server's or listener's id; None: all.
    sid: Option<u64>,
    /// `up`
    only_up: bool,
    /// `no-maint`
    no_maint: bool,
}

impl Filter {
    /// Lets everything through, but for what the two switches of the page leave out.
    pub fn of_page(only_up: bool, no_maint: bool) -> Filter {
        Filter { iid: None, kinds: -1, sid: None, only_up, no_maint }
    }

    /// Reads the arguments; None: no such proxy. As in HAProxy fewer than three of them narrow nothing,
    /// and what is no number counts as 0.
    pub fn read(arguments: &[String], config: &Config) -> Option<Filter> {
        let has = |word: &str| arguments.iter().any(|argument| argument == word);
        let all = Filter::of_page(has("up"), has("no-maint"));
        let [proxy, kinds, sid, ..] = arguments else { return Some(all) };
        let number = |text: &str| text.parse::<i64>().unwrap_or(0);
        let iid = match proxy.parse::<i64>() {
            Ok(id) => u64::try_from(id).ok(),
            Err(_) => Some(u64::from(config.proxies().find(|(_, known)| known.name == *proxy)?.1.id)),
        };
        Some(Filter { iid, kinds: number(kinds), sid: u64::try_from(number(sid)).ok(), ..all })
    }

    /// The rows that pass, without what `level` must not see.
    pub fn apply(&self, rows: Vec<Row>, level: CliLevel) -> Vec<Row> {
        let mut rows: Vec<Row> = rows.into_iter().filter(|row| self.passes(row)).collect();
        if level == CliLevel::User {
            rows.iter_mut().for_each(hide);
        }
        rows
    }

    fn passes(&self, row: &Row) -> bool {
        let is = |wanted: Option<u64>, column| wanted.is_none_or(|id| row.value(column).number() == id);
        let status = row.value("status").to_string();
        let left_out = (self.only_up && (status.starts_with("DOWN") || status.starts_with("MAINT")))
            || (self.no_maint && status.starts_with("MAINT"));
        is(self.iid, "iid") && is(self.sid, "sid") && self.kinds & (1 << row.kind as i64) != 0 && !left_out
    }
}

/// Columns that tell about the network behind the proxy.
fn hide(row: &mut Row) {
    for (column, value) in COLUMNS.iter().zip(&mut row.values) {
        if matches!(column.name, "addr" | "cookie" | "algo") {
            *value = Value::Empty;
        }
    }
}
