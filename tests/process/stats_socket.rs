//! The stats socket: answers, ends, levels, and clients that misbehave.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::run::{Running, ask};
use crate::support::port::Port;
use crate::support::{PATIENCE, wait_for};

fn started(global: &str) -> (Running, Port) {
    let port = Port::reserve();
    let running = Running::start(
        global,
        &format!("listen x\n  bind 127.0.0.1:{}\n  server s1 127.0.0.1:9\n", port.number),
    );
    (running, port)
}

#[test]
fn tools_find_what_they_read() {
    let (running, _port) = started("");
    let info = running.ask("show info");
    for name in ["Name: ", "Version: ", "Pid: ", "Uptime_sec: ", "Maxconn: ", "CurrConns: 0", "Stopping: 0"] {
        assert!(info.lines().any(|line| line.starts_with(name)), "{name}");
    }
    assert!(info.ends_with("\n\n"));
    let stat = running.ask("show stat");
    assert!(stat.starts_with("# pxname,svname,qcur,qmax,scur,smax,slim,stot,"));
    let names: Vec<String> = stat
        .lines()
        .skip(1)
        .filter(|line| !line.is_empty())
        .map(|line| line.split(',').take(2).collect::<Vec<_>>().join("/"))
        .collect();
    assert_eq!(names, ["x/FRONTEND", "x/s1", "x/BACKEND"]);
    assert_eq!(running.ask("show stat x 4 1").lines().count(), 3);
    assert_eq!(running.ask("show stat nosuch 1 1"), "No such proxy.\n\n");
}

#[test]
fn descriptors_of_all_sessions_and_pipes_fit_the_limit() {
    for (global, pipes) in [
        ("  maxconn 500\n", None),
        ("  fd-hard-limit 1200\n  maxconn 500\n", None),
        ("  ulimit-n 100\n  maxconn 500\n", None),
        ("  fd-hard-limit 3000\n", None),
        ("  nbthread 2\n  maxconn 500\n  maxpipes 40\n", Some(40)),
        ("  maxconn 500\n  nosplice\n", Some(0)),
    ] {
        let (running, _port) = started(global);
        let info = running.ask("show info");
        let number = |name: &str| -> u64 {
            let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            value.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{name} in {info}"))
        };
        let [limit, most, maxconn, maxpipes] = ["Ulimit-n", "Maxsock", "Maxconn", "Maxpipes"].map(number);
        assert!(2 * maxconn + 2 * maxpipes < most && most <= limit, "{global}{info}");
        assert!(pipes.map_or(maxpipes > 0, |pipes| pipes == maxpipes), "{global}{info}");
        assert!(maxconn == 500 || maxconn > 1_300, "{global}{info}");
    }
}

#[test]
fn commands_are_one_shot_unless_prompted() {
    let (running, _port) = started("");
    assert_eq!(running.ask("show cli level;show cli level"), "admin\n\nadmin\n\n");
    assert!(
        running
            .ask("frobnicate")
            .starts_with("Unknown command: 'frobnicate'. Please enter one of the following commands only:\n")
    );
    assert!(running.ask("help").starts_with("The following commands are valid at this level:\n"));
    assert!(running.ask("show tasks").contains("'show tasks' is not available"));
    let mut stream = UnixStream::connect(running.socket()).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut say = |line: &str, expected: &str| {
        stream.write_all(line.as_bytes()).expect("sent");
        let mut answer = vec![0; expected.len()];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(String::from_utf8_lossy(&answer), expected);
    };
    say("prompt\n", "\n> ");
    say("show cli level\n", "admin\n\n> ");
    say("operator\n", "\n> ");
    say("show cli level\n", "operator\n\n> ");
    stream.write_all(b"quit\n").expect("sent");
    assert_eq!(stream.read(&mut [0; 8]).expect("the end"), 0);
}

#[test]
fn each_socket_has_its_level_and_mode() {
    let (running, _port) = started("  stats socket unix@u.sock level user mode 600\n");
    let socket = running.proxy.directory().join("u.sock");
    let mode = std::fs::metadata(&socket).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(ask(&socket, "show cli level\n").expect("an answer"), "user\n\n");
    assert_eq!(ask(&socket, "disable server x/s1\n").expect("an answer"), "Permission denied\n\n");
    assert!(!ask(&socket, "show stat\n").expect("an answer").contains("127.0.0.1:9"));
    assert!(running.ask("show stat").contains("127.0.0.1:9"));
}

#[test]
fn one_client_never_holds_up_another() {
    let (running, _port) = started("  stats maxconn 3\n");
    let mut silent = UnixStream::connect(running.socket()).expect("connected");
    silent.write_all(b"prompt\n").expect("sent");
    let mut deaf = UnixStream::connect(running.socket()).expect("connected");
    deaf.write_all(&b"show info;show stat;".repeat(300)).expect("sent");
    deaf.write_all(b"\n").expect("sent");
    assert!(running.ask("show info").contains("Stopping: 0"));
}

#[test]
fn silent_clients_are_given_up_after_the_stats_timeout() {
    let (running, _port) = started("  stats timeout 100ms\n");
    let mut silent = UnixStream::connect(running.socket()).expect("connected");
    silent.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    assert_eq!(silent.read(&mut [0; 8]).expect("the end"), 0);
    // haproxy 2.6 often forgets to.
    let mut prompted = UnixStream::connect(running.socket()).expect("connected");
    prompted.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    prompted.write_all(b"prompt\n").expect("sent");
    let mut heard = String::new();
    prompted.read_to_string(&mut heard).expect("the end");
    assert_eq!(heard, "\n> ");
}

#[test]
fn clients_beyond_the_limit_wait_their_turn() {
    let (running, _port) = started("  stats maxconn 1\n  stats timeout 60s\n");
    let mut first = UnixStream::connect(running.socket()).expect("connected");
    first.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    first.write_all(b"prompt\n").expect("sent");
    first.read_exact(&mut [0; 3]).expect("the prompt");
    let mut second = UnixStream::connect(running.socket()).expect("queued");
    second.write_all(b"show cli level\n").expect("sent");
    second.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    assert!(second.read(&mut [0; 8]).is_err(), "not served while the first one is there");
    drop(first);
    second.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut answer = String::new();
    second.read_to_string(&mut answer).expect("an answer");
    assert_eq!(answer, "admin\n\n");
}

#[test]
fn a_socket_without_clients_takes_no_place_from_another() {
    let (running, _port) = started("  stats maxconn 1\n  stats socket unix@t.sock level user\n");
    let other = running.proxy.directory().join("t.sock");
    for _ in 0..3 {
        assert_eq!(running.ask("show cli level"), "admin\n\n");
        assert_eq!(ask(&other, "show cli level\n").expect("an answer"), "user\n\n");
    }
}

#[test]
fn descriptors_return_to_where_they_were() {
    let (running, _port) = started("");
    running.ask("show info");
    let settled = || {
        wait_for(PATIENCE, || {
            let before = running.proxy.open_descriptors();
            running.ask("show version");
            (running.proxy.open_descriptors() <= before).then_some(before)
        })
    };
    let before = settled().expect("a steady number");
    for _ in 0..50 {
        running.ask("show stat");
    }
    let after = wait_for(PATIENCE, || (running.proxy.open_descriptors() <= before).then_some(()));
    assert!(after.is_some(), "{before} before, {} after", running.proxy.open_descriptors());
}

#[test]
fn a_client_that_leaves_waits_no_longer() {
    let (running, _port) = started("  stats maxconn 1\n");
    let mut waiting = UnixStream::connect(running.socket()).expect("connected");
    waiting.write_all(b"wait 20d\n").expect("sent");
    drop(waiting);
    assert_eq!(running.ask("show cli level"), "admin\n\n");
    let mut half_closed = UnixStream::connect(running.socket()).expect("connected");
    half_closed.write_all(b"wait 600;show cli level\n").expect("sent");
    half_closed.shutdown(std::net::Shutdown::Write).expect("half-closed");
    half_closed.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut answer = String::new();
    half_closed.read_to_string(&mut answer).expect("an answer");
    assert_eq!(answer, "Done.\n\nadmin\n\n");
}
