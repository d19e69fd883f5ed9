//! Sources for this module's tests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::config::model::{Bind, BindId, Check, Config, ListenAddress, Proxy, ProxyId, ProxyKind};
use crate::load::Load;
use crate::table::{TablePublisher, fixture};

use super::counters::WorkerCounters;
use super::{Limits, Rates, Sources};

/// `listen tl`: three listeners, socket-stats, s1 checked with maxconn 10 and weight 5, s2 unchecked.
fn tl() -> Proxy {
    let mut proxy = fixture::backend("tl", 2);
    proxy.kind = ProxyKind::Listen;
    proxy.binds = vec![BindId(0), BindId(1), BindId(2)];
    proxy.options.socket_stats = true;
    let first = &mut proxy.servers[0];
    (first.weight, first.maxconn, first.maxqueue, first.check) =
        (5, Some(10), Some(3), Some(Check::default()));
    proxy
}

/// The listen section `tl`, a `disabled` one, and a backend `hs` without servers.
pub(super) fn config() -> Config {
    let mut disabled = fixture::backend("dis", 1);
    disabled.disabled = true;
    let local = SocketAddr::from(([127, 0, 0, 1], 38_123));
    let proxies = vec![tl(), disabled, fixture::backend("hs", 0)];
    let mut config = Config { proxies, ..Config::default() };
    for (id, proxy) in (2..).zip(&mut config.proxies) {
        proxy.id = id;
    }
    config.proxies[0].default_backend = Some(ProxyId(0));
    let bind = |id, address| Bind::new(ProxyId(0), id, address);
    config.binds = vec![
        Bind { name: Some("one".to_owned()), maxconn: Some(2), ..bind(1, ListenAddress::Tcp(local)) },
        bind(2, ListenAddress::Unix("/run/l.sock".into())),
        bind(3, ListenAddress::Tcp("[::1]:38123".parse().expect("an address"))),
    ];
    config.global.maxconn = Some(500);
    config
}

/// Two workers' counters over [`config`], just started, and the publisher of the table.
pub(super) fn sources() -> (Sources, TablePublisher) {
    sources_of(config())
}

/// The same over another configuration.
pub(super) fn sources_of(config: Config) -> (Sources, TablePublisher) {
    let config = Arc::new(config);
    let load = Arc::new(Load::new(&config, 2));
    let publisher = TablePublisher::new(Arc::clone(&config), &load);
    let counters = || Arc::new(WorkerCounters::new(&config, load.server_capacity()));
    let sources = Sources {
        counters: vec![counters(), counters()],
        rates: Rates::new(&config),
        history: super::History::default(),
        table: publisher.shared(),
        load,
        start: Instant::now(),
        started_at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_220_933),
        dropped_logs: Arc::default(),
        limits: Limits { maxconn: 500, maxsock: 1036, ulimit_n: 1036, maxpipes: 125, ..Limits::default() },
        workers: 2,
        hostname: "vm".to_owned(),
        warnings: 1,
        boot_ms: 12,
        standings: Default::default(),
        stopping: false,
        forgotten_sessions: 0,
        config,
    };
    (sources, publisher)
}
