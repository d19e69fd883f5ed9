//! Live sessions and frontends on the stats socket: what both programs show, answer, end and tell.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Duration;

use crate::runtime::{ask, note_messages, say, with_stats};
use crate::scenario;
use crate::support::peer::Peer;
use crate::support::wait_for;
use crate::world::{SOON, World, two};

const TWO: &str = "  server s1 127.0.0.1:{s1}\n  server s2 127.0.0.1:{s2} backup";

/// With `option tcplog`, so that sessions are logged at their end.
fn config(servers: &str) -> String {
    with_stats(&format!("backend b\n{servers}")).replace("  log global\n", "  log global\n  option tcplog\n")
}

/// Lines of `show sess` but for that of the connection that asks.
fn shown(world: &World) -> Vec<String> {
    let answer = ask(world, "show sess");
    answer
        .lines()
        .filter(|line| line.starts_with("0x") && !line.contains("fe=GLOBAL"))
        .map(str::to_owned)
        .collect()
}

/// Waits until so many sessions are shown.
fn await_sessions(world: &World, count: usize) -> Vec<String> {
    wait_for(SOON, || Some(shown(world)).filter(|lines| lines.len() == count)).expect("sessions in time")
}

/// The fields that tools read, without numbers that vary.
fn note_session(world: &mut World, line: &str, client: &Peer) {
    let own = format!("src=127.0.0.1:{}", client.local_port());
    let words = line.split(' ').skip(1).filter(|word| {
        let name = word.split('=').next().unwrap_or_default();
        matches!(name, "proto" | "src" | "fe" | "be" | "srv" | "ts" | "epoch" | "rc")
    });
    let text: Vec<&str> = words.map(|word| if word == own { "src=client" } else { word }).collect();
    world.note("session", text.join(" "));
}

fn note_connect(world: &mut World) {
    let connected = TcpStream::connect_timeout(&world.front.address(), Duration::from_millis(500));
    world
        .note("connect", connected.map_or_else(|error| error.kind().to_string(), |_| "connected".to_owned()));
}

fn note_status(world: &mut World) {
    let stat = ask(world, "show stat f 1 0");
    let status = stat.lines().nth(1).and_then(|row| row.split(',').nth(17)).unwrap_or("none").to_owned();
    world.note("status", status);
}

scenario!(refusals_about_sessions, config(TWO), two, |world| {
    say(
        world,
        &[
            "show sess 0x1234",
            "shutdown session",
            "shutdown session foo",
            "shutdown session 0x1234",
            "shutdown sessions server",
            "shutdown sessions server b",
            "shutdown sessions server b/x",
            "shutdown sessions server x/y",
            "shutdown sessions server f/s1",
            "shutdown sessions server b/s1",
        ],
    );
});

scenario!(refusals_about_frontends, config(TWO), two, |world| {
    say(
        world,
        &[
            "disable frontend",
            "disable frontend x",
            "disable frontend b",
            "disable frontend GLOBAL",
            "enable frontend",
            "enable frontend x",
            "enable frontend f",
            "shutdown frontend",
            "shutdown frontend x",
            "set maxconn global",
            "set maxconn global 999999999",
            "set maxconn global 50",
            "set maxconn global 0",
            "set maxconn frontend",
            "set maxconn frontend f",
            "set maxconn frontend x 3",
            "set maxconn frontend b 3",
            "set maxconn frontend f -1",
            "set maxconn frontend f 40",
            "set rate-limit connections global",
            "set rate-limit connections global -3",
            "set rate-limit connections global 5",
            "set rate-limit sessions global 6",
        ],
    );
    let info = ask(world, "show info");
    for name in ["Maxconn: ", "Hard_maxconn: ", "ConnRateLimit: ", "SessRateLimit: "] {
        let line = info.lines().find(|line| line.starts_with(name)).unwrap_or("none").to_owned();
        world.note("info", line);
    }
});

scenario!(a_killed_session, config(TWO), two, |world| {
    let (client, server) = world.relayed();
    let line = await_sessions(world, 1).remove(0);
    note_session(world, &line, &client);
    let id = line.split(':').next().unwrap_or_default().to_owned();
    let answer = ask(world, &format!("shutdown session {id}"));
    world.note("answer", answer.trim_end());
    world.note_ends(client, server);
    await_sessions(world, 0);
});

scenario!(all_sessions_of_a_server_are_killed, config(TWO), two, |world| {
    let (client, server) = world.relayed();
    say(world, &["shutdown sessions server b/s2"]);
    world.note("left", await_sessions(world, 1).len());
    say(world, &["shutdown sessions server b/s1"]);
    world.note_ends(client, server);
    await_sessions(world, 0);
});

scenario!(
    maintenance_ends_sessions,
    config("  server s1 127.0.0.1:{s1} on-marked-down shutdown-sessions\n  server s2 127.0.0.1:{s2} backup"),
    two,
    |world| {
        let (client, server) = world.relayed();
        say(world, &["disable server b/s1"]);
        world.note_ends(client, server);
    }
);

scenario!(
    a_server_that_comes_back_ends_the_sessions_of_a_backup,
    config(
        "  server s1 127.0.0.1:{s1} on-marked-up shutdown-backup-sessions\n  server s2 127.0.0.1:{s2} backup"
    ),
    two,
    |world| {
        say(world, &["disable server b/s1"]);
        let mut client = world.connect();
        client.send(b"q");
        let mut server = world.server(2).accept();
        world.note("to server", server.receive_text(1));
        server.send(b"r");
        world.note("to client", client.receive_text(1));
        say(world, &["enable server b/s1"]);
        world.note_ends(client, server);
    }
);

scenario!(a_frontend_pauses_and_ends, config(TWO), two, |world| {
    let (mut client, mut server) = world.relayed();
    say(world, &["disable frontend f", "disable frontend f"]);
    note_messages(world, 1);
    note_status(world);
    note_connect(world);
    client.send(b"1");
    world.note("to server", server.receive_text(1));
    say(world, &["enable frontend f", "enable frontend f"]);
    note_messages(world, 1);
    note_status(world);
    note_connect(world);
    say(world, &["shutdown frontend f"]);
    note_status(world);
    // Pronk lets handshakes that have begun end well first, which takes half a second.
    let refused = wait_for(SOON, || {
        let connected = TcpStream::connect_timeout(&world.front.address(), Duration::from_millis(100));
        connected.err().map(|error| error.kind()).filter(|kind| *kind == ErrorKind::ConnectionRefused)
    });
    world.note("connect", refused.map_or("connected".to_owned(), |kind| kind.to_string()));
    say(world, &["shutdown frontend f", "disable frontend f", "enable frontend f"]);
    server.send(b"2");
    world.note("to client", client.receive_text(1));
});

scenario!(
    sessions_per_second_are_limited,
    config(TWO).replace("frontend f\n", "frontend f\n  rate-limit sessions 3\n"),
    two,
    |world| {
        let stat = ask(world, "show stat f 1 0");
        let limit = stat.lines().nth(1).and_then(|row| row.split(',').nth(34)).unwrap_or("none").to_owned();
        world.note("rate_lim", limit);
        let begin = std::time::Instant::now();
        let mut clients: Vec<Peer> = (0..6).map(|_| world.connect()).collect();
        let mut servers: Vec<Peer> = (0..6).map(|_| world.server(1).accept()).collect();
        // Three at once, one at the next second, two more a third of a second apart.
        let ms = begin.elapsed().as_millis();
        world.note("in time", (600..2500).contains(&ms));
        clients.clear();
        servers.clear();
    }
);
