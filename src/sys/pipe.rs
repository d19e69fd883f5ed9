//! Kernel pipes and splice(2), the mover of bulk data.
//!
//! Called directly, never through the ring: IORING_OP_SPLICE always hops to a kernel thread. Both ends
//! and both sockets are non-blocking, since SPLICE_F_NONBLOCK alone does not cover the socket.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

/// A kernel buffer between two sockets.
#[derive(Debug)]
pub struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    capacity: usize,
}

impl Pipe {
    /// A new pipe of about `capacity` bytes.
    ///
    /// Unprivileged users share 64 MiB of pipes (`/proc/sys/fs/pipe-user-pages-soft`); beyond it the
    /// kernel refuses to enlarge, and [`Pipe::capacity`] tells the size that was really given.
    ///
    /// # Errors
    /// EMFILE or ENFILE when no descriptor is left.
    pub fn new(capacity: usize) -> io::Result<Pipe> {
        let (read, write) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)?;
        let capacity = fcntl_setpipe_size(&write, capacity)
            .or_else(|_| rustix::pipe::fcntl_getpipe_size(&write))
            .unwrap_or(4096);
        Ok(Pipe { read, write, capacity })
    }

    /// A pipe of two ends that came from elsewhere, to read and to write.
    ///
    /// # Errors
    /// EBADF when they are no pipe.
    pub fn of_ends([read, write]: [OwnedFd; 2]) -> io::Result<Pipe> {
        let capacity = rustix::pipe::fcntl_getpipe_size(&write)?;
        Ok(Pipe { read, write, capacity })
    }

    /// Bytes inside.
    ///
    /// # Errors
    /// None for a pipe.
    pub fn held(&self) -> io::Result<u64> {
        Ok(rustix::io::ioctl_fionread(&self.read)?)
    }

    /// Copies of both ends, to read and to write: the same pipe with the same bytes.
    ///
    /// # Errors
    /// EMFILE when no descriptor is left.
    pub fn copies(&self) -> io::Result<[OwnedFd; 2]> {
        Ok([self.read.try_clone()?, self.write.try_clone()?])
    }

    /// Puts bytes into the pipe: the number it took.
    ///
    /// # Errors
    /// EAGAIN when it is full.
    pub fn put(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(&self.write, bytes)?)
    }

    /// Bytes the pipe was sized for. Its contents may exceed it: the kernel counts pages, not bytes.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Moves at most `len` bytes from a socket into the pipe: the number moved, 0 at end of file.
    ///
    /// # Errors
    /// EAGAIN when the socket is empty (or the pipe full), else the socket's error.
    pub fn fill(&self, socket: impl AsFd, len: usize) -> io::Result<usize> {
        Ok(splice(socket, None, &self.write, None, len, SpliceFlags::NONBLOCK | SpliceFlags::MOVE)?)
    }

    /// Moves at most `len` bytes from the pipe to a socket: the number moved.
    ///
    /// # Errors
    /// EAGAIN when the socket takes no more, else the socket's error.
    pub fn drain(&self, socket: impl AsFd, len: usize) -> io::Result<usize> {
        Ok(splice(&self.read, None, socket, None, len, SpliceFlags::NONBLOCK | SpliceFlags::MOVE)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn bytes_pass_through_and_emptiness_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        far.set_nonblocking(true).unwrap();
        let pipe = Pipe::new(65_536).unwrap();
        assert_eq!(pipe.fill(&far, 100).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        near.write_all(b"query").unwrap();
        far.set_nonblocking(false).unwrap();
        let mut one = [0; 1];
        far.peek(&mut one).unwrap();
        far.set_nonblocking(true).unwrap();
        assert_eq!(pipe.fill(&far, 100).unwrap(), 5);
        assert_eq!(pipe.drain(&far, 5).unwrap(), 5);
        let mut back = [0; 5];
        near.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"query");
        drop(near);
        far.set_nonblocking(false).unwrap();
        assert_eq!(far.read(&mut one).unwrap(), 0);
        assert_eq!(pipe.fill(&far, 100).unwrap(), 0);
    }
}
