//! What is checked: one checked server of the configuration, made ready.

use std::net::{IpAddr, SocketAddr};

use crate::config::model::{Check, Config, Proxy, ProxyId, ServerAddress, Timeouts, source_of};
use crate::table::ServerEntry;

use super::schedule::Pace;
use super::verdict::Standing;

/// Where a check connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// From `source` when it is given.
    Tcp {
        /// The server, or what `addr` and `port` say.
        to: SocketAddr,
        /// `source`.
        source: Option<SocketAddr>,
    },
    /// A Unix socket, by path or abstract name.
    Unix(ServerAddress),
}

/// One checked server.
#[derive(Clone, Debug)]
pub struct Target {
    pub proxy: ProxyId,
    pub server: u16,
    /// As the configuration has it.
    pub check: Check,
    /// None: the port is the client's, and no `port` says another.
    pub address: Option<Address>,
    pub pace: Pace,
    pub timeout_ms: u32,
    pub standing: Standing,
}

impl Target {
    /// Aims at where the server, and what `check-addr` and `check-port` say of it, are now.
    pub fn aim(&mut self, settings: &Proxy, entry: &ServerEntry) {
        self.address = address(source_of(entry.source, settings.source), &entry.address, entry.check_at);
    }
}

/// Every server that is checked, in file order, and those that cannot be: as `(proxy, server)`.
pub fn targets(config: &Config) -> (Vec<Target>, Vec<(ProxyId, u16)>) {
    let (mut targets, mut unreachable) = (Vec::new(), Vec::new());
    for (proxy, settings) in (0..).map(ProxyId).zip(&config.proxies) {
        if !settings.kind.is_backend() || settings.disabled {
            continue;
        }
        for (at, server) in (0..).zip(&settings.servers) {
            let Some(check) = server.check else { continue };
            let check_at = (check.address, check.port);
            let source = source_of(server.source, settings.source);
            let address = address(source, &server.address, check_at);
            if address.is_none() {
                unreachable.push((proxy, at));
            }
            targets.push(target(proxy, at, settings, check, address));
        }
    }
    (targets, unreachable)
}

fn target(proxy: ProxyId, server: u16, settings: &Proxy, check: Check, address: Option<Address>) -> Target {
    Target {
        proxy,
        server,
        check,
        address,
        pace: Pace {
            inter_ms: check.inter_ms,
            fastinter_ms: check.fastinter_ms,
            downinter_ms: check.downinter_ms,
        },
        timeout_ms: connect_timeout_ms(&settings.timeouts, check.inter_ms),
        standing: Standing::new(check.rise, check.fall),
    }
}

/// `inter`, and with `timeout check` the lesser of it and `timeout connect` (configuration manual,
/// `timeout check`: that time itself only bounds what follows the connection, and here nothing does).
fn connect_timeout_ms(timeouts: &Timeouts, inter_ms: u32) -> u32 {
    let connect = timeouts.check_ms.and(timeouts.connect_ms).unwrap_or(inter_ms);
    connect.min(inter_ms).max(1)
}

/// None: the port is the client's, and no `port` says another.
fn address(
    source: Option<SocketAddr>,
    server: &ServerAddress,
    (check_ip, check_port): (Option<IpAddr>, Option<u16>),
) -> Option<Address> {
    let tcp = |to| Address::Tcp { to, source };
    let (ip, port) = match server {
        ServerAddress::Tcp(address) => (Some(address.ip()), Some(address.port())),
        ServerAddress::TcpMapped(ip, _) => (Some(*ip), None),
        ServerAddress::Unix(_) | ServerAddress::Abstract(_) => (None, None),
    };
    match (check_ip.or(ip), check_port.or(port), server) {
        (Some(ip), Some(port), _) => Some(tcp(SocketAddr::new(ip, port))),
        (None, _, unix @ (ServerAddress::Unix(_) | ServerAddress::Abstract(_))) => {
            Some(Address::Unix(unix.clone()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::Server;
    use crate::table::fixture;

    fn one(server: Server) -> Option<Address> {
        let check = server.check.unwrap();
        address(None, &server.address, (check.address, check.port))
    }

    #[test]
    fn addr_and_port_replace_the_servers_own() {
        let server = |check| Server { check: Some(check), ..fixture::server(1) };
        let tcp = |to: &str| Some(Address::Tcp { to: to.parse().unwrap(), source: None });
        assert_eq!(one(server(Check::default())), tcp("127.0.0.1:21001"));
        assert_eq!(one(server(Check { port: Some(25000), ..Check::default() })), tcp("127.0.0.1:25000"));
        let elsewhere = "10.0.0.9".parse().ok();
        assert_eq!(one(server(Check { address: elsewhere, ..Check::default() })), tcp("10.0.0.9:21001"));
    }

    #[test]
    fn a_mapped_port_needs_a_check_port() {
        let mapped = ServerAddress::TcpMapped([10, 0, 0, 1].into(), 5);
        let server = |check| Server { address: mapped.clone(), check: Some(check), ..fixture::server(1) };
        assert_eq!(one(server(Check::default())), None);
        let to = "10.0.0.1:80".parse().unwrap();
        let expected = Some(Address::Tcp { to, source: None });
        assert_eq!(one(server(Check { port: Some(80), ..Check::default() })), expected);
    }

    #[test]
    fn the_timeout_is_inter_unless_timeout_check_is_given() {
        // Durations of timed out checks of haproxy 2.6.
        let timeouts = |check_ms, connect_ms| Timeouts { check_ms, connect_ms, ..Timeouts::default() };
        assert_eq!(connect_timeout_ms(&timeouts(Some(150), Some(300)), 500), 300);
        assert_eq!(connect_timeout_ms(&timeouts(Some(700), Some(300)), 500), 300);
        assert_eq!(connect_timeout_ms(&timeouts(Some(100), Some(900)), 500), 500);
        assert_eq!(connect_timeout_ms(&timeouts(Some(100), None), 500), 500);
        assert_eq!(connect_timeout_ms(&timeouts(None, Some(100)), 500), 500);
    }

    #[test]
    fn only_checked_servers_of_backends_in_use_are_targets() {
        let mut backend = fixture::backend("b", 3);
        backend.servers[1].check = Some(Check::default());
        let disabled = crate::config::model::Proxy { disabled: true, ..backend.clone() };
        let config = Config { proxies: vec![disabled, backend], ..Config::default() };
        let (targets, unreachable) = targets(&config);
        assert_eq!((targets.len(), targets[0].proxy, targets[0].server), (1, ProxyId(1), 1));
        assert!(unreachable.is_empty());
    }
}
