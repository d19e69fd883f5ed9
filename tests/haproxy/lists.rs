//! The values of ACLs, from lines and files, shown and changed while the process runs.

use std::fs;

use crate::runtime::{ask, say};
use crate::support::proxy::Program;
use crate::world::{SOON, Seen, World, two};
use crate::{installed, scenario};

/// The line of `CONFIG` that is replaced where values come from files.
const FIRST: &str = "acl first src 10.0.0.0/8 10.1.0.0/16 9.1 010.0.0.1 192.168/16";

const CONFIG: &str = "global
  nbthread 1
  log 127.0.0.1:{log} local0
  stats socket unix@stats.sock level admin
defaults
  mode tcp
  log global
  timeout connect 500
  timeout client 20s
  timeout server 20s
frontend f
  bind 127.0.0.1:{front}
  acl first src 10.0.0.0/8 10.1.0.0/16 9.1 010.0.0.1 192.168/16
  acl ports dst_port 80 ge 90000 100:200
  acl late src -u 7 192.168.0.0/16
  acl beg path_beg /a /ab
  acl insensitive path_beg -i /a /ab
  acl nowhere path -m len 3 5:7
  use_backend two if first
  use_backend two if { src 172.16.0.0/12 } LOCALHOST late
  default_backend one
backend one
  server s1 127.0.0.1:{s1}
backend two
  server s2 127.0.0.1:{s2}
";

/// `show acl` without what haproxy itself has, and with addresses left out.
fn note_lists(world: &mut World) {
    let lists = ask(world, "show acl");
    let own = lists.lines().filter(|line| !line.contains("'httpclient'") && !line.is_empty());
    let own = own.collect::<Vec<_>>().join(" | ");
    world.note("lists", own.replace(&world.proxy.directory().display().to_string(), "…"));
}

/// The values of a list, references left out.
fn note_values(world: &mut World, line: &str) {
    let answer = ask(world, line);
    let value = |line: &str| line.split_once(' ').map_or(line.to_owned(), |(_, value)| value.to_owned());
    world.note("values", format!("{line} => {}", answer.lines().map(value).collect::<Vec<_>>().join("|")));
}

/// Which server the next session reaches.
fn note_server(world: &mut World) {
    let client = world.connect();
    let reached = world.next_accepted(SOON);
    world.note("server", reached.as_ref().map_or(0, |(number, _)| *number));
    client.close();
}

scenario!(refusals_of_acl_commands, CONFIG, two, |world| {
    note_lists(world);
    say(
        world,
        &[
            "show acl #99",
            "show acl x",
            "show acl @1 #99",
            "get acl",
            "get acl #0",
            "get acl #99 x",
            "add acl",
            "add acl #0",
            "add acl #0 10.9",
            "add acl #0 010.0.0.1",
            "add acl #1 bogus",
            "add acl #99 1.1.1.1",
            "add acl @1 #0 1.1.1.1",
            "prepare acl",
            "prepare acl #99",
            "commit acl",
            "commit acl #0",
            "commit acl @1",
            "commit acl @0 #0",
            "commit acl @1 #0",
            "commit acl @x #0",
            "commit acl @1 #99",
            "clear acl",
            "clear acl #99",
            "del acl",
            "del acl #0",
            "del acl #0 1.1.1.1",
            "del acl #0 #0x1234",
            "del acl #0 #zz",
            "del acl #99 1.1.1.1",
        ],
    );
});

scenario!(samples_are_sought, CONFIG, two, |world| {
    for key in [
        "10.1.2.3",
        "10.2.2.3",
        "11.2.2.3",
        "9.0.0.1",
        "9.1.0.0",
        "8.0.0.1",
        "192.168.0.1",
        "192.0.0.1",
        "x",
        "::1",
    ] {
        say(world, &[&format!("get acl #0 {key}")]);
    }
    for key in ["80", "89", "90001", "150", "200", "x"] {
        say(world, &[&format!("get acl #1 {key}")]);
    }
    for key in ["/a", "/abc", "/ABC", "b"] {
        say(world, &[&format!("get acl #3 {key}"), &format!("get acl #4 {key}")]);
    }
    for key in ["abc", "abcd", "abcdefg"] {
        say(world, &[&format!("get acl #5 {key}")]);
    }
});

scenario!(
    hosts_are_looked_up_at_start,
    CONFIG.replace(FIRST, "acl first src 10.0.0.0/8 localhost/24"),
    two,
    |world| {
        note_values(world, "show acl #0");
        say(world, &["get acl #0 127.0.0.9", "get acl #0 127.0.1.1", "add acl #0 localhost"]);
        note_server(world);
        say(world, &["del acl #0 localhost/24"]);
        note_server(world);
    }
);

scenario!(every_level_may_use_acls, CONFIG, two, |world| {
    for level in ["operator", "user"] {
        for command in ["add acl #7 1.2.3.4", "get acl #7 1.2.3.4", "del acl #7 1.2.3.4", "clear acl #2"] {
            say(world, &[&format!("{level};{command}")]);
        }
        say(world, &[&format!("{level};prepare acl #0"), &format!("{level};commit acl @1 #0")]);
    }
    note_lists(world);
});

scenario!(values_change_where_sessions_go, CONFIG, two, |world| {
    note_server(world);
    say(world, &["add acl #0 127.0.0.0/8"]);
    note_values(world, "show acl #0");
    note_server(world);
    say(world, &["del acl #0 127.0.0.0/8"]);
    note_server(world);
    say(world, &["prepare acl #0", "add acl @1 #0 127.0.0.1", "add acl @1 #0 8.8.8.8 and more"]);
    note_values(world, "show acl #0");
    note_values(world, "show acl @1 #0");
    note_values(world, "show acl @7 #0");
    note_lists(world);
    note_server(world);
    say(world, &["commit acl @1 #0"]);
    note_values(world, "show acl #0");
    note_lists(world);
    note_server(world);
    say(world, &["clear acl #0"]);
    note_values(world, "show acl #0");
    note_server(world);
    // Three ACLs that must all match: two anonymous or predefined, and the one with an id of its own.
    say(world, &["add acl #7 127.0.0.1", "add acl #5 127.0.0.1"]);
    note_lists(world);
    note_server(world);
});

/// ACLs that share a file.
fn shared(program: &Program, folder: &std::path::Path) -> Seen {
    let nets = folder.join("nets").display().to_string();
    let more = folder.join("more").display().to_string();
    let acls = format!("  acl first src -f {nets} 9.9.9.9\n  acl same src -u 3 -f {nets} -f {more}\n");
    let config = CONFIG.replace(&format!("  {FIRST}\n"), &acls);
    assert_ne!(config, CONFIG, "no line was replaced");
    let mut world = World::new(program, &config, two());
    let world = &mut world;
    note_lists(world);
    note_values(world, &format!("show acl {nets}"));
    note_server(world);
    say(
        world,
        &[
            &format!("get acl {nets} 10.1.2.3"),
            &format!("add acl {nets} 127.0.0.1"),
            &format!("get acl {nets} 127.0.0.1"),
        ],
    );
    note_lists(world);
    note_server(world);
    say(world, &[&format!("del acl {nets} 127.0.0.1"), &format!("del acl {nets} 127.0.0.1")]);
    note_server(world);
    std::mem::take(&mut world.seen)
}

#[test]
fn files_of_values_are_shared() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("nets"), "10.0.0.0/8\n10.1.0.0/16\n#c\n\n  192.168.0.0/16\r\n")
        .expect("written");
    fs::write(folder.path().join("more"), "").expect("written");
    let (haproxy, pronk) = (shared(&installed(), folder.path()), shared(&Program::Pronk, folder.path()));
    assert_eq!(pronk, haproxy, "Pronk (left) differs from haproxy 2.6 (right)");
}
