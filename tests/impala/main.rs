//! Real Impala clients through Pronk: impala-shell, impyla and PyHive, against three real HiveServer2
//! servers (Spark's) and against the stand-ins of `pronk demo`. tests/run-all installs what they need.

#[path = "../support/mod.rs"]
mod support;

mod clients;
mod failover;
mod published;
mod spark;
mod standins;

use std::time::Instant;

use clients::{Clients, strict_shell};
use spark::Spark;
use support::PATIENCE;
use support::port::Port;
use support::proxy::{Program, Proxy};
use support::syslog::Syslog;

/// Pronk in front of real servers.
struct Gateway {
    _proxy: Proxy,
    front: Port,
    log: Syslog,
}

impl Gateway {
    fn start(balance: &str, servers: &[Spark]) -> Gateway {
        let (front, log) = (Port::reserve(), Syslog::bind());
        let lines: Vec<String> = servers
            .iter()
            .map(|server| {
                format!("  server {} 127.0.0.1:{} check inter 500 fall 2 rise 2", server.name, server.port)
            })
            .collect();
        let config = format!(
            "global
  log 127.0.0.1:{log} local0
defaults
  mode tcp
  log global
  option tcplog
  option redispatch
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen impala
  bind 127.0.0.1:{front}
  balance {balance}
{servers}
",
            log = log.port(),
            front = front.number,
            servers = lines.join("\n")
        );
        let proxy = Proxy::start(&Program::Pronk, &config, &[&front]);
        Gateway { _proxy: proxy, front, log }
    }

    fn port(&self) -> u16 {
        self.front.number
    }
}

/// `[coord1, coord2, …]` rotated so that it starts with the first of `seen`.
fn rotation(seen: &[String], servers: &[Spark]) -> Vec<String> {
    let names: Vec<&String> = servers.iter().map(|server| &server.name).collect();
    let start = names.iter().position(|name| Some(*name) == seen.first()).unwrap_or(0);
    (0..seen.len()).map(|n| names[(start + n) % names.len()].clone()).collect()
}

/// Starting Spark is the slow part: one cluster serves every check, the last of which stops its servers.
#[test]
fn real_servers() {
    let began = Instant::now();
    let passed = |what: &str| println!("{what}: passed after {:.0} s", began.elapsed().as_secs_f64());
    let mut servers = Spark::cluster(3);
    passed("three servers answer");
    let mut clients = Clients::start();
    roundrobin_takes_turns(&servers, &mut clients);
    passed("roundrobin");
    leastconn_evens_connections(&servers, &mut clients);
    passed("leastconn");
    source_keeps_each_client(&servers, &mut clients);
    passed("source");
    published::configurations_run(&servers, &mut clients);
    passed("published configurations");
    failover::loses_no_query(&mut servers);
    passed("failover");
}

fn roundrobin_takes_turns(servers: &[Spark], clients: &mut Clients) {
    let gateway = Gateway::start("roundrobin", servers);
    let shell: Vec<String> =
        (0..6).map(|_| strict_shell(gateway.port()).expect("impala-shell succeeds")).collect();
    println!("roundrobin, impala-shell --strict_hs2_protocol: {shell:?}");
    assert_eq!(shell, rotation(&shell, servers));
    for client in ["impyla", "pyhive"] {
        let seen: Vec<String> =
            (0..6).map(|_| clients.ask(&format!("{client} {}", gateway.port()))).collect();
        println!("roundrobin, {client}: {seen:?}");
        assert_eq!(seen, rotation(&seen, servers));
    }
}

fn leastconn_evens_connections(servers: &[Spark], clients: &mut Clients) {
    let mut gateway = Gateway::start("leastconn", servers);
    let hold = format!("hold {}", gateway.port());
    let held: Vec<(String, String)> = (0..6).map(|_| numbered(&clients.ask(&hold))).collect();
    println!("leastconn, six connections held: {held:?}");
    for server in servers {
        assert_eq!(held.iter().filter(|(_, name)| *name == server.name).count(), 2, "two on {}", server.name);
    }
    // Both sessions of one coordinator end: it is the least loaded, and gets the next two.
    let freed = held[4].1.clone();
    for (number, _) in held.iter().filter(|(_, name)| *name == freed) {
        assert_eq!(clients.ask(&format!("release {number}")), "released");
        let ended = format!(" impala/{freed} ");
        assert!(
            gateway.log.line_where(PATIENCE, |line| line.contains(&ended)).is_some(),
            "{ended} is logged"
        );
    }
    let next: Vec<String> = (0..2).map(|_| numbered(&clients.ask(&hold)).1).collect();
    println!("leastconn, after {freed} was freed: {next:?}");
    assert_eq!(next, [freed.clone(), freed]);
}

fn numbered(answer: &str) -> (String, String) {
    let (number, name) =
        answer.split_once(' ').unwrap_or_else(|| panic!("a number and a name, not {answer:?}"));
    (number.to_owned(), name.to_owned())
}

fn source_keeps_each_client(servers: &[Spark], clients: &mut Clients) {
    let gateway = Gateway::start("source", servers);
    let shell: Vec<String> =
        (0..6).map(|_| strict_shell(gateway.port()).expect("impala-shell succeeds")).collect();
    println!("source, impala-shell: {shell:?}");
    assert!(shell.iter().all(|name| *name == shell[0]), "one client, one coordinator");
    let mut used = Vec::new();
    for host in 1..=12 {
        let ask = format!("impyla {} 127.0.1.{host}", gateway.port());
        let (first, second) = (clients.ask(&ask), clients.ask(&ask));
        assert_eq!(first, second, "127.0.1.{host} stays with its coordinator");
        used.push(first);
    }
    println!("source, twelve clients: {used:?}");
    for server in servers {
        assert!(used.contains(&server.name), "{} serves some of twelve clients", server.name);
    }
}
