//! Server states and counters of the process before, from the files that the configuration names
//! (configuration manual, `load-server-state-from-file` and `stats-file`), and from that process while it runs.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::strerror;
use crate::config::model::{Config, Proxy, ProxyId, ServerStates};
use crate::health::Remembered;
use crate::stats::file::{self, Fault, Kept};
use crate::table::saved::{self, Corrupt, Row};

/// How long the process before may take for one step.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the files hold of the configured servers, and warnings about files that cannot be used.
#[derive(Debug, Default)]
pub struct States {
    /// In the order of the files; what comes later is newer.
    pub servers: Vec<Remembered>,
    /// What counters begin with.
    pub counters: Vec<Kept>,
    /// In HAProxy's words.
    pub warnings: Vec<String>,
}

/// Reads every file that the configuration names.
pub fn read(config: &Config) -> States {
    let mut states = States::default();
    let global = config.global.server_state_file.as_deref();
    let wanting = |wanted| {
        let proxies = config.proxies().filter(|(_, proxy)| proxy.kind.is_backend() && !proxy.disabled);
        proxies.filter(move |(_, proxy)| proxy.server_states == wanted)
    };
    if global.is_none() {
        let names = wanting(ServerStates::Global).map(|(_, proxy)| &proxy.name);
        states.warnings.extend(names.map(|name| {
            format!(
                "backend '{name}' configured to load server state file from global section 'server-state-file' \
                 directive. Unfortunately, 'server-state-file' is not set!"
            )
        }));
    }
    let shared = global.map_or(Vec::new(), |path| states.global(&placed(config, path)));
    for (id, proxy) in wanting(ServerStates::Global) {
        states.keep(id, proxy, &shared);
    }
    for (id, proxy) in wanting(ServerStates::Local) {
        let name = proxy.server_state_file_name.as_deref().unwrap_or(&proxy.name);
        let rows = states.local(&proxy.name, &placed(config, Path::new(name)));
        states.keep(id, proxy, &rows);
    }
    if let Some(path) = &config.global.stats_file {
        states.count(path);
    }
    states
}

/// A relative name begins at `server-state-base`.
fn placed(config: &Config, path: &Path) -> PathBuf {
    config.global.server_state_base.as_ref().map_or_else(|| path.to_owned(), |base| base.join(path))
}

/// Whether some backend is to begin with the states that its servers had.
pub fn are_wanted(config: &Config) -> bool {
    config.proxies().any(|(_, proxy)| wants(proxy))
}

fn wants(proxy: &Proxy) -> bool {
    proxy.kind.is_backend() && !proxy.disabled && proxy.server_states != ServerStates::None
}

/// What the running process behind a stats connection, Pronk or HAProxy, says of its servers.
///
/// # Errors
/// What the connection says; that it takes too long.
pub fn ask(mut stream: UnixStream) -> io::Result<String> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"show servers state\n")?;
    stream.shutdown(Shutdown::Write)?;
    let mut told = String::new();
    stream.read_to_string(&mut told)?;
    Ok(told)
}

impl States {
    /// Takes what the process before says of its servers, which is newer than any file: for backends whose states
    /// are to be carried.
    pub fn learn(&mut self, config: &Config, told: &str) {
        let Ok(rows) = saved::read(told) else { return };
        for (id, proxy) in config.proxies().filter(|(_, proxy)| wants(proxy)) {
            self.keep(id, proxy, &rows);
        }
    }

    fn global(&mut self, path: &Path) -> Vec<Row> {
        let shown = path.display();
        let warning = match open(path) {
            Ok(rows) => return rows,
            Err(Unusable::Unreadable(why)) => {
                format!("config: Can't open global server state file '{shown}': {why}")
            }
            Err(Unusable::Corrupt(Corrupt::Version)) => {
                format!("config: Can't get version of the global server state file '{shown}'.")
            }
            Err(Unusable::Corrupt(Corrupt::Line(number))) => {
                format!("config: corrupted global server state file '{shown}' at line {number}.")
            }
        };
        self.warnings.push(warning);
        Vec::new()
    }

    fn local(&mut self, proxy: &str, path: &Path) -> Vec<Row> {
        let shown = path.display();
        let warning = match open(path) {
            Ok(rows) => return rows,
            Err(Unusable::Unreadable(why)) => {
                format!("Proxy '{proxy}': Can't open server state file '{shown}': {why}.")
            }
            Err(Unusable::Corrupt(Corrupt::Version)) => {
                format!("Proxy '{proxy}': Can't get version of the server state file '{shown}'.")
            }
            Err(Unusable::Corrupt(Corrupt::Line(number))) => {
                format!("Proxy '{proxy}': corrupted server state file '{shown}' at line {number}.")
            }
        };
        self.warnings.push(warning);
        Vec::new()
    }

    fn count(&mut self, path: &Path) {
        let shown = path.display();
        let Ok(text) = fs::read(path) else {
            return self.warnings.push(format!("config: Can't load stats-file '{shown}': cannot open file."));
        };
        let (kept, faults) = file::read(&String::from_utf8_lossy(&text));
        self.counters = kept;
        self.warnings.extend(faults.into_iter().map(|fault| match fault {
            Fault::Format => format!("config: Invalid stats-file format in file '{shown}'."),
            Fault::Header(number) => {
                format!("config: Ignored stats-file header line '{number}' in file '{shown}'.")
            }
            Fault::Line(number) => format!("config: Ignored stats-file line {number} in file '{shown}'."),
        }));
    }

    /// Rows about servers that are no more are left out, as in HAProxy. Of two about a server the later one counts.
    fn keep(&mut self, id: ProxyId, proxy: &Proxy, rows: &[Row]) {
        for row in rows.iter().filter(|row| row.is_of(proxy)) {
            let known = (0..).zip(&proxy.servers).find(|(_, server)| row.is_about(server));
            let Some((at, _)) = known else { continue };
            self.servers.retain(|(of, server, _)| (*of, *server) != (id, at));
            self.servers.push((id, at, row.clone()));
        }
    }
}

enum Unusable {
    Unreadable(String),
    Corrupt(Corrupt),
}

fn open(path: &Path) -> Result<Vec<Row>, Unusable> {
    let text = fs::read(path).map_err(|error| Unusable::Unreadable(strerror(&error)))?;
    saved::read(&String::from_utf8_lossy(&text)).map_err(Unusable::Corrupt)
}
