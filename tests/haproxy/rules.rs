//! `use_backend` in mode tcp: rules see what has arrived when the session starts.

use std::net::{Ipv4Addr, SocketAddr};

use crate::scenario;
use crate::support::peer::Peer;
use crate::world::{GLANCE, SOON, World, one, two};

const CONFIG: &str = "global
  nbthread 1
  log 127.0.0.1:{log} local0
defaults
  mode tcp
  log global
  option tcplog
  timeout connect 500
  timeout client 20s
  timeout server 20s
frontend main
  bind 127.0.0.1:{front}
  acl url_static path_beg -i /static /images /javascript /stylesheets
  acl url_static path_end -i .jpg .gif .png .css .js
  use_backend static if url_static
  default_backend app
backend static
  server static 127.0.0.1:{s1}
backend app
  server app 127.0.0.1:{s2}
";

/// The server that gets a client whose bytes are there when the proxy accepts it.
fn with_bytes(world: &mut World, field: &'static str, bytes: &[u8]) {
    let client = world.connect_having(|client| {
        client.send(bytes);
    });
    note_server(world, field, client);
}

fn note_server(world: &mut World, field: &'static str, client: Peer) {
    let reached = world.next_accepted(SOON);
    let name = match reached.as_ref().map(|(number, _)| *number) {
        Some(1) => "static",
        Some(2) => "app",
        _ => "nobody",
    };
    world.note(field, name);
    // In this order nobody resets: the server has read everything when it closes.
    drop(client);
    if let Some((_, mut server)) = reached {
        server.end(SOON);
    }
    world.note_log_names();
}

scenario!(requests_are_routed_by_path, CONFIG, two, |world| {
    with_bytes(world, "path_beg", b"GET /static/x HTTP/1.0\r\n\r\n");
    with_bytes(world, "path_end", b"GET /a.css HTTP/1.1\r\nHost: h\r\n\r\n");
    with_bytes(world, "case", b"GET /STATIC/X HTTP/1.1\r\nHost: h\r\n\r\n");
    with_bytes(world, "query", b"GET /x?/a.css HTTP/1.1\r\nHost: h\r\n\r\n");
    with_bytes(world, "absolute", b"GET http://h/static/x HTTP/1.1\r\n\r\n");
    with_bytes(world, "other path", b"GET /query HTTP/1.1\r\nHost: h\r\n\r\n");
    with_bytes(world, "0.9", b"GET /static\r\n");
    with_bytes(world, "incomplete", b"GET /static/x HTTP/1.1\r\n");
    with_bytes(world, "no line end", b"GET /static/x");
    with_bytes(world, "empty lines", b"\r\n\r\nGET /static/x HTTP/1.1\r\n\r\n");
    with_bytes(world, "fragment", b"GET /x#.css HTTP/1.1\r\n\r\n");
    with_bytes(world, "not ascii", b"GET /static/\xc3\xa9 HTTP/1.1\r\n\r\n");
    with_bytes(world, "authority", b"CONNECT /static:80 HTTP/1.1\r\n\r\n");
});

scenario!(thrift_goes_to_the_default_backend, CONFIG, two, |world| {
    with_bytes(world, "strict", b"\x80\x01\x00\x01\x00\x00\x00\x0bOpenSession\x00\x00\x00\x00");
    with_bytes(world, "sasl", b"\x01\x00\x00\x00\x05PLAIN");
});

scenario!(late_requests_go_to_the_default_backend, CONFIG, two, |world| {
    let mut client = world.connect();
    let reached = world.next_accepted(GLANCE).map(|(number, _)| number);
    world.note("before a byte", format!("{reached:?}"));
    client.send(b"GET /static/x HTTP/1.0\r\n\r\n");
    client.close();
    world.note_log();
});

const ADDRESSES: &str = "global
  nbthread 1
  log 127.0.0.1:{log} local0
defaults
  mode tcp
  log global
  option tcplog
  timeout connect 500
  timeout client 20s
  timeout server 20s
frontend main
  bind 127.0.0.1:{front}
  acl near src 127.2.0.0/16 127.3.0.1
  acl here dst 127.0.0.1
  acl port dst_port {front}
  use_backend static if near here port
  use_backend static if { src 127.4.0.1 } or { src 127.4.0.2 }
  use_backend static unless here
  default_backend app
backend static
  server static 127.0.0.1:{s1}
backend app
  server app 127.0.0.1:{s2}
";

scenario!(addresses_choose_the_backend, ADDRESSES, two, |world| {
    let addresses = [
        ("net", Ipv4Addr::new(127, 2, 9, 9)),
        ("host", Ipv4Addr::new(127, 3, 0, 1)),
        ("next host", Ipv4Addr::new(127, 3, 0, 2)),
        ("or", Ipv4Addr::new(127, 4, 0, 2)),
        ("other", Ipv4Addr::new(127, 5, 0, 1)),
    ];
    for (field, address) in addresses {
        let client = Peer::connect_from(address, world.front.address());
        note_server(world, field, client);
    }
});

const DISABLED: &str = "global
  nbthread 1
  log 127.0.0.1:{log} local0
defaults
  mode tcp
  log global
  option tcplog
  timeout connect 500
  timeout client 20s
  timeout server 20s
frontend f
  bind 127.0.0.1:{front}
  RULE
backend b
  disabled
  server s1 127.0.0.1:{s1}
listen other
  disabled
  bind 127.0.0.1:1
  server s2 127.0.0.1:{s2}
backend last
  server s2 127.0.0.1:{s2}
";

fn refused(world: &mut World) {
    let client = world.connect();
    world.note_client(client);
    world.note("reached", world.next_accepted(GLANCE).is_some());
}

scenario!(a_disabled_backend_serves_nobody, DISABLED.replace("RULE", "default_backend b"), two, refused);

scenario!(
    a_rule_that_leads_to_a_disabled_section_is_taken,
    DISABLED.replace("RULE", "use_backend other\n  default_backend last"),
    two,
    refused
);

const ASKED_FOR: &str = "global
  nbthread 1
  log 127.0.0.1:{log} local0
defaults
  mode tcp
  log global
  option tcplog
  timeout connect 500
  timeout client 20s
  timeout server 20s
listen fixed
  bind 127.0.0.2:{front}
  server s1 *:{s1}
listen asked
  bind 127.0.0.1:{front}
  server s1 0.0.0.0:{s1}
";

// Server 1 listens on 127.0.0.1 alone.
scenario!(a_server_without_an_address_has_the_one_that_the_client_asked_for, ASKED_FOR, one, |world| {
    let client = Peer::connect(SocketAddr::from(([127, 0, 0, 2], world.front.number)));
    world.note_client(client);
    note_server(world, "asked for its address", world.connect());
});
