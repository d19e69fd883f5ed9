//! Envoy's TCP proxy, configured to do the same.

use std::net::SocketAddrV4;

use serde_json::{Value, json};

use super::{Route, Setup};

/// Text of its bootstrap file.
pub fn text(routes: &[Route], setup: &Setup) -> String {
    let listeners: Vec<Value> = routes.iter().map(listener).collect();
    let clusters: Vec<Value> = routes.iter().map(|route| cluster(route, setup.maxconn())).collect();
    json!({ "static_resources": { "listeners": listeners, "clusters": clusters } }).to_string()
}

fn listener(Route { name, entry, .. }: &Route) -> Value {
    let proxy = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": name,
        "cluster": name,
        "idle_timeout": "60s",
    });
    json!({
        "name": name,
        "address": address(entry),
        "tcp_backlog_size": 4096,
        "filter_chains": [{ "filters": [{ "name": "envoy.filters.network.tcp_proxy", "typed_config": proxy }] }],
    })
}

fn cluster(Route { name, servers, .. }: &Route, sessions: usize) -> Value {
    let endpoints: Vec<Value> =
        servers.iter().map(|server| json!({ "endpoint": { "address": address(server) } })).collect();
    let limits = json!({ "max_connections": sessions, "max_pending_requests": sessions });
    json!({
        "name": name,
        "type": "STATIC",
        "lb_policy": "ROUND_ROBIN",
        "connect_timeout": "5s",
        "circuit_breakers": { "thresholds": [limits] },
        "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": endpoints }] },
    })
}

fn address(address: &SocketAddrV4) -> Value {
    json!({ "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } })
}
