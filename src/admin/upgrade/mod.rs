//! Live upgrade: established sessions go to the successor, over the stats socket and beside `_getsocks`.
//!
//! ```text
//! successor: "_getsessions pronk 1\n"      this process: a batch; the answer; a batch; ... end
//!                                          then, as long as it lives: batches of what can move only now
//! ```
//! One batch is under way at a time. The successor builds its sessions and moves no byte; its answer is the
//! commit. Without an answer this process carries on: before it looks a last time it shuts its reading side, so
//! that an answer is either there or can never come.

pub mod giver;
pub mod wire;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::sys::passing;
use crate::worker::mailbox::{Command, Crew};

use wire::{HEADER, Kind};

/// How long either side may take for one step. Meanwhile the sessions of a batch stand still; a successor that
/// only lacks the processor must not be given up.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// The command.
pub const COMMAND: &str = "_getsessions pronk 1";

/// A message that has arrived.
#[derive(Debug)]
pub struct Message {
    /// What it is about.
    pub kind: Kind,
    /// Its bytes.
    pub body: Vec<u8>,
    /// What came with it.
    pub descriptors: Vec<OwnedFd>,
}

/// Makes every step of the dialogue end within [`PATIENCE`].
///
/// # Errors
/// None for a socket.
pub fn prepare(stream: &UnixStream) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))
}

/// Sends a message with its descriptors. Blocks.
///
/// # Errors
/// EPIPE when the peer is gone, EAGAIN when it reads nothing for [`PATIENCE`].
pub fn send(stream: &UnixStream, kind: Kind, body: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut bytes = wire::header(kind, body.len(), descriptors.len()).to_vec();
    bytes.extend_from_slice(body);
    let mut sent = 0;
    let mut with = descriptors;
    while sent < bytes.len() {
        sent += passing::send(stream.as_fd(), &bytes[sent..], with)?;
        with = &[];
    }
    Ok(())
}

/// The next message; None: the peer has ended between two. Blocks.
///
/// # Errors
/// What recvmsg(2) says, or what is wrong with the message.
pub fn receive(stream: &UnixStream) -> io::Result<Option<Message>> {
    let mut header = [0; HEADER];
    let (first, mut descriptors) = passing::receive(stream.as_fd(), &mut header)?;
    if first == 0 {
        return Ok(None);
    }
    fill(stream, &mut header[first..], &mut descriptors)?;
    let (kind, length, count) = wire::read_header(&header)?;
    let mut body = vec![0; length];
    fill(stream, &mut body, &mut descriptors)?;
    if descriptors.len() != count {
        return Err(wire::Malformed("descriptors were lost on their way: check 'ulimit -n'").into());
    }
    Ok(Some(Message { kind, body, descriptors }))
}

fn fill(stream: &UnixStream, mut bytes: &mut [u8], descriptors: &mut Vec<OwnedFd>) -> io::Result<()> {
    while !bytes.is_empty() {
        let (length, came) = passing::receive(stream.as_fd(), bytes)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        descriptors.extend(came);
        bytes = &mut bytes[length..];
    }
    Ok(())
}

/// Gives workers orders from a thread that may block.
pub struct Foreman {
    crew: Crew,
    runtime: tokio::runtime::Runtime,
}

impl Foreman {
    /// For the calling thread.
    ///
    /// # Errors
    /// EMFILE or ENOMEM.
    pub fn new(crew: Crew) -> io::Result<Foreman> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        Ok(Foreman { crew, runtime })
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.crew.count()
    }

    /// The order, done; None: the worker has ended.
    pub fn order(&self, worker: usize, command: Command) -> Option<Command> {
        self.runtime.block_on(self.crew.order(worker, command))
    }
}
