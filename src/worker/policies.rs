//! Policies, interned: one for each frontend, and one for each backend that a frontend may reach.
//!
//! A session holds its policy to its end, whatever configuration came meanwhile. A policy that no configuration
//! names any more is given away when nobody holds it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::model::{Balance, Config, Proxy, ProxyId};
use crate::session::policy::{Hold, Policy};

/// Index of an interned policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PolicyId(pub u32);

/// A policy and whose it is.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub policy: Policy,
    pub frontend: ProxyId,
    /// None: no backend was chosen yet.
    pub backend: Option<ProxyId>,
    /// Names and log format of its sessions.
    pub config: Arc<Config>,
    held: u32,
    /// The newest configuration has it.
    named: bool,
}

impl Entry {
    /// The frontend as its sessions know it.
    pub(super) fn frontend_settings(&self) -> &Proxy {
        &self.config.proxies[usize::from(self.frontend.0)]
    }
}

/// Which policy: of a frontend, with or without a backend.
type Key = (ProxyId, Option<ProxyId>);

/// All policies that sessions have or may get.
#[derive(Debug)]
pub(super) struct Policies {
    entries: Vec<Entry>,
    index: HashMap<Key, PolicyId>,
    free: Vec<PolicyId>,
    newest: Arc<Config>,
}

impl Policies {
    pub(super) fn new(config: &Arc<Config>) -> Policies {
        let mut policies = Policies {
            entries: Vec::new(),
            index: HashMap::new(),
            free: Vec::new(),
            newest: Arc::clone(config),
        };
        policies.follow(config);
        policies
    }

    /// New sessions live by `config` from now on, which carries the identities of the one before.
    pub(super) fn follow(&mut self, config: &Arc<Config>) {
        self.newest = Arc::clone(config);
        let before = std::mem::take(&mut self.index);
        before.values().for_each(|&id| self.entry_mut(id).named = false);
        // Frontends that are gone too: their sessions may not have chosen a backend yet.
        for (number, frontend) in (0..).zip(&config.proxies).filter(|(_, proxy)| proxy.kind.is_frontend()) {
            let frontend_id = ProxyId(number);
            let named = frontend.use_backends.iter().map(|rule| Some(rule.backend));
            for backend in [None].into_iter().chain(named).chain([frontend.default_backend]) {
                self.intern(&before, (frontend_id, backend));
            }
        }
        let unnamed = before.into_values().filter(|&id| !self.entry(id).named && self.entry(id).held == 0);
        let unnamed: Vec<PolicyId> = unnamed.collect();
        unnamed.into_iter().for_each(|id| self.give_away(id));
        // A session that ends gives its policy away without allocating.
        self.free.reserve(self.entries.len());
    }

    fn intern(&mut self, before: &HashMap<Key, PolicyId>, key: Key) {
        if self.index.contains_key(&key) {
            return;
        }
        let config = Arc::clone(&self.newest);
        let of = |id: ProxyId| &config.proxies[usize::from(id.0)];
        let policy = combine(of(key.0), key.1.map(of));
        let kept = before.get(&key).copied().filter(|&id| {
            let entry = self.entry(id);
            entry.policy == policy && same_log(entry.frontend_settings(), of(key.0))
        });
        let id = kept.or_else(|| self.free.pop()).unwrap_or(PolicyId(self.entries.len() as u32));
        let held = kept.map_or(0, |id| self.entry(id).held);
        let entry = Entry { policy, frontend: key.0, backend: key.1, config, held, named: true };
        match self.entries.get_mut(id.0 as usize) {
            Some(place) => *place = entry,
            None => self.entries.push(entry),
        }
        self.index.insert(key, id);
    }

    /// The policy of a session that comes from elsewhere: the configuration may connect its frontend and its
    /// backend no more, or never have.
    pub(super) fn find_or_add(&mut self, frontend: ProxyId, backend: Option<ProxyId>) -> PolicyId {
        let key = (frontend, backend);
        self.intern(&HashMap::new(), key);
        self.index[&key]
    }

    pub(super) fn entry(&self, id: PolicyId) -> &Entry {
        &self.entries[id.0 as usize]
    }

    fn entry_mut(&mut self, id: PolicyId) -> &mut Entry {
        &mut self.entries[id.0 as usize]
    }

    /// None: the frontend cannot reach that backend.
    pub(super) fn find(&self, frontend: ProxyId, backend: Option<ProxyId>) -> Option<PolicyId> {
        self.index.get(&(frontend, backend)).copied()
    }

    /// A session lives by it from now on.
    pub(super) fn hold(&mut self, id: PolicyId) {
        self.entry_mut(id).held += 1;
    }

    /// A session lives by it no longer.
    pub(super) fn release(&mut self, id: PolicyId) {
        let entry = self.entry_mut(id);
        entry.held -= 1;
        if entry.held == 0 && !entry.named {
            self.give_away(id);
        }
    }

    /// Its configuration is let go at once: others hold the newest one, the publisher holds the former.
    fn give_away(&mut self, id: PolicyId) {
        let newest = Arc::clone(&self.newest);
        self.entry_mut(id).config = newest;
        self.free.push(id);
    }
}

/// Whether lines of sessions look the same under both.
fn same_log(a: &Proxy, b: &Proxy) -> bool {
    (&a.log_style, a.options, &a.log_tag, a.logs.is_empty())
        == (&b.log_style, b.options, &b.log_tag, b.logs.is_empty())
}

/// The client's timeouts are the frontend's, all others the backend's.
fn combine(frontend: &Proxy, backend: Option<&Proxy>) -> Policy {
    let behind = backend.unwrap_or(frontend);
    let mut timeouts = behind.timeouts;
    timeouts.client_ms = frontend.timeouts.client_ms;
    timeouts.client_fin_ms = frontend.timeouts.client_fin_ms;
    let sees_bytes = frontend.use_backends.iter().filter_map(|rule| rule.condition.as_ref());
    let hold = if frontend.options.connect_on_data {
        Hold::FirstByte
    } else if sees_bytes.into_iter().any(|condition| condition.needs_bytes()) {
        Hold::Glance
    } else {
        Hold::No
    };
    Policy {
        hold,
        retries: behind.retries,
        redispatch_every: behind.redispatch_every,
        redispatch_at_once: matches!(
            behind.balance,
            Balance::RoundRobin | Balance::StaticRr | Balance::Random(_)
        ),
        abort_on_close: frontend.options.abortonclose || behind.options.abortonclose,
        nolinger: [frontend.options.nolinger, behind.options.nolinger],
        timeouts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::fixture;

    /// A listen section `l` with `timeout client` of so many milliseconds, a backend `b`, and rules to it.
    fn config(client_ms: u32, to_b: bool) -> Arc<Config> {
        let mut listen = fixture::backend("l", 1);
        listen.kind = crate::config::model::ProxyKind::Listen;
        listen.timeouts.client_ms = Some(client_ms);
        listen.default_backend = Some(ProxyId(if to_b { 1 } else { 0 }));
        Arc::new(Config { proxies: vec![listen, fixture::backend("b", 1)], ..Config::default() })
    }

    const OWN: Key = (ProxyId(0), Some(ProxyId(0)));
    const TO_B: Key = (ProxyId(0), Some(ProxyId(1)));

    fn find(policies: &Policies, key: Key) -> Option<PolicyId> {
        policies.find(key.0, key.1)
    }

    #[test]
    fn a_session_keeps_its_policy_and_new_ones_get_the_new() {
        let mut policies = Policies::new(&config(1, false));
        let old = find(&policies, OWN).expect("named");
        policies.hold(old);
        policies.follow(&config(2, false));
        let new = find(&policies, OWN).expect("named");
        assert_ne!(old, new);
        let client_ms = |id| policies.entry(id).policy.timeouts.client_ms;
        assert_eq!((client_ms(old), client_ms(new)), (Some(1), Some(2)));
    }

    #[test]
    fn a_policy_that_says_the_same_stays_the_same() {
        let mut policies = Policies::new(&config(1, false));
        let id = find(&policies, OWN).expect("named");
        policies.hold(id);
        let next = config(1, false);
        policies.follow(&next);
        assert_eq!(find(&policies, OWN), Some(id));
        assert!(Arc::ptr_eq(&policies.entry(id).config, &next));
        policies.release(id);
        assert_eq!(find(&policies, OWN), Some(id));
    }

    #[test]
    fn numbers_are_used_again_when_nobody_holds_them() {
        let mut policies = Policies::new(&config(0, false));
        for client_ms in 1..100 {
            let id = find(&policies, OWN).expect("named");
            policies.hold(id);
            policies.follow(&config(client_ms, client_ms % 2 == 0));
            policies.release(id);
            policies.follow(&config(client_ms, false));
        }
        assert!(policies.entries.len() <= 6, "{} policies", policies.entries.len());
        assert_eq!(find(&policies, TO_B), None);
        let mut free = policies.free.clone();
        free.sort_by_key(|id| id.0);
        free.dedup();
        assert_eq!(free.len(), policies.free.len(), "one number was given away twice");
    }
}
