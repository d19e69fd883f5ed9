//! How long a large configuration takes to read: a thousand servers in ten backends.

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pronk::config::{Environment, Source, Supplies, parse};

const BACKENDS: usize = 10;
const SERVERS: usize = 100;

/// The text of a gateway with [`BACKENDS`] backends of [`SERVERS`] servers.
fn thousand_servers() -> String {
    let mut text = String::from(
        "global\n    maxconn 100000\n\ndefaults\n    mode tcp\n    option redispatch\n    timeout connect 5s\n    \
         timeout client 2h\n    timeout server 2h\n\n",
    );
    for backend in 0..BACKENDS {
        let port = 21_000 + backend;
        writeln!(
            text,
            "frontend hs2-{backend}\n    bind 127.0.0.1:{port}\n    default_backend pool-{backend}\n"
        )
        .expect("writing to a String cannot fail");
        writeln!(text, "backend pool-{backend}\n    balance leastconn")
            .expect("writing to a String cannot fail");
        for server in 0..SERVERS {
            writeln!(
                text,
                "    server c{server} 10.0.{backend}.{server}:21050 check inter 2s rise 2 fall 3 weight 10 # {server}"
            )
            .expect("writing to a String cannot fail");
        }
        text.push('\n');
    }
    text
}

fn read(criterion: &mut Criterion) {
    let text = thousand_servers().into_bytes();
    let environment = Environment::default();
    let supplies = Supplies::default();
    let mut group = criterion.benchmark_group("config");
    group.throughput(Throughput::Bytes(text.len() as u64));
    let sources = [Source { name: "haproxy.cfg".to_owned(), text }];
    let (config, diagnostics) = parse(&sources, &environment, &supplies);
    let servers = config.map(|config| config.proxies.iter().map(|proxy| proxy.servers.len()).sum());
    assert_eq!(servers, Some(BACKENDS * SERVERS), "{diagnostics:?}");
    group.bench_function("thousand servers", |bencher| {
        bencher.iter(|| parse(black_box(&sources), &environment, &supplies));
    });
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
