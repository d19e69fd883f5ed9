//! The formats of `show stat` and `show info`, field by field; what only one version has is left out.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::scenario;
use crate::support::stats::{ask, column};
use crate::support::{PATIENCE, wait_for};
use crate::world::{World, two};

/// Values that time or the process decides; their letters and types are compared all the same.
const VOLATILE: &[&str] = &[
    "Version",
    "Release_date",
    "Pid",
    "Uptime",
    "Uptime_sec",
    "Start_time_sec",
    "Build info",
    "PoolAlloc_bytes",
    "PoolUsed_bytes",
    "Ulimit-n",
    "Maxsock",
    "Hard_maxconn",
    "Maxpipes",
    "CurrConns",
    "CumConns",
    "CumReq",
    "ConnRate",
    "MaxConnRate",
    "SessRate",
    "MaxSessRate",
    "Tasks",
    "Jobs",
    "Listeners",
    "Run_queue",
    "Idle_pct",
    "TotalBytesOut",
    "BytesOutRate",
    "lastchg",
    "rate",
    "check_duration",
    "need_conn_est",
    "used_conn_cur",
    "addr",
];

/// What a later haproxy has corrected, renamed, or shows on more rows; and what belongs to modules.
const CHANGED: &[&str] = &[
    "B:rate",
    "L:conn_tot",
    "TotalSplicdedBytesOut",
    "TotalSplicedBytesOut",
    "F:comp_in",
    "F:comp_out",
    "F:comp_byp",
    "F:comp_rsp",
];
const LAST_COLUMN: u32 = 102;
const LAST_INFO: u32 = 71;

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
  option socket-stats
  timeout connect 500
  timeout client 20s
  timeout server 20s
frontend f
  bind 127.0.0.1:{front} name one
  default_backend b
backend b
  fullconn 10
  server s1 127.0.0.1:{s1} check inter 100s maxconn 7 maxqueue 3
  server s2 127.0.0.1:{s2} weight 10 backup
  server s3 127.0.0.1:1 disabled
"
    .to_owned()
}

/// The stats socket may be bound after the ports.
fn answer(world: &World, line: &str) -> String {
    let socket = world.proxy.directory().join("stats.sock");
    wait_for(PATIENCE, || ask(&socket, &format!("{line}\n")).ok()).expect("the stats socket answers")
}

/// `F.2.0.0.pxname.1:KNS:str:f` as object, field, letters without persistence, type and value.
fn typed_line(line: &str) -> Option<String> {
    let mut parts = line.splitn(4, ':');
    let (key, tags, kind, value) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let key = key.strip_suffix(".1")?;
    let (object, at, name) = match key.split_once('.')? {
        (at, name) if at.starts_with(|c: char| c.is_ascii_digit()) => ("", at, name),
        _ => {
            let mut words = key.splitn(5, '.');
            let object = words.next()?;
            (object, words.nth(2)?, words.next()?)
        }
    };
    let last = if object.is_empty() { LAST_INFO } else { LAST_COLUMN };
    if at.parse::<u32>().ok()? > last || is_changed(object, name) {
        return None;
    }
    let value = if is_volatile(name) { "…" } else { value };
    Some(format!("{object}{at} {name} {} {kind} {value}", &tags[..3]))
}

/// Whether time or the process decides the value of a field.
pub fn is_volatile(name: &str) -> bool {
    VOLATILE.contains(&name)
}

pub fn is_changed(object: &str, name: &str) -> bool {
    CHANGED.contains(&name) || CHANGED.contains(&format!("{object}:{name}").as_str())
}

fn note_typed(world: &mut World, command: &str) {
    for line in answer(world, command).lines().filter_map(typed_line) {
        world.note("typed", line);
    }
}

/// The items of an array, each as far as its value, which is noted when time does not decide it.
fn note_json(world: &mut World, command: &str, begins: &str) {
    let text = answer(world, command);
    let text = text.trim_end();
    let brackets = |c| matches!(c, '[' | ']' | ',');
    assert!(text.starts_with('[') && text.ends_with(']'), "{text}");
    for item in text.split(begins).skip(1) {
        let name = item.split("\"name\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("?");
        let position = item.split("\"pos\":").nth(1).and_then(|rest| rest.split(',').next());
        let object = item.get(1..2).filter(|_| begins.contains("objType")).unwrap_or_default();
        let last = if object.is_empty() { LAST_INFO } else { LAST_COLUMN };
        let is_later = position.and_then(|at| at.parse::<u32>().ok()).is_none_or(|at| at > last);
        if is_later || is_changed(object, name) {
            continue;
        }
        let whole = item.trim_end_matches(brackets);
        let end = if is_volatile(name) { whole.rfind(':').unwrap_or(0) } else { whole.len() };
        world.note("json", whole[..end].to_owned());
    }
}

scenario!(typed_statistics, config(), two, |world| {
    await_check(world);
    note_typed(world, "show stat typed");
    note_typed(world, "show stat b 4 2 typed");
    note_typed(world, "show stat domain proxy b 4 1 typed");
});

scenario!(statistics_in_json, config(), two, |world| {
    await_check(world);
    note_json(world, "show stat json", "{\"objType\":");
    note_json(world, "show stat b 4 2 json", "{\"objType\":");
    let nothing = answer(world, "show stat 99 1 1 json");
    world.note("json", nothing);
});

const NUMBERED: &str = "global
  stats socket unix@stats.sock
defaults
  mode tcp
  timeout connect 1s
  timeout client 1s
  timeout server 1s
frontend f
  id 7
  option socket-stats
  bind 127.0.0.1:{front} id 9
  bind unix@1.sock
  bind unix@2.sock id 2
  bind unix@3.sock
frontend g
  bind unix@4.sock
backend b
  id 4
  server s1 127.0.0.1:{s1} id 10
  server s2 127.0.0.1:{s2}
  server s3 127.0.0.1:{s2} id 20
  server s4 127.0.0.1:{s2}
  server s5 127.0.0.1:{s2} id 6
  server s6 127.0.0.1:{s2}
backend c
";

scenario!(given_and_automatic_ids, NUMBERED, two, |world| {
    let text = answer(world, "show stat");
    let names: Vec<&str> = text.lines().next().unwrap_or_default().split(',').collect();
    let at = |name| names.iter().position(|&column| column == name).expect("a column");
    for line in text.lines().skip(1).filter(|line| !line.is_empty()) {
        let cells: Vec<&str> = line.split(',').collect();
        world.note("ids", format!("{} {} {} {}", cells[0], cells[1], cells[at("iid")], cells[at("sid")]));
    }
});

scenario!(typed_info, config(), two, |world| {
    note_typed(world, "show info typed");
    note_json(world, "show info json", "{\"field\":");
    let float = answer(world, "show info typed float");
    let floats = float.lines().filter(|line| line.contains(":flt:")).filter_map(typed_line);
    let of_float: Vec<String> =
        floats.map(|line| line.split(' ').nth(1).unwrap_or_default().to_owned()).collect();
    world.note("float", of_float.join(" "));
    let described = answer(world, "show info desc").lines().filter(|line| line.ends_with('"')).count();
    world.note("desc", if described > 60 { "each" } else { "not each" }.to_owned());
});

scenario!(schema_and_refusals, config(), two, |world| {
    for line in [
        "show schema json",
        "show stat domain",
        "show stat domain bogus",
        "show stat typed b 4",
        "show stat up 1",
    ] {
        let text = answer(world, line);
        let text = if text.starts_with("# ") { "rows" } else { text.trim_end() };
        // haproxy's schema has one blank between two words.
        world.note("answer", text.replace("\", \"", "\",\""));
    }
    for line in ["show stat up", "show stat no-maint"] {
        let text = answer(world, line);
        for row in text.lines().skip(1).filter(|row| !row.is_empty()) {
            let cells: Vec<&str> = row.split(',').collect();
            // How far a check has come is a matter of time.
            let status = cells[17].split(' ').next().unwrap_or_default();
            world.note("row", format!("{} {} {status}", cells[0], cells[1]));
        }
    }
});

/// A proxy of its own for the metrics, at the port that clients of a scenario know.
fn exporter() -> String {
    config().replace(
        "frontend f\n  bind 127.0.0.1:{front} name one\n  default_backend b\n",
        "frontend f\n  mode http\n  bind 127.0.0.1:{front}\n  \
         http-request use-service prometheus-exporter if { path /metrics }\n",
    )
}

/// Status and body of one request.
fn scrape(world: &World, target: &str) -> (String, String) {
    let mut client = TcpStream::connect(world.front.address()).expect("connected");
    client.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    write!(client, "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("sent");
    let mut text = String::new();
    client.read_to_string(&mut text).expect("an answer");
    let status = text.split(' ').nth(1).unwrap_or_default().to_owned();
    (status, text)
}

/// Families that came after 2.6, and values that time decides.
const NEWER_METRICS: &[&str] = &[
    "_current_session_rate",
    "_server_active",
    "_server_backup",
    "_req_bytes",
    "_res_bytes",
    "_private_idle",
];
const VOLATILE_METRICS: &[&str] = &["last_change_seconds", "check_duration_seconds", "_connections_current"];

scenario!(metrics_for_prometheus, exporter(), two, |world| {
    await_check(world);
    for query in ["scope=backend&scope=server", "scope=server&no-maint"] {
        let (_, text) = scrape(world, &format!("/metrics?{query}"));
        for line in text.lines().filter(|line| line.starts_with("haproxy_") || line.starts_with("# TYPE")) {
            if line.contains("proxy=\"f\"") || NEWER_METRICS.iter().any(|name| line.contains(name)) {
                continue;
            }
            let end =
                if VOLATILE_METRICS.iter().any(|name| line.contains(name)) { line.rfind(' ') } else { None };
            world.note("metric", line[..end.unwrap_or(line.len())].to_owned());
        }
    }
    for query in ["", "scope=", "scope=bogus", "scope", "scope=*", "x=y"] {
        let status = scrape(world, &format!("/metrics?{query}")).0;
        world.note("status", format!("{query} {status}"));
    }
});

/// The first check of s1 has ended.
fn await_check(world: &World) {
    let done = wait_for(PATIENCE, || {
        answer(world, "show stat b 4 1 typed").contains("check_status.1:MOP").then_some(())?;
        answer(world, "show stat b 4 1").contains(",L4OK,").then_some(())
    });
    assert!(done.is_some(), "s1 was checked");
}

/// The column `slim` of a backend is its fullconn.
const FULLCONN: &str = "global
  nbthread 1
  maxconn 100
  stats socket unix@stats.sock level admin
defaults
  mode tcp
  timeout connect 500
  timeout client 20s
  timeout server 20s
frontend f
  bind 127.0.0.1:{front}
  maxconn 70
  use_backend b if { src 10.0.0.1 }
  default_backend b
frontend off
  disabled
  bind 127.0.0.1:1
  maxconn 1000
  default_backend b
listen elsewhere
  bind 127.0.0.2:{front}
  maxconn 300
  default_backend b
  server s1 127.0.0.1:{s1}
listen here
  bind 127.0.0.3:{front}
  maxconn 200
  server s1 127.0.0.1:{s1}
backend b
  server s1 127.0.0.1:{s1}
";

scenario!(the_default_fullconn_counts_frontends_in_use, FULLCONN, two, |world| {
    let socket = world.proxy.directory().join("stats.sock");
    let answer = ask(&socket, "show stat\n").expect("the stats socket answers");
    for proxy in ["b", "elsewhere", "here"] {
        let slim = column(&answer, [proxy, "BACKEND"], "slim").unwrap_or("none");
        world.note("fullconn", format!("{proxy} {slim}"));
    }
});
