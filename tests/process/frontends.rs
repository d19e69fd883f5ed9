//! Frontends that pause, come back and end while the process runs, by command and by signal.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::run::Running;
use crate::support::echo::Threads;
use crate::support::peer::{End, Peer};
use crate::support::port::Port;
use crate::support::proxy::{Program, Proxy};
use crate::support::{PATIENCE, wait_for};

/// `f` and `page`, a server behind the first, and a session.
struct World {
    running: Running,
    port: Port,
    page: Port,
    _server: Threads,
    session: Peer,
}

impl World {
    fn start() -> World {
        let (port, page, server) = (Port::reserve(), Port::reserve(), Threads::echo());
        let sections = format!(
            "frontend f\n  bind 127.0.0.1:{}\n  default_backend b\nbackend b\n  server s 127.0.0.1:{}\n\
             listen page\n  mode http\n  timeout http-request 5s\n  bind 127.0.0.1:{}\n  stats enable\n  stats uri /\n",
            port.number,
            server.port(),
            page.number,
        );
        let running = Running::start("  nbthread 2\n", &sections);
        let mut session = Peer::connect(port.address());
        speak(&mut session);
        World { running, port, page, _server: server, session }
    }

    fn say(&self, line: &str) -> String {
        self.running.ask(line)
    }

    fn status(&self, proxy: &str) -> String {
        let stat = self.say(&format!("show stat {proxy} 1 0"));
        stat.lines().nth(1).and_then(|row| row.split(',').nth(17)).expect("a status").to_owned()
    }

    fn told(&self, text: &str) {
        let line = format!("[WARNING]  (P) : {text}");
        let told = wait_for(PATIENCE, || self.running.messages().contains(&line).then_some(()));
        assert!(told.is_some(), "{text:?} is not in {:?}", self.running.messages());
    }
}

fn speak(peer: &mut Peer) {
    assert!(peer.send(b"x"));
    assert_eq!(peer.receive_text(1), "x");
}

fn is_refused(port: &Port) -> bool {
    refuses(port.address())
}

fn refuses(address: SocketAddr) -> bool {
    let connected = TcpStream::connect_timeout(&address, Duration::from_millis(300));
    connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

fn serves(port: &Port) {
    speak(&mut Peer::connect(port.address()));
}

fn page_answers(port: &Port) -> bool {
    crate::run::http(port, "GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n")
}

#[test]
fn a_disabled_frontend_refuses_and_an_enabled_one_serves_again() {
    let mut world = World::start();
    assert_eq!(world.say("disable frontend f"), "\n");
    assert!(is_refused(&world.port));
    assert_eq!(world.status("f"), "PAUSED");
    world.told("Paused frontend f.");
    speak(&mut world.session);
    assert_eq!(world.say("enable frontend f"), "\n");
    world.told("Resumed frontend f.");
    assert_eq!(world.status("f"), "OPEN");
    serves(&world.port);
}

/// One socket for both workers: what one of them does to it the other one sees.
#[test]
fn a_frontend_whose_workers_share_a_socket_pauses_and_comes_back() {
    // Held by nobody, as nobody shares it.
    let (address, server) = (Port::reserve().address(), Threads::echo());
    let sections = format!("listen f\n  bind {address}\n  server s 127.0.0.1:{}\n", server.port());
    let running = Running::start("  nbthread 2\n  noreuseport\n", &sections);
    for _ in 0..5 {
        assert_eq!(running.ask("disable frontend f"), "\n");
        assert!(refuses(address));
        assert_eq!(running.ask("enable frontend f"), "\n");
        speak(&mut Peer::connect(address));
    }
    let lines = running.messages();
    assert!(!lines.iter().any(|line| line.contains("accepts no more connections")), "{lines:?}");
}

#[test]
fn a_page_pauses_like_any_frontend() {
    let world = World::start();
    assert!(page_answers(&world.page));
    assert_eq!(world.say("disable frontend page"), "\n");
    assert!(is_refused(&world.page));
    world.told("Paused proxy page.");
    assert_eq!(world.say("enable frontend page"), "\n");
    assert!(page_answers(&world.page));
    assert_eq!(world.say("shutdown frontend page"), "\n");
    assert!(is_refused(&world.page));
    world.told("Proxy page stopped (cumulated conns: FE: 2, BE: 0).");
}

#[test]
fn a_frontend_that_is_shut_down_ends_for_good_and_its_sessions_do_not() {
    let mut world = World::start();
    assert_eq!(world.say("shutdown frontend f"), "\n");
    assert!(wait_for(PATIENCE, || is_refused(&world.port).then_some(())).is_some());
    assert_eq!(world.status("f"), "STOP");
    world.told("Proxy f stopped (cumulated conns: FE: 1, BE: 0).");
    speak(&mut world.session);
    assert_eq!(world.say("enable frontend f"), "Frontend was previously shut down, cannot enable.\n\n");
    world.running.proxy.signal("USR1");
    world.told("Proxy b stopped (cumulated conns: FE: 0, BE: 1).");
    let lines = world.running.messages();
    assert_eq!(lines.iter().filter(|line| line.contains("Proxy f stopped")).count(), 1, "{lines:?}");
    speak(&mut world.session);
    world.session.finish();
    assert_eq!(world.session.end(PATIENCE), (0, End::Fin));
    assert!(world.running.proxy.wait(PATIENCE).is_some_and(|status| status.success()));
}

/// What each program says to both signals, in order, on the same configuration.
#[test]
fn ttou_pauses_everything_and_ttin_resumes_it_as_in_haproxy() {
    let told = |program: &Program| {
        let (port, server) = (Port::reserve(), Threads::echo());
        let config = format!(
            "global\n  stats socket unix@s.sock\n{}frontend f\n  bind 127.0.0.1:{}\n  default_backend b\n\
             backend b\n  server s 127.0.0.1:{}\n",
            crate::run::DEFAULTS,
            port.number,
            server.port(),
        );
        let proxy = Proxy::start(program, &config, &[&port]);
        serves(&port);
        proxy.signal("TTOU");
        assert!(wait_for(PATIENCE, || is_refused(&port).then_some(())).is_some());
        let paused = || proxy.stderr().contains("Paused frontend GLOBAL.").then_some(());
        assert!(wait_for(PATIENCE, paused).is_some(), "{}", proxy.stderr());
        proxy.signal("TTIN");
        let resumed = || proxy.stderr().contains("Resumed frontend GLOBAL.").then_some(());
        assert!(wait_for(PATIENCE, resumed).is_some(), "{}", proxy.stderr());
        serves(&port);
        let lines = proxy.stderr();
        lines
            .lines()
            .filter(|line| line.contains("ed frontend"))
            .map(crate::run::without_pid)
            .collect::<Vec<_>>()
    };
    let ours = told(&Program::Pronk);
    assert_eq!(ours.len(), 4);
    match Program::installed_haproxy() {
        Some(haproxy) => assert_eq!(ours, told(&haproxy)),
        None => eprintln!("comparison skipped: no haproxy is installed"),
    }
}

#[test]
fn connections_per_second_are_limited_over_all_workers() {
    let world = World::start();
    assert_eq!(world.say("set rate-limit connections global 4"), "\n");
    let begin = std::time::Instant::now();
    let mut clients: Vec<Peer> = (0..9).map(|_| Peer::connect(world.port.address())).collect();
    clients.iter_mut().for_each(speak);
    // Four at once, the others 250 ms apart from the next second on.
    assert!(begin.elapsed() > Duration::from_millis(900), "{:?}", begin.elapsed());
    assert!(world.say("show info").contains("\nConnRateLimit: 4\n"));
    let mut late: Vec<Peer> = (0..40).map(|_| Peer::connect(world.port.address())).collect();
    assert_eq!(world.say("set rate-limit connections global 0"), "\n");
    let begin = std::time::Instant::now();
    late.iter_mut().for_each(speak);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}
