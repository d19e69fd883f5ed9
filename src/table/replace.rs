//! The snapshot of another configuration, in which every server that stays goes on as it was.

use std::collections::HashMap;
use std::sync::Arc;

use crate::balance::weights_are_dynamic;
use crate::config::model::{Check, Config, ProxyId, Server};
use crate::load::Load;
use crate::session::op::ServerId;

use super::backend::{Backend, ServerEntry};
use super::state::{Admin, CheckReport, Checks, Health, ServerState};
use super::{Place, Snapshot};

/// The cell of a server that is gone is given to another one this long after its last session at the
/// earliest: by then every batch and every log record that knew it has passed.
const REST_MS: u64 = 60_000;

/// A server that is gone, for the sessions that it still has.
#[derive(Debug)]
pub(super) struct Former {
    pub(super) proxy: ProxyId,
    pub(super) entry: ServerEntry,
    since_ms: u64,
}

/// What a new configuration makes of the snapshot before.
pub(super) struct Successor {
    pub(super) backends: Vec<Option<Arc<Backend>>>,
    pub(super) places: Vec<Place>,
    /// Cells of former servers that were given to new ones: their counts begin anew.
    pub(super) reused: Vec<ServerId>,
}

/// The cells while they are handed out.
struct Cells {
    places: Vec<Option<Place>>,
    free: Vec<ServerId>,
    reused: Vec<ServerId>,
}

impl Successor {
    /// `config` must carry the identities of `before` ([`crate::config::align`]).
    pub(super) fn new(before: &Snapshot, config: &Config, load: &Load, now_ms: u64) -> Successor {
        let mut cells = Cells::of(before, load, now_ms);
        let proxies = (0..).map(ProxyId).zip(&config.proxies);
        let backends = proxies
            .map(|(proxy, settings)| {
                let backend =
                    settings.kind.is_backend().then(|| cells.backend(before, config, proxy, now_ms));
                backend.map(Arc::new)
            })
            .collect();
        let Cells { places, reused, .. } = cells;
        let place = |(at, place): (usize, Option<Place>)| place.unwrap_or_else(|| former(before, at, now_ms));
        let places = places.into_iter().enumerate().map(place).collect();
        Successor { backends, places, reused }
    }
}

/// What nobody has any more.
fn former(before: &Snapshot, at: usize, now_ms: u64) -> Place {
    match &before.places[at] {
        &Place::Server(proxy, server) => {
            let entry = before.backend(proxy).servers[usize::from(server)].clone();
            Place::Former(Arc::new(Former { proxy, entry, since_ms: now_ms }))
        }
        gone @ Place::Former(_) => gone.clone(),
    }
}

impl Cells {
    fn of(before: &Snapshot, load: &Load, now_ms: u64) -> Cells {
        let is_free = |(id, place): &(ServerId, &Place)| match place {
            Place::Server(..) => false,
            Place::Former(former) => {
                let cell = load.server(*id);
                former.since_ms + REST_MS <= now_ms && cell.live() == 0 && cell.waiting() == 0
            }
        };
        let all = (0..).map(ServerId).zip(before.places.iter());
        let free = all.filter(is_free).map(|(id, _)| id).collect();
        Cells { places: vec![None; before.places.len()], free, reused: Vec::new() }
    }

    fn backend(&mut self, before: &Snapshot, config: &Config, proxy: ProxyId, now_ms: u64) -> Backend {
        let settings = &config.proxies[usize::from(proxy.0)];
        let known = known_servers(before, proxy);
        let dynamic = weights_are_dynamic(settings);
        let servers = (0..).zip(&settings.servers).map(|(at, server)| {
            let place = Place::Server(proxy, at);
            let former = || known.get(server.former_name.as_deref()?);
            match known.get(server.name.as_str()).or_else(former) {
                Some((entry, written)) => {
                    self.places[entry.id.0 as usize] = Some(place);
                    let mut entry = entry.following(written, server, now_ms);
                    entry.ramp_at(now_ms, dynamic);
                    entry
                }
                None => {
                    let entry = ServerEntry::new(self.give(place), server);
                    ServerEntry { state: ServerState { since_ms: now_ms, ..entry.state }, ..entry }
                }
            }
        });
        let servers = servers.collect();
        let mut backend = Backend::of(config, proxy, servers);
        if let Some(Some(former)) = before.backends.get(usize::from(proxy.0)) {
            backend.follow(former, now_ms);
        }
        backend
    }

    fn give(&mut self, place: Place) -> ServerId {
        match self.free.pop() {
            Some(id) => {
                self.places[id.0 as usize] = Some(place);
                self.reused.push(id);
                id
            }
            None => {
                self.places.push(Some(place));
                ServerId(self.places.len() as u32 - 1)
            }
        }
    }
}

/// The servers that a backend has had so far, by name.
fn known_servers(before: &Snapshot, proxy: ProxyId) -> HashMap<&str, (&ServerEntry, &Server)> {
    let at = usize::from(proxy.0);
    let Some(Some(backend)) = before.backends.get(at) else { return HashMap::new() };
    let pairs = backend.servers.iter().zip(&before.config.proxies[at].servers);
    pairs.map(|(entry, server)| (server.name.as_str(), (entry, server))).collect()
}

impl ServerEntry {
    /// The same server as `server` says it now and `written` said it before. What was changed while running
    /// stays, as long as the file says the same as before.
    fn following(&self, written: &Server, server: &Server, now_ms: u64) -> ServerEntry {
        let mut entry = ServerEntry::new(self.id, server);
        if written.weight == server.weight {
            entry.uweight = self.uweight;
        }
        if same_address(written, server) {
            entry.address = self.address.clone();
        }
        let check_at = |server: &Server| server.check.map(|check| (check.address, check.port));
        if check_at(written) == check_at(server) {
            entry.check_at = self.check_at;
        }
        if (written.maxconn, written.minconn) == (server.maxconn, server.minconn) {
            (entry.maxconn, entry.minconn) = (self.maxconn, self.minconn);
        }
        if written.slowstart_ms == server.slowstart_ms {
            entry.ramp_since_ms = self.ramp_since_ms;
        }
        entry.eviction = self.eviction;
        entry.state = self.state.following(written, server, now_ms);
        entry
    }
}

/// Whether both lines lead to one address, or both to none under one name.
fn same_address(written: &Server, server: &Server) -> bool {
    let told = |server: &Server| (server.address.clone(), server.unresolved.then(|| server.host.clone()));
    told(written) == told(server)
}

impl ServerState {
    fn following(&self, written: &Server, server: &Server, now_ms: u64) -> ServerState {
        let initial = ServerState::initial(server);
        let admin = if written.disabled == server.disabled { self.admin } else { initial.admin };
        let unresolved =
            if same_address(written, server) { self.admin.unresolved } else { server.unresolved };
        let admin = Admin { unresolved, ..admin };
        // A command's server that the file has taken over is checked as any other.
        let same_kind = written.check.is_some() == server.check.is_some() && written.origin == server.origin;
        let checks = if same_kind { self.checks } else { initial.checks };
        let (health, mut check) = match admin.is_out() == self.admin.is_out() {
            true => self.health_following(written, server, initial),
            false => (initial.health, initial.check),
        };
        let health = if admin.is_out() { Health::Down } else { health };
        if checks == Checks::On && self.checks == Checks::Off && health != Health::Down {
            check.health = check.health.max(check.rise);
        }
        let changed = (self.health, self.admin) != (health, admin);
        let (since_ms, aged_ms) = if changed { (now_ms, 0) } else { (self.since_ms, self.aged_ms) };
        ServerState { health, admin, checks, since_ms, aged_ms, check }
    }

    /// What checks saw of an address says nothing about another one; rise and fall begin anew.
    fn health_following(
        &self,
        written: &Server,
        server: &Server,
        initial: ServerState,
    ) -> (Health, CheckReport) {
        let (before, now) = match (written.check, server.check) {
            (Some(before), Some(now)) => (before, now),
            (None, None) => return (self.health, self.check.clone()),
            _ => return (initial.health, initial.check),
        };
        let place = |check: Check| (check.address, check.port);
        if written.address != server.address || place(before) != place(now) {
            return (initial.health, initial.check);
        }
        if before == now {
            return (self.health, self.check.clone());
        }
        let health = if self.health == Health::Down { 0 } else { now.rise };
        let check = CheckReport { health, rise: now.rise, fall: now.fall, ..self.check.clone() };
        (self.health, check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::{Proxy, ProxyKind};
    use crate::stats::counters::WorkerCounters;
    use crate::table::{TablePublisher, fixture};

    fn config(proxies: Vec<Proxy>) -> Arc<Config> {
        Arc::new(Config { proxies, ..Config::default() })
    }

    fn checked(inter_ms: u32) -> Option<Check> {
        let none = None;
        Some(Check {
            inter_ms,
            fastinter_ms: none,
            downinter_ms: none,
            rise: 2,
            fall: 3,
            address: None,
            port: None,
        })
    }

    /// Backend `b` with servers of these names, each checked.
    fn backend(names: &[&str]) -> Proxy {
        let server =
            |name: &&str| Server { name: (*name).to_owned(), check: checked(2_000), ..fixture::server(1) };
        Proxy { servers: names.iter().map(server).collect(), ..fixture::backend("b", 0) }
    }

    struct Rig {
        load: Load,
        counters: Arc<WorkerCounters>,
        publisher: TablePublisher,
    }

    impl Rig {
        fn new(proxy: Proxy) -> Rig {
            let config = config(vec![proxy]);
            let load = Load::new(&config, 1);
            let counters = Arc::new(WorkerCounters::new(&config, load.server_capacity()));
            let mut publisher = TablePublisher::new(config, &load);
            publisher.count_in(vec![Arc::clone(&counters)]);
            Rig { load, counters, publisher }
        }

        fn replace(&mut self, proxies: Vec<Proxy>, now_ms: u64) {
            self.publisher.replace(config(proxies), &self.load, now_ms);
        }

        fn entry(&self, name: &str) -> &ServerEntry {
            let servers = &self.publisher.snapshot().backend(ProxyId(0)).servers;
            servers.iter().find(|server| &*server.name == name).expect("it is there")
        }
    }

    #[test]
    fn a_server_that_stays_keeps_its_cell_and_its_state_wherever_it_stands() {
        let mut rig = Rig::new(backend(&["a", "b"]));
        let id = rig.entry("b").id;
        rig.publisher.update(ProxyId(0), 1, |state| state.health = Health::Down, 500);
        rig.load.server(id).take(None);
        rig.replace(vec![backend(&["c", "b"])], 900);
        let kept = rig.entry("b");
        assert_eq!((kept.id, kept.state.health, kept.state.since_ms), (id, Health::Down, 500));
        assert_eq!((rig.entry("c").state.health, rig.entry("c").state.since_ms), (Health::Up, 900));
        let backend = rig.publisher.snapshot().backend(ProxyId(0));
        assert_eq!((backend.active, backend.selector.candidates()), (1, &[0][..]));
        assert_eq!(rig.publisher.snapshot().server(id).1.id, id);
    }

    #[test]
    fn a_server_that_is_gone_is_known_until_its_cell_is_given_away() {
        let mut rig = Rig::new(backend(&["a", "b"]));
        let id = rig.entry("a").id;
        rig.load.server(id).take(None);
        rig.replace(vec![backend(&["b"])], 1_000);
        let (owner, gone) = rig.publisher.snapshot().server(id);
        assert_eq!((owner.proxy, &*gone.name), (ProxyId(0), "a"));
        rig.counters.server(id).sessions.add(1);
        rig.replace(vec![backend(&["b", "c"])], 1_000 + REST_MS);
        assert_ne!(rig.entry("c").id, id);
        rig.load.server(id).release();
        rig.replace(vec![backend(&["b", "c", "d"])], 1_001 + REST_MS);
        assert_eq!((rig.entry("d").id, rig.load.server(id).peak()), (id, 0));
        assert_eq!(rig.counters.server(id).sessions.value(), 0);
        assert_eq!(rig.publisher.snapshot().server_ids(), 3);
    }

    #[test]
    fn a_cell_is_not_given_away_at_once() {
        let mut rig = Rig::new(backend(&["a"]));
        rig.replace(vec![backend(&[])], 1_000);
        rig.replace(vec![backend(&["b"])], 999 + REST_MS);
        assert_eq!(rig.entry("b").id, ServerId(1));
    }

    #[test]
    fn what_was_changed_at_run_time_stays_until_the_file_says_otherwise() {
        let mut rig = Rig::new(backend(&["a"]));
        rig.publisher.update(ProxyId(0), 0, |state| state.admin.maint = true, 1);
        let mut same = backend(&["a"]);
        same.balance = crate::config::model::Balance::LeastConn;
        rig.replace(vec![same], 2);
        assert!(rig.entry("a").state.admin.maint);
        let mut weighed = backend(&["a"]);
        (weighed.servers[0].weight, weighed.servers[0].disabled) = (7, true);
        rig.replace(vec![weighed], 3);
        assert_eq!((rig.entry("a").uweight, rig.entry("a").state.admin.maint), (7, true));
        rig.replace(vec![backend(&["a"])], 4);
        assert_eq!((rig.entry("a").uweight, rig.entry("a").state.admin.maint), (1, false));
    }

    #[test]
    fn health_is_forgotten_with_the_address_and_kept_with_other_intervals() {
        let mut rig = Rig::new(backend(&["a"]));
        rig.publisher.update(ProxyId(0), 0, |state| state.health = Health::Down, 1);
        let mut slower = backend(&["a"]);
        slower.servers[0].check = checked(9_000);
        rig.replace(vec![slower.clone()], 2);
        assert_eq!((rig.entry("a").state.health, rig.entry("a").state.check.health), (Health::Down, 0));
        slower.servers[0].address = crate::config::model::ServerAddress::Tcp(([10, 0, 0, 9], 1).into());
        rig.replace(vec![slower.clone()], 3);
        assert_eq!((rig.entry("a").state.health, rig.entry("a").state.check.status), (Health::Up, "INI"));
        slower.servers[0].check = None;
        rig.replace(vec![slower], 4);
        assert_eq!(rig.entry("a").state.checks, Checks::Absent);
    }

    #[test]
    fn a_server_without_an_address_keeps_the_one_it_is_told_until_the_file_knows_better() {
        let server = |unresolved, port| {
            let mut proxy = backend(&["a"]);
            let address = crate::config::model::ServerAddress::Tcp(([10, 0, 0, 9], port).into());
            proxy.servers[0] = Server { unresolved, address, ..proxy.servers[0].clone() };
            vec![proxy]
        };
        let mut rig = Rig::new(server(true, 1).remove(0));
        assert!(!rig.entry("a").state.up() && !rig.entry("a").state.is_checked());
        let told: crate::config::model::ServerAddress =
            crate::config::model::ServerAddress::Tcp(([10, 0, 0, 8], 1).into());
        let tell = |entry: &mut ServerEntry| {
            (entry.address, entry.state.admin.unresolved) = (told.clone(), false);
            entry.state.health = Health::Up;
        };
        rig.publisher.alter(ProxyId(0), 0, tell, 1);
        rig.replace(server(true, 1), 2);
        assert!(rig.entry("a").state.up() && rig.entry("a").address == told);
        rig.replace(server(false, 2), 3);
        assert!(rig.entry("a").state.up() && rig.entry("a").address != told);
        rig.replace(server(true, 1), 4);
        assert!(!rig.entry("a").state.up() && rig.entry("a").state.health == Health::Down);
    }

    #[test]
    fn a_backend_that_is_gone_has_no_server_and_no_place_among_the_others() {
        let mut rig = Rig::new(backend(&["a"]));
        let mut gone = Proxy { removed: true, disabled: true, ..backend(&[]) };
        gone.kind = ProxyKind::Backend;
        rig.replace(vec![gone, fixture::backend("new", 1)], 1);
        let snapshot = rig.publisher.snapshot();
        assert!(snapshot.backend(ProxyId(0)).dead());
        assert_eq!(snapshot.backends().map(|backend| backend.proxy).collect::<Vec<_>>(), [ProxyId(1)]);
        assert_eq!(&*snapshot.server(ServerId(0)).1.name, "a");
    }

    #[test]
    fn configurations_are_freed_by_the_publisher_alone() {
        let mut rig = Rig::new(backend(&["a"]));
        let first = Arc::clone(&rig.publisher.snapshot().config);
        let watch = Arc::downgrade(&first);
        rig.replace(vec![backend(&["a"])], 1);
        drop(first);
        assert!(watch.upgrade().is_some(), "the publisher keeps what a session let go");
        rig.replace(vec![backend(&["a"])], 2);
        assert!(watch.upgrade().is_none(), "nobody else had it");
    }
}
