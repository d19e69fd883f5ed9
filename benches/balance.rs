//! What one choice of a server costs, what publishing a changed backend costs, and what a deadline costs.

use std::fmt::Write;
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

use pronk::balance::{Choice, Request, choose};
use pronk::config::model::{Config, ProxyId};
use pronk::config::{Environment, Source, Supplies, parse};
use pronk::load::Load;
use pronk::table::{Health, TablePublisher};
use pronk::timers::Wheel;

const BACKEND: ProxyId = ProxyId(0);

const ALGORITHMS: [&str; 8] = [
    "roundrobin",
    "static-rr",
    "leastconn",
    "first",
    "random",
    "source",
    "hash src",
    "source\n    hash-type consistent",
];

/// One backend of `servers` servers of unequal weights.
fn config(balance: &str, servers: usize) -> Arc<Config> {
    let mut text = format!("backend b\n    mode tcp\n    balance {balance}\n");
    for n in 1..=servers {
        let weight = 1 + n % 3;
        writeln!(text, "    server s{n} 127.0.0.1:{} weight {weight}", 10_000 + n).expect("strings grow");
    }
    let source = Source { name: "bench.cfg".to_owned(), text: text.into_bytes() };
    let (config, diagnostics) = parse(&[source], &Environment::default(), &Supplies::default());
    Arc::new(config.unwrap_or_else(|| panic!("{diagnostics:?}")))
}

fn choices(c: &mut Criterion) {
    for balance in ALGORITHMS {
        let mut group = c.benchmark_group(format!("choose/{}", balance.replace("\n    ", " ")));
        for servers in [10, 200] {
            group.bench_function(BenchmarkId::from_parameter(servers), |b| {
                let config = config(balance, servers);
                let load = Load::new(&config, 1);
                let publisher = TablePublisher::new(config, &load);
                let backend = publisher.snapshot().backend(BACKEND);
                let mut random = fastrand::Rng::with_seed(1);
                let mut client: u32 = 0x0a00_0001;
                b.iter(|| {
                    client = client.wrapping_add(1);
                    let client = Some(SocketAddr::from((client.to_be_bytes(), 40_000)));
                    let request = Request { client, local: None, avoid: None, random: &mut random };
                    let Choice::Server(at) = choose(backend, &load, request) else {
                        panic!("no server has a limit")
                    };
                    load.server(backend.servers[usize::from(at)].id).release();
                });
            });
        }
        group.finish();
    }
}

fn publishing(c: &mut Criterion) {
    let mut group = c.benchmark_group("publish/200");
    for balance in ["roundrobin", "source", "source\n    hash-type consistent"] {
        group.bench_function(balance.replace("\n    ", " "), |b| {
            let config = config(balance, 200);
            let mut publisher = TablePublisher::new(Arc::clone(&config), &Load::new(&config, 1));
            let mut down = false;
            b.iter(|| {
                down = !down;
                let health = if down { Health::Down } else { Health::Up };
                publisher.update(BACKEND, 7, |state| state.health = health, 0).generation
            });
        });
    }
    group.finish();
}

/// 10 000 sessions with deadlines; one is moved, the time goes on by a millisecond.
fn deadlines(c: &mut Criterion) {
    const SESSIONS: u32 = 10_000;
    c.bench_function("timers/set and expire", |b| {
        let mut wheel = Wheel::new(0);
        wheel.reserve(SESSIONS as usize);
        (0..SESSIONS).for_each(|slot| wheel.set(slot, 50_000 + u64::from(slot)));
        let (mut now, mut slot) = (0, 0);
        b.iter(|| {
            (now, slot) = (now + 1, (slot + 7) % SESSIONS);
            wheel.set(slot, now + 50_000);
            while let Some(slot) = wheel.pop(now) {
                black_box(slot);
            }
        });
    });
}

criterion_group!(benches, choices, publishing, deadlines);
criterion_main!(benches);
