//! The worker's end of what connects it with its master: a pair of sockets and a line of environment.
//!
//! ```text
//! worker -> master: "READY <n>\n" or "FAILED <n>\n", then n bytes of what was said at start
//! master -> worker: one byte, the level (a, o, u), with the descriptor of a console's connection
//! ```
//! The end of the master's side ends the worker.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use tokio::io::Interest;

use super::steward::Steward;
use super::takeover::Inheritance;
use super::{report, stderr};
use crate::config::model::CliLevel;
use crate::sys::{daemon, descriptor, passing};

/// `CHANNEL:OLD:PID:SESSIONS:STEWARD:STATES`: descriptors of the channel and of a connection to the worker before (-1:
/// none), that worker's pid (0: none; -1: none any more), one more connection to it, one to the master's steward, and a third one to
/// that worker. A master of an earlier version says less.
pub const VARIABLE: &str = "PRONK_WORKER";

/// The bond of this process.
#[derive(Debug)]
pub struct Bond {
    channel: UnixStream,
    old: Option<OwnedFd>,
    /// Where that worker's sessions come from.
    sessions: Option<OwnedFd>,
    steward: Option<OwnedFd>,
    /// Who tells the states of that worker's servers.
    states: Option<OwnedFd>,
    /// No worker of the master has begun to serve before this one.
    pub is_first: bool,
    /// Where the standard streams go once everything runs.
    null: Option<File>,
}

impl Bond {
    /// What the master has left in the environment; None: this process has no master.
    pub fn find() -> Option<Bond> {
        let text = std::env::var("PRONK_WORKER").ok()?;
        let mut numbers = text.split(':').map(|number| number.parse::<i32>().ok());
        let (channel, old, old_pid) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let mut more = || numbers.next().flatten().and_then(|number| descriptor::duplicate(number).ok());
        Some(Bond {
            channel: UnixStream::from(descriptor::duplicate(channel).ok()?),
            old: descriptor::duplicate(old).ok(),
            sessions: more(),
            steward: more(),
            states: more(),
            is_first: old_pid == 0,
            null: None,
        })
    }

    /// Listening sockets of the worker before this one. One that does not answer is no reason not to start: its
    /// sockets share their addresses.
    pub fn inheritance(&self) -> Inheritance {
        let Some(old) = &self.old else { return Inheritance::default() };
        Inheritance::ask_over(old.as_fd()).unwrap_or_else(|error| {
            report::warning(&format!("the former worker gives no sockets ({error}): new ones are bound."));
            Inheritance::default()
        })
    }

    /// The way to the sessions of the worker before; None: there are none to be had.
    pub fn sessions(&mut self) -> Option<UnixStream> {
        self.sessions.take().map(UnixStream::from)
    }

    /// A stats connection to the worker before; None: there is none to be had.
    pub fn states(&mut self) -> Option<UnixStream> {
        self.states.take().map(UnixStream::from)
    }

    /// Who reads and binds for this process when it has given its rights up; None: a master of an earlier version.
    pub fn steward(&mut self) -> Option<Steward> {
        self.steward.take().map(Steward::new)
    }

    /// The master is in the background: so is this process once it runs. To be called before chroot.
    pub fn will_be_silent(&mut self) -> io::Result<()> {
        self.null = Some(daemon::dev_null()?);
        Ok(())
    }

    /// Whether [`Bond::will_be_silent`] was called.
    pub fn is_to_be_silent(&self) -> bool {
        self.null.is_some()
    }

    /// Everything runs.
    pub fn ready(&mut self) -> io::Result<()> {
        self.say("READY", "")?;
        if let Some(null) = self.null.take() {
            report::silence();
            stderr::finish();
            daemon::silence(&null)?;
        }
        Ok(())
    }

    /// It does not; `why` has not been said yet. A master that has gone needs no answer.
    pub fn failed(&mut self, why: &str) {
        let _ = self.say("FAILED", why);
    }

    fn say(&mut self, word: &str, more: &str) -> io::Result<()> {
        let log = report::startup_log() + more;
        self.channel.write_all(format!("{word} {}\n{log}", log.len()).as_bytes())
    }

    /// Gives every console connection to `serve` until the master is gone.
    pub async fn attend(self, mut serve: impl FnMut(OwnedFd, CliLevel)) -> io::Result<()> {
        self.channel.set_nonblocking(true)?;
        let channel = tokio::net::UnixStream::from_std(self.channel)?;
        loop {
            let mut level = [0];
            let receive = || passing::receive(channel.as_fd(), &mut level);
            let (length, connections) = channel.async_io(Interest::READABLE, receive).await?;
            if length == 0 {
                return Ok(());
            }
            connections.into_iter().for_each(|connection| serve(connection, level_of(level[0])));
        }
    }
}

/// As the master writes it.
pub fn letter(level: CliLevel) -> u8 {
    match level {
        CliLevel::Admin => b'a',
        CliLevel::Operator => b'o',
        CliLevel::User => b'u',
    }
}

fn level_of(letter: u8) -> CliLevel {
    match letter {
        b'a' => CliLevel::Admin,
        b'o' => CliLevel::Operator,
        _ => CliLevel::User,
    }
}
