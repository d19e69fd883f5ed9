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
mod outages;
mod publisher;
mod replace;
pub mod saved;
mod state;

#[cfg(test)]
pub use crate::load::fixture;

pub use backend::{Backend, Eviction, ServerEntry, WEIGHT_STEPS};
pub use outages::Outages;
pub use publisher::TablePublisher;
use replace::Former;
pub use state::{Admin, CheckReport, Checks, Health, ServerState};

/// Everything a worker decides by, at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The configuration.
    pub config: Arc<Config>,
    /// Counts up by one with every published snapshot.
    pub generation: u64,
    /// The last generation that told sessions to end, see [`ServerEntry::eviction`].
    pub eviction: u64,
    backends: Vec<Option<Arc<Backend>>>,
    /// By server cell.
    places: Arc<[Place]>,
}

/// Whose a server cell is.
#[derive(Clone, Debug)]
enum Place {
    /// Of server number `.1` of a backend.
    Server(ProxyId, u16),
    /// Of a server that is gone, and may still have sessions.
    Former(Arc<Former>),
}

impl Snapshot {
    /// The backend side of a proxy. Only for proxies that have one, as every [`ProxyId`] has that the
    /// configuration names as a backend.
    pub fn backend(&self, proxy: ProxyId) -> &Backend {
        let backend = self.backends[usize::from(proxy.0)].as_deref();
        backend.expect("the configuration names only proxies with a backend side as backends")
    }

    /// All backends of the configuration, in the order of their proxies.
    pub fn backends(&self) -> impl Iterator<Item = &Backend> {
        let today = |backend: &&Backend| !self.config.proxies[usize::from(backend.proxy.0)].removed;
        self.backends.iter().flatten().map(Arc::as_ref).filter(today)
    }

    /// A server and the backend it belongs to; one that is gone as it was last.
    pub fn server(&self, server: ServerId) -> (&Backend, &ServerEntry) {
        match &self.places[server.0 as usize] {
            &Place::Server(proxy, at) => {
                let backend = self.backend(proxy);
                (backend, &backend.servers[usize::from(at)])
            }
            Place::Former(former) => (self.backend(former.proxy), &former.entry),
        }
    }

    /// The backend that a server belongs to, and its index there; None: it is gone.
    pub fn place(&self, server: ServerId) -> (ProxyId, Option<u16>) {
        match &self.places[server.0 as usize] {
            &Place::Server(proxy, at) => (proxy, Some(at)),
            Place::Former(former) => (former.proxy, None),
        }
    }

    /// How many server cells there are: every [`ServerId`] in use is below it.
    pub fn server_ids(&self) -> usize {
        self.places.len()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::{Check, Proxy};
    use crate::load::Load;
    use crate::session::termination::Cause;

    fn publisher(proxies: Vec<Proxy>) -> TablePublisher {
        let config = Arc::new(Config { proxies, ..Config::default() });
        let load = Load::new(&config, 1);
        TablePublisher::new(config, &load)
    }

    fn two_backends() -> TablePublisher {
        publisher(vec![fixture::backend("a", 2), fixture::backend("b", 3)])
    }

    #[test]
    fn a_server_is_found_by_its_cell() {
        let publisher = two_backends();
        let (backend, server) = publisher.snapshot().server(ServerId(3));
        assert_eq!((backend.proxy, server.id, server.number), (ProxyId(1), ServerId(3), 2));
        assert_eq!(publisher.snapshot().place(ServerId(3)), (ProxyId(1), Some(1)));
        assert_eq!(publisher.snapshot().backends().count(), 2);
    }

    #[test]
    fn a_reader_sees_an_update_and_shares_what_did_not_change() {
        let mut publisher = two_backends();
        let mut reader = publisher.reader();
        let before = Arc::clone(reader.load());
        publisher.update(ProxyId(1), 0, |state| state.health = Health::Down, 500);
        let after = reader.load();
        assert_eq!((before.generation, after.generation), (0, 1));
        assert_eq!((before.backend(ProxyId(1)).active, after.backend(ProxyId(1)).active), (3, 2));
        assert_eq!(after.backend(ProxyId(1)).servers[0].state.since_ms, 500);
        assert!(std::ptr::eq(before.backend(ProxyId(0)), after.backend(ProxyId(0))));
        assert!(Arc::ptr_eq(&before.config, &after.config));
    }

    #[test]
    fn what_is_known_of_a_check_changes_no_choice() {
        let mut publisher = two_backends();
        publisher.update(ProxyId(0), 1, |state| state.check.fails += 1, 500);
        let server = &publisher.snapshot().backend(ProxyId(0)).servers[1];
        assert_eq!((server.state.check.fails, server.state.since_ms), (1, 0));
        assert_eq!(publisher.snapshot().backend(ProxyId(0)).selector.candidates(), [0, 1]);
    }

    #[test]
    fn a_reader_never_frees_a_snapshot() {
        let mut publisher = two_backends();
        let mut reader = publisher.reader();
        let first = Arc::downgrade(reader.load());
        publisher.update(ProxyId(0), 0, |state| state.admin.drain = true, 1);
        publisher.update(ProxyId(0), 0, |state| state.admin.drain = false, 2);
        assert!(first.upgrade().is_some(), "the reader still has it");
        reader.load();
        assert!(first.upgrade().is_some(), "the publisher keeps what the reader let go");
        publisher.update(ProxyId(0), 0, |state| state.admin.drain = true, 3);
        assert!(first.upgrade().is_none(), "nobody else had it: the publisher freed it");
    }

    #[test]
    fn drain_and_maintenance_take_a_server_out_of_the_choice() {
        let mut publisher = two_backends();
        publisher.update(ProxyId(0), 0, |state| state.admin.drain = true, 1);
        let backend = publisher.snapshot().backend(ProxyId(0));
        assert_eq!((backend.active, backend.servers[0].weight, backend.total_weight()), (1, 0, 1));
        assert!(backend.servers[0].state.up() && !backend.servers[0].usable());
        publisher.update(ProxyId(0), 1, |state| state.admin.maint = true, 1);
        assert!(publisher.snapshot().backend(ProxyId(0)).dead());
    }

    #[test]
    fn no_order_to_end_sessions_is_lost_by_skipping_snapshots() {
        let mut backend = fixture::backend("a", 2);
        (backend.servers[0].on_marked_down, backend.servers[1].backup) = (true, true);
        backend.servers[0].on_marked_up = true;
        let mut publisher = publisher(vec![backend]);
        let orders = |publisher: &TablePublisher| {
            let servers = &publisher.snapshot().backend(ProxyId(0)).servers;
            let order = |at: usize| (servers[at].eviction.generation, servers[at].eviction.cause);
            (publisher.snapshot().eviction, order(0), order(1))
        };
        assert_eq!(orders(&publisher), (0, (0, Cause::Normal), (0, Cause::Normal)));
        publisher.update(ProxyId(0), 0, |state| state.admin.maint = true, 1);
        assert_eq!(orders(&publisher), (1, (1, Cause::Down), (0, Cause::Normal)));
        publisher.update(ProxyId(0), 0, |state| state.admin.maint = false, 2);
        assert_eq!(orders(&publisher), (2, (1, Cause::Down), (2, Cause::Up)));
        publisher.update(ProxyId(0), 1, |state| state.health = Health::Down, 3);
        assert_eq!((publisher.snapshot().generation, orders(&publisher).0), (3, 2));
    }

    #[test]
    fn servers_start_as_configured() {
        let mut proxy = fixture::backend("a", 3);
        proxy.servers[0].disabled = true;
        proxy.servers[1].check = Some(Check::default());
        let publisher = publisher(vec![proxy]);
        let backend = publisher.snapshot().backend(ProxyId(0));
        assert!(!backend.servers[0].state.up());
        let checked = &backend.servers[1].state;
        assert_eq!((checked.health, checked.check.health, checked.check.status), (Health::Up, 2, "INI"));
        assert_eq!(backend.servers[2].state.checks, Checks::Absent);
    }

    #[test]
    fn minconn_outlasts_a_maxconn_below_it() {
        let (minconn, maxconn) = (Some(10), Some(60));
        let server = crate::config::model::Server { minconn, maxconn, ..fixture::server(1) };
        let mut entry = ServerEntry::new(crate::session::op::ServerId(0), &server);
        let limits = |entry: &ServerEntry| [0, 50, 100].map(|live| entry.limit(|| live, 100));
        assert_eq!(limits(&entry), [Some(10), Some(30), Some(60)]);
        entry.set_maxconn(5);
        assert_eq!(limits(&entry), [Some(10), Some(10), Some(5)]);
        entry.set_maxconn(0);
        assert_eq!(limits(&entry), [None; 3]);
        entry.set_maxconn(60);
        assert_eq!(limits(&entry), [Some(10), Some(30), Some(60)]);
        entry.set_maxconn(10);
        entry.set_maxconn(60);
        assert_eq!(limits(&entry), [Some(60); 3], "fixed");
    }

    #[test]
    fn minconn_alone_or_not_below_maxconn_is_a_fixed_limit() {
        let limits = |minconn, maxconn| {
            let server = crate::config::model::Server { minconn, maxconn, ..fixture::server(1) };
            let entry = ServerEntry::new(ServerId(0), &server);
            [0, 50, 100].map(|live| entry.limit(|| live, 100))
        };
        assert_eq!(limits(None, None), [None; 3]);
        assert_eq!(limits(None, Some(0)), [None; 3]);
        assert_eq!(limits(None, Some(8)), [Some(8); 3]);
        assert_eq!(limits(Some(4), None), [Some(4); 3]);
        assert_eq!(limits(Some(9), Some(8)), [Some(9); 3]);
        assert_eq!(limits(Some(2), Some(8)), [Some(2), Some(4), Some(8)]);
    }

    #[test]
    fn slowstart_raises_weight_and_limit_step_by_step() {
        let mut proxy = fixture::backend("a", 1);
        let server = &mut proxy.servers[0];
        (server.weight, server.maxconn, server.slowstart_ms) = (100, Some(200), Some(60_000));
        let mut publisher = publisher(vec![proxy]);
        publisher.update(ProxyId(0), 0, |state| state.health = Health::Down, 1_000);
        publisher.update(ProxyId(0), 0, |state| state.health = Health::Up, 5_000);
        let now = |publisher: &TablePublisher| {
            let entry = &publisher.snapshot().backend(ProxyId(0)).servers[0];
            (entry.weight, entry.throttle(), entry.limit(|| 0, 1))
        };
        assert_eq!(now(&publisher), (7, Some(6), Some(1)));
        assert_eq!(publisher.tick(5_000), Some(8_000));
        assert_eq!(publisher.tick(35_000), Some(38_000));
        assert_eq!(now(&publisher), (57, Some(56), Some(100)));
        assert_eq!(publisher.tick(65_000), None);
        assert_eq!(now(&publisher), (100, None, Some(200)));
        assert_eq!(publisher.tick(70_000), None);
    }

    #[test]
    fn a_static_algorithm_knows_the_whole_weight_or_none() {
        let mut proxy = fixture::backend("a", 1);
        proxy.balance = crate::config::model::Balance::StaticRr;
        (proxy.servers[0].weight, proxy.servers[0].maxconn) = (100, Some(200));
        proxy.servers[0].slowstart_ms = Some(10_000);
        let mut publisher = publisher(vec![proxy]);
        publisher.update(ProxyId(0), 0, |state| state.admin.maint = true, 0);
        publisher.update(ProxyId(0), 0, |state| state.admin.maint = false, 0);
        publisher.tick(5_000);
        let entry = &publisher.snapshot().backend(ProxyId(0)).servers[0];
        assert_eq!((entry.weight, entry.limit(|| 0, 1)), (100, Some(100)));
    }

    #[test]
    fn fullconn_is_a_tenth_of_what_the_frontends_may_send() {
        let mut config = Config { proxies: vec![fixture::backend("b", 1)], ..Config::default() };
        for maxconn in [Some(2_000), Some(15), None] {
            let mut frontend = fixture::backend("f", 0);
            frontend.kind = crate::config::model::ProxyKind::Frontend;
            (frontend.maxconn, frontend.default_backend) = (maxconn, Some(ProxyId(0)));
            config.proxies.push(frontend);
        }
        config.global.maxconn = Some(1_000);
        let fullconn = |config: &Config| Backend::new(config, ProxyId(0), ServerId(0)).fullconn;
        assert_eq!(fullconn(&config), 302);
        config.proxies[1].disabled = true;
        assert_eq!(fullconn(&config), 102);
        // A listen section that sends its sessions elsewhere sends none to its own servers.
        config.proxies[0].kind = crate::config::model::ProxyKind::Listen;
        (config.proxies[0].maxconn, config.proxies[0].default_backend) = (Some(500), Some(ProxyId(2)));
        assert_eq!(fullconn(&config), 102);
        config.proxies[0].default_backend = Some(ProxyId(0));
        assert_eq!(fullconn(&config), 152);
    }
}
