//! A proxy under test: Pronk or haproxy with a configuration, ended when the guard goes out of scope.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::child::command;
use super::port::Port;
use super::{PATIENCE, wait_for};

/// Which program reads the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    Pronk,
    Haproxy(PathBuf),
}

impl Program {
    /// The haproxy that is installed, or None.
    pub fn installed_haproxy() -> Option<Program> {
        let candidates = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/usr/bin/haproxy"];
        candidates.iter().map(Path::new).find(|path| path.exists()).map(|path| Program::Haproxy(path.into()))
    }

    /// The executable. `PRONK=/path` tests that one in place of the binary cargo has just built.
    pub fn path(&self) -> PathBuf {
        match self {
            Program::Pronk => std::env::var_os("PRONK").unwrap_or(env!("CARGO_BIN_EXE_pronk").into()).into(),
            Program::Haproxy(path) => path.clone(),
        }
    }
}

/// A running proxy. Dropping it kills the process and waits for it.
pub struct Proxy {
    child: Child,
    directory: TempDir,
}

impl Proxy {
    /// Starts `program` in the foreground with `config` and waits until every port has a listener.
    pub fn start(program: &Program, config: &str, ports: &[&Port]) -> Proxy {
        let mut proxy = Proxy::spawn(program, config, &["-db"]);
        let ready = wait_for(PATIENCE, || {
            let left = proxy.exit_status();
            (left.is_some() || ports.iter().all(|port| port.has_listener())).then_some(left)
        });
        match ready {
            Some(None) => proxy,
            Some(Some(status)) => panic!("{program:?} ended with {status}:\n{}\n{config}", proxy.stderr()),
            None => panic!("{program:?} does not listen:\n{}\n{config}", proxy.stderr()),
        }
    }

    /// Starts `program` and waits for nothing. The kernel ends it should this test be killed.
    pub fn spawn(program: &Program, config: &str, arguments: &[&str]) -> Proxy {
        Proxy::spawn_with(program, config, arguments, &[])
    }

    /// The same with more in its environment.
    pub fn spawn_with(
        program: &Program,
        config: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Proxy {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("haproxy.cfg");
        fs::write(&file, config).expect("the configuration is written");
        let output = |name: &str| File::create(directory.path().join(name)).expect("an output file");
        let child = command(program.path())
            .arg("-f")
            .arg(&file)
            .args(arguments)
            .envs(variables.iter().copied())
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .spawn()
            .expect("setpriv (util-linux) and the proxy start");
        Proxy { child, directory }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.directory.path().join("stderr")).unwrap_or_default())
            .into_owned()
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.directory.path().join("stdout")).unwrap_or_default())
            .into_owned()
    }

    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Sends a signal by name (`USR1`).
    pub fn signal(&self, name: &str) {
        let status =
            Command::new("kill").args(["-s", name, &self.pid().to_string()]).status().expect("kill runs");
        assert!(status.success(), "kill -s {name} {}", self.pid());
    }

    /// Stops every thread of the process, until the signal CONT. The signal alone returns before they stop.
    pub fn stop(&self) {
        self.signal("STOP");
        let stopped = || self.thread_states().iter().all(|state| *state == 'T').then_some(());
        wait_for(PATIENCE, stopped).expect("the process stops");
    }

    /// One letter for each thread, as in /proc.
    fn thread_states(&self) -> Vec<char> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).expect("the process runs");
        let state = |task: fs::DirEntry| {
            let stat = fs::read_to_string(task.path().join("stat")).ok()?;
            stat.rsplit_once(") ")?.1.chars().next()
        };
        tasks.flatten().filter_map(state).collect()
    }

    pub fn wait(&mut self, within: Duration) -> Option<ExitStatus> {
        wait_for(within, || self.exit_status())
    }

    /// Open descriptors, as /proc counts them.
    pub fn open_descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).map(Iterator::count).unwrap_or(0)
    }

    /// Resident memory in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
        line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Both fail only when the process is gone already, which is what they are for.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {}", self.directory.path().join("stderr").display());
            eprintln!("{}", self.stderr());
        }
    }
}
