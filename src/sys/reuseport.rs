//! Which socket of a SO_REUSEPORT group a new connection goes to (socket(7), SO_ATTACH_REUSEPORT_CBPF).
//!
//! The kernel keeps a group's listening sockets in an array: who listens joins at its end, and when one
//! leaves, the last one takes its place.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Sends every new connection of the socket's group to one of `count` members from index `first` on, at random.
/// An index beyond the group is as no program: the kernel chooses among all.
///
/// # Errors
/// EINVAL for a socket that is in no group, or `count` 0.
pub fn steer(member: BorrowedFd<'_>, first: u32, count: u32) -> io::Result<()> {
    if count == 0 {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    const RANDOM: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_RANDOM) as u32;
    let step = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let mut steps = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, RANDOM),
        step(libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K, count),
        step(libc::BPF_ALU | libc::BPF_ADD | libc::BPF_K, first),
        step(libc::BPF_RET | libc::BPF_A, 0),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    let len = size_of::<libc::sock_fprog>() as libc::socklen_t;
    // SAFETY: the descriptor is open for the call's duration; the kernel reads `len` bytes of `program` and the
    // `program.len` steps it points at, all of which live on this stack frame.
    let code = unsafe {
        libc::setsockopt(
            member.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const program).cast(),
            len,
        )
    };
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes the program of the socket's group away: the kernel spreads connections over all members again.
///
/// # Errors
/// ENOENT when there is none.
pub fn release(member: BorrowedFd<'_>) -> io::Result<()> {
    super::option::set_option(member, libc::SOL_SOCKET, libc::SO_DETACH_REUSEPORT_BPF, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::ListenAddress;
    use crate::sys::socket::{ListenOptions, accept_queued, listen, local_address};
    use std::net::{SocketAddr, TcpStream};
    use std::os::fd::{AsFd, OwnedFd};

    fn member(address: SocketAddr) -> OwnedFd {
        let options = ListenOptions { backlog: 64, reuseport: true, ..ListenOptions::default() };
        listen(&ListenAddress::Tcp(address), &options).expect("a listener")
    }

    /// How many of 24 connections each member was given.
    fn shares(address: SocketAddr, members: &[&OwnedFd]) -> Vec<usize> {
        let clients: Vec<_> = (0..24).map(|_| TcpStream::connect(address).expect("connected")).collect();
        let count = |member: &&OwnedFd| std::iter::from_fn(|| accept_queued(member.as_fd())).count();
        let shares: Vec<usize> = members.iter().map(count).collect();
        assert_eq!(shares.iter().sum::<usize>(), clients.len());
        shares
    }

    #[test]
    fn members_are_counted_in_the_order_in_which_they_joined() {
        let first = member(([127, 0, 0, 1], 0).into());
        let address = local_address(first.as_fd()).expect("bound");
        let (second, third) = (member(address), member(address));
        steer(first.as_fd(), 1, 1).expect("attached");
        assert_eq!(shares(address, &[&first, &second, &third]), [0, 24, 0]);
        steer(third.as_fd(), 1, 2).expect("attached");
        assert_eq!(shares(address, &[&first, &second, &third])[0], 0);
        // The last one takes the place of who leaves, so index 1 is the third now.
        drop(second);
        steer(third.as_fd(), 1, 1).expect("attached");
        assert_eq!(shares(address, &[&first, &third]), [0, 24]);
        // An index that is not there: as if there were no program.
        steer(third.as_fd(), 7, 1).expect("attached");
        let spread = shares(address, &[&first, &third]);
        assert!(spread[0] > 0 && spread[1] > 0, "{spread:?}");
        release(first.as_fd()).expect("released");
        assert!(release(first.as_fd()).is_err());
    }

    #[test]
    fn what_cannot_be_steered_is_refused() {
        let alone = listen(&ListenAddress::Tcp(([127, 0, 0, 1], 0).into()), &ListenOptions::default());
        let alone = alone.expect("a listener");
        assert!(steer(alone.as_fd(), 0, 1).is_err());
        assert!(steer(member(([127, 0, 0, 1], 0).into()).as_fd(), 0, 0).is_err());
    }
}
