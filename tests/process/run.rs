//! Running the program to its end, and talking to a running one.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::support::port::Port;
use crate::support::proxy::{Program, Proxy};
pub use crate::support::stats::ask;
use crate::support::{PATIENCE, wait_for};

/// What a finished run left.
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// The exit status, -1 when a signal ended it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    /// Lines of standard error with the pid replaced by P.
    pub fn messages(&self) -> Vec<String> {
        self.stderr.lines().map(without_pid).collect()
    }
}

/// `[ALERT]    (123) : text` with P for the number.
pub fn without_pid(line: &str) -> String {
    let Some((level, rest)) = line.split_once(" (") else { return line.to_owned() };
    match rest.split_once(") : ") {
        Some((pid, text)) if pid.parse::<u32>().is_ok() => format!("{level} (P) : {text}"),
        _ => line.to_owned(),
    }
}

/// Runs `program` until it ends; kills it when that takes too long.
pub fn finish<S: AsRef<OsStr>>(program: &Program, arguments: impl IntoIterator<Item = S>) -> Finished {
    let mut command = Command::new(program.path());
    command.args(arguments);
    end(command)
}

/// Runs a prepared command until it ends.
pub fn end(mut command: Command) -> Finished {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str| fs::File::create(directory.path().join(name)).expect("a file");
    command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
    let mut guard = Killed(command.spawn().expect("the program starts"));
    let status = wait_for(PATIENCE, || guard.0.try_wait().expect("a child can be waited for"));
    let text = |name: &str| fs::read_to_string(directory.path().join(name)).expect("readable");
    let (stdout, stderr) = (text("out"), text("err"));
    let Some(status) = status else { panic!("still running:\n{stderr}") };
    Finished { status, stdout, stderr }
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Both fail only when the process is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Pronk.
pub fn pronk<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Finished {
    finish(&Program::Pronk, arguments)
}

/// A configuration file in a directory of its own.
pub struct Written {
    pub directory: tempfile::TempDir,
    pub file: PathBuf,
}

pub fn written(config: &str) -> Written {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("h.cfg");
    fs::write(&file, config).expect("written");
    Written { directory, file }
}

/// Timeouts, so that no warning is due.
pub const DEFAULTS: &str =
    "defaults\n  mode tcp\n  timeout connect 1s\n  timeout client 10s\n  timeout server 10s\n";

/// Pronk in the foreground with a stats socket `s.sock` in its directory, ready to answer.
pub struct Running {
    pub proxy: Proxy,
}

impl Running {
    /// `global` and `sections` are put into the configuration; ready when the stats socket answers.
    pub fn start(global: &str, sections: &str) -> Running {
        Running::start_with(global, sections, &["-db"])
    }

    pub fn start_with(global: &str, sections: &str, arguments: &[&str]) -> Running {
        let config =
            format!("global\n  stats socket unix@s.sock level admin\n{global}\n{DEFAULTS}\n{sections}\n");
        let mut running = Running { proxy: Proxy::spawn(&Program::Pronk, &config, arguments) };
        let ready = wait_for(PATIENCE, || {
            if let Some(status) = running.proxy.exit_status() {
                panic!("ended with {status}:\n{}", running.proxy.stderr());
            }
            let answer = ask(&running.socket(), "show version\n").ok()?;
            (!answer.is_empty()).then_some(())
        });
        ready.unwrap_or_else(|| panic!("no answer on the stats socket:\n{}", running.proxy.stderr()));
        running
    }

    pub fn socket(&self) -> PathBuf {
        self.proxy.directory().join("s.sock")
    }

    /// The answer to one line.
    pub fn ask(&self, line: &str) -> String {
        ask(&self.socket(), &format!("{line}\n")).expect("an answer")
    }

    /// Lines of standard error so far, with P for the pid.
    pub fn messages(&self) -> Vec<String> {
        self.proxy.stderr().lines().map(without_pid).collect()
    }
}

/// One HTTP request on a connection of its own.
pub fn http(port: &Port, request: &str) -> String {
    let mut stream = TcpStream::connect(port.address()).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}
