//! Addresses to listen on.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::ProxyId;

/// One listening address.
#[derive(Clone, Debug)]
pub struct Bind {
    /// Owner.
    pub proxy: ProxyId,
    /// `name`, else None: shown as `sock-N`.
    pub name: Option<String>,
    /// HAProxy's listener id inside its proxy, from 1.
    pub id: u32,
    /// The file gives the id.
    pub custom_id: bool,
    /// `guid-prefix` and the number of the address on its line, from 0.
    pub guid: Option<String>,
    /// Only of the past: nobody listens there any more.
    pub removed: bool,
    /// Where to listen.
    pub address: ListenAddress,
    /// `maxconn`.
    pub maxconn: Option<u32>,
    /// `backlog`.
    pub backlog: Option<u32>,
    /// What a TCP socket is made with.
    pub tcp: TcpOptions,
    /// `mode`, `user`/`uid`, `group`/`gid` of a Unix socket.
    pub permissions: SocketPermissions,
    /// `FILE:LINE` for start-up messages.
    pub declared_at: String,
}

impl Bind {
    /// An address without a name or any option.
    pub fn new(proxy: ProxyId, id: u32, address: ListenAddress) -> Bind {
        Bind {
            proxy,
            name: None,
            id,
            custom_id: false,
            guid: None,
            removed: false,
            address,
            maxconn: None,
            backlog: None,
            tcp: TcpOptions::default(),
            permissions: SocketPermissions::default(),
            declared_at: String::new(),
        }
    }
}

/// Options of a listening TCP socket; sockets of another kind pass over them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TcpOptions {
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
    pub user_timeout_ms: Option<u32>,
}

/// An address to listen on or to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// TCP over IPv4 or IPv6.
    Tcp(SocketAddr),
    /// A Unix stream socket by path.
    Unix(PathBuf),
    /// A Unix stream socket in the abstract namespace.
    Abstract(AbstractName),
    /// An inherited descriptor, already bound.
    Fd(i32),
    /// An inherited end of a pair of Unix sockets: connections arrive over it as descriptors.
    SocketPair(i32),
}

impl ListenAddress {
    /// The number of the descriptor that whoever started the process passes on; None: the process binds it itself.
    pub fn inherited(&self) -> Option<i32> {
        match self {
            ListenAddress::Fd(number) | ListenAddress::SocketPair(number) => Some(*number),
            _ => None,
        }
    }
}

/// A name in the abstract namespace of Unix sockets (configuration manual, section 11.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AbstractName {
    /// Without the NUL that marks the namespace.
    pub text: String,
    /// `abns@`: filled up with NULs to the whole length of an address; `abnsz@`: as long as it is written.
    pub padded: bool,
}

impl fmt::Display for AbstractName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", if self.padded { "abns" } else { "abnsz" }, self.text)
    }
}

/// Owner and mode of a Unix socket's file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SocketPermissions {
    /// `mode`, octal in the file.
    pub mode: Option<u32>,
    /// `user` or `uid`.
    pub uid: Option<u32>,
    /// `group` or `gid`.
    pub gid: Option<u32>,
}
