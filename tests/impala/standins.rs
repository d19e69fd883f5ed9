//! impala-shell in its own dialects, HiveServer2 and Beeswax, against `pronk demo`.

use std::process::Stdio;
use std::time::Duration;

use crate::clients::shell;
use crate::support::child::{Killed, Lines, command};
use crate::support::proxy::Program;

/// For its own queries, on a machine that is busy with other tests.
const DEADLINE: Duration = Duration::from_secs(60);

/// `pronk demo` on ports of the kernel's, its own queries done.
struct Demo {
    beeswax: u16,
    hs2: u16,
    _child: Killed,
    _output: Lines,
}

impl Demo {
    fn start() -> Demo {
        let mut child = command(Program::Pronk.path())
            .args(["demo", "--port-beeswax", "0", "--port-hs2", "0", "--client", "own", "--queries", "3"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("setpriv (util-linux) and Pronk start");
        let output = Lines::of(child.stdout.take().expect("a pipe"));
        let child = Killed(child);
        let said = output.until(DEADLINE, |line| line.starts_with("Running"));
        let gateway = said.iter().find(|line| line.split_whitespace().next() == Some("gateway"));
        let gateway = gateway.unwrap_or_else(|| panic!("a line of the gateway in {said:#?}"));
        let ports: Vec<u16> = gateway.split_whitespace().filter_map(port).collect();
        let [beeswax, hs2] = ports[..] else { panic!("two addresses in {gateway:?}") };
        Demo { beeswax, hs2, _child: child, _output: output }
    }
}

fn port(word: &str) -> Option<u16> {
    word.strip_prefix("127.0.0.1:")?.parse().ok()
}

#[test]
fn impala_shell_runs_against_the_demo() {
    let demo = Demo::start();
    for (protocol, port) in [("hs2", demo.hs2), ("beeswax", demo.beeswax)] {
        let answers: Result<Vec<String>, String> =
            (0..6).map(|_| shell(port, protocol, "select coordinator()")).collect();
        let answers = answers.expect("impala-shell succeeds");
        println!("impala-shell --protocol={protocol}: {answers:?}");
        assert_eq!(answers[..3], answers[3..], "the same three in turn");
        for name in ["coord1", "coord2", "coord3"] {
            assert!(answers.iter().any(|answer| answer == name), "{name} answers: {answers:?}");
        }
    }
}
