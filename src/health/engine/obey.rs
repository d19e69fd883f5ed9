//! Orders about servers: weight, address, limit, checks. In and out of service is in [`super::service`].

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::Engine;
use crate::balance::weights_are_dynamic;
use crate::config::model::{ProxyId, ServerAddress};
use crate::health::order::{Asked, Order, Port, Reply, ServerChange, Weight};
use crate::log::Additions;
use crate::session::op::ServerId;
use crate::table::saved::host_name;
use crate::table::{Checks, ServerEntry};

/// A server by its place in the configuration.
pub(super) type Place = (ProxyId, u16);

const STATIC: &str = "Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.";
const FAMILY: &str =
    "Update for the current server address family is only supported through configuration file.";
const NO_CHECK_PORT: &str = "can't change <port> to port map because it is incompatible with current health check \
                             port configuration (use 'port' statement from the 'server' directive.";

impl Engine {
    /// Follows an order and replies.
    pub(super) fn answer(&mut self, asked: Asked) {
        asked.answer(|order| match order {
            Order::Server { server, change } => self.change(self.place(server)?, change),
            Order::Forget => self.forget_counts(),
            Order::ForgetServer(server) => self.forget_counts_of(self.place(server)?),
            Order::Replace { base, next } => self.replace(&base, next, Additions::default()),
            Order::Reload { base, next, logs } => self.replace(&base, next, logs),
        });
    }

    /// Where a server is now. It may have gone while the order was on its way.
    fn place(&self, server: ServerId) -> Result<Place, String> {
        let (proxy, at) = self.publisher.snapshot().place(server);
        at.map(|at| (proxy, at)).ok_or_else(|| "No such server.".to_owned())
    }

    fn forget_counts(&mut self) -> Reply {
        self.reports.iter_mut().for_each(|report| (report.fails, report.downs) = (0, 0));
        self.publisher.forget_counts();
        Ok(String::new())
    }

    fn forget_counts_of(&mut self, at: Place) -> Reply {
        if let Some(target) = self.target_of(at) {
            (self.reports[target].fails, self.reports[target].downs) = (0, 0);
        }
        self.alter(at, |entry| (entry.state.check.fails, entry.state.check.downs) = (0, 0));
        Ok(String::new())
    }

    fn change(&mut self, at: Place, change: ServerChange) -> Reply {
        match change {
            ServerChange::State(service) => self.serve(at, service),
            ServerChange::Maintenance(true) => self.enter_maintenance(at),
            ServerChange::Maintenance(false) => self.leave_maintenance(at),
            ServerChange::Draining(on) => self.drain(at, on),
            ServerChange::Weight(weight) => return self.weigh(at, weight),
            ServerChange::Address { ip, port } => return self.move_to(at, ip, port),
            ServerChange::CheckTarget { ip, port } => return self.check_at(at, ip, port),
            ServerChange::Health(forced, asker) => self.force(at, forced, asker),
            ServerChange::Checks(on) => return self.switch_checks(at, on),
            ServerChange::Maxconn(maxconn) => self.alter(at, |entry| entry.set_maxconn(maxconn)),
        }
        Ok(String::new())
    }

    pub(super) fn alter(&mut self, (proxy, server): Place, change: impl FnOnce(&mut ServerEntry)) {
        let now_ms = self.now_ms();
        self.publisher.alter(proxy, server, change, now_ms);
        self.slowstart_at_ms = self.publisher.tick(now_ms);
    }

    pub(super) fn entry_of(&self, (proxy, server): Place) -> &ServerEntry {
        self.entry_at(proxy, server)
    }

    pub(super) fn target_of(&self, (proxy, server): Place) -> Option<usize> {
        self.targets.iter().position(|target| (target.proxy, target.server) == (proxy, server))
    }

    /// `weight`, `set weight`.
    fn weigh(&mut self, at: Place, weight: Weight) -> Reply {
        let config = Arc::clone(&self.publisher.snapshot().config);
        let settings = &config.proxies[usize::from(at.0.0)];
        let initial = settings.servers[usize::from(at.1)].weight;
        let weight = match weight {
            Weight::Absolute(weight) => weight,
            Weight::Percent(percent) => (u32::from(initial) * u32::from(percent) / 100).min(256) as u16,
        };
        if weight != 0 && weight != initial && !weights_are_dynamic(settings) {
            return Err(STATIC.to_owned());
        }
        let before = self.publisher.shared().load_full();
        self.alter(at, |entry| entry.uweight = weight);
        self.mourn_if_dead(at, &before);
        Ok(String::new())
    }

    /// `addr`: the address may change although the port is none.
    fn move_to(&mut self, at: Place, ip: IpAddr, port: Option<Result<Port, String>>) -> Reply {
        let (current, current_port) = match &self.entry_of(at).address {
            ServerAddress::Tcp(address) => (address.ip(), Port::Fixed(address.port())),
            ServerAddress::TcpMapped(ip, offset) => (*ip, Port::Mapped(*offset)),
            ServerAddress::Unix(_) | ServerAddress::Abstract(_) => return Err(FAMILY.to_owned()),
        };
        let unresolved = self.entry_of(at).state.admin.unresolved;
        let mut said = match ip == current {
            _ if unresolved => format!("IP changed from '(none)' to '{ip}'"),
            true => "no need to change the addr".to_owned(),
            false => format!("IP changed from '{current}' to '{ip}'"),
        };
        let (to_port, about_port) = self.new_port(at, current_port, port);
        said.push_str(&about_port);
        if (ip, to_port) != (current, current_port) {
            let address = match to_port {
                Port::Fixed(port) => ServerAddress::Tcp(SocketAddr::new(ip, port)),
                Port::Mapped(offset) => ServerAddress::TcpMapped(ip, offset),
            };
            self.alter(at, |entry| entry.address = address);
            self.retarget(at);
        }
        if unresolved {
            let config = Arc::clone(&self.announcer.config);
            let written = &config.proxies[usize::from(at.0.0)].servers[usize::from(at.1)].host;
            self.find(at, host_name(written).unwrap_or(written));
        }
        Ok(format!("{said} by 'stats socket command'"))
    }

    /// The port from now on, and what is said about it.
    fn new_port(&self, at: Place, current: Port, asked: Option<Result<Port, String>>) -> (Port, String) {
        match asked {
            None => (current, String::new()),
            Some(Err(text)) => (current, format!(", problem converting port '{text}' to an int")),
            // As in HAProxy, also of a server that is not checked.
            Some(Ok(Port::Mapped(_))) if self.entry_of(at).check_at.1.is_none() => {
                (current, format!(", {NO_CHECK_PORT}"))
            }
            Some(Ok(port)) if port == current => (current, ", no need to change the port".to_owned()),
            Some(Ok(port)) => {
                (port, format!(", port changed from '{}' to '{}'", shown(current), shown(port)))
            }
        }
    }

    /// Checks go where the server and its `check-addr` and `check-port` now say.
    fn retarget(&mut self, at: Place) {
        let Some(target) = self.target_of(at) else { return };
        let table = self.publisher.shared().load_full();
        let (proxy, server) = (usize::from(at.0.0), usize::from(at.1));
        self.targets[target].aim(&table.config.proxies[proxy], &table.backend(at.0).servers[server]);
    }

    /// `check-addr`, `check-port`.
    fn check_at(&mut self, at: Place, ip: Option<IpAddr>, port: Option<u16>) -> Reply {
        if self.entry_of(at).state.checks == Checks::Absent {
            return Err("health checks are not enabled on this server".to_owned());
        }
        self.alter(at, |entry| {
            let (old_ip, old_port) = entry.check_at;
            entry.check_at = (ip.or(old_ip), port.map_or(old_port, |port| (port > 0).then_some(port)));
        });
        self.retarget(at);
        Ok(String::new())
    }

    /// `enable health`, `disable health`.
    fn switch_checks(&mut self, at: Place, on: bool) -> Reply {
        match (self.entry_of(at).state.checks, on) {
            (Checks::Absent, true) => {
                return Err("Health check was not configured on this server, cannot enable.".to_owned());
            }
            (Checks::Absent, false) => {}
            (_, on) => {
                let checks = if on { Checks::On } else { Checks::Off };
                self.alter(at, |entry| entry.state.checks = checks);
            }
        }
        Ok(String::new())
    }
}

fn shown(port: Port) -> String {
    match port {
        Port::Fixed(port) => port.to_string(),
        Port::Mapped(offset) => format!("{offset:+}"),
    }
}
