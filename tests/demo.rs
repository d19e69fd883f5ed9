//! `pronk demo` as a user runs it: three coordinators answer in turn, Ctrl-C ends it cleanly.

#[path = "support/mod.rs"]
mod support;

use std::net::{SocketAddr, TcpListener};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use pronk::demo::client::Client;

use support::child::{Killed, Lines, command};
use support::proxy::Program;
use support::wait_for;

/// For a machine that is busy with other tests.
const DEADLINE: Duration = Duration::from_secs(60);

/// `pronk demo` with these arguments.
fn demo(arguments: &[&str]) -> Command {
    let mut command = command(Program::Pronk.path());
    command.args(["demo", "--port-beeswax", "0", "--client", "own"]).args(arguments).stdin(Stdio::null());
    command
}

/// A running demonstration; dropped, it is killed.
struct Demo {
    child: Killed,
    lines: Lines,
}

impl Demo {
    fn start(arguments: &[&str]) -> Demo {
        let mut command = demo(&["--port-hs2", "0"]);
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().expect("the built command");
        let lines = Lines::of(child.stdout.take().expect("a pipe"));
        Demo { child: Killed(child), lines }
    }

    /// The lines up to the one that begins with `last`.
    fn until(&self, last: &str) -> Vec<String> {
        self.lines.until(DEADLINE, |line| line.starts_with(last))
    }

    fn status(&mut self) -> ExitStatus {
        let ended = wait_for(DEADLINE, || self.child.0.try_wait().expect("its own child"));
        ended.unwrap_or_else(|| panic!("it has not ended within {DEADLINE:?}"))
    }

    fn interrupt(&self) {
        let pid = rustix::process::Pid::from_child(&self.child.0);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it still runs");
    }
}

/// The words of the line that begins with `name`.
fn words<'a>(lines: &'a [String], name: &str) -> Vec<&'a str> {
    let line = lines.iter().find(|line| line.trim_start().starts_with(name));
    line.unwrap_or_else(|| panic!("no line of {name} in {lines:#?}")).split_whitespace().collect()
}

#[test]
fn queries_go_to_three_coordinators_in_turn() {
    let mut demo = Demo::start(&["--queries", "6", "--once"]);
    let lines = demo.until("Ended.");
    let answers = lines.iter().filter(|line| line.starts_with("  select "));
    let order: Vec<&str> =
        answers.filter_map(|line| line.split_whitespace().find(|word| word.starts_with("coord"))).collect();
    let mut first_round = order[..3].to_vec();
    first_round.sort_unstable();
    assert_eq!(first_round, ["coord1", "coord2", "coord3"], "{order:?}");
    assert_eq!(order[..3], order[3..], "the second round is in the same order");
    let summary = lines.iter().position(|line| line == "Queries by coordinator").expect("a summary");
    for name in first_round {
        assert_eq!(words(&lines[summary..], name)[..2], [name, "2"]);
    }
    assert_eq!(demo.status().code(), Some(0));
}

#[test]
fn others_may_connect_until_ctrl_c_ends_it() {
    let mut demo = Demo::start(&["--queries", "1"]);
    let lines = demo.until("Running until Ctrl-C.");
    let gateway: SocketAddr = words(&lines, "gateway")[2].parse().expect("an address");
    let mut served: Vec<String> = (0..3)
        .map(|_| {
            let mut client = Client::open(gateway, "test", DEADLINE).expect("a session");
            let mut rows = client.query("select coordinator()").expect("an answer");
            client.close().expect("a closed session");
            rows.remove(0).remove(0)
        })
        .collect();
    served.sort_unstable();
    assert_eq!(served, ["coord1", "coord2", "coord3"]);
    let held = Client::open(gateway, "test", DEADLINE).expect("a session");
    demo.interrupt();
    demo.until("Ended. Statements run: ");
    assert_eq!(demo.status().code(), Some(0));
    drop(held);
}

#[test]
fn a_busy_port_is_named_with_its_option() {
    let busy = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = busy.local_addr().expect("its address").port().to_string();
    let mut child =
        demo(&["--port-hs2", &port, "--once"]).stderr(Stdio::piped()).spawn().expect("the built command");
    let said = Lines::of(child.stderr.take().expect("a pipe"));
    let mut child = Killed(child);
    let said: Vec<String> = std::iter::from_fn(|| said.next(DEADLINE)).collect();
    let said = said.join("\n");
    assert_eq!(child.0.wait().expect("its own child").code(), Some(1));
    assert!(said.contains(&port) && said.contains("--port-hs2 PORT"), "{said}");
}
