//! Who on this worker waits for a server: one FIFO for each queue, in the order of the tickets.
//!
//! A ticket is drawn from the queue's counter, which all workers share; the head of each worker's FIFO is
//! published. Whoever waits publishes, then asks once more; whoever frees a slot looks for the smallest
//! head behind a fence and wakes its worker. [`crate::load`] proves that no wake-up is lost.

use std::collections::{HashMap, VecDeque};

use crate::balance::Choice;
use crate::config::model::ProxyId;
use crate::load::QueueId;
use crate::session::Verdict;

use super::Worker;

/// A session in a queue.
#[derive(Clone, Copy, Debug)]
struct Waiter {
    ticket: u64,
    slot: u32,
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
    fn pop(&mut self, queue: QueueId) {
        let first = self.fifos.get_mut(&queue).and_then(VecDeque::pop_front);
        self.waiting -= usize::from(first.is_some());
    }

    /// Takes a session out of whatever queue it is in.
    fn remove(&mut self, slot: u32) -> Option<QueueId> {
        for (&queue, fifo) in &mut self.fifos {
            if let Some(place) = fifo.iter().position(|waiter| waiter.slot == slot) {
                fifo.remove(place);
                self.waiting -= 1;
                return Some(queue);
            }
        }
        None
    }
}

impl Worker {
    /// Puts a session at the end of a queue.
    pub(super) fn enqueue(&mut self, slot: u32, backend: ProxyId, queue: QueueId) {
        let cell = match queue {
            QueueId::Backend(proxy) => self.load.backend(proxy),
            QueueId::Server(server) => self.load.server(server),
        };
        let (ticket, ahead) = cell.enter_queue();
        let place = usize::from(matches!(queue, QueueId::Backend(_)));
        let record = &mut self.sessions[slot as usize].record;
        record.queue_place[place] = u16::try_from(ahead + 1).unwrap_or(u16::MAX);
        self.queues.push(queue, Waiter { ticket, slot });
        self.drive(slot, |session, _, ops| {
            session.queued(ops);
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

    /// Takes a session out of the queue it waits in: it is over.
    pub(super) fn leave_queue(&mut self, slot: u32) {
        if let Some(queue) = self.queues.remove(slot) {
            self.left(queue);
        }
    }

    /// Whoever empties its FIFO passes a wake-up on that it may have been given for a slot it did not take.
    fn left(&mut self, queue: QueueId) {
        let backend = match queue {
            QueueId::Backend(proxy) => {
                self.load.backend(proxy).leave_queue();
                proxy
            }
            QueueId::Server(server) => {
                self.load.server(server).leave_queue();
                self.snapshot.place(server).0
            }
        };
        self.publish_head(queue);
        if self.queues.head(queue).is_none() {
            self.wake_next(queue, backend);
        }
    }

    /// Serves this worker's waiters of one queue while there are slots.
    fn serve(&mut self, queue: QueueId, backend: ProxyId) {
        while let Some(Waiter { slot, .. }) = self.queues.head(queue) {
            match self.ask(slot, backend, Some(queue), None) {
                Choice::Server(server) => {
                    self.leave_head(queue);
                    self.assign(slot, backend, server);
                }
                Choice::QueueServer(server) if queue == self.queue_of(backend, server) => return,
                // The server it waited for is no longer usable: it waits elsewhere, behind those who are there.
                Choice::QueueServer(server) => {
                    self.leave_head(queue);
                    self.enqueue(slot, backend, self.queue_of(backend, server));
                }
                Choice::QueueBackend if queue == QueueId::Backend(backend) => return,
                Choice::QueueBackend => {
                    self.leave_head(queue);
                    self.enqueue(slot, backend, QueueId::Backend(backend));
                }
                // It waits on: a server may come up before `timeout queue` ends.
                Choice::QueueFull(_) | Choice::Nobody => return,
            }
        }
    }

    pub(super) fn queue_of(&self, backend: ProxyId, server: u16) -> QueueId {
        QueueId::Server(self.server_id(backend, server))
    }

    fn leave_head(&mut self, queue: QueueId) {
        self.queues.pop(queue);
        self.left(queue);
    }

    /// Serves everybody who waits here, after a wake-up or a new table.
    pub(super) fn serve_queues(&mut self) {
        if self.queues.waiting == 0 {
            return;
        }
        let mut due = std::mem::take(&mut self.queues.due);
        due.extend(self.queues.fifos.iter().filter(|(_, fifo)| !fifo.is_empty()).map(|(&queue, _)| queue));
        for queue in due.drain(..) {
            let backend = match queue {
                QueueId::Backend(proxy) => proxy,
                QueueId::Server(server) => self.snapshot.place(server).0,
            };
            self.serve(queue, backend);
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
