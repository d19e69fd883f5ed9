//! Descriptors through a Unix socket (unix(7), SCM_RIGHTS).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

/// Descriptors that one message may carry (SCM_MAX_FD).
pub const MOST: usize = 253;

/// A connected pair of Unix stream sockets, both closed on exec.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    Ok(socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
}

/// Sends bytes, at least one, with descriptors, at most [`MOST`]: the number of bytes sent.
///
/// # Errors
/// What sendmsg(2) says: EPIPE when the peer is gone, EAGAIN when a non-blocking socket is full.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    Ok(sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
}

/// Receives bytes, 0 at the end, and the descriptors that came with them, closed on exec.
///
/// # Errors
/// What recvmsg(2) says.
pub fn receive(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let answer = recvmsg(socket, &mut [IoSliceMut::new(bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    Ok((answer.bytes, descriptors))
}

/// Waits until the socket can be read, or its peer is gone. TimedOut after `patience`.
pub fn await_readable(socket: impl AsFd, patience: Duration) -> io::Result<()> {
    await_event(socket, PollFlags::IN, patience)
}

/// Waits until the socket can be written. TimedOut after `patience`.
pub fn await_writable(socket: impl AsFd, patience: Duration) -> io::Result<()> {
    await_event(socket, PollFlags::OUT, patience)
}

/// Whether something can be read without waiting: on a listening socket, whether a connection is queued.
pub fn is_readable(socket: impl AsFd) -> bool {
    await_event(socket, PollFlags::IN, Duration::ZERO).is_ok()
}

fn await_event(socket: impl AsFd, event: PollFlags, patience: Duration) -> io::Result<()> {
    let deadline = std::time::Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        let left = Timespec::try_from(left).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        match poll(&mut [PollFd::new(&socket, event)], Some(&left)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_descriptor_arrives_as_a_copy_of_its_own() {
        let (here, there) = pair().expect("a pair");
        let (mut near, far) = UnixStream::pair().expect("a pair");
        assert_eq!(send(here.as_fd(), b"x", &[far.as_fd()]).expect("sent"), 1);
        drop(far);
        assert!(is_readable(&there));
        let mut byte = [0; 8];
        let (length, mut descriptors) = receive(there.as_fd(), &mut byte).expect("received");
        assert_eq!((length, descriptors.len()), (1, 1));
        let mut arrived = UnixStream::from(descriptors.remove(0));
        arrived.write_all(b"hello").expect("written");
        drop(arrived);
        let mut text = String::new();
        near.read_to_string(&mut text).expect("read");
        assert_eq!(text, "hello");
    }

    #[test]
    fn waiting_has_an_end() {
        let (here, there) = pair().expect("a pair");
        let error = await_readable(&here, Duration::from_millis(5)).expect_err("nothing comes");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        await_writable(&here, Duration::from_secs(5)).expect("there is room");
        drop(there);
        await_readable(&here, Duration::from_secs(5)).expect("an end can be read");
        assert_eq!(receive(here.as_fd(), &mut [0; 8]).expect("the end").0, 0);
    }
}
