//! Which server gets the next connection, by algorithm and weight.

use std::net::Ipv4Addr;

use crate::runtime::{say, with_stats};
use crate::scenario;
use crate::support::PATIENCE;
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::world::{SOON, World, config};

fn three() -> Vec<Server> {
    vec![Server::listening(), Server::listening(), Server::listening()]
}

fn backend(balance: &str, options: [&str; 3]) -> String {
    let [a, b, c] = options;
    format!(
        "  {balance}\n  server s1 127.0.0.1:{{s1}} {a}\n  server s2 127.0.0.1:{{s2}} {b}\n  server s3 127.0.0.1:{{s3}} {c}"
    )
}

fn plain(balance: &str) -> String {
    config("", &backend(balance, ["", "", ""]))
}

/// Runs one session from its connect to its log line; the server's number.
fn session(world: &mut World, client: Peer) -> String {
    let Some((number, server)) = world.next_accepted(SOON) else { return "-".to_owned() };
    drop((client, server));
    let line = world.log.line_where(PATIENCE, |line| line.contains(" b/"));
    assert!(line.is_some(), "a session is logged");
    number.to_string()
}

/// Sessions one after the other.
fn in_turn(world: &mut World, count: usize) {
    let order: Vec<String> = (0..count)
        .map(|_| {
            let client = world.connect();
            session(world, client)
        })
        .collect();
    world.note("order", order.join(""));
}

/// Sessions from 127.1.n.1, one after the other.
fn by_address(world: &mut World) {
    let address = |n: u8| Ipv4Addr::new(127, 1, n, n.wrapping_mul(37));
    let front = world.front.address();
    let order: Vec<String> = (0..40).map(|n| session(world, Peer::connect_from(address(n), front))).collect();
    world.note("order", order.join(""));
}

/// Sessions that stay open; how many each server holds.
fn held(world: &mut World, count: usize) -> Vec<(usize, Peer, Peer)> {
    let mut sessions = Vec::new();
    for _ in 0..count {
        let client = world.connect();
        let (number, server) = world.next_accepted(SOON).expect("a server");
        sessions.push((number, client, server));
    }
    note_loads(world, &sessions);
    sessions
}

fn note_loads(world: &mut World, sessions: &[(usize, Peer, Peer)]) {
    let load = |number| sessions.iter().filter(|(on, _, _)| *on == number).count().to_string();
    let loads: Vec<String> = (1..=world.servers.len()).map(load).collect();
    world.note("loads", loads.join("/"));
}

scenario!(roundrobin, plain("balance roundrobin"), three, |world| in_turn(world, 9));
scenario!(bare_balance_is_roundrobin, plain("balance"), three, |world| in_turn(world, 6));
scenario!(no_balance_line, plain(""), three, |world| in_turn(world, 6));
scenario!(static_rr, plain("balance static-rr"), three, |world| in_turn(world, 9));
scenario!(
    roundrobin_weights,
    config("", &backend("balance roundrobin", ["weight 3", "weight 1", "weight 2"])),
    three,
    |world| in_turn(world, 18)
);
scenario!(
    roundrobin_large_weights,
    config("", &backend("balance roundrobin", ["weight 200", "weight 50", "weight 100"])),
    three,
    |world| in_turn(world, 21)
);
scenario!(
    roundrobin_weight_zero,
    config("", &backend("balance roundrobin", ["weight 2", "weight 0", "weight 1"])),
    three,
    |world| in_turn(world, 9)
);
scenario!(
    static_rr_weights,
    config("", &backend("balance static-rr", ["weight 3", "weight 1", "weight 2"])),
    three,
    |world| in_turn(world, 18)
);
scenario!(
    static_rr_goes_on_when_a_server_leaves_and_returns,
    with_stats(&format!("backend b\n{}", backend("balance static-rr", ["weight 3", "weight 1", "weight 2"])))
        .replace("  log global\n", "  log global\n  option tcplog\n"),
    three,
    |world| {
        in_turn(world, 8);
        say(world, &["set server b/s1 state maint"]);
        in_turn(world, 4);
        say(world, &["set server b/s1 state ready"]);
        in_turn(world, 7);
    }
);
scenario!(
    static_rr_over_backups_alone,
    config("", &backend("balance static-rr", ["backup weight 2", "backup weight 5", "backup weight 4"])),
    three,
    |world| in_turn(world, 12)
);
scenario!(
    source_over_backups_alone,
    config("", &backend("balance source", ["backup weight 3", "backup weight 5", "backup weight 4"])),
    three,
    by_address
);
scenario!(first, plain("balance first"), three, |world| in_turn(world, 4));
scenario!(
    first_fills_in_order,
    config("", &backend("balance first", ["maxconn 2", "maxconn 1", "maxconn 5"])),
    three,
    |world| {
        let sessions = held(world, 6);
        drop(sessions);
    }
);
scenario!(source, plain("balance source"), three, by_address);
scenario!(
    source_weights,
    config("", &backend("balance source", ["weight 3", "weight 1", "weight 2"])),
    three,
    by_address
);
scenario!(source_consistent, plain("balance source\n  hash-type consistent"), three, by_address);
scenario!(
    source_consistent_weights,
    config("", &backend("balance source\n  hash-type consistent", ["weight 3", "weight 1", "weight 2"])),
    three,
    by_address
);
scenario!(source_djb2, plain("balance source\n  hash-type map-based djb2"), three, by_address);
scenario!(source_wt6, plain("balance source\n  hash-type map-based wt6"), three, by_address);
scenario!(source_crc32, plain("balance source\n  hash-type map-based crc32"), three, by_address);
scenario!(source_avalanche, plain("balance source\n  hash-type map-based sdbm avalanche"), three, by_address);
scenario!(
    source_consistent_crc32,
    plain("balance source\n  hash-type consistent crc32 avalanche"),
    three,
    by_address
);
scenario!(
    source_consistent_with_given_ids,
    config("", &backend("balance source\n  hash-type consistent", ["id 10", "", "id 20"])),
    three,
    by_address
);
scenario!(source_consistent_wt6, plain("balance source\n  hash-type consistent wt6"), three, by_address);
scenario!(hash_src, plain("balance hash src"), three, by_address);
scenario!(hash_src_consistent, plain("balance hash src\n  hash-type consistent djb2"), three, by_address);

scenario!(leastconn_evens_the_loads, plain("balance leastconn"), three, |world| {
    let mut sessions = held(world, 6);
    // Server 2 becomes the least loaded, and gets the next two.
    sessions.retain(|(number, _, _)| *number != 2);
    for _ in 0..2 {
        let line = world.log.line_where(PATIENCE, |line| line.contains(" b/s2 "));
        assert!(line.is_some(), "both sessions of server 2 are logged");
    }
    for _ in 0..2 {
        let client = world.connect();
        let (number, server) = world.next_accepted(SOON).expect("a server");
        sessions.push((number, client, server));
    }
    note_loads(world, &sessions);
});

scenario!(
    leastconn_weights,
    config("", &backend("balance leastconn", ["weight 3", "weight 1", "weight 2"])),
    three,
    |world| {
        let sessions = held(world, 12);
        drop(sessions);
    }
);

scenario!(random_uses_every_server, plain("balance random"), three, |world| {
    let mut used = [false; 3];
    for _ in 0..60 {
        let client = world.connect();
        if let Ok(number) = session(world, client).parse::<usize>() {
            used[number - 1] = true;
        }
    }
    world.note("used", format!("{used:?}"));
});

scenario!(random_two_draws_evens_loads, plain("balance random(10)"), three, |world| {
    let sessions = held(world, 30);
    let most = (1..=3).map(|n| sessions.iter().filter(|(on, _, _)| *on == n).count()).max();
    world.seen.clear();
    world.note("most at most 12", most <= Some(12));
});

const CHECKED: &str = "check inter 100 fall 1 rise 1";

fn first_refuses() -> Vec<Server> {
    vec![Server::refusing(), Server::listening(), Server::listening()]
}

scenario!(
    backups_wait,
    config("", &backend("balance roundrobin", ["", "backup", "backup"])),
    three,
    |world| {
        in_turn(world, 3);
    }
);

scenario!(
    first_backup_when_all_are_down,
    config("", &backend("balance roundrobin", [CHECKED, "backup", "backup"])),
    first_refuses,
    |world| {
        world.await_message("Running on backup");
        in_turn(world, 4);
    }
);

scenario!(
    all_backups_when_all_are_down,
    config("  option allbackups\n", &backend("balance roundrobin", [CHECKED, "backup", "backup"])),
    first_refuses,
    |world| {
        world.await_message("Running on backup");
        in_turn(world, 4);
    }
);

scenario!(
    roundrobin_around_a_dead_server,
    config("", &backend("balance roundrobin", [CHECKED, "", ""])),
    first_refuses,
    |world| {
        world.await_message("s1 is DOWN");
        in_turn(world, 6);
    }
);

scenario!(
    source_map_shrinks_when_a_server_dies,
    config("", &backend("balance source", [CHECKED, "", ""])),
    first_refuses,
    |world| {
        world.await_message("s1 is DOWN");
        by_address(world);
    }
);

scenario!(
    source_ring_shrinks_when_a_server_dies,
    config("", &backend("balance source\n  hash-type consistent", [CHECKED, "", ""])),
    first_refuses,
    |world| {
        world.await_message("s1 is DOWN");
        by_address(world);
    }
);

scenario!(
    full_servers_are_skipped,
    config("", &backend("balance roundrobin", ["maxconn 1", "maxconn 1", ""])),
    three,
    |world| {
        let sessions = held(world, 6);
        drop(sessions);
    }
);

scenario!(
    roundrobin_order_over_two_threads,
    plain("balance roundrobin").replace("nbthread 1", "nbthread 2"),
    three,
    |world| in_turn(world, 9)
);
