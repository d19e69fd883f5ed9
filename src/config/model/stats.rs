//! Stats sockets and the stats page.

use std::time::Duration;

use super::{ListenAddress, SocketPermissions, TcpOptions};
use crate::rules::Condition;

/// A `stats socket` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsSocket {
    /// Where.
    pub address: ListenAddress,
    /// `level`, default operator.
    pub level: CliLevel,
    /// What a TCP socket is made with.
    pub tcp: TcpOptions,
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

/// `http-request use-service prometheus-exporter [if { path PATH… }]`, all of these rules together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exporter {
    /// Where the metrics are; empty: everywhere.
    pub paths: Vec<String>,
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
    /// `stats admin`: who may change servers on the page; the first that holds allows it.
    pub admin: Vec<Condition>,
}
