//! Socket options and calls that no library covers.

use std::io;
use std::mem::size_of;
use std::net::{Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};

pub(super) fn set_option(fd: BorrowedFd<'_>, level: i32, name: i32, value: i32) -> io::Result<()> {
    let len = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the descriptor is open for the call's duration, and the pointer names `len` readable bytes.
    let rc = unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), len) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// TCP_FASTOPEN with a queue of `backlog`.
pub(super) fn set_fast_open(fd: BorrowedFd<'_>, backlog: i32) -> io::Result<()> {
    set_option(fd, libc::IPPROTO_TCP, libc::TCP_FASTOPEN, backlog)
}

/// TCP_DEFER_ACCEPT: wake the listener at the first byte, or behind so many seconds. HAProxy's `defer-accept` is one.
pub(super) fn set_defer_accept(fd: BorrowedFd<'_>, seconds: i32) -> io::Result<()> {
    set_option(fd, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, seconds)
}

/// IP_BIND_ADDRESS_NO_PORT: a port is chosen at connect, not at bind.
pub(super) fn set_bind_address_no_port(fd: BorrowedFd<'_>) -> io::Result<()> {
    set_option(fd, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)
}

/// Takes at most `len` bytes off a TCP socket's queue without copying them (MSG_TRUNC, tcp(7)). EFAULT from a
/// Unix socket with bytes: it would copy them.
pub(super) fn discard(fd: BorrowedFd<'_>, len: usize) -> io::Result<()> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
    // SAFETY: a null buffer is never written to: a TCP socket copies nothing, others answer EFAULT.
    let rc = unsafe { libc::recv(fd.as_raw_fd(), std::ptr::null_mut(), len, flags) };
    if rc >= 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The address of a peer that has reset the connection: getpeername(2) tells it no more, SO_PEERNAME does, if it
/// is given no more room than the address needs.
pub(super) fn former_peer(fd: BorrowedFd<'_>) -> Option<SocketAddr> {
    let mut name = [0; size_of::<libc::sockaddr_in6>()];
    let six = peer_name(fd, &mut name);
    if !six && !peer_name(fd, &mut name[..size_of::<libc::sockaddr_in>()]) {
        return None;
    }
    let [family, port] = [[name[0], name[1]], [name[2], name[3]]];
    let port = u16::from_be_bytes(port);
    match i32::from(u16::from_ne_bytes(family)) {
        libc::AF_INET6 => {
            let ip: [u8; 16] = name[8..24].try_into().ok()?;
            Some(SocketAddr::new(Ipv6Addr::from(ip).into(), port))
        }
        libc::AF_INET => Some(SocketAddr::from(([name[4], name[5], name[6], name[7]], port))),
        _ => None,
    }
}

fn peer_name(fd: BorrowedFd<'_>, name: &mut [u8]) -> bool {
    let mut len = name.len() as libc::socklen_t;
    let (level, option) = (libc::SOL_SOCKET, libc::SO_PEERNAME);
    let to = name.as_mut_ptr().cast();
    // SAFETY: the descriptor is open for the call's duration, and `to` names `len` writable bytes.
    unsafe { libc::getsockopt(fd.as_raw_fd(), level, option, to, &raw mut len) == 0 }
}
