//! `show info`: the process in name and value lines (management guide, section 9.3, `show info`).

use std::fmt::Write;
use std::time::UNIX_EPOCH;

use super::fields::INFO_FIELDS;
use super::sources::Sources;
use super::standing::Standing;
use super::style::Style;
use super::value::Value;
use crate::config::environment::VERSION;

/// Day of this version, as `show info` and `-v` show it.
pub const RELEASE_DATE: &str = "2026/11/21";

/// Name and value of a line.
pub type InfoValue = (&'static str, Value);

/// `Name: value` lines in HAProxy's order. The empty line that ends an answer on the stats socket is not
/// part of it.
pub(super) fn info_text(values: &[InfoValue], style: &Style) -> String {
    let mut out = String::new();
    for (name, value) in values {
        // Formatting into a String cannot fail.
        let _ = write!(out, "{name}: {}", value.shown(style.float));
        if let Some(field) = INFO_FIELDS.iter().find(|field| style.desc && field.name == *name) {
            let _ = write!(out, ":\"{}\"", field.doc);
        }
        out.push('\n');
    }
    out
}

/// Name and value of every line; `description` only when the configuration has one. What belongs to
/// TLS, compression, peers, resolvers and HAProxy's memory pools is 0: there is none.
pub fn info_values(sources: &Sources) -> Vec<InfoValue> {
    info_values_at(sources, sources.now_ms())
}

/// The same as of `now_ms` on the process clock.
pub(super) fn info_values_at(sources: &Sources, now_ms: u64) -> Vec<InfoValue> {
    let mut values = identity(sources, now_ms);
    values.extend(limits_and_connections(sources));
    values.extend(rates(sources, now_ms));
    values.extend(scheduler(sources));
    values.extend(traffic(sources, now_ms));
    values.extend(newer(sources));
    values
}

fn number(name: &'static str, value: impl Into<u64>) -> InfoValue {
    (name, Value::Number(value.into()))
}

fn zeros<const N: usize>(names: [&'static str; N]) -> [InfoValue; N] {
    names.map(|name| (name, Value::Number(0)))
}

fn identity(sources: &Sources, now_ms: u64) -> Vec<InfoValue> {
    let seconds = now_ms / 1000;
    vec![
        ("Name", Value::text("HAProxy")),
        ("Version", Value::text(VERSION)),
        ("Release_date", Value::text(RELEASE_DATE)),
        number("Nbthread", sources.workers as u64),
        number("Nbproc", 1u64),
        number("Process_num", 1u64),
        number("Pid", std::process::id()),
        ("Uptime", Value::text(uptime(seconds))),
        ("Uptime_sec", Value::Micros(now_ms.saturating_mul(1000))),
    ]
}

/// `1d 2h03m04s`.
fn uptime(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    format!("{days}d {hours}h{:02}m{:02}s", seconds / 60 % 60, seconds % 60)
}

fn limits_and_connections(sources: &Sources) -> Vec<InfoValue> {
    let limits = &sources.limits;
    let mut values = Vec::from(zeros(["Memmax_MB", "PoolAlloc_MB", "PoolUsed_MB", "PoolFailed"]));
    values.extend([
        number("Ulimit-n", limits.ulimit_n),
        number("Maxsock", limits.maxsock),
        number("Maxconn", sources.maxconn()),
        number("Hard_maxconn", limits.maxconn),
        number("CurrConns", sources.load.process().live()),
        number("CumConns", sources.process_total(|process| &process.connections)),
        number("CumReq", sources.sessions()),
    ]);
    values.extend(zeros(["MaxSslConns", "CurrSslConns", "CumSslConns"]));
    values.extend([
        number("Maxpipes", limits.maxpipes),
        number("PipesUsed", sources.process_gauge(|process| &process.pipes_used)),
        number("PipesFree", sources.process_gauge(|process| &process.pipes_free)),
    ]);
    values
}

fn rates(sources: &Sources, now_ms: u64) -> Vec<InfoValue> {
    let accepted = sources.process_total(|process| &process.connections);
    let connections = sources.rates.connections(accepted, now_ms);
    let sessions = sources.rates.sessions(sources.sessions(), now_ms);
    let mut values = vec![
        number("ConnRate", connections.now),
        number("ConnRateLimit", sources.load.connections().limit().unwrap_or(0)),
        number("MaxConnRate", connections.max),
        number("SessRate", sessions.now),
        number("SessRateLimit", sources.load.sessions().limit().unwrap_or(0)),
        number("MaxSessRate", sessions.max),
    ];
    values.extend(zeros(["SslRate"]));
    values.push(number("SslRateLimit", sources.limits.tls_sessions));
    values.extend(zeros([
        "MaxSslRate",
        "SslFrontendKeyRate",
        "SslFrontendMaxKeyRate",
        "SslFrontendSessionReuse_pct",
        "SslBackendKeyRate",
        "SslBackendMaxKeyRate",
        "SslCacheLookups",
        "SslCacheMisses",
        "CompressBpsIn",
        "CompressBpsOut",
        "CompressBpsRateLim",
    ]));
    values
}

fn scheduler(sources: &Sources) -> Vec<InfoValue> {
    let config = &sources.config;
    let live = u64::from(sources.load.process().live());
    let listens = |id| sources.standings.of(id) != Standing::Stopped;
    let open = config.proxies().filter(|(id, proxy)| !proxy.disabled && listens(*id));
    let open = open.map(|(_, proxy)| proxy.binds.len());
    let listeners =
        if sources.stopping { 0 } else { open.sum::<usize>() + config.global.stats_sockets.len() };
    let listeners = listeners as u64;
    let node = config.global.node.clone().unwrap_or_else(|| sources.hostname.clone());
    let mut values = vec![
        number("Tasks", live),
        number("Run_queue", 0u64),
        number("Idle_pct", sources.rates.idle_percent(sources.workers)),
        ("node", Value::text(node)),
    ];
    values.extend(config.global.description.clone().map(|text| ("description", Value::text(text))));
    values.extend([
        number("Stopping", u64::from(sources.stopping)),
        number("Jobs", listeners + live),
        number("Unstoppable Jobs", 0u64),
        number("Listeners", listeners),
    ]);
    values.extend(zeros(["ActivePeers", "ConnectedPeers"]));
    values.push(number("DroppedLogs", sources.logs_dropped()));
    values.extend(zeros(["BusyPolling", "FailedResolutions"]));
    values
}

fn traffic(sources: &Sources, now_ms: u64) -> Vec<InfoValue> {
    let sent = sources.process_total(|process| &process.bytes_out);
    let mut values = vec![
        number("TotalBytesOut", sent),
        number("TotalSplicedBytesOut", sources.process_total(|process| &process.spliced_bytes_out)),
        number("BytesOutRate", sources.rates.bytes_out(sent, now_ms).now),
    ];
    values.extend(zeros(["DebugCommandsIssued", "CumRecvLogs"]));
    values.push(("Build info", Value::text(env!("CARGO_PKG_VERSION"))));
    values.extend(zeros(["Memmax_bytes", "PoolAlloc_bytes", "PoolUsed_bytes"]));
    values
}

/// What came with HAProxy 2.7 and later.
fn newer(sources: &Sources) -> Vec<InfoValue> {
    let started = sources.started_at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut values = vec![
        ("Start_time_sec", Value::Micros(u64::try_from(started.as_micros()).unwrap_or(u64::MAX))),
        ("Tainted", Value::text("0")),
        number("TotalWarnings", sources.warnings),
        number("MaxconnReached", sources.process_total(|process| &process.maxconn_reached)),
        number("BootTime_ms", sources.boot_ms),
        number("Niced_tasks", 0u64),
        number("CurrStreams", sources.load.process().live()),
        number("CumStreams", sources.sessions()),
    ];
    values.extend(zeros(["BlockedTrafficWarnings", "PatternsAdded", "PatternsFreed"]));
    values.push(number("NbThreadGroups", 1u64));
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_reads_as_in_haproxy() {
        assert_eq!(uptime(1), "0d 0h00m01s");
        assert_eq!(uptime(86_400 + 2 * 3600 + 3 * 60 + 4), "1d 2h03m04s");
    }
}
