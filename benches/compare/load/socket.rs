//! The sockets of the load: loopback only, non-blocking, and spread over many addresses so that no
//! pair of addresses runs out of ports while closed connections linger in TIME_WAIT.

use std::net::{Ipv4Addr, SocketAddrV4};

use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};

/// How many different addresses the clients connect from.
const SOURCES: u32 = 4000;

/// Flags of every socket here: non-blocking, and closed in the proxies that are spawned.
pub const FLAGS: SocketFlags = SocketFlags::NONBLOCK.union(SocketFlags::CLOEXEC);

/// The `n`th address that a client may bind to: 127.0.1.1 to 127.0.16.250, then from the start.
fn source(n: u32) -> Ipv4Addr {
    let n = n % SOURCES;
    Ipv4Addr::new(127, 0, 1 + (n / 250) as u8, 1 + (n % 250) as u8)
}

/// Hands out source addresses in turn.
#[derive(Default)]
pub struct Sources(u32);

impl Sources {
    /// Connections begun so far.
    pub fn connections(&self) -> u32 {
        self.0
    }

    /// Starts a connection to `target` from the next address; it may still be in progress.
    pub fn connect(&mut self, target: SocketAddrV4) -> Result<OwnedFd, Errno> {
        let address = source(self.0);
        self.0 = self.0.wrapping_add(1);
        let socket = net::socket_with(AddressFamily::INET, SocketType::STREAM, FLAGS, None)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        net::bind(&socket, &SocketAddrV4::new(address, 0))?;
        match net::connect(&socket, &target) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
            Err(errno) => Err(errno),
        }
    }
}

/// A listener on `address`; port 0 lets the kernel choose.
pub fn listen(address: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let socket = net::socket_with(AddressFamily::INET, SocketType::STREAM, FLAGS, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    net::bind(&socket, &address)?;
    net::listen(&socket, 4096)?;
    Ok(socket)
}

/// The port a socket is bound to.
pub fn port(socket: impl AsFd) -> Result<u16, Errno> {
    let address = net::getsockname(socket)?;
    SocketAddrV4::try_from(address).map(|address| address.port())
}

/// Two ports that were free a moment ago, for a proxy that cannot be asked which ones it took. Both are held until both are
/// found: one that is free again may be found twice.
pub fn free_ports() -> Result<[u16; 2], Errno> {
    let hold = || listen(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));
    let held = [hold()?, hold()?];
    Ok([port(&held[0])?, port(&held[1])?])
}

/// A UDP socket on a port of the kernel's choice.
pub fn datagram() -> Result<OwnedFd, Errno> {
    let socket = net::socket_with(AddressFamily::INET, SocketType::DGRAM, FLAGS, None)?;
    net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    Ok(socket)
}

/// What one attempt to move bytes brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// This many bytes, at least one.
    Bytes(usize),
    /// Nothing now; the next readiness event says when.
    Later,
    /// The peer has finished.
    End,
}

/// Sorts a system call's result into the three cases; errors of the connection stay errors.
pub fn moved(result: Result<usize, Errno>) -> Result<Moved, Errno> {
    match result {
        Ok(0) => Ok(Moved::End),
        Ok(bytes) => Ok(Moved::Bytes(bytes)),
        Err(Errno::AGAIN | Errno::INTR | Errno::NOTCONN) => Ok(Moved::Later),
        Err(errno) => Err(errno),
    }
}
