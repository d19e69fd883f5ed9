//! Commands from the control thread to one worker: a bounded mailbox and an eventfd that its ring watches.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};

use rustix::event::{EventfdFlags, eventfd};

/// Commands that may wait; a worker reads its mailbox in every batch, so more means that it is stuck.
const CAPACITY: usize = 64;

/// What a worker can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Close the listeners, finish the sessions, then return.
    SoftStop,
    /// Return now; sessions are cut.
    HardStop,
}

/// The control thread's end.
#[derive(Clone, Debug)]
pub struct MailboxSender {
    commands: SyncSender<Command>,
    bell: Arc<OwnedFd>,
}

/// The worker's end.
#[derive(Debug)]
pub struct Mailbox {
    commands: Receiver<Command>,
    bell: Arc<OwnedFd>,
}

/// A mailbox and its sender.
///
/// # Errors
/// EMFILE or ENOMEM from eventfd(2).
pub fn mailbox() -> io::Result<(MailboxSender, Mailbox)> {
    let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    let (sender, receiver) = sync_channel(CAPACITY);
    let ours = MailboxSender { commands: sender, bell: Arc::clone(&bell) };
    Ok((ours, Mailbox { commands: receiver, bell }))
}

impl MailboxSender {
    /// Sends a command without waiting; false: the worker is gone or does not read.
    pub fn send(&self, command: Command) -> bool {
        match self.commands.try_send(command) {
            Ok(()) => {
                // A full eventfd counter is readable too: the bell rings either way.
                let _ = rustix::io::write(&*self.bell, &1_u64.to_ne_bytes());
                true
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }
}

impl Mailbox {
    pub(super) fn descriptor(&self) -> RawFd {
        self.bell.as_raw_fd()
    }

    /// Silences the bell; to be called before the commands are read, so that none is missed.
    pub(super) fn silence(&self) {
        let mut count = [0; 8];
        // EAGAIN: the bell was silent already.
        let _ = rustix::io::read(&*self.bell, &mut count);
    }

    /// The next command. A sender that is gone means that the process ends.
    pub(super) fn next(&self) -> Option<Command> {
        match self.commands.try_recv() {
            Ok(command) => Some(command),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Command::HardStop),
        }
    }
}
