//! A process that ends with its guard.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::cores::{self, Cores};
use crate::failure::{Attempt, Failure};

const GRACE: Duration = Duration::from_secs(3);

/// A child pinned to a core, its output in a file.
pub struct Guard {
    child: Child,
    name: String,
    output: PathBuf,
}

impl Guard {
    /// Spawns `program` on `own` cores, while this thread stays on the load's core.
    pub fn spawn(
        name: &str,
        program: &Path,
        arguments: &[String],
        own: &[usize],
        cores: Cores,
        output: PathBuf,
    ) -> Result<Guard, Failure> {
        let file = File::create(&output).attempting(format!("creating {}", output.display()))?;
        let errors = file.try_clone().attempting(format!("opening {}", output.display()))?;
        let mut command = with_death_signal(program);
        command.args(arguments).stdin(Stdio::null()).stdout(file).stderr(errors);
        cores::pin(own)?;
        let spawned = command.spawn();
        cores::pin(&[cores.load])?;
        let child = spawned.attempting(format!("starting {}", program.display()))?;
        Ok(Guard { child, name: name.to_owned(), output })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Fails, with what the process said, when it has ended.
    pub fn check_alive(&mut self) -> Result<(), Failure> {
        match self.child.try_wait().attempting(format!("looking after {}", self.name))? {
            None => Ok(()),
            Some(status) => {
                let said = self.last_words();
                Err(Failure::new(format!("{} ended by itself ({status}): {said}", self.name)))
            }
        }
    }

    /// Ends it as Ctrl-C would, and waits for that.
    pub fn interrupt(&mut self, limit: Duration) -> Result<(), Failure> {
        self.signal(Signal::INT);
        if self.ended_within(limit) {
            return Ok(());
        }
        Err(Failure::new(format!("{} did not end within {} s of SIGINT", self.name, limit.as_secs())))
    }

    /// The last lines of its output.
    fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.output).unwrap_or_default();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(4)..];
        if last.is_empty() { "it said nothing".to_owned() } else { last.join(" | ") }
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended in between; then there is nothing to signal.
            let _ = kill_process(pid, signal);
        }
    }

    fn ended_within(&mut self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        while Instant::now() < end {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                Ok(Some(_)) | Err(_) => return true,
            }
        }
        false
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        self.signal(Signal::TERM);
        if !self.ended_within(GRACE) {
            eprintln!("compare: {} did not end within {} s of SIGTERM; killed", self.name, GRACE.as_secs());
            self.signal(Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// A command that also ends when this process is killed, where util-linux's setpriv can arrange it.
fn with_death_signal(program: &Path) -> Command {
    match find("setpriv") {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "TERM", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// A program on the PATH, or in the directories of system programs that it may lack.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|folder| folder.join(name)).find(|file| file.is_file())
}
