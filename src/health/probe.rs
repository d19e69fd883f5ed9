//! One TCP check: connect, and let go without a trace.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::TcpStream;

use crate::sys::socket;

use super::outcome::Outcome;
use super::target::Address;

/// How far a connection attempt came at once.
enum Attempt {
    Connected,
    Pending,
}

/// Checks `address`; the result comes within `timeout`. The socket is closed when this returns or is dropped.
pub async fn probe(address: &Address, timeout: Duration) -> Outcome {
    let (socket, attempt) = match begin(address) {
        Ok(begun) => begun,
        Err(error) => return Outcome::SocketError(errno(&error)),
    };
    match attempt {
        Attempt::Connected => Outcome::Passed,
        Attempt::Pending => match tokio::time::timeout(timeout, connected(socket)).await {
            Err(_) => Outcome::TimedOut,
            Ok(outcome) => outcome,
        },
    }
}

fn begin(address: &Address) -> io::Result<(Socket, Attempt)> {
    let (connecting, to) = match address {
        Address::Tcp { to, source } => (tcp_socket(*to, *source)?, SockAddr::from(*to)),
        Address::Unix(server) => {
            (Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?, socket::resolve_route(server, 0)?)
        }
    };
    match connecting.connect(&to) {
        Ok(()) => Ok((connecting, Attempt::Connected)),
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok((connecting, Attempt::Pending)),
        Err(error) => Err(error),
    }
}

fn tcp_socket(to: SocketAddr, source: Option<SocketAddr>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM.nonblocking(), None)?;
    socket.set_tcp_nodelay(true)?;
    // Without the quick ACK the reset below goes out in its place: the server's accept never sees us.
    socket.set_tcp_quickack(false)?;
    socket.set_linger(Some(Duration::ZERO))?;
    if let Some(source) = source {
        socket.set_reuse_address(true)?;
        socket.bind(&source.into())?;
    }
    Ok(socket)
}

/// Waits for the kernel's word about a connection that is under way; only TCP's are.
async fn connected(socket: Socket) -> Outcome {
    match watch(socket).await {
        Ok(None) => Outcome::Passed,
        Ok(Some(error)) => Outcome::Refused(errno(&error)),
        Err(error) => Outcome::SocketError(errno(&error)),
    }
}

async fn watch(socket: Socket) -> io::Result<Option<io::Error>> {
    let stream = TcpStream::from_std(socket.into())?;
    stream.writable().await?;
    stream.take_error()
}

fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EINVAL)
}
