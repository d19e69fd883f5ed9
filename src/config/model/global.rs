//! The `global` section.

use std::path::PathBuf;

use super::{LogTargetId, StatsSocket};

/// The `global` section (configuration manual, section 3).
#[derive(Clone, Debug)]
pub struct Global {
    /// `maxconn`; None: computed from RLIMIT_NOFILE at start.
    pub maxconn: Option<u32>,
    /// `maxconnrate`, connections per second; None: no limit.
    pub maxconnrate: Option<u32>,
    /// `maxsessrate`, sessions per second; None: no limit.
    pub maxsessrate: Option<u32>,
    /// `nbthread`; None: one worker for each core this process may use.
    pub nbthread: Option<u16>,
    /// `cpu-map`: for worker N (0-based) the CPUs it may run on; empty: pinned in order.
    pub cpu_map: Vec<Vec<u16>>,
    /// `daemon` or `-D`.
    pub daemon: bool,
    /// `master-worker`.
    pub master_worker: bool,
    /// `master-worker no-exit-on-failure`: a crashed worker does not end the master.
    pub no_exit_on_failure: bool,
    /// `mworker-max-reloads`: reloads that a worker survives; None: any number.
    pub max_reloads: Option<u32>,
    /// `quiet` or `-q`.
    pub quiet: bool,
    /// `zero-warning` or `-dW`.
    pub zero_warning: bool,
    /// `pidfile` or `-p`.
    pub pidfile: Option<PathBuf>,
    /// `chroot`.
    pub chroot: Option<PathBuf>,
    /// `user` or `uid`.
    pub uid: Option<u32>,
    /// `group` or `gid`.
    pub gid: Option<u32>,
    /// `ulimit-n`.
    pub ulimit_n: Option<u64>,
    /// `fd-hard-limit`.
    pub fd_hard_limit: Option<u64>,
    /// `no strict-limits` clears it.
    pub strict_limits: bool,
    /// `node`.
    pub node: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `log` lines of `global`: what `log global` copies and process messages use.
    pub logs: Vec<LogTargetId>,
    /// `log-tag`, default `haproxy`.
    pub log_tag: String,
    /// `log-send-hostname`: None: not sent; Some(None): the machine's name.
    pub log_send_hostname: Option<Option<String>>,
    /// `stats socket` lines.
    pub stats_sockets: Vec<StatsSocket>,
    /// `stats timeout`, default 10 s, never 0.
    pub stats_timeout_ms: u32,
    /// `stats maxconn`, default 10.
    pub stats_maxconn: u32,
    /// `server-state-file`.
    pub server_state_file: Option<PathBuf>,
    /// `server-state-base`: where relative names of state files begin.
    pub server_state_base: Option<PathBuf>,
    /// `stats-file`.
    pub stats_file: Option<PathBuf>,
    /// `hard-stop-after`.
    pub hard_stop_after_ms: Option<u32>,
    /// `spread-checks`, percent 0 to 50.
    pub spread_checks_percent: u8,
    /// `max-spread-checks`.
    pub max_spread_checks_ms: Option<u32>,
    /// `session-hand-over`: a live upgrade moves sessions to the successor.
    pub session_hand_over: bool,
    /// `tune.*` that this proxy honours.
    pub tune: Tune,
}

impl Default for Global {
    fn default() -> Self {
        Global {
            maxconn: None,
            maxconnrate: None,
            maxsessrate: None,
            nbthread: None,
            cpu_map: Vec::new(),
            daemon: false,
            master_worker: false,
            no_exit_on_failure: false,
            max_reloads: None,
            quiet: false,
            zero_warning: false,
            pidfile: None,
            chroot: None,
            uid: None,
            gid: None,
            ulimit_n: None,
            fd_hard_limit: None,
            strict_limits: true,
            node: None,
            description: None,
            logs: Vec::new(),
            log_tag: "haproxy".to_owned(),
            log_send_hostname: None,
            stats_sockets: Vec::new(),
            stats_timeout_ms: 10_000,
            stats_maxconn: 10,
            server_state_file: None,
            server_state_base: None,
            stats_file: None,
            hard_stop_after_ms: None,
            spread_checks_percent: 0,
            max_spread_checks_ms: None,
            session_hand_over: true,
            tune: Tune::default(),
        }
    }
}

/// How long a worker looks for work before it sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusySpin {
    /// It finds out by itself.
    WhenItPays,
    /// So many microseconds.
    Us(u32),
}

/// The honoured `tune.*` settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tune {
    /// `tune.bufsize`, bytes; also the size of one receive buffer.
    pub bufsize: u32,
    /// `tune.pipesize`, bytes; None: 256 KiB.
    pub pipesize: Option<u32>,
    /// `maxpipes`; None: derived from maxconn.
    pub maxpipes: Option<u32>,
    /// `nosplice` in global, or `-dS`: never leave the copying phase.
    pub splice: bool,
    /// `tune.busy-spin`, Pronk's own: how long a worker looks for work before it sleeps.
    pub busy_spin: BusySpin,
    /// `tune.napi-busy-poll`, Pronk's own: how long a worker polls network cards before it waits, microseconds.
    pub napi_busy_poll_us: Option<u32>,
    /// `tune.incoming-cpu`, Pronk's own: a worker accepts what arrives on its CPU.
    pub incoming_cpu: bool,
    /// `tune.huge-pages`, Pronk's own: receive buffers in pages of 2 MiB.
    pub huge_pages: bool,
    /// `tune.send-zc`, Pronk's own: bytes from which a send is a zero-copy one.
    pub send_zc: Option<u32>,
    /// `busy-polling`: workers never sleep.
    pub busy_polling: bool,
    /// `noreuseport` in global, or `-dR`: one listening socket per address, shared by the workers.
    pub reuseport: bool,
    /// `tune.rcvbuf.client`, bytes.
    pub rcvbuf_client: Option<u32>,
    /// `tune.rcvbuf.server`, bytes.
    pub rcvbuf_server: Option<u32>,
    /// `tune.sndbuf.client`, bytes.
    pub sndbuf_client: Option<u32>,
    /// `tune.sndbuf.server`, bytes.
    pub sndbuf_server: Option<u32>,
}

impl Default for Tune {
    fn default() -> Self {
        Tune {
            bufsize: 16_384,
            pipesize: None,
            maxpipes: None,
            splice: true,
            busy_spin: BusySpin::WhenItPays,
            napi_busy_poll_us: None,
            incoming_cpu: false,
            huge_pages: false,
            send_zc: None,
            busy_polling: false,
            reuseport: true,
            rcvbuf_client: None,
            rcvbuf_server: None,
            sndbuf_client: None,
            sndbuf_server: None,
        }
    }
}
