//! `bind fd@N`: the socket is of whoever started the process, and outlasts everything that the process does with it.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use socket2::{Domain, SockFilter, Socket, Type};

use crate::run::{DEFAULTS, Running, ask};
use crate::support::echo::Threads;
use crate::support::peer::Peer;
use crate::support::proxy::{Program, Proxy};
use crate::support::{PATIENCE, wait_for};

/// What a supervisor passes on.
struct Passed {
    socket: Socket,
    address: SocketAddr,
}

impl Passed {
    fn new() -> Passed {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        // Of its own choice, so that a port is not lost where somebody makes the socket deaf.
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("bound");
        let address = socket.local_addr().expect("bound").as_socket().expect("IPv4");
        Passed { socket, address }
    }

    /// The line that serves it, with options.
    fn bind(&self, options: &str) -> String {
        format!("  bind fd@{} {options}\n", self.socket.as_raw_fd())
    }

    /// Only who is started by `start` inherits it.
    fn to<T>(&self, start: impl FnOnce() -> T) -> T {
        self.socket.set_cloexec(false).expect("inherited");
        let started = start();
        self.socket.set_cloexec(true).expect("no longer inherited");
        started
    }

    fn is_served(&self) {
        let mut client = self.client();
        assert!(client.send(b"hello"));
        assert_eq!(client.receive_text(5), "hello");
    }

    fn client(&self) -> Peer {
        let connected = TcpStream::connect_timeout(&self.address, Duration::from_secs(5));
        Peer::over(connected.expect("the handshake is not refused"))
    }
}

fn listens(bind: &str, server: &Threads) -> String {
    format!("listen x\n{bind}  server s 127.0.0.1:{}\n", server.port())
}

/// BPF_RET | BPF_K: a filter that lets every packet pass.
fn everything() -> SockFilter {
    SockFilter::new(0x06, 0, 0, u32::MAX)
}

fn page(passed: &Passed) -> String {
    let bind = passed.bind("");
    format!("listen page\n  mode http\n  timeout http-request 5s\n{bind}  stats enable\n  stats uri /\n")
}

fn followed(running: &Running, global: &str, sections: &str) -> String {
    let text = format!("global\n  stats socket unix@s.sock level admin\n{global}\n{DEFAULTS}\n{sections}\n");
    fs::write(running.proxy.directory().join("haproxy.cfg"), text).expect("written");
    let answer = running.ask("reload");
    assert!(answer.starts_with("Success=1\n--\n"), "{sections}\n{answer}\n{}", running.proxy.stderr());
    answer
}

#[test]
fn a_reload_that_changes_or_removes_the_line_leaves_the_socket_alive() {
    let (passed, server) = (Passed::new(), Threads::echo());
    let with = |options: &str| listens(&passed.bind(options), &server);
    let running = passed.to(|| Running::start("  nbthread 2\n", &with("")));
    passed.is_served();
    let mut kept = passed.client();
    let follow = |sections: &str| followed(&running, "  nbthread 2\n", sections);
    follow(&with("backlog 2000 mss 1400"));
    passed.is_served();
    follow(&with("").replace("listen x", "listen renamed"));
    passed.is_served();
    follow(&listens("", &server).replace("listen", "backend"));
    // Whoever comes now waits until somebody serves the socket again.
    let mut waiting = passed.client();
    assert!(waiting.send(b"early"));
    std::thread::sleep(Duration::from_millis(700));
    follow(&with("maxconn 100"));
    assert_eq!(waiting.receive_text(5), "early");
    passed.is_served();
    assert!(kept.send(b"still"));
    assert_eq!(kept.receive_text(5), "still");
}

#[test]
fn it_has_the_options_of_its_line_and_no_others() {
    let (passed, server) = (Passed::new(), Threads::echo());
    // As a supervisor or the line before may have made it.
    passed.socket.set_tcp_user_timeout(Some(Duration::from_secs(9))).expect("set");
    passed.socket.attach_filter(&[everything()]).expect("attached");
    let with = |options: &str| listens(&passed.bind(options), &server);
    let running = passed.to(|| Running::start("", &with("mss 1000")));
    let socket = &passed.socket;
    let user_timeout = || socket.tcp_user_timeout().expect("a TCP socket").map_or(0, |time| time.as_millis());
    assert!(socket.tcp_nodelay().expect("a TCP socket"), "what it accepts has it too");
    assert_eq!((socket.tcp_mss().expect("a TCP socket"), user_timeout()), (1000, 0));
    followed(&running, "", &with("tcp-ut 7s"));
    assert_eq!((socket.tcp_mss().expect("a TCP socket"), user_timeout()), (536, 7000));
    let answer = followed(&running, "", &with("tcp-ut 7s mss 50"));
    assert!(
        answer.contains("[WARNING]") && answer.contains("[fd@"),
        "the kernel wants 88 at least: {answer}"
    );
    passed.is_served();
    assert_eq!(running.ask("shutdown frontend x"), "\n");
    followed(&running, "", &with("tcp-ut 8s"));
    assert_eq!(user_timeout(), 7000, "it is no longer served");
    passed.socket.detach_filter().expect("the supervisor's filter has stayed");
}

#[test]
fn a_frontend_that_is_shut_down_leaves_the_socket_to_the_next_process() {
    let (passed, server) = (Passed::new(), Threads::echo());
    let sections = listens(&passed.bind(""), &server);
    let first = passed.to(|| Running::start("", &sections));
    passed.is_served();
    assert_eq!(first.ask("shutdown frontend x"), "\n");
    let _second = passed.to(|| Running::start("", &sections));
    passed.is_served();
}

#[test]
fn who_connects_to_a_paused_frontend_waits_and_other_processes_go_on_hearing() {
    let (passed, server) = (Passed::new(), Threads::echo());
    let running = passed.to(|| Running::start("  nbthread 2\n", &listens(&passed.bind(""), &server)));
    passed.is_served();
    assert_eq!(running.ask("disable frontend x"), "\n");
    let mut waiting = passed.client();
    assert!(waiting.send(b"early"));
    assert!(passed.socket.is_listener().expect("a socket"));
    assert_eq!(running.ask("enable frontend x"), "\n");
    assert_eq!(waiting.receive_text(5), "early");
}

#[test]
fn a_page_on_it_pauses_without_making_it_deaf() {
    let passed = Passed::new();
    let running = passed.to(|| Running::start("", &page(&passed)));
    assert_eq!(running.ask("disable frontend page"), "\n");
    let mut waiting = passed.client();
    assert!(waiting.send(b"GET / HTTP/1.0\r\n\r\n"));
    assert_eq!(running.ask("enable frontend page"), "\n");
    assert_eq!(waiting.receive_text(12), "HTTP/1.1 200");
}

/// Nobody else has the socket: clients are told at once that nobody serves them, while sessions go on.
#[test]
fn after_a_soft_stop_or_a_shutdown_nobody_is_kept_waiting() {
    for end in ["soft stop", "shutdown"] {
        let (passed, server) = (Passed::new(), Threads::echo());
        let running = passed.to(|| Running::start("", &listens(&passed.bind(""), &server)));
        let address = passed.address;
        let mut session = passed.client();
        drop(passed);
        assert!(session.send(b"hello"));
        assert_eq!(session.receive_text(5), "hello");
        match end {
            "shutdown" => assert_eq!(running.ask("shutdown frontend x"), "\n"),
            _ => running.proxy.signal("USR1"),
        }
        assert!(is_soon_refused(address), "{end}");
        assert!(session.send(b"still"));
        assert_eq!(session.receive_text(5), "still");
    }
}

#[test]
fn after_the_shutdown_of_a_page_nobody_is_kept_waiting() {
    let passed = Passed::new();
    let running = passed.to(|| Running::start("", &page(&passed)));
    let address = passed.address;
    let mut client = passed.client();
    drop(passed);
    assert!(client.send(b"GET / HTTP/1.0\r\n\r\n"));
    assert_eq!(client.receive_text(12), "HTTP/1.1 200");
    assert_eq!(running.ask("shutdown frontend page"), "\n");
    assert!(is_soon_refused(address), "{}", running.proxy.stderr());
}

fn is_soon_refused(address: SocketAddr) -> bool {
    let refused = || {
        let connected = TcpStream::connect_timeout(&address, Duration::from_millis(300));
        connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused).then_some(())
    };
    wait_for(PATIENCE, refused).is_some()
}

#[test]
fn the_next_worker_of_a_master_serves_what_the_one_before_has_shut_down() {
    let (passed, server) = (Passed::new(), Threads::echo());
    let config = format!(
        "global\n  stats socket unix@s.sock level admin\n{DEFAULTS}{}",
        listens(&passed.bind(""), &server)
    );
    let master = passed.to(|| Proxy::spawn(&Program::Pronk, &config, &["-W", "-S", "unix@m.sock"]));
    let asked =
        |line: &str| ask(&master.directory().join("m.sock"), &format!("{line}\n")).unwrap_or_default();
    let worker = || asked("@1 show info").lines().find(|line| line.starts_with("Pid: ")).map(str::to_owned);
    let first = wait_for(PATIENCE, worker).unwrap_or_else(|| panic!("{}", master.stderr()));
    passed.is_served();
    asked("@1 shutdown frontend x");
    master.signal("USR2");
    assert!(wait_for(PATIENCE, || worker().filter(|next| *next != first)).is_some(), "{}", master.stderr());
    passed.is_served();
}
