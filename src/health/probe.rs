//! One TCP check: connect, and let go without a trace.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::TcpStream;

use crate::config::model::ServerAddress;
use crate::sys::socket;

use super::outcome::Outcome;
use super::target::Address;

/// Checks `address`; the result comes within `timeout`. The socket is closed when this returns or is dropped.
pub async fn probe(address: &Address, timeout: Duration) -> Outcome {
    match address {
        Address::Tcp { to, source } => match begin_tcp(*to, *source) {
            Ok(socket) => tokio::time::timeout(timeout, connected(socket)).await.unwrap_or(Outcome::TimedOut),
            Err(outcome) => outcome,
        },
        // A Unix socket connects at once or not at all.
        Address::Unix(server) => match connect_unix(server) {
            Ok(()) => Outcome::Passed,
            Err(error) => Outcome::SocketError(errno(&error)),
        },
    }
}

fn connect_unix(server: &ServerAddress) -> io::Result<()> {
    let to = socket::resolve_route(server, None)?;
    Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?.connect(&to)
}

/// A socket that is connecting or connected.
fn begin_tcp(to: SocketAddr, source: Option<SocketAddr>) -> Result<Socket, Outcome> {
    let not_begun = |error: io::Error| Outcome::NotBegun(errno(&error));
    let socket = tcp_socket(to).map_err(not_begun)?;
    if let Some(source) = source {
        bind(&socket, source).map_err(|error| Outcome::SourceRefused(errno(&error)))?;
    }
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(not_begun(error)),
        _ => Ok(socket),
    }
}

fn tcp_socket(to: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM.nonblocking(), None)?;
    socket.set_tcp_nodelay(true)?;
    // Without the quick ACK the reset below goes out in its place: the server's accept never sees us.
    socket.set_tcp_quickack(false)?;
    socket.set_linger(Some(Duration::ZERO))?;
    Ok(socket)
}

fn bind(socket: &Socket, source: SocketAddr) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    socket.bind(&source.into())
}

/// Waits for the kernel's word about a connection that is under way.
async fn connected(socket: Socket) -> Outcome {
    match watch(socket).await {
        Ok(None) => Outcome::Passed,
        Ok(Some(error)) => Outcome::Refused(errno(&error)),
        Err(error) => Outcome::NotBegun(errno(&error)),
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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;
    use crate::process::runtime;

    #[test]
    fn a_passed_check_leaves_nothing_for_the_server_to_accept() {
        const CHECKS: usize = 50;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let to = listener.local_addr().unwrap();
        let checks = async {
            for _ in 0..CHECKS {
                let outcome = probe(&Address::Tcp { to, source: None }, Duration::from_secs(20)).await;
                assert_eq!(outcome, Outcome::Passed);
            }
        };
        runtime::run("test", checks).unwrap();
        listener.set_nonblocking(true).unwrap();
        let accepted = std::iter::from_fn(|| listener.accept().ok()).count();
        // A thread that the machine holds up for 40 ms acknowledges after all; without the reset all do.
        assert!(accepted < CHECKS, "{accepted} of {CHECKS} checks were accepted");
    }

    #[test]
    fn the_socket_is_set_to_reset_without_a_quick_acknowledgement() {
        let socket = tcp_socket(SocketAddr::from((Ipv4Addr::LOCALHOST, 1))).unwrap();
        assert_eq!(socket.linger().unwrap(), Some(Duration::ZERO));
        assert!(!socket.tcp_quickack().unwrap());
    }
}
