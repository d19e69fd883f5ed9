//! Orders from the control thread to the workers, and back.
//!
//! ```text
//! Crew --Order--> mailbox of a worker --(done)--> Returns --> whoever waits for it
//! ```
//! Both ways are bounded and ring a bell: an eventfd that the worker's ring watches, a pipe that the control
//! thread does. Every order comes back, so that what it holds is freed where it was made.

mod batch;
mod command;

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

use rustix::event::{EventfdFlags, eventfd};
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::net::unix::pipe::Receiver as PipeReader;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

pub use batch::{BYTES, Batch, DESCRIPTORS, Moving, Staying};
pub use command::{Command, Cut, Forget, Leave, Resume, STEP, SessionId, SessionRow, Walk, Whom};

/// Orders under way to one worker, done or not; more wait at the sender.
const CAPACITY: usize = 64;
/// Commands that nobody waits for: to stop, softly and at once.
const SPARE: usize = 8;

/// A command on its way to a worker or back.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) command: Command,
    /// None: nobody waits for it.
    back: Option<Back>,
}

/// Where an order goes when it is done, and its place among the orders under way.
#[derive(Debug)]
struct Back {
    answer: oneshot::Sender<Command>,
    _place: OwnedSemaphorePermit,
}

/// The control thread's way to all workers; clones share it.
#[derive(Clone, Debug)]
pub struct Crew(Arc<[Lane]>);

/// The way to one worker.
#[derive(Debug)]
struct Lane {
    orders: SyncSender<Order>,
    bell: Arc<OwnedFd>,
    places: Arc<Semaphore>,
}

/// A worker's end.
#[derive(Debug)]
pub struct Mailbox {
    orders: Receiver<Order>,
    bell: Arc<OwnedFd>,
    done: SyncSender<Order>,
    done_bell: Arc<OwnedFd>,
}

/// Orders that come back.
#[derive(Debug)]
pub struct Returns {
    done: Receiver<Order>,
    bell: OwnedFd,
}

/// A mailbox for each worker, the way to all of them, and the way back.
///
/// # Errors
/// EMFILE or ENOMEM from eventfd(2) or pipe(2).
pub fn crew(workers: usize) -> io::Result<(Crew, Vec<Mailbox>, Returns)> {
    let (give_back, done) = sync_channel(workers * CAPACITY);
    let (heard, rung) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let done_bell = Arc::new(rung);
    let (mut lanes, mut mailboxes) = (Vec::new(), Vec::new());
    for _ in 0..workers {
        let (sender, orders) = sync_channel(CAPACITY + SPARE);
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let places = Arc::new(Semaphore::new(CAPACITY));
        lanes.push(Lane { orders: sender, bell: Arc::clone(&bell), places });
        mailboxes.push(Mailbox { orders, bell, done: give_back.clone(), done_bell: Arc::clone(&done_bell) });
    }
    Ok((Crew(lanes.into()), mailboxes, Returns { done, bell: heard }))
}

impl Crew {
    /// How many workers there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Gives a worker an order and waits until it comes back, done. None: the worker has ended.
    pub async fn order(&self, worker: usize, command: Command) -> Option<Command> {
        let lane = self.0.get(worker)?;
        let place = Arc::clone(&lane.places).acquire_owned().await.ok()?;
        let (answer, answered) = oneshot::channel();
        let back = Some(Back { answer, _place: place });
        if !lane.send(Order { command, back }) {
            return None;
        }
        answered.await.ok()
    }

    /// Makes every worker look at the table, also one that has nothing to do.
    pub fn wake(&self) {
        self.0.iter().for_each(|lane| ring(&lane.bell));
    }

    /// Tells every worker something and waits for nothing. False: some worker has ended.
    pub fn tell(&self, command: impl Fn() -> Command) -> bool {
        let told = self.0.iter().map(|lane| lane.send(Order { command: command(), back: None }));
        told.fold(true, |all, told| all & told)
    }
}

impl Lane {
    fn send(&self, order: Order) -> bool {
        let sent = self.orders.try_send(order).is_ok();
        ring(&self.bell);
        sent
    }
}

impl Mailbox {
    pub(super) fn descriptor(&self) -> RawFd {
        self.bell.as_raw_fd()
    }

    /// Silences the bell; to be called before the orders are read, so that none is missed.
    pub(super) fn silence(&self) {
        let mut count = [0; 8];
        // EAGAIN: it was silent already.
        let _ = rustix::io::read(&*self.bell, &mut count);
    }

    /// The next order. A sender that is gone means that the process ends.
    pub(super) fn next(&self) -> Option<Order> {
        match self.orders.try_recv() {
            Ok(order) => Some(order),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Order { command: Command::HardStop, back: None }),
        }
    }

    /// Gives an order back that is done: there is room for all that somebody waits for.
    pub(super) fn give_back(&self, order: Order) {
        if order.back.is_some() && self.done.try_send(order).is_ok() {
            ring(&self.done_bell);
        }
    }
}

impl Returns {
    /// Delivers what comes back, until the task is aborted.
    ///
    /// # Errors
    /// What registering the pipe with the runtime or reading it says.
    pub async fn deliver(self) -> io::Result<()> {
        let bell = PipeReader::from_owned_fd(self.bell)?;
        let mut rings = [0; 512];
        loop {
            bell.readable().await?;
            match bell.try_read(&mut rings) {
                Ok(0) => return Ok(()),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
            while let Ok(Order { command, back: Some(Back { answer, .. }) }) = self.done.try_recv() {
                // Whoever asked may have gone: then the command is freed here.
                let _ = answer.send(command);
            }
        }
    }
}

fn ring(bell: &OwnedFd) {
    // A bell that is full of rings is heard too.
    let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
}
