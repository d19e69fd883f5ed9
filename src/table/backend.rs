//! One backend of a snapshot: its servers as they are now, and the choice prepared from that.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::balance::Selector;
use crate::config::model::{Config, Proxy, ProxyId, Server, ServerAddress};
use crate::session::op::ServerId;
use crate::session::termination::Cause;

use super::outages::Outages;
use super::state::ServerState;

/// Steps of a weight: an effective weight is counted in sixteenths, so that slowstart has 16 steps
/// even at weight 1.
pub const WEIGHT_STEPS: u32 = 16;

/// A backend as published. Never changed afterwards.
#[derive(Clone, Debug)]
pub struct Backend {
    /// The proxy it belongs to.
    pub proxy: ProxyId,
    /// In file order, as in [`Proxy::servers`].
    pub servers: Vec<ServerEntry>,
    /// The algorithm, prepared for the servers that are usable now.
    pub selector: Selector,
    /// Usable servers that are no backups (`act`).
    pub active: u32,
    /// Usable backup servers (`bck`).
    pub backup: u32,
    /// Sessions from which on every server may use its whole maxconn.
    pub fullconn: u32,
    /// `option redispatch`: who waits for a server that is out of service goes on to another one.
    pub redispatches: bool,
    /// When it could serve.
    pub outages: Outages,
}

/// A server as published.
#[derive(Clone, Debug)]
pub struct ServerEntry {
    /// Its cell.
    pub id: ServerId,
    /// Its name, for the log lines of its sessions.
    pub name: Arc<str>,
    /// HAProxy's id inside the backend.
    pub number: u32,
    /// Where it is reached.
    pub address: ServerAddress,
    /// `source` of the server itself.
    pub source: Option<SocketAddr>,
    /// Where its checks go, if not to the server: `addr` and `port` of its line, or as changed since.
    pub check_at: (Option<IpAddr>, Option<u16>),
    /// `maxconn`; None: unlimited.
    pub maxconn: Option<u32>,
    /// `minconn`, if it is not maxconn: the limit then moves with the backend's load.
    pub minconn: Option<u32>,
    /// `maxqueue`; None: unlimited.
    pub maxqueue: Option<u32>,
    /// Effective weight now, slowstart applied, rounded up as the statistics show it; 0 when draining.
    pub weight: u16,
    /// The weight asked for, 0 to 256.
    pub uweight: u16,
    /// `backup`.
    pub backup: bool,
    /// `slowstart`.
    pub slowstart_ms: Option<u32>,
    /// While in slowstart: when it came back, process clock.
    pub ramp_since_ms: Option<u64>,
    /// Share of the weight now, in sixteenths: 1 to 16.
    pub ramp: u8,
    /// Share of maxconn now, percent: 100 but in slowstart.
    pub slots_percent: u8,
    /// Health and administrative state.
    pub state: ServerState,
    /// `on-marked-down shutdown-sessions`.
    pub on_marked_down: bool,
    /// `on-marked-up shutdown-backup-sessions`.
    pub on_marked_up: bool,
    /// When its sessions were last told to end.
    pub eviction: Eviction,
}

/// An order to end the sessions that a server had when a snapshot was published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Eviction {
    /// The snapshot's generation; 0: it never happened.
    pub generation: u64,
    /// What their log lines say: [`Cause::Down`] or [`Cause::Up`].
    pub cause: Cause,
}

impl ServerEntry {
    /// As configured, with `id` as its cell.
    pub fn new(id: ServerId, server: &Server) -> ServerEntry {
        let minconn = server.minconn.unwrap_or(0);
        // minconn alone, or not below maxconn, is a fixed limit.
        let maxconn = server.maxconn.unwrap_or(0).max(minconn);
        let mut entry = ServerEntry {
            id,
            name: server.name.as_str().into(),
            number: server.id,
            address: server.address.clone(),
            source: server.source,
            check_at: server.check.map_or((None, None), |check| (check.address, check.port)),
            maxconn: (maxconn > 0).then_some(maxconn),
            minconn: (0 < minconn && minconn < maxconn).then_some(minconn),
            maxqueue: server.maxqueue.filter(|&n| n > 0),
            weight: 0,
            uweight: server.weight,
            backup: server.backup,
            slowstart_ms: server.slowstart_ms.filter(|&ms| ms > 0),
            ramp_since_ms: None,
            ramp: WEIGHT_STEPS as u8,
            slots_percent: 100,
            state: ServerState::initial(server),
            on_marked_down: server.on_marked_down,
            on_marked_up: server.on_marked_up,
            eviction: Eviction::default(),
        };
        entry.weigh();
        entry
    }

    /// `set maxconn server`; 0: unlimited. A limit that moves with the load keeps its minconn, below which it does not
    /// go; one that was set to just that is fixed from then on, as in HAProxy.
    pub fn set_maxconn(&mut self, maxconn: u32) {
        self.maxconn = (maxconn > 0).then_some(maxconn);
        self.minconn = self.minconn.filter(|&minconn| minconn != maxconn);
    }

    /// Effective weight in sixteenths: what the algorithms work with.
    pub fn effective_weight(&self) -> u32 {
        if self.state.admin.drain { 0 } else { u32::from(self.uweight) * u32::from(self.ramp) }
    }

    /// Whether new sessions may go to it, full or not.
    pub fn usable(&self) -> bool {
        self.state.running() && self.effective_weight() > 0
    }

    /// Sessions it may hold while `backend_live` sessions are in its backend; None: unlimited
    /// (configuration manual, `minconn`, `fullconn`, `slowstart`).
    pub fn limit(&self, backend_live: impl FnOnce() -> u32, fullconn: u32) -> Option<u32> {
        let maxconn = self.maxconn?;
        let limit = match self.minconn {
            None => maxconn,
            Some(minconn) => sliding(minconn, maxconn, backend_live(), fullconn),
        };
        match self.slots_percent {
            100 => Some(limit),
            percent => Some((u64::from(limit) * u64::from(percent) / 100).max(1) as u32),
        }
    }

    /// The share of its weight in percent while it is in slowstart (`throttle`).
    pub fn throttle(&self) -> Option<u8> {
        self.ramp_since_ms.map(|_| (u32::from(self.ramp) * 100 / WEIGHT_STEPS) as u8)
    }

    /// Sets what slowstart makes of maxconn at `now_ms`, and of the weight if the algorithm is `dynamic`.
    pub(super) fn ramp_at(&mut self, now_ms: u64, dynamic: bool) {
        (self.ramp, self.slots_percent) = match (self.ramp_since_ms, self.slowstart_ms) {
            (Some(since), Some(slowstart)) if now_ms.saturating_sub(since) < u64::from(slowstart) => {
                let (elapsed, slowstart) = (now_ms.saturating_sub(since), u64::from(slowstart));
                let step = (u64::from(WEIGHT_STEPS) * elapsed + slowstart) / slowstart;
                let step = if dynamic { step } else { u64::from(WEIGHT_STEPS) };
                (step as u8, (100 * elapsed / slowstart) as u8)
            }
            _ => {
                self.ramp_since_ms = None;
                (WEIGHT_STEPS as u8, 100)
            }
        };
        self.weigh();
    }

    fn weigh(&mut self) {
        self.weight = self.effective_weight().div_ceil(WEIGHT_STEPS) as u16;
    }
}

/// The limit of a server whose minconn differs from its maxconn.
fn sliding(minconn: u32, maxconn: u32, backend_live: u32, fullconn: u32) -> u32 {
    if backend_live >= fullconn {
        return maxconn;
    }
    let share = u64::from(backend_live) * u64::from(maxconn) / u64::from(fullconn);
    minconn.max(share as u32)
}

impl Backend {
    /// As configured; the cells of its servers are `first_id` and those after it.
    pub fn new(config: &Config, proxy: ProxyId, first_id: ServerId) -> Backend {
        let ids = (first_id.0..).map(ServerId);
        let servers = &config.proxies[usize::from(proxy.0)].servers;
        Backend::of(config, proxy, ids.zip(servers).map(|(id, s)| ServerEntry::new(id, s)).collect())
    }

    /// With these servers, one for each of the configuration.
    pub(super) fn of(config: &Config, proxy: ProxyId, servers: Vec<ServerEntry>) -> Backend {
        let settings = &config.proxies[usize::from(proxy.0)];
        let selector = Selector::new(settings, &servers);
        let fullconn = settings.fullconn.unwrap_or_else(|| default_fullconn(config, proxy));
        let outages = Outages::default();
        let redispatches = settings.redispatch_every != 0;
        let (active, backup) = (0, 0);
        let mut backend =
            Backend { proxy, servers, selector, active, backup, fullconn, redispatches, outages };
        backend.count();
        backend.outages = Outages::begin(backend.is_down());
        backend
    }

    /// Total effective weight of the servers that sessions go to now (`weight` of the backend's row).
    pub fn total_weight(&self) -> u32 {
        let sixteenths: u32 = self
            .selector
            .candidates()
            .iter()
            .map(|&at| self.servers[usize::from(at)].effective_weight())
            .sum();
        sixteenths.div_ceil(WEIGHT_STEPS)
    }

    /// Whether no session can be served: `backend B has no server available!`.
    pub fn dead(&self) -> bool {
        self.active + self.backup == 0
    }

    /// Prepares the choice anew, after a server's weight or usability changed.
    pub(super) fn reselect(&mut self, settings: &Proxy, now_ms: u64) {
        self.selector = Selector::new(settings, &self.servers);
        self.count();
        self.outages.note(self.is_down(), now_ms);
    }

    /// Goes on from the history of the same backend in the configuration before.
    pub(super) fn follow(&mut self, before: &Backend, now_ms: u64) {
        self.outages = before.outages;
        self.outages.note(self.is_down(), now_ms);
    }

    /// `DOWN` in its row: one without servers is up.
    pub fn is_down(&self) -> bool {
        self.dead() && !self.servers.is_empty()
    }

    /// Notes whose sessions end because a server's state changed from `was_up`, in the snapshot of `generation`.
    pub(super) fn evict(&mut self, server: u16, was_up: bool, generation: u64) {
        let entry = &mut self.servers[usize::from(server)];
        match (was_up, entry.state.up()) {
            (true, false) if entry.on_marked_down => {
                entry.eviction = Eviction { generation, cause: Cause::Down };
            }
            (false, true) if entry.on_marked_up && !entry.backup && entry.usable() => {
                for backup in self.servers.iter_mut().filter(|server| server.backup) {
                    backup.eviction = Eviction { generation, cause: Cause::Up };
                }
            }
            _ => {}
        }
    }

    fn count(&mut self) {
        let usable =
            |backup: bool| self.servers.iter().filter(|s| s.usable() && s.backup == backup).count() as u32;
        (self.active, self.backup) = (usable(false), usable(true));
    }
}

/// A tenth of the maxconn of all frontends in use that may send to `proxy`, rounded up, at least 1
/// (configuration manual, `fullconn`).
fn default_fullconn(config: &Config, proxy: ProxyId) -> u32 {
    let reaches = |frontend: &&Proxy| {
        frontend.kind.is_frontend()
            && !frontend.disabled
            && (frontend.default_backend == Some(proxy)
                || frontend.use_backends.iter().any(|rule| rule.backend == proxy))
    };
    let frontends = config.proxies.iter().filter(reaches);
    let global = u64::from(config.global.maxconn.unwrap_or(0));
    let total: u64 = frontends.map(|frontend| frontend.maxconn.map_or(global, u64::from)).sum();
    total.div_ceil(10).clamp(1, u64::from(u32::MAX)) as u32
}
