//! Configurations for unit tests.

use crate::config::model::{Proxy, ProxyKind, Server};

/// A backend called `name` with `servers` unlimited servers s1, s2, … of weight 1.
pub fn backend(name: &str, servers: usize) -> Proxy {
    let servers = (1..=servers as u32).map(server).collect();
    Proxy { id: 2, servers, ..Proxy::new(name, ProxyKind::Backend) }
}

/// Server number `id`, unlimited, unchecked, weight 1.
pub fn server(id: u32) -> Server {
    Server::new(format!("s{id}"), id, ([127, 0, 0, 1], 21000 + id as u16).into())
}
