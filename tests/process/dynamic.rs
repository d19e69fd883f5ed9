//! Servers that commands add and delete: they carry sessions, and live through `reload`.

use std::fs;

use crate::run::{DEFAULTS, Running};
use crate::support::echo::Threads;
use crate::support::peer::Peer;
use crate::support::port::Port;
use crate::support::storm::Storm;
use crate::support::{PATIENCE, wait_for};

fn reload(running: &Running, sections: &str) {
    let text = format!("global\n  stats socket unix@s.sock level admin\n{DEFAULTS}\n{sections}\n");
    fs::write(running.proxy.directory().join("haproxy.cfg"), text).expect("written");
    let answer = running.ask("reload");
    assert!(answer.starts_with("Success=1\n"), "{answer}");
}

/// `name id admin` of each server.
fn servers(running: &Running) -> Vec<String> {
    let states = running.ask("show servers state");
    let fields = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        format!("{} {} {}", words[3], words[2], words[6])
    };
    states.trim_end().lines().skip(2).map(fields).collect()
}

#[test]
fn servers_come_and_go_under_load_and_no_session_notices() {
    let (one, two) = (Threads::echo(), Threads::echo());
    let port = Port::reserve();
    let sections =
        format!("listen x\n  bind 127.0.0.1:{}\n  server a 127.0.0.1:{}\n", port.number, one.port());
    let running = Running::start("  nbthread 2\n", &sections);
    let storm = Storm::begin(port.address(), 20);
    // The long connections have their server before there is another: they would keep that one from going.
    storm.pass(1);
    for round in 0..10 {
        let name = format!("x/d{round}");
        let added = running.ask(&format!("add server {name} 127.0.0.1:{} enabled weight 3", two.port()));
        assert_eq!(added, "New server registered.\n\n");
        storm.pass(30);
        let gone = running
            .ask(&format!("set server {name} state maint;wait 30s srv-removable {name};del server {name}"));
        assert_eq!(gone, "\nDone.\n\nServer deleted.\n\n", "{name}");
        assert_eq!(storm.failures(), Vec::<String>::new(), "round {round}");
    }
    storm.end();
    assert_eq!(servers(&running), ["a 1 0"]);
}

#[test]
fn a_server_in_maintenance_gets_another_name_and_keeps_everything_else() {
    let (echo, port) = (Threads::echo(), Port::reserve());
    let file = format!(
        "listen x\n  bind 127.0.0.1:{}\n  server a 127.0.0.1:{} weight 7\n  server b 127.0.0.1:9 disabled\n",
        port.number,
        echo.port()
    );
    let running = Running::start("", &file);
    let mut held = Peer::connect(port.address());
    held.send(b"one");
    assert_eq!(held.receive(3), b"one");
    for (line, answer) in [
        ("set server x/a name pod", "Only servers in maintenance mode can be renamed.\n\n"),
        ("set weight x/a 5;set server x/a state maint", "\n\n"),
        ("set server x/a name", "'set server <srv> name' expects the new name.\n\n"),
        ("set server x/a name b", "Already exists a server with the same name in backend.\n\n"),
        ("set server x/a name p%d", "character '%' is not permitted in server name 'p%d'.\n\n"),
        ("operator;set server x/a name pod", "\nPermission denied\n\n"),
        ("set server x/a name pod", "\n"),
        ("get weight x/pod;get weight x/a", "5 (initial 7)\n\nNo such server.\n\n"),
    ] {
        assert_eq!(running.ask(line), answer, "{line}");
    }
    assert_eq!(servers(&running), ["pod 1 1", "b 2 5"]);
    assert!(running.ask("show sess").contains(" srv=pod "));
    assert!(running.ask("show stat x 4 1").contains("\nx,pod,0,0,1,1,,1,"));
    held.send(b"two");
    assert_eq!(held.receive(3), b"two");
    // There and back, and into service.
    running.ask("set server x/pod name a;set server x/a name pod;set server x/pod state ready");
    let mut other = Peer::connect(port.address());
    other.send(b"new");
    assert_eq!(other.receive(3), b"new");
    let both = running.ask("add server x/a 127.0.0.1:9;del server x/a");
    assert_eq!(both, "New server registered.\n\nServer deleted.\n\n", "the name is free");
    // The file knows nothing of it.
    reload(&running, &file);
    assert_eq!(servers(&running), ["a 1 0", "b 2 5"]);
    held.send(b"six");
    assert_eq!(held.receive(3), b"six");
}

/// haproxy 2.6 takes such a server out of maintenance without giving it the address.
#[test]
fn a_server_whose_name_has_no_address_is_told_one() {
    let (echo, port) = (Threads::echo(), Port::reserve());
    let file = format!(
        "listen x\n  bind 127.0.0.1:{}\n  server a nosuch.invalid:{} check inter 100ms init-addr none\n  \
         server b nosuch.invalid:9 init-addr none disabled\n",
        port.number,
        echo.port()
    );
    let running = Running::start("", &file);
    assert!(running.ask("show stat x 4 1").contains(",MAINT (resolution),"));
    assert_eq!(servers(&running), ["a 1 32", "b 2 37"]);
    assert_eq!(
        running.ask("set server x/a addr 127.0.0.1"),
        "IP changed from '(none)' to '127.0.0.1' by 'stats socket command'\n\n"
    );
    running.ask("set server x/b addr 127.0.0.1");
    assert_eq!(servers(&running), ["a 1 0", "b 2 5"]);
    let checked = || running.ask("show stat x 4 1").contains(",L4OK,").then_some(());
    assert!(wait_for(PATIENCE, checked).is_some(), "{}", running.ask("show stat x 4 1"));
    let mut client = Peer::connect(port.address());
    client.send(b"one");
    assert_eq!(client.receive(3), b"one");
    let told = running.proxy.stderr();
    assert!(told.contains("Server x/a ('nosuch.invalid') is UP/READY (resolves again)."), "{told}");
    assert!(
        told.contains("Server x/b ('nosuch.invalid') resolves again but remains in maintenance."),
        "{told}"
    );
    // The file still does not know where it is.
    reload(&running, &file);
    assert_eq!(servers(&running), ["a 1 0", "b 2 5"]);
    client.send(b"two");
    assert_eq!(client.receive(3), b"two");
}

#[test]
fn a_reload_keeps_them_until_the_file_has_their_name() {
    let (one, two) = (Threads::echo(), Threads::echo());
    let port = Port::reserve();
    let sections = |more: &str| {
        format!("listen x\n  bind 127.0.0.1:{}\n  server a 127.0.0.1:{}\n{more}", port.number, one.port())
    };
    let running = Running::start("", &sections("  server b 127.0.0.1:9\n"));
    let two = two.port();
    for line in [
        format!("add server x/d 127.0.0.1:{two} id 7"),
        format!("add server x/e 127.0.0.1:{two}"),
        "set server x/d state ready".to_owned(),
        "set server x/a state maint".to_owned(),
        "set server x/b state maint".to_owned(),
        "del server x/b".to_owned(),
    ] {
        running.ask(&line);
    }
    assert_eq!(servers(&running), ["a 1 1", "d 7 0", "e 3 1"]);
    let mut held = Peer::connect(port.address());
    held.send(b"one");
    assert_eq!(held.receive(3), b"one");

    // What the file has comes back; what only commands know stays.
    reload(&running, &sections("  server b 127.0.0.1:9 disabled\n"));
    assert_eq!(servers(&running), ["a 1 1", "b 2 5", "d 7 0", "e 3 1"]);
    // From now on the file decides of `d`, whose session and state go on; `e` is still nobody's but ours.
    reload(&running, &sections(&format!("  server d 127.0.0.1:{two}\n")));
    assert_eq!(servers(&running), ["a 1 1", "d 7 0", "e 3 1"]);
    reload(&running, &sections(""));
    assert_eq!(servers(&running), ["a 1 1", "e 3 1"]);
    held.send(b"two");
    assert_eq!(held.receive(3), b"two");
}
