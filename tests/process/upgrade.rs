//! A new process takes over the sessions of the old one, which ends at once.

use std::fs;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use pronk::admin::upgrade::wire::{Kind, Reader};
use pronk::admin::upgrade::{COMMAND, Message, prepare, receive, send};

use crate::flow::{Client, advance, echo_server};
use crate::run::ask;
use crate::support::port::Port;
use crate::support::proxy::{Program, Proxy};
use crate::support::{PATIENCE, wait_for};

const UPGRADES: usize = 5;
const SESSIONS: usize = 2_000;
/// The old process is gone so soon after the new one answers.
const GONE: Duration = Duration::from_secs(2);

struct Place {
    port: Port,
    server: SocketAddr,
    directory: tempfile::TempDir,
    global: &'static str,
}

impl Place {
    fn new(global: &'static str) -> Place {
        let directory = tempfile::tempdir().expect("a directory");
        Place { port: Port::reserve(), server: echo_server(), directory, global }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("s.sock")
    }

    fn config(&self) -> String {
        format!(
            "global\n  nbthread 2\n  stats socket {} level admin expose-fd listeners\n  tune.sndbuf.client 32768\n  \
             tune.rcvbuf.server 32768\n{}defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 90s\n  \
             timeout server 90s\nlisten x\n  bind 127.0.0.1:{}\n  server s {}\n",
            self.socket().display(),
            self.global,
            self.port.number,
            self.server,
        )
    }

    fn start(&self, old: Option<&Proxy>) -> Proxy {
        let (pid, socket) = (old.map(|old| old.pid().to_string()), self.socket().display().to_string());
        let mut arguments = vec!["-db"];
        if let Some(pid) = &pid {
            arguments.extend(["-x", &socket, "-sf", pid]);
        }
        let mut proxy = Proxy::spawn(&Program::Pronk, &self.config(), &arguments);
        let own = format!("Pid: {}\n", proxy.pid());
        let answers = wait_for(PATIENCE, || {
            if let Some(status) = proxy.exit_status() {
                panic!("{arguments:?} ended with {status}:\n{}", proxy.stderr());
            }
            ask(&self.socket(), "show info\n").ok()?.contains(&own).then_some(())
        });
        assert!(answers.is_some(), "it does not answer:\n{}", proxy.stderr());
        proxy
    }

    fn connect(&self, number: usize) -> Client {
        // One in ten stalls: at once, or when its results come through pipes.
        let (length, pause_at) = match number % 20 {
            0 => (600_000, 0),
            10 => (900_000, 300_000),
            _ => (usize::MAX, usize::MAX),
        };
        let mut client = Client::connect(number, self.port.address(), length, pause_at);
        if length == usize::MAX {
            client.window = 1_000;
        }
        client
    }
}

/// Sessions that RLIMIT_NOFILE leaves room for: here both ends' peers, there both sockets and pipes.
fn affordable(wanted: usize) -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(1 << 20);
    let most = (limit as usize).saturating_sub(500) / 4;
    if most < wanted {
        println!("RLIMIT_NOFILE {limit}: {most} sessions instead of {wanted}");
    }
    wanted.min(most)
}

/// Keeps the clients going until told to finish; returns how many bytes came back.
fn keep_going(clients: &mut Vec<Client>, finish: &AtomicBool, rounds: &AtomicUsize) -> usize {
    let mut buffer = vec![0; 16_384];
    let mut finishing = false;
    let mut end = Instant::now() + Duration::from_secs(120);
    loop {
        if finish.load(SeqCst) && !finishing {
            finishing = true;
            end = Instant::now() + Duration::from_secs(60);
            clients.iter_mut().for_each(Client::finish);
        }
        let seen = clients.iter().map(Client::seen).sum();
        if !advance(clients, &mut buffer) {
            return seen;
        }
        rounds.fetch_add(1, SeqCst);
        assert!(Instant::now() < end, "{} clients do not finish", clients.len());
    }
}

#[test]
fn sessions_outlive_five_processes() {
    let place = Place::new("");
    let mut process = place.start(None);
    let count = affordable(SESSIONS);
    let mut clients: Vec<Client> = (0..count).map(|number| place.connect(number)).collect();
    let (finish, rounds) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let traffic = scope.spawn(|| keep_going(&mut clients, &finish, &rounds));
        for number in 1..=UPGRADES {
            let before = rounds.load(SeqCst);
            let moving = wait_for(Duration::from_secs(30), || {
                assert!(!traffic.is_finished(), "the clients have failed before upgrade {number}");
                (rounds.load(SeqCst) > before + 10).then_some(())
            });
            assert!(moving.is_some(), "nothing moves");
            let new = place.start(Some(&process));
            let answered = Instant::now();
            let status = process.wait(GONE);
            let status = status.unwrap_or_else(|| panic!("the old process stays:\n{}", process.stderr()));
            assert_eq!(status.code(), Some(0), "{}", process.stderr());
            println!("upgrade {number}: the old process was gone after {:?}", answered.elapsed());
            process = new;
            let info = ask(&place.socket(), "show info\n").expect("an answer");
            assert!(info.contains(&format!("CurrConns: {count}\n")), "upgrade {number}: {info}");
        }
        finish.store(true, SeqCst);
        let seen = traffic.join().expect("every byte is right");
        println!("{count} sessions, {seen} bytes at the last count");
    });
}

/// What a successor that asks for sessions gets first.
fn first_batch(place: &Place) -> (UnixStream, Message, usize) {
    let stream = UnixStream::connect(place.socket()).expect("a stats socket");
    prepare(&stream).expect("a socket");
    rustix::io::write(stream.as_fd(), format!("{COMMAND}\n").as_bytes()).expect("the command");
    let message = receive(&stream).expect("a message").expect("a batch");
    assert_eq!(message.kind, Kind::Batch);
    let count = Reader(&message.body).u32().expect("a number") as usize;
    (stream, message, count)
}

fn finish(mut clients: Vec<Client>) {
    clients.iter_mut().for_each(Client::finish);
    let end = Instant::now() + Duration::from_secs(60);
    let mut buffer = vec![0; 16_384];
    while advance(&mut clients, &mut buffer) {
        assert!(Instant::now() < end, "{} clients do not finish", clients.len());
    }
}

/// Lets every client exchange something.
fn exchange(clients: &mut Vec<Client>) {
    let mut buffer = vec![0; 16_384];
    let end = Instant::now() + Duration::from_secs(30);
    while clients.iter().any(|client| client.seen() < 8_000) {
        assert!(Instant::now() < end, "the clients do not get on");
        advance(clients, &mut buffer);
    }
}

#[test]
fn a_successor_that_dies_before_it_answers_costs_no_session() {
    let place = Place::new("");
    let mut old = place.start(None);
    let mut clients: Vec<Client> =
        (1..200).filter(|number| number % 10 != 0).map(|n| place.connect(n)).collect();
    exchange(&mut clients);
    for _ in 0..3 {
        let (stream, message, count) = first_batch(&place);
        assert!(count > 0 && message.descriptors.len() >= 2 * count);
        // As the kernel does for a process that is killed: its copies are closed.
        drop((stream, message));
        let again = clients.iter().map(Client::seen).min().unwrap_or(0) + 50_000;
        let end = Instant::now() + Duration::from_secs(30);
        while clients.iter().any(|client| client.seen() < again) {
            assert!(Instant::now() < end, "a session does not go on");
            advance(&mut clients, &mut vec![0; 16_384]);
        }
    }
    assert!(old.exit_status().is_none(), "{}", old.stderr());
    clients.push(place.connect(201));
    finish(clients);
}

#[test]
fn what_a_successor_has_answered_for_is_its_own() {
    let place = Place::new("");
    let mut old = place.start(None);
    let mut clients: Vec<Client> = (1..9).map(|number| place.connect(number)).collect();
    exchange(&mut clients);
    let live = || {
        let info = ask(&place.socket(), "show info\n").expect("an answer");
        let line = info.lines().find_map(|line| line.strip_prefix("CurrConns: ").map(str::to_owned));
        line.and_then(|line| line.parse::<usize>().ok()).expect("a number")
    };
    let (stream, message, count) = first_batch(&place);
    let mut answer = vec![0; count];
    answer[0] = 1;
    send(&stream, Kind::Answer, &answer, &[]).expect("answered");
    let after = wait_for(PATIENCE, || (live() == 7).then_some(()));
    assert!(after.is_some(), "{} sessions are counted", live());
    assert!(old.exit_status().is_none(), "{}", old.stderr());
    drop((message, stream));
    assert_eq!(live(), 7, "the others go on");
}

#[test]
fn an_operator_may_keep_sessions_where_they_are() {
    let place = Place::new("  session-hand-over off\n");
    let mut old = place.start(None);
    let mut clients = vec![place.connect(1)];
    exchange(&mut clients);
    let mut new = place.start(Some(&old));
    assert!(old.wait(Duration::from_secs(1)).is_none(), "it has a session");
    finish(clients);
    let status = old.wait(PATIENCE).expect("it ends with its last session");
    assert_eq!(status.code(), Some(0), "{}", old.stderr());
    assert!(new.exit_status().is_none());
    assert_eq!(fs::read_dir(place.directory.path()).expect("readable").count(), 1, "only the socket");
}
