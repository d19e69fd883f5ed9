//! `fd@N` and `sockpair@N`: sockets that whoever started this process has made and passed on.
//!
//! He may have them still, and so may who comes after: nothing that ends with this process may be done to them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::error::StartError;
use super::listen::{options, owner, refused};
use crate::config::model::{Config, ListenAddress};
use crate::sys::descriptor::duplicate;
use crate::sys::socket::{ListenOptions, is_pair, listen_again, renew};

/// `fd@N` is bound, and may or may not listen already.
pub fn listener(number: i32, options: &ListenOptions) -> io::Result<OwnedFd> {
    let socket = duplicate(number)?;
    renew(socket.as_fd(), options)?;
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

/// Gives those that are served on what their lines say now: no others are made for that. What the kernel does not give
/// to one of them, it serves on without.
pub fn follow(former: &Config, next: &Config) -> Vec<StartError> {
    let mut failures = Vec::new();
    for (id, bind) in next.binds() {
        let ListenAddress::Fd(number) = bind.address else { continue };
        let wanted = options(next, bind);
        let before = former.binds.get(usize::from(id.0)).filter(|bind| !bind.removed);
        if next.proxies[usize::from(bind.proxy.0)].disabled
            || before.is_none_or(|before| options(former, before) == wanted)
        {
            continue;
        }
        match listener(number, &wanted) {
            // It was given up when its frontend was shut down.
            Err(error) if error.raw_os_error() != Some(libc::ENOTSOCK) => {
                failures.push(refused(&bind.declared_at, &owner(next, bind), &bind.address, error));
            }
            _ => {}
        }
    }
    failures
}
