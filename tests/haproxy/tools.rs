//! Tools that operators use, run unchanged against both stats sockets, their findings compared field by field.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::runtime::{ask, await_status};
use crate::scenario;
use crate::statistics::{is_changed, is_volatile};
use crate::support::child::command;
use crate::support::server::Server;
use crate::world::{SOON, World};

/// How long one tool may take.
const PATIENCE_S: &str = "120";

/// The Python of the environment that tests/run-all makes: `PRONK_TOOLS`, or where it puts it.
fn python() -> PathBuf {
    let cache = || {
        let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache");
        std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("pronk/tools")
    };
    let venv = std::env::var_os("PRONK_TOOLS").map_or_else(cache, PathBuf::from);
    let python = venv.join("bin/python");
    assert!(python.exists(), "no tools in {}; tests/run-all installs them", venv.display());
    python
}

fn finished(mut command: Command) -> String {
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().expect("setpriv (util-linux) runs");
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{out}\n{err}");
    out.into_owned()
}

/// What the script says, a line each.
fn tool(arguments: &[&str]) -> Vec<String> {
    let mut command = command("timeout");
    command.arg(PATIENCE_S).arg(python()).arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/haproxy/tools.py"));
    command.args(arguments);
    finished(command).lines().map(str::to_owned).collect()
}

fn config() -> String {
    "global
  nbthread 1
  maxconn 100
  node here
  description \"a b\"
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
  acl blocked src 10.0.0.0/8 192.168.0.0/16
  use_backend b if blocked
  default_backend b
backend b
  fullconn 10
  server s1 127.0.0.1:{s1} check port {s3} inter 1s weight 10
  server s2 127.0.0.1:{s2} check port {s3} inter 1s weight 10 maxconn 7 maxqueue 3 backup
  server s3 127.0.0.1:1 disabled
"
    .to_owned()
}

/// The third takes the checks.
fn three() -> Vec<Server> {
    vec![Server::listening(), Server::listening(), Server::listening()]
}

fn socket(world: &World) -> String {
    world.proxy.directory().join("stats.sock").display().to_string()
}

/// Both checks have passed, and one session has ended.
fn settle(world: &mut World) {
    await_status(world, "s1,UP,10,1,0,0,0,,L4OK");
    await_status(world, "s2,UP,10,0,1,0,0,7,L4OK");
    let (client, mut server) = world.relayed();
    client.close();
    server.end(SOON);
    drop(server);
    world.await_stat("BACKEND", "scur", 0);
    world.await_stat("s1", "stot", 1);
}

/// Values of a run that time decides, beside those of every statistics test.
const TIMES: &[&str] = &[
    "conn_rate",
    "qtime",
    "ctime",
    "rtime",
    "ttime",
    "qtime_max",
    "ctime_max",
    "rtime_max",
    "ttime_max",
    "lastsess",
    "rate_max",
    "conn_rate_max",
    "CurrConns",
    "processids",
    "totalrequests",
    "totalrequests cleared",
    "Idle_pct",
];

/// Counters of `show info` that came after 2.6.
const NEWER: &[&str] = &[
    "TotalWarnings",
    "MaxconnReached",
    "BootTime_ms",
    "Niced_tasks",
    "CurrStreams",
    "CumStreams",
    "BlockedTrafficWarnings",
    "PatternsAdded",
    "PatternsFreed",
    "NbThreadGroups",
];

/// Notes what a tool found: `object: name = value`, values that time decides left out.
fn note_findings(world: &mut World, lines: Vec<String>) {
    for line in lines {
        let (what, value) = line.split_once(" = ").unwrap_or((&line, ""));
        let name = what.rsplit(": ").next().unwrap_or_default();
        // The page's own proxy counts requests, which the parity of the page compares.
        if is_changed("", name) || NEWER.contains(&name) || what.contains(" page/") {
            continue;
        }
        let varies = is_volatile(name) || TIMES.contains(&name);
        let value = if varies { "…".to_owned() } else { plain(world, value) };
        world.note("finding", format!("{what} = {value}"));
    }
}

/// Ports by their server's name, no path of this run, and no mark of a check that runs just now.
fn plain(world: &World, text: &str) -> String {
    let mut text = text.replace(&world.proxy.directory().display().to_string(), "…").replace("* ", "");
    for (number, server) in (1..).zip(&world.servers) {
        text = text.replace(&server.port().to_string(), &format!("{{s{number}}}"));
    }
    text
}

scenario!(scripts_on_haproxyadmin, config(), three, |world| {
    settle(world);
    let directory = world.proxy.directory().display().to_string();
    note_findings(world, tool(&["haproxyadmin", &directory]));
});

scenario!(the_haproxy_module_of_ansible, config(), three, |world| {
    settle(world);
    let (mut client, mut server) = world.relayed();
    let socket = socket(world);
    note_findings(world, tool(&["ansible", &socket]));
    world.note_end("client", &mut client, SOON);
    world.note_end("server", &mut server, SOON);
});

/// The page beside the socket, at the port that clients of a scenario know.
fn with_page() -> String {
    let page =
        "listen page\n  mode http\n  bind 127.0.0.1:{front}\n  stats enable\n  stats uri /haproxy?stats\n";
    config()
        .replace("frontend f\n  bind 127.0.0.1:{front}\n", &format!("{page}frontend f\n  bind unix@f.sock\n"))
}

scenario!(exporters_read_the_csv, config(), three, |world| {
    settle(world);
    let socket = socket(world);
    note_findings(world, tool(&["exporter", &socket]));
});

scenario!(exporters_read_the_page, with_page(), three, |world| {
    await_status(world, "s1,UP,10,1,0,0,0,,L4OK");
    await_status(world, "s2,UP,10,0,1,0,0,7,L4OK");
    let socket = socket(world);
    let url = format!("http://127.0.0.1:{}/haproxy?stats;csv", world.front.number);
    note_findings(world, tool(&["exporter", &socket, &url]));
});

/// One-liners of the shell, `$S` being the socket.
const ONE_LINERS: &[&str] = &[
    r#"echo "show stat" | socat stdio "$S" | cut -d, -f1,2,18,19,33"#,
    r#"echo "show stat b 4 -1" | socat unix-connect:"$S" stdio | awk -F, '/^b/ { print $2, $18 }'"#,
    r#"echo "show stat" | socat - UNIX-CONNECT:"$S" | grep -c BACKEND"#,
    r#"echo "show info" | socat stdio "$S" | grep -E '^(Name|Maxconn|CurrConns|Process_num|node|description): '"#,
    r#"printf 'show cli level;get weight b/s1\n' | socat "$S" -"#,
    r#"echo "disable server b/s1" | socat stdio "$S""#,
    r#"echo "show servers state b" | socat stdio "$S" | awk 'NR > 2 && NF { print $2, $4, $6, $7, $8, $9 }'"#,
    r#"echo "enable server b/s1" | socat stdio unix-connect:"$S""#,
    r#"echo "set server b/s1 state drain" | socat -t 10 stdio "$S""#,
    r#"echo "set server b/s1 state ready" | socat -T 10 stdio "$S""#,
    r#"echo "set weight b/s1 50%; get weight b/s1" | socat stdio "$S""#,
    r#"echo "set maxconn frontend f 50" | socat stdio "$S""#,
    r#"echo "shutdown sessions server b/s1" | socat stdio "$S""#,
    r#"echo "clear counters all" | socat stdio "$S""#,
    r#"echo "show nosuch" | socat stdio "$S" | grep -c '^Unknown command'"#,
    r#"printf 'prompt\nshow cli level\nget weight b/s2\nquit\n' | socat stdio "$S""#,
    r#"printf 'show cli level' | socat stdio "$S""#,
    r#"printf 'add acl #0 <<\n10.9.0.1\n10.9.0.2\n\n' | socat stdio "$S""#,
    r#"echo "show acl #0" | socat stdio "$S" | cut -d' ' -f2"#,
    r#"echo "show sess" | socat stdio "$S" | grep -c 'fe=GLOBAL'"#,
    r#"echo "show version" | socat stdio "$S" | grep -c ."#,
    r#"echo "show env NOSUCH" | socat stdio "$S""#,
    r#"seq 1 20 | sed 's,.*,get weight b/s1,' | paste -sd';' | socat stdio "$S" | sort | uniq -c"#,
];

scenario!(one_liners_with_socat, config(), three, |world| {
    settle(world);
    for line in ONE_LINERS {
        let mut shell = command("timeout");
        shell.args([PATIENCE_S, "sh", "-c", line]).env("S", socket(world));
        let said = plain(world, &finished(shell));
        world.note("said", format!("{line}\n{said}"));
    }
    let left = ask(world, "show servers state b").lines().count();
    world.note("lines", left);
});
