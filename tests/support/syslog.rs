//! A syslog target: one UDP socket, read line by line.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

/// Collects datagrams in the order in which they arrive.
pub struct Syslog {
    socket: UdpSocket,
    read_ahead: VecDeque<String>,
}

impl Syslog {
    pub fn bind() -> Syslog {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        Syslog { socket, read_ahead: VecDeque::new() }
    }

    pub fn port(&self) -> u16 {
        self.socket.local_addr().expect("bound").port()
    }

    /// The next line as sent, or None when none comes within `within`.
    pub fn line(&mut self, within: Duration) -> Option<String> {
        if let Some(line) = self.read_ahead.pop_front() {
            return Some(line);
        }
        let mut datagram = vec![0; 65536];
        self.socket.set_read_timeout(Some(within.max(Duration::from_millis(1)))).expect("a read timeout");
        let got = self.socket.recv(&mut datagram).ok()?;
        Some(String::from_utf8_lossy(&datagram[..got]).trim_end().to_owned())
    }

    /// The next line that `wanted` accepts; others before it are dropped.
    pub fn line_where(&mut self, within: Duration, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let deadline = Instant::now() + within;
        loop {
            let line = self.line(deadline.saturating_duration_since(Instant::now()))?;
            if wanted(&line) {
                return Some(line);
            }
        }
    }
}
