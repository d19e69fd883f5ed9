//! Signs that processes of one machine leave for each other: names in the abstract Unix namespace, which vanish
//! with their process, need no file and are seen from inside a chroot.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// What a process says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It still accepts connections or answers on its stats sockets.
    Listening,
    /// Its predecessor has not left yet: who replaces it in turn waits, since two departures at once would mix
    /// the places of listening sockets.
    Settling,
}

/// A sign, until it is dropped.
#[derive(Debug)]
pub struct Mark {
    _socket: UnixDatagram,
}

impl Mark {
    /// Sets a sign for this process.
    pub fn set(sign: Sign) -> io::Result<Mark> {
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        Ok(Mark { _socket: UnixDatagram::bind_addr(&name(sign, own)?)? })
    }
}

/// Whether that process has set the sign.
pub fn is_set(sign: Sign, pid: i32) -> bool {
    let reach = || UnixDatagram::unbound()?.connect_addr(&name(sign, pid)?);
    reach().is_ok()
}

fn name(sign: Sign, pid: i32) -> io::Result<SocketAddr> {
    let sign = match sign {
        Sign::Listening => "listening",
        Sign::Settling => "settling",
    };
    SocketAddr::from_abstract_name(format!("pronk/{pid}/{sign}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_is_seen_until_it_is_dropped() {
        let own = i32::try_from(std::process::id()).expect("a pid");
        assert!(!is_set(Sign::Settling, own));
        let mark = Mark::set(Sign::Settling).expect("set");
        assert!(is_set(Sign::Settling, own) && !is_set(Sign::Listening, own));
        drop(mark);
        assert!(!is_set(Sign::Settling, own));
    }
}
