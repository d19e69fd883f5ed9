//! Programs beside a test: ended with it, and heard line by line with a deadline.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// A command that the kernel ends should this test be killed.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

/// A child that is killed and waited for with its guard.
pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a child says, read by a thread of its own.
pub struct Lines(Receiver<String>);

impl Lines {
    pub fn of(output: impl Read + Send + 'static) -> Lines {
        let (send, lines) = mpsc::channel();
        let read = BufReader::new(output).lines().map_while(Result::ok);
        thread::spawn(move || read.map(|line| send.send(line)).all(|sent| sent.is_ok()));
        Lines(lines)
    }

    /// The next line, or None when the child has ended. Panics when neither happens within `patience`.
    pub fn next(&self, patience: Duration) -> Option<String> {
        match self.0.recv_timeout(patience) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("nothing was said within {patience:?}"),
        }
    }

    /// All lines up to the first that `is_last`; panics when it does not come within `patience`.
    pub fn until(&self, patience: Duration, mut is_last: impl FnMut(&str) -> bool) -> Vec<String> {
        let deadline = Instant::now() + patience;
        let mut seen = Vec::new();
        loop {
            match self.0.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => seen.push(line),
                Err(error) => panic!("{error} after {seen:#?}"),
            }
            if seen.last().is_some_and(|line| is_last(line)) {
                return seen;
            }
        }
    }
}
