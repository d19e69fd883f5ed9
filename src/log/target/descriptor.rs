//! stdout, stderr and inherited descriptors: pipes, terminals, sockets, files.
//!
//! The open file description is shared with whoever started us, so O_NONBLOCK is never set on it. Instead
//! a pipe or terminal is opened anew through /proc, a socket takes MSG_DONTWAIT, and what can be neither is
//! asked with poll before each write of at most a page, which a pipe that polls writable takes whole.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::net::SendFlags;

/// What a pipe that polls writable takes without blocking: one page (pipe(7)).
const PIPE_PAGE: usize = 4096;

#[derive(Debug)]
enum Output {
    /// Never blocks: a regular file, or our own non-blocking description.
    Ready(File),
    Socket(OwnedFd),
    /// Would block: ask first.
    Shared(File),
}

/// An inherited descriptor as a log target. A line that was written in part is finished before the next one.
#[derive(Debug)]
pub(super) struct DescriptorTarget {
    output: Output,
    /// The unwritten end of one line.
    rest: Vec<u8>,
}

impl DescriptorTarget {
    /// Takes a duplicate of the descriptor to log to.
    pub(super) fn open(descriptor: OwnedFd) -> io::Result<Self> {
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&descriptor)?.st_mode);
        let output = match kind {
            FileType::RegularFile => Output::Ready(descriptor.into()),
            FileType::Socket => Output::Socket(descriptor),
            _ => match reopen(descriptor.as_fd()) {
                Ok(own) => Output::Ready(own.into()),
                Err(_) => Output::Shared(descriptor.into()),
            },
        };
        Ok(DescriptorTarget { output, rest: Vec::new() })
    }

    pub(super) fn send(&mut self, line: &[u8]) -> io::Result<()> {
        self.flush()?;
        let written = self.output.write(line)?;
        self.rest.extend_from_slice(&line[written..]);
        Ok(())
    }

    /// Finishes a line that was written in part.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.rest.is_empty() {
            let written = self.output.write(&self.rest)?;
            self.rest.drain(..written);
        }
        Ok(())
    }

    pub(super) fn buffered(&self) -> u64 {
        u64::from(!self.rest.is_empty())
    }
}

impl Output {
    /// Bytes taken now; WouldBlock when none.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let written = match self {
                Output::Ready(file) => file.write(bytes),
                Output::Socket(socket) => {
                    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                    rustix::net::send(socket, bytes, flags).map_err(Into::into)
                }
                Output::Shared(file) => write_when_ready(file, bytes),
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(interrupted) if interrupted.kind() == io::ErrorKind::Interrupted => {}
                answer => return answer,
            }
        }
    }
}

fn write_when_ready(file: &mut File, bytes: &[u8]) -> io::Result<usize> {
    let mut asked = [PollFd::new(&*file, PollFlags::OUT)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut asked, Some(&at_once))?;
    if !asked[0].revents().intersects(PollFlags::OUT | PollFlags::ERR) {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    file.write(&bytes[..bytes.len().min(PIPE_PAGE)])
}

/// Our own description of the same pipe or terminal, non-blocking without touching the shared one.
fn reopen(descriptor: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::APPEND | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}
