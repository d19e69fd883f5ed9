//! Configurations for unit tests.

use crate::config::model::{Balance, Mode, Options, Proxy, ProxyKind, Server, ServerAddress, Timeouts};

/// A backend called `name` with `servers` unlimited servers s1, s2, … of weight 1.
pub fn backend(name: &str, servers: usize) -> Proxy {
    Proxy {
        name: name.to_owned(),
        id: 2,
        custom_id: false,
        removed: false,
        kind: ProxyKind::Backend,
        mode: Mode::Tcp,
        disabled: false,
        description: None,
        binds: Vec::new(),
        maxconn: None,
        fullconn: None,
        backlog: None,
        default_backend: None,
        use_backends: Vec::new(),
        acls: Vec::new(),
        balance: Balance::RoundRobin,
        hash_type: Default::default(),
        servers: (1..=servers as u32).map(server).collect(),
        retries: 3,
        redispatch_every: 0,
        timeouts: Timeouts::default(),
        options: Options::default(),
        logs: Vec::new(),
        log_style: Default::default(),
        log_tag: None,
        source: None,
        stats: None,
    }
}

/// Server number `id`, unlimited, unchecked, weight 1.
pub fn server(id: u32) -> Server {
    Server {
        name: format!("s{id}"),
        id,
        custom_id: false,
        host: "127.0.0.1".to_owned(),
        address: ServerAddress::Tcp(([127, 0, 0, 1], 21000 + id as u16).into()),
        weight: 1,
        backup: false,
        disabled: false,
        maxconn: None,
        minconn: None,
        maxqueue: None,
        slowstart_ms: None,
        on_marked_down: false,
        on_marked_up: false,
        source: None,
        check: None,
    }
}
