//! Ports from the kernel, held until the proxy that is told to use them has ended.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A port of 127.0.0.1 that nobody else is given. The holder is bound with SO_REUSEPORT but never
/// listens, so a proxy that binds with SO_REUSEPORT (HAProxy's default, and Pronk's) can take it.
pub struct Port {
    pub number: u16,
    _holder: Socket,
}

impl Port {
    pub fn reserve() -> Port {
        let holder = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        holder.set_reuse_port(true).expect("SO_REUSEPORT");
        holder.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
        let number = holder.local_addr().expect("bound").as_socket().expect("IPv4").port();
        Port { number, _holder: holder }
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.number))
    }

    pub fn has_listener(&self) -> bool {
        has_listener(self.number)
    }
}

/// Whether somebody listens on this port, found without connecting (which a proxy would log and count).
pub fn has_listener(port: u16) -> bool {
    let table = fs::read_to_string("/proc/net/tcp").expect("/proc/net/tcp");
    let wanted = format!("0100007F:{port:04X}");
    let any = format!("00000000:{port:04X}");
    table.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let local = fields.next();
        let listening = fields.nth(1) == Some("0A");
        listening && (local == Some(&wanted) || local == Some(&any))
    })
}
