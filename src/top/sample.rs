//! One reading of `show info` and `show stat`, by the names of fields and columns.

use std::collections::HashMap;

/// What a row of `show stat` is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Frontend,
    Backend,
    Server,
    Listener,
}

/// A row of `show stat`. A number that is not shown is 0, or None where 0 says something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) kind: Kind,
    pub(super) proxy: String,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) weight: u64,
    pub(super) queue: u64,
    pub(super) sessions: u64,
    pub(super) most: u64,
    pub(super) limit: Option<u64>,
    pub(super) total: u64,
    /// Sessions in the last second, as the process counts them.
    pub(super) rate: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) check: String,
    /// Milliseconds.
    pub(super) check_took: Option<u64>,
    /// Seconds since the status changed.
    pub(super) since: Option<u64>,
    /// Failed connects and broken answers.
    pub(super) errors: u64,
    /// HOST:PORT; empty where the socket's level hides it.
    pub(super) address: String,
}

/// A reading of the whole process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    info: HashMap<String, String>,
    pub(super) rows: Vec<Row>,
}

impl Sample {
    /// The error says what the answers are instead.
    pub(super) fn parse(info: &str, stat: &str) -> Result<Sample, String> {
        let mut lines = stat.lines().filter(|line| !line.is_empty());
        let first = lines.next().unwrap_or_default();
        let Some(header) = first.strip_prefix("# ") else {
            return Err(format!("no statistics in the answer, but: {}", readable(first)));
        };
        let columns: HashMap<&str, usize> =
            header.split(',').enumerate().map(|(at, name)| (name, at)).collect();
        let info = info.lines().filter_map(|line| line.split_once(": "));
        Ok(Sample {
            info: info.map(|(name, value)| (name.to_owned(), readable(value))).collect(),
            rows: lines.filter_map(|line| row(&columns, &cells(line))).collect(),
        })
    }

    /// A field of `show info`, empty where there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.info.get(name).map_or("", String::as_str)
    }

    pub(super) fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or(0)
    }
}

fn row(columns: &HashMap<&str, usize>, cells: &[String]) -> Option<Row> {
    let text = |name: &str| columns.get(name).and_then(|&at| cells.get(at)).cloned().unwrap_or_default();
    let shown = |name: &str| text(name).parse::<u64>().ok();
    let number = |name: &str| shown(name).unwrap_or(0);
    let kind = match text("type").as_str() {
        "0" => Kind::Frontend,
        "1" => Kind::Backend,
        "2" => Kind::Server,
        _ => Kind::Listener,
    };
    (!text("pxname").is_empty()).then(|| Row {
        kind,
        proxy: text("pxname"),
        name: text("svname"),
        status: text("status"),
        weight: number("weight"),
        queue: number("qcur"),
        sessions: number("scur"),
        most: number("smax"),
        limit: shown("slim"),
        total: number("stot"),
        rate: number("rate"),
        bytes_in: number("bin"),
        bytes_out: number("bout"),
        check: text("check_status"),
        check_took: shown("check_duration"),
        since: shown("lastchg"),
        errors: number("econ") + number("eresp"),
        address: text("addr"),
    })
}

/// The cells of a CSV line; a quoted one may hold commas, and quotes as two.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(readable(&std::mem::take(&mut cell))),
            other => cell.push(other),
        }
    }
    cells.push(readable(&cell));
    cells
}

/// Without what could steer the terminal.
fn readable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_wherever_they_are() {
        let stat = "# svname,pxname,type,scur,slim,new,addr,\ns1,hs2,2,7,,9,10.0.0.1:21050,\n\n";
        let sample = Sample::parse("Name: HAProxy\nPid: 12\n", stat).expect("a sample");
        assert_eq!((sample.text("Name"), sample.number("Pid"), sample.number("Nosuch")), ("HAProxy", 12, 0));
        let row = &sample.rows[0];
        assert_eq!((row.kind, row.proxy.as_str(), row.name.as_str()), (Kind::Server, "hs2", "s1"));
        assert_eq!((row.sessions, row.limit, row.total), (7, None, 0));
        assert_eq!(row.address, "10.0.0.1:21050");
    }

    #[test]
    fn quoted_cells_keep_their_commas() {
        assert_eq!(cells(r#"a,"b, ""c""",,d"#), ["a", "b, \"c\"", "", "d"]);
        assert_eq!(cells("\x1b[2Ja"), ["[2Ja"]);
        assert_eq!(cells("\"open"), ["open"]);
    }

    #[test]
    fn another_answer_is_told() {
        let why = Sample::parse("", "Permission denied\n").expect_err("no statistics");
        assert!(why.contains("Permission denied"));
        assert!(Sample::parse("", "").is_err());
    }
}
