//! Which server gets the next session. Pure; one algorithm a file.
//!
//! The publisher prepares a [`Selector`] for the servers that are usable; workers ask [`choose`], which
//! takes the server's slot at once, so that two workers never fill the same last slot. It neither
//! allocates nor locks.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::model::{Balance, Proxy};
use crate::load::{Load, QueueId};
use crate::table::{Backend, ServerEntry};

#[cfg(test)]
mod behaviour;
pub mod hash;
mod hashed;
mod leastconn;
mod map;
#[cfg(test)]
mod parity;
mod random;
mod ring;
mod slots;
mod smooth;
mod turns;

use hashed::{Hashed, Input};
use slots::Slots;

/// A backend's algorithm, prepared for the servers that are usable now. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Selector {
    candidates: Arc<[u16]>,
    method: Method,
}

#[derive(Clone, Debug)]
enum Method {
    /// No usable server.
    Nobody,
    /// The first backup stands in for all: waited for when it is full.
    Alone(u16),
    /// The order of the servers, repeated for ever.
    Turns(Arc<[u16]>),
    LeastConn,
    /// By HAProxy's server id: the lowest that has a free slot, so that those at the end can be switched off.
    First(Arc<[u16]>),
    Hashed(Hashed),
    Random(random::Draws),
}

/// What the choice may depend on.
#[derive(Debug)]
pub struct Request<'a> {
    /// The client's address as accept(2) gives it, for a mapped IPv4 address hashes as the IPv6 address
    /// that it is; None for a Unix socket.
    pub client: Option<SocketAddr>,
    /// The address it connected to.
    pub local: Option<SocketAddr>,
    /// The server that has just failed this session: taken only if there is no other.
    pub avoid: Option<u16>,
    /// The worker's generator.
    pub random: &'a mut fastrand::Rng,
}

/// Where a session goes. Servers are indices into [`Backend::servers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// To this server; its slot is taken.
    Server(u16),
    /// This server alone will do, and it is full.
    QueueServer(u16),
    /// All usable servers are full.
    QueueBackend,
    /// This server alone will do, it is full, and as many wait for it as its maxqueue allows: the
    /// session ends at once.
    QueueFull(u16),
    /// No server is usable.
    Nobody,
}

impl Selector {
    /// For the servers of `proxy` as they are in `servers`.
    pub fn new(proxy: &Proxy, servers: &[ServerEntry]) -> Selector {
        let usable = |backup: bool| -> Vec<u16> {
            let all = (0..).zip(servers).filter(|(_, server)| server.usable() && server.backup == backup);
            all.map(|(at, _)| at).collect()
        };
        let mut candidates = usable(false);
        let alone = candidates.is_empty() && !proxy.options.allbackups;
        if candidates.is_empty() {
            candidates = usable(true);
        }
        if alone {
            candidates.truncate(1);
        }
        let waited_for = matches!(proxy.balance, Balance::RoundRobin | Balance::LeastConn | Balance::First);
        let method = match candidates.first() {
            None => Method::Nobody,
            Some(&backup) if alone && waited_for => Method::Alone(backup),
            Some(_) => Method::new(proxy, servers, &candidates),
        };
        Selector { candidates: candidates.into(), method }
    }

    /// The servers that sessions go to now, in file order: the usable ones, or the backups that stand in.
    pub fn candidates(&self) -> &[u16] {
        &self.candidates
    }
}

/// Whether weights may change at run time under the algorithm of `proxy`; the static ones know only a
/// server's whole weight or none.
pub fn weights_are_dynamic(proxy: &Proxy) -> bool {
    match proxy.balance {
        Balance::StaticRr => false,
        Balance::Source | Balance::Hash(_) => proxy.hash_type.consistent,
        Balance::RoundRobin | Balance::LeastConn | Balance::First | Balance::Random(_) => true,
    }
}

impl Method {
    fn new(proxy: &Proxy, servers: &[ServerEntry], candidates: &[u16]) -> Method {
        let entry = |&at: &u16| &servers[usize::from(at)];
        let weights = || -> Vec<(u16, u32)> {
            candidates.iter().map(|at| (*at, entry(at).effective_weight())).collect()
        };
        match proxy.balance {
            Balance::RoundRobin => Method::Turns(smooth::sequence(&weights()).into()),
            Balance::StaticRr => Method::Turns(map::of(proxy, servers, candidates).into()),
            Balance::LeastConn => Method::LeastConn,
            Balance::First => Method::First(by_number(servers, candidates)),
            Balance::Source => Method::Hashed(Hashed::new(Input::Source, proxy, servers, candidates)),
            Balance::Hash(input) => {
                Method::Hashed(Hashed::new(Input::Expression(input), proxy, servers, candidates))
            }
            Balance::Random(draws) => Method::Random(random::Draws::new(draws, &weights())),
        }
    }
}

fn by_number(servers: &[ServerEntry], candidates: &[u16]) -> Arc<[u16]> {
    let mut order = candidates.to_vec();
    order.sort_by_key(|&at| servers[usize::from(at)].number);
    order.into()
}

/// The server for a new session, or for one that has to try again after a failed connect. It does not
/// overtake those who wait.
pub fn choose(backend: &Backend, load: &Load, request: Request<'_>) -> Choice {
    Slots::new(backend, load).choose(request)
}

/// The server for a session that waits in `queue`. Any answer but [`Choice::Server`] and the queue it is
/// in already means that it has to move: its server is out of service, and `option redispatch` lets it go.
pub fn resume(backend: &Backend, load: &Load, queue: QueueId, request: Request<'_>) -> Choice {
    let slots = Slots::new(backend, load).of_waiter();
    let QueueId::Server(id) = queue else { return slots.choose(request) };
    let waited_for = (0..).zip(&backend.servers).find(|(_, server)| server.id == id);
    match waited_for {
        Some((at, server)) if server.usable() && slots.take(at) => Choice::Server(at),
        Some((at, server)) if server.usable() || !backend.redispatches => Choice::QueueServer(at),
        _ => choose(backend, load, request),
    }
}

impl Slots<'_> {
    fn choose(&self, request: Request<'_>) -> Choice {
        match self.method() {
            Method::Nobody => Choice::Nobody,
            Method::Alone(backup) => self.take_or_wait(*backup),
            Method::Turns(_) | Method::First(_) | Method::Random(_) if self.behind_others() => {
                Choice::QueueBackend
            }
            Method::Turns(sequence) => turns::choose(sequence, self, request.avoid),
            Method::LeastConn => leastconn::choose(self, request.avoid),
            Method::First(order) => self.take_first(order.iter().copied(), request.avoid),
            Method::Hashed(hashed) => hashed.choose(self, &request),
            Method::Random(draws) => draws.choose(self, request.avoid, request.random),
        }
    }
}
