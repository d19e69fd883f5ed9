//! System calls of a process, counted by perf: what is counted is not slowed as it is under strace.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_setfl, mknodat};

use crate::child::{Guard, find};
use crate::cores::Cores;
use crate::failure::{Attempt, Failure};

const EVENT: &str = "raw_syscalls:sys_enter";
/// What perf gets to answer a command.
const LIMIT: Duration = Duration::from_secs(5);

/// Counts from its beginning to its end.
pub struct Counter {
    perf: Guard,
    control: File,
    answers: File,
    result: PathBuf,
}

/// Why nothing can be counted here; None when it can.
pub fn missing() -> Option<String> {
    let Some(perf) = find("perf") else { return Some("perf is not installed".to_owned()) };
    match Command::new(perf).args(["stat", "-e", EVENT, "--", "true"]).output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Some(format!(
                "perf cannot count {EVENT}: {}",
                said.lines().next().unwrap_or("it does not say why")
            ))
        }
        Err(error) => Some(format!("perf does not start: {error}")),
    }
}

impl Counter {
    /// Counts what these processes call from now on.
    pub fn begin(pids: &[u32], cores: Cores, folder: &Path) -> Result<Counter, Failure> {
        let perf = find("perf").ok_or_else(|| Failure::new("perf is not installed"))?;
        let (control, commands) = fifo(folder, "perf-control")?;
        let (answers, acknowledged) = fifo(folder, "perf-answers")?;
        let result = folder.join("perf-count");
        let pids = pids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let fifos = format!("--control=fifo:{},{}", commands.display(), acknowledged.display());
        let result_path = result.display().to_string();
        let arguments = ["stat", "-x,", "-e", EVENT, "-D", "-1", "-o", &result_path, &fifos, "-p", &pids];
        let output = folder.join("perf-output");
        let perf = Guard::spawn("perf", &perf, &arguments.map(str::to_owned), &[cores.load], cores, output)?;
        let mut counter = Counter { perf, control, answers, result };
        counter.command("enable")?;
        Ok(counter)
    }

    /// How many there were.
    pub fn end(mut self) -> Result<u64, Failure> {
        self.command("disable")?;
        self.perf.interrupt(LIMIT)?;
        let text = std::fs::read_to_string(&self.result).attempting("reading what perf counted")?;
        let line = text.lines().find(|line| line.contains(EVENT)).unwrap_or("");
        let count = line.split(',').next().unwrap_or("");
        count.parse().attempting(format!("perf counted '{line}'"))
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
