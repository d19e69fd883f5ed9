//! frontend, backend and listen sections.

use std::net::SocketAddr;

use crate::rules::{Acl, Condition};

use super::{Balance, BindId, Exporter, HashType, LogTargetId, ProxyId, Server, StatsPage};

/// Which of HAProxy's three sections a proxy came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyKind {
    /// `frontend`: has binds.
    Frontend,
    /// `backend`: has servers.
    Backend,
    /// `listen`: both.
    Listen,
}

impl ProxyKind {
    /// What messages call such a section.
    pub fn word(self) -> &'static str {
        match self {
            ProxyKind::Frontend => "frontend",
            ProxyKind::Backend => "backend",
            ProxyKind::Listen => "proxy",
        }
    }

    /// Whether clients connect to it.
    pub fn is_frontend(self) -> bool {
        self != ProxyKind::Backend
    }

    /// Whether it has servers.
    pub fn is_backend(self) -> bool {
        self != ProxyKind::Frontend
    }
}

/// Where the states that servers had in the process before are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerStates {
    /// Nowhere.
    #[default]
    None,
    /// `server-state-file` of `global`.
    Global,
    /// A file of the backend's own.
    Local,
}

/// `mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Bytes are relayed.
    Tcp,
    /// Served by this process itself: the stats page. Never proxied.
    Http,
}

/// A named defaults section, as the settings of a backend that a command may add.
#[derive(Clone, Debug)]
pub struct Template {
    /// Under the section's name.
    pub settings: Proxy,
    /// Whether the section says a mode.
    pub has_mode: bool,
}

/// One frontend, backend or listen section with its defaults applied.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Section name.
    pub name: String,
    /// HAProxy's numeric id; the first automatic one is 2.
    pub id: u32,
    /// The file gives the id.
    pub custom_id: bool,
    /// `guid`.
    pub guid: Option<String>,
    /// `be-unpublished`, or by command: no rule leads to its backend.
    pub unpublished: bool,
    /// A command added it.
    pub added: bool,
    /// Only of the past: a later configuration has it no more. Also `disabled` and without binds; its sessions
    /// may run on.
    pub removed: bool,
    /// Section kind.
    pub kind: ProxyKind,
    /// `mode`.
    pub mode: Mode,
    /// `disabled`.
    pub disabled: bool,
    /// `description`.
    pub description: Option<String>,
    /// Its binds, in file order.
    pub binds: Vec<BindId>,
    /// `maxconn` of the frontend side; None: no limit but the global one.
    pub maxconn: Option<u32>,
    /// `rate-limit sessions`, per second; None: no limit.
    pub session_rate: Option<u32>,
    /// `fullconn`; None: a tenth of the maxconn of the frontends that may reach it.
    pub fullconn: Option<u32>,
    /// `backlog`; None: derived from maxconn.
    pub backlog: Option<u32>,
    /// `default_backend`, or itself for a listen section.
    pub default_backend: Option<ProxyId>,
    /// `use_backend … if`, in order.
    pub use_backends: Vec<UseBackend>,
    /// `acl` definitions, in order; lines of one name are one [`Acl`] with several patterns sets.
    pub acls: Vec<Acl>,
    /// `balance`.
    pub balance: Balance,
    /// `hash-type`.
    pub hash_type: HashType,
    /// Its servers, in file order; indexed by `u16` everywhere.
    pub servers: Vec<Server>,
    /// `load-server-state-from-file`.
    pub server_states: ServerStates,
    /// `server-state-file-name`; None: the section's name.
    pub server_state_file_name: Option<String>,
    /// `retries`, default 3.
    pub retries: u16,
    /// `option redispatch [N]`: 0: off; N > 0: every N-th retry; N < 0: the last -N retries; bare: -1.
    pub redispatch_every: i16,
    /// `timeout …`.
    pub timeouts: Timeouts,
    /// `option …` switches.
    pub options: Options,
    /// `clitcpka-…`, with `option clitcpka`.
    pub client_probes: Probes,
    /// `srvtcpka-…`, with `option srvtcpka`.
    pub server_probes: Probes,
    /// `log` lines that apply (with `log global` already replaced).
    pub logs: Vec<LogTargetId>,
    /// What is logged for a session.
    pub log_style: LogStyle,
    /// `log-tag` of the section.
    pub log_tag: Option<String>,
    /// `source` address for connections to its servers, see [`super::source_of`].
    pub source: Option<SocketAddr>,
    /// `stats enable` and what belongs to it; mode http only.
    pub stats: Option<StatsPage>,
    /// `http-request use-service prometheus-exporter`; mode http only.
    pub exporter: Option<Exporter>,
    /// `monitor-uri`: what a probe asks for; mode http only.
    pub monitor_uri: Option<String>,
}

/// When the kernel asks a silent peer whether it is still there (tcp(7)); None: as the host's sysctl says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Probes {
    /// `…-idle`: seconds of silence before the first probe, 1 to 32 767.
    pub idle_s: Option<u16>,
    /// `…-intvl`: seconds between probes, 1 to 32 767.
    pub interval_s: Option<u16>,
    /// `…-cnt`: probes without an answer after which the connection is dead, 1 to 127.
    pub count: Option<u8>,
}

impl Proxy {
    /// A section with HAProxy's defaults: mode tcp, three retries, round robin, no timeout, no limit.
    pub fn new(name: impl Into<String>, kind: ProxyKind) -> Proxy {
        Proxy {
            name: name.into(),
            id: 0,
            custom_id: false,
            guid: None,
            unpublished: false,
            added: false,
            removed: false,
            kind,
            mode: Mode::Tcp,
            disabled: false,
            description: None,
            binds: Vec::new(),
            maxconn: None,
            session_rate: None,
            fullconn: None,
            backlog: None,
            default_backend: None,
            use_backends: Vec::new(),
            acls: Vec::new(),
            balance: Balance::default(),
            hash_type: HashType::default(),
            servers: Vec::new(),
            server_states: ServerStates::None,
            server_state_file_name: None,
            retries: 3,
            redispatch_every: 0,
            timeouts: Timeouts::default(),
            options: Options::default(),
            client_probes: Probes::default(),
            server_probes: Probes::default(),
            logs: Vec::new(),
            log_style: LogStyle::default(),
            log_tag: None,
            source: None,
            stats: None,
            exporter: None,
            monitor_uri: None,
        }
    }
}

/// One `use_backend NAME [if|unless CONDITION]`.
#[derive(Clone, Debug)]
pub struct UseBackend {
    /// Where to.
    pub backend: ProxyId,
    /// None: always.
    pub condition: Option<Condition>,
}

/// `timeout …` in milliseconds; None or 0 in the file: no limit (None here).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// `timeout connect`.
    pub connect_ms: Option<u32>,
    /// `timeout client`.
    pub client_ms: Option<u32>,
    /// `timeout server`.
    pub server_ms: Option<u32>,
    /// `timeout tunnel`: replaces client and server once both directions have spoken.
    pub tunnel_ms: Option<u32>,
    /// `timeout queue`; when absent `timeout connect` serves (resolved already).
    pub queue_ms: Option<u32>,
    /// `timeout check`.
    pub check_ms: Option<u32>,
    /// `timeout client-fin`.
    pub client_fin_ms: Option<u32>,
    /// `timeout server-fin`.
    pub server_fin_ms: Option<u32>,
}

/// `option …` that change the life of a TCP session, a check or a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `option dontlognull`.
    pub dontlognull: bool,
    /// `option dontlog-normal`.
    pub dontlog_normal: bool,
    /// `option logasap`.
    pub logasap: bool,
    /// `option log-health-checks`.
    pub log_health_checks: bool,
    /// `option log-separate-errors`.
    pub log_separate_errors: bool,
    /// `option clitcpka` or `option tcpka`.
    pub client_keepalive: bool,
    /// `option srvtcpka` or `option tcpka`.
    pub server_keepalive: bool,
    /// `option abortonclose`.
    pub abortonclose: bool,
    /// `option allbackups`.
    pub allbackups: bool,
    /// `option nolinger`.
    pub nolinger: bool,
    /// `option socket-stats`.
    pub socket_stats: bool,
    /// `option connect-on-data`, Pronk's own: connect to the server at the client's first bytes.
    pub connect_on_data: bool,
}

/// What a session's end is logged as.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum LogStyle {
    /// `Connect from A:P to A:P (fe/TCP)` (no option tcplog).
    #[default]
    Connect,
    /// `option tcplog`.
    Tcplog,
    /// `option httplog`; mode http only.
    Httplog,
    /// `option httpslog`; mode http only.
    Httpslog,
}
