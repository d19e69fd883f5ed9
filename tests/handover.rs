//! Sessions go from one set of workers to another and back while they transfer, inside one process: every
//! byte arrives once and in order, whatever moment the seed chooses.
#![allow(clippy::unwrap_used)]

#[path = "support/flow.rs"]
mod flow;
#[path = "support/gateway.rs"]
mod gateway;

use std::io::{Read, Write};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use fastrand::Rng;

use flow::{Client, TRANSFER, advance, echo_server};
use gateway::{Gateway, PATIENCE};
use pronk::config::model::{Config, ProxyId};
use pronk::worker::mailbox::{Batch, Command};

/// What a hand-over did.
#[derive(Debug, Default, PartialEq)]
struct Sums {
    moved: usize,
    refused: usize,
    /// Directions that had bytes in a pipe.
    piped: usize,
    /// Bytes that travelled beside.
    bytes: usize,
}

impl Sums {
    fn of(moved: usize, refused: usize) -> Sums {
        Sums { moved, refused, ..Sums::default() }
    }

    fn add(&mut self, other: Sums) {
        self.moved += other.moved;
        self.refused += other.refused;
        self.piped += other.piped;
        self.bytes += other.bytes;
    }
}

/// Moves what may move from one gateway to the other; a refused one stays.
fn hand_over(from: &Gateway, to: &Gateway, refuse_percent: u32, rng: &mut Rng) -> Sums {
    let mut sums = Sums::default();
    for worker in 0..from.crew.count() {
        let mut batch = Some(Batch::new());
        while let Some(next) = batch.take() {
            let Command::Release(told) = from.order(worker, Command::Release(next)) else { panic!() };
            let ways = told.sessions.iter().flat_map(|moving| &moving.cargo.ways);
            sums.piped += ways.filter(|way| way.pipe.is_some()).count();
            sums.bytes += told.bytes.len();
            let there = rng.usize(..to.crew.count());
            let Command::Adopt(taken) = to.order(there, Command::Adopt(told)) else { panic!() };
            let (mut stay, mut go) = (Vec::new(), Vec::new());
            for moving in &taken.sessions {
                match moving.to {
                    Some(slot) if rng.u32(..100) >= refuse_percent => go.push(slot),
                    _ => stay.push(moving.from),
                }
            }
            sums.add(Sums::of(go.len(), stay.len()));
            from.order(worker, Command::Carry(stay));
            to.order(there, Command::Carry(go));
            batch = taken.onwards();
        }
    }
    sums
}

fn small_buffers(config: &mut Config) {
    config.global.maxconn = Some(2000);
    config.global.tune.sndbuf_client = Some(32_768);
    config.global.tune.rcvbuf_server = Some(32_768);
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Sessions that RLIMIT_NOFILE leaves room for, at most `wanted`.
fn affordable(wanted: usize) -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(1 << 20);
    // The client's, both of each gateway and the server's socket, and two pipes.
    let most = (limit as usize).saturating_sub(200) / 14;
    if most < wanted {
        eprintln!("RLIMIT_NOFILE {limit}: {most} sessions instead of {wanted}");
    }
    wanted.min(most)
}

#[test]
fn sessions_change_owners_while_they_transfer() {
    let rng = &mut Rng::with_seed(7);
    let echo = echo_server();
    let gateways = [(); 2].map(|()| Gateway::start(2, &[echo], small_buffers));
    let before = descriptors();
    let count = affordable(500);
    let mut clients: Vec<Client> = (0..count)
        .map(|number| {
            // Some stall at once, some when their results come through pipes.
            let (length, pause_at) = match number % 20 {
                0 => (1_000_000, 0),
                5 | 10 | 15 => (1_500_000, 500_000),
                _ => (rng.usize(1..600_000), usize::MAX),
            };
            Client::connect(number, gateways[number % 2].address, length, pause_at)
        })
        .collect();
    let mut buffer = vec![0; 30_000];
    let end = Instant::now() + TRANSFER;
    while gateways.iter().map(|gateway| gateway.load.process().live() as usize).sum::<usize>() < count {
        assert!(Instant::now() < end, "not everybody is accepted");
    }
    let (mut sums, mut round) = (Sums::default(), 0);
    while advance(&mut clients, &mut buffer) {
        assert!(Instant::now() < end, "{} clients do not finish", clients.len());
        if rng.u32(..100) < 30 {
            let (from, to) = (round % 2, (round + 1) % 2);
            sums.add(hand_over(&gateways[from], &gateways[to], 10, rng));
            round += 1;
        }
        if round > 6 {
            clients.iter_mut().for_each(|client| client.pause_at = usize::MAX);
        }
    }
    eprintln!("{count} sessions, {sums:?} in {round} rounds");
    assert!(sums.moved > 2 * count && sums.refused > 0, "{sums:?} in {round} rounds");
    assert!(sums.piped > 0 && sums.bytes > 0, "{sums:?}: neither pipes nor buffers were full");
    gateways.iter().for_each(Gateway::settle);
    let end = Instant::now() + PATIENCE;
    // Idle pipes stay, up to 64 a worker.
    while descriptors() > before + 4 * 2 * 64 {
        assert!(Instant::now() < end, "{} descriptors before, {} after", before, descriptors());
    }
    for counters in gateways.iter().flat_map(|gateway| &gateway.counters) {
        assert_eq!(counters.process().pipes_used.load(Relaxed), 0, "a pipe was not given back");
    }
}

#[test]
fn a_moved_session_counts_once_and_is_told_of_once() {
    let gateways = [(); 2].map(|()| Gateway::start(1, &[echo_server()], |_| {}));
    let mut client = gateways[0].connect();
    client.write_all(b"before").unwrap();
    let mut six = [0; 6];
    client.read_exact(&mut six).unwrap();
    assert_eq!(hand_over(&gateways[0], &gateways[1], 0, &mut Rng::with_seed(1)).moved, 1);
    let live = |gateway: &Gateway| gateway.load.process().live();
    assert_eq!((live(&gateways[0]), live(&gateways[1])), (0, 1));
    assert_eq!(gateways[1].load.backend(ProxyId(0)).live(), 1);
    client.write_all(b"after!").unwrap();
    client.read_exact(&mut six).unwrap();
    assert_eq!(&six, b"after!");
    drop(client);
    gateways.iter().for_each(Gateway::settle);
    let bytes = |gateway: &Gateway| gateway.counters[0].frontend(ProxyId(0)).bytes_in.value();
    assert_eq!((bytes(&gateways[0]), bytes(&gateways[1])), (0, 12));
    let sessions = |gateway: &Gateway| gateway.counters[0].frontend(ProxyId(0)).sessions.value();
    assert_eq!((sessions(&gateways[0]), sessions(&gateways[1])), (1, 1));
}

#[test]
fn who_waits_moves_too() {
    let one = |config: &mut Config| {
        config.proxies[0].options.connect_on_data = true;
        config.proxies[0].servers[0].maxconn = Some(1);
        config.proxies[0].timeouts.queue_ms = Some(20_000);
    };
    let gateways = [(); 2].map(|()| Gateway::start(1, &[echo_server()], one));
    let mut served = gateways[0].connect();
    served.write_all(b"1").unwrap();
    let mut byte = [0; 1];
    served.read_exact(&mut byte).unwrap();
    let mut silent = gateways[0].connect();
    let mut queued = gateways[0].connect();
    queued.write_all(b"2").unwrap();
    let end = Instant::now() + PATIENCE;
    while gateways[0].load.backend(ProxyId(0)).waiting() == 0 || gateways[0].load.process().live() < 3 {
        assert!(Instant::now() < end, "nobody waits");
    }
    assert_eq!(hand_over(&gateways[0], &gateways[1], 0, &mut Rng::with_seed(1)).moved, 3);
    assert_eq!(gateways[0].load.backend(ProxyId(0)).waiting(), 0);
    assert_eq!(gateways[1].load.backend(ProxyId(0)).waiting(), 1);
    assert_eq!(gateways[0].load.process().live(), 0);
    drop(served);
    queued.read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"2");
    drop(queued);
    silent.write_all(b"3").unwrap();
    silent.read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"3");
    drop(silent);
    gateways.iter().for_each(Gateway::settle);
}

#[test]
fn a_refused_session_goes_on_where_it_was() {
    let gateways = [(); 2].map(|()| Gateway::start(1, &[echo_server()], |_| {}));
    let mut client = gateways[0].connect();
    for round in 0..20_u8 {
        client.write_all(&[round]).unwrap();
        let mut byte = [0; 1];
        client.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [round]);
        assert_eq!(hand_over(&gateways[0], &gateways[1], 100, &mut Rng::with_seed(1)).refused, 1);
        assert_eq!(gateways[1].load.process().live(), 0);
    }
    drop(client);
    gateways.iter().for_each(Gateway::settle);
}
