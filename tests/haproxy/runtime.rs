//! The runtime API: the same commands on both stats sockets, the answers, states and messages compared.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use crate::support::proxy::Program;
use crate::support::{PATIENCE, wait_for};
use crate::world::{GLANCE, Seen, World, one, two};
use crate::{installed, scenario};

/// A backend `b` with these servers, and a stats socket.
fn config(servers: &str) -> String {
    with_stats(&format!("backend b\n  option redispatch\n{servers}"))
}

pub fn with_stats(backends: &str) -> String {
    format!(
        "global
  nbthread 1
  maxconn 100
  log 127.0.0.1:{{log}} local0
  stats socket unix@stats.sock level admin
defaults
  mode tcp
  log global
  timeout connect 500
  timeout client 20s
  timeout server 20s
frontend f
  bind 127.0.0.1:{{front}}
  default_backend b
{backends}
"
    )
}

const TWO: &str = "  server s1 127.0.0.1:{s1}\n  server s2 127.0.0.1:{s2} weight 10 backup";
const CHECKED: &str =
    "  server s1 127.0.0.1:{s1} check inter 100ms fall 2\n  server s2 127.0.0.1:{s2} check inter 100ms";

/// A connection to the stats socket, which a process may bind after its ports.
fn connect(world: &World) -> UnixStream {
    let path = world.proxy.directory().join("stats.sock");
    wait_for(PATIENCE, || UnixStream::connect(&path).ok()).expect("a stats socket")
}

/// What one line on a new connection brings.
pub fn ask(world: &World, line: &str) -> String {
    let mut stream = connect(world);
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    stream.write_all(format!("{line}\n").as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// Notes the answers to lines. haproxy 2.6 leaves out the empty line behind some refusals: what ends an
/// answer is not compared.
pub fn say(world: &mut World, lines: &[&str]) {
    for line in lines {
        let answer = ask(world, line);
        world.note("answer", format!("{line} => {}", answer.trim_end()));
    }
}

/// Notes the next process messages, each with its priority.
pub fn note_messages(world: &mut World, count: usize) {
    for _ in 0..count {
        let line = world.log.line_where(PATIENCE, is_of_process).unwrap_or_else(|| "no message".to_owned());
        world.note("message", message(&line));
    }
}

/// Sessions are logged too, when they begin.
fn is_of_process(line: &str) -> bool {
    !line.contains("]: Connect from ")
}

/// `<129>Nov 21 03:36:59 haproxy[27554]: text` without date and process; durations vary.
fn message(line: &str) -> String {
    let priority = line.split_once('>').map_or("", |(priority, _)| priority);
    let text = line.split_once("]: ").map_or(line, |(_, text)| text);
    let text = text.split_once(", check duration: ").map_or(text.to_owned(), |(head, tail)| {
        format!("{head} … {}", tail.split_once("ms").map_or(tail, |(_, tail)| tail))
    });
    format!("{priority}> {text}")
}

/// Notes that nothing more is said.
fn note_quiet(world: &mut World) {
    let line = world.log.line_where(GLANCE, is_of_process);
    world.note("message", line.as_deref().map_or("quiet".to_owned(), message));
}

/// Some columns of `show stat` of backend `b`.
fn statuses(world: &World) -> String {
    let stat = ask(world, "show stat b 6 -1");
    let mut lines = stat.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().trim_start_matches("# ").split(',').collect();
    let wanted =
        ["svname", "status", "weight", "act", "bck", "chkfail", "chkdown", "slim", "check_status", "uweight"];
    let row = |line: &str| {
        let values: Vec<&str> = line.split(',').collect();
        let value = |name: &&str| names.iter().position(|known| known == name).map_or("?", |at| values[at]);
        wanted.iter().map(value).collect::<Vec<_>>().join(",").replace("* ", "")
    };
    lines.filter(|line| !line.is_empty()).map(row).collect::<Vec<_>>().join(" | ")
}

/// The lines of `show servers state b`, ports by the name of their server and the time left out.
fn states(world: &World) -> String {
    let text = ask(world, "show servers state b");
    let line = |line: &str| {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        if words.len() > 18 {
            words[9] = "T".to_owned();
            // A check may be running just now.
            words[11] = words[11].replace('0', "3");
            words[13] = words[13].replace('7', "6");
            for (number, server) in (1..).zip(&world.servers) {
                if words[18] == server.port().to_string() {
                    words[18] = format!("{{s{number}}}");
                }
            }
        }
        words.join(" ")
    };
    text.trim_end().lines().skip(2).map(line).collect::<Vec<_>>().join(" | ")
}

pub fn note_servers(world: &mut World) {
    let (statuses, states) = (statuses(world), states(world));
    world.note("stat", statuses);
    world.note("state", states);
}

/// Follows an order, then notes what is said and how the servers stand.
fn order(world: &mut World, line: &str, messages: usize) {
    say(world, &[line]);
    note_messages(world, messages);
    note_servers(world);
}

/// Waits until the servers stand like this.
pub fn await_status(world: &World, wanted: &str) {
    let found = wait_for(PATIENCE, || statuses(world).contains(wanted).then_some(()));
    assert!(found.is_some(), "no server is {wanted}: {}", statuses(world));
}

scenario!(refusals_of_set_server, config(TWO), two, |world| {
    say(
        world,
        &[
            "set server",
            "set server b",
            "set server b/",
            "set server /s1",
            "set server x/s1",
            "set server b/x",
            "set server b/s1",
            "set server b/s1 bogus",
            "set server b/s1 state",
            "set server b/s1 state READY",
            "set server b/s1 weight",
            "set server b/s1 weight x",
            "set server b/s1 weight 300",
            "set server b/s1 weight 5x",
            "set server b/s1 weight -5",
            "set server b/s1 weight -5%",
            "set server b/s1 health",
            "set server b/s1 health bogus",
            "set server b/s1 agent",
            "set server b/s1 agent up",
            "set server b/s1 agent-addr",
            "set server b/s1 agent-addr 1.2.3.4",
            "set server b/s1 agent-port",
            "set server b/s1 agent-port 80",
            "set server b/s1 agent-send x",
            "set server b/s1 addr",
            "set server b/s1 addr bogus",
            "set server b/s1 check-port",
            "set server b/s1 check-port 80",
            "set server b/s1 check-addr",
            "set server b/s1 check-addr 127.0.0.1",
            "set server b/s1 fqdn",
            "set server b/s1 fqdn foo.bar",
            "set server b/s1 ssl on",
            "set weight",
            "set weight b/s1",
            "get weight",
            "get weight b/x",
            "get weight x/x",
            "enable server",
            "enable server b",
            "disable server x/y",
            "enable health b/s1",
            "disable health b/s1",
            "enable agent b/s1",
            "disable agent b/s1",
            "set maxconn server b/s1",
            "set maxconn server b/s1 x",
            "set maxconn server b/s1 5x",
            "set timeout",
            "set timeout x",
            "set timeout cli",
            "set timeout cli x",
            "set severity-output",
            "show servers state nosuch",
            "show servers conn 3",
            "show env NO_SUCH_VARIABLE",
        ],
    );
    note_quiet(world);
});

scenario!(refusals_of_checked_servers, config(CHECKED), two, |world| {
    say(
        world,
        &[
            "set server b/s1 check-port x",
            "set server b/s1 check-port 99999",
            "set server b/s1 check-addr x",
            "set server b/s1 check-addr 127.0.0.1 port",
            "set server b/s1 check-addr 127.0.0.1 port x",
            "set server b/s1 addr 127.0.0.1 port +5",
        ],
    );
});

scenario!(out_of_service_and_back, config(TWO), two, |world| {
    note_servers(world);
    order(world, "set server b/s1 state maint", 1);
    order(world, "set server b/s1 state maint", 0);
    order(world, "set server b/s1 state drain", 2);
    order(world, "set server b/s1 state maint", 1);
    order(world, "set server b/s1 state ready", 1);
    order(world, "set server b/s1 state drain", 1);
    order(world, "set server b/s1 state ready", 1);
    order(world, "disable server b/s1", 1);
    order(world, "disable server b/#2", 2);
    order(world, "set server b/s2 health down", 0);
    order(world, "enable server b/s2", 1);
    order(world, "set server b/s2 state drain", 2);
    order(world, "enable server #3/s2", 1);
    order(world, "enable server b/s1", 1);
    note_quiet(world);
});

scenario!(forced_health, config(TWO), two, |world| {
    order(world, "set server b/s1 health up", 0);
    order(world, "set server b/s1 health stopping", 1);
    order(world, "set server b/s1 state drain", 1);
    order(world, "set server b/s1 state ready", 1);
    order(world, "set server b/s1 health down", 1);
    order(world, "set server b/s1 state drain", 1);
    order(world, "set server b/s1 state ready", 1);
    order(world, "set server b/s1 state maint", 1);
    order(world, "set server b/s1 health up", 0);
    order(world, "set server b/s1 state ready", 1);
    order(world, "set server b/s1 health down", 1);
    order(world, "set server b/s2 health stopping", 2);
    order(world, "set server b/s2 health down", 1);
    order(world, "set server b/s1 health up", 1);
    note_quiet(world);
});

scenario!(
    disabled_by_the_file,
    config("  server s1 127.0.0.1:{s1} disabled\n  server s2 127.0.0.1:{s2}"),
    two,
    |world| {
        note_servers(world);
        order(world, "enable server b/s1", 1);
        order(world, "disable server b/s1", 1);
        note_quiet(world);
    }
);

const NAMELESS: &str = "  server s1 nosuch.invalid:{s1} check inter 20s init-addr last,none
  server s2 127.0.0.1:{s2}
  server s3 nosuch.invalid:{s1} disabled init-addr none";

scenario!(servers_whose_names_have_no_address, config(NAMELESS), two, |world| {
    note_servers(world);
    order(world, "set server b/s1 state ready", 0);
    order(world, "set server b/s1 state maint", 0);
    order(world, "set server b/s1 state ready", 1);
    order(world, "set server b/s1 state drain", 0);
    order(world, "set server b/s1 state ready", 0);
    order(world, "enable server b/s3", 1);
    say(world, &["show servers conn nosuch"]);
    note_quiet(world);
    let client = world.connect();
    world.note("server", world.next_accepted(PATIENCE).map_or(0, |(number, _)| number));
    client.close();
});

scenario!(checks_go_on_after_orders, config(CHECKED), two, |world| {
    await_status(world, "s1,UP,1,1,0,0,0,,L4OK");
    await_status(world, "s2,UP,1,1,0,0,0,,L4OK");
    order(world, "disable server b/s1", 1);
    say(world, &["enable server b/s1"]);
    note_messages(world, 1);
    await_status(world, "s1,UP,1,1,0,0,1,,L4OK");
    say(world, &["set server b/s1 health down"]);
    note_messages(world, 2);
    await_status(world, "s1,UP,1,1,0,0,2,,L4OK");
    say(world, &["set server b/s1 health stopping"]);
    note_messages(world, 2);
    say(world, &["disable health b/s1", "set server b/s1 health down"]);
    note_messages(world, 1);
    note_servers(world);
    note_quiet(world);
    say(world, &["enable health b/s1"]);
    note_messages(world, 1);
    await_status(world, "s1,UP,1,1,0,0,3,,L4OK");
    note_quiet(world);
});

scenario!(
    checks_go_where_they_are_sent,
    config(CHECKED),
    || vec![one().remove(0), crate::support::server::Server::refusing()],
    |world| {
        await_status(world, "s1,UP,1,1,0,0,0,,L4OK");
        note_messages(world, 1);
        let (up, down) = (world.server(1).port(), world.server(2).port());
        world.note("answer", ask(world, &format!("set server b/s1 check-port {down}")));
        note_messages(world, 2);
        world.note("answer", ask(world, &format!("set server b/s2 check-addr 127.0.0.1 port {up}")));
        note_messages(world, 1);
        say(world, &["set server b/s1 check-port 0"]);
        note_messages(world, 1);
        world.note("answer", ask(world, &format!("set server b/s2 check-port {down}")));
        note_messages(world, 1);
    }
);

scenario!(weights_of_a_dynamic_algorithm, config(TWO), two, |world| {
    for line in ["50%", "100%", "256", "0", "200%", "25700%", "1"] {
        order(world, &format!("set weight b/s2 {line}"), 0);
        say(world, &["get weight b/s2"]);
    }
    order(world, "set server b/s1 weight 0", 0);
    order(world, "set server b/s2 weight 0", 1);
    order(world, "set server b/s1 state maint", 1);
    order(world, "set server b/s1 state ready", 1);
    order(world, "set server b/s1 weight 3", 0);
    note_quiet(world);
});

scenario!(weights_of_a_static_algorithm, config(&format!("  balance static-rr\n{TWO}")), two, |world| {
    for line in ["5", "50%", "0", "100%", "10", "0%"] {
        order(world, &format!("set weight b/s2 {line}"), 0);
    }
    note_quiet(world);
});

scenario!(a_server_moves, config("  server s1 127.0.0.2:{s1}"), two, |world| {
    let (first, second) = (world.server(1).port(), world.server(2).port());
    let named = |text: String| text.replace(&first.to_string(), "{s1}").replace(&second.to_string(), "{s2}");
    for words in [
        "127.0.0.2",
        "127.0.0.1",
        &format!("127.0.0.1 port {second}"),
        &format!("127.0.0.2 port {first}"),
        "127.0.0.1 port",
        "127.0.0.1 port x",
        "127.0.0.1 port +7",
        "127.0.0.1 bogus 7",
        "::1",
        &format!("127.0.0.1 port {second}"),
    ] {
        let line = format!("set server b/s1 addr {words}");
        let answer = named(format!("{line} => {}", ask(world, &line)));
        world.note("answer", answer.trim_end());
    }
    note_servers(world);
    let client = world.connect();
    world.note("server", world.next_accepted(PATIENCE).map_or(0, |(number, _)| number));
    client.close();
});

scenario!(a_limit_changes, config("  server s1 127.0.0.1:{s1} maxconn 1"), one, |world| {
    let (first, server) = world.relayed();
    let second = world.connect();
    world.note("second", world.server(1).accept_within(GLANCE).is_some());
    say(world, &["set maxconn server b/s1 2"]);
    world.note("second", world.server(1).accept_within(PATIENCE).is_some());
    note_servers(world);
    say(world, &["set maxconn server b/s1 0"]);
    note_servers(world);
    drop((first, server, second));
});

scenario!(a_drained_server_keeps_its_session, config(TWO), two, |world| {
    let (mut client, mut server) = world.relayed();
    say(world, &["set server b/s1 state drain"]);
    note_messages(world, 1);
    client.send(b"on");
    let text = server.receive_text(2);
    world.note("server gets", text);
    let other = world.connect();
    world.note("server", world.next_accepted(PATIENCE).map_or(0, |(number, _)| number));
    say(world, &["set server b/s1 state maint"]);
    note_messages(world, 1);
    client.send(b"still");
    let text = server.receive_text(5);
    world.note("server gets", text);
    drop(other);
});

scenario!(severities_and_levels, config(TWO), two, |world| {
    say(
        world,
        &[
            "set severity-output number;get weight b/x;set server b/s1 addr 127.0.0.1;show cli level;get weight b/s1",
            "set severity-output string;get weight b/x;set server b/s1 addr 127.0.0.1;show cli level;expert-mode",
            "set severity-output none;get weight b/x",
            "expert-mode;expert-mode on;expert-mode",
            "experimental-mode;experimental-mode on;experimental-mode;experimental-mode off;experimental-mode",
            "operator;disable server b/s1;show cli level;show env NO_SUCH;experimental-mode",
            "user;operator;show cli level;show env NO_SUCH;get weight b/s1;set timeout cli 20",
            "set timeout cli 500ms",
            "set timeout cli 0",
            "show backend",
        ],
    );
});

/// One connection that talks and listens by turns, until the other side closes.
fn talk(world: &mut World, pieces: &[&str]) {
    let mut stream = connect(world);
    for piece in pieces {
        stream.write_all(piece.as_bytes()).expect("sent");
        stream.set_read_timeout(Some(GLANCE)).expect("a deadline");
        let (mut heard, mut bytes) = (Vec::new(), [0; 4096]);
        let end = loop {
            match stream.read(&mut bytes) {
                Ok(0) => break "the end",
                Ok(n) => heard.extend_from_slice(&bytes[..n]),
                Err(_) => break "and on",
            }
        };
        let text = format!("{piece:?} => {:?}, {end}", String::from_utf8_lossy(&heard));
        world.note("talk", text);
    }
}

scenario!(a_prompt_keeps_the_connection, config(TWO), two, |world| {
    talk(world, &["prompt\n", "show cli level\n", "get weight b/s1;get weight b/s2\n", "quit\n"]);
    talk(world, &["show cli level <<\n", "a\n", "b\n\n"]);
    talk(world, &["prompt\n", "show cli level <<\n", "a\n", "\n", "prompt\n"]);
    talk(world, &["show cli level"]);
});

const STAYING: &str = "backend b
  option redispatch
  server s1 127.0.0.1:{s1} weight 10
  server s2 127.0.0.1:{s2} disabled
  server s3 127.0.0.1:{s1} check inter 20s
  server s4 127.0.0.1:{s1} check inter 20s
  server s5 127.0.0.1:{s1}
  server s6 127.0.0.1:{s2}
  server s7 127.0.0.1:{s1} weight 3 disabled";

/// What `clear counters` changes of `show stat`, of everything.
fn note_counts(world: &mut World) {
    let stat = ask(world, "show stat");
    let mut lines = stat.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().trim_start_matches("# ").split(',').collect();
    let wanted = ["pxname", "svname", "scur", "smax", "stot", "bin", "bout", "econ", "lbtot", "chkdown"];
    for line in lines.filter(|line| !line.is_empty()) {
        let values: Vec<&str> = line.split(',').collect();
        let value = |name: &&str| names.iter().position(|known| known == name).map_or("?", |at| values[at]);
        let text = wanted.iter().map(value).collect::<Vec<_>>().join(",");
        world.note("counts", text);
    }
}

scenario!(counters_begin_anew, config(TWO), two, |world| {
    let (client, server) = world.relayed();
    order(world, "set server b/s2 health down", 1);
    drop((client, server));
    let ended =
        wait_for(PATIENCE, || ask(world, "show stat b 2 -1").contains("b,BACKEND,0,0,0,").then_some(()));
    world.note("ended", ended.is_some());
    let (_client, _server) = world.relayed();
    note_counts(world);
    say(world, &["operator;clear counters all", "user;clear counters", "clear counters bogus"]);
    note_counts(world);
    say(world, &["clear counters all"]);
    note_counts(world);
});

scenario!(what_there_is_none_of, config(TWO), two, |world| {
    say(
        world,
        &[
            "show table",
            "show table x",
            "clear table",
            "clear table x",
            "set table",
            "set table x key 1",
            "show map",
            "show map x",
            "get map x y",
            "add map x y z",
            "clear map x",
            "show peers",
            "show peers x",
            "show resolvers x",
            "show errors nosuch",
            "show tls-keys",
            "show cache",
            "user;show table;show map;show errors",
        ],
    );
    let errors = ask(world, "show errors");
    let (head, tail) = errors.split_once('[').expect("a date");
    world.note("errors", format!("{head} {}", tail.split_once(']').expect("its end").1));
});

/// A process is given orders, its states are saved, and another one begins with them.
fn carried_over(program: &Program) -> Seen {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("states");
    let mut first = World::new(program, &with_stats(STAYING), two());
    for order in [
        "set weight b/s1 4",
        "set server b/s1 state drain",
        "enable server b/s2",
        "set server b/s3 health down",
        "disable health b/s4",
        "set server b/s5 health stopping",
        "disable server b/s6",
        "set weight b/s7 1",
    ] {
        say(&mut first, &[order]);
    }
    std::fs::write(&file, ask(&first, "show servers state")).expect("saved");
    let mut seen = std::mem::take(&mut first.seen);
    seen.push(("state", states(&first)));
    let servers = std::mem::take(&mut first.servers);
    drop(first);
    let config = with_stats(&STAYING.replace("weight 3 ", "weight 5 "))
        .replace("defaults\n", "defaults\n  load-server-state-from-file global\n")
        .replace("  nbthread 1\n", &format!("  nbthread 1\n  server-state-file {}\n", file.display()));
    let second = World::new(program, &config, servers);
    // The first check has passed.
    await_status(&second, "s3,DOWN 1/2");
    seen.push(("stat", statuses(&second)));
    seen.push(("state", states(&second)));
    for line in second.proxy.stderr().lines().filter_map(|line| line.split_once(") : config : ")) {
        seen.push(("said", line.1.to_owned()));
    }
    seen
}

/// Named servers, and what the process before had found or been told of them.
const REMEMBERED: &str = "backend b
  server s1 localhost:{s1}
  server s2 localhost:{s1} init-addr libc
  server s3 127.0.0.1:{s1}
  server s4 nosuch.invalid:{s1} init-addr last,none
  server s5 nosuch.invalid:{s1} init-addr last,none";

fn addressed(program: &Program) -> Seen {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("states");
    let servers = one();
    let port = servers[0].port();
    let mut text = "1\n# be_id be_name srv_id\n".to_owned();
    for (number, address) in
        [(1, "127.0.0.9"), (2, "127.0.0.9"), (3, "127.0.0.9"), (4, "127.0.0.9"), (5, "-")]
    {
        text += &format!("3 b {number} s{number} {address} 2 0 1 1 1 1 0 2 0 0 0 0 - {port} - 0 0 - - 0\n");
    }
    std::fs::write(&file, text).expect("written");
    let config = with_stats(REMEMBERED)
        .replace("defaults\n", "defaults\n  load-server-state-from-file global\n")
        .replace("  nbthread 1\n", &format!("  nbthread 1\n  server-state-file {}\n", file.display()));
    let world = World::new(program, &config, servers);
    vec![("stat", statuses(&world)), ("state", states(&world))]
}

#[test]
fn addresses_of_names_are_remembered() {
    let (haproxy, pronk) = (addressed(&installed()), addressed(&Program::Pronk));
    assert_eq!(pronk, haproxy, "Pronk (left) differs from haproxy 2.6 (right)");
}

#[test]
fn states_are_carried_over() {
    let (haproxy, pronk) = (carried_over(&installed()), carried_over(&Program::Pronk));
    assert_eq!(pronk, haproxy, "Pronk (left) differs from haproxy 2.6 (right)");
}
