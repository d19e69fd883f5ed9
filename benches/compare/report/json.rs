//! The results as JSON, written for other programs and read back to compare two runs.

use serde_json::{Map, Value, json};

use super::metric::{Better, Metric};
use super::rounds::Rounds;
use super::{Growth, Report, Row, stats};

/// Since 2 a round that failed is null among the others; before, its place was taken by the next.
const VERSION: u64 = 2;

/// The whole report; medians and ranges are written beside the values they come from.
pub fn write(report: &Report) -> String {
    let environment: Vec<Value> =
        report.environment.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    let rows: Vec<Value> = report.rows.iter().map(|row| row_value(report, row)).collect();
    let whole = json!({
        "version": VERSION,
        "environment": environment,
        "peers": report.peers,
        "rows": rows,
        "failures": report.failures,
        "not_run": report.not_run,
        "memory": report.memory.iter().map(memory_value).collect::<Vec<_>>(),
    });
    format!("{whole:#}\n")
}

fn row_value(report: &Report, row: &Row) -> Value {
    let peers = report.peers.iter().zip(&row.values).filter(|(_, values)| values.median().is_some());
    let measured: Map<String, Value> = peers.map(|(name, values)| (name.clone(), summary(values))).collect();
    let rivals = report.rivals().map(|(name, _)| name).chain(report.variants());
    let against = rivals.filter_map(|name| {
        let interval = report.advantage_interval(row, name).map(|(low, high)| [low, high]);
        let times = report.advantage(row, name)?;
        Some((name.to_owned(), json!({ "times_better": times, "interval_95": interval })))
    });
    json!({
        "workload": row.workload,
        "metric": row.metric.id(),
        "unit": row.metric.label(),
        "better": match row.metric.better() {
            Better::Lower => "lower",
            Better::Higher => "higher",
            Better::Neither => "neither",
        },
        "measured": measured,
        "against": against.collect::<Map<String, Value>>(),
    })
}

fn summary(rounds: &Rounds) -> Value {
    let range = stats::range(&rounds.values());
    json!({
        "median": rounds.median(),
        "lowest": range.map(|(low, _)| low),
        "highest": range.map(|(_, high)| high),
        "rounds": rounds.iter().collect::<Vec<_>>(),
    })
}

fn memory_value(growth: &Growth) -> Value {
    json!({ "peer": growth.peer, "sessions_and_mib": growth.points })
}

/// Reads what `write` wrote. The error names what is missing.
pub fn read(text: &str) -> Result<Report, String> {
    let whole: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let peers = strings(&whole, "peers")?;
    let (mut rows, mut not_run) = (Vec::new(), strings(&whole, "not_run")?);
    for value in array(&whole, "rows")? {
        match read_row(value, &peers)? {
            Ok(row) => rows.push(row),
            Err(unknown) if not_run.contains(&unknown) => {}
            Err(unknown) => not_run.push(unknown),
        }
    }
    let pair = |value: &Value| Ok((string(value, "name")?, string(value, "value")?));
    let environment = array(&whole, "environment")?.iter().map(pair).collect::<Result<_, String>>()?;
    let failures = strings(&whole, "failures")?;
    numbered(&whole, &failures)?;
    let memory = array(&whole, "memory")?.iter().map(read_memory).collect::<Result<_, _>>()?;
    Ok(Report { environment, rows, failures, not_run, memory, peers })
}

/// Whether the rounds' values stand at the rounds' places.
fn numbered(whole: &Value, failures: &[String]) -> Result<(), String> {
    match whole.get("version").map(Value::as_u64) {
        Some(Some(VERSION)) => Ok(()),
        Some(_) => Err(format!("its version is not {VERSION}, the only one known here")),
        None if failures.iter().any(|failure| failure.starts_with("round ")) => {
            Err("rounds failed in it, and it is too old to say which: measure anew".to_owned())
        }
        None => Ok(()),
    }
}

fn read_memory(value: &Value) -> Result<Growth, String> {
    let points = array(value, "sessions_and_mib")?.iter();
    let points = points.map(|point| Ok((number(&point[0])?, number(&point[1])?)));
    Ok(Growth { peer: string(value, "peer")?, points: points.collect::<Result<_, String>>()? })
}

/// One row; within the answer, that nobody knows its metric any longer.
fn read_row(value: &Value, peers: &[String]) -> Result<Result<Row, String>, String> {
    let id = string(value, "metric")?;
    let Some(metric) = Metric::from_id(&id) else {
        return Ok(Err(format!("'{id}' is no metric of this version")));
    };
    let rounds = |peer: &String| match value["measured"].get(peer) {
        None => Ok(Rounds::default()),
        Some(measured) => array(measured, "rounds")?.iter().map(round).collect(),
    };
    let values = peers.iter().map(rounds).collect::<Result<_, String>>()?;
    Ok(Ok(Row { workload: string(value, "workload")?, metric, values }))
}

fn array<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>, String> {
    value[key].as_array().ok_or_else(|| format!("'{key}' is missing or no list"))
}

fn string(value: &Value, key: &str) -> Result<String, String> {
    value[key].as_str().map(str::to_owned).ok_or_else(|| format!("'{key}' is missing or no text"))
}

fn strings(value: &Value, key: &str) -> Result<Vec<String>, String> {
    let text = |item: &Value| item.as_str().map(str::to_owned).ok_or_else(|| format!("'{key}' has no text"));
    array(value, key)?.iter().map(text).collect()
}

fn round(value: &Value) -> Result<Option<f64>, String> {
    if value.is_null() { Ok(None) } else { number(value).map(Some) }
}

fn number(value: &Value) -> Result<f64, String> {
    value.as_f64().ok_or_else(|| format!("{value} is no number"))
}
