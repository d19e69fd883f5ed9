//! Servers that come and go while the process runs: answers, states and sessions compared.

use crate::runtime::{await_status, note_servers, say, with_stats};
use crate::scenario;
use crate::world::{World, one, two};

fn config(backend: &str) -> String {
    with_stats(&format!("backend b\n  default-server weight 50 maxconn 9\n{backend}"))
}

const ONE: &str = "  server s1 127.0.0.1:{s1}";

/// With `{s1}` and the like replaced in what is sent, and not in what is noted.
fn add(world: &mut World, line: &str) {
    let mut sent = line.to_owned();
    for (number, server) in (1..).zip(&world.servers) {
        sent = sent.replace(&format!("{{s{number}}}"), &server.port().to_string());
    }
    let answer = crate::runtime::ask(world, &sent);
    world.note("answer", format!("{line} => {}", answer.trim_end()));
}

/// A session, and which server it came to.
fn visit(world: &mut World, number: usize) {
    let mut client = world.connect();
    client.send(b"q");
    let mut server = world.server(number).accept();
    let got = server.receive_text(1);
    world.note("session", format!("server {number} got {got}"));
}

scenario!(refusals_of_add_server, config(ONE), one, |world| {
    say(
        world,
        &[
            "add server",
            "add server b",
            "add server b/",
            "add server b/s3",
            "add server x/s3 127.0.0.1:1",
            "add server f/s3 127.0.0.1:1",
            "add server b/s1 127.0.0.1:1",
            "add server b/s%3 127.0.0.1:1",
            "add server b/s3 127.0.0.1:1 bogus 3",
            "add server b/s3 127.0.0.1:1 wieght 3",
            "add server b/s3 127.0.0.1:1 init-addr none",
            "add server b/s3 127.0.0.1:1 cookie x",
            "add server b/s3 127.0.0.1:1 no-check",
            "add server b/s3 127.0.0.1:1 redir /",
            "add server b/s3 127.0.0.1 check",
            "add server b/s3 127.0.0.1:1 on-marked-down x",
            "del server",
            "del server b",
            "del server b/x",
            "del server x/s1",
            "del server b/s1",
        ],
    );
    note_servers(world);
});

scenario!(
    static_algorithms_take_no_server,
    config("  balance static-rr\n  server s1 127.0.0.1:{s1}"),
    one,
    |world| {
        say(world, &["add server b/s2 127.0.0.1:1", "set server b/s1 state maint", "del server b/s1"]);
        note_servers(world);
    }
);

scenario!(maps_take_no_server, config("  balance source\n  server s1 127.0.0.1:{s1}"), one, |world| {
    say(world, &["add server b/s2 127.0.0.1:1"]);
});

scenario!(
    rings_take_servers,
    config("  balance source\n  hash-type consistent\n  server s1 127.0.0.1:{s1}"),
    one,
    |world| {
        say(world, &["add server b/s2 127.0.0.1:1"]);
        note_servers(world);
    }
);

scenario!(servers_begin_in_maintenance, config(ONE), two, |world| {
    for line in [
        "add server b/s2 127.0.0.1:{s2}",
        "add server b/s3 127.0.0.1:{s2} check inter 100ms maxconn 3",
        "add server b/s4 127.0.0.1:{s2} id 9 backup disabled",
        "add server b/s5 127.0.0.1:{s2} maxconn 2 minconn 4 maxqueue 5 slowstart 0",
        "add server b/s6 127.0.0.1:{s2} check disabled",
    ] {
        add(world, line);
    }
    note_servers(world);
    say(
        world,
        &[
            "get weight b/s3",
            "enable health b/s2",
            "set server b/s4 state ready",
            "set server b/s5 state ready",
            "del server b/s5",
            "del server b/s2",
            "del server b/s2",
            "del server b/#9",
            "set server b/s5 state maint",
            "del server b/s5",
        ],
    );
    note_servers(world);
    add(world, "add server b/s7 127.0.0.1:{s2}");
    note_servers(world);
});

scenario!(a_new_server_is_checked_when_told, config(ONE), two, |world| {
    add(world, "add server b/s2 127.0.0.1:{s2} check inter 100ms weight 7 rise 1");
    say(world, &["enable health b/s2", "set server b/s2 state ready", "get weight b/s2"]);
    await_status(world, "s2,UP,7,1,0,0,0,,L4OK,7");
    note_servers(world);
    say(world, &["set server b/s2 state maint", "del server b/s2"]);
    note_servers(world);
});

scenario!(sessions_go_to_new_servers_and_hold_them, config(ONE), two, |world| {
    add(world, "add server b/s2 127.0.0.1:{s2}");
    say(world, &["set server b/s1 state maint", "set server b/s2 state ready"]);
    visit(world, 2);
    let mut client = world.connect();
    client.send(b"q");
    let mut server = world.server(2).accept();
    let got = server.receive_text(1);
    world.note("session", got);
    say(world, &["set server b/s1 state ready", "set server b/s2 state maint", "del server b/s2"]);
    server.send(b"r");
    let got = client.receive_text(1);
    world.note("session", got);
    drop((client, server));
    let gone = crate::support::wait_for(crate::support::PATIENCE, || {
        crate::runtime::ask(world, "del server b/s2").starts_with("Server deleted.").then_some(())
    });
    world.note("deleted", gone.is_some().to_string());
    visit(world, 1);
    note_servers(world);
});
