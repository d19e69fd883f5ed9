//! Master and worker: reloads, endings, the master socket, and what systemd is told.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::run::{DEFAULTS, ask};
use crate::support::echo::Threads;
use crate::support::peer::{End, Peer};
use crate::support::port::Port;
use crate::support::proxy::{Program, Proxy};
use crate::support::storm::Storm;
use crate::support::{PATIENCE, wait_for};

/// A master with its socket `m.sock` and its worker's `s.sock`, both in its directory.
struct Master {
    proxy: Proxy,
    port: Port,
    _server: Threads,
}

impl Master {
    fn start(global: &str, arguments: &[&str]) -> Master {
        Master::start_with(global, arguments, &[])
    }

    fn start_with(global: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Master {
        let (port, server) = (Port::reserve(), Threads::echo());
        let config = format!(
            "global\n  nbthread 2\n  stats socket unix@s.sock level admin\n{global}\n{DEFAULTS}\
             listen x\n  bind 127.0.0.1:{}\n  server s 127.0.0.1:{}\n",
            port.number,
            server.port(),
        );
        let mut all = vec!["-S", "unix@m.sock,mode,600", "-p", "m.pid"];
        all.extend(arguments);
        let proxy = Proxy::spawn_with(&Program::Pronk, &config, &all, variables);
        let mut master = Master { proxy, port, _server: server };
        let ready = wait_for(PATIENCE, || {
            if let Some(status) = master.proxy.exit_status() {
                panic!("ended with {status}:\n{}", master.proxy.stderr());
            }
            master.asked("@1 show info").contains("Pid: ").then_some(())
        });
        assert!(ready.is_some(), "no worker answers:\n{}", master.proxy.stderr());
        master
    }

    fn socket(&self) -> PathBuf {
        self.proxy.directory().join("m.sock")
    }

    /// The answer to one line; nothing when nobody listens.
    fn asked(&self, line: &str) -> String {
        ask(&self.socket(), &format!("{line}\n")).unwrap_or_default()
    }

    fn worker(&self) -> u32 {
        let info = self.asked("@1 show info");
        let pid =
            info.lines().find_map(|line| line.strip_prefix("Pid: ")).unwrap_or_else(|| panic!("{info}"));
        pid.parse().expect("a pid")
    }

    fn config(&self) -> PathBuf {
        self.proxy.directory().join("haproxy.cfg")
    }

    fn await_message(&self, text: &str) {
        let told = wait_for(PATIENCE, || self.proxy.stderr().contains(text).then_some(()));
        assert!(told.is_some(), "no '{text}' in\n{}", self.proxy.stderr());
    }
}

fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn await_end(pid: u32) {
    assert!(wait_for(PATIENCE, || (!is_alive(pid)).then_some(())).is_some(), "{pid} stays");
}

/// Ten reloads under load by `reload`, which returns when the next worker serves.
fn storm(reload: impl Fn(&Master)) {
    let master = Master::start("", &["-W"]);
    let storm = Storm::begin(master.port.address(), 200);
    for number in 1..=10 {
        storm.pass(100);
        let before = master.worker();
        reload(&master);
        let next = wait_for(PATIENCE, || (master.worker() != before).then_some(()));
        assert!(next.is_some(), "reload {number}:\n{}", master.proxy.stderr());
        assert_eq!(storm.failures(), Vec::<String>::new(), "reload {number}");
    }
    storm.pass(100);
    println!("{} short and 200 long connections over ten reloads, none lost", storm.end());
    let alone = wait_for(PATIENCE, || (!master.asked("show proc").contains("# old workers")).then_some(()));
    assert!(alone.is_some(), "{}", master.asked("show proc"));
}

#[test]
fn usr2_reloads_without_losing_a_connection() {
    storm(|master| master.proxy.signal("USR2"));
}

#[test]
fn the_master_socket_reloads_without_losing_a_connection() {
    storm(|master| {
        let answer = master.asked("reload");
        assert!(answer.starts_with("Success=1\n--\n"), "{answer}");
    });
}

#[test]
fn a_failed_reload_leaves_the_worker_serving_and_a_hard_one_ends_its_sessions() {
    let master = Master::start("", &["-W"]);
    let (before, good) = (master.worker(), fs::read_to_string(master.config()).expect("readable"));
    fs::write(master.config(), format!("{good}  nonsense\n")).expect("written");
    let answer = master.asked("reload");
    assert!(answer.starts_with("Success=0\n--\n"), "{answer}");
    assert!(answer.contains("unknown keyword 'nonsense'"), "the start-up messages come along: {answer}");
    assert!(master.asked("show startup-logs").contains("unknown keyword 'nonsense'"));
    assert_eq!(master.worker(), before);
    assert!(master.asked("show proc").contains("1 [failed: 1]"), "{}", master.asked("show proc"));
    fs::write(master.config(), good).expect("written");
    let mut peer = Peer::connect(master.port.address());
    peer.send(b"hello");
    assert_eq!(peer.receive(5), b"hello");
    assert!(master.asked("hard-reload").starts_with("Success=1\n"));
    assert_ne!(master.worker(), before);
    await_end(before);
    assert_ne!(peer.end(PATIENCE).1, End::Open, "a hard reload hands no session over");
}

fn signal(pid: u32, name: &str) {
    let status = std::process::Command::new("kill").args(["-s", name, &pid.to_string()]).status();
    assert!(status.expect("kill runs").success());
}

/// Whichever the master hears first: that a worker is ready, or that it has ended since.
#[test]
fn a_worker_that_is_ready_and_killed_before_the_master_looks_replaces_nobody() {
    let master = Master::start("", &["-W"]);
    let before = master.worker();
    for round in 1..=3 {
        // The next worker waits for the sockets of this one until the master looks no more.
        signal(before, "STOP");
        master.proxy.signal("USR2");
        let forked = wait_for(PATIENCE, || {
            let told = master.proxy.stderr();
            let mut lines = told.lines().filter(|line| line.ends_with(" forked"));
            lines.nth(round)?.split_once("New worker (")?.1.split_once(')')?.0.parse::<u32>().ok()
        });
        let next = forked.expect("another worker");
        master.proxy.stop();
        signal(before, "CONT");
        let (socket, own) = (master.proxy.directory().join("s.sock"), format!("Pid: {next}\n"));
        let serves = wait_for(PATIENCE, || ask(&socket, "show info\n").ok()?.contains(&own).then_some(()));
        assert!(serves.is_some(), "{}", master.proxy.stderr());
        // A moment for its word to the master; without it the start has failed too.
        std::thread::sleep(std::time::Duration::from_millis(100));
        signal(next, "KILL");
        await_end(next);
        // Its parent learns of it when its last thread has ended too.
        let threads = || fs::read_dir(format!("/proc/{next}/task")).map_or(0, Iterator::count);
        assert!(wait_for(PATIENCE, || (threads() <= 1).then_some(())).is_some(), "{}", threads());
        master.proxy.signal("CONT");
        let failed = || (master.proxy.stderr().matches("Loading failure!").count() == round).then_some(());
        assert!(wait_for(PATIENCE, failed).is_some(), "{}", master.proxy.stderr());
        assert_eq!(master.worker(), before, "{}", master.proxy.stderr());
        assert!(!master.asked("show proc").contains("# old workers"), "{}", master.asked("show proc"));
        let mut peer = Peer::connect(master.port.address());
        peer.send(b"hello");
        assert_eq!(peer.receive(5), b"hello");
    }
}

#[test]
fn states_of_servers_go_to_the_next_worker_where_the_configuration_asks_for_them() {
    let state = |master: &Master| {
        let told = master.asked("@1 show servers state");
        let line = told.lines().find(|line| line.contains(" x 1 s ")).unwrap_or_else(|| panic!("{told}"));
        let fields: Vec<&str> = line.split(' ').collect();
        format!("admin {} weight {}", fields[6], fields[7])
    };
    for (wish, carried) in [("", false), ("  load-server-state-from-file global\n", true)] {
        let master = Master::start("  server-state-file /nonexistent/states\n", &["-W"]);
        let text = fs::read_to_string(master.config()).expect("readable");
        fs::write(master.config(), text + wish).expect("written");
        assert!(master.asked("reload").starts_with("Success=1\n"));
        master.asked("@1 set server x/s weight 50;@1 set server x/s state maint");
        let before = master.worker();
        let set = state(&master);
        assert_eq!(set, "admin 1 weight 50");
        assert!(master.asked("reload").starts_with("Success=1\n"));
        assert_ne!(master.worker(), before);
        assert_eq!(state(&master) == set, carried, "{}\n{}", state(&master), master.proxy.stderr());
    }
}

#[test]
fn endings_have_haproxys_statuses() {
    for (signal, code) in [("TERM", 0), ("INT", 130), ("USR1", 0)] {
        let mut master = Master::start("", &["-W"]);
        let worker = master.worker();
        let pid = fs::read_to_string(master.proxy.directory().join("m.pid")).expect("a pid file");
        assert_eq!(pid, format!("{}\n", master.proxy.pid()), "the master's");
        master.proxy.signal(signal);
        let status = master.proxy.wait(PATIENCE).expect("it ends");
        assert_eq!((status.code(), status.signal()), (Some(code), None), "{signal}");
        await_end(worker);
        assert!(master.proxy.stderr().contains(&format!("All workers exited. Exiting... ({code})")));
    }
}

#[test]
fn a_worker_that_crashes_ends_the_master_unless_told_otherwise() {
    let mut master = Master::start("", &["-W"]);
    signal(master.worker(), "KILL");
    assert_eq!(master.proxy.wait(PATIENCE).expect("it ends").code(), Some(137));
    assert!(master.proxy.stderr().contains("exit-on-failure: killing every processes with SIGTERM"));
}

/// What the reload would have bound and opened is found out last, when the sockets of the worker before are in hand.
#[test]
fn a_reload_that_fails_late_says_why_and_opens_no_frontend() {
    let master = Master::start("", &["-W"]);
    let good = fs::read_to_string(master.config()).expect("readable");
    fs::write(master.config(), good.replace("global\n", "global\n  chroot /nowhere/at/all\n"))
        .expect("written");
    let answer = master.asked("reload");
    assert!(answer.starts_with("Success=0\n--\n") && answer.contains("/nowhere/at/all"), "{answer}");
    assert!(master.asked("show startup-logs").contains("/nowhere/at/all"));

    master.asked("@1 disable frontend x");
    let refused = || TcpStream::connect(master.port.address()).is_err().then_some(());
    assert!(wait_for(PATIENCE, refused).is_some());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("bound");
    fs::write(master.config(), format!("{good}listen y\n  bind {taken}\n")).expect("written");
    let answer = master.asked("reload");
    assert!(answer.starts_with("Success=0\n--\n") && answer.contains("Address already in use"), "{answer}");
    assert!(refused().is_some(), "nobody would serve who is let in");
    master.asked("@1 enable frontend x");
    assert!(TcpStream::connect(master.port.address()).is_ok());
}

/// A former worker that finishes its sessions goes on; when the last one has ended, so has the master.
#[test]
fn with_no_exit_on_failure_a_crash_ends_no_other_worker() {
    let mut master = Master::start("  master-worker no-exit-on-failure\n  session-hand-over off\n", &[]);
    let mut peer = Peer::connect(master.port.address());
    assert!(peer.send(b"x"));
    assert_eq!(peer.receive_text(1), "x");
    let former = master.worker();
    assert!(master.asked("reload").starts_with("Success=1\n"));
    let worker = master.worker();
    signal(worker, "KILL");
    master.await_message(&format!("Current worker ({worker}) exited with code 137 (Killed)"));
    assert!(is_alive(former) && peer.send(b"y"), "its session lives");
    assert_eq!(peer.receive_text(1), "y");
    drop(peer);
    assert_eq!(master.proxy.wait(PATIENCE).expect("it ends").code(), Some(137), "as the one that crashed");
}

#[test]
fn a_worker_does_not_outlive_its_master() {
    let mut master = Master::start("", &["-W"]);
    let worker = master.worker();
    master.proxy.signal("KILL");
    assert!(master.proxy.wait(PATIENCE).is_some());
    await_end(worker);
}

#[test]
fn a_configuration_that_is_wrong_at_first_ends_the_master() {
    let mut proxy = Proxy::spawn(&Program::Pronk, "listen x\n  nonsense\n", &["-W"]);
    assert_eq!(proxy.wait(PATIENCE).expect("it ends").code(), Some(1));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let config = format!("{DEFAULTS}listen x\n  bind {}\n", taken.local_addr().expect("bound"));
    let mut proxy = Proxy::spawn(&Program::Pronk, &config, &["-W"]);
    assert_eq!(proxy.wait(PATIENCE).expect("it ends").code(), Some(1), "{}", proxy.stderr());
}

/// The first worker reads a file that is still being written: its start lasts as long as the test wants it to.
#[test]
fn who_waits_for_a_reload_is_told_when_the_very_first_start_fails() {
    let folder = tempfile::tempdir().expect("a directory");
    let fifo = folder.path().join("list");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
    let port = Port::reserve().number;
    let config = format!("{DEFAULTS}listen x\n  bind 127.0.0.1:{port}\n  acl a src -f {}\n", fifo.display());
    let mut proxy = Proxy::spawn(&Program::Pronk, &config, &["-W", "-S", "unix@m.sock"]);
    // Opens when a reader does: the master, then its worker.
    let write = |text: &str| fs::write(&fifo, text).expect("it is read");
    write("10.0.0.1\n");
    let forked = wait_for(PATIENCE, || proxy.stderr().contains("New worker").then_some(()));
    assert!(forked.is_some(), "{}", proxy.stderr());
    let socket = proxy.directory().join("m.sock");
    let mut waiting = UnixStream::connect(&socket).expect("the master listens");
    waiting.write_all(b"reload\n").expect("it reads");
    assert!(ask(&socket, "show version\n").expect("an answer").contains("3.5"), "it has heard of the reload");
    write("no address\n");
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("Success=0\n") && answer.contains("the master is stopping"), "{answer:?}");
    assert_eq!(proxy.wait(PATIENCE).expect("it ends").code(), Some(1));
}

#[test]
fn commands_go_to_master_or_worker() {
    let master = Master::start("", &["-W"]);
    let worker = master.worker();
    assert!(master.asked(&format!("@!{worker} show info")).contains(&format!("Pid: {worker}\n")));
    assert!(master.asked("show proc").contains(&format!("{worker:<15} worker          0")));
    assert!(master.asked("@master show version").ends_with("\n\n"));
    assert!(master.asked("show cli sockets").contains("unix@m.sock admin master"));
    assert_eq!(master.asked("@7 show info"), "Can't find the target PID matching the prefix '@7'\n");
    assert_eq!(master.asked("@!1 show info"), "Can't find the target PID matching the prefix '@!1'\n");
    assert!(master.asked("help").contains("hard-reload"));
    let both = master.asked("@1 show cli level;show proc");
    assert!(both.starts_with("admin\n\n#<PID>"), "{both}");
    assert!(master.asked("operator;reload").contains("Permission denied"));
    assert_eq!(
        master.asked("prompt\n@1\nshow cli level\n@\nquit"),
        format!("\nmaster> {worker}> admin\n\n{worker}> master> ")
    );
}

#[test]
fn former_workers_are_bounded_by_their_reloads() {
    let master = Master::start("  mworker-max-reloads 1\n  session-hand-over off\n", &["-W"]);
    let first = master.worker();
    let storm = Storm::begin(master.port.address(), 1);
    storm.pass(1);
    assert!(master.asked("reload").starts_with("Success=1"));
    storm.pass(1);
    let table = master.asked("show proc");
    assert!(table.contains("# old workers") && is_alive(first), "{table}");
    assert!(master.asked("reload").starts_with("Success=1"));
    await_end(first);
    let cut = wait_for(PATIENCE, || (!storm.failures().is_empty()).then_some(()));
    assert!(cut.is_some(), "the long connection ends with its worker");
    drop(storm);
}

#[test]
fn systemd_is_told_as_by_haproxy() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    let heard = UnixDatagram::bind(&path).expect("bound");
    heard.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let next = || {
        let mut text = [0; 512];
        let length = heard.recv(&mut text).expect("systemd is told");
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    // The unit's commands: ExecStart, then ExecReload's check and signal.
    let name = path.display().to_string();
    let master = Master::start_with("", &["-Ws"], &[("NOTIFY_SOCKET", &name)]);
    let ready = format!("READY=1\nMAINPID={}\nSTATUS=Ready.\n", master.proxy.pid());
    assert_eq!(next(), ready);
    let config = master.config().display().to_string();
    let checked = crate::run::pronk(["-Ws", "-f", &config, "-c", "-q", "-S", "/run/m.sock"]);
    assert_eq!((checked.code(), checked.stdout, checked.stderr), (0, String::new(), String::new()));
    master.proxy.signal("USR2");
    assert!(next().starts_with("RELOADING=1\nSTATUS=Reloading Configuration.\nMONOTONIC_USEC="));
    assert_eq!(next(), ready);
    fs::write(&config, "nonsense\n").expect("written");
    master.proxy.signal("HUP");
    assert!(next().starts_with("RELOADING=1\n"));
    assert_eq!(next(), "READY=1\nSTATUS=Reload failed!\n");
}
