//! Who on this worker waits for a server: one FIFO for each queue, in the order of the tickets.
//!
//! A ticket is drawn from the queue's counter, which all workers share; the head of each worker's FIFO is
//! published. Whoever waits publishes, then asks once more; whoever frees a slot looks for the smallest
//! head behind a fence and wakes its worker. [`crate::load`] proves that no wake-up is lost.

use std::collections::{HashMap, VecDeque};

use crate::balance::Choice;
use crate::config::model::ProxyId;
use crate::load::{Cell, QueueId};
use crate::session::Verdict;

use super::Worker;

/// A session in a queue.
#[derive(Clone, Copy, Debug)]
struct Waiter {
    ticket: u64,
    slot: u32,
    /// Sessions that had been served from the queue when it entered.
    served: u64,
}

/// All FIFOs of one worker.
#[derive(Debug, Default)]
pub(super) struct Queues {
    fifos: HashMap<QueueId, VecDeque<Waiter>>,
    waiting: usize,
    /// Those to be served in this turn: kept, so that a turn allocates nothing.
    due: Vec<QueueId>,
}

impl Queues {
    pub(super) fn waiting(&self) -> bool {
        self.waiting > 0
    }

    fn head(&self, queue: QueueId) -> Option<Waiter> {
        self.fifos.get(&queue)?.front().copied()
    }

    fn push(&mut self, queue: QueueId, waiter: Waiter) {
        self.waiting += 1;
        self.fifos.entry(queue).or_default().push_back(waiter);
    }

    /// Takes the first of a queue out.
    fn pop(&mut self, queue: QueueId) -> Option<Waiter> {
        let first = self.fifos.get_mut(&queue).and_then(VecDeque::pop_front);
        self.waiting -= usize::from(first.is_some());
        first
    }

    /// Takes a session out of whatever queue it is in.
    fn remove(&mut self, slot: u32) -> Option<(QueueId, Waiter)> {
        self.fifos.iter_mut().find_map(|(&queue, fifo)| {
            let place = fifo.iter().position(|waiter| waiter.slot == slot)?;
            self.waiting -= 1;
            fifo.remove(place).map(|waiter| (queue, waiter))
        })
    }
}

impl Worker {
    /// Puts a session at the end of a queue.
    pub(super) fn enqueue(&mut self, slot: u32, backend: ProxyId, queue: QueueId) {
        if self.sessions[slot as usize].session.is_deserted() {
            return self.drive(slot, |session, _, ops| session.desert(ops));
        }
        let cell = self.queue_cell(queue);
        let (served, ticket) = (cell.served(), cell.enter_queue());
        self.queues.push(queue, Waiter { ticket, slot, served });
        let server = match queue {
            QueueId::Backend(_) => None,
            QueueId::Server(server) => Some(server),
        };
        self.drive(slot, |session, _, ops| {
            session.queued(server, ops);
            Verdict::Live
        });
        self.publish_head(queue);
        // A slot that was freed before the head was published woke nobody: look once more.
        self.serve(queue, backend);
    }

    fn publish_head(&self, queue: QueueId) {
        let ticket = self.queues.head(queue).map(|waiter| waiter.ticket);
        self.load.publish_head(self.index, queue, ticket);
    }

    fn queue_cell(&self, queue: QueueId) -> &Cell {
        match queue {
            QueueId::Backend(proxy) => self.load.backend(proxy),
            QueueId::Server(server) => self.load.server(server),
        }
    }

    /// The backend whose sessions wait there.
    fn queue_owner(&self, queue: QueueId) -> ProxyId {
        match queue {
            QueueId::Backend(proxy) => proxy,
            QueueId::Server(server) => self.snapshot.place(server).0,
        }
    }

    /// Takes a session out of the queue it waits in: it is over.
    pub(super) fn leave_queue(&mut self, slot: u32) {
        if let Some((queue, waiter)) = self.queues.remove(slot) {
            self.left(queue, waiter, false);
        }
    }

    /// Takes the first of a queue out, to be served or to wait elsewhere.
    fn leave_head(&mut self, queue: QueueId, served: bool) {
        if let Some(waiter) = self.queues.pop(queue) {
            self.left(queue, waiter, served);
        }
    }

    /// Whoever empties its FIFO passes a wake-up on that it may have been given for a slot it did not take.
    fn left(&mut self, queue: QueueId, waiter: Waiter, served: bool) {
        let cell = self.queue_cell(queue);
        let before = u16::try_from(cell.served().saturating_sub(waiter.served)).unwrap_or(u16::MAX);
        if served {
            cell.leave_served()
        } else {
            cell.leave_queue()
        }
        let place = usize::from(matches!(queue, QueueId::Backend(_)));
        self.sessions[waiter.slot as usize].record.queue_place[place] = before.saturating_add(1);
        self.publish_head(queue);
        if self.queues.head(queue).is_none() {
            self.wake_next(queue, self.queue_owner(queue));
        }
    }

    /// Serves this worker's waiters of one queue while there are slots.
    fn serve(&mut self, queue: QueueId, backend: ProxyId) {
        while let Some(Waiter { slot, .. }) = self.queues.head(queue) {
            match self.ask(slot, backend, Some(queue), None) {
                Choice::Server(server) => {
                    self.leave_head(queue, true);
                    self.assign(slot, backend, server);
                }
                Choice::QueueServer(server) if queue == self.queue_of(backend, server) => return,
                // The server it waited for is out of service: it waits elsewhere, behind those who are there.
                Choice::QueueServer(server) => {
                    self.leave_head(queue, false);
                    self.enqueue(slot, backend, self.queue_of(backend, server));
                }
                Choice::QueueBackend if queue == QueueId::Backend(backend) => return,
                Choice::QueueBackend => {
                    self.leave_head(queue, false);
                    self.enqueue(slot, backend, QueueId::Backend(backend));
                }
                // It waits on for any server: one may come up before `timeout queue` ends, but none of a backend of the past.
                Choice::QueueFull(_) | Choice::Nobody
                    if queue == QueueId::Backend(backend)
                        && !self.snapshot.config.proxies[usize::from(backend.0)].removed =>
                {
                    return;
                }
                choice => {
                    self.leave_head(queue, false);
                    self.turn_away(slot, backend, choice);
                }
            }
        }
    }

    pub(super) fn queue_of(&self, backend: ProxyId, server: u16) -> QueueId {
        QueueId::Server(self.server_id(backend, server))
    }

    /// Serves everybody who waits here, after a wake-up or a new table.
    pub(super) fn serve_queues(&mut self) {
        if self.queues.waiting == 0 {
            return;
        }
        let mut due = std::mem::take(&mut self.queues.due);
        due.extend(self.queues.fifos.iter().filter(|(_, fifo)| !fifo.is_empty()).map(|(&queue, _)| queue));
        for queue in due.drain(..) {
            self.serve(queue, self.queue_owner(queue));
        }
        self.queues.due = due;
    }

    /// A slot of this queue was freed: the longest waiter of all workers is next.
    pub(super) fn wake_next(&mut self, queue: QueueId, backend: ProxyId) {
        match self.load.next_waiter(queue) {
            None => {}
            Some(worker) if worker == self.index => self.serve(queue, backend),
            Some(worker) => {
                if let Some(ring) = self.peers.ring(worker) {
                    self.ring.wake(ring);
                }
            }
        }
    }
}
