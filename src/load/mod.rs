//! Live counts per frontend, backend and server, outside the snapshot so that a swap never resets them.
//!
//! Whoever starts to wait draws a ticket ([`Cell::enter_queue`]), stands in its own worker's FIFO, publishes
//! that FIFO's head ([`Load::publish_head`]) and chooses once more; so does every later head.
//! Whoever frees a slot releases it, asks [`Load::next_waiter`] and wakes that worker, which serves its
//! FIFO until no slot is left. Whoever takes the last one out of its FIFO, served or not, publishes that,
//! asks again and passes the wake on: two slots may have been freed for one head.
//! A new snapshot may free slots too: a worker that sees one serves its FIFOs.
//! `RUSTFLAGS="--cfg px_loom" cargo test --lib load::model --target-dir target/loom` proves that no slot
//! stays free while somebody waits.

use std::sync::atomic::AtomicU32;

use crossbeam_utils::CachePadded;

use crate::chunks::Chunks;
use crate::config::model::{BindId, Config, ProxyId};
use crate::session::op::ServerId;

mod cell;
#[cfg(test)]
pub mod fixture;
mod heads;
mod meter;
#[cfg(all(test, px_loom))]
mod model;
mod place;
mod sync;

pub use cell::Cell;
pub use meter::Meter;
use place::Place;

/// Where a session may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueueId {
    /// For any server of the backend.
    Backend(ProxyId),
    /// For this server alone.
    Server(ServerId),
}

/// All cells of the process, shared by every thread.
#[derive(Debug)]
pub struct Load {
    process: CachePadded<Cell>,
    connections: CachePadded<Meter>,
    sessions: CachePadded<Meter>,
    frontends: Chunks<CachePadded<Cell>>,
    frontend_sessions: Chunks<CachePadded<Meter>>,
    binds: Chunks<CachePadded<Cell>>,
    backends: Chunks<Place>,
    servers: Chunks<Place>,
    workers_live: Box<[CachePadded<AtomicU32>]>,
}

impl Load {
    /// All zero, with a cell for everything that `config` names.
    pub fn new(config: &Config, workers: usize) -> Load {
        let load = Load {
            process: CachePadded::default(),
            connections: CachePadded::default(),
            sessions: CachePadded::default(),
            frontends: Chunks::default(),
            frontend_sessions: Chunks::default(),
            binds: Chunks::default(),
            backends: Chunks::default(),
            servers: Chunks::default(),
            workers_live: (0..workers).map(|_| CachePadded::default()).collect(),
        };
        load.make_room(config, config.proxies.iter().map(|proxy| proxy.servers.len()).sum());
        load.limit(config, &Config::default());
        load
    }

    /// Adds what is missing for all proxies and binds of `config` and for server cells below `servers`. To be
    /// called before a snapshot with them is published.
    pub fn make_room(&self, config: &Config, servers: usize) {
        let place = || Place::new(self.workers_live.len());
        self.frontends.extend_to(config.proxies.len(), CachePadded::default);
        self.binds.extend_to(config.binds.len(), CachePadded::default);
        self.backends.extend_to(config.proxies.len(), place);
        self.servers.extend_to(servers, place);
        self.frontend_sessions.extend_to(config.proxies.len(), CachePadded::default);
    }

    /// Takes over the limits that `config` has and the configuration before it had not: what was changed at run
    /// time stays.
    pub fn limit(&self, config: &Config, before: &Config) {
        let (now, then) = (&config.global, &before.global);
        if now.maxconn != then.maxconn && now.maxconn.is_some() {
            self.process.set_limit(now.maxconn);
        }
        if now.maxconnrate != then.maxconnrate {
            self.connections.set_limit(now.maxconnrate);
        }
        if now.maxsessrate != then.maxsessrate {
            self.sessions.set_limit(now.maxsessrate);
        }
        for (id, proxy) in (0..).map(ProxyId).zip(&config.proxies) {
            let then = before.proxies.get(usize::from(id.0));
            let (maxconn, rate) = then.map_or((None, None), |then| (then.maxconn, then.session_rate));
            if proxy.maxconn != maxconn {
                self.frontend(id).set_limit(proxy.maxconn);
            }
            if proxy.session_rate != rate {
                self.frontend_sessions(id).set_limit(proxy.session_rate);
            }
        }
    }

    /// Connections accepted per second by the whole process (`maxconnrate`).
    pub fn connections(&self) -> &Meter {
        &self.connections
    }

    /// Sessions begun per second by the whole process (`maxsessrate`).
    pub fn sessions(&self) -> &Meter {
        &self.sessions
    }

    /// Sessions begun per second by a frontend (`rate-limit sessions`).
    pub fn frontend_sessions(&self, proxy: ProxyId) -> &Meter {
        self.frontend_sessions.at(usize::from(proxy.0))
    }

    /// `clear counters`: the most at once begins anew, for everything.
    pub fn forget_peaks(&self) {
        self.process.forget_peaks();
        self.frontends.iter().chain(self.binds.iter()).for_each(|cell| cell.forget_peaks());
        self.backends.iter().chain(self.servers.iter()).for_each(|place| place.cell.forget_peaks());
    }

    /// Server cells there is room for; every [`ServerId`] in use is below it.
    pub fn server_capacity(&self) -> usize {
        self.servers.capacity()
    }

    /// Sessions of the whole process, for the global maxconn.
    pub fn process(&self) -> &Cell {
        &self.process
    }

    /// Sessions that a proxy's frontend side accepted.
    pub fn frontend(&self, proxy: ProxyId) -> &Cell {
        self.frontends.at(usize::from(proxy.0))
    }

    /// Sessions that one address accepted.
    pub fn bind(&self, bind: BindId) -> &Cell {
        self.binds.at(usize::from(bind.0))
    }

    /// Sessions in a proxy's backend side, and those waiting for any of its servers.
    pub fn backend(&self, proxy: ProxyId) -> &Cell {
        &self.backends.at(usize::from(proxy.0)).cell
    }

    /// Sessions that hold a slot of a server, and those waiting for it alone.
    pub fn server(&self, server: ServerId) -> &Cell {
        &self.servers.at(server.0 as usize).cell
    }

    /// Sessions on each worker, for placing accepted connections.
    pub fn worker_live(&self, worker: usize) -> &AtomicU32 {
        &self.workers_live[worker]
    }

    /// Shows the ticket of the first in `worker`'s own FIFO for `queue`; None: nobody waits there. To be
    /// called whenever that head changes; whoever published its own ticket looks for a slot once more.
    pub fn publish_head(&self, worker: usize, queue: QueueId, ticket: Option<u64>) {
        self.place(queue).heads.publish(worker, ticket);
    }

    /// The worker whose head waits longest. To be called right after a slot was released, first for the
    /// server's own queue, then for the backend's.
    pub fn next_waiter(&self, queue: QueueId) -> Option<usize> {
        let place = self.place(queue);
        place.heads.first(&place.cell)
    }

    fn place(&self, queue: QueueId) -> &Place {
        match queue {
            QueueId::Backend(proxy) => self.backends.at(usize::from(proxy.0)),
            QueueId::Server(server) => self.servers.at(server.0 as usize),
        }
    }
}

#[cfg(all(test, not(px_loom)))]
mod tests {
    use super::*;

    /// One backend for each number of servers.
    fn config(servers: &[usize]) -> Config {
        let proxies = servers.iter().map(|&n| fixture::backend("b", n)).collect();
        Config { proxies, ..Config::default() }
    }

    #[test]
    fn queues_of_a_backend_and_its_servers_are_separate() {
        let load = Load::new(&config(&[2]), 2);
        let (whole, one) = (QueueId::Backend(ProxyId(0)), QueueId::Server(ServerId(1)));
        load.backend(ProxyId(0)).enter_queue();
        load.server(ServerId(1)).enter_queue();
        load.publish_head(1, one, Some(4));
        assert_eq!((load.next_waiter(whole), load.next_waiter(one)), (None, Some(1)));
        load.publish_head(0, whole, Some(4));
        load.publish_head(1, one, None);
        assert_eq!((load.next_waiter(whole), load.next_waiter(one)), (Some(0), None));
    }

    #[test]
    fn every_server_of_the_configuration_has_a_cell() {
        let load = Load::new(&config(&[70, 70]), 1);
        assert!(load.server_capacity() >= 140);
        load.server(ServerId(139)).take(None);
        assert_eq!((load.server(ServerId(139)).live(), load.server(ServerId(138)).live()), (1, 0));
    }

    #[test]
    fn what_a_later_configuration_adds_gets_cells_and_the_others_keep_theirs() {
        let load = Load::new(&config(&[1]), 2);
        load.backend(ProxyId(0)).take(None);
        load.make_room(&config(&[1; 40]), 300);
        load.frontend(ProxyId(39)).take(None);
        load.server(ServerId(299)).take(None);
        assert_eq!(load.backend(ProxyId(0)).live(), 1);
        assert_eq!(load.next_waiter(QueueId::Backend(ProxyId(39))), None);
    }
}
