//! Servers and their checks.

use std::net::SocketAddr;
use std::path::PathBuf;

/// A `server` line with `default-server` applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Name.
    pub name: String,
    /// The name before `set server name`.
    pub former_name: Option<String>,
    /// HAProxy's numeric id inside its backend, from 1.
    pub id: u32,
    /// The file gives the id.
    pub custom_id: bool,
    /// `guid`.
    pub guid: Option<String>,
    /// Where it comes from.
    pub origin: Origin,
    /// As written, for host names and the stats page.
    pub host: String,
    /// Where to connect; a mapped one is relative to the client's port.
    pub address: ServerAddress,
    /// Nothing was found under its name: it waits in maintenance for `set server … addr`.
    pub unresolved: bool,
    /// The address of a state file comes before the one found here: `last` of `init-addr`, of a name.
    pub takes_last: bool,
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
    /// `on-marked-down shutdown-sessions`.
    pub on_marked_down: bool,
    /// `on-marked-up shutdown-backup-sessions`.
    pub on_marked_up: bool,
    /// `source`, see [`source_of`].
    pub source: Option<SocketAddr>,
    /// `check` and its settings; None: not checked.
    pub check: Option<Check>,
}

/// Where a server comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A `server` line.
    File,
    /// `add server`: not checked before `enable health`.
    Command {
        /// `enabled`: in service at once, otherwise in maintenance.
        ready: bool,
    },
}

/// Where a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerAddress {
    /// A fixed address; no IP address (`*`) means the one that the client asked for.
    Tcp(SocketAddr),
    /// The port is the one the client connected to, plus this offset (`server s 10.0.0.1:+10`, or no port at all: 0).
    TcpMapped(std::net::IpAddr, i32),
    /// A Unix stream socket.
    Unix(PathBuf),
    /// A Unix stream socket in the abstract namespace.
    Abstract(super::AbstractName),
}

/// The address to connect from, by the `source` of the server and of its backend; None: the kernel chooses. A server's
/// own comes first, and `source 0.0.0.0` leaves the choice to the kernel.
pub fn source_of(server: Option<SocketAddr>, backend: Option<SocketAddr>) -> Option<SocketAddr> {
    let any = SocketAddr::from(([0, 0, 0, 0], 0));
    server.or(backend).filter(|source| *source != any)
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

impl Default for Check {
    fn default() -> Check {
        Check {
            inter_ms: 2000,
            fastinter_ms: None,
            downinter_ms: None,
            rise: 2,
            fall: 3,
            address: None,
            port: None,
        }
    }
}

impl Server {
    /// A server with HAProxy's defaults: weight 1, unlimited, unchecked.
    pub fn new(name: impl Into<String>, id: u32, address: SocketAddr) -> Server {
        Server {
            name: name.into(),
            former_name: None,
            id,
            custom_id: false,
            guid: None,
            origin: Origin::File,
            host: address.ip().to_string(),
            address: ServerAddress::Tcp(address),
            unresolved: false,
            takes_last: false,
            weight: 1,
            backup: false,
            disabled: false,
            maxconn: None,
            minconn: None,
            maxqueue: None,
            slowstart_ms: None,
            on_marked_down: false,
            on_marked_up: false,
            source: None,
            check: None,
        }
    }
}
