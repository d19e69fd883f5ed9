//! Connecting: refused, silent and missing servers, and clients that leave meanwhile.

use crate::support::server::Server;
use crate::{
    scenario,
    world::{S1, SOON, World, config, one, refusing, refusing_then_listening, silent, waits},
};

const BOTH: &str = "  server s1 127.0.0.1:{s1}\n  server s2 127.0.0.1:{s2}";

/// A client that ends up at server 2.
fn served_by_the_second(world: &mut World) {
    let mut client = world.connect();
    client.send(b"q");
    let mut server = world.server(2).accept();
    let text = server.receive_text(1);
    world.note("server 2 gets", text);
    client.close();
    world.note_end("server", &mut server, SOON);
    server.close();
    world.note_log();
}

scenario!(refused_without_retry, config("  retries 0\n", S1), refusing, waits);

scenario!(refused_with_one_retry, config("  retries 1\n", S1), refusing, waits);

scenario!(refused_with_default_retries, config("", S1), refusing, |world| {
    let mut client = world.connect();
    client.send(b"waiting");
    world.note_client(client);
});

scenario!(
    client_timeout_in_turn_around,
    config("  timeout connect 1s\n  timeout client 1500\n  retries 5\n", S1),
    refusing,
    waits
);

scenario!(
    refused_with_long_connect_timeout,
    config("  timeout connect 5s\n  retries 1\n", S1),
    refusing,
    waits
);

scenario!(
    refused_then_redispatched,
    config("  retries 1\n  option redispatch\n", BOTH),
    refusing_then_listening,
    served_by_the_second
);

scenario!(
    refused_three_retries_redispatch,
    config("  retries 3\n  option redispatch\n", BOTH),
    refusing_then_listening,
    served_by_the_second
);

scenario!(
    refused_three_retries_redispatch_every_one,
    config("  retries 3\n  option redispatch 1\n", BOTH),
    refusing_then_listening,
    served_by_the_second
);

scenario!(refused_two_servers_no_redispatch, config("  retries 1\n", BOTH), refusing_then_listening, waits);

scenario!(
    refused_all_servers_redispatch,
    config("  retries 2\n  option redispatch\n", BOTH),
    || vec![Server::refusing(), Server::refusing()],
    waits
);

scenario!(
    refused_redispatch_not_to_backup,
    config(
        "  retries 1\n  option redispatch\n",
        "  server s1 127.0.0.1:{s1}\n  server s2 127.0.0.1:{s2} backup"
    ),
    refusing_then_listening,
    waits
);

scenario!(connect_timeout, config("  retries 0\n", S1), silent, waits);

scenario!(connect_timeout_one_retry, config("  retries 1\n", S1), silent, waits);

scenario!(
    connect_timeout_redispatched,
    config("  retries 1\n  option redispatch\n", BOTH),
    || vec![Server::silent(), Server::listening()],
    served_by_the_second
);

scenario!(client_fin_while_connecting, config("  retries 0\n", S1), silent, |world| {
    let client = world.connect_having(|client| client.finish());
    world.note_client(client);
});

scenario!(client_data_and_fin_while_connecting, config("  retries 0\n", S1), silent, |world| {
    let client = world.connect_having(|client| {
        client.send(b"request");
        client.finish();
    });
    world.note_client(client);
});

scenario!(
    client_fin_while_connecting_abortonclose,
    config("  retries 0\n  option abortonclose\n", S1),
    silent,
    |world| {
        let client = world.connect_having(|client| client.finish());
        world.note_client(client);
    }
);

scenario!(client_resets_while_connecting, config("  retries 0\n", S1), silent, |world| {
    let client = world.connect();
    world.await_stat("s1", "scur", 1);
    client.reset();
    world.note_log();
});

scenario!(client_resets_with_data_while_connecting, config("  retries 0\n", S1), silent, |world| {
    let mut client = world.connect();
    client.send(b"request");
    world.await_stat("s1", "scur", 1);
    client.reset();
    world.note_log();
});

scenario!(
    client_timeout_while_connecting,
    config("  timeout client 500\n  timeout connect 1500\n  retries 0\n", S1),
    silent,
    waits
);

scenario!(
    client_resets_in_turn_around,
    config("  timeout connect 1s\n  retries 1\n", S1),
    refusing,
    |world| {
        let client = world.connect();
        world.await_stat("s1", "wretr", 1);
        client.reset();
        world.note_log();
    }
);

scenario!(no_server_in_backend, config("", ""), Vec::new, waits);

scenario!(no_server_client_sent_data, config("", ""), Vec::new, |world| {
    let mut client = world.connect();
    client.send(b"request");
    world.note_client(client);
});

scenario!(
    all_servers_down,
    config("", "  server s1 127.0.0.1:{s1} check inter 100 fall 1"),
    refusing,
    |world| {
        world.await_message("no server available");
        let client = world.connect();
        world.note_client(client);
    }
);

scenario!(server_disabled, config("", "  server s1 127.0.0.1:{s1} disabled"), one, waits);

scenario!(retry_keeps_data_of_client, config("  retries 2\n", S1), refusing, |world| {
    let mut client = world.connect();
    client.send(b"request");
    client.finish();
    world.note_client(client);
});

scenario!(client_fin_while_connecting_later, config("  retries 0\n", S1), silent, |world| {
    let client = world.connect();
    world.await_stat_for_a_while("s1", "scur", 1);
    client.finish();
    world.note_client(client);
});

scenario!(client_fin_in_turn_around, config("  timeout connect 1s\n  retries 1\n", S1), refusing, |world| {
    let client = world.connect();
    world.await_stat_for_a_while("s1", "wretr", 1);
    client.finish();
    world.note_client(client);
});

scenario!(
    client_fin_while_connecting_later_abortonclose,
    config("  retries 0\n  option abortonclose\n", S1),
    silent,
    |world| {
        let client = world.connect();
        world.await_stat_for_a_while("s1", "scur", 1);
        client.finish();
        world.note_client(client);
    }
);

scenario!(
    client_fin_in_turn_around_at_once,
    config("  timeout connect 1s\n  retries 1\n", S1),
    refusing,
    |world| {
        let client = world.connect_having(|client| client.finish());
        world.note_client(client);
    }
);

scenario!(
    client_data_and_fin_in_turn_around,
    config("  timeout connect 1s\n  retries 1\n", S1),
    refusing,
    |world| {
        let mut client = world.connect();
        client.send(b"request");
        world.await_stat_for_a_while("s1", "wretr", 1);
        client.finish();
        world.note_client(client);
    }
);

scenario!(
    client_resets_while_connecting_abortonclose,
    config("  retries 0\n  option abortonclose\n", S1),
    silent,
    |world| {
        let client = world.connect();
        world.await_stat("s1", "scur", 1);
        client.reset();
        world.note_log();
    }
);

scenario!(
    client_data_and_fin_while_connecting_abortonclose,
    config("  retries 0\n  option abortonclose\n", S1),
    silent,
    |world| {
        let client = world.connect_having(|client| {
            client.send(b"request");
            client.finish();
        });
        world.note_client(client);
    }
);

scenario!(
    client_data_and_fin_while_connecting_later_abortonclose,
    config("  retries 0\n  option abortonclose\n", S1),
    silent,
    |world| {
        let mut client = world.connect();
        client.send(b"request");
        world.await_stat_for_a_while("s1", "scur", 1);
        client.finish();
        world.note_client(client);
    }
);

scenario!(
    client_resets_with_data_while_connecting_abortonclose,
    config("  retries 0\n  option abortonclose\n", S1),
    silent,
    |world| {
        let mut client = world.connect();
        client.send(b"request");
        world.await_stat_for_a_while("s1", "scur", 1);
        client.reset();
        world.note_log();
    }
);

scenario!(
    client_data_and_fin_in_turn_around_abortonclose,
    config("  timeout connect 1s\n  retries 1\n  option abortonclose\n", S1),
    refusing,
    |world| {
        let mut client = world.connect();
        client.send(b"request");
        world.await_stat_for_a_while("s1", "wretr", 1);
        client.finish();
        world.note_client(client);
    }
);

scenario!(
    client_resets_with_data_in_turn_around,
    config("  timeout connect 1s\n  retries 1\n", S1),
    refusing,
    |world| {
        let mut client = world.connect();
        client.send(b"request");
        world.await_stat_for_a_while("s1", "wretr", 1);
        client.reset();
        world.note_log();
    }
);
