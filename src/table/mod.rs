//! The snapshot of the configuration and server states that all workers read.
//!
//! One [`TablePublisher`] replaces it as a whole; each worker's [`TableReader`] looks once a batch.
//! What did not change is shared between snapshots, and the publisher holds every old one until
//! nobody else does, so that no worker ever frees one.

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};

use crate::config::model::{Config, ProxyId};
use crate::session::op::ServerId;

mod backend;
#[cfg(test)]
pub mod fixture;
mod publisher;
mod state;

pub use backend::{Backend, ServerEntry, WEIGHT_STEPS};
pub use publisher::TablePublisher;
pub use state::{Admin, CheckReport, Health, ServerState};

/// Everything a worker decides by, at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The configuration.
    pub config: Arc<Config>,
    /// Counts up by one with every published snapshot.
    pub generation: u64,
    backends: Vec<Option<Arc<Backend>>>,
    by_id: Arc<[(ProxyId, u16)]>,
}

impl Snapshot {
    /// The backend side of a proxy. Only for proxies that have one, as every [`ProxyId`] has that the
    /// configuration names as a backend.
    pub fn backend(&self, proxy: ProxyId) -> &Backend {
        let backend = self.backends[usize::from(proxy.0)].as_deref();
        backend.expect("the configuration names only proxies with a backend side as backends")
    }

    /// All backends, in file order.
    pub fn backends(&self) -> impl Iterator<Item = &Backend> {
        self.backends.iter().flatten().map(Arc::as_ref)
    }

    /// A server and the backend it belongs to.
    pub fn server(&self, server: ServerId) -> (&Backend, &ServerEntry) {
        let (proxy, at) = self.by_id[server.0 as usize];
        let backend = self.backend(proxy);
        (backend, &backend.servers[usize::from(at)])
    }
}

/// One worker's view: a cached pointer that is renewed when the publisher has replaced the snapshot.
pub struct TableReader(Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>);

impl TableReader {
    /// The newest snapshot: one atomic load when nothing changed.
    pub fn load(&mut self) -> &Arc<Snapshot> {
        self.0.load()
    }
}

impl fmt::Debug for TableReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TableReader")
    }
}
