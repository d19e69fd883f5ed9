//! What each timeout closes, and which side the log blames.

use std::time::Duration;

use crate::support::peer::Peer;
use crate::{
    scenario,
    world::{GLANCE, S1, SOON, World, both_wait, config, one},
};

/// A client that has spoken, and the server that has heard it.
fn spoken_to(world: &mut World) -> (Peer, Peer) {
    let mut client = world.connect();
    let mut server = world.server(1).accept();
    client.send(b"q");
    server.receive(1);
    (client, server)
}

/// Sends until nothing is taken any more.
fn flood(peer: &mut Peer) {
    peer.stream.set_write_timeout(Some(GLANCE)).expect("a timeout");
    while peer.send(&[b'x'; 65536]) {}
}

scenario!(client_timeout, config("  timeout client 500\n", S1), one, both_wait);

scenario!(server_timeout, config("  timeout server 500\n", S1), one, both_wait);

scenario!(equal_timeouts, config("  timeout client 500\n  timeout server 500\n", S1), one, both_wait);

scenario!(client_timeout_without_a_byte, config("  timeout client 500\n", S1), one, |world| {
    let client = world.connect();
    let server = world.server(1).accept();
    world.note_ends(client, server);
});

scenario!(client_timeout_only_client_spoke, config("  timeout client 500\n", S1), one, |world| {
    let (client, server) = spoken_to(world);
    world.note_ends(client, server);
});

scenario!(
    tunnel_timeout,
    config("  timeout client 1s\n  timeout server 1s\n  timeout tunnel 2s\n", S1),
    one,
    both_wait
);

scenario!(
    tunnel_timeout_only_client_spoke,
    config("  timeout client 500\n  timeout server 1s\n  timeout tunnel 1500\n", S1),
    one,
    |world| {
        let (client, server) = spoken_to(world);
        world.note_ends(client, server);
    }
);

scenario!(
    client_fin_timeout,
    config("  timeout client-fin 500\n  timeout server-fin 10s\n", S1),
    one,
    |world| {
        let (client, server) = world.relayed();
        client.finish();
        world.note_ends(client, server);
    }
);

scenario!(
    server_fin_timeout,
    config("  timeout client-fin 10s\n  timeout server-fin 500\n", S1),
    one,
    |world| {
        let (client, server) = world.relayed();
        client.finish();
        world.note_ends(client, server);
    }
);

scenario!(
    client_fin_timeout_after_server_fin,
    config("  timeout client-fin 500\n  timeout server-fin 10s\n", S1),
    one,
    |world| {
        let (client, server) = world.relayed();
        server.finish();
        world.note_ends(client, server);
    }
);

scenario!(
    server_fin_timeout_after_server_fin,
    config("  timeout client-fin 10s\n  timeout server-fin 500\n", S1),
    one,
    |world| {
        let (client, server) = world.relayed();
        server.finish();
        world.note_ends(client, server);
    }
);

scenario!(
    half_closed_by_client_then_server_timeout,
    config("  timeout client 500\n  timeout server 1s\n", S1),
    one,
    |world| {
        let (client, server) = world.relayed();
        client.finish();
        world.note_ends(client, server);
    }
);

scenario!(
    half_closed_by_server_then_client_timeout,
    config("  timeout client 500\n  timeout server 1s\n", S1),
    one,
    |world| {
        let (client, server) = world.relayed();
        server.finish();
        world.note_ends(client, server);
    }
);

scenario!(
    client_never_reads_then_server_closes,
    config("  timeout client 1s\n  timeout server 3s\n", S1),
    one,
    |world| {
        let (mut client, mut server) = world.relayed();
        flood(&mut server);
        server.close();
        world.note_log_letters();
        let (_, end) = client.end(SOON);
        world.note("client", end);
    }
);

scenario!(
    client_never_reads_server_waits,
    config("  timeout client 1s\n  timeout server 3s\n", S1),
    one,
    |world| {
        let (mut client, mut server) = world.relayed();
        flood(&mut server);
        world.note_log_letters();
        let (_, end) = client.end(SOON);
        world.note("client", end);
        let (_, end) = server.end(SOON);
        world.note("server", end);
    }
);

scenario!(
    server_never_reads_client_waits,
    config("  timeout client 3s\n  timeout server 1s\n", S1),
    one,
    |world| {
        let (mut client, mut server) = world.relayed();
        flood(&mut client);
        world.note_log_letters();
        let (_, end) = client.end(SOON);
        world.note("client", end);
        let (_, end) = server.end(SOON);
        world.note("server", end);
    }
);

scenario!(
    server_never_reads_client_closes,
    config("  timeout client 1s\n  timeout server 2s\n", S1),
    one,
    |world| {
        let (mut client, mut server) = world.relayed();
        flood(&mut client);
        client.close();
        world.note_log_letters();
        let (_, end) = server.end(SOON);
        world.note("server", end);
    }
);

scenario!(client_timeout_server_closes_on_fin, config("  timeout client 500\n", S1), one, |world| {
    let (mut client, mut server) = world.relayed();
    world.note_end("server", &mut server, SOON);
    server.close();
    world.note_end("client", &mut client, SOON);
    world.note_log();
});

scenario!(client_timeout_server_goes_on_sending, config("  timeout client 500\n", S1), one, |world| {
    let (mut client, mut server) = world.relayed();
    world.note_end("server", &mut server, SOON);
    server.send(b"late answer");
    let text = client.receive_text(11);
    world.note("client gets", text);
    client.send(b"more");
    let text = server.receive_text(4);
    world.note("server gets", text);
    client.close();
    world.note_end("server then", &mut server, GLANCE);
    server.close();
    world.note_log();
});

scenario!(client_timeout_client_closes_after, config("  timeout client 500\n", S1), one, |world| {
    let (client, mut server) = world.relayed();
    world.note_end("server", &mut server, SOON);
    client.close();
    world.note_end("server then", &mut server, SOON);
    world.note_silence(GLANCE);
    server.close();
    world.note_log();
});

scenario!(
    client_timeout_then_server_timeout,
    config("  timeout client 500\n  timeout server 1500\n", S1),
    one,
    |world| {
        let (mut client, mut server) = world.relayed();
        world.note_end("server", &mut server, SOON);
        world.note_end("client", &mut client, SOON);
        world.note_log();
    }
);

scenario!(server_timeout_client_closes_on_fin, config("  timeout server 500\n", S1), one, |world| {
    let (mut client, mut server) = world.relayed();
    world.note_end("client", &mut client, SOON);
    client.close();
    world.note_end("server", &mut server, SOON);
    world.note_log();
});

scenario!(server_timeout_client_goes_on_sending, config("  timeout server 500\n", S1), one, |world| {
    let (mut client, mut server) = world.relayed();
    world.note_end("client", &mut client, SOON);
    client.send(b"more");
    let text = server.receive_text(4);
    world.note("server gets", text);
    client.close();
    world.note_end("server", &mut server, SOON);
    world.note_log();
});

scenario!(
    server_timeout_then_client_timeout,
    config("  timeout client 1500\n  timeout server 500\n", S1),
    one,
    |world| {
        let (mut client, mut server) = world.relayed();
        world.note_end("client", &mut client, SOON);
        world.note_end("server", &mut server, SOON);
        world.note_log();
    }
);

scenario!(server_timeout_only_client_spoke, config("  timeout server 500\n", S1), one, |world| {
    let (mut client, mut server) = spoken_to(world);
    world.note_end("client", &mut client, SOON);
    client.close();
    world.note_end("server", &mut server, SOON);
    world.note_log();
});

scenario!(
    the_end_of_a_direction_is_no_activity,
    config("  timeout client 5s\n  timeout server 1500\n", S1),
    one,
    |world| {
        let (client, server) = world.relayed();
        std::thread::sleep(Duration::from_millis(1000));
        client.finish();
        world.note_last_of_ends(client, server);
    }
);

scenario!(
    a_fin_timeout_begins_with_the_end,
    config("  timeout client 5s\n  timeout server 2s\n  timeout server-fin 1s\n", S1),
    one,
    |world| {
        let (client, server) = world.relayed();
        std::thread::sleep(Duration::from_millis(1500));
        client.finish();
        world.note_last_of_ends(client, server);
    }
);

scenario!(
    a_fin_timeout_begins_with_the_clients_silence,
    config("  timeout client 500\n  timeout server 800\n  timeout server-fin 1500\n", S1),
    one,
    |world| {
        let (client, server) = spoken_to(world);
        world.note_last_of_ends(client, server);
    }
);

scenario!(
    a_silent_server_is_reset_in_the_end,
    config("  timeout client 500\n  timeout server 1s\n", S1),
    one,
    |world| {
        let (client, server) = spoken_to(world);
        world.note_last_of_ends(client, server);
    }
);

scenario!(
    both_silent_nolinger_in_the_end,
    config("  option nolinger\n  timeout client 500\n  timeout server 1s\n", S1),
    one,
    |world| {
        let (client, server) = spoken_to(world);
        world.note_last_of_ends(client, server);
    }
);

scenario!(
    half_closed_by_server_then_client_timeout_nolinger,
    config("  option nolinger\n  timeout client 500\n", S1),
    one,
    |world| {
        let (client, server) = world.relayed();
        server.finish();
        world.note_last_of_ends(client, server);
    }
);
