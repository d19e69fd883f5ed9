//! What the stand-in understands of SQL: a handful of statements that show where they ran. Pure.

use std::time::Duration;

/// Longest `sleep`.
const SLEEP_MAX_MS: u64 = 3_600_000;
/// Widest `gen` column, bytes.
const WIDTH_MAX: u64 = 65_535;
const KNOWN: &str = "pid(), version(), coordinator(), client(), user(), sleep(MS), fail(), \
    gen(ROWS[, WIDTH]), an integer; show databases; set; use DB; :shutdown()";

/// Impala's types that occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnKind {
    Boolean,
    Bigint,
    Text,
}

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Bool(bool),
    Number(i64),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: ColumnKind,
}

/// Where rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    Stored(Vec<Vec<Cell>>),
    /// 0, 1, 2 … as numbers (width 0) or as text of this width.
    Generated {
        rows: u64,
        width: usize,
    },
}

/// What it does beside answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    Shutdown,
}

/// A statement that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    /// Empty: no result set.
    pub(super) columns: Vec<Column>,
    pub(super) rows: Rows,
    /// How long it runs.
    pub(super) runs: Duration,
    /// Fails with this text after that time.
    pub(super) failure: Option<String>,
    pub(super) effect: Effect,
}

/// What a statement may say about where it runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) coordinator: &'a str,
    pub(super) version: &'a str,
    pub(super) pid: i64,
    /// The address the coordinator sees as its client's: a gateway's, when there is one.
    pub(super) client: &'a str,
    pub(super) user: &'a str,
}

impl Statement {
    /// The error is the text an impalad would answer with.
    pub(super) fn parse(text: &str, place: Place<'_>) -> Result<Statement, String> {
        let text = text.trim().trim_end_matches(';').split_whitespace().collect::<Vec<_>>().join(" ");
        let lower = text.to_lowercase();
        match lower.split_once(' ').unwrap_or((&lower, "")) {
            ("select", item) => Statement::select(item, place),
            ("show", "databases") => Ok(Statement::databases()),
            ("set", "" | "all") => Ok(Statement::options()),
            ("set", _) => Ok(Statement::silent()),
            ("use", database) if !database.is_empty() => Ok(Statement::silent()),
            _ if lower.starts_with(":shutdown(") && lower.ends_with(')') => Ok(Statement::shutdown()),
            _ => Err(unknown(&text)),
        }
    }

    fn select(item: &str, place: Place<'_>) -> Result<Statement, String> {
        if let Ok(number) = item.parse() {
            return Ok(Statement::one(item, Cell::Number(number)));
        }
        let (name, arguments) = function(item).ok_or_else(|| unknown(item))?;
        let text = |text: &str| Ok(Statement::one(item, Cell::Text(text.to_owned())));
        match (name, arguments.as_slice()) {
            ("pid", []) => Ok(Statement::one(item, Cell::Number(place.pid))),
            ("version", []) => text(place.version),
            ("coordinator", []) => text(place.coordinator),
            ("client", []) => text(place.client),
            ("user" | "effective_user", []) => text(place.user),
            ("fail", []) => Ok(Statement::failing()),
            ("sleep", [ms]) => Statement::sleep(item, number(ms, SLEEP_MAX_MS)?),
            ("gen", [rows]) => Ok(Statement::generated(number(rows, i64::MAX as u64)?, 0)),
            ("gen", [rows, width]) => {
                Ok(Statement::generated(number(rows, i64::MAX as u64)?, number(width, WIDTH_MAX)? as usize))
            }
            _ => Err(unknown(item)),
        }
    }

    fn one(name: &str, cell: Cell) -> Statement {
        let kind = match &cell {
            Cell::Bool(_) => ColumnKind::Boolean,
            Cell::Number(_) => ColumnKind::Bigint,
            Cell::Text(_) => ColumnKind::Text,
        };
        Statement::table(vec![Column { name: name.to_owned(), kind }], vec![vec![cell]])
    }

    fn table(columns: Vec<Column>, rows: Vec<Vec<Cell>>) -> Statement {
        Statement {
            columns,
            rows: Rows::Stored(rows),
            runs: Duration::ZERO,
            failure: None,
            effect: Effect::None,
        }
    }

    /// No result set.
    fn silent() -> Statement {
        Statement::table(Vec::new(), Vec::new())
    }

    fn texts<const N: usize>(names: [&str; N], rows: &[[&str; N]]) -> Statement {
        let column = |name: &str| Column { name: name.to_owned(), kind: ColumnKind::Text };
        let row = |row: &[&str; N]| row.iter().map(|text| Cell::Text((*text).to_owned())).collect();
        Statement::table(names.into_iter().map(column).collect(), rows.iter().map(row).collect())
    }

    fn databases() -> Statement {
        Statement::texts(["name", "comment"], &[["default", "Default Hive database"]])
    }

    fn options() -> Statement {
        Statement::texts(["option", "value", "level"], &OPTIONS)
    }

    fn shutdown() -> Statement {
        let summary = "startup grace period: 0s000ms, deadline: 1h, queries registered on coordinator: 0";
        Statement { effect: Effect::Shutdown, ..Statement::texts(["summary"], &[[summary]]) }
    }

    fn failing() -> Statement {
        let failure = Some("the stand-in fails when asked to".to_owned());
        Statement { failure, ..Statement::one("fail()", Cell::Bool(false)) }
    }

    fn sleep(name: &str, ms: u64) -> Result<Statement, String> {
        Ok(Statement { runs: Duration::from_millis(ms), ..Statement::one(name, Cell::Bool(true)) })
    }

    fn generated(rows: u64, width: usize) -> Statement {
        let kind = if width == 0 { ColumnKind::Bigint } else { ColumnKind::Text };
        let columns = vec![Column { name: "gen".to_owned(), kind }];
        Statement { rows: Rows::Generated { rows, width }, ..Statement::table(columns, Vec::new()) }
    }
}

/// Name, default and level of some of Impala's query options: what `set all` answers.
pub(super) const OPTIONS: [[&str; 3]; 6] = [
    ["ABORT_ON_ERROR", "0", "REGULAR"],
    ["BATCH_SIZE", "0", "ADVANCED"],
    ["CLIENT_IDENTIFIER", "", "ADVANCED"],
    ["MEM_LIMIT", "0", "REGULAR"],
    ["REQUEST_POOL", "", "REGULAR"],
    ["SUPPORT_START_OVER", "false", "ADVANCED"],
];

fn function(item: &str) -> Option<(&str, Vec<&str>)> {
    let (name, arguments) = item.strip_suffix(')')?.split_once('(')?;
    let arguments = arguments.trim();
    let list = if arguments.is_empty() { Vec::new() } else { arguments.split(',').map(str::trim).collect() };
    Some((name.trim(), list))
}

fn number(text: &str, most: u64) -> Result<u64, String> {
    let number = text.parse().map_err(|_| format!("AnalysisException: '{text}' is not a whole number"))?;
    if number > most {
        return Err(format!("AnalysisException: {number} is more than the stand-in's limit of {most}"));
    }
    Ok(number)
}

fn unknown(text: &str) -> String {
    format!("AnalysisException: the stand-in coordinator does not know '{text}'; it knows: {KNOWN}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> =
        Place { coordinator: "c1", version: "v", pid: 42, client: "127.0.0.1:9", user: "alice" };

    fn cell(text: &str) -> Cell {
        match Statement::parse(text, PLACE).unwrap().rows {
            Rows::Stored(rows) => rows[0][0].clone(),
            generated => panic!("{generated:?}"),
        }
    }

    #[test]
    fn it_tells_where_it_ran() {
        assert_eq!(cell("select pid()"), Cell::Number(42));
        assert_eq!(cell("  SELECT\n coordinator( ) ;"), Cell::Text("c1".into()));
        assert_eq!(cell("select client()"), Cell::Text("127.0.0.1:9".into()));
        assert_eq!(cell("select effective_user()"), Cell::Text("alice".into()));
        assert_eq!(cell("select -7"), Cell::Number(-7));
    }

    #[test]
    fn sleep_and_gen_take_bounded_numbers() {
        let sleep = Statement::parse("select sleep(250)", PLACE).unwrap();
        assert_eq!(sleep.runs, Duration::from_millis(250));
        let generated = Statement::parse("select gen(10, 20)", PLACE).unwrap();
        assert_eq!(generated.rows, Rows::Generated { rows: 10, width: 20 });
        assert!(Statement::parse("select gen(10, 65536)", PLACE).is_err());
        assert!(Statement::parse("select sleep(3600001)", PLACE).is_err());
        assert!(Statement::parse("select sleep(x)", PLACE).is_err());
    }

    #[test]
    fn statements_without_rows_have_no_columns() {
        for text in ["use db", "set mem_limit=1g"] {
            assert!(Statement::parse(text, PLACE).unwrap().columns.is_empty(), "{text}");
        }
        assert_eq!(Statement::parse("set all", PLACE).unwrap().columns.len(), 3);
    }

    #[test]
    fn what_it_does_not_know_is_named() {
        let error = Statement::parse("select * from t", PLACE).unwrap_err();
        assert!(error.starts_with("AnalysisException: ") && error.contains("'* from t'"), "{error}");
        assert!(Statement::parse("", PLACE).is_err());
        assert!(Statement::parse("use", PLACE).is_err());
    }
}
