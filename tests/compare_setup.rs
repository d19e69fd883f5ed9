//! How benches/compare sets the proxies up must be fair and must be said, and benches run no tests: the files it writes
//! for them, what it says of each, and in which order they work.

#![allow(dead_code)]

#[path = "../benches/compare/child.rs"]
mod child;
#[path = "../benches/compare/cores.rs"]
mod cores;
#[path = "../benches/compare/failure.rs"]
mod failure;
#[path = "../benches/compare/load/mod.rs"]
mod load;
#[path = "../benches/compare/peers/mod.rs"]
mod peers;
#[path = "../benches/compare/perf.rs"]
mod perf;
#[path = "../benches/compare/report/mod.rs"]
mod report;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

use cores::Cores;
use peers::haproxy::{self, Splicing};
use peers::{Kind, Route, Setup};

fn routes() -> [Route; 1] {
    let port = |port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    [Route { name: "echo", entry: port(1001), servers: vec![port(2001), port(2002)] }]
}

fn setup(logs: bool, checks: bool) -> Setup {
    let cores = Cores { proxy: 0, load: 0, second: None, allowed: 1 };
    Setup { cores, descriptors: 1000, logs, checks, look: None, folder: PathBuf::from("/nowhere") }
}

#[test]
fn whoever_splices_has_pipes_of_one_size_and_says_so() {
    for splicing in [Splicing::Never, Splicing::Auto, Splicing::Always] {
        let text = haproxy::text(&routes(), &setup(false, false), 1, splicing, None);
        assert!(text.contains("\n    tune.pipesize 262144\n"), "{text}");
    }
    for kind in [Kind::Pronk, Kind::PronkOther, Kind::HaproxyAuto, Kind::HaproxySplice] {
        assert!(kind.mode().contains("pipes of 256 KiB"), "{}", kind.mode());
    }
    assert!(Kind::Nginx.mode().contains("proxy_buffer_size 16k"));
}
