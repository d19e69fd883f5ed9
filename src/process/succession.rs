//! What connects this process with the one before it and the one behind it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{Shutdown, SocketAddr};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use super::departure::{self, Departure};
use super::listeners::Tables;
use super::mark::{Mark, Sign};
use super::predecessors::Predecessors;
use super::upgrade;
use crate::admin::handover::{self, Holdings};
use crate::admin::upgrade::Foreman;
use crate::table::Snapshot;
use crate::worker::Peers;
use crate::worker::mailbox::{Command, Crew};

/// How long a worker may take to close its listening sockets.
const CLOSING: Duration = Duration::from_secs(1);
/// How often it is looked whether somebody has closed its sockets.
const LOOK: Duration = Duration::from_millis(2);
/// How long a predecessor may listen beside this process.
const SETTLING: Duration = Duration::from_secs(4);

/// The control thread's part in reloads.
#[derive(Debug)]
pub struct Succession {
    /// Every listening socket of the process, which a successor may ask for.
    pub holdings: handover::Shared,
    tables: Option<Rc<Tables>>,
    predecessors: Predecessors,
    /// The way to their sessions.
    sessions: Option<UnixStream>,
    /// How many sockets listened on an address before this process did.
    earlier: BTreeMap<SocketAddr, u32>,
    listening: Option<Mark>,
    settling: Option<Mark>,
}

impl Succession {
    /// With the sockets of this process, and the processes that it replaces.
    pub fn new(
        holdings: Holdings,
        earlier: BTreeMap<SocketAddr, u32>,
        tables: Option<Tables>,
        (predecessors, sessions): (Predecessors, Option<UnixStream>),
    ) -> Succession {
        // Without a sign a successor does not wait, which costs a connection at worst.
        let settling = (!predecessors.pids.is_empty()).then(|| Mark::set(Sign::Settling).ok()).flatten();
        Succession {
            holdings: Rc::new(RefCell::new(holdings)),
            tables: tables.map(Rc::new),
            predecessors,
            sessions,
            earlier,
            listening: Mark::set(Sign::Listening).ok(),
            settling,
        }
    }

    /// Everything runs here: the sessions of a predecessor that gives them are taken. What comes back ends when
    /// all that could move at once have; None: there is none to wait for.
    pub fn take_sessions(
        &mut self,
        crew: &Crew,
        table: &Arc<ArcSwap<Snapshot>>,
    ) -> Option<oneshot::Receiver<()>> {
        self.sessions.take().and_then(|stream| take_sessions(stream, crew, table))
    }

    /// Predecessors go, and once they listen no more, their steering is taken away.
    pub fn dismiss(&mut self) {
        let mut predecessors = std::mem::take(&mut self.predecessors);
        predecessors.dismiss();
        let (tables, settling, holdings) =
            (self.tables.clone(), self.settling.take(), Rc::clone(&self.holdings));
        let earlier = std::mem::take(&mut self.earlier);
        tokio::task::spawn_local(async move {
            let (Some(tables), Some(settling)) = (tables, settling) else { return };
            let deadline = Instant::now() + SETTLING;
            let together = || predecessors.listen() || !departure::is_alone(&holdings.borrow(), &tables);
            while together() && Instant::now() < deadline {
                sleep(LOOK).await;
            }
            departure::reorder(&mut holdings.borrow_mut(), &earlier);
            departure::release(&holdings.borrow());
            drop(settling);
        });
    }

    /// Ends all listening without losing a connection. `serving` are the control thread's own listeners.
    pub fn leave(&mut self, crew: Crew, peers: Arc<Peers>, serving: Vec<JoinHandle<()>>) -> JoinHandle<()> {
        let departure = Departure::plan(&self.holdings.borrow(), self.tables.as_deref());
        let (listening, holdings) = (self.listening.take(), Rc::clone(&self.holdings));
        tokio::task::spawn_local(async move {
            leave(departure, crew, peers, serving, holdings).await;
            drop(listening);
        })
    }
}

/// Takes the sessions on a thread that ends with the process; answers when all that could move have been offered.
fn take_sessions(
    stream: UnixStream,
    crew: &Crew,
    table: &Arc<ArcSwap<Snapshot>>,
) -> Option<oneshot::Receiver<()>> {
    let (told, offered) = oneshot::channel();
    let (crew, table, mut told) = (crew.clone(), Arc::clone(table), Some(told));
    let taking = move || {
        let taken = Foreman::new(crew).and_then(|foreman| {
            upgrade::take(&stream, &foreman, &table, |sums| {
                tracing::info!(sums.taken, sums.left, "sessions were taken over");
                told.take().map(|told| told.send(()));
            })
        });
        if let Err(error) = taken {
            tracing::info!(%error, "the old process keeps the sessions it has");
        }
        // Copies of this end may be open: it learns at once that nobody listens any more.
        let _ = stream.shutdown(Shutdown::Both);
    };
    let thread = thread::Builder::new().name("upgrade".to_owned()).spawn(taking);
    thread.ok().map(|_| offered)
}

async fn leave(
    mut departure: Departure,
    crew: Crew,
    peers: Arc<Peers>,
    serving: Vec<JoinHandle<()>>,
    holdings: handover::Shared,
) {
    if holdings.borrow().may_be_shared() {
        // The successor has the same stats sockets: who asks there from now on means the successor.
        serving.iter().for_each(JoinHandle::abort);
    }
    if !departure.is_empty() {
        departure.prepare().await;
    }
    // From here on the departure holds the only copies.
    holdings.borrow_mut().held.clear();
    holdings.borrow_mut().give_all_up();
    if departure.is_empty() {
        crew.tell(|| Command::SoftStop);
    }
    for index in departure.order(crew.count()) {
        let deadline = Instant::now() + CLOSING;
        let _told = timeout_at(deadline, crew.order(index, Command::SoftStop)).await;
        while peers.listens(index) && Instant::now() < deadline {
            sleep(LOOK).await;
        }
        departure.close_of(index).await;
    }
    serving.iter().for_each(JoinHandle::abort);
    departure.close();
}
