//! Live sessions on the stats socket: those of all workers are shown, and the right ones end.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::run::Running;
use crate::support::echo::Threads;
use crate::support::peer::{End, Peer};
use crate::support::port::Port;
use crate::support::syslog::Syslog;
use crate::support::{PATIENCE, wait_for};

/// Two servers behind one frontend, and sessions to them that have said who serves them.
struct World {
    running: Running,
    log: Syslog,
    sessions: Vec<(u8, Peer)>,
    _servers: [Threads; 2],
    _port: Port,
}

impl World {
    fn start(sessions: usize, server_options: &str) -> World {
        let (port, log) = (Port::reserve(), Syslog::bind());
        let servers = [Threads::naming(b'1'), Threads::naming(b'2')];
        let sections = format!(
            "frontend f\n  log 127.0.0.1:{} local0\n  option tcplog\n  bind 127.0.0.1:{}\n  default_backend b\n\
             backend b\n  server s1 127.0.0.1:{} {server_options}\n  server s2 127.0.0.1:{}\n",
            log.port(),
            port.number,
            servers[0].port(),
            servers[1].port(),
        );
        let running = Running::start("  nbthread 2\n", &sections);
        let sessions = (0..sessions)
            .map(|_| {
                let mut client = Peer::connect(port.address());
                let name = client.receive(1);
                (*name.first().expect("a server serves it"), client)
            })
            .collect();
        World { running, log, sessions, _servers: servers, _port: port }
    }

    /// The lines of `show sess`, but for that of the connection that asks.
    fn shown(&self, arguments: &str) -> Vec<String> {
        let answer = self.running.ask(&format!("show sess {arguments}"));
        let lines = answer.lines().filter(|line| line.starts_with("0x") && !line.contains("fe=GLOBAL"));
        lines.map(str::to_owned).collect()
    }

    /// How every session of a server ended.
    fn end_of(&mut self, server: u8) -> BTreeSet<&'static str> {
        let (ended, left) =
            std::mem::take(&mut self.sessions).into_iter().partition(|(name, _)| *name == server);
        self.sessions = left;
        let ended: Vec<(u8, Peer)> = ended;
        let how = |(_, mut peer): (u8, Peer)| match peer.end(PATIENCE) {
            (0, End::Fin) => "FIN",
            (0, End::Reset) => "RST",
            _ => "open",
        };
        ended.into_iter().map(how).collect()
    }

    /// The flags of the next session's log line.
    fn flags(&mut self) -> String {
        let line = self.log.line_where(PATIENCE, |line| line.contains(" f b/s")).expect("a log line");
        line.split(' ').nth_back(2).expect("flags").to_owned()
    }

    fn count(&self, proxy: &str, server: &str) -> String {
        let stat = self.running.ask("show stat");
        let row = stat.lines().find(|line| line.starts_with(&format!("{proxy},{server},"))).expect("a row");
        row.split(',').nth(4).expect("scur").to_owned()
    }

    fn becomes(&self, proxy: &str, server: &str, count: &str) {
        let reached = wait_for(PATIENCE, || (self.count(proxy, server) == count).then_some(()));
        assert!(reached.is_some(), "{proxy}/{server} has {} sessions", self.count(proxy, server));
    }
}

fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let word = line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    word.unwrap_or_else(|| panic!("no {name} in {line}"))
}

#[test]
fn five_hundred_sessions_of_two_workers_are_shown_and_those_of_one_server_ended() {
    let mut world = World::start(500, "");
    let lines = world.shown("");
    assert_eq!(lines.len(), 500);
    let ids: BTreeSet<&str> = lines.iter().map(|line| line.split(':').next().expect("an id")).collect();
    assert_eq!(ids.len(), 500);
    let workers: BTreeSet<&str> = ids.iter().map(|id| &id[..id.len() - 12]).collect();
    assert_eq!(workers.len(), 2, "both workers have some");
    let clients: BTreeSet<String> =
        world.sessions.iter().map(|(_, peer)| format!("127.0.0.1:{}", peer.local_port())).collect();
    assert_eq!(lines.iter().map(|line| field(line, "src").to_owned()).collect::<BTreeSet<_>>(), clients);
    assert!(lines.iter().all(|line| field(line, "fe") == "f" && field(line, "be") == "b"));
    assert_eq!(world.shown("server b/s1").len(), 250);
    assert!(world.shown("older 1h").is_empty() && world.shown("susp").is_empty());
    assert_eq!(world.running.ask("shutdown sessions server b/s2"), "\n");
    assert_eq!(world.end_of(b'2'), BTreeSet::from(["FIN"]));
    assert_eq!(world.flags(), "KC");
    world.becomes("b", "s2", "0");
    world.becomes("f", "FRONTEND", "250");
    assert_eq!((world.count("b", "s1"), world.count("b", "BACKEND")), ("250".to_owned(), "250".to_owned()));
    let left = world.shown("");
    assert!(left.len() == 250 && left.iter().all(|line| field(line, "srv") == "s1"));
    world.sessions.clear();
    for (proxy, server) in [("b", "s1"), ("b", "BACKEND"), ("f", "FRONTEND")] {
        world.becomes(proxy, server, "0");
    }
}

#[test]
fn one_session_is_told_in_full_and_ended() {
    let mut world = World::start(2, "");
    let line = world.shown("server b/s1").pop().expect("one session");
    let id = line.split(':').next().expect("an id").to_owned();
    let all = world.running.ask(&format!("show sess {id}"));
    assert!(
        all.starts_with(&format!("{id}: [")) && all.contains("\n  server=s1 (id=1) addr=127.0.0.1:"),
        "{all}"
    );
    assert!(all.contains("\n  frontend=f (id=2 mode=tcp), listener=? (id=1) addr=127.0.0.1:"), "{all}");
    assert_eq!(world.running.ask("show sess all").matches("\n  frontend=f ").count(), 2);
    assert_eq!(world.running.ask(&format!("shutdown session {id}")), "\n");
    assert_eq!(world.end_of(b'1'), BTreeSet::from(["FIN"]));
    assert_eq!(world.flags(), "KC");
    assert_eq!(
        world.running.ask(&format!("shutdown session {id}")),
        "No such session (use 'show sess').\n\n"
    );
    assert_eq!(world.shown("").len(), 1);
}

#[test]
fn maintenance_ends_the_sessions_of_a_server_that_is_to_lose_them() {
    let mut world = World::start(20, "on-marked-down shutdown-sessions");
    assert_eq!(world.running.ask("disable server b/s2"), "\n");
    assert_eq!(world.running.ask("disable server b/s1"), "\n");
    assert_eq!(world.end_of(b'1'), BTreeSet::from(["FIN"]));
    assert_eq!(world.flags(), "DC");
    let (_, other) = world.sessions.first_mut().expect("those of the other server go on");
    assert_eq!(other.end(Duration::from_millis(100)), (0, End::Open));
    world.becomes("b", "s2", "10");
}
