//! Sessions in a simulated world that invents faults from a seed.
//!
//! `SEED=n` replays one seed with its last events printed; `SEEDS=n` runs that many (default 10 000).

mod actor;
mod faults;
mod handover;
mod kernel;
mod peer;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use world::{Mutant, World};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("SEED and SEEDS are numbers"))
}

/// Runs one seed once; with `tracing` the error shows what happened last.
fn attempt(seed: u64, mutant: Mutant, tracing: bool) -> Result<(), String> {
    let mut world = World::new(seed, mutant);
    world.trace = tracing.then(Default::default);
    let broken = match catch_unwind(AssertUnwindSafe(|| world.run())) {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(broken)) => broken,
        Err(panic) => panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic".to_owned()),
    };
    let trace: Vec<String> = world.trace.into_iter().flatten().rev().collect();
    Err(format!("SEED={seed}: {broken}\nlast events:\n  {}", trace.join("\n  ")))
}

/// Runs one seed, and if it fails once more with its events noted.
fn run(seed: u64, mutant: Mutant) -> Result<(), String> {
    attempt(seed, mutant, false).or_else(|_| attempt(seed, mutant, true))
}

#[test]
fn every_seed_keeps_every_invariant() {
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(10_000),
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for first in 0..threads {
            let mine = seeds.clone().skip(first).step_by(threads);
            scope.spawn(move || {
                for seed in mine {
                    run(seed, Mutant::None).unwrap_or_else(|broken| panic!("{broken}"));
                }
            });
        }
    });
}

fn is_caught(mutant: Mutant) -> bool {
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let caught = (0..1000).any(|seed| run(seed, mutant).is_err());
    std::panic::set_hook(quiet);
    caught
}

/// Mutant 1: a relay that takes a short write for a whole one, so that the rest of a buffer is lost.
/// Mutant 2: a session that closes its sockets while the kernel still works on them.
/// Mutant 3: a relay that keeps a half-close to itself.
/// Mutant 4: a hand-over that forgets the bytes which were taken and not written.
/// Mutant 5: a hand-over of which both owners carry on.
#[test]
fn broken_relays_are_caught() {
    for mutant in [
        Mutant::ForgetsTheRest,
        Mutant::ClosesInFlight,
        Mutant::SwallowsHalfClose,
        Mutant::LosesCargo,
        Mutant::LivesTwice,
    ] {
        assert!(is_caught(mutant), "{mutant:?} passes");
    }
}

#[test]
fn there_are_at_least_twenty_kinds_of_faults() {
    const { assert!(faults::KINDS >= 20) };
}

#[test]
fn sessions_move_in_every_phase_that_may() {
    let mut moved = [0; 3];
    for seed in 0..2_000 {
        let mut world = World::new(seed, Mutant::None);
        world.run().unwrap_or_else(|broken| panic!("SEED={seed}: {broken}"));
        for (sum, (_, count)) in moved.iter_mut().zip(world.moved) {
            *sum += count;
        }
    }
    assert!(moved.iter().all(|count| *count > 0), "{moved:?} moved");
}
