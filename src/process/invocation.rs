//! What the command line asked for, as plain data; it wins over the configuration.

use std::path::PathBuf;

use super::bond::Bond;
use super::dumps::Dumps;
use super::predecessors::Predecessors;

/// The options of one start (management manual, section 3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// `-f` and what follows `--`, in order: files and directories.
    pub files: Vec<PathBuf>,
    /// `-c`: check and exit.
    pub check: bool,
    /// `-V`.
    pub verbose: bool,
    /// `-q`.
    pub quiet: bool,
    /// `-D`.
    pub daemon: bool,
    /// `-db` or `-d`: stay in the foreground whatever `-D` and `daemon` say.
    pub foreground: bool,
    /// `-d`: Pronk's own diagnostics at debug level.
    pub debug: bool,
    /// `-p`.
    pub pidfile: Option<PathBuf>,
    /// `-n`.
    pub maxconn: Option<u32>,
    /// `-N`.
    pub proxy_maxconn: Option<u32>,
    /// `-C`.
    pub directory: Option<PathBuf>,
    /// `-L`.
    pub local_peer: Option<String>,
    /// `-m`, megabytes.
    pub memory_mb: Option<u64>,
    /// `-dD`.
    pub diagnostics: bool,
    /// `-dW`.
    pub zero_warning: bool,
    /// `-dr`.
    pub skip_unresolved: bool,
    /// `-dS`.
    pub no_splice: bool,
    /// `-dR`.
    pub no_reuseport: bool,
    /// `-4`.
    pub ipv4_first: bool,
    /// `-dK`, `-dC`, `-dL`, `-dc`.
    pub dumps: Dumps,
    /// `-W` or `-Ws`.
    pub master: bool,
    /// `-Ws`: systemd is told, and nothing goes to the background.
    pub systemd: bool,
    /// `-S`, as given.
    pub master_sockets: Vec<String>,
    /// `-sf` or `-st`.
    pub predecessors: Predecessors,
    /// `-x`: the stats socket of the process whose listening sockets are taken over.
    pub take_over: Option<PathBuf>,
}

impl Invocation {
    /// What of it a worker follows: the pid file is the master's, and only the first worker replaces other
    /// processes. The working directory is inherited.
    pub(super) fn of_worker(&self, bond: &Bond) -> Invocation {
        let mut own = Invocation { pidfile: None, ..self.clone() };
        if !bond.is_first {
            own.predecessors = Predecessors::default();
            own.take_over = None;
        }
        own
    }
}
