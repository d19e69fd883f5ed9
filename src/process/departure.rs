//! Giving up listening sockets without losing a connection that waits in one of them.
//!
//! Closing a member of a SO_REUSEPORT group resets what its queue holds. So the group is first steered to the
//! successor's members, the own ones are served until nothing comes any more, and only then closed, one by
//! one, the last one first. Where connections may go meanwhile, `places` knows.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::listeners::Tables;
use super::places::{self, Places};
use super::predecessors::is_alive;
use crate::admin::handover::{Held, Holdings, Taker};
use crate::sys::passing::is_readable;
use crate::sys::reuseport;
use crate::sys::socket::local_address;

/// How long nothing must have come: longer than a handshake that was begun with an own socket takes.
const QUIET: Duration = Duration::from_millis(250);
/// How long all of that may take; then the workers take out what is left.
const AT_MOST: Duration = Duration::from_secs(2);
/// How often the queues are looked at.
const LOOK: Duration = Duration::from_millis(5);

/// The sockets of one address, and where they stand.
#[derive(Debug)]
struct Group {
    own: Vec<Held>,
    places: Places,
    /// The first own socket lives on in the successor, which closes the other ones.
    first_lives: bool,
}

/// The sockets of a process that is to listen no more.
#[derive(Debug, Default)]
pub struct Departure {
    groups: Vec<Group>,
}

impl Departure {
    /// Looks who listens beside this process. Nothing to hand on to: the departure is empty.
    pub fn plan(holdings: &Holdings, tables: Option<&Tables>) -> Departure {
        let Some(tables) = tables else { return Departure::default() };
        // Whoever runs and has got all of them serves them on: closing the copies here resets nothing.
        if holdings.taker.is_some_and(|(taker, pid)| taker == Taker::Pronk && is_alive(pid)) {
            return Departure::default();
        }
        let taken = holdings.taker.is_some_and(|(taker, _)| taker == Taker::Haproxy);
        let groups = by_address(&holdings.held).into_iter().filter_map(|(address, own)| {
            let all = tables.count(address).unwrap_or(0);
            let later = all.saturating_sub(own.len() as u32);
            let first_lives = later == 0 && taken && own.len() > 1;
            tracing::debug!(%address, own = own.len(), later, taken, "leaving");
            let places = Places::new(own.len(), later as usize);
            (later > 0 || first_lives).then_some(Group { own, places, first_lives })
        });
        Departure { groups: groups.collect() }
    }

    /// Whether the sockets may be closed as they are.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Steers every group away and waits until nothing comes to the own sockets any more; whoever accepts
    /// from them goes on meanwhile.
    pub async fn prepare(&self) {
        for group in &self.groups {
            group.steer(if group.first_lives { 0..1 } else { group.places.heirs() });
        }
        self.quiet().await;
    }

    /// The workers in the order in which they are to stop listening: whose sockets stand last comes first. None
    /// when there is nothing to hand on.
    pub fn order(&self, workers: usize) -> Vec<usize> {
        let Some(first) = self.groups.first().map(|group| &group.own) else { return Vec::new() };
        let mut order: Vec<usize> = first.iter().rev().filter_map(|held| held.worker).collect();
        order.extend((0..workers).rev());
        let mut seen = vec![false; workers];
        order.retain(|&worker| worker < workers && !std::mem::replace(&mut seen[worker], true));
        order
    }

    /// Closes the sockets of a worker that holds them no more itself. Where a connection may have gone astray
    /// meanwhile, it waits until the workers left have accepted it.
    pub async fn close_of(&mut self, worker: usize) {
        if self.close_if(|held| held.worker == Some(worker)) {
            self.quiet().await;
        }
    }

    /// Closes what is left: sockets of the control thread.
    pub fn close(mut self) {
        self.close_if(|_| true);
    }

    fn close_if(&mut self, leaves: impl Fn(&Held) -> bool) -> bool {
        let mut astray = false;
        for group in &mut self.groups {
            astray |= group.close_if(&leaves);
        }
        astray
    }

    async fn quiet(&self) {
        let deadline = Instant::now() + AT_MOST;
        let mut since = Instant::now();
        while since.elapsed() < QUIET && Instant::now() < deadline {
            sleep(LOOK).await;
            if self.groups.iter().flat_map(Group::leaving).any(is_readable) {
                since = Instant::now();
            }
        }
    }
}

impl Drop for Departure {
    /// A socket that lives on is the only member then: whoever joins later shall get connections too.
    fn drop(&mut self) {
        self.groups.iter().filter(|group| group.first_lives).for_each(Group::release);
    }
}

impl Group {
    /// Closes own sockets, the last one first; true: some connection may have been given to one that is open yet.
    fn close_if(&mut self, leaves: impl Fn(&Held) -> bool) -> bool {
        let mut astray = false;
        for at in (usize::from(self.first_lives)..self.own.len()).rev() {
            if !leaves(&self.own[at]) {
                continue;
            }
            if self.first_lives {
                self.own.remove(at);
                continue;
            }
            let (meanwhile, certain) = self.places.while_leaving(at);
            self.steer(meanwhile);
            self.own.remove(at);
            self.places.leave(at);
            if !certain && !self.own.is_empty() {
                self.steer(self.places.heirs());
                astray = true;
            }
        }
        astray
    }

    fn steer(&self, to: Range<usize>) {
        let Some(member) = self.own.first() else { return };
        let (first, count) = (to.start as u32, to.len() as u32);
        tracing::debug!(first, count, "steering");
        if let Err(error) = reuseport::steer(member.socket.as_fd(), first, count) {
            tracing::warn!(%error, "cannot steer new connections to the successor");
        }
    }

    fn release(&self) {
        if let Some(member) = self.own.first() {
            // Fails when there is no program, which is what is wanted.
            let _ = reuseport::release(member.socket.as_fd());
        }
    }

    /// The own sockets that will be gone.
    fn leaving(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.own.iter().skip(usize::from(self.first_lives)).map(|held| held.socket.as_fd())
    }
}

fn by_address(held: &[Held]) -> BTreeMap<SocketAddr, Vec<Held>> {
    let mut groups: BTreeMap<SocketAddr, Vec<Held>> = BTreeMap::new();
    for held in held {
        if let Some(address) = local_address(held.socket.as_fd()) {
            groups.entry(address).or_default().push(held.clone());
        }
    }
    groups
}

/// Whether this process alone listens on its addresses.
pub fn is_alone(holdings: &Holdings, tables: &Tables) -> bool {
    let groups = by_address(&holdings.held);
    groups.into_iter().all(|(address, own)| tables.count(address).is_ok_and(|all| all as usize == own.len()))
}

/// Puts the sockets of each address into the order in which they stand once `before` members that had joined
/// earlier have left, the last one first.
pub fn reorder(holdings: &mut Holdings, before: &BTreeMap<SocketAddr, u32>) {
    let mut groups = by_address(&holdings.held);
    for (address, own) in &mut groups {
        let earlier = before.get(address).copied().unwrap_or(0) as usize;
        let order = places::after_departure(earlier, own.len());
        *own = order.into_iter().map(|at| own[at].clone()).collect();
    }
    let others = holdings.held.iter().filter(|held| local_address(held.socket.as_fd()).is_none()).cloned();
    holdings.held = others.collect();
    holdings.held.extend(groups.into_values().flatten());
}

/// Takes away what a predecessor has steered: an index may mean somebody else one day.
pub fn release(holdings: &Holdings) {
    for held in &holdings.held {
        // Fails where there is nothing to take away.
        let _ = reuseport::release(held.socket.as_fd());
    }
}
