//! Configurations and records for this module's tests.

use std::path::Path;
use std::sync::Arc;

use crate::config::model::{
    Bind, BindId, Config, ListenAddress, LogAddress, LogFormat, LogStyle, LogTarget, LogTargetId, Proxy,
    ProxyId, ProxyKind,
};
use crate::session::termination::Termination;
use crate::table::fixture;

use super::record::SessionRecord;

/// A `listen` section with `option tcplog`, two servers s1 and s2, and one bind with id 2.
pub(super) fn listen(name: &str) -> Proxy {
    let mut proxy = fixture::backend(name, 2);
    proxy.kind = ProxyKind::Listen;
    proxy.binds = vec![BindId(0)];
    proxy.log_style = LogStyle::Tcplog;
    proxy
}

/// One listen section `tl`, no targets.
pub(super) fn config() -> Config {
    let bind = Bind::new(ProxyId(0), 2, ListenAddress::Tcp(([127, 0, 0, 1], 5000).into()));
    Config { proxies: vec![listen("tl")], binds: vec![bind], ..Config::default() }
}

/// The same, logging to `address`; global messages too.
pub(super) fn logging_to(address: LogAddress, format: LogFormat) -> Config {
    let mut config = config();
    config.log_targets = vec![target(address, format)];
    config.global.logs = vec![LogTargetId(0)];
    config.proxies[0].logs = vec![LogTargetId(0)];
    config
}

/// `local0`, every level.
pub(super) fn target(address: LogAddress, format: LogFormat) -> LogTarget {
    LogTarget { address, max_len: 1024, format, sample: None, facility: 16, level: 7, min_level: 0 }
}

/// Of a frontend that logs:
/// `127.0.0.1:58050 [21/Nov/2026:00:05:21.769] tl tl/s1 1/0/53 9 -- 1/1/0/0/0 0/0` in UTC.
pub(super) fn record() -> SessionRecord {
    SessionRecord {
        config: Arc::new(logging_to(LogAddress::Fd(1), LogFormat::Raw)),
        client: Some(([127, 0, 0, 1], 58_050).into()),
        frontend_address: Some(([127, 0, 0, 1], 5000).into()),
        frontend: ProxyId(0),
        bind: BindId(0),
        backend: ProxyId(0),
        server: Some("s1".into()),
        accepted_us: 1_795_219_521_769_000,
        queue_ms: 0,
        connect_ms: 0,
        total_ms: 53,
        bytes_to_client: 9,
        bytes_to_server: 4,
        termination: Termination::default(),
        early: false,
        process_conns: 1,
        frontend_conns: 1,
        backend_conns: 0,
        server_conns: 0,
        retries: 0,
        redispatched: false,
        server_queue: 0,
        backend_queue: 0,
        request: None,
    }
}

/// Lines of a file; none when it is not there.
pub(super) fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}
