//! Which rows of the statistics a request wants.

use crate::config::model::{CliLevel, Config};
use crate::stats::{COLUMNS, Row, RowKind, Value};

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
    pub fn apply(&self, mut rows: Vec<Row>, level: CliLevel) -> Vec<Row> {
        if self.only_up || self.no_maint {
            rows.chunk_by_mut(|a, b| a.proxy == b.proxy).for_each(tell_how_many);
        }
        rows.retain(|row| self.passes(row));
        if level == CliLevel::User {
            rows.iter_mut().for_each(hide);
        }
        rows
    }

    /// Servers that are down and stay so for now, and those in maintenance.
    fn hides(&self, status: &str) -> bool {
        status.starts_with("MAINT") || (self.only_up && status == "DOWN")
    }

    fn passes(&self, row: &Row) -> bool {
        let is = |wanted: Option<u64>, column| wanted.is_none_or(|id| row.value(column).number() == id);
        let left_out = (self.only_up || self.no_maint)
            && row.kind == RowKind::Server
            && self.hides(&row.value("status").to_string());
        is(self.iid, "iid") && is(self.sid, "sid") && self.kinds & (1 << row.kind as i64) != 0 && !left_out
    }
}

/// Of a backend's servers those that work, behind its status: the rows no longer tell.
fn tell_how_many(rows: &mut [Row]) {
    let servers = rows.iter().filter(|row| row.kind == RowKind::Server);
    let status = |row: &Row| row.value("status").to_string();
    let (all, stopped) = servers.fold((0, 0), |(all, stopped), row| {
        (all + 1, stopped + u32::from(status(row).starts_with("DOWN") || status(row).starts_with("MAINT")))
    });
    for row in rows.iter_mut().filter(|row| row.kind == RowKind::Backend) {
        let told = format!("{} ({}/{all})", status(row), all - stopped);
        let cells = COLUMNS.iter().zip(&mut row.values).filter(|(column, _)| column.name == "status");
        cells.for_each(|(_, value)| *value = Value::text(told.clone()));
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
