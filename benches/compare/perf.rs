//! What perf sees of a process: its system calls, counted, which slows them less than strace does, and where its
//! time goes, by sampling.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_setfl, mknodat};

use crate::child::{Guard, find};
use crate::cores::Cores;
use crate::failure::{Attempt, Failure};
use crate::report::account::Account;

/// Its name.
pub const PERF: &str = "perf";

/// What perf gets to answer a command.
const LIMIT: Duration = Duration::from_secs(5);

/// What is looked for in a further round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    Calls,
    Functions,
}

/// The program.
pub struct Perf(PathBuf);

/// A perf that watches from its beginning to its end.
pub struct Watch {
    look: Look,
    program: Perf,
    perf: Guard,
    control: File,
    answers: File,
    result: PathBuf,
}

/// What it saw.
pub enum Seen {
    /// So many system calls.
    Calls(u64),
    /// A line for each function, with its share of the time; and what the time was for.
    Functions(String, Account),
}

impl Perf {
    /// The one of this name, or at this path.
    pub fn find(name: &str) -> Result<Perf, Failure> {
        find(name).map(Perf).ok_or_else(|| Failure::new(format!("{name} is not installed")))
    }

    /// Fails, with the reason, when it can see nothing of that here.
    pub fn check(&self, look: Look) -> Result<(), Failure> {
        let event = look.event();
        let tried = Command::new(&self.0).args(["stat", "-e", event, "--", "true"]).output();
        let output = tried.attempting("perf does not start")?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let why = said.lines().next().unwrap_or("it does not say why");
        Err(Failure::new(format!("perf cannot count {event}: {why}")))
    }

    /// Watches these processes from now on.
    pub fn watch(self, look: Look, pids: &[u32], cores: Cores, folder: &Path) -> Result<Watch, Failure> {
        let (control, commands) = fifo(folder, "perf-control")?;
        let (answers, acknowledged) = fifo(folder, "perf-answers")?;
        let result = folder.join("perf-result");
        let pids = pids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let fifos = format!("--control=fifo:{},{}", commands.display(), acknowledged.display());
        let result_path = result.display().to_string();
        let rest = ["-e", look.event(), "-D", "-1", "-o", &result_path, &fifos, "-p", &pids];
        let arguments: Vec<String> =
            look.arguments().iter().chain(&rest).map(|word| (*word).to_owned()).collect();
        let output = folder.join("perf-output");
        let perf = Guard::spawn("perf", &self.0, &arguments, &[cores.load], cores, output)?;
        let mut watch = Watch { look, program: self, perf, control, answers, result };
        watch.command("enable")?;
        Ok(watch)
    }
}

impl Look {
    fn event(self) -> &'static str {
        match self {
            Look::Calls => "raw_syscalls:sys_enter",
            Look::Functions => "cpu-clock",
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Look::Calls => &["stat", "-x,"],
            Look::Functions => &["record", "-q", "-F", "1999", "-g", "--kernel-callchains"],
        }
    }
}

impl Watch {
    /// What there was.
    pub fn end(mut self) -> Result<Seen, Failure> {
        self.command("disable")?;
        self.perf.interrupt(LIMIT)?;
        match self.look {
            Look::Calls => self.count().map(Seen::Calls),
            Look::Functions => {
                let chains = self.report(&["script", "-F", "comm,tid,ip,sym"])?;
                Ok(Seen::Functions(self.functions()?, Account::read(&chains)))
            }
        }
    }

    fn count(&self) -> Result<u64, Failure> {
        let text = std::fs::read_to_string(&self.result).attempting("reading what perf counted")?;
        let line = text.lines().find(|line| line.contains(self.look.event())).unwrap_or("");
        let count = line.split(',').next().unwrap_or("");
        count.parse().attempting(format!("perf counted '{line}'"))
    }

    fn functions(&self) -> Result<String, Failure> {
        let sorted = ["report", "-q", "--stdio", "--no-children", "-g", "none", "--sort", "dso,symbol"];
        let text = self.report(&[sorted.as_slice(), &["--percent-limit", "0.5"]].concat())?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        Ok(lines.flat_map(|line| [line, "\n"]).collect())
    }

    /// What perf says of what it has sampled.
    fn report(&self, arguments: &[&str]) -> Result<String, Failure> {
        let output = Command::new(&self.program.0).args(arguments).arg("-i").arg(&self.result).output();
        let output = output.attempting("reading what perf sampled")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::new(format!("perf {} failed: {}", arguments[0], said.trim())));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn command(&mut self, word: &str) -> Result<(), Failure> {
        self.control.write_all(format!("{word}\n").as_bytes()).attempting("writing to perf")?;
        let end = Instant::now() + LIMIT;
        let mut answer = Vec::new();
        while !answer.ends_with(b"ack\n") {
            self.perf.check_alive()?;
            let mut bytes = [0; 16];
            match self.answers.read(&mut bytes) {
                Ok(count) => answer.extend(bytes[..count].iter().filter(|byte| **byte != 0)),
                Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) => return Err(error).attempting(format!("waiting for perf to {word}")),
            }
        }
        Ok(())
    }
}

/// A fresh pipe with a name; opened both ways, so that neither side waits for the other.
fn fifo(folder: &Path, name: &str) -> Result<(File, PathBuf), Failure> {
    let path = folder.join(name);
    // One of an earlier run may be there or not.
    let _ = std::fs::remove_file(&path);
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
        .attempting(format!("creating {}", path.display()))?;
    let file = OpenOptions::new().read(true).write(true).open(&path);
    let file = file.attempting(format!("opening {}", path.display()))?;
    fcntl_setfl(&file, OFlags::NONBLOCK).attempting("changing a pipe")?;
    Ok((file, path))
}
