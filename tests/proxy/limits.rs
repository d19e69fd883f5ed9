//! At a limit connections wait; when it is gone they are served, and nobody has to restart anything.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::gateway::Gateway;
use crate::support::echo::Threads;
use crate::support::peer::{End, Peer};
use crate::support::stream::Bytes;
use crate::support::{PATIENCE, wait_for};

/// Lets every client that is served go, until all have been. Their order is the workers' business.
fn assert_all_are_served(mut waiting: Vec<Peer>) {
    let all = wait_for(Duration::from_secs(30), || {
        waiting.retain_mut(|client| match client.end(Duration::from_millis(1)) {
            (0, End::Open) => true,
            (1, End::Open) => false,
            other => panic!("a waiting client saw {other:?}"),
        });
        waiting.is_empty().then_some(())
    });
    assert!(all.is_some(), "{} clients are never served", waiting.len());
}

/// A table of descriptors that grows makes the worker that accepts stand still.
#[test]
fn the_table_of_descriptors_is_as_large_as_maxconn_needs() {
    let gateway = Gateway::start("  maxconn 3000", "", "  server s1 127.0.0.1:1");
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.proxy.pid())).expect("it runs");
    let size = status.lines().find_map(|line| line.strip_prefix("FDSize:")).expect("the kernel tells");
    assert!(size.trim().parse::<u64>().expect("a number") >= 6000, "{size}");
}

#[test]
fn above_maxconn_clients_wait_and_are_served() {
    let server = Threads::naming(b'1');
    let backend = format!("  server s1 127.0.0.1:{}", server.port());
    for (global, defaults) in [("  maxconn 50", "  backlog 1024"), ("", "  maxconn 50\n  backlog 1024")] {
        let gateway = Gateway::start(global, defaults, &backend);
        let before = server.served();
        let mut waiting: Vec<Peer> = (0..150).map(|_| gateway.connect()).collect();
        let full = wait_for(PATIENCE, || (server.served() - before >= 50).then_some(()));
        assert!(full.is_some(), "as many as allowed are served at once");
        // Looks on for a moment: nobody beyond the limit is served, nobody is closed.
        let quiet = waiting.last_mut().expect("150").end(Duration::from_millis(300));
        assert_eq!(quiet, (0, End::Open));
        assert_eq!(server.served() - before, 50, "maxconn 50 with {global}{defaults}");
        assert_all_are_served(waiting);
        gateway.assert_descriptors_return();
    }
}

#[test]
fn above_a_servers_maxconn_clients_queue_and_are_served() {
    let server = Threads::naming(b'1');
    let backend = format!("  timeout queue 30s\n  server s1 127.0.0.1:{} maxconn 10", server.port());
    let gateway = Gateway::start("", "", &backend);
    let mut waiting: Vec<Peer> = (0..100).map(|_| gateway.connect()).collect();
    let full = wait_for(PATIENCE, || (server.served() >= 10).then_some(()));
    assert!(full.is_some(), "as many as allowed are served at once");
    assert_eq!(waiting[99].end(Duration::from_millis(300)), (0, End::Open));
    assert_eq!(server.served(), 10);
    assert_all_are_served(waiting);
    gateway.assert_descriptors_return();
}

/// Sixty sessions at once, whose clients read one after the other: nobody waits for what a stalled one holds.
fn assert_stalled_sessions_hinder_nobody(global: &str) {
    const SESSIONS: usize = 60;
    const SIZE: u64 = 8 << 20;
    let server = Threads::start(|mut stream| {
        // It fails only when the client gives up, which the client tells.
        let _ = Bytes::seeded(3).send(&mut stream, SIZE, 256 * 1024);
    });
    let backend = format!("  server s1 127.0.0.1:{}", server.port());
    let gateway = Gateway::start(&format!("  maxconn {SESSIONS}\n{global}"), "", &backend);
    let clients: Vec<Peer> = (0..SESSIONS).map(|_| gateway.connect()).collect();
    let full = wait_for(PATIENCE, || (server.served() == SESSIONS).then_some(()));
    assert!(full.is_some(), "{} of {SESSIONS} are served at once", server.served());
    for (number, mut client) in clients.into_iter().enumerate() {
        client.stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        assert_eq!(Bytes::seeded(3).receive(&mut client.stream, 256 * 1024), SIZE, "session {number}");
    }
}

/// What their pipes take is not what the next session needs.
#[test]
fn every_session_of_maxconn_may_be_bulk() {
    // 120 descriptors for sessions, 60 for the process itself, 10 for pipes.
    assert_stalled_sessions_hinder_nobody("  fd-hard-limit 190");
}

#[test]
fn every_session_of_maxconn_may_be_stalled_without_pipes() {
    assert_stalled_sessions_hinder_nobody("  nosplice");
}

/// Sets the soft limit on the descriptors of a running process.
fn limit_descriptors(pid: u32, soft: &str) {
    let set =
        Command::new("prlimit").args(["--pid", &pid.to_string(), &format!("--nofile={soft}:")]).status();
    assert!(set.expect("prlimit (util-linux) runs").success());
}

#[test]
fn accepting_resumes_after_descriptors_ran_out() {
    let server = Threads::naming(b'1');
    let mut gateway =
        Gateway::start("  maxconn 2000", "  retries 0", &format!("  server s1 127.0.0.1:{}", server.port()));
    let limit = gateway.proxy.open_descriptors() + 60;
    limit_descriptors(gateway.proxy.pid(), &limit.to_string());
    let mut clients: Vec<Peer> = (0..200).map(|_| gateway.connect()).collect();
    let exhausted = wait_for(PATIENCE, || (gateway.proxy.open_descriptors() >= limit - 4).then_some(()));
    assert!(exhausted.is_some(), "{} of {limit} descriptors in use", gateway.proxy.open_descriptors());
    // Some sessions are served; the others wait in the backlog or were told that no server could be reached.
    assert!(clients.iter_mut().any(|client| client.receive(1) == b"1"), "some are served at the limit");
    drop(clients);
    gateway.assert_alive();
    let resumed = wait_for(Duration::from_secs(20), || (gateway.connect().receive(1) == b"1").then_some(()));
    assert!(resumed.is_some(), "new connections are served again, the limit still in place");
    gateway.assert_descriptors_return();
}

/// The lowest descriptor number that a process has not in use: as a limit it allows no further one.
fn lowest_unused(pid: u32) -> usize {
    let entries =
        std::fs::read_dir(format!("/proc/{pid}/fd")).expect("the proxy runs").filter_map(Result::ok);
    let used: Vec<usize> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    (0..).find(|number| !used.contains(number)).expect("numbers do not end")
}

/// A server that answers `b` by a mebibyte and everything else by the same.
fn bulk_or_echo() -> Threads {
    Threads::start(|mut stream| {
        let mut byte = [0; 1];
        while stream.read_exact(&mut byte).is_ok() {
            let answer = if byte == *b"b" { vec![0; 1 << 20] } else { byte.to_vec() };
            if stream.write_all(&answer).is_err() {
                return;
            }
        }
    })
}

/// One worker that keeps an idle pipe and has no descriptor left; and a client that is being served.
fn pipe_and_nothing_else(server: &Threads, option: &str) -> (Gateway, Peer) {
    let backend = format!("  server s1 127.0.0.1:{}", server.port());
    let gateway = Gateway::start("  nbthread 1", &format!("  retries 0\n{option}"), &backend);
    let mut bulk = gateway.connect();
    bulk.send(b"b");
    assert_eq!(bulk.receive(1 << 20).len(), 1 << 20);
    drop(bulk);
    let pooled = wait_for(PATIENCE, || (gateway.descriptors_in_use() == 2).then_some(()));
    assert!(pooled.is_some(), "{} descriptors, not one pipe's", gateway.descriptors_in_use());
    // Takes the numbers below the pipe's.
    let mut held = gateway.connect();
    held.send(b"h");
    assert_eq!(held.receive(1), b"h");
    let pid = gateway.proxy.pid();
    limit_descriptors(pid, &lowest_unused(pid).to_string());
    (gateway, held)
}

fn assert_served(gateway: &Gateway) {
    let mut client = gateway.connect();
    client.send(b"c");
    assert_eq!(client.receive(1), b"c", "an idle pipe makes room");
}

#[test]
fn an_idle_pipe_makes_room_for_a_servers_socket() {
    let server = bulk_or_echo();
    let (gateway, _held) = pipe_and_nothing_else(&server, "");
    // The accept that is under way knows the former limit.
    assert_served(&gateway);
}

#[test]
fn an_idle_pipe_makes_room_for_a_client() {
    let server = bulk_or_echo();
    let (gateway, _held) = pipe_and_nothing_else(&server, "  option connect-on-data");
    // The accept that is under way knows the former limit; the next one finds no number and closes the pipe.
    let before = gateway.proxy.open_descriptors();
    let _silent = gateway.connect();
    let closed = wait_for(PATIENCE, || (gateway.proxy.open_descriptors() == before - 1).then_some(()));
    assert!(closed.is_some(), "the pipe is open still");
    assert_served(&gateway);
}

#[test]
fn a_killed_process_gives_its_port_back() {
    let server = Threads::naming(b'1');
    let gateway = Gateway::to(server.port());
    let address = gateway.address();
    drop(gateway);
    // The kernel takes rings apart after the process is gone, and listeners with them.
    let refused = wait_for(PATIENCE, || TcpStream::connect(address).is_err().then_some(()));
    assert!(refused.is_some(), "the port still accepts");
}
