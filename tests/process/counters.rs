//! Counters that outlive their process: `dump stats-file`, `stats-file`, `guid`.

use std::fs;

use crate::run::Running;
use crate::support::echo::Threads;
use crate::support::peer::Peer;
use crate::support::port::Port;
use crate::support::stats::column;
use crate::support::{PATIENCE, wait_for};

fn sections(port: &Port, server: u16) -> String {
    format!(
        "frontend f
  guid front
  option socket-stats
  bind 127.0.0.1:{} guid-prefix bind
  default_backend b
backend b
  guid back
  server named 127.0.0.1:{server} guid one
  server nameless 127.0.0.1:{server} weight 0
",
        port.number
    )
}

fn value(running: &Running, row: [&str; 2], name: &str) -> u64 {
    let stat = running.ask("show stat");
    let text = column(&stat, row, name).unwrap_or_else(|| panic!("{row:?} {name} in {stat}"));
    text.parse().unwrap_or_else(|_| panic!("{row:?} {name}: {text}"))
}

fn sessions(port: &Port, count: usize) {
    for _ in 0..count {
        let mut client = Peer::connect(port.address());
        client.send(b"12345");
        assert_eq!(client.receive(5), b"12345");
    }
}

#[test]
fn counters_go_on_where_the_file_says() {
    let echo = Threads::echo();
    let port = Port::reserve();
    let first = Running::start("  nbthread 2\n", &sections(&port, echo.port()));
    sessions(&port, 3);
    let counted = wait_for(PATIENCE, || (value(&first, ["b", "BACKEND"], "bout") == 15).then_some(()));
    assert!(counted.is_some(), "{}", first.ask("show stat"));
    let file = first.ask("dump stats-file");
    let lines: Vec<&str> = file.lines().collect();
    assert!(lines[0].starts_with("#fe guid,stot,bin,bout,"), "{file}");
    assert!(lines[1].starts_with("front,3,15,15,"), "{file}");
    assert!(lines[2].starts_with("bind-0,3,15,15,"), "{file}");
    assert!(lines[3].starts_with("#be guid,stot,bin,bout,"), "{file}");
    assert!(lines[4].starts_with("one,3,15,15,") && lines[5].starts_with("back,3,15,15,"), "{file}");
    drop(first);

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("counters");
    fs::write(&path, &file).expect("written");
    let global = format!("  nbthread 2\n  stats-file {}\n", path.display());
    let second = Running::start(&global, &sections(&port, echo.port()));
    assert_eq!(second.ask("dump stats-file").lines().next(), Some(lines[0]));
    for row in [["f", "FRONTEND"], ["f", "sock-1"], ["b", "named"], ["b", "BACKEND"]] {
        assert_eq!(value(&second, row, "stot"), 3, "{row:?}");
    }
    // What was before is no rate of now, and no session of this process.
    assert_eq!(value(&second, ["f", "FRONTEND"], "rate_max"), 0);
    assert!(second.ask("show info").contains("\nCumReq: 0\n"), "{}", second.ask("show info"));
    assert!(value(&second, ["b", "named"], "lastsess") < 600);
    assert_eq!(value(&second, ["b", "nameless"], "stot"), 0);
    sessions(&port, 2);
    let counted = wait_for(PATIENCE, || (value(&second, ["b", "named"], "bout") == 25).then_some(()));
    assert!(counted.is_some(), "{}", second.ask("show stat"));
    second.ask("clear counters all");
    assert_eq!(value(&second, ["f", "FRONTEND"], "stot"), 0);
}

#[test]
fn the_counts_of_one_server_begin_anew() {
    let (echo, port) = (Threads::echo(), Port::reserve());
    let text = sections(&port, echo.port()).replace("guid one\n", "guid one check inter 10m\n");
    let running = Running::start("  nbthread 2\n", &text);
    sessions(&port, 3);
    let counted = wait_for(PATIENCE, || (value(&running, ["b", "BACKEND"], "bout") == 15).then_some(()));
    assert!(counted.is_some(), "{}", running.ask("show stat"));
    running.ask("set server b/named health down;set server b/named health up");
    for (line, answer) in [
        ("operator;clear counters server b/named", "\nPermission denied\n\n"),
        ("clear counters server", "Require 'backend/server'.\n\n"),
        ("clear counters server b/x", "No such server.\n\n"),
        ("clear counters server x/named", "No such backend.\n\n"),
    ] {
        assert_eq!(running.ask(line), answer, "{line}");
    }
    let row = ["b", "named"];
    assert_eq!((value(&running, row, "stot"), value(&running, row, "chkdown")), (3, 1));
    assert_eq!(running.ask("clear counters server b/named"), "\n");
    for name in ["stot", "bin", "bout", "lbtot", "smax", "rate_max", "chkdown", "connect"] {
        assert_eq!(value(&running, row, name), 0, "{name}");
    }
    // Nobody else's.
    assert_eq!(value(&running, ["b", "BACKEND"], "stot"), 3);
    assert_eq!(value(&running, ["f", "FRONTEND"], "stot"), 3);
    sessions(&port, 1);
    let counted = wait_for(PATIENCE, || (value(&running, row, "stot") == 1).then_some(()));
    assert!(counted.is_some(), "{}", running.ask("show stat"));
}

#[test]
fn a_file_that_cannot_be_used_is_told_and_the_process_starts() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("counters");
    for (text, said) in [
        (None, "Can't load stats-file"),
        (Some("hello\n"), "Invalid stats-file format in file"),
        (Some("#fe guid,stot,\na b,1,\nfront,7,\n"), "Ignored stats-file line 2 in file"),
    ] {
        text.into_iter().for_each(|text| fs::write(&path, text).expect("written"));
        let port = Port::reserve();
        let running = Running::start(&format!("  stats-file {}\n", path.display()), &sections(&port, 9));
        assert!(running.proxy.stderr().contains(said), "{}", running.proxy.stderr());
        let seven = text.is_some_and(|text| text.contains("front,7"));
        assert_eq!(value(&running, ["f", "FRONTEND"], "stot"), if seven { 7 } else { 0 });
    }
}
