//! A proxy between a scripted client and scripted servers, and what they saw.

use std::time::Duration;

use crate::support::peer::Peer;
use crate::support::port::Port;
use crate::support::proxy::{Program, Proxy};
use crate::support::server::Server;
use crate::support::stats::{ask, column};
use crate::support::syslog::Syslog;
use crate::support::{PATIENCE, wait_for};

/// Times in a log line are rounded down to multiples of this, so timeouts in scenarios are multiples too.
pub const GRAIN_MS: i64 = 500;

/// What is said of an event: a field and a value, in the order in which they were observed.
pub type Seen = Vec<(&'static str, String)>;

/// How long what must happen may take in a scenario.
pub const SOON: Duration = Duration::from_millis(3000);

/// How long a scenario looks on while nothing should happen.
pub const GLANCE: Duration = Duration::from_millis(300);

/// A server without options.
pub const S1: &str = "  server s1 127.0.0.1:{s1}";

/// A frontend and a backend with these lines, and these after the defaults.
pub fn config(more_defaults: &str, backend: &str) -> String {
    format!(
        "global
  nbthread 1
  stats socket unix@stats.sock
  log 127.0.0.1:{{log}} local0
defaults
  mode tcp
  log global
  option tcplog
  timeout connect 500
  timeout client 20s
  timeout server 20s
{more_defaults}
frontend f
  bind 127.0.0.1:{{front}}
  default_backend b
backend b
{backend}
"
    )
}

pub fn one() -> Vec<Server> {
    vec![Server::listening()]
}

pub fn two() -> Vec<Server> {
    vec![Server::listening(), Server::listening()]
}

pub fn refusing() -> Vec<Server> {
    vec![Server::refusing()]
}

pub fn silent() -> Vec<Server> {
    vec![Server::silent()]
}

pub fn refusing_then_listening() -> Vec<Server> {
    vec![Server::refusing(), Server::listening()]
}

/// A client that says nothing and waits for its end.
pub fn waits(world: &mut World) {
    let client = world.connect();
    world.note_client(client);
}

/// Both sides of a connection that has carried bytes wait for its end.
pub fn both_wait(world: &mut World) {
    let (client, server) = world.relayed();
    world.note_ends(client, server);
}

/// Everything a scenario acts on. In its configuration `{front}`, `{log}`, `{s1}`, `{s2}` … are ports.
pub struct World {
    pub proxy: Proxy,
    pub front: Port,
    pub servers: Vec<Server>,
    pub log: Syslog,
    pub seen: Seen,
}

impl World {
    pub fn new(program: &Program, config: &str, servers: Vec<Server>) -> World {
        let (front, log) = (Port::reserve(), Syslog::bind());
        let mut text = config.replace("{front}", &front.number.to_string());
        text = text.replace("{log}", &log.port().to_string());
        for (index, server) in servers.iter().enumerate() {
            text = text.replace(&format!("{{s{}}}", index + 1), &server.port().to_string());
        }
        let proxy = Proxy::start(program, &text, &[&front]);
        World { proxy, front, servers, log, seen: Seen::new() }
    }

    pub fn connect(&self) -> Peer {
        Peer::connect(self.front.address())
    }

    /// Server `number`, counted from 1 as in the configuration.
    pub fn server(&self, number: usize) -> &Server {
        &self.servers[number - 1]
    }

    /// A client and the connection the proxy made for it to server 1, over which a byte went both ways.
    pub fn relayed(&mut self) -> (Peer, Peer) {
        let mut client = self.connect();
        client.send(b"q");
        let mut server = self.server(1).accept();
        assert_eq!(server.receive_text(1), "q");
        server.send(b"r");
        assert_eq!(client.receive_text(1), "r");
        (client, server)
    }

    /// A client that has done this by the time the proxy sees it.
    pub fn connect_having(&self, act: impl FnOnce(&mut Peer)) -> Peer {
        self.frozen(|world| {
            let mut client = world.connect();
            act(&mut client);
            client
        })
    }

    /// Waits until a column of the statistics is `value`, in the row of this server of the backend, or of
    /// BACKEND itself.
    pub fn await_stat(&self, server: &str, name: &str, value: u32) {
        let socket = self.proxy.directory().join("stats.sock");
        let mut last = String::new();
        let met = wait_for(PATIENCE, || {
            last = ask(&socket, "show stat\n").expect("the stats socket answers");
            (column(&last, ["b", server], name)? == value.to_string()).then_some(())
        });
        assert!(met.is_some(), "{name} of b/{server} becomes {value}:\n{last}");
    }

    /// Waits for that, and a moment more: a FIN now is not taken for one that came with the connection.
    pub fn await_stat_for_a_while(&self, server: &str, name: &str, value: u32) {
        self.await_stat(server, name, value);
        std::thread::sleep(Duration::from_millis(50));
    }

    /// Notes how a client's connection ends, then the log line.
    pub fn note_client(&mut self, mut client: Peer) {
        self.note_end("client", &mut client, SOON);
        self.note_log();
    }

    /// Notes how both connections end, then the log line.
    pub fn note_ends(&mut self, mut client: Peer, mut server: Peer) {
        self.note_end("client", &mut client, SOON);
        self.note_end("server", &mut server, SOON);
        self.note_log();
    }

    /// Notes how both connections end, what comes after a FIN too, then the log line.
    pub fn note_last_of_ends(&mut self, mut client: Peer, mut server: Peer) {
        self.note_end("client", &mut client, SOON);
        self.note_end("server", &mut server, SOON);
        self.note("client is reset", client.reset_follows(GLANCE));
        self.note("server is reset", server.reset_follows(GLANCE));
        self.note_log();
    }

    pub fn note(&mut self, field: &'static str, value: impl ToString) {
        self.seen.push((field, value.to_string()));
    }

    /// Notes how many bytes more a peer received and how the proxy ended its connection.
    pub fn note_end(&mut self, field: &'static str, peer: &mut Peer, within: Duration) {
        let (bytes, end) = peer.end(within);
        self.note(field, if bytes == 0 { end.to_string() } else { format!("{bytes} B {end}") });
    }

    /// Notes the next session line, ports and dates removed and times rounded.
    pub fn note_log(&mut self) {
        let line = self.log.line_where(PATIENCE, |line| session_part(line).is_some());
        let text = line.as_deref().and_then(session_part).map_or("no line".to_owned(), normal);
        self.note("log", text);
    }

    /// Notes proxy, server and termination letters of the next session line, where bytes and times vary.
    pub fn note_log_letters(&mut self) {
        self.note_log();
        if let Some((_, text)) = self.seen.last_mut() {
            let words: Vec<&str> = text.split(' ').collect();
            if let [front, back, _, _, flags, ..] = words[..] {
                *text = format!("{front} {back} … {flags} …");
            }
        }
    }

    /// Notes proxy and server of the next session line, where it varies who closed first.
    pub fn note_log_names(&mut self) {
        self.note_log();
        if let Some((_, text)) = self.seen.last_mut() {
            *text = text.split(' ').take(2).collect::<Vec<_>>().join(" ");
        }
    }

    /// Notes that no session line comes within `within`.
    pub fn note_silence(&mut self, within: Duration) {
        let line = self.log.line_where(within, |line| session_part(line).is_some());
        self.note("log", line.as_deref().and_then(session_part).map_or("silent".to_owned(), normal));
    }

    /// Waits until a process message (a server's change of state) holds `text`.
    pub fn await_message(&mut self, text: &str) {
        let line = self.log.line_where(PATIENCE, |line| line.contains(text));
        assert!(line.is_some(), "no log line holds {text:?}");
    }

    /// Stops the proxy while `act` runs, so that it sees all of it at once.
    pub fn frozen<T>(&self, act: impl FnOnce(&World) -> T) -> T {
        self.proxy.stop();
        let result = act(self);
        self.proxy.signal("CONT");
        result
    }

    /// Which server, counted from 1, gets the next connection.
    pub fn next_accepted(&self, within: Duration) -> Option<(usize, Peer)> {
        wait_for(within, || {
            self.servers.iter().enumerate().find_map(|(index, server)| match server {
                Server::Listening(_) => server.accept_within(Duration::ZERO).map(|peer| (index + 1, peer)),
                _ => None,
            })
        })
    }
}

/// From the date on, when the line is a session's: `[21/Nov/2026:00:26:31.415] f b/s1 …`.
fn session_part(line: &str) -> Option<&str> {
    let at = line.find(" [")? + 2;
    let rest = &line[at..];
    let end = rest.find("] ")?;
    (end == "21/Nov/2026:00:26:31.415".len()).then(|| &rest[end + 2..])
}

/// `f b/s1 0/0/12 2 -- 1/1/0/0/0 0/0` with each time rounded to the grain.
fn normal(part: &str) -> String {
    let words = part.split(' ').enumerate().map(|(index, word)| match index {
        2 => word.split('/').map(rounded).collect::<Vec<_>>().join("/"),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Down: a busy machine is late by much, and early only by the width of a tick.
pub fn rounded(time: &str) -> String {
    const EARLY_MS: i64 = 50;
    match time.parse::<i64>() {
        Ok(ms) if ms >= 0 => ((ms + EARLY_MS) / GRAIN_MS * GRAIN_MS).to_string(),
        _ => time.to_owned(),
    }
}
