//! Envoy's TCP proxy, configured to do the same.

use std::net::SocketAddrV4;
use std::path::Path;

use serde_json::{Value, json};

use super::{Route, Setup};

/// The file that its lines go to, in `folder`.
pub const LOG: &str = "sessions.log";
/// What nginx's line says of a session.
const LINE: &str = "%DOWNSTREAM_REMOTE_ADDRESS% [%START_TIME%] %DOWNSTREAM_LOCAL_PORT% %UPSTREAM_HOST% %DURATION% \
    %BYTES_SENT% %RESPONSE_FLAGS%\n";

/// Text of its bootstrap file. `folder` takes its log.
pub fn text(routes: &[Route], setup: &Setup, folder: &Path) -> String {
    let logs: Vec<Value> = setup.logs.then(|| log(&folder.join(LOG))).into_iter().collect();
    let listeners: Vec<Value> = routes.iter().map(|route| listener(route, &logs)).collect();
    let clusters: Vec<Value> = routes.iter().map(|route| cluster(route, setup)).collect();
    json!({ "static_resources": { "listeners": listeners, "clusters": clusters } }).to_string()
}

fn log(path: &Path) -> Value {
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": path.display().to_string(),
            "log_format": { "text_format_source": { "inline_string": LINE } },
        },
    })
}

/// HAProxy's: a connection every two seconds, three failures, two successes.
fn check() -> Value {
    json!({
        "timeout": "2s",
        "interval": "2s",
        "no_traffic_interval": "2s",
        "unhealthy_threshold": 3,
        "healthy_threshold": 2,
        "tcp_health_check": {},
    })
}

fn listener(Route { name, entry, .. }: &Route, logs: &[Value]) -> Value {
    let proxy = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": name,
        "cluster": name,
        "idle_timeout": "60s",
        "access_log": logs,
    });
    json!({
        "name": name,
        "address": address(entry),
        "tcp_backlog_size": 4096,
        "filter_chains": [{ "filters": [{ "name": "envoy.filters.network.tcp_proxy", "typed_config": proxy }] }],
    })
}

fn cluster(Route { name, servers, .. }: &Route, setup: &Setup) -> Value {
    let sessions = setup.maxconn();
    let endpoints: Vec<Value> =
        servers.iter().map(|server| json!({ "endpoint": { "address": address(server) } })).collect();
    let limits = json!({ "max_connections": sessions, "max_pending_requests": sessions });
    json!({
        "name": name,
        "type": "STATIC",
        "lb_policy": "ROUND_ROBIN",
        "connect_timeout": "5s",
        "health_checks": setup.checks.then(check).into_iter().collect::<Vec<_>>(),
        "circuit_breakers": { "thresholds": [limits] },
        "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": endpoints }] },
    })
}

fn address(address: &SocketAddrV4) -> Value {
    json!({ "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } })
}
