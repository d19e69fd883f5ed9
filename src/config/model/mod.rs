//! What haproxy.cfg means, as plain data: the result of resolving a draft, read by every layer.
//!
//! Nothing here refers to the text it came from; positions live in diagnostics only. Vectors are
//! indexed by the newtypes below. Times are milliseconds, sizes bytes, unless the name says otherwise.

use std::sync::Arc;

use crate::rules::List;

mod balance;
mod bind;
mod global;
mod log;
mod proxy;
mod server;
mod stats;

pub use balance::{Balance, HashFunction, HashInput, HashType};
pub use bind::{AbstractName, Bind, ListenAddress, SocketPermissions, TcpOptions};
pub use global::{BusySpin, Global, Tune};
pub use log::{LogAddress, LogFormat, LogSample, LogTarget};
pub use proxy::{
    LogStyle, Mode, Options, Probes, Proxy, ProxyKind, ServerStates, Template, Timeouts, UseBackend,
};
pub use server::{Check, Origin, Server, ServerAddress, source_of};
pub use stats::{CliLevel, Exporter, StatsPage, StatsSocket};

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
    /// Every named defaults section.
    pub templates: Vec<Template>,
    /// The values of the ACLs of all proxies, by [`crate::rules::ListId`].
    pub lists: Vec<Arc<List>>,
}

impl Config {
    /// The proxies of today, without those of the past, by their numbers.
    pub fn proxies(&self) -> impl DoubleEndedIterator<Item = (ProxyId, &Proxy)> {
        let all = self.proxies.iter().enumerate().filter(|(_, proxy)| !proxy.removed);
        all.map(|(at, proxy)| (ProxyId(at as u16), proxy))
    }

    /// Connections of this address that may wait in the kernel.
    pub fn backlog(&self, bind: &Bind) -> u32 {
        let proxy = &self.proxies[usize::from(bind.proxy.0)];
        let given = bind.backlog.or(proxy.backlog).or(bind.maxconn).or(proxy.maxconn);
        given.unwrap_or(1024).max(1)
    }

    /// The binds of today, by their numbers.
    pub fn binds(&self) -> impl DoubleEndedIterator<Item = (BindId, &Bind)> {
        let all = self.binds.iter().enumerate().filter(|(_, bind)| !bind.removed);
        all.map(|(at, bind)| (BindId(at as u16), bind))
    }
}
