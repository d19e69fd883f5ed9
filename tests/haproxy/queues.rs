//! Waiting for a place: server and backend queues, and frontends that are full.

use std::time::Duration;

use crate::{
    runtime::ask,
    scenario,
    world::{GLANCE, SOON, World, config, one, two},
};

const S1_MAX: &str = "  server s1 127.0.0.1:{s1} maxconn 1";

scenario!(queue_timeout, config("  timeout queue 500\n", S1_MAX), one, |world| {
    let (first, server) = world.relayed();
    let mut second = world.connect();
    second.send(b"waiting");
    world.note_client(second);
    drop((first, server));
    world.note_log();
});

scenario!(queue_timeout_defaults_to_connect, config("", S1_MAX), one, |world| {
    let (first, server) = world.relayed();
    let second = world.connect();
    world.note_client(second);
    drop((first, server));
});

scenario!(queued_then_served, config("  timeout queue 10s\n", S1_MAX), one, |world| {
    let (first, server) = world.relayed();
    let mut second = world.connect();
    second.send(b"waiting");
    std::thread::sleep(Duration::from_millis(1000));
    drop((first, server));
    world.note_log();
    let mut server = world.server(1).accept();
    let text = server.receive_text(7);
    world.note("server gets", text);
    second.close();
    server.close();
    world.note_log();
});

scenario!(queue_of_three, config("  timeout queue 10s\n", S1_MAX), one, |world| {
    let (first, server) = world.relayed();
    let mut second = world.connect();
    second.send(b"2");
    world.await_stat("BACKEND", "qcur", 1);
    let mut third = world.connect();
    third.send(b"3");
    world.await_stat("BACKEND", "qcur", 2);
    drop((first, server));
    world.note_log();
    for client in [second, third] {
        let mut server = world.server(1).accept();
        let text = server.receive_text(1);
        world.note("server gets", text);
        client.close();
        server.close();
        world.note_log();
    }
});

scenario!(
    queue_timeout_two_servers,
    config(
        "  timeout queue 500\n",
        "  server s1 127.0.0.1:{s1} maxconn 1\n  server s2 127.0.0.1:{s2} maxconn 1"
    ),
    two,
    |world| {
        let clients = [world.connect(), world.connect()];
        let servers = [world.server(1).accept(), world.server(2).accept()];
        let third = world.connect();
        world.note_client(third);
        drop((clients, servers));
    }
);

scenario!(
    maxqueue_reached,
    config("  timeout queue 1s\n", "  server s1 127.0.0.1:{s1} maxconn 1 maxqueue 1"),
    one,
    |world| {
        let (first, server) = world.relayed();
        let mut second = world.connect();
        world.await_stat("BACKEND", "qcur", 1);
        let mut third = world.connect();
        world.note_end("second", &mut second, SOON);
        world.note_end("third", &mut third, SOON);
        world.note_log();
        world.note_log();
        drop((first, server));
    }
);

scenario!(client_fin_while_queued, config("  timeout queue 500\n", S1_MAX), one, |world| {
    let (first, server) = world.relayed();
    let second = world.connect_having(|second| second.finish());
    world.note_client(second);
    drop((first, server));
});

scenario!(client_resets_while_queued, config("  timeout queue 500\n", S1_MAX), one, |world| {
    let (first, server) = world.relayed();
    let second = world.connect();
    world.await_stat("BACKEND", "qcur", 1);
    second.reset();
    world.note_log();
    drop((first, server));
});

scenario!(
    client_fin_while_queued_abortonclose,
    config("  timeout queue 10s\n  option abortonclose\n", S1_MAX),
    one,
    |world| {
        let (first, server) = world.relayed();
        let second = world.connect_having(|second| second.finish());
        world.note_client(second);
        drop((first, server));
    }
);

scenario!(
    client_timeout_while_queued,
    config("  timeout queue 2s\n  timeout client 500\n", S1_MAX),
    one,
    |world| {
        let clients = world.connect();
        let server = world.server(1).accept();
        let second = world.connect();
        world.note_client(second);
        world.note_log();
        drop((clients, server));
    }
);

scenario!(
    frontend_maxconn,
    config("", "  server s1 127.0.0.1:{s1}").replace("default_backend", "maxconn 1\n  default_backend"),
    one,
    |world| {
        let (first, server) = world.relayed();
        let mut second = world.connect();
        second.send(b"2");
        let reached = world.server(1).accept_within(GLANCE);
        world.note("second reaches", reached.is_some());
        drop((first, server));
        world.note_log();
        let mut server = world.server(1).accept();
        let text = server.receive_text(1);
        world.note("server gets", text);
        second.close();
        server.close();
        world.note_log();
    }
);

scenario!(client_fin_while_queued_later, config("  timeout queue 1s\n", S1_MAX), one, |world| {
    let (first, server) = world.relayed();
    let second = world.connect();
    world.await_stat_for_a_while("BACKEND", "qcur", 1);
    second.finish();
    world.note_client(second);
    drop((first, server));
});

scenario!(client_data_and_fin_while_queued_later, config("  timeout queue 1s\n", S1_MAX), one, |world| {
    let (first, server) = world.relayed();
    let mut second = world.connect();
    second.send(b"request");
    world.await_stat_for_a_while("BACKEND", "qcur", 1);
    second.finish();
    world.note_client(second);
    drop((first, server));
});

scenario!(
    client_fin_while_queued_later_abortonclose,
    config("  timeout queue 1s\n  option abortonclose\n", S1_MAX),
    one,
    |world| {
        let (first, server) = world.relayed();
        let second = world.connect();
        world.await_stat_for_a_while("BACKEND", "qcur", 1);
        second.finish();
        world.note_client(second);
        drop((first, server));
    }
);

scenario!(
    client_resets_while_queued_abortonclose,
    config("  timeout queue 1s\n  option abortonclose\n", S1_MAX),
    one,
    |world| {
        let (first, server) = world.relayed();
        let second = world.connect();
        world.await_stat("BACKEND", "qcur", 1);
        second.reset();
        world.note_log();
        drop((first, server));
    }
);

scenario!(
    client_data_and_fin_while_queued_abortonclose,
    config("  timeout queue 1s\n  option abortonclose\n", S1_MAX),
    one,
    |world| {
        let (first, server) = world.relayed();
        let second = world.connect_having(|second| {
            second.send(b"request");
            second.finish();
        });
        world.note_client(second);
        drop((first, server));
    }
);

scenario!(
    client_data_and_fin_while_queued_later_abortonclose,
    config("  timeout queue 1s\n  option abortonclose\n", S1_MAX),
    one,
    |world| {
        let (first, server) = world.relayed();
        let mut second = world.connect();
        second.send(b"request");
        world.await_stat_for_a_while("BACKEND", "qcur", 1);
        second.finish();
        world.note_client(second);
        drop((first, server));
    }
);

scenario!(client_resets_with_data_while_queued, config("  timeout queue 1s\n", S1_MAX), one, |world| {
    let (first, server) = world.relayed();
    let mut second = world.connect();
    second.send(b"request");
    world.await_stat_for_a_while("BACKEND", "qcur", 1);
    second.reset();
    world.note_log();
    drop((first, server));
});

scenario!(
    client_resets_with_data_while_queued_abortonclose,
    config("  timeout queue 1s\n  option abortonclose\n", S1_MAX),
    one,
    |world| {
        let (first, server) = world.relayed();
        let mut second = world.connect();
        second.send(b"request");
        world.await_stat_for_a_while("BACKEND", "qcur", 1);
        second.reset();
        world.note_log();
        drop((first, server));
    }
);

scenario!(
    queued_with_data_and_served_abortonclose,
    config("  timeout queue 10s\n  option abortonclose\n", S1_MAX),
    one,
    |world| {
        let (first, server) = world.relayed();
        let mut second = world.connect();
        second.send(b"waiting");
        world.await_stat_for_a_while("BACKEND", "qcur", 1);
        drop((first, server));
        world.note_log();
        let mut server = world.server(1).accept();
        let text = server.receive_text(7);
        world.note("server gets", text);
        second.send(b"more");
        let text = server.receive_text(4);
        world.note("server gets", text);
        second.close();
        server.close();
        world.note_log_letters();
    }
);

/// Of two servers clients of one address get always the same.
fn by_source(more: &str, servers: usize) -> String {
    let places: String =
        (1..=servers).map(|at| format!("\n  server s{at} 127.0.0.1:{{s{at}}} maxconn 1")).collect();
    config(&format!("  timeout queue 2s\n{more}"), &format!("  balance source{places}"))
        .replace("stats.sock", "stats.sock level admin")
}

/// A client waits in the queue of the server that serves another one; then it is out of service.
fn its_server_leaves(world: &mut World) {
    let _first = world.connect();
    let (number, _server) = world.next_accepted(SOON).expect("a server");
    let mut second = world.connect();
    second.send(b"waiting");
    world.await_stat(&format!("s{number}"), "qcur", 1);
    ask(world, &format!("set server b/s{number} state maint"));
    match world.next_accepted(Duration::from_millis(1000)) {
        Some((_, mut other)) => {
            let text = other.receive_text(7);
            world.note("the other server gets", text);
            second.close();
            other.close();
        }
        None => world.note_end("client", &mut second, SOON),
    }
    world.note_log();
}

scenario!(the_only_server_leaves_a_queue, by_source("", 1), one, its_server_leaves);
scenario!(
    the_only_server_leaves_a_queue_with_redispatch,
    by_source("  option redispatch\n", 1),
    one,
    its_server_leaves
);
scenario!(a_server_leaves_its_queue, by_source("", 2), two, its_server_leaves);
scenario!(
    a_server_leaves_its_queue_with_redispatch,
    by_source("  option redispatch\n", 2),
    two,
    its_server_leaves
);

scenario!(a_server_comes_back_to_its_queue, by_source("", 2), two, |world| {
    let first = world.connect();
    let (number, server) = world.next_accepted(SOON).expect("a server");
    let mut second = world.connect();
    second.send(b"waiting");
    world.await_stat(&format!("s{number}"), "qcur", 1);
    ask(world, &format!("set server b/s{number} state maint"));
    drop((first, server));
    world.note_log_letters();
    ask(world, &format!("set server b/s{number} state ready"));
    let (again, mut server) = world.next_accepted(SOON).expect("a server");
    let text = server.receive_text(7);
    world.note("server gets", text);
    world.note("the same", again == number);
    second.close();
    server.close();
    world.note_log_letters();
});
