//! How sessions end: who sees FIN, who sees RST, and what the log says.

use crate::support::peer::End;
use crate::support::wait_for;
use crate::{
    scenario,
    world::{GLANCE, S1, SOON, config, one},
};

scenario!(client_closes_first, config("", S1), one, |world| {
    let (client, mut server) = world.relayed();
    client.close();
    world.note_end("server", &mut server, SOON);
    server.close();
    world.note_log();
});

scenario!(server_closes_first, config("", S1), one, |world| {
    let (mut client, server) = world.relayed();
    server.close();
    world.note_end("client", &mut client, SOON);
    client.close();
    world.note_log();
});

scenario!(client_half_closes_first, config("", S1), one, |world| {
    let (mut client, mut server) = world.relayed();
    client.finish();
    world.note_end("server", &mut server, GLANCE);
    server.send(b"late answer");
    let text = client.receive_text(11);
    world.note("client gets", text);
    server.close();
    world.note_end("client", &mut client, SOON);
    world.note_log();
});

scenario!(server_half_closes_first, config("", S1), one, |world| {
    let (mut client, mut server) = world.relayed();
    server.finish();
    world.note_end("client", &mut client, GLANCE);
    client.send(b"late request");
    let text = server.receive_text(12);
    world.note("server gets", text);
    client.close();
    world.note_end("server", &mut server, SOON);
    world.note_log();
});

scenario!(client_resets_in_data, config("", S1), one, |world| {
    let (client, mut server) = world.relayed();
    client.reset();
    world.note_end("server", &mut server, SOON);
    world.note_log();
});

scenario!(client_resets_while_server_sends, config("", S1), one, |world| {
    let (client, mut server) = world.relayed();
    server.send(&[b'x'; 100_000]);
    client.reset();
    // FIN or RST, as the race goes, under haproxy too.
    let (_, end) = server.end(SOON);
    world.note("server left", end != End::Open);
    world.note_log_letters();
});

scenario!(client_resets_after_the_server_has_ended, config("", S1), one, |world| {
    let (mut client, mut server) = world.relayed();
    server.finish();
    world.note_end("client", &mut client, SOON);
    client.reset();
    world.note_end("server", &mut server, SOON);
    world.note_log();
});

scenario!(client_closes_first_nolinger, config("  option nolinger\n", S1), one, |world| {
    let (client, mut server) = world.relayed();
    client.close();
    world.note_end("server", &mut server, SOON);
    world.note_log();
});

scenario!(client_half_closes_first_nolinger, config("  option nolinger\n", S1), one, |world| {
    let (mut client, mut server) = world.relayed();
    client.finish();
    world.note_end("client", &mut client, SOON);
    world.note_end("server", &mut server, SOON);
    world.note_log();
});

scenario!(server_half_closes_first_nolinger, config("  option nolinger\n", S1), one, |world| {
    let (mut client, mut server) = world.relayed();
    server.finish();
    world.note_end("client", &mut client, SOON);
    client.close();
    world.note_end("server", &mut server, SOON);
    world.note_log();
});

scenario!(server_resets_nolinger, config("  option nolinger\n", S1), one, |world| {
    let (mut client, server) = world.relayed();
    server.reset();
    world.note_end("client", &mut client, SOON);
    world.note_log();
});

scenario!(server_resets_nolinger_in_the_end, config("  option nolinger\n", S1), one, |world| {
    let (mut client, server) = world.relayed();
    server.reset();
    world.note_end("client", &mut client, SOON);
    world.note("client is reset", client.reset_follows(GLANCE));
    world.note_log();
});

scenario!(both_silent_nolinger, config("  option nolinger\n  timeout client 500\n", S1), one, |world| {
    let (client, server) = world.relayed();
    world.note_ends(client, server);
});

scenario!(server_resets_in_data, config("", S1), one, |world| {
    let (mut client, server) = world.relayed();
    server.reset();
    world.note_end("client", &mut client, SOON);
    world.note_log();
});

scenario!(server_closes_with_unread_request, config("", S1), one, |world| {
    let (mut client, server) = world.relayed();
    client.send(b"never read");
    server.await_bytes();
    server.close();
    world.note_end("client", &mut client, SOON);
    world.note_log();
});

scenario!(server_closes_while_client_still_sends, config("", S1), one, |world| {
    let (mut client, server) = world.relayed();
    server.close();
    world.note_end("client", &mut client, GLANCE);
    let sent = client.send(b"into the void");
    world.note("client sends", sent);
    world.note_end("client then", &mut client, GLANCE);
    std::thread::sleep(GLANCE);
    let sent = client.send(b"again");
    world.note("client sends", sent);
    client.close();
    world.note_log();
});

scenario!(server_killed_mid_transfer, config("", S1), one, |world| {
    let (mut client, mut server) = world.relayed();
    server.send(&[b'x'; 10_000]);
    client.send(b"request under way");
    server.await_bytes();
    drop(server);
    world.note_end("client", &mut client, SOON);
    world.note_log();
});

scenario!(client_resets_at_once, config("", S1), one, |world| {
    world.frozen(|world| world.connect().reset());
    let reached = world.server(1).accept_within(GLANCE);
    world.note("connects", reached.is_some());
    world.note_log();
});

scenario!(client_sends_and_resets_at_once, config("", S1), one, |world| {
    world.frozen(|world| {
        let mut client = world.connect();
        client.send(b"request");
        client.reset();
    });
    let mut server = world.server(1).accept();
    let text = server.receive_text(7);
    world.note("server gets", text);
    world.note_end("server", &mut server, SOON);
    world.note_log();
});

scenario!(client_fin_at_once, config("", S1), one, |world| {
    world.frozen(|world| world.connect().close());
    let reached = world.server(1).accept_within(GLANCE);
    world.note("connects", reached.is_some());
    if let Some(mut server) = reached {
        world.note_end("server", &mut server, SOON);
    }
    world.note_log();
});

scenario!(client_fin_at_once_dontlognull, config("  option dontlognull\n", S1), one, |world| {
    world.frozen(|world| world.connect().close());
    let reached = world.server(1).accept_within(GLANCE);
    world.note("connects", reached.is_some());
    drop(reached);
    world.note_silence(GLANCE);
});

scenario!(client_data_and_fin_at_once, config("", S1), one, |world| {
    let mut client = world.connect();
    client.send(b"request");
    client.finish();
    let mut server = world.server(1).accept();
    let text = server.receive_text(7);
    world.note("server gets", text);
    server.send(b"answer");
    let text = client.receive_text(6);
    world.note("client gets", text);
    server.close();
    world.note_end("client", &mut client, SOON);
    world.note_log();
});

scenario!(soft_stop_lets_sessions_finish, config("", S1), one, |world| {
    let (mut client, mut server) = world.relayed();
    world.proxy.signal("USR1");
    let stopped = wait_for(SOON, || (!world.front.has_listener()).then_some(()));
    world.note("stops listening", stopped.is_some());
    let refused = std::net::TcpStream::connect(world.front.address()).is_err();
    world.note("new refused", refused);
    server.send(b"late");
    let text = client.receive_text(4);
    world.note("client gets", text);
    client.close();
    world.note_end("server", &mut server, SOON);
    server.close();
    world.note_log_letters();
    let status = world.proxy.wait(SOON);
    world.note("exit", format!("{status:?}"));
});

scenario!(hard_stop, config("", S1), one, |world| {
    let (mut client, mut server) = world.relayed();
    world.proxy.signal("TERM");
    world.note_end("client", &mut client, SOON);
    world.note_end("server", &mut server, SOON);
    let status = world.proxy.wait(SOON);
    world.note("exit", format!("{status:?}"));
    world.note_silence(GLANCE);
});
