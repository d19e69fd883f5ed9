//! Backends that commands hide, show, add and delete.

use std::fs;

use crate::run::{DEFAULTS, Running};
use crate::support::echo::Threads;
use crate::support::peer::Peer;
use crate::support::port::Port;
use crate::support::stats::column;
use crate::support::{PATIENCE, wait_for};

fn say(running: &Running, line: &str, expected: &str) {
    assert_eq!(running.ask(line).trim_end(), expected, "{line}");
}

fn stat(running: &Running, backend: &str, name: &str) -> String {
    let stat = running.ask("show stat");
    column(&stat, [backend, "BACKEND"], name).unwrap_or_else(|| panic!("{backend} in {stat}")).to_owned()
}

fn session(port: &Port) -> Peer {
    let mut client = Peer::connect(port.address());
    client.send(b"one");
    assert_eq!(client.receive(3), b"one");
    client
}

#[test]
fn no_rule_leads_to_a_hidden_backend() {
    let (one, two) = (Threads::echo(), Threads::echo());
    let port = Port::reserve();
    let sections = format!(
        "frontend f
  bind 127.0.0.1:{}
  use_backend first if LOCALHOST
  default_backend second
backend first
  be-unpublished
  server a 127.0.0.1:{}
backend second
  server b 127.0.0.1:{}
",
        port.number,
        one.port(),
        two.port()
    );
    let running = Running::start("", &sections);
    let counts = || [stat(&running, "first", "stot"), stat(&running, "second", "stot")];
    assert_eq!(stat(&running, "first", "status"), "UP (UNPUB)");
    session(&port);
    assert_eq!(counts(), ["0", "1"]);
    say(&running, "operator;publish backend first", "\nBackend published.");
    assert_eq!(stat(&running, "first", "status"), "UP");
    let mut held = session(&port);
    assert_eq!(counts(), ["1", "1"]);
    say(&running, "unpublish backend first", "Backend unpublished.");
    session(&port);
    assert_eq!(counts(), ["1", "2"]);
    // Who is there already stays.
    held.send(b"two");
    assert_eq!(held.receive(3), b"two");
    // Nothing is left to choose.
    say(&running, "unpublish backend second", "Backend unpublished.");
    let mut lost = Peer::connect(port.address());
    assert_eq!(lost.end(PATIENCE).0, 0);
    say(&running, "user;publish backend second", "\nPermission denied");
    say(
        &running,
        "del backend second",
        "This backend cannot be removed at runtime due to other configuration elements pointing to it.",
    );
}

#[test]
fn an_added_backend_waits_for_a_file_that_names_it() {
    let (one, two) = (Threads::echo(), Threads::echo());
    let port = Port::reserve();
    let sections = |more: &str, backend: &str| {
        format!(
            "defaults tcp\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s
frontend f\n  bind 127.0.0.1:{}\n{more}  default_backend b
backend b\n  server s 127.0.0.1:{}\n{backend}",
            port.number,
            one.port()
        )
    };
    let running = Running::start("", &sections("", ""));
    let reload = |sections: &str| {
        let text = format!("global\n  stats socket unix@s.sock level admin\n{DEFAULTS}\n{sections}\n");
        fs::write(running.proxy.directory().join("haproxy.cfg"), text).expect("written");
        let answer = running.ask("reload");
        assert!(answer.starts_with("Success=1\n"), "{answer}");
    };
    say(&running, "add backend d from tcp guid d1", "New backend registered.");
    let used = "Error during backend creation : name is already used by other proxy 'backend d'.";
    say(&running, "add backend d from tcp", used);
    say(&running, &format!("add server d/x 127.0.0.1:{} enabled", two.port()), "New server registered.");
    say(&running, "show stat d 2 -1;publish backend d", &{
        let stat = running.ask("show stat d 2 -1");
        assert!(stat.contains("\nd,BACKEND,") && stat.contains(",UP (UNPUB),"), "{stat}");
        format!("{stat}Backend published.")
    });
    assert!(running.ask("dump stats-file").contains("\nd1,0,"));
    say(&running, "wait 1m be-removable d", "Failed. Backend must be unpublished prior to its deletion.");

    // It outlives a reload, and then a rule leads to it and its server.
    reload(&sections("", ""));
    assert_eq!(stat(&running, "d", "status"), "UP");
    reload(&sections("  use_backend d if TRUE\n", "backend d from tcp\n"));
    session(&port);
    let counted = wait_for(PATIENCE, || (stat(&running, "d", "stot") == "1").then_some(()));
    assert!(counted.is_some(), "{}", running.ask("show stat"));
    reload(&sections("", ""));
    assert!(!running.ask("show stat").contains("\nd,BACKEND,"));

    say(&running, "add backend d from tcp", "New backend registered.");
    say(&running, "add server d/x 127.0.0.1:9", "New server registered.");
    say(&running, "del backend d", "Only a backend without server can be deleted.");
    say(&running, "del server d/x", "Server deleted.");
    say(&running, "wait 1m be-removable d;del backend d", "Done.\n\nBackend deleted.");
    say(&running, "del backend d", "No such backend.");
    assert!(!running.ask("show stat").contains("\nd,BACKEND,"));
    session(&port);
}
