//! One end of a connection that does as it is told and says what it saw.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};

use super::PATIENCE;

/// How the other side left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Fin,
    Reset,
    /// It did not within the time given.
    Open,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::Fin => "FIN",
            End::Reset => "RST",
            End::Open => "open",
        })
    }
}

/// A connected socket, client or server.
pub struct Peer {
    pub stream: TcpStream,
}

impl Peer {
    pub fn connect(to: SocketAddr) -> Peer {
        Peer::over(TcpStream::connect_timeout(&to, PATIENCE).expect("the proxy accepts"))
    }

    /// Connects from another loopback address, as another client.
    pub fn connect_from(from: Ipv4Addr, to: SocketAddr) -> Peer {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from((from, 0)).into()).expect("a loopback address");
        socket.connect_timeout(&to.into(), PATIENCE).expect("the proxy accepts");
        Peer::over(socket.into())
    }

    pub fn over(stream: TcpStream) -> Peer {
        stream.set_nodelay(true).expect("TCP_NODELAY");
        stream.set_write_timeout(Some(PATIENCE)).expect("a write timeout");
        Peer { stream }
    }

    pub fn local_port(&self) -> u16 {
        self.stream.local_addr().expect("connected").port()
    }

    /// Sends all of it; false when the connection is gone.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Says FIN and goes on reading.
    pub fn finish(&self) {
        // Fails when the other side has reset: then there is nothing left to finish.
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }

    /// Closes with RST.
    pub fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
    }

    /// Closes with FIN (or RST, as the kernel does, when unread bytes wait).
    pub fn close(self) {}

    /// Reads exactly `n` bytes; shorter when the other side leaves or the deadline passes.
    pub fn receive(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n];
        let (got, _) = self.read_until_full(&mut bytes, PATIENCE);
        bytes.truncate(got);
        bytes
    }

    /// `receive` as text, for observations.
    pub fn receive_text(&mut self, n: usize) -> String {
        String::from_utf8_lossy(&self.receive(n)).into_owned()
    }

    /// Reads and drops bytes until the other side leaves: how many, and how it left.
    pub fn end(&mut self, within: Duration) -> (usize, End) {
        let mut total = 0;
        let mut buffer = vec![0; 65536];
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let (got, end) = self.read_some(&mut buffer, left);
            total += got;
            if let Some(end) = end {
                return (total, end);
            }
        }
    }

    /// Whether a reset follows the FIN that was seen.
    pub fn reset_follows(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        while self.stream.take_error().expect("a socket").is_none() {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// Waits until something is there to be read.
    pub fn await_bytes(&self) {
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        assert!(self.stream.peek(&mut [0]).is_ok_and(|n| n > 0), "bytes arrive");
    }

    fn read_until_full(&mut self, bytes: &mut [u8], within: Duration) -> (usize, Option<End>) {
        let deadline = Instant::now() + within;
        let mut filled = 0;
        while filled < bytes.len() {
            let left = deadline.saturating_duration_since(Instant::now());
            let (got, end) = self.read_some(&mut bytes[filled..], left);
            filled += got;
            if end.is_some() {
                return (filled, end);
            }
        }
        (filled, None)
    }

    fn read_some(&mut self, bytes: &mut [u8], within: Duration) -> (usize, Option<End>) {
        if within.is_zero() {
            return (0, Some(End::Open));
        }
        self.stream.set_read_timeout(Some(within)).expect("a read timeout");
        match self.stream.read(bytes) {
            Ok(0) => (0, Some(End::Fin)),
            Ok(n) => (n, None),
            Err(error) if error.kind() == ErrorKind::Interrupted => (0, None),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                (0, Some(End::Open))
            }
            Err(_) => (0, Some(End::Reset)),
        }
    }
}

/// What the kernel shows in /proc/net/tcp of the connection whose end here is `here`, behind the addresses: its
/// state, `unsent:unread`, `timer:jiffies` and so on.
pub fn kernel_row(here: SocketAddr, there: SocketAddr) -> Option<Vec<String>> {
    let hex = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => format!("{:08X}:{:04X}", u32::from_le_bytes(ip.octets()), address.port()),
        IpAddr::V6(_) => panic!("an IPv4 address"),
    };
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's sockets");
    let (_, row) = table.split_once(&format!("{} {} ", hex(here), hex(there)))?;
    Some(row.lines().next()?.split_whitespace().map(str::to_owned).collect())
}
