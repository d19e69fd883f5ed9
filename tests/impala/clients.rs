//! The clients people use, run unchanged from the virtual environment that tests/run-all installs.

use std::io::Write;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::time::Duration;

use crate::support::child::{Killed, Lines, command};

/// Clients have timeouts of their own, of up to 240 s.
const PATIENCE: Duration = Duration::from_secs(300);

/// The environment's `bin`: `PRONK_CLIENTS`, or where tests/run-all puts it.
fn bin() -> PathBuf {
    let cache = || {
        let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache");
        std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("pronk/venv")
    };
    let venv = std::env::var_os("PRONK_CLIENTS").map_or_else(cache, PathBuf::from);
    assert!(
        venv.join("bin/impala-shell").exists(),
        "no clients in {}; tests/run-all installs them",
        venv.display()
    );
    venv.join("bin")
}

/// Where the wheel of pyspark keeps Spark's jars.
pub fn spark_jars() -> PathBuf {
    let find = "import importlib.util as u; s = u.find_spec('pyspark'); print(s.submodule_search_locations[0] if s else '')";
    let output = Command::new(bin().join("python")).args(["-c", find]).output().expect("python runs");
    let package = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(!package.is_empty(), "no pyspark in {}; tests/run-all fetches it", bin().display());
    PathBuf::from(package).join("jars")
}

/// One run of impala-shell; its last line of output, or what it complained about.
fn impala_shell(port: u16, arguments: &[&str], query: &str) -> Result<String, String> {
    let output = Command::new("timeout")
        .arg("60")
        .arg(bin().join("impala-shell"))
        .args(["-i", &format!("127.0.0.1:{port}"), "-B", "-q", query])
        .args(arguments)
        .env("PYTHONWARNINGS", "ignore")
        .stdin(Stdio::null())
        .output()
        .expect("timeout (coreutils) runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true => Ok(text.lines().last().unwrap_or_default().trim().to_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// impala-shell against a HiveServer2 that is not Impala; the name of the server that answered.
pub fn strict_shell(port: u16) -> Result<String, String> {
    let login = ["-l", "--auth_creds_ok_in_clear", "-u", "tester", "--ldap_password_cmd=printf x"];
    let arguments = [&["--protocol=hs2", "--strict_hs2_protocol"], &login[..]].concat();
    impala_shell(
        port,
        &arguments,
        "select java_method('java.lang.System','getProperty','spark.coord.name') c",
    )
}

/// impala-shell against an impalad or its stand-in, over `hs2` or `beeswax`.
pub fn shell(port: u16, protocol: &str, query: &str) -> Result<String, String> {
    impala_shell(port, &[&format!("--protocol={protocol}")], query)
}

/// A process of impyla and PyHive under this test's command.
pub struct Clients {
    input: Option<ChildStdin>,
    output: Lines,
    _child: Killed,
}

impl Clients {
    pub fn start() -> Clients {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/impala/clients.py");
        let mut child = command(bin().join("python"))
            .args(["-W", "ignore", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("setpriv (util-linux) and python run");
        let input = child.stdin.take();
        let output = Lines::of(child.stdout.take().expect("a pipe"));
        Clients { input, output, _child: Killed(child) }
    }

    /// Gives a command and waits for its answer.
    pub fn ask(&mut self, command: &str) -> String {
        self.tell(command);
        self.hear().expect("the clients answer")
    }

    pub fn tell(&mut self, command: &str) {
        let input = self.input.as_mut().expect("input is open");
        writeln!(input, "{command}").expect("the clients listen");
    }

    /// The next answer, or None when the clients have ended.
    pub fn hear(&mut self) -> Option<String> {
        self.output.next(PATIENCE)
    }

    /// Ends a loop: everything it said.
    pub fn finish(mut self) -> Vec<String> {
        drop(self.input.take());
        std::iter::from_fn(|| self.hear()).collect()
    }
}
