//! Socket options and calls that no library covers.

use std::io;
use std::mem::size_of;
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

/// TCP_DEFER_ACCEPT: wake the listener at the first byte, as HAProxy's `defer-accept` for one second.
pub(super) fn set_defer_accept(fd: BorrowedFd<'_>) -> io::Result<()> {
    set_option(fd, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, 1)
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
