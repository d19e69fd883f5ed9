//! What benches/compare measures with must be right, and benches run no tests: its load.

#![allow(dead_code)]

#[path = "../benches/compare/failure.rs"]
mod failure;
#[path = "../benches/compare/load/mod.rs"]
mod load;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use load::Load;
use load::content::Shape;
use load::server::Role;

const LIMIT: Duration = Duration::from_secs(5);

fn echoes() -> Load {
    Load::new(Shape::echo(200)).expect("a load")
}

/// How often this thread gave up its core by itself while the load worked for a moment.
fn sleeps(load: &mut Load) -> u64 {
    let count = || {
        let status = std::fs::read_to_string("/proc/thread-self/status").expect("the kernel tells");
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|count| count.trim().parse::<u64>().ok()).expect("a number")
    };
    let before = count();
    load.run_for(Duration::from_millis(30)).expect("the load works");
    count() - before
}

#[test]
fn the_load_does_not_sleep_while_an_answer_is_on_its_way() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let Ok(SocketAddr::V4(to)) = silent.local_addr() else { panic!("bound to an IPv4 address") };
    assert!(sleeps(&mut echoes()) > 0, "nothing is awaited");
    let (mut trips, mut visits) = (echoes(), echoes());
    trips.connect_trips(1, to).expect("a connection");
    trips.run_until("a message", LIMIT, |load| load.trips.tally.on_their_way() == 1).expect("sent");
    assert_eq!(sleeps(&mut trips), 0);
    visits.run_visits(2, 1, to).expect("connections");
    assert_eq!(sleeps(&mut visits), 0);
}

#[test]
fn what_is_complete_is_no_longer_on_its_way() {
    let mut load = echoes();
    let to = load.server.addresses(Role::Echo).expect("a listener")[0];
    load.connect_trips(2, to).expect("connections");
    load.run_visits(2, 3, to).expect("connections");
    load.visits.pause();
    load.run_until("first trips", LIMIT, |load| load.trips.established() == 2).expect("answers");
    load.run_until("visits", LIMIT, |load| load.visits.tally.on_their_way() == 0).expect("answers");
    assert_eq!(load.trips.tally.on_their_way(), 0);
    assert!(sleeps(&mut load) > 0);
}
