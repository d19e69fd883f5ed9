//! The demonstration's queries: through impala-shell when there is one, else through the own client.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::client::Client;
use super::options::Which;

/// Statements in turn; each runs in a session of its own.
const STATEMENTS: [&str; 4] = ["select pid()", "select version()", "select gen(1000)", "select sleep(20)"];
/// Asked in the same session: who served it.
const WHO: &str = "select coordinator()";
const TIMEOUT: Duration = Duration::from_secs(30);

/// One query that was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) statement: &'static str,
    pub(super) coordinator: String,
    pub(super) time: Duration,
}

/// What sends them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    ImpalaShell(PathBuf),
    Own,
}

impl Sender {
    /// The error says what is missing.
    pub(super) fn choose(which: Which) -> Result<Sender, String> {
        match (which, on_path("impala-shell")) {
            (Which::Auto | Which::ImpalaShell, Some(path)) => Ok(Sender::ImpalaShell(path)),
            (Which::ImpalaShell, None) => {
                Err("impala-shell is not on PATH (pip install impala-shell; --client own does without)"
                    .to_owned())
            }
            _ => Ok(Sender::Own),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Sender::ImpalaShell(_) => "impala-shell",
            Sender::Own => "the built-in HiveServer2 client",
        }
    }

    /// Query number `number` in a new session at `gateway`.
    pub(super) fn query(&self, number: u32, gateway: SocketAddr) -> Result<Answer, String> {
        let statement = STATEMENTS[number as usize % STATEMENTS.len()];
        let began = Instant::now();
        let coordinator = match self {
            Sender::Own => ask(gateway, statement)?,
            Sender::ImpalaShell(path) => ask_impala_shell(path, gateway, statement)?,
        };
        Ok(Answer { statement, coordinator, time: began.elapsed() })
    }
}

fn ask(gateway: SocketAddr, statement: &str) -> Result<String, String> {
    let run = || {
        let mut client = Client::open(gateway, "demo", TIMEOUT)?;
        client.query(statement)?;
        let rows = client.query(WHO)?;
        client.close()?;
        Ok(rows)
    };
    let rows = run().map_err(|error: super::client::ClientError| format!("{statement}: {error}"))?;
    let first = rows.into_iter().flatten().next();
    first.ok_or_else(|| format!("{statement}: the coordinator did not say who it is"))
}

fn ask_impala_shell(shell: &Path, gateway: SocketAddr, statement: &str) -> Result<String, String> {
    let output = Command::new(shell)
        .args(["--protocol=hs2", "-B", "--quiet", "-i"])
        .arg(gateway.to_string())
        .args(["--client_connect_timeout_ms=30000", "-q"])
        .arg(format!("{statement}; {WHO}"))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", shell.display()))?;
    let last = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().last().unwrap_or_default().to_owned();
    if output.status.success() {
        return Ok(last(&output.stdout));
    }
    Err(format!("impala-shell failed with {}: {}", output.status, last(&output.stderr)))
}

fn on_path(program: &str) -> Option<PathBuf> {
    find(program, &std::env::var_os("PATH")?)
}

fn find(program: &str, path: &OsStr) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let runs = |file: &PathBuf| {
        std::fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(path).map(|folder| folder.join(program)).find(runs)
}

#[cfg(test)]
mod tests {
    use super::super::{Options, StandIn};
    use super::*;

    #[test]
    fn an_executable_file_on_the_path_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tool");
        std::fs::write(&file, "").unwrap();
        let path = folder.path().as_os_str();
        assert_eq!(find("tool", path), None);
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(find("tool", path), Some(file));
    }

    #[test]
    fn an_answer_names_its_coordinator() {
        let standin = StandIn::start("c9", Options::default()).unwrap();
        let answer = Sender::Own.query(2, standin.hs2()).unwrap();
        assert_eq!((answer.statement, answer.coordinator.as_str()), ("select gen(1000)", "c9"));
        let gone = standin.hs2();
        standin.stop();
        assert!(Sender::Own.query(0, gone).unwrap_err().starts_with("select pid(): "));
    }
}
