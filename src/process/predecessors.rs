//! `-sf` and `-st`: the processes that this one replaces.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::mark::{self, Sign};
use super::report;

/// How long a process may wait for its turn: longer than a departure takes.
const TURN: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(5);

/// How old processes end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Farewell {
    /// `-sf`: they finish their sessions.
    #[default]
    Finish,
    /// `-st`: at once.
    Terminate,
}

/// The processes to replace, as the command line names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Predecessors {
    /// In order; those that are told already are gone from here.
    pub pids: Vec<i32>,
    /// How they are to end.
    pub farewell: Farewell,
    /// Those that were told.
    pub dismissed: Vec<i32>,
}

impl Predecessors {
    /// SIGTTOU: they release their addresses for now.
    pub fn pause(&mut self) {
        self.tell(Signal::TTOU);
    }

    /// SIGTTIN: they go on as before.
    pub fn resume(&mut self) {
        self.tell(Signal::TTIN);
    }

    /// Everything runs here: they may go.
    pub fn dismiss(&mut self) {
        self.tell(self.farewell.signal());
        self.dismissed.append(&mut self.pids);
    }

    /// Waits until a predecessor's own predecessor has left.
    pub fn await_turn(&self) {
        let deadline = Instant::now() + TURN;
        while self.pids.iter().any(|&pid| mark::is_set(Sign::Settling, pid)) && Instant::now() < deadline {
            thread::sleep(LOOK);
        }
    }

    /// Whether some predecessor still listens.
    pub fn listen(&self) -> bool {
        self.dismissed.iter().any(|&pid| mark::is_set(Sign::Listening, pid))
    }

    /// Tells those whose user this process could not reach any more once it runs as `uid`.
    pub fn dismiss_before_becoming(&mut self, uid: Option<u32>) {
        let Some(uid) = uid else { return };
        let out_of_reach = |&pid: &i32| user_of(pid).is_some_and(|user| user != uid);
        let (now, later) = self.pids.iter().partition(|&pid| out_of_reach(pid));
        self.pids = now;
        self.dismiss();
        self.pids = later;
    }

    /// Those that have ended already are forgotten.
    fn tell(&mut self, signal: Signal) {
        self.pids.retain(|&number| match pid(number) {
            None => false,
            Some(pid) => match kill_process(pid, signal) {
                Ok(()) => true,
                Err(rustix::io::Errno::SRCH) => false,
                Err(error) => {
                    let text = format!("cannot send a signal to the old process {number} ({error}): end it with 'kill' as its user or root.");
                    report::event(report::Severity::Warning, &text);
                    true
                }
            },
        });
    }
}

impl Farewell {
    fn signal(self) -> Signal {
        match self {
            Farewell::Finish => Signal::USR1,
            Farewell::Terminate => Signal::TERM,
        }
    }
}

/// Whether the process exists.
pub fn is_alive(pid: i32) -> bool {
    self::pid(pid).is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// One process: 0 and negative numbers stand for groups of them.
fn pid(number: i32) -> Option<Pid> {
    if number > 0 { Pid::from_raw(number) } else { None }
}

/// The effective user of a process.
fn user_of(pid: i32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_has_ended_is_forgotten() {
        let mut child = std::process::Command::new("true").spawn().expect("it runs");
        let pid = i32::try_from(child.id()).expect("a pid");
        assert_eq!(user_of(pid), Some(rustix::process::geteuid().as_raw()));
        child.wait().expect("it ends");
        let mut gone = Predecessors { pids: vec![pid, -1], farewell: Farewell::Finish, dismissed: vec![] };
        gone.pause();
        assert!(gone.pids.is_empty() && !is_alive(pid));
    }

    #[test]
    fn who_will_be_out_of_reach_is_told_at_once() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("it runs");
        let pid = i32::try_from(child.id()).expect("a pid");
        let mut old = Predecessors { pids: vec![pid], farewell: Farewell::Terminate, dismissed: vec![] };
        old.dismiss_before_becoming(None);
        old.dismiss_before_becoming(Some(rustix::process::geteuid().as_raw()));
        assert_eq!(old.pids, [pid]);
        old.dismiss_before_becoming(Some(4_000_000));
        assert!(old.pids.is_empty());
        assert!(!child.wait().expect("it ends").success());
    }
}
