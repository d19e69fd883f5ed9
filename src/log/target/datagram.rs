//! Syslog over datagrams: UDP and Unix sockets. One line is one datagram; a full socket loses the line.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a Unix target that is not there is left alone before the next try.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// A syslog server by address. The socket stays unconnected, so that a dead server's ICMP answers do
/// not cost the lines that follow and a moved route is simply taken.
#[derive(Debug)]
pub(super) struct UdpTarget {
    to: SocketAddr,
    socket: UdpSocket,
}

impl UdpTarget {
    pub(super) fn open(to: SocketAddr) -> io::Result<Self> {
        let any = match to {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(any)?;
        socket.set_nonblocking(true)?;
        Ok(UdpTarget { to, socket })
    }

    pub(super) fn send(&mut self, line: &[u8]) -> io::Result<()> {
        self.socket.send_to(line, self.to).map(drop)
    }
}

/// A syslog daemon's socket such as /dev/log. Connected before a chroot hides the path, and again when
/// the daemon was restarted.
#[derive(Debug)]
pub(super) struct UnixTarget {
    path: PathBuf,
    socket: Option<UnixDatagram>,
    retry_at: Option<Instant>,
}

impl UnixTarget {
    /// A path that nobody listens on yet is no error: syslog may start after the proxy.
    pub(super) fn open(path: PathBuf) -> Self {
        let socket = connect(&path).ok();
        UnixTarget { path, socket, retry_at: None }
    }

    /// A socket that somebody else has connected with that path.
    pub(super) fn of(path: PathBuf, socket: OwnedFd) -> Self {
        UnixTarget { path, socket: Some(socket.into()), retry_at: None }
    }

    pub(super) fn send(&mut self, line: &[u8], now: Instant) -> io::Result<()> {
        if let Some(socket) = &self.socket {
            match socket.send(line) {
                Ok(_) => return Ok(()),
                Err(full) if full.kind() == io::ErrorKind::WouldBlock => return Err(full),
                Err(long) if long.raw_os_error() == Some(libc::EMSGSIZE) => return Err(long),
                Err(_) => self.socket = None,
            }
        }
        self.reconnect(now)?.send(line).map(drop)
    }

    fn reconnect(&mut self, now: Instant) -> io::Result<&UnixDatagram> {
        if self.retry_at.is_some_and(|at| now < at) {
            return Err(io::ErrorKind::NotConnected.into());
        }
        self.retry_at = Some(now + RECONNECT_PAUSE);
        let socket = connect(&self.path)?;
        self.retry_at = None;
        Ok(self.socket.insert(socket))
    }
}

pub(super) fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}
