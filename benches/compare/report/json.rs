//! The results as JSON, written for other programs and read back to compare two runs.

use serde_json::{Map, Value, json};

use super::metric::{Better, Metric};
use super::{Growth, Report, Row, stats};

/// The whole report; medians and ranges are written beside the values they come from.
pub fn write(report: &Report) -> String {
    let environment: Vec<Value> =
        report.environment.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    let rows: Vec<Value> = report.rows.iter().map(|row| row_value(report, row)).collect();
    let whole = json!({
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
    let peers = report.peers.iter().zip(&row.values).filter(|(_, values)| !values.is_empty());
    let measured: Map<String, Value> = peers.map(|(name, values)| (name.clone(), summary(values))).collect();
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
        "times_better_than_haproxy": report.advantage(row, "haproxy"),
        "interval_95": report.advantage_interval(row, "haproxy").map(|(low, high)| [low, high]),
        "times_better_than_nginx": report.advantage(row, "nginx"),
    })
}

fn summary(values: &[f64]) -> Value {
    let range = stats::range(values);
    json!({
        "median": stats::median(values),
        "lowest": range.map(|(low, _)| low),
        "highest": range.map(|(_, high)| high),
        "rounds": values,
    })
}

fn memory_value(growth: &Growth) -> Value {
    json!({ "peer": growth.peer, "sessions_and_mib": growth.points })
}

/// Reads what `write` wrote. The error names what is missing.
pub fn read(text: &str) -> Result<Report, String> {
    let whole: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let peers = strings(&whole, "peers")?;
    let row = |value: &Value| read_row(value, &peers);
    let rows = array(&whole, "rows")?.iter().map(row).collect::<Result<_, _>>()?;
    let pair = |value: &Value| Ok((string(value, "name")?, string(value, "value")?));
    let environment = array(&whole, "environment")?.iter().map(pair).collect::<Result<_, String>>()?;
    let (failures, not_run) = (strings(&whole, "failures")?, strings(&whole, "not_run")?);
    let memory = array(&whole, "memory")?.iter().map(read_memory).collect::<Result<_, _>>()?;
    Ok(Report { environment, rows, failures, not_run, memory, peers })
}

fn read_memory(value: &Value) -> Result<Growth, String> {
    let points = array(value, "sessions_and_mib")?.iter();
    let points = points.map(|point| Ok((number(&point[0])?, number(&point[1])?)));
    Ok(Growth { peer: string(value, "peer")?, points: points.collect::<Result<_, String>>()? })
}

fn read_row(value: &Value, peers: &[String]) -> Result<Row, String> {
    let id = string(value, "metric")?;
    let metric = Metric::from_id(&id).ok_or_else(|| format!("'{id}' is no metric of this version"))?;
    let rounds = |peer: &String| match value["measured"].get(peer) {
        None => Ok(Vec::new()),
        Some(measured) => array(measured, "rounds")?.iter().map(number).collect(),
    };
    let values = peers.iter().map(rounds).collect::<Result<_, String>>()?;
    Ok(Row { workload: string(value, "workload")?, metric, values })
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

fn number(value: &Value) -> Result<f64, String> {
    value.as_f64().ok_or_else(|| format!("{value} is no number"))
}
