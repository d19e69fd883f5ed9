//! Prometheus' text format with HAProxy's metric names (its exporter's README; exposition format 0.0.4).
//!
//! A family is rendered at a time, so that whoever serves thousands of servers can rest in between.

use std::fmt::Write;

use super::columns::COLUMNS;
use super::fields::{COLUMN_FIELDS, Field, INFO_FIELDS};
use super::info::InfoValue;
use super::rows::Row;
use super::subject::RowKind;
use super::value::Value;

/// Words of `check_status`, in the exporter's order.
const CHECKS: &[&str] = &[
    "HANA", "SOCKERR", "L4OK", "L4TOUT", "L4CON", "L6OK", "L6TOUT", "L6RSP", "L7TOUT", "L7RSP", "L7OK",
    "L7OKC", "L7STS", "PROCERR", "PROCTOUT", "PROCOK",
];
const SERVER_STATES: &[&str] = &["DOWN", "UP", "MAINT", "DRAIN", "NOLB"];

/// Columns that are one family, told apart by the label `code`.
const ANSWERS: [&str; 6] = ["hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other"];

fn is_answers(field: &Field) -> bool {
    ANSWERS.contains(&field.name)
}

/// What a family is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The process.
    Global,
    /// Rows of one kind.
    Rows(RowKind),
}

impl Scope {
    /// All of them, in the exporter's order.
    pub const ALL: [Scope; 5] = [
        Scope::Global,
        Scope::Rows(RowKind::Frontend),
        Scope::Rows(RowKind::Listener),
        Scope::Rows(RowKind::Backend),
        Scope::Rows(RowKind::Server),
    ];

    fn word(self) -> &'static str {
        match self {
            Scope::Global => "process",
            Scope::Rows(RowKind::Frontend) => "frontend",
            Scope::Rows(RowKind::Listener) => "listener",
            Scope::Rows(RowKind::Backend) => "backend",
            Scope::Rows(RowKind::Server) => "server",
        }
    }
}

/// A metric of a scope, and where its values stand.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    scope: Scope,
    at: usize,
    field: &'static Field,
}

/// Every family of a scope, in the order of the columns or lines.
pub fn families(scope: Scope) -> impl Iterator<Item = Family> {
    let fields = if scope == Scope::Global { INFO_FIELDS } else { COLUMN_FIELDS };
    let shown = move |at: usize| match scope {
        Scope::Global => true,
        Scope::Rows(kind) => COLUMNS[at].is_on(kind),
    };
    let fields = fields.iter().enumerate().filter(move |(at, field)| {
        !field.metric.is_empty() && shown(*at) && !(is_answers(field) && field.name != ANSWERS[0])
    });
    fields.map(move |(at, field)| Family { scope, at, field })
}

impl Family {
    /// `haproxy_server_bytes_in_total`
    pub fn name(&self) -> String {
        let metric = match (self.scope, self.field.name) {
            (Scope::Rows(RowKind::Server), "act") => "active",
            (Scope::Rows(RowKind::Server), "bck") => "backup",
            _ => self.field.metric,
        };
        format!("haproxy_{}_{metric}", self.scope.word())
    }

    /// HELP, TYPE and a line for each value; nothing when there is no value.
    pub fn render(&self, out: &mut String, info: &[InfoValue], rows: &[Row], no_maint: bool) {
        let name = self.name();
        let mut samples = String::new();
        match self.scope {
            Scope::Global => self.of_process(&mut samples, &name, info),
            Scope::Rows(kind) => {
                let is_hidden = |row: &Row| no_maint && kind == RowKind::Server && state_of(row) == "MAINT";
                let own = rows.iter().filter(|row| row.kind == kind && self.applies_to(row));
                for row in own.filter(|row| !is_hidden(row)) {
                    match self.field.name.starts_with("agg_") {
                        true => self.of_servers(&mut samples, &name, row, rows),
                        false => self.of_row(&mut samples, &name, row),
                    }
                }
            }
        }
        if !samples.is_empty() {
            let (doc, kind) = (self.field.doc, self.kind(&name));
            put(out, format_args!("# HELP {name} {doc}\n# TYPE {name} {kind}\n{samples}"));
        }
    }

    /// What HAProxy's exporter calls it: of the process it goes by the name, whatever `show info typed` says.
    fn kind(&self, name: &str) -> &'static str {
        let counts = match self.scope {
            Scope::Global => name.ends_with("_total") || self.field.name == "FailedResolutions",
            Scope::Rows(_) => self.field.tags.chars().nth(1) == Some('C'),
        };
        if counts { "counter" } else { "gauge" }
    }

    fn of_process(&self, out: &mut String, name: &str, info: &[InfoValue]) {
        let value = info.iter().find(|(known, _)| *known == self.field.name).map(|(_, value)| value);
        match value {
            Some(Value::Text(text)) => {
                let label = if self.field.name == "node" { "node" } else { "version" };
                put(out, format_args!("{name}{{{label}=\"{}\"}} 1\n", escaped(text)));
            }
            value => put(out, format_args!("{name} {}\n", number(value.unwrap_or(&Value::Empty)))),
        }
    }

    /// What only HTTP has is left out of other proxies, and checks of servers without.
    fn applies_to(&self, row: &Row) -> bool {
        let name = self.field.name;
        if name.starts_with("comp_")
            || name.starts_with("req_")
            || is_answers(self.field)
            || name == "intercepted"
        {
            return matches!(row.value("mode"), Value::Text(mode) if mode == "http");
        }
        !name.starts_with("check_") || *row.value("check_status") != Value::Empty
    }

    /// How many of a backend's servers are in each state, or have this result of their check.
    fn of_servers(&self, out: &mut String, name: &str, backend: &Row, rows: &[Row]) {
        let own = |row: &&Row| row.kind == RowKind::Server && row.proxy == backend.proxy;
        let servers: Vec<&Row> = rows.iter().filter(own).collect();
        let (all, now): (&[&str], fn(&Row) -> String) = match self.field.name {
            "agg_check_status" => (CHECKS, check_of),
            _ => (SERVER_STATES, state_of),
        };
        for state in all.iter().filter(|_| !servers.is_empty()) {
            let count = servers.iter().filter(|row| now(row) == **state).count();
            put(out, format_args!("{name}{{{},state=\"{state}\"}} {count}\n", labels(backend)));
        }
    }

    fn of_row(&self, out: &mut String, name: &str, row: &Row) {
        let labels = labels(row);
        let states = |out: &mut String, all: &[&str], now: &str| {
            for state in all {
                let is = u8::from(now == *state);
                put(out, format_args!("{name}{{{labels},state=\"{state}\"}} {is}\n"));
            }
        };
        let value = &row.values[self.at];
        match self.field.name {
            "status" => states(out, words_of(row.kind), &state_of(row)),
            "check_status" => states(out, CHECKS, &check_of(row)),
            _ if is_answers(self.field) => {
                for (column, value) in ANSWERS.iter().zip(&row.values[self.at..]) {
                    let code = column.trim_start_matches("hrsp_");
                    put(out, format_args!("{name}{{{labels},code=\"{code}\"}} {value}\n"));
                }
            }
            "check_code" => put(out, format_args!("{name}{{{labels}}} {}\n", value.number())),
            _ if self.field.metric.ends_with("_seconds") && self.field.doc.contains("illiseconds") => {
                let ms = value.number() as f64;
                put(out, format_args!("{name}{{{labels}}} {:.6}\n", ms / 1000.0));
            }
            _ => put(out, format_args!("{name}{{{labels}}} {}\n", number(value))),
        }
    }
}

fn words_of(kind: RowKind) -> &'static [&'static str] {
    match kind {
        RowKind::Frontend | RowKind::Backend => &["DOWN", "UP"],
        RowKind::Listener => &["WAITING", "OPEN", "FULL"],
        RowKind::Server => SERVER_STATES,
    }
}

/// The state that a row's status belongs to.
fn state_of(row: &Row) -> String {
    let status = row.value("status").to_string();
    let known = words_of(row.kind).iter().find(|state| status.starts_with(**state));
    match (row.kind, status.as_str()) {
        (RowKind::Frontend, "OPEN") | (RowKind::Server, "no check") => "UP".to_owned(),
        (RowKind::Frontend, _) => "DOWN".to_owned(),
        _ => known.map_or(status.clone(), |state| (*state).to_owned()),
    }
}

/// The word of the last check's result.
fn check_of(row: &Row) -> String {
    row.value("check_status").to_string().trim_start_matches("* ").to_owned()
}

fn labels(row: &Row) -> String {
    let proxy = escaped(&row.value("pxname").to_string());
    let name = || escaped(&row.value("svname").to_string());
    match row.kind {
        RowKind::Frontend | RowKind::Backend => format!("proxy=\"{proxy}\""),
        RowKind::Listener => format!("proxy=\"{proxy}\",listener=\"{}\"", name()),
        RowKind::Server => format!("proxy=\"{proxy}\",server=\"{}\"", name()),
    }
}

fn number(value: &Value) -> String {
    if *value == Value::Empty { "NaN".to_owned() } else { value.to_string() }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Formatting into a String cannot fail.
    let _ = out.write_fmt(text);
}
