//! `option connect-on-data`: a client that says nothing never reaches a coordinator.

use std::time::Duration;

use crate::gateway::Gateway;
use crate::support::PATIENCE;
use crate::support::echo::Threads;
use crate::support::peer::End;
use crate::support::syslog::Syslog;

/// Pronk in front of `server` with these further lines, its log, and the option.
fn gateway(server: &Threads, log: &Syslog, defaults: &str, options: &str) -> Gateway {
    Gateway::start(
        &format!("  log 127.0.0.1:{} local0", log.port()),
        &format!("  log global\n  option tcplog\n  option connect-on-data\n{defaults}"),
        &format!("  server s1 127.0.0.1:{} {options}", server.port()),
    )
}

/// Server, whether one was reached, bytes and letters of the next session line.
fn logged(log: &mut Syslog) -> Option<String> {
    let line = log.line_where(PATIENCE, |line| line.contains("] f "))?;
    let words: Vec<&str> = line.split_once("] f ")?.1.split(' ').collect();
    let (_, server) = words.first()?.split_once('/')?;
    let reached = if words.get(1)?.starts_with("-1/-1/") { "never" } else { "reached" };
    Some(format!("{server} {reached} {}", words.get(2..4)?.join(" ")))
}

#[test]
fn the_first_byte_makes_the_connection() {
    let (server, mut log) = (Threads::echo(), Syslog::bind());
    let gateway = gateway(&server, &log, "", "");
    let mut client = gateway.connect();
    assert_eq!(client.end(Duration::from_millis(300)), (0, End::Open));
    assert_eq!(server.served(), 0, "nothing was said, nobody was connected to");
    client.send(b"hello");
    assert_eq!(client.receive_text(5), "hello");
    assert_eq!(server.served(), 1);
    client.close();
    assert_eq!(logged(&mut log).as_deref(), Some("s1 reached 5 --"));
}

#[test]
fn a_client_that_leaves_silently_is_logged_as_its_own_doing() {
    let (server, mut log) = (Threads::echo(), Syslog::bind());
    let gateway = gateway(&server, &log, "", "");
    let mut client = gateway.connect();
    client.finish();
    assert_eq!(client.end(PATIENCE), (0, End::Fin));
    assert_eq!(logged(&mut log).as_deref(), Some("<NOSRV> never 0 CD"));
    assert_eq!(server.served(), 0);
}

#[test]
fn a_silent_client_is_closed_after_its_timeout() {
    let (server, mut log) = (Threads::echo(), Syslog::bind());
    let gateway = gateway(&server, &log, "  timeout client 300", "");
    assert_eq!(gateway.connect().end(PATIENCE), (0, End::Fin));
    assert_eq!(logged(&mut log).as_deref(), Some("<NOSRV> never 0 cD"));
    assert_eq!(server.served(), 0);
}

#[test]
fn dontlognull_keeps_silent_clients_out_of_the_log() {
    let (server, mut log) = (Threads::echo(), Syslog::bind());
    let gateway = gateway(&server, &log, "  timeout client 300\n  option dontlognull", "");
    gateway.connect().close();
    assert_eq!(gateway.connect().end(PATIENCE), (0, End::Fin));
    // The first line in the log is that of the client that spoke.
    let mut client = gateway.connect();
    client.send(b"hello");
    assert_eq!(client.receive_text(5), "hello");
    client.close();
    assert_eq!(logged(&mut log).as_deref(), Some("s1 reached 5 --"));
}

#[test]
fn silent_clients_hold_no_place_at_the_server() {
    let (server, log) = (Threads::echo(), Syslog::bind());
    let gateway = gateway(&server, &log, "", "maxconn 1");
    let silent: Vec<_> = (0..5).map(|_| gateway.connect()).collect();
    let mut client = gateway.connect();
    client.send(b"hello");
    assert_eq!(client.receive_text(5), "hello", "the one place was free");
    drop(silent);
}
