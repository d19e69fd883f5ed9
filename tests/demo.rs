//! `pronk demo` as a user runs it: three coordinators answer in turn, Ctrl-C ends it cleanly.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use pronk::demo::client::Client;

/// For a machine that is busy with other tests.
const DEADLINE: Duration = Duration::from_secs(60);

/// A running demonstration; dropped, it is killed.
struct Demo {
    child: Child,
    lines: Receiver<String>,
}

impl Demo {
    fn start(arguments: &[&str]) -> Demo {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pronk"))
            .args(["demo", "--port-beeswax", "0", "--port-hs2", "0", "--client", "own"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the built command");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let (send, lines) = mpsc::channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Demo { child, lines }
    }

    /// The lines up to the one that begins with `last`.
    fn until(&self, last: &str) -> Vec<String> {
        let deadline = Instant::now() + DEADLINE;
        let mut seen = Vec::new();
        while !seen.last().is_some_and(|line: &String| line.starts_with(last)) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => seen.push(line),
                Err(error) => panic!("no line '{last}' ({error}) after {seen:#?}"),
            }
        }
        seen
    }

    fn status(&mut self) -> ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().expect("its own child") {
                return status;
            }
            assert!(Instant::now() < deadline, "it has not ended within {DEADLINE:?}");
            thread::yield_now();
        }
    }

    fn interrupt(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it still runs");
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Both fail when it has ended, as it should have.
        let _ = self.child.kill();
        let _ = self.child.wait();
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
    let mut demo = Command::new(env!("CARGO_BIN_EXE_pronk"))
        .args(["demo", "--port-beeswax", "0", "--port-hs2", &port, "--once"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the built command");
    let mut said = String::new();
    demo.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
    assert_eq!(demo.wait().expect("its own child").code(), Some(1));
    assert!(said.contains(&port) && said.contains("--port-hs2 PORT"), "{said}");
}
