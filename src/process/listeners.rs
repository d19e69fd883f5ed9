//! How many sockets of the machine listen on an address, whichever process they belong to.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The kernel's tables of TCP sockets (proc(5)), opened before chroot hides them.
#[derive(Debug)]
pub struct Tables {
    v4: File,
    v6: Option<File>,
}

impl Tables {
    /// Opens both; a machine without IPv6 has one.
    pub fn open() -> io::Result<Tables> {
        Ok(Tables { v4: File::open("/proc/self/net/tcp")?, v6: File::open("/proc/self/net/tcp6").ok() })
    }

    /// The number of sockets that listen on exactly this address.
    pub fn count(&self, address: SocketAddr) -> io::Result<u32> {
        let Some(table) = (if address.is_ipv4() { Some(&self.v4) } else { self.v6.as_ref() }) else {
            return Ok(0);
        };
        let mut table = table;
        table.rewind()?;
        let mut count = 0;
        for line in BufReader::new(table).lines().skip(1) {
            match row(&line?) {
                Some((local, true)) => count += u32::from(local == address),
                // Listening sockets come first, and there may be a million others.
                _ => break,
            }
        }
        Ok(count)
    }
}

/// The local address of a row, and whether it listens.
fn row(line: &str) -> Option<(SocketAddr, bool)> {
    const LISTEN: &str = "0A";
    let mut fields = line.split_whitespace().skip(1);
    let (address, port) = fields.next()?.split_once(':')?;
    let state = fields.nth(1)?;
    let local = SocketAddr::new(ip(address)?, u16::from_str_radix(port, 16).ok()?);
    Some((local, state == LISTEN))
}

/// Words of 32 bits as the machine holds them, in hexadecimal.
fn ip(text: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(text.get(8 * at..8 * at + 8)?, 16).ok().map(u32::to_ne_bytes);
    if text.len() == 8 {
        return word(0).map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes)));
    }
    let mut bytes = [0; 16];
    for (at, part) in bytes.chunks_exact_mut(4).enumerate() {
        part.copy_from_slice(&word(at)?);
    }
    Some(IpAddr::V6(Ipv6Addr::from(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn only_listening_sockets_of_the_address_count() {
        let tables = Tables::open().expect("/proc");
        for ip in ["127.0.0.1", "::1"] {
            let Ok(listener) = TcpListener::bind((ip, 0)) else { continue };
            let address = listener.local_addr().expect("bound");
            let _client = TcpStream::connect(address).expect("connected");
            assert_eq!(tables.count(address).expect("read"), 1);
            drop(listener);
            assert_eq!(tables.count(address).expect("read"), 0);
        }
    }

    #[test]
    fn rows_are_understood() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 1 1";
        assert_eq!(row(line), Some((([127, 0, 0, 1], 8080).into(), true)));
        assert!(row("nonsense").is_none() && row("").is_none());
    }
}
