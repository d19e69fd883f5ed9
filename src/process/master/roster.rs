//! The worker processes of a master, shared by its loop and its consoles.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::rc::Rc;
use std::time::Instant;

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::config::model::CliLevel;
use crate::process::bond::{VARIABLE, letter};
use crate::process::invocation::Invocation;
use crate::process::{steward, version};
use crate::sys::passing;

/// What a worker process is to the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has not said yet that it runs.
    Starting,
    /// It serves.
    Current,
    /// Another one has taken its place.
    Former,
}

/// One worker process.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    /// Where consoles' connections are sent.
    pub channel: Rc<UnixStream>,
    /// What it is.
    pub standing: Standing,
    /// Reloads since it began.
    pub reloads: u32,
    began: Instant,
    version: String,
}

/// What a worker is told of the one before it.
#[derive(Debug, Default)]
pub struct Former {
    /// 0: there is none; -1: none any more, or it cannot be reached.
    pub pid: i32,
    /// To it, for its listening sockets, for its sessions, and for the states of its servers.
    pub connections: [Option<OwnedFd>; 3],
}

/// All of them, and what has happened to them.
#[derive(Debug)]
pub struct Roster {
    /// In the order in which they began.
    pub workers: Vec<Worker>,
    /// Reloads so far.
    pub reloads: u32,
    /// Of these, failed ones since the last that succeeded.
    pub failed: u32,
    /// What was said at the last start.
    pub log: String,
    began: Instant,
}

impl Worker {
    /// Starts this program once more, with the same command line.
    pub fn start(former: &Former, invocation: &Invocation) -> io::Result<Worker> {
        let (ours, theirs) = passing::pair()?;
        let (desk, steward) = passing::pair()?;
        for end in [&theirs, &steward] {
            fcntl_setfd(end, FdFlags::empty())?;
        }
        let mut arguments = std::env::args_os();
        let mut command = Command::new(program()?);
        if let Some(name) = arguments.next() {
            command.arg0(name);
        }
        for connection in former.connections.iter().flatten() {
            fcntl_setfd(connection, FdFlags::empty())?;
        }
        let [sockets, sessions, states] =
            former.connections.each_ref().map(|fd| fd.as_ref().map_or(-1, number));
        let (theirs_number, steward_number) = (number(&theirs), number(&steward));
        let bond = format!("{theirs_number}:{sockets}:{}:{sessions}:{steward_number}:{states}", former.pid);
        let child = command.args(arguments).env(VARIABLE, bond).spawn()?;
        steward::serve(desk, invocation);
        let channel = std::os::unix::net::UnixStream::from(ours);
        channel.set_nonblocking(true)?;
        Ok(Worker {
            child,
            channel: Rc::new(UnixStream::from_std(channel)?),
            standing: Standing::Starting,
            reloads: 0,
            began: Instant::now(),
            version: version::VERSION.to_owned(),
        })
    }

    /// Its pid.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap_or(0)
    }

    /// How it ended; None: it has not.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends a signal. One that has just ended needs none.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid()).filter(|_| self.pid() > 0) {
            let _ = kill_process(pid, signal);
        }
    }
}

/// A console's connection to the worker behind `channel`.
pub async fn connect(channel: &UnixStream, level: CliLevel) -> io::Result<OwnedFd> {
    let (ours, theirs) = passing::pair()?;
    let send = || passing::send(channel.as_fd(), &[letter(level)], &[theirs.as_fd()]);
    channel.async_io(Interest::WRITABLE, send).await?;
    Ok(ours)
}

fn number(descriptor: &OwnedFd) -> i32 {
    std::os::fd::AsRawFd::as_raw_fd(descriptor)
}

/// The program as it is now: a package that was upgraded meanwhile has put another file in its place.
fn program() -> io::Result<PathBuf> {
    const GONE: &str = " (deleted)";
    let path = std::env::current_exe()?;
    let replaced = path.to_str().and_then(|text| text.strip_suffix(GONE)).map(PathBuf::from);
    match replaced.filter(|path| path.exists()) {
        Some(path) => Ok(path),
        None if path.exists() => Ok(path),
        None => Ok(PathBuf::from("/proc/self/exe")),
    }
}

/// A shell's way to tell how a process ended, and HAProxy's word for it.
pub fn code(status: ExitStatus) -> (u8, String) {
    match (status.code(), status.signal()) {
        (Some(code), _) => (u8::try_from(code).unwrap_or(1), "Exit".to_owned()),
        (None, signal) => {
            let signal = signal.unwrap_or(0);
            (128_u8.saturating_add(u8::try_from(signal).unwrap_or(0)), word(signal))
        }
    }
}

fn word(signal: i32) -> String {
    match signal {
        libc::SIGTERM => "Terminated".to_owned(),
        libc::SIGKILL => "Killed".to_owned(),
        libc::SIGSEGV => "Segmentation fault".to_owned(),
        libc::SIGABRT => "Aborted".to_owned(),
        libc::SIGINT => "Interrupt".to_owned(),
        libc::SIGBUS => "Bus error".to_owned(),
        other => format!("Signal {other}"),
    }
}

impl Roster {
    /// Without a worker.
    pub fn new() -> Roster {
        Roster { workers: Vec::new(), reloads: 0, failed: 0, log: String::new(), began: Instant::now() }
    }

    /// The worker that serves.
    pub fn current(&self) -> Option<&Worker> {
        self.workers.iter().find(|worker| worker.standing == Standing::Current)
    }

    /// The worker with that pid.
    pub fn with_pid(&mut self, pid: i32) -> Option<&mut Worker> {
        self.workers.iter_mut().find(|worker| worker.pid() == pid)
    }

    /// `show proc`.
    pub fn table(&self) -> String {
        let line = |cells: [&str; 5]| {
            let [pid, kind, reloads, uptime, version] = cells;
            format!("{pid:<15} {kind:<15} {reloads:<15} {uptime:<15} {version:<15}\n")
        };
        let mut out = line(["#<PID>", "<type>", "<reloads>", "<uptime>", "<version>"]);
        let reloads = format!("{} [failed: {}]", self.reloads, self.failed);
        let pid = std::process::id().to_string();
        out.push_str(&line([&pid, "master", &reloads, &uptime(self.began), version::VERSION]));
        let mut part = |title: &str, former: bool| {
            let mut rows =
                self.workers.iter().filter(|w| (w.standing == Standing::Former) == former).peekable();
            if !former || rows.peek().is_some() {
                out.push_str(&format!("# {title}\n"));
            }
            for worker in rows {
                let (pid, reloads) = (worker.pid().to_string(), worker.reloads.to_string());
                out.push_str(&line([&pid, "worker", &reloads, &uptime(worker.began), &worker.version]));
            }
        };
        part("workers", false);
        part("old workers", true);
        out
    }
}

fn uptime(began: Instant) -> String {
    let seconds = began.elapsed().as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    format!("{days}d{hours:02}h{minutes:02}m{:02}s", seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_haproxys_columns() {
        let table = Roster::new().table();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(
            lines[0].trim_end(),
            "#<PID>          <type>          <reloads>       <uptime>        <version>"
        );
        assert!(lines[1].contains("master          0 [failed: 0]   0d00h00m00s"), "{table}");
        assert_eq!(lines[2..], ["# workers"]);
    }

    #[test]
    fn endings_are_told_as_a_shell_does() {
        assert_eq!(code(ExitStatus::from_raw(0x100)), (1, "Exit".to_owned()));
        assert_eq!(code(ExitStatus::from_raw(15)), (143, "Terminated".to_owned()));
        assert_eq!(code(ExitStatus::from_raw(64)).0, 192);
    }
}
