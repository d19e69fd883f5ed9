//! What the operator has made of a frontend while the process runs.

use crate::config::model::ProxyId;

use super::sources::Sources;

/// Whether a frontend accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    #[default]
    Open,
    /// Not for now: `disable frontend`.
    Paused,
    /// Never again: `shutdown frontend`.
    Stopped,
}

/// The standing of every frontend.
#[derive(Clone, Debug, Default)]
pub struct Standings {
    frontends: Vec<Standing>,
    /// Of the stats sockets.
    pub stats: Standing,
}

impl Standings {
    /// Of one proxy.
    pub fn of(&self, proxy: ProxyId) -> Standing {
        self.frontends.get(usize::from(proxy.0)).copied().unwrap_or_default()
    }

    /// Notes a change.
    pub fn set(&mut self, proxy: ProxyId, standing: Standing) {
        let at = usize::from(proxy.0);
        if at >= self.frontends.len() {
            self.frontends.resize(at + 1, Standing::default());
        }
        self.frontends[at] = standing;
    }
}

/// What HAProxy says of a proxy at its end.
pub fn stop_line(sources: &Sources, id: ProxyId) -> String {
    let (front, back) = totals(sources, id);
    let name = &sources.config.proxies[usize::from(id.0)].name;
    format!("Proxy {name} stopped (cumulated conns: FE: {front}, BE: {back}).")
}

/// Connections of the frontend side and sessions of the backend side since the start.
pub fn totals(sources: &Sources, id: ProxyId) -> (u64, u64) {
    let workers = sources.counters.iter();
    workers.fold((0, 0), |(front, back), worker| {
        let (connections, sessions) = (&worker.frontend(id).connections, &worker.backend(id).sessions);
        (front + connections.value(), back + sessions.value())
    })
}
