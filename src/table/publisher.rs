//! The one writer of the table.

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};

use crate::balance::weights_are_dynamic;
use crate::config::model::{Config, ProxyId};
use crate::load::Load;
use crate::session::op::ServerId;
use crate::stats::counters::WorkerCounters;

use super::replace::Successor;
use super::{Backend, CheckReport, Outages, Place, ServerEntry, ServerState, Snapshot, TableReader};

/// Shortest time between two steps of slowstart; long ones take 20 steps.
const MIN_STEP_MS: u64 = 1_000;

/// Publishes snapshots; held by the health thread alone.
#[derive(Debug)]
pub struct TablePublisher {
    shared: Arc<ArcSwap<Snapshot>>,
    current: Arc<Snapshot>,
    retired: Vec<Arc<Snapshot>>,
    /// Configurations that were replaced: sessions may hold them longer than any snapshot.
    former: Vec<Arc<Config>>,
    ramping: Vec<(ProxyId, u16)>,
    /// Grow before a snapshot names what they count.
    counters: Vec<Arc<WorkerCounters>>,
    wake: Wake,
}

/// Tells readers that wait for nothing else to look at the table.
#[derive(Default)]
struct Wake(Option<Box<dyn Fn() + Send>>);

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wake")
    }
}

impl TablePublisher {
    /// Publishes the first snapshot: every server as configured. `load` must be made from the same
    /// configuration.
    pub fn new(config: Arc<Config>, load: &Load) -> TablePublisher {
        let mut places = Vec::new();
        let mut backends = Vec::new();
        for (proxy, settings) in (0..).map(ProxyId).zip(&config.proxies) {
            let first_id = ServerId(places.len() as u32);
            places.extend((0..settings.servers.len() as u16).map(|at| Place::Server(proxy, at)));
            backends
                .push(settings.kind.is_backend().then(|| Arc::new(Backend::new(&config, proxy, first_id))));
        }
        assert!(
            places.len() <= load.server_capacity(),
            "the load cells were made from another configuration"
        );
        let current =
            Arc::new(Snapshot { config, generation: 0, eviction: 0, backends, places: places.into() });
        let shared = Arc::new(ArcSwap::new(Arc::clone(&current)));
        TablePublisher {
            shared,
            current,
            retired: Vec::new(),
            former: Vec::new(),
            ramping: Vec::new(),
            counters: Vec::new(),
            wake: Wake::default(),
        }
    }

    /// A view for one worker.
    pub fn reader(&self) -> TableReader {
        TableReader(Cache::new(self.shared()))
    }

    /// The pointer itself, for readers that look now and then.
    pub fn shared(&self) -> Arc<ArcSwap<Snapshot>> {
        Arc::clone(&self.shared)
    }

    /// Publishes another configuration, which must carry the identities of the one before
    /// ([`crate::config::align`]). A server of the same backend and name keeps its cell, its state and what was
    /// changed at run time, unless the file now says otherwise.
    pub fn replace(&mut self, config: Arc<Config>, load: &Load, now_ms: u64) -> &Snapshot {
        let Successor { backends, places, reused } = Successor::new(&self.current, &config, load, now_ms);
        load.make_room(&config, places.len());
        load.limit(&config, &self.current.config);
        reused.iter().for_each(|&id| load.server(id).forget_peaks());
        for counters in &self.counters {
            counters.make_room(&config, places.len());
            reused.iter().for_each(|&id| counters.forget_server(id));
        }
        let ramping = |backend: &Arc<Backend>| {
            let proxy = backend.proxy;
            let ramping = (0..).zip(&backend.servers).filter(|(_, server)| server.ramp_since_ms.is_some());
            ramping.map(|(at, _)| (proxy, at)).collect::<Vec<(ProxyId, u16)>>()
        };
        self.ramping = backends.iter().flatten().flat_map(ramping).collect();
        self.former.push(Arc::clone(&self.current.config));
        let generation = self.current.generation + 1;
        let eviction = self.current.eviction;
        self.make_current(Snapshot { config, generation, eviction, backends, places: places.into() });
        &self.current
    }

    /// Calls `wake` whenever sessions were told to end: their workers may have nothing else to do.
    pub fn on_eviction(&mut self, wake: impl Fn() + Send + 'static) {
        self.wake = Wake(Some(Box::new(wake)));
    }

    /// These count what the snapshots name: a later configuration makes room in them first.
    pub fn count_in(&mut self, counters: Vec<Arc<WorkerCounters>>) {
        self.counters = counters;
    }

    /// What is published now.
    pub fn snapshot(&self) -> &Snapshot {
        &self.current
    }

    /// Changes the state of server number `server` of `proxy` and publishes the result. A server that
    /// comes back from down or maintenance starts slowly if it has `slowstart`.
    pub fn update(
        &mut self,
        proxy: ProxyId,
        server: u16,
        change: impl FnOnce(&mut ServerState),
        now_ms: u64,
    ) -> &Snapshot {
        self.update_all([(proxy, server, change)], now_ms)
    }

    /// Changes the states of several servers as [`TablePublisher::update`] does, and publishes once.
    pub fn update_all<C: FnOnce(&mut ServerState)>(
        &mut self,
        changes: impl IntoIterator<Item = (ProxyId, u16, C)>,
        now_ms: u64,
    ) -> &Snapshot {
        let mut changed: Vec<Backend> = Vec::new();
        let mut to_reselect: Vec<ProxyId> = Vec::new();
        for (proxy, server, change) in changes {
            let at = position_or_clone(&mut changed, &self.current, proxy);
            let of_state = |entry: &mut ServerEntry| change(&mut entry.state);
            if self.change(&mut changed[at], server, of_state, now_ms) && !to_reselect.contains(&proxy) {
                to_reselect.push(proxy);
            }
        }
        for backend in changed.iter_mut().filter(|backend| to_reselect.contains(&backend.proxy)) {
            backend.reselect(&self.current.config.proxies[usize::from(backend.proxy.0)], now_ms);
        }
        if !changed.is_empty() {
            self.publish(changed);
        }
        &self.current
    }

    /// Changes whatever is known of one server, its address and weight too, and publishes the result.
    pub fn alter(
        &mut self,
        proxy: ProxyId,
        server: u16,
        change: impl FnOnce(&mut ServerEntry),
        now_ms: u64,
    ) -> &Snapshot {
        let mut backend = self.current.backend(proxy).clone();
        if self.change(&mut backend, server, change, now_ms) {
            backend.reselect(&self.current.config.proxies[usize::from(proxy.0)], now_ms);
        }
        self.publish(vec![backend]);
        &self.current
    }

    /// `clear counters all`: failed checks and changes of sides are counted anew.
    pub fn forget_counts(&mut self) {
        let mut all: Vec<Backend> = self.current.backends().cloned().collect();
        for backend in &mut all {
            backend.outages.downs = 0;
            for server in &mut backend.servers {
                (server.state.check.fails, server.state.check.downs) = (0, 0);
            }
        }
        self.publish(all);
    }

    /// Lets a server begin otherwise than configured; only before anybody else sees the table.
    pub fn begin_with(&mut self, proxy: ProxyId, server: u16, begin: impl FnOnce(&mut ServerEntry)) {
        let config = Arc::clone(&self.current.config);
        let settings = &config.proxies[usize::from(proxy.0)];
        let mut backend = self.current.backend(proxy).clone();
        let entry = &mut backend.servers[usize::from(server)];
        begin(entry);
        entry.ramp_at(0, weights_are_dynamic(settings));
        backend.reselect(settings, 0);
        backend.outages = Outages::begin(backend.is_down());
        self.publish(vec![backend]);
    }

    /// Whether the choice of a server must be prepared anew.
    fn change(
        &mut self,
        backend: &mut Backend,
        server: u16,
        change: impl FnOnce(&mut ServerEntry),
        now_ms: u64,
    ) -> bool {
        let entry = &mut backend.servers[usize::from(server)];
        let before = (entry.usable(), entry.effective_weight());
        let (was_running, was_up) = (entry.state.running(), entry.state.up());
        let status = (entry.state.health, entry.state.admin);
        change(entry);
        if status != (entry.state.health, entry.state.admin) {
            (entry.state.since_ms, entry.state.aged_ms) = (now_ms, 0);
        }
        if !was_running && entry.state.running() && entry.slowstart_ms.is_some() {
            entry.ramp_since_ms = Some(now_ms);
            self.ramping.retain(|&ramping| ramping != (backend.proxy, server));
            self.ramping.push((backend.proxy, server));
        }
        let settings = &self.current.config.proxies[usize::from(backend.proxy.0)];
        entry.ramp_at(now_ms, weights_are_dynamic(settings));
        let after = (entry.usable(), entry.effective_weight());
        backend.evict(server, was_up, self.current.generation + 1);
        before != after
    }

    /// Publishes what checks saw, for the statistics: nothing that a choice depends on.
    pub fn report(&mut self, reports: impl Iterator<Item = (ProxyId, u16, CheckReport)>) {
        let mut changed: Vec<Backend> = Vec::new();
        for (proxy, server, report) in reports {
            let at = position_or_clone(&mut changed, &self.current, proxy);
            changed[at].servers[usize::from(server)].state.check = report;
        }
        if !changed.is_empty() {
            self.publish(changed);
        }
    }

    /// Takes the slowstart steps that are due, and returns when the next one is; None: no server is
    /// starting slowly.
    pub fn tick(&mut self, now_ms: u64) -> Option<u64> {
        let config = Arc::clone(&self.current.config);
        let settings = |proxy: ProxyId| &config.proxies[usize::from(proxy.0)];
        let mut changed: Vec<Backend> = Vec::new();
        for &(proxy, server) in &self.ramping {
            let at = position_or_clone(&mut changed, &self.current, proxy);
            let dynamic = weights_are_dynamic(settings(proxy));
            changed[at].servers[usize::from(server)].ramp_at(now_ms, dynamic);
        }
        for backend in &mut changed {
            backend.reselect(settings(backend.proxy), now_ms);
        }
        if !changed.is_empty() {
            self.publish(changed);
        }
        self.next_step(now_ms)
    }

    fn next_step(&mut self, now_ms: u64) -> Option<u64> {
        let current = &self.current;
        let slowstart = |&(proxy, server): &(ProxyId, u16)| {
            let entry = &current.backend(proxy).servers[usize::from(server)];
            entry.ramp_since_ms.and(entry.slowstart_ms).map(u64::from)
        };
        self.ramping.retain(|ramping| slowstart(ramping).is_some());
        let steps = self.ramping.iter().filter_map(slowstart).map(|ms| (ms / 20).max(MIN_STEP_MS));
        steps.min().map(|step| now_ms + step)
    }

    /// Replaces `changed` in the table; everything else is shared with the snapshot before.
    fn publish(&mut self, changed: Vec<Backend>) {
        let mut next = Snapshot::clone(&self.current);
        next.generation += 1;
        for backend in changed {
            if backend.servers.iter().any(|server| server.eviction.generation == next.generation) {
                next.eviction = next.generation;
            }
            let at = usize::from(backend.proxy.0);
            next.backends[at] = Some(Arc::new(backend));
        }
        self.make_current(next);
    }

    fn make_current(&mut self, next: Snapshot) {
        let evicts = next.eviction == next.generation;
        let next = Arc::new(next);
        self.shared.store(Arc::clone(&next));
        if let (true, Wake(Some(wake))) = (evicts, &self.wake) {
            wake();
        }
        self.retired.push(std::mem::replace(&mut self.current, next));
        self.retired.retain(|snapshot| Arc::strong_count(snapshot) > 1);
        self.former.retain(|config| Arc::strong_count(config) > 1);
    }
}

/// Where `proxy`'s backend stands in `changed`; a copy of the current one is added when it is new there.
fn position_or_clone(changed: &mut Vec<Backend>, current: &Snapshot, proxy: ProxyId) -> usize {
    // Changes of one backend come together, so that it is mostly the last.
    changed.iter().rposition(|backend| backend.proxy == proxy).unwrap_or_else(|| {
        changed.push(current.backend(proxy).clone());
        changed.len() - 1
    })
}
