//! Policies, interned: one for each frontend, and one for each backend that a frontend may reach.

use std::collections::HashMap;

use crate::config::model::{Balance, Config, Proxy, ProxyId};
use crate::session::policy::{Hold, Policy};

/// Index of an interned policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PolicyId(pub u16);

/// A policy and whose it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub policy: Policy,
    pub frontend: ProxyId,
    /// None: no backend was chosen yet.
    pub backend: Option<ProxyId>,
}

/// All policies of a configuration.
#[derive(Debug)]
pub(super) struct Policies {
    entries: Vec<Entry>,
    index: HashMap<(ProxyId, Option<ProxyId>), PolicyId>,
}

impl Policies {
    pub(super) fn new(config: &Config) -> Policies {
        let mut policies = Policies { entries: Vec::new(), index: HashMap::new() };
        for (number, frontend) in (0..).zip(&config.proxies) {
            if !frontend.kind.is_frontend() {
                continue;
            }
            policies.intern(config, ProxyId(number), None);
            let named = frontend.use_backends.iter().map(|rule| rule.backend);
            for backend in named.chain(frontend.default_backend) {
                policies.intern(config, ProxyId(number), Some(backend));
            }
        }
        policies
    }

    fn intern(&mut self, config: &Config, frontend: ProxyId, backend: Option<ProxyId>) {
        let next = PolicyId(self.entries.len() as u16);
        let id = *self.index.entry((frontend, backend)).or_insert(next);
        if id == next {
            let of = |id: ProxyId| &config.proxies[usize::from(id.0)];
            let policy = combine(of(frontend), backend.map(of));
            self.entries.push(Entry { policy, frontend, backend });
        }
    }

    pub(super) fn entry(&self, id: PolicyId) -> &Entry {
        &self.entries[usize::from(id.0)]
    }

    /// None: the frontend cannot reach that backend.
    pub(super) fn find(&self, frontend: ProxyId, backend: Option<ProxyId>) -> Option<PolicyId> {
        self.index.get(&(frontend, backend)).copied()
    }
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
