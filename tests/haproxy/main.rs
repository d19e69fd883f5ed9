//! Parity: each scenario runs under the installed haproxy and under Pronk, on the same configuration;
//! what client, server and log saw must be the same, but for the table in `differences`.
//!
//! `HAPROXY35=/path/to/haproxy` compares with that one too, without the table: where 2.6 and 3.5
//! differ, 3.5 is the reference.

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod bad_input;
mod command_line;
mod differences;
mod dynamic;
mod ends;
mod lists;
mod live;
mod orders;
mod page;
mod published;
mod queues;
mod retries;
mod rules;
mod runtime;
mod statistics;
mod takeover;
mod timeouts;
mod tools;
mod unit;
mod values;
mod world;

use std::path::PathBuf;
use std::thread;

use support::proxy::Program;
use support::server::Server;
use world::{Seen, World};

/// One event: its configuration, its servers, and what client and servers do.
pub struct Scenario {
    name: &'static str,
    config: String,
    servers: fn() -> Vec<Server>,
    play: fn(&mut World),
}

/// Makes a test of a scenario: name, configuration, servers, play.
macro_rules! scenario {
    ($name:ident, $config:expr, $servers:expr, $play:expr) => {
        #[test]
        fn $name() {
            let name = stringify!($name);
            $crate::Scenario { name, config: $config.to_string(), servers: $servers, play: $play }.check();
        }
    };
}
pub(crate) use scenario;

impl Scenario {
    /// Runs it under the proxies, at the same time, and compares.
    pub fn check(&self) {
        let newer = std::env::var_os("HAPROXY35").map(|path| Program::Haproxy(PathBuf::from(path)));
        let (haproxy, pronk, reference) = thread::scope(|scope| {
            let haproxy = scope.spawn(|| self.observe(&installed()));
            let pronk = scope.spawn(|| self.observe(&Program::Pronk));
            let reference = newer.as_ref().map(|program| scope.spawn(|| self.observe(program)));
            (seen(haproxy), seen(pronk), reference.map(seen))
        });
        println!("{}\n  haproxy {haproxy:#?}\n  pronk {pronk:#?}", self.name);
        self.compare(&pronk, &differences::apply(self.name, haproxy), "haproxy 2.6");
        if let Some(reference) = reference {
            self.compare(&pronk, &reference, "HAPROXY35");
        }
    }

    /// Shows what differs, and nothing else.
    fn compare(&self, pronk: &Seen, other: &Seen, whose: &str) {
        let differing: Vec<String> = (0..pronk.len().max(other.len()))
            .map(|at| (pronk.get(at), other.get(at)))
            .filter(|(pronk, other)| pronk != other)
            .map(|(pronk, other)| format!("Pronk {pronk:?}\n{whose} {other:?}\n"))
            .collect();
        assert!(differing.is_empty(), "{}:\n{}", self.name, differing.concat());
    }

    fn observe(&self, program: &Program) -> Seen {
        let mut world = World::new(program, &self.config, (self.servers)());
        (self.play)(&mut world);
        std::mem::take(&mut world.seen)
    }
}

fn seen(thread: thread::ScopedJoinHandle<'_, Seen>) -> Seen {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The haproxy that Debian 12 installs.
pub fn installed() -> Program {
    Program::installed_haproxy().expect("haproxy is installed; tests/run-all installs it")
}
