//! The JSON pages of a coordinator's debug web server, with the live values of this one.
//!
//! Names as in Impala's `be/src/service/impala-http-handler.cc`, `be/src/util/default-path-handlers.cc`
//! and `common/thrift/metrics.json`; times are milliseconds since the epoch where Impala prints dates.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::coordinator::{Coordinator, Protocol, Session, State, VERSION};
use super::handle::Guid;
use super::json::Json;
use super::query::{Query, QueryState};
use super::service::Connections;

/// Connections of the two client ports.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traffic {
    pub(super) beeswax: Connections,
    pub(super) hs2: Connections,
}

/// None: no such page.
pub(super) fn page(coordinator: &Coordinator, path: &str, traffic: Traffic) -> Option<Json> {
    Some(match path {
        "/" => root(coordinator),
        "/metrics" => metric_group(metrics(coordinator, traffic)),
        "/jsonmetrics" => Json::Object(metrics(coordinator, traffic)),
        "/backends" => backends(coordinator),
        "/queries" => queries(coordinator),
        "/sessions" => sessions(coordinator),
        _ => return None,
    })
}

fn root(coordinator: &Coordinator) -> Json {
    let quiescing = coordinator.state().shutting_down;
    Json::object([
        ("version", VERSION.into()),
        ("impala_server_mode", true.into()),
        ("is_coordinator", true.into()),
        ("is_executor", false.into()),
        ("is_quiescing", quiescing.into()),
        ("shutdown_status", if quiescing { "graceful shutdown in progress" } else { "" }.into()),
        ("process_name", coordinator.name.as_str().into()),
    ])
}

fn metrics(coordinator: &Coordinator, traffic: Traffic) -> Vec<(String, Json)> {
    let state = coordinator.state();
    let now = Instant::now();
    let running = state.queries.values().filter(|query| query.state(now) == QueryState::Running).count();
    let sessions = |protocol| state.sessions.values().filter(|session| session.protocol == protocol).count();
    let mut metrics: Vec<(String, Json)> = [
        ("impala-server.ready", Json::from(state.healthy)),
        ("impala-server.num-queries", state.total_queries.into()),
        ("impala-server.num-queries-registered", state.queries.len().into()),
        ("impala-server.backend-num-queries-executing", running.into()),
        ("impala-server.num-fragments-in-flight", running.into()),
        ("impala-server.num-open-hiveserver2-sessions", sessions(Protocol::HiveServer2).into()),
        ("impala-server.num-open-beeswax-sessions", sessions(Protocol::Beeswax).into()),
        ("catalog.ready", true.into()),
        ("statestore-subscriber.connected", true.into()),
        ("memory.rss", resident_bytes().into()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    for (port, connections) in [("beeswax-frontend", traffic.beeswax), ("hiveserver2-frontend", traffic.hs2)]
    {
        let name = |what: &str| format!("impala.thrift-server.{port}.{what}");
        metrics.push((name("connections-in-use"), connections.open.into()));
        metrics.push((name("total-connections"), connections.accepted.into()));
        metrics.push((name("connection-setup-queue-size"), 0usize.into()));
        metrics.push((name("timedout-cnxn-requests"), 0usize.into()));
    }
    metrics
}

fn metric_group(metrics: Vec<(String, Json)>) -> Json {
    let metric = |(name, value): (String, Json)| {
        let human = value.to_string();
        Json::object([("name", name.into()), ("human_readable", human.into()), ("value", value)])
    };
    let group = Json::object([
        ("name", "impala-metrics".into()),
        ("metrics", Json::List(metrics.into_iter().map(metric).collect())),
        ("child_groups", Json::List(Vec::new())),
    ]);
    Json::object([("metric_group", group)])
}

/// Of this whole process: the kernel prints kibibytes.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    kib * 1024
}

fn backends(coordinator: &Coordinator) -> Json {
    let mut members = coordinator.cluster.members();
    members.sort_by(|a, b| a.name.cmp(&b.name));
    let quiescing = |member: &Coordinator| member.state().shutting_down;
    let leaving = members.iter().filter(|member| quiescing(member)).count();
    let backend = |member: &Coordinator| {
        let leaving = quiescing(member);
        Json::object([
            ("address", member.addresses.hs2.to_string().into()),
            ("backend_id", member.id.to_string().into()),
            ("webserver_url", member.web_url().into()),
            ("is_coordinator", true.into()),
            ("is_executor", false.into()),
            ("is_quiescing", leaving.into()),
            ("is_blacklisted", false.into()),
            ("is_active", (!leaving).into()),
            ("num_admitted", member.state().queries.len().into()),
        ])
    };
    Json::object([
        ("backends", Json::List(members.iter().map(|member| backend(member)).collect())),
        ("num_active_backends", (members.len() - leaving).into()),
        ("num_quiescing_backends", leaving.into()),
        ("num_blacklisted_backends", 0usize.into()),
    ])
}

fn queries(coordinator: &Coordinator) -> Json {
    let state = coordinator.state();
    let now = Instant::now();
    let waiting = |query: &Query| {
        let ended = query.state(now);
        ended != QueryState::Running && (ended != QueryState::Finished || query.fetched >= query.total())
    };
    let entry = |guid: &Guid, query: &Query| {
        let progress =
            if query.state(now) == QueryState::Running { "0 / 1 (   0%)" } else { "1 / 1 ( 100%)" };
        Json::object([
            ("query_id", guid.to_string().into()),
            ("effective_user", query.user.as_str().into()),
            ("default_db", "default".into()),
            ("stmt", query.text.as_str().into()),
            ("stmt_type", "QUERY".into()),
            ("start_time", epoch_ms(query.since).into()),
            ("duration", format!("{}ms", query.began.elapsed().as_millis()).into()),
            ("progress", progress.into()),
            ("state", query.state(now).word().into()),
            ("rows_fetched", query.fetched.into()),
            ("waiting", waiting(query).into()),
            ("executing", (!waiting(query)).into()),
        ])
    };
    let waiting_queries = state.queries.values().filter(|query| waiting(query)).count();
    Json::object([
        (
            "in_flight_queries",
            Json::List(state.queries.iter().map(|(guid, query)| entry(guid, query)).collect()),
        ),
        (
            "completed_queries",
            Json::List(state.completed.iter().map(|(guid, query)| entry(guid, query)).collect()),
        ),
        ("num_in_flight_queries", state.queries.len().into()),
        ("num_executing_queries", (state.queries.len() - waiting_queries).into()),
        ("num_waiting_queries", waiting_queries.into()),
    ])
}

fn sessions(coordinator: &Coordinator) -> Json {
    let state = coordinator.state();
    let session = |(guid, session): (&Guid, &Session)| {
        Json::object([
            ("session_id", guid.to_string().into()),
            ("type", protocol_name(session.protocol).into()),
            ("user", session.user.as_str().into()),
            ("network_address", session.client.as_str().into()),
            ("inflight_queries", inflight(&state, *guid).into()),
            ("total_queries", session.total_queries.into()),
            ("default_database", "default".into()),
            ("start_time", epoch_ms(session.since).into()),
            ("last_accessed", epoch_ms(session.used).into()),
            ("expired", false.into()),
            ("closed", false.into()),
        ])
    };
    Json::object([
        ("sessions", Json::List(state.sessions.iter().map(session).collect())),
        ("num_sessions", state.sessions.len().into()),
        ("num_active", state.sessions.len().into()),
        ("num_inactive", 0usize.into()),
    ])
}

fn inflight(state: &State, session: Guid) -> usize {
    state.queries.values().filter(|query| query.session == session).count()
}

fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Beeswax => "BEESWAX",
        Protocol::HiveServer2 => "HIVESERVER2",
    }
}

fn epoch_ms(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis())
}

/// What `profile` shows in impala-shell.
pub(super) fn profile(coordinator: &Coordinator, guid: Guid, query: &Query) -> String {
    let lines = [
        ("Session ID", query.session.to_string()),
        ("Query Type", "QUERY".to_owned()),
        ("Start Time", format!("{} ms since the epoch", epoch_ms(query.since))),
        ("Query State", query.state(Instant::now()).word().to_owned()),
        ("Impala Version", VERSION.to_owned()),
        ("User", query.user.clone()),
        ("Coordinator", format!("{} ({})", coordinator.name, coordinator.addresses.hs2)),
        ("Sql Statement", query.text.clone()),
    ];
    let lines: String = lines.iter().map(|(name, value)| format!("    {name}: {value}\n")).collect();
    format!("Query (id={guid}):\n  Summary:\n{lines}")
}
