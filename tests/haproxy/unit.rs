//! Debian's unit file: what ExecStart, ExecReload and the stop do, and what systemd is told, compared.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use crate::installed;
use crate::support::echo::Threads;
use crate::support::peer::Peer;
use crate::support::port::Port;
use crate::support::proxy::{Program, Proxy};
use crate::support::{PATIENCE, wait_for};
use crate::world::Seen;

/// Debian's options beside `-f`: `-Ws -p $PIDFILE $EXTRAOPTS`.
const START: [&str; 5] = ["-Ws", "-p", "haproxy.pid", "-S", "unix@master.sock"];

/// A unit that runs, and what was seen of it.
struct Unit {
    program: Program,
    proxy: Proxy,
    port: Port,
    notices: UnixDatagram,
    seen: Seen,
}

impl Unit {
    fn note(&mut self, field: &'static str, value: impl ToString) {
        self.seen.push((field, value.to_string()));
    }

    /// Waits until systemd is told that it is ready. The words of 3.5 are in tests/process/master.rs: 2.6 has
    /// fewer, and one more notice.
    fn await_ready(&mut self) {
        let mut text = [0; 512];
        loop {
            let length = self.notices.recv(&mut text).expect("systemd is told");
            let text = String::from_utf8_lossy(&text[..length]);
            if text.lines().any(|line| line == "READY=1") {
                let main = format!("MAINPID={}", self.proxy.pid());
                return self.note("ready", text.lines().any(|line| line == main));
            }
        }
    }

    /// Notes the first of ExecReload's commands: `haproxy -Ws -f $CONFIG -c -q $EXTRAOPTS`.
    fn note_check(&mut self) {
        let mut check = Command::new(self.program.path());
        check.args(["-Ws", "-f", "haproxy.cfg", "-c", "-q", "-S", "unix@master.sock"]);
        let done = check.current_dir(self.proxy.directory()).output().expect("it runs");
        let alerts = String::from_utf8_lossy(&done.stderr).matches("[ALERT]").count();
        self.note(
            "check",
            format!("{:?}, {} B, alerts: {}", done.status.code(), done.stdout.len(), alerts > 0),
        );
    }

    /// A client that is served, and stays.
    fn note_client(&mut self) -> Peer {
        let mut client = Peer::connect(self.port.address());
        client.send(b"hello");
        let answer = client.receive_text(5);
        self.note("client", answer);
        client
    }

    fn write(&self, text: &str) {
        fs::write(self.proxy.directory().join("haproxy.cfg"), text).expect("written");
    }

    /// Whether the pid file names the process that systemd started.
    fn note_pid_file(&mut self) {
        let text = fs::read_to_string(self.proxy.directory().join("haproxy.pid")).unwrap_or_default();
        let pid = self.proxy.pid().to_string();
        self.note("pid file", text.replace(&pid, "P").trim());
    }
}

fn observe(program: &Program, echo: u16) -> Seen {
    let folder = tempfile::tempdir().expect("a folder");
    let notices = UnixDatagram::bind(folder.path().join("notify")).expect("bound");
    notices.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    let port = Port::reserve();
    let config = format!(
        "global\n  nbthread 1\n  stats socket unix@stats.sock level admin expose-fd listeners\ndefaults\n  mode tcp\n  \
         timeout connect 5s\n  timeout client 1m\n  timeout server 1m\nlisten x\n  bind 127.0.0.1:{}\n  \
         server s 127.0.0.1:{echo}\n",
        port.number
    );
    let notify = folder.path().join("notify");
    let environment = [("NOTIFY_SOCKET", notify.to_str().expect("text"))];
    let proxy = Proxy::spawn_with(program, &config, &START, &environment);
    let mut unit = Unit { program: program.clone(), proxy, port, notices, seen: Seen::new() };
    play(&mut unit, &config);
    unit.seen
}

fn play(unit: &mut Unit, config: &str) {
    unit.await_ready();
    unit.note_pid_file();
    unit.note_check();
    let mut held = unit.note_client();
    // A bad file: ExecReload stops at the check, and nothing has changed.
    unit.write("listen x\n  nonsense\n");
    unit.note_check();
    unit.note_client();
    unit.write(&config.replace("listen x\n", "listen y\n"));
    unit.note_check();
    unit.proxy.signal("USR2");
    unit.await_ready();
    unit.note_client();
    unit.note_pid_file();
    held.send(b"still");
    let text = held.receive_text(5);
    unit.note("client", text);
    drop(held);
    await_name(unit.proxy.directory(), "y");
    unit.proxy.signal("TERM");
    let status = unit.proxy.wait(PATIENCE);
    // SuccessExitStatus=143: what 2.6 ends with is a success too, 3.5 exits with 0.
    let ending = status.map(|status| (status.code(), status.signal()));
    unit.note("clean end", matches!(ending, Some((Some(0 | 143), None) | (None, Some(15)))));
    unit.note("pid file", unit.proxy.directory().join("haproxy.pid").exists());
}

/// Waits until the new worker answers on the stats socket.
fn await_name(directory: &Path, name: &str) {
    let stat = || crate::support::stats::ask(&directory.join("stats.sock"), "show stat\n").ok();
    let named = || stat()?.contains(&format!("\n{name},FRONTEND,")).then_some(());
    assert!(wait_for(PATIENCE, named).is_some(), "the worker of the new file answers");
}

#[test]
fn the_unit_of_debian_is_started_reloaded_and_stopped_alike() {
    let echo = Threads::echo();
    let (haproxy, pronk) = (observe(&installed(), echo.port()), observe(&Program::Pronk, echo.port()));
    assert_eq!(pronk, haproxy, "Pronk (left) differs from haproxy 2.6 (right)");
}
