//! What haproxy.cfg means, as plain data: the result of [`super::resolve`], read by every layer.
//!
//! Nothing here refers to the text it came from; positions live in diagnostics only. Vectors are
//! indexed by the newtypes below. Times are milliseconds, sizes bytes, unless the name says otherwise.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::rules::{Acl, Condition};

/// Index into [`Config::proxies`]. Not HAProxy's numeric id, which is [`Proxy::id`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProxyId(pub u16);

/// Index of a bind address over all proxies, into [`Config::binds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BindId(pub u16);

/// Index into [`Config::log_targets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogTargetId(pub u16);

/// A whole configuration, checked: every reference resolved, every default filled in.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The merged `global` sections.
    pub global: Global,
    /// frontend, backend and listen sections in file order.
    pub proxies: Vec<Proxy>,
    /// Every listening address; each names the proxy that owns it.
    pub binds: Vec<Bind>,
    /// Every distinct log target that a proxy or `global` names.
    pub log_targets: Vec<LogTarget>,
}

/// The `global` section (configuration manual, section 3).
#[derive(Clone, Debug)]
pub struct Global {
    /// `maxconn`; None: computed from RLIMIT_NOFILE at start.
    pub maxconn: Option<u32>,
    /// `nbthread`; None: one worker for each core this process may use.
    pub nbthread: Option<u16>,
    /// `cpu-map`: for worker N (0-based) the CPUs it may run on; empty: pinned in order.
    pub cpu_map: Vec<Vec<u16>>,
    /// `daemon` or `-D`.
    pub daemon: bool,
    /// `quiet` or `-q`.
    pub quiet: bool,
    /// `pidfile` or `-p`.
    pub pidfile: Option<PathBuf>,
    /// `chroot`.
    pub chroot: Option<PathBuf>,
    /// `user`, by name.
    pub user: Option<String>,
    /// `group`, by name.
    pub group: Option<String>,
    /// `uid`.
    pub uid: Option<u32>,
    /// `gid`.
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
    /// `stats timeout`, default 10 s.
    pub stats_timeout_ms: u32,
    /// `stats maxconn`, default 10.
    pub stats_maxconn: u32,
    /// `hard-stop-after`.
    pub hard_stop_after_ms: Option<u32>,
    /// `spread-checks`, percent 0 to 50.
    pub spread_checks_percent: u8,
    /// `max-spread-checks`.
    pub max_spread_checks_ms: Option<u32>,
    /// `tune.*` that this proxy honours.
    pub tune: Tune,
}

impl Default for Global {
    fn default() -> Self {
        Global {
            maxconn: None,
            nbthread: None,
            cpu_map: Vec::new(),
            daemon: false,
            quiet: false,
            pidfile: None,
            chroot: None,
            user: None,
            group: None,
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
            hard_stop_after_ms: None,
            spread_checks_percent: 0,
            max_spread_checks_ms: None,
            tune: Tune::default(),
        }
    }
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
            reuseport: true,
            rcvbuf_client: None,
            rcvbuf_server: None,
            sndbuf_client: None,
            sndbuf_server: None,
        }
    }
}

/// Which of HAProxy's three sections a proxy came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyKind {
    /// `frontend`: has binds.
    Frontend,
    /// `backend`: has servers.
    Backend,
    /// `listen`: both.
    Listen,
}

impl ProxyKind {
    /// Whether clients connect to it.
    pub fn is_frontend(self) -> bool {
        self != ProxyKind::Backend
    }

    /// Whether it has servers.
    pub fn is_backend(self) -> bool {
        self != ProxyKind::Frontend
    }
}

/// `mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Bytes are relayed.
    Tcp,
    /// Served by this process itself: the stats page. Never proxied.
    Http,
}

/// One frontend, backend or listen section with its defaults applied.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Section name.
    pub name: String,
    /// HAProxy's numeric id; the first automatic one is 2.
    pub id: u32,
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
    /// `retries`, default 3.
    pub retries: u16,
    /// `option redispatch [N]`: 0: off; N > 0: every N-th retry; N < 0: the last -N retries; bare: -1.
    pub redispatch_every: i16,
    /// `timeout …`.
    pub timeouts: Timeouts,
    /// `option …` switches.
    pub options: Options,
    /// `log` lines that apply (with `log global` already replaced).
    pub logs: Vec<LogTargetId>,
    /// What is logged for a session.
    pub log_style: LogStyle,
    /// `log-tag` of the section.
    pub log_tag: Option<String>,
    /// `source` address for connections to its servers.
    pub source: Option<SocketAddr>,
    /// `stats enable` and what belongs to it; mode http only.
    pub stats: Option<StatsPage>,
}

impl Proxy {
    /// A section with HAProxy's defaults: mode tcp, three retries, round robin, no timeout, no limit.
    pub fn new(name: impl Into<String>, kind: ProxyKind) -> Proxy {
        Proxy {
            name: name.into(),
            id: 0,
            kind,
            mode: Mode::Tcp,
            disabled: false,
            description: None,
            binds: Vec::new(),
            maxconn: None,
            fullconn: None,
            backlog: None,
            default_backend: None,
            use_backends: Vec::new(),
            acls: Vec::new(),
            balance: Balance::default(),
            hash_type: HashType::default(),
            servers: Vec::new(),
            retries: 3,
            redispatch_every: 0,
            timeouts: Timeouts::default(),
            options: Options::default(),
            logs: Vec::new(),
            log_style: LogStyle::default(),
            log_tag: None,
            source: None,
            stats: None,
        }
    }
}

impl Server {
    /// A server with HAProxy's defaults: weight 1, unlimited, unchecked.
    pub fn new(name: impl Into<String>, id: u32, address: SocketAddr) -> Server {
        Server {
            name: name.into(),
            id,
            host: address.ip().to_string(),
            address: ServerAddress::Tcp(address),
            weight: 1,
            backup: false,
            disabled: false,
            maxconn: None,
            minconn: None,
            maxqueue: None,
            slowstart_ms: None,
            source: None,
            check: None,
            declared_at: String::new(),
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
}

/// One listening address.
#[derive(Clone, Debug)]
pub struct Bind {
    /// Owner.
    pub proxy: ProxyId,
    /// `name`, else None: shown as `sock-N`.
    pub name: Option<String>,
    /// HAProxy's listener id inside its proxy, from 1.
    pub id: u32,
    /// Where to listen.
    pub address: ListenAddress,
    /// `maxconn`.
    pub maxconn: Option<u32>,
    /// `backlog`.
    pub backlog: Option<u32>,
    /// `interface`.
    pub interface: Option<String>,
    /// `transparent`.
    pub transparent: bool,
    /// `v4v6` / `v6only`: None: the system's default for `[::]`.
    pub v6only: Option<bool>,
    /// `mss`.
    pub mss: Option<u16>,
    /// `tfo`.
    pub tfo: bool,
    /// `defer-accept`.
    pub defer_accept: bool,
    /// `tcp-ut`, milliseconds.
    pub tcp_user_timeout_ms: Option<u32>,
    /// `mode`, `user`/`uid`, `group`/`gid` of a Unix socket.
    pub permissions: SocketPermissions,
    /// `FILE:LINE` for start-up messages.
    pub declared_at: String,
}

/// An address to listen on or to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// TCP over IPv4 or IPv6.
    Tcp(SocketAddr),
    /// A Unix stream socket by path.
    Unix(PathBuf),
    /// A Unix stream socket in the abstract namespace.
    Abstract(String),
    /// An inherited descriptor, already bound.
    Fd(i32),
}

/// Owner and mode of a Unix socket's file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocketPermissions {
    /// `mode`, octal in the file.
    pub mode: Option<u32>,
    /// `user`.
    pub user: Option<String>,
    /// `uid`.
    pub uid: Option<u32>,
    /// `group`.
    pub group: Option<String>,
    /// `gid`.
    pub gid: Option<u32>,
}

/// `balance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Balance {
    /// Smooth weighted round robin, weights may change at run time.
    #[default]
    RoundRobin,
    /// The static one.
    StaticRr,
    /// Fewest live sessions relative to weight.
    LeastConn,
    /// Fill the first server by id up to its maxconn, then the next.
    First,
    /// Hash of the client's address.
    Source,
    /// `hash <expr>`.
    Hash(HashInput),
    /// The best of N random draws, default 2.
    Random(u8),
}

/// The expressions that `balance hash` takes here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashInput {
    /// `src`.
    Src,
    /// `src_port`.
    SrcPort,
    /// `dst`.
    Dst,
    /// `dst_port`.
    DstPort,
}

/// `hash-type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HashType {
    /// `consistent` against `map-based`.
    pub consistent: bool,
    /// The hash function; None: HAProxy's default for the algorithm (see `balance::hash`).
    pub function: Option<HashFunction>,
    /// `avalanche`.
    pub avalanche: bool,
}

/// HAProxy's hash functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashFunction {
    /// `sdbm`
    Sdbm,
    /// `djb2`
    Djb2,
    /// `wt6`
    Wt6,
    /// `crc32`
    Crc32,
    /// `none`: the key itself.
    None,
}

/// A `server` line with `default-server` applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Name.
    pub name: String,
    /// HAProxy's numeric id inside its backend, from 1.
    pub id: u32,
    /// As written, for host names and the stats page.
    pub host: String,
    /// Where to connect; port 0 with [`Server::port_offset`]: relative to the client's port.
    pub address: ServerAddress,
    /// `weight`, 0 to 256.
    pub weight: u16,
    /// `backup`.
    pub backup: bool,
    /// `disabled`: starts in maintenance.
    pub disabled: bool,
    /// `maxconn`; None: unlimited.
    pub maxconn: Option<u32>,
    /// `minconn`.
    pub minconn: Option<u32>,
    /// `maxqueue`; None: unlimited.
    pub maxqueue: Option<u32>,
    /// `slowstart`.
    pub slowstart_ms: Option<u32>,
    /// `source`.
    pub source: Option<SocketAddr>,
    /// `check` and its settings; None: not checked.
    pub check: Option<Check>,
    /// `FILE:LINE`.
    pub declared_at: String,
}

/// Where a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerAddress {
    /// A fixed address.
    Tcp(SocketAddr),
    /// The port is the one the client connected to, plus this offset (`server s 10.0.0.1:+10`, or no port at all: 0).
    TcpMapped(std::net::IpAddr, i32),
    /// A Unix stream socket.
    Unix(PathBuf),
    /// A Unix stream socket in the abstract namespace.
    Abstract(String),
}

/// Health-check settings of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// `inter`, default 2 s.
    pub inter_ms: u32,
    /// `fastinter`; None: inter.
    pub fastinter_ms: Option<u32>,
    /// `downinter`; None: inter.
    pub downinter_ms: Option<u32>,
    /// `rise`, default 2.
    pub rise: u16,
    /// `fall`, default 3.
    pub fall: u16,
    /// `addr`.
    pub address: Option<std::net::IpAddr>,
    /// `port`.
    pub port: Option<u16>,
}

/// A `stats socket` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsSocket {
    /// Where.
    pub address: ListenAddress,
    /// `level`, default operator.
    pub level: CliLevel,
    /// Owner and mode of a Unix socket.
    pub permissions: SocketPermissions,
    /// `expose-fd listeners`.
    pub expose_fd_listeners: bool,
    /// `FILE:LINE`.
    pub declared_at: String,
}

/// What a user of a stats socket may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CliLevel {
    /// Least: no sensitive information.
    User,
    /// Reads everything, changes counters only.
    Operator,
    /// Everything.
    Admin,
}

/// The stats page of a `mode http` proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsPage {
    /// `stats uri`, default `/haproxy?stats`.
    pub uri: String,
    /// `stats realm`.
    pub realm: Option<String>,
    /// `stats auth`: user and password pairs.
    pub auth: Vec<(String, String)>,
    /// `stats refresh`.
    pub refresh: Option<Duration>,
    /// `stats hide-version`.
    pub hide_version: bool,
    /// `stats show-legends`.
    pub show_legends: bool,
    /// `stats show-node [NAME]`.
    pub show_node: Option<Option<String>>,
    /// `stats show-desc [TEXT]`.
    pub show_desc: Option<Option<String>>,
    /// `stats scope`: proxy names; `.` is itself. Empty: all.
    pub scope: Vec<String>,
}

/// One `log` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogTarget {
    /// Where the line goes.
    pub address: LogAddress,
    /// `len`, default 1024.
    pub max_len: u32,
    /// `format`.
    pub format: LogFormat,
    /// `sample R:S`: send only those of each S that lie in one of the ranges R (1-based, inclusive).
    pub sample: Option<LogSample>,
    /// 0 kern to 23 local7.
    pub facility: u8,
    /// Lines less severe than this are dropped (7 debug: none are).
    pub level: u8,
    /// Lines more severe than this are sent as if they were of this level (0 emerg: none are).
    pub min_level: u8,
}

/// Where a log line goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogAddress {
    /// A UDP datagram.
    Udp(SocketAddr),
    /// A Unix datagram socket such as /dev/log.
    Unix(PathBuf),
    /// An open descriptor: `stdout` is 1, `stderr` 2, `fd@N`.
    Fd(i32),
    /// `file@PATH`, Pronk's own: appended, reopened when the file is moved away.
    File(PathBuf),
}

/// `log … format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// No `format`: as `rfc3164` with `log-send-hostname`, else as `local`.
    Unspecified,
    /// `rfc3164`; the host is `localhost` without `log-send-hostname`.
    Rfc3164,
    /// `rfc5424`
    Rfc5424,
    /// `local`: rfc3164 without the host.
    Local,
    /// `priority`: only `<PRI>` before the message.
    Priority,
    /// `short`: `<N>` level only.
    Short,
    /// `timed`
    Timed,
    /// `iso`
    Iso,
    /// `raw`: the message alone.
    Raw,
}

/// `sample R:S`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSample {
    /// Inclusive 1-based ranges.
    pub ranges: Vec<(u32, u32)>,
    /// The cycle.
    pub size: u32,
}
