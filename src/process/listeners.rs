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
                Some(row) if row.listens => count += u32::from(row.local == address),
                // Listening sockets come first, and there may be a million others.
                _ => break,
            }
        }
        Ok(count)
    }

    /// The process whose listening socket is in the way of this address, as far as this user may know it.
    pub fn occupant(&self, address: SocketAddr) -> Option<Occupant> {
        let inode = [Some(&self.v4), self.v6.as_ref()].into_iter().flatten().find_map(|mut table| {
            table.rewind().ok()?;
            let rows =
                BufReader::new(table).lines().skip(1).map_while(Result::ok).map_while(|line| row(&line));
            let mut listening = rows.take_while(|row| row.listens);
            listening.find(|row| collide(row.local, address)).map(|row| row.inode)
        })?;
        let link = format!("socket:[{inode}]");
        let mut pids: Vec<u32> = std::fs::read_dir("/proc")
            .ok()?
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        // A process comes before those it has forked, but for a wrap of the numbers.
        pids.sort_unstable();
        let holds = |pid: &u32| {
            let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            descriptors
                .filter_map(|entry| std::fs::read_link(entry.path()).ok())
                .any(|to| to.as_os_str() == link.as_str())
        };
        let pid = pids.into_iter().find(holds)?;
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim_end().to_owned();
        Some(Occupant { pid, name })
    }
}

/// Who listens on an address.
#[derive(Debug, PartialEq, Eq)]
pub struct Occupant {
    /// Its number.
    pub pid: u32,
    /// Its name, as `ps -o comm` shows it.
    pub name: String,
}

/// Whether nobody can listen on `wanted` beside `taken`.
fn collide(taken: SocketAddr, wanted: SocketAddr) -> bool {
    let any = taken.ip().is_unspecified() || wanted.ip().is_unspecified();
    taken.port() == wanted.port() && (any || taken.ip() == wanted.ip())
}

/// A socket as the table shows it.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    local: SocketAddr,
    listens: bool,
    inode: u64,
}

fn row(line: &str) -> Option<Row> {
    const LISTEN: &str = "0A";
    let mut fields = line.split_whitespace().skip(1);
    let (address, port) = fields.next()?.split_once(':')?;
    let state = fields.nth(1)?;
    let inode = fields.nth(5)?.parse().ok()?;
    let local = SocketAddr::new(ip(address)?, u16::from_str_radix(port, 16).ok()?);
    Some(Row { local, listens: state == LISTEN, inode })
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
    fn who_is_in_the_way_is_named() {
        let tables = Tables::open().expect("/proc");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
        let mut address = listener.local_addr().expect("bound");
        let pid = std::process::id();
        assert_eq!(tables.occupant(address).map(|occupant| occupant.pid), Some(pid));
        address.set_ip([0, 0, 0, 0].into());
        assert_eq!(
            tables.occupant(address).map(|occupant| occupant.pid),
            Some(pid),
            "one address is in the way of all"
        );
        address.set_ip([127, 0, 0, 2].into());
        assert_eq!(tables.occupant(address), None);
    }

    #[test]
    fn rows_are_understood() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 7 1";
        let local = ([127, 0, 0, 1], 8080).into();
        assert_eq!(row(line), Some(Row { local, listens: true, inode: 7 }));
        assert!(row("nonsense").is_none() && row("").is_none());
    }
}
