//! impala-shell in its own dialects, HiveServer2 and Beeswax, against `pronk demo`.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::clients::shell;
use crate::support::proxy::Program;

/// `pronk demo` on ports of the kernel's, its own queries done.
struct Demo {
    child: Child,
    beeswax: u16,
    hs2: u16,
    _output: BufReader<ChildStdout>,
}

impl Demo {
    fn start() -> Demo {
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(Program::Pronk.path())
            .args(["demo", "--port-beeswax", "0", "--port-hs2", "0", "--client", "own", "--queries", "3"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("setpriv (util-linux) and Pronk start");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let gateway = line_of(&mut output, "gateway");
        let ports: Vec<u16> = gateway.split_whitespace().filter_map(port).collect();
        let [beeswax, hs2] = ports[..] else { panic!("two addresses in {gateway:?}") };
        line_of(&mut output, "Running");
        Demo { child, beeswax, hs2, _output: output }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Fails only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next line whose first word is this.
fn line_of(output: &mut impl BufRead, word: &str) -> String {
    loop {
        let mut line = String::new();
        let read = output.read_line(&mut line).expect("text");
        assert!(read > 0, "pronk demo has ended before it printed {word}");
        if line.split_whitespace().next() == Some(word) {
            return line;
        }
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
