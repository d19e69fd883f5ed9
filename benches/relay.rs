//! The relay through a real ring: a worker of this process between a client and an echo server on loopback.

#[path = "../tests/support/gateway.rs"]
mod gateway;

use std::io::{Read, Write};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use gateway::{Gateway, echo, server};

/// Bytes of one bulk answer.
const BULK: usize = 4 << 20;

fn round_trips(c: &mut Criterion) {
    let gateway = Gateway::start(1, &[server(echo)], |_| {});
    let mut client = gateway.connect();
    for size in [200, 1024] {
        let mut bytes = vec![1; size];
        c.bench_function(&format!("relay/round trip {size} B"), |b| {
            b.iter(|| {
                client.write_all(&bytes).expect("the gateway takes a request");
                client.read_exact(&mut bytes).expect("the gateway brings the answer");
            });
        });
    }
}

fn bulk(c: &mut Criterion) {
    let source = server(|mut stream| {
        let block = vec![5; BULK];
        let mut request = [0; 1];
        while stream.read_exact(&mut request).is_ok() {
            if stream.write_all(&block).is_err() {
                return;
            }
        }
    });
    let gateway = Gateway::start(1, &[source], |_| {});
    let mut client = gateway.connect();
    let mut bytes = vec![0; BULK];
    let mut group = c.benchmark_group("relay");
    group.throughput(Throughput::Bytes(BULK as u64)).sample_size(20);
    group.bench_function("bulk 4 MiB", |b| {
        b.iter(|| {
            client.write_all(&[1]).expect("the gateway takes a request");
            client.read_exact(&mut bytes).expect("the gateway brings the answer");
        });
    });
    group.finish();
}

fn short_sessions(c: &mut Criterion) {
    let gateway = Gateway::start(1, &[server(echo)], |_| {});
    c.bench_function("relay/short session", |b| {
        b.iter(|| {
            let mut client = gateway.connect();
            let mut byte = [1];
            client.write_all(&byte).expect("the gateway takes a request");
            client.read_exact(&mut byte).expect("the gateway brings the answer");
        });
    });
}

criterion_group!(benches, round_trips, bulk, short_sessions);
criterion_main!(benches);
