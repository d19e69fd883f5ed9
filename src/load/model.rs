//! loom's proof that no wake-up is lost, on the cell and the heads of one server.
//!
//! Each worker thread does once what the contract in [`super`] says; wake-ups that arrived are followed at
//! the end, as late as can be. Then nobody may wait while a slot is free.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use loom::sync::Arc;
use loom::thread;

use super::cell::Cell;
use super::heads::Heads;

/// Workers that have one session each waiting.
const WORKERS: usize = 2;

/// How the protocol is followed.
#[derive(Clone, Copy, PartialEq)]
enum Protocol {
    AsWritten,
    /// Mutant: looks for a slot only before it shows its ticket.
    LooksBefore,
    /// Mutant: who empties its FIFO does not pass the wake-up on.
    KeepsTheWake,
}

/// A server with `slots` slots, all of them taken.
struct World {
    protocol: Protocol,
    slots: u32,
    cell: Cell,
    heads: Heads,
    /// Read at the end only, so not part of the model: it need not try their orders.
    woken: [AtomicBool; WORKERS],
    /// Used by its own worker only.
    waits: [AtomicBool; WORKERS],
}

impl World {
    fn full(protocol: Protocol, slots: u32) -> Arc<World> {
        let cell = Cell::default();
        (0..slots).for_each(|_| assert!(cell.take(Some(slots)).is_some()));
        let flags = || [AtomicBool::new(false), AtomicBool::new(false)];
        Arc::new(World { protocol, slots, cell, heads: Heads::new(WORKERS), woken: flags(), waits: flags() })
    }

    /// A session of `worker` begins to wait.
    fn wait(&self, worker: usize) {
        if self.protocol == Protocol::LooksBefore && self.cell.take(Some(self.slots)).is_some() {
            return;
        }
        let ticket = self.cell.enter_queue();
        self.waits[worker].store(true, SeqCst);
        self.heads.publish(worker, Some(ticket));
        if self.protocol != Protocol::LooksBefore {
            self.serve(worker);
        }
    }

    /// `worker` looks for a slot for its waiter.
    fn serve(&self, worker: usize) {
        if self.cell.take(Some(self.slots)).is_none() {
            return;
        }
        self.leave(worker);
    }

    /// The only waiter of `worker` leaves, served or not.
    fn leave(&self, worker: usize) {
        if !self.waits[worker].swap(false, SeqCst) {
            return;
        }
        self.cell.leave_queue();
        self.heads.publish(worker, None);
        if self.protocol != Protocol::KeepsTheWake {
            self.wake_next();
        }
    }

    /// A session that held a slot ends.
    fn free(&self) {
        self.cell.release();
        self.wake_next();
    }

    fn wake_next(&self) {
        if let Some(worker) = self.heads.first(&self.cell) {
            self.woken[worker].store(true, SeqCst);
        }
    }

    /// Follows the wake-ups until there are none.
    fn settle(&self) {
        while let Some(worker) = (0..WORKERS).find(|&worker| self.woken[worker].swap(false, SeqCst)) {
            if self.waits[worker].load(SeqCst) {
                self.serve(worker);
            }
        }
    }

    fn assert_nobody_is_forgotten(&self) {
        self.settle();
        let waiting = self.waits.iter().filter(|waits| waits.load(SeqCst)).count();
        assert!(waiting == 0 || self.cell.live() == self.slots, "a slot is free and {waiting} wait");
    }
}

/// Runs each of `actors` on a thread of its own, in every order that the memory model allows; with three
/// of them in every order with at most three preemptions, for there are millions of others.
fn explore(protocol: Protocol, slots: u32, actors: &'static [fn(&World)]) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = (actors.len() > 2).then_some(3);
    builder.check(move || {
        let world = World::full(protocol, slots);
        let spawn = |actor: &fn(&World)| {
            let (world, actor) = (Arc::clone(&world), *actor);
            thread::spawn(move || actor(&world))
        };
        let threads: Vec<_> = actors[1..].iter().map(spawn).collect();
        actors[0](&world);
        threads.into_iter().for_each(|thread| thread.join().expect("no actor panics"));
        world.assert_nobody_is_forgotten();
    });
}

/// A newcomer takes a slot if there is one, and ends.
fn pass_through(world: &World) {
    if world.cell.take(Some(world.slots)).is_some() {
        world.free();
    }
}

const ONE_WAITS: &[fn(&World)] = &[|world| world.free(), |world| world.wait(0)];
const TWO_WAIT_FOR_ONE: &[fn(&World)] = &[|world| world.free(), |world| world.wait(0), |world| world.wait(1)];
/// The first in line gives up, when the wake-up may already be on its way.
const ONE_GIVES_UP: &[fn(&World)] = &[
    |world| world.free(),
    |world| world.wait(1),
    |world| {
        world.wait(0);
        world.leave(0);
    },
];
const A_NEWCOMER_INTERFERES: &[fn(&World)] = &[|world| world.free(), |world| world.wait(0), pass_through];
/// Both slots are freed while both wait: the two wake-ups may go to the same worker.
const TWO_WAIT_FOR_TWO: &[fn(&World)] = &[
    |world| world.free(),
    |world| world.free(),
    |world| {
        world.wait(0);
        world.wait(1);
    },
];

#[test]
fn a_release_and_a_wait_never_miss_each_other() {
    explore(Protocol::AsWritten, 1, ONE_WAITS);
}

#[test]
fn one_of_two_waiters_gets_the_slot() {
    explore(Protocol::AsWritten, 1, TWO_WAIT_FOR_ONE);
}

#[test]
fn a_newcomer_that_comes_in_between_forgets_nobody() {
    explore(Protocol::AsWritten, 1, A_NEWCOMER_INTERFERES);
}

#[test]
fn who_gives_up_passes_the_slot_on() {
    explore(Protocol::AsWritten, 1, ONE_GIVES_UP);
}

#[test]
fn two_releases_serve_two_waiters() {
    explore(Protocol::AsWritten, 2, TWO_WAIT_FOR_TWO);
}

#[test]
#[should_panic(expected = "a slot is free")]
fn looking_only_before_publishing_is_caught() {
    explore(Protocol::LooksBefore, 1, ONE_WAITS);
}

#[test]
#[should_panic(expected = "a slot is free")]
fn keeping_the_wake_is_caught() {
    explore(Protocol::KeepsTheWake, 2, TWO_WAIT_FOR_TWO);
}
