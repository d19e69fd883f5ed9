//! What the signals do, and the statuses that a parent sees.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::time::Duration;

use crate::run::{DEFAULTS, Running, without_pid};
use crate::support::peer::{End, Peer};
use crate::support::port::Port;
use crate::support::proxy::{Program, Proxy};
use crate::support::server::Server;
use crate::support::syslog::Syslog;
use crate::support::{PATIENCE, wait_for};

fn listen(port: &Port, server: u16) -> String {
    format!("listen x\n  bind 127.0.0.1:{}\n  server s1 127.0.0.1:{server}\n", port.number)
}

#[test]
fn term_and_int_end_it_by_that_signal() {
    for (name, number) in [("TERM", 15), ("INT", 2)] {
        let port = Port::reserve();
        let server = Server::listening();
        let mut running = Running::start("", &listen(&port, server.port()));
        let mut client = Peer::connect(port.address());
        assert!(client.send(b"x"));
        let _served = server.accept();
        running.proxy.signal(name);
        let status = running.proxy.wait(PATIENCE).expect("it ends");
        assert_eq!(status.signal(), Some(number), "{}", running.proxy.stderr());
    }
}

#[test]
fn usr1_finishes_the_sessions_first() {
    let port = Port::reserve();
    let server = Server::listening();
    let mut running = Running::start("", &listen(&port, server.port()));
    let mut client = Peer::connect(port.address());
    assert!(client.send(b"before"));
    let mut served = server.accept();
    assert_eq!(served.receive_text(6), "before");
    running.proxy.signal("USR1");
    assert!(wait_for(PATIENCE, || (!port.has_listener()).then_some(())).is_some(), "listens no more");
    assert!(client.send(b"during"));
    assert_eq!(served.receive_text(6), "during");
    assert!(served.send(b"answer"));
    assert_eq!(client.receive_text(6), "answer");
    assert!(running.proxy.exit_status().is_none(), "a session is left");
    client.close();
    served.close();
    let status = running.proxy.wait(PATIENCE).expect("it ends with its last session");
    assert_eq!(status.code(), Some(0));
    let messages = running.messages();
    let told = |line: &str| messages.iter().any(|message| message.starts_with(line));
    assert!(told("[WARNING]  (P) : Proxy x stopped (cumulated conns: FE: 1, BE: 1)."), "{messages:?}");
    assert!(told("[WARNING]  (P) : Proxy GLOBAL stopped (cumulated conns: FE: "), "{messages:?}");
}

#[test]
fn a_soft_stop_is_bounded_by_hard_stop_after() {
    let port = Port::reserve();
    let server = Server::listening();
    let mut log = Syslog::bind();
    let global = format!("  hard-stop-after 300ms\n  log 127.0.0.1:{} local0\n", log.port());
    let listen = listen(&port, server.port()) + "  log global\n  option tcplog\n";
    let mut running = Running::start(&global, &listen);
    let mut client = Peer::connect(port.address());
    assert!(client.send(b"x"));
    let _served = server.accept();
    running.proxy.signal("USR1");
    let status = running.proxy.wait(PATIENCE).expect("it ends");
    assert_eq!(status.code(), Some(0));
    assert_eq!(client.end(Duration::from_secs(5)).1, End::Fin, "nothing was unread: the end is in order");
    let said = running.proxy.stderr();
    assert!(said.contains("soft-stop running for too long, performing a hard-stop."), "{said}");
    assert!(said.contains("Proxy x hard-stopped (1 remaining conns will be closed)."), "{said}");
    let line = log.line_where(PATIENCE, |line| line.contains(" x/s1 "));
    assert!(line.as_ref().is_some_and(|line| line.contains(" KC ")), "{line:?}");
}

#[test]
fn term_ends_a_soft_stop() {
    let port = Port::reserve();
    let server = Server::listening();
    let mut running = Running::start("", &listen(&port, server.port()));
    let mut client = Peer::connect(port.address());
    assert!(client.send(b"x"));
    let _served = server.accept();
    running.proxy.signal("USR1");
    assert!(wait_for(PATIENCE, || (!port.has_listener()).then_some(())).is_some());
    running.proxy.signal("TERM");
    assert_eq!(running.proxy.wait(PATIENCE).expect("it ends").signal(), Some(15));
}

#[test]
fn hup_tells_every_state_as_haproxy_does() {
    let server = Server::listening();
    let told = |program: &Program| -> Vec<String> {
        let port = Port::reserve();
        let config = format!(
            "{DEFAULTS}{}  server s2 127.0.0.1:{} disabled\nfrontend f\n  bind 127.0.0.1:{}\n  default_backend b\n\
             backend b\n  server b1 127.0.0.1:{} backup\nbackend none\n",
            listen(&port, server.port()),
            server.port(),
            Port::reserve().number,
            server.port(),
        );
        let mut proxy = Proxy::start(program, &config, &[&port]);
        // Signals before the handlers are there would end it: wait until it is known to run.
        wait_for(PATIENCE, || Peer::connect(port.address()).send(b"x").then_some(()));
        let _served = server.accept();
        let states = wait_for(PATIENCE, || {
            if let Some(status) = proxy.exit_status() {
                panic!("{status}");
            }
            proxy.signal("HUP");
            let lines: Vec<String> = proxy.stderr().lines().map(without_pid).collect();
            lines.iter().any(|line| line.contains("SIGHUP: Proxy none")).then_some(lines)
        });
        let mut lines = states.expect("states are told");
        lines.retain(|line| line.contains("SIGHUP") && !line.contains("<HTTPCLIENT>"));
        let first = lines.iter().position(|line| line.contains("SIGHUP received")).expect("the first line");
        let last = lines.iter().position(|line| line.contains("Proxy none")).expect("the last proxy");
        // Connection counts differ with how often the test had to try.
        lines[first..=last]
            .iter()
            .map(|line| line.split(" Conn: ").next().expect("a part").to_owned())
            .collect()
    };
    let ours = told(&Program::Pronk);
    assert_eq!(ours[0], "[WARNING]  (P) : SIGHUP received, dumping servers states.");
    assert!(ours.contains(&"[WARNING]  (P) : SIGHUP: Server x/s2 is DOWN.".to_owned()), "{ours:?}");
    match Program::installed_haproxy() {
        Some(haproxy) => assert_eq!(ours, told(&haproxy)),
        None => eprintln!("comparison skipped: no haproxy is installed"),
    }
}

#[test]
fn signals_without_effect_are_explained() {
    let port = Port::reserve();
    let running = Running::start("", &listen(&port, 9));
    for name in ["USR2", "QUIT"] {
        running.proxy.signal(name);
        let text = format!("SIG{name} has no effect in Pronk: ");
        let told = wait_for(PATIENCE, || running.proxy.stderr().contains(&text).then_some(()));
        assert!(told.is_some(), "{name}");
    }
    assert!(running.ask("show info").contains("Stopping: 0"));
}

#[test]
fn an_interrupt_ignored_by_the_parent_stays_ignored() {
    let port = Port::reserve();
    let kept =
        crate::run::written(&format!("global\n  stats socket unix@s.sock\n{DEFAULTS}{}", listen(&port, 9)));
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' INT; exec \"$0\" \"$@\""]).arg(Program::Pronk.path());
    command.arg("-f").arg(&kept.file).current_dir(kept.directory.path()).process_group(0);
    let mut child = command.spawn().expect("sh runs");
    let socket = kept.directory.path().join("s.sock");
    let ready = wait_for(PATIENCE, || crate::run::ask(&socket, "show version\n").ok());
    let send = |signal: &str| Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
    let interrupted = ready.is_some() && send("INT").is_ok_and(|status| status.success());
    let answer = crate::run::ask(&socket, "show version\n");
    let ended = send("TERM").is_ok() && wait_for(PATIENCE, || child.try_wait().ok().flatten()).is_some();
    if !ended {
        // Nothing is left behind even when the test fails.
        let _ = child.kill();
        let _ = child.wait();
    }
    assert!(interrupted && ended && answer.is_ok_and(|answer| !answer.is_empty()));
}
