//! `fd@N` and `sockpair@N`: sockets that whoever started this process has made and passed on.
//!
//! He may have them still, and so may who comes after: nothing that ends with this process may be done to them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use crate::sys::descriptor::duplicate;
use crate::sys::socket::{ListenOptions, is_pair, listen_again, welcome_newcomers};

/// `fd@N` is bound, and may or may not listen already.
pub fn listener(number: i32, options: &ListenOptions) -> io::Result<OwnedFd> {
    let socket = duplicate(number)?;
    welcome_newcomers(socket.as_fd());
    listen_again(socket.as_fd(), options.backlog)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

/// Whoever started this process holds the other end.
pub fn pair(number: i32) -> io::Result<OwnedFd> {
    let socket = duplicate(number)?;
    match is_pair(socket.as_fd())? {
        true => Ok(socket),
        false => Err(io::Error::from_raw_os_error(libc::EPROTOTYPE)),
    }
}
