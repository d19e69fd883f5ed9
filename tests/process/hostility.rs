//! Clients of the stats socket that misbehave, or are very many: none of them harms traffic, health checks,
//! another client, or the process.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use rustix::process::{Pid, Signal, kill_process};

use crate::run::{DEFAULTS, Running, ask};
use crate::support::child::{Killed, command};
use crate::support::echo::Threads;
use crate::support::port::Port;
use crate::support::proxy::Program;
use crate::support::server::Server;
use crate::support::stats::column;
use crate::support::storm::Storm;
use crate::support::syslog::Syslog;
use crate::support::{PATIENCE, wait_for};

const SERVERS: usize = 500;

/// A gateway with many servers, so that answers are long, and clients that use it all the time.
struct Target {
    running: Running,
    storm: Storm,
    echo: Threads,
    refusing: Server,
    port: Port,
}

impl Target {
    fn begin(global: &str) -> Target {
        let (echo, refusing, port) = (Threads::echo(), Server::refusing(), Port::reserve());
        let mut sections = format!(
            "listen x\n  bind 127.0.0.1:{}\n  server s 127.0.0.1:{}\n\
             backend watched\n  server w 127.0.0.1:{} check inter 100ms rise 1 fall 1\nbackend many\n",
            port.number,
            echo.port(),
            echo.port()
        );
        for number in 0..SERVERS {
            sections.push_str(&format!("  server s{number} 127.0.0.1:9 disabled\n"));
        }
        let running = Running::start(&format!("  nbthread 1\n{global}"), &sections);
        let storm = Storm::begin(port.address(), 5);
        Target { running, storm, echo, refusing, port }
    }

    fn client(&self) -> UnixStream {
        let stream = UnixStream::connect(self.running.socket()).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        stream.set_write_timeout(Some(PATIENCE)).expect("a deadline");
        stream
    }

    /// Traffic and health checks go on, nothing failed, and the process answers.
    fn is_well(&self) {
        self.storm.pass(50);
        assert_eq!(self.storm.failures(), Vec::<String>::new());
        assert!(self.running.ask("show info").contains("\nStopping: 0\n"));
        self.is_checked();
    }

    /// Checks notice that a port refuses them, and that another one does not.
    fn is_checked(&self) {
        for (port, status) in [(self.refusing.port(), "DOWN"), (self.echo.port(), "UP")] {
            self.running.ask(&format!("set server watched/w check-port {port}"));
            let turned = wait_for(PATIENCE, || {
                let stat = self.running.ask("show stat watched 4 -1");
                (column(&stat, ["watched", "w"], "status")? == status).then_some(())
            });
            assert!(turned.is_some(), "the server becomes {status}");
        }
    }
}

#[test]
fn a_half_closed_client_gets_the_whole_of_a_long_answer_and_then_the_end() {
    let target = Target::begin("");
    let mut client = target.client();
    client.write_all(b"show stat;show servers state;show stat\n").expect("sent");
    client.shutdown(Shutdown::Write).expect("half-closed");
    let (mut answer, mut piece) = (Vec::new(), [0; 1000]);
    loop {
        match client.read(&mut piece).expect("no reset") {
            0 => break,
            count => answer.extend_from_slice(&piece[..count]),
        }
        // It reads in pieces: the rest must wait for it.
        thread::yield_now();
    }
    let answer = String::from_utf8(answer).expect("text");
    let last = format!("many,s{},", SERVERS - 1);
    assert_eq!(answer.matches(&last).count(), 2, "{}", answer.len());
    assert!(answer.ends_with("\n\n") && answer.contains("\n# be_id be_name "));
    target.is_well();
}

/// Whether the other side has closed, without reading what it said before.
fn is_closed(client: &UnixStream) -> bool {
    let mut polled = [PollFd::new(client, PollFlags::empty())];
    poll(&mut polled, Some(&Timespec::default())).expect("a poll");
    polled[0].revents().contains(PollFlags::HUP)
}

#[test]
fn clients_that_never_read_cost_little_and_are_given_up() {
    let target = Target::begin("  stats timeout 1s\n");
    target.is_well();
    let before = target.running.proxy.resident_kib();
    let deaf: Vec<UnixStream> = (0..9).map(|_| target.client()).collect();
    for mut client in deaf.iter() {
        // A whole line, as long as may be: answered at once it would be hundreds of megabytes.
        client.write_all(&b"show stat;".repeat(1_600)).expect("sent");
        client.write_all(b"\n").expect("sent");
    }
    target.is_well();
    let grown = target.running.proxy.resident_kib().saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB more");
    let given_up = || deaf.iter().all(is_closed).then_some(());
    assert!(wait_for(PATIENCE, given_up).is_some(), "{:?}", deaf.iter().map(is_closed).collect::<Vec<_>>());
    target.is_well();
}

#[test]
fn an_endless_line_is_refused_before_it_is_kept() {
    let target = Target::begin("");
    target.is_well();
    let before = target.running.proxy.resident_kib();
    for _ in 0..8 {
        let mut client = target.client();
        // The other side may close before all of it is sent.
        let sent = client.write_all(&vec![b'x'; 1 << 20]);
        let closed = |kind| matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
        assert!(sent.as_ref().is_ok() || sent.is_err_and(|error| closed(error.kind())));
        let mut answer = Vec::new();
        let read = client.read_to_end(&mut answer);
        assert!(read.is_ok() || read.is_err_and(|error| closed(error.kind())));
        let text = String::from_utf8_lossy(&answer);
        assert!(text.starts_with("A command line may be 16384 bytes long at most."), "{text}");
    }
    let grown = target.running.proxy.resident_kib().saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB more");
    target.is_well();
}

/// A connection that does not wait for a place in the kernel's queue; None: the queue is full.
fn knock(target: &Target) -> Option<std::os::fd::OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).expect("a socket");
    let address = SocketAddrUnix::new(target.running.socket()).expect("a path");
    connect(&socket, &address).is_ok().then_some(socket)
}

#[test]
fn a_thousand_silent_connections_hold_up_nobody_for_long() {
    let target = Target::begin("  stats timeout 2s\n");
    let crowd: Vec<_> = (0..1_000).filter_map(|_| knock(&target)).collect();
    assert!(crowd.len() > 50, "{}", crowd.len());
    target.storm.pass(300);
    assert_eq!(target.storm.failures(), Vec::<String>::new());
    drop(crowd);
    // Who has left is passed over at once.
    target.is_well();
}

#[test]
fn thousands_of_statistics_a_minute_harm_no_traffic() {
    const CLIENTS: usize = 3;
    const EACH: usize = 300;
    let target = Target::begin("");
    let before = target.running.proxy.resident_kib();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                for _ in 0..EACH {
                    let answer = target.running.ask("show stat");
                    assert!(answer.contains("many,s499,") && answer.ends_with("\n\n"));
                }
            });
        }
        target.storm.pass(500);
    });
    let grown = target.running.proxy.resident_kib().saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB more");
    target.is_well();
}

#[test]
fn commands_without_end_over_one_connection_let_others_in() {
    let target = Target::begin("");
    let stop = std::sync::atomic::AtomicBool::new(false);
    let stopped = || stop.load(std::sync::atomic::Ordering::SeqCst);
    thread::scope(|scope| {
        let mut talker = target.client();
        let mut reader = talker.try_clone().expect("a copy");
        talker.write_all(b"prompt\n").expect("sent");
        scope.spawn(move || {
            while !stopped() && talker.write_all(b"show stat;show info\n").is_ok() {}
            // No error matters any more.
            let _ = talker.shutdown(Shutdown::Both);
        });
        scope.spawn(move || while reader.read(&mut [0; 65_536]).is_ok_and(|count| count > 0) {});
        for _ in 0..20 {
            assert_eq!(target.running.ask("show cli level"), "admin\n\n");
        }
        target.storm.pass(200);
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
    });
    target.is_well();
    assert!(target.running.proxy.resident_kib() < 512 * 1024);
}

/// Reads to the end in pieces of a size that divides nothing.
fn sip(client: &mut UnixStream) -> String {
    let (mut answer, mut piece) = (Vec::new(), [0; 997]);
    while let count @ 1.. = client.read(&mut piece).expect("no reset") {
        answer.extend_from_slice(&piece[..count]);
        thread::yield_now();
    }
    String::from_utf8(answer).expect("text")
}

#[test]
fn a_slow_reader_of_all_sessions_holds_up_nobody() {
    const SESSIONS: usize = 2_000;
    let target = Target::begin("  maxconn 3000\n");
    let mut sessions: Vec<TcpStream> =
        (0..SESSIONS).map(|_| TcpStream::connect(target.port.address()).expect("connected")).collect();
    let reached = || target.running.ask("show sess").matches(" fe=x ").count() >= SESSIONS;
    assert!(wait_for(PATIENCE, || reached().then_some(())).is_some(), "all are sessions");
    let mut slow: Vec<UnixStream> = (0..3).map(|_| target.client()).collect();
    for client in &mut slow {
        client.write_all(b"show sess;show stat;show sess\n").expect("sent");
    }
    // Nobody reads yet: half of what they are to be shown is gone before.
    target.is_well();
    sessions.truncate(SESSIONS / 2);
    target.is_well();
    for client in &mut slow {
        let answer = sip(client);
        assert!(answer.matches(" fe=x ").count() >= SESSIONS, "{}", answer.len());
        assert!(answer.contains("\n# pxname,svname,") && answer.ends_with("\n\n"));
    }
    assert!(target.running.ask("show sess").matches(" fe=x ").count() >= SESSIONS / 2);
    target.is_well();
}

#[test]
fn clients_that_send_byte_by_byte_are_answered_and_hold_up_nobody() {
    let target = Target::begin("");
    let mut slow: Vec<UnixStream> = (0..5).map(|_| target.client()).collect();
    for byte in b"show cli level;show version\n" {
        // Between two bytes others are served.
        target.storm.pass(3);
        assert_eq!(target.running.ask("show cli level"), "admin\n\n");
        slow.iter_mut().for_each(|client| client.write_all(&[*byte]).expect("sent"));
    }
    for client in &mut slow {
        let answer = sip(client);
        assert!(answer.starts_with("admin\n\n3.") && answer.ends_with("\n\n"), "{answer}");
    }
    target.is_well();
}

#[test]
fn ten_thousand_connections_that_leave_again_leave_nothing() {
    let target = Target::begin("");
    target.is_well();
    let (memory, descriptors) =
        (target.running.proxy.resident_kib(), target.running.proxy.open_descriptors());
    for number in 0..10_000 {
        let words: &[u8] = match number % 20 {
            0 => b"show stat\n",
            1 => b"prompt\nshow servers state\n",
            2..10 => b"show cli le",
            _ => b"",
        };
        target.client().write_all(words).expect("sent");
    }
    target.is_well();
    let grown = target.running.proxy.resident_kib().saturating_sub(memory);
    assert!(grown < 16 * 1024, "{grown} KiB more");
    // The load's own connections come and go.
    let few = || (target.running.proxy.open_descriptors() < descriptors + 50).then_some(());
    assert!(wait_for(PATIENCE, few).is_some(), "{}", target.running.proxy.open_descriptors());
}

#[test]
fn rubbish_is_answered_and_does_nothing() {
    const PIECES: [&[u8]; 12] = [
        b"\0",
        b"\xff\xfe",
        b";",
        b"\\",
        b"<<",
        b" << \n",
        b"\n",
        b"\r\n",
        b"\x1b[2J",
        b"@1 ",
        b"%s%n",
        b"show ",
    ];
    let target = Target::begin("");
    let mut dice = fastrand::Rng::with_seed(7);
    for _ in 0..300 {
        let mut client = target.client();
        let mut rubbish: Vec<u8> = Vec::new();
        while rubbish.len() < 2_000 {
            rubbish.extend_from_slice(PIECES[dice.usize(..PIECES.len())]);
            rubbish.extend((0..dice.usize(..9)).map(|_| dice.u8(..)));
        }
        // It hangs up on the first line that is not the last of a prompt.
        let _ = client.write_all(&rubbish);
        let _ = client.shutdown(Shutdown::Write);
        let read = client.read_to_end(&mut Vec::new());
        let closed = |kind| matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
        assert!(read.is_ok() || read.is_err_and(|error| closed(error.kind())), "an answer has an end");
    }
    target.is_well();
}

/// Pronk with a standard error that takes 4 KiB and that nobody reads.
struct Unheard {
    child: Killed,
    stderr: OwnedFd,
    folder: tempfile::TempDir,
}

impl Unheard {
    /// `logs` are lines of `global`, `listen` of a proxy `x` that logs there; ready when the stats socket answers.
    fn start(logs: &str, listen: &str) -> Unheard {
        let (stderr, write_end) = rustix::pipe::pipe().expect("a pipe");
        rustix::pipe::fcntl_setpipe_size(&write_end, 4096).expect("a small one");
        let folder = tempfile::tempdir().expect("a directory");
        let (file, socket) = (folder.path().join("h.cfg"), folder.path().join("s.sock"));
        let global = format!("global\n  nbthread 1\n  stats socket unix@{} level admin\n", socket.display());
        let text = format!("{global}{logs}{DEFAULTS}listen x\n  log global\n{listen}");
        std::fs::write(&file, text).expect("written");
        let mut pronk = command(Program::Pronk.path());
        let child = pronk.args(["-db", "-f"]).arg(&file).stdin(Stdio::null()).stderr(write_end).spawn();
        let unheard = Unheard { child: Killed(child.expect("it starts")), stderr, folder };
        assert!(wait_for(PATIENCE, || unheard.say("show version")).is_some());
        unheard
    }

    fn say(&self, line: &str) -> Option<String> {
        ask(&self.folder.path().join("s.sock"), &format!("{line}\n")).ok()
    }

    /// More messages than standard error takes.
    fn fill(&self) {
        for _ in 0..60 {
            assert_eq!(self.say("set server x/s state maint").as_deref(), Some("\n"));
            assert_eq!(self.say("set server x/s state ready").as_deref(), Some("\n"));
        }
    }
}

/// As when the log daemon that reads it stands still: checks, commands and signals do not wait for it.
#[test]
fn nobody_waits_for_standard_error() {
    let port = Port::reserve();
    let mut unheard =
        Unheard::start("", &format!("  bind 127.0.0.1:{}\n  server s 127.0.0.1:9\n", port.number));
    unheard.fill();
    let said = || column(&unheard.say("show stat")?, ["x", "s"], "status").map(str::to_owned);
    assert_eq!(said().as_deref(), Some("no check"), "everything was obeyed");
    let child = &mut unheard.child.0;
    kill_process(Pid::from_child(child), Signal::TERM).expect("it runs");
    let ended = wait_for(PATIENCE, || child.try_wait().expect("a child"));
    assert_eq!(ended.and_then(|status| status.signal()), Some(15));
    let mut told = vec![0; 4096];
    let length = rustix::io::read(&unheard.stderr, &mut told).expect("what there was room for");
    assert!(String::from_utf8_lossy(&told[..length]).contains("Server x/s is going DOWN for maintenance"));
}

/// A target that fails is complained of there; the others get their lines whether or not anybody reads that.
#[test]
fn the_logs_do_not_wait_for_standard_error() {
    let (port, mut syslog, folder) =
        (Port::reserve(), Syslog::bind(), tempfile::tempdir().expect("a directory"));
    let path = folder.path().join("log.sock");
    let daemon = UnixDatagram::bind(&path).expect("bound");
    let logs = format!("  log {} local0\n  log 127.0.0.1:{} local0\n", path.display(), syslog.port());
    let listen = format!("  option tcplog\n  bind 127.0.0.1:{}\n  server s 127.0.0.1:9\n", port.number);
    let unheard = Unheard::start(&logs, &listen);
    unheard.fill();
    drop(daemon);
    for number in 0..3 {
        drop(TcpStream::connect(port.address()).expect("accepted"));
        let line = syslog.line_where(PATIENCE, |line| line.contains(" x x/s "));
        assert!(line.is_some(), "session {number} has no line");
    }
}
