//! Pronk in front of servers, with what every test of this binary asks of it.

use std::net::SocketAddr;
use std::time::Duration;

use crate::support::peer::Peer;
use crate::support::port::Port;
use crate::support::proxy::{Program, Proxy};
use crate::support::{PATIENCE, wait_for};

/// Descriptors of the pipes that two quiet workers keep: 16 each.
const POOLED: usize = 2 * 16 * 2;

/// A running Pronk with one frontend.
pub struct Gateway {
    pub proxy: Proxy,
    pub front: Port,
    descriptors: usize,
}

impl Gateway {
    /// `global` and `defaults` are lines of those sections, `backend` those of the backend.
    pub fn start(global: &str, defaults: &str, backend: &str) -> Gateway {
        let front = Port::reserve();
        let config = format!(
            "global
  nbthread 2
{global}
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
{defaults}
frontend f
  bind 127.0.0.1:{port}
  default_backend b
backend b
{backend}
",
            port = front.number
        );
        let proxy = Proxy::start(&Program::Pronk, &config, &[&front]);
        let mut gateway = Gateway { proxy, front, descriptors: 0 };
        gateway.settle();
        gateway
    }

    /// One server behind it.
    pub fn to(port: u16) -> Gateway {
        Gateway::start("", "", &format!("  server s1 127.0.0.1:{port}"))
    }

    pub fn address(&self) -> SocketAddr {
        self.front.address()
    }

    pub fn connect(&self) -> Peer {
        Peer::connect(self.address())
    }

    /// Remembers how many descriptors an idle Pronk has, once start-up has opened them all.
    fn settle(&mut self) {
        let mut last = (0, 0);
        let steady = wait_for(PATIENCE, || {
            let now = self.proxy.open_descriptors();
            last = if now == last.0 { (now, last.1 + 1) } else { (now, 0) };
            (last.1 > 50).then_some(now)
        });
        self.descriptors = steady.expect("the number of descriptors settles after start");
    }

    /// Descriptors over those of the idle process.
    pub fn descriptors_in_use(&self) -> usize {
        self.proxy.open_descriptors().saturating_sub(self.descriptors)
    }

    /// Waits until every descriptor that sessions took is given back, but for the few pipes that each
    /// worker keeps for the next session.
    pub fn assert_descriptors_return(&self) {
        let back = wait_for(Duration::from_secs(20), || (self.descriptors_in_use() <= POOLED).then_some(()));
        assert!(back.is_some(), "{} descriptors are not given back", self.descriptors_in_use());
    }

    pub fn assert_alive(&mut self) {
        assert_eq!(self.proxy.exit_status(), None, "Pronk has ended: {}", self.proxy.stderr());
    }
}
