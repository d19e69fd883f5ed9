//! A new process takes over the sessions of the old one, which ends at once.

use std::cell::RefCell;
use std::fs;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use pronk::admin::upgrade::wire::{Kind, Reader};
use pronk::admin::upgrade::{COMMAND, Message, prepare, receive, send};

use rustix::process::{Pid, Signal, kill_process};

use crate::flow::{Client, advance, echo_server};
use crate::run::ask;
use crate::support::port::Port;
use crate::support::proxy::{Program, Proxy};
use crate::support::{PATIENCE, wait_for};

const UPGRADES: usize = 5;
const SESSIONS: usize = 2_000;
/// The old process is gone so soon after the last session has left it.
const GONE: Duration = Duration::from_secs(2);
/// How long a hand-over may take where others want the processor too.
const HANDED_OVER: Duration = Duration::from_secs(30);

struct Place {
    port: Port,
    server: SocketAddr,
    directory: tempfile::TempDir,
    global: &'static str,
    /// Of the proxy, with PORT and SERVER in them.
    sections: &'static str,
}

const LISTEN: &str = "listen x\n  bind 127.0.0.1:PORT\n  server s SERVER\n";

impl Place {
    fn new(global: &'static str) -> Place {
        let directory = tempfile::tempdir().expect("a directory");
        Place { port: Port::reserve(), server: echo_server(), directory, global, sections: LISTEN }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("s.sock")
    }

    fn config(&self) -> String {
        let sections = self.sections.replace("PORT", &self.port.number.to_string());
        let sections = sections.replace("SERVER", &self.server.to_string());
        format!(
            "global\n  nbthread 2\n  stats socket {} level admin expose-fd listeners\n  tune.sndbuf.client 32768\n  \
             tune.rcvbuf.server 32768\n{}defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 90s\n  \
             timeout server 90s\n{sections}",
            self.socket().display(),
            self.global,
        )
    }

    fn spawn(&self, old: Option<&Proxy>) -> Proxy {
        let (pid, socket) = (old.map(|old| old.pid().to_string()), self.socket().display().to_string());
        let mut arguments = vec!["-db"];
        if let Some(pid) = &pid {
            arguments.extend(["-x", &socket, "-sf", pid]);
        }
        Proxy::spawn(&Program::Pronk, &self.config(), &arguments)
    }

    /// A master, and the pid of its worker.
    fn start_master(&self) -> (Proxy, u32) {
        let master = Proxy::spawn(&Program::Pronk, &self.config(), &["-W", "-S", "unix@m.sock,mode,600"]);
        let worker = wait_for(PATIENCE, || answering(self)).unwrap_or_else(|| panic!("{}", master.stderr()));
        (master, worker.0)
    }

    fn start(&self, old: Option<&Proxy>) -> Proxy {
        let mut proxy = self.spawn(old);
        let own = format!("Pid: {}\n", proxy.pid());
        let answers = wait_for(PATIENCE, || {
            if let Some(status) = proxy.exit_status() {
                panic!("it ended with {status}:\n{}", proxy.stderr());
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

/// What the thread with the clients is told, and tells.
#[derive(Default)]
struct Orders {
    finish: AtomicBool,
    /// The test has failed: the clients are of no interest any more.
    abandon: AtomicBool,
    rounds: AtomicUsize,
}

/// Abandons the clients with its scope.
struct Abandon<'a>(&'a Orders);

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        self.0.abandon.store(std::thread::panicking(), SeqCst);
    }
}

impl Orders {
    /// Waits until every client has had its chance several times.
    fn some_rounds(&self) {
        let before = self.rounds.load(SeqCst);
        let moving = wait_for(PATIENCE, || (self.rounds.load(SeqCst) > before + 10).then_some(()));
        assert!(moving.is_some(), "the clients do not get on");
    }
}

/// Keeps the clients going until told to finish; returns how many bytes came back.
fn keep_going(clients: &mut Vec<Client>, orders: &Orders) -> usize {
    let mut buffer = vec![0; 16_384];
    let mut finishing = false;
    let mut end = Instant::now() + Duration::from_secs(240);
    let mut seen = 0;
    while !orders.abandon.load(SeqCst) {
        if orders.finish.load(SeqCst) && !finishing {
            finishing = true;
            end = Instant::now() + Duration::from_secs(60);
            clients.iter_mut().for_each(Client::finish);
            seen = clients.iter().map(|client| client.length).sum();
        }
        if !advance(clients, &mut buffer) {
            break;
        }
        orders.rounds.fetch_add(1, SeqCst);
        assert!(Instant::now() < end, "{} clients do not finish", clients.len());
    }
    seen
}

/// The pid of the process that answers, and how many sessions it has. Two may serve the socket for a while.
fn answering(place: &Place) -> Option<(u32, usize)> {
    let info = ask(&place.socket(), "show info\n").ok()?;
    let number = |name: &str| -> Option<usize> {
        info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")?.parse().ok())
    };
    Some((u32::try_from(number("Pid")?).ok()?, number("CurrConns")?))
}

fn sessions_of(place: &Place, pid: u32) -> Option<usize> {
    answering(place).filter(|(answering, _)| *answering == pid).map(|(_, sessions)| sessions)
}

fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Upgrades several times in mid-transfer. `next` begins one and returns the pid of the new process, `said` what
/// all of them have said.
fn outlive(
    place: &Place,
    wanted: usize,
    mut pid: u32,
    mut next: impl FnMut() -> u32,
    said: impl Fn() -> String,
) {
    let count = affordable(wanted);
    let mut clients: Vec<Client> = (0..count).map(|number| place.connect(number)).collect();
    let orders = Orders::default();
    std::thread::scope(|scope| {
        let traffic = scope.spawn(|| keep_going(&mut clients, &orders));
        let _abandon = Abandon(&orders);
        for number in 1..=UPGRADES {
            orders.some_rounds();
            let begun = Instant::now();
            let new = next();
            let there = wait_for(HANDED_OVER, || (sessions_of(place, new)? == count).then_some(()));
            let handed_over = Instant::now();
            let here = sessions_of(place, new);
            assert!(there.is_some(), "upgrade {number}: {here:?} of {count} sessions\n{}", said());
            let gone = wait_for(GONE, || (!is_alive(pid)).then_some(()));
            assert!(gone.is_some(), "upgrade {number}: the old process stays\n{}", said());
            println!(
                "upgrade {number}: handed over in {:?}, gone after {:?}",
                handed_over - begun,
                handed_over.elapsed()
            );
            pid = new;
        }
        orders.finish.store(true, SeqCst);
        let bytes = traffic.join().expect("every byte is right");
        println!("{count} sessions, {bytes} bytes");
        println!("{}", said());
    });
}

#[test]
fn sessions_outlive_five_processes() {
    let place = Place::new("");
    let processes = RefCell::new(vec![place.start(None)]);
    let first = processes.borrow()[0].pid();
    let next = || {
        let new = place.start(processes.borrow().last());
        processes.borrow_mut().push(new);
        processes.borrow().last().map_or(0, Proxy::pid)
    };
    let said = || processes.borrow().iter().map(Proxy::stderr).collect();
    outlive(&place, SESSIONS, first, next, said);
    let mut processes = processes.into_inner();
    processes.pop();
    for mut old in processes {
        assert_eq!(old.wait(PATIENCE).and_then(|status| status.code()), Some(0), "{}", old.stderr());
    }
}

/// The same under a master that `reload` tells to start the next worker.
fn outlive_workers(reload: impl Fn(&Proxy)) {
    let place = Place::new("");
    let (master, first) = place.start_master();
    let mut seen = vec![first];
    let next = || {
        reload(&master);
        let fresh = || answering(&place).map(|(pid, _)| pid).filter(|pid| !seen.contains(pid));
        let pid = wait_for(PATIENCE, fresh).unwrap_or_else(|| panic!("{}", master.stderr()));
        seen.push(pid);
        pid
    };
    outlive(&place, SESSIONS, first, next, || master.stderr());
}

#[test]
fn sessions_outlive_the_workers_that_usr2_replaces() {
    outlive_workers(|master| master.signal("USR2"));
}

#[test]
fn sessions_outlive_the_workers_that_reload_replaces() {
    outlive_workers(|master| {
        let answer = ask(&master.directory().join("m.sock"), "reload\n").expect("the master answers");
        assert!(answer.starts_with("Success=1\n"), "{answer}");
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

/// How many descriptors a process has open.
fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Lets the clients go on until nobody of those that have been cut off is among them any more.
fn go_on(clients: &mut Vec<Client>, left: usize, more: usize) {
    let mut buffer = vec![0; 16_384];
    let end = Instant::now() + Duration::from_secs(60);
    clients.iter_mut().for_each(|client| client.aim = client.seen() + more);
    let behind = |client: &Client| client.pause_at == usize::MAX && client.seen() < client.aim;
    while clients.len() > left || clients.iter().any(behind) {
        assert!(Instant::now() < end, "{} clients of {left} do not get on", clients.len());
        advance(clients, &mut buffer);
    }
    assert_eq!(clients.len(), left, "a session is lost that nobody had answered for");
}

/// Begins hand-overs, and kills the successor when it has got some percent of the descriptors.
fn kill_half_way(place: &Place, old: u32, successor: impl Fn() -> u32, said: impl Fn() -> String) {
    let mut clients: Vec<Client> = Vec::new();
    for (round, share) in [1, 10, 25].into_iter().enumerate() {
        clients.extend((clients.len()..affordable(600)).map(|number| place.connect(1_000 * round + number)));
        for client in &mut clients {
            (client.may_be_cut, client.length, client.window) = (true, usize::MAX, 1_000);
        }
        let all = clients.len();
        go_on(&mut clients, all, 50_000);
        let before = descriptors(old);
        let new = successor();
        let moved = || (descriptors(old) < before - before * share / 100).then_some(());
        assert!(wait_for(HANDED_OVER, moved).is_some(), "no session moves: {}", said());
        let victim = i32::try_from(new).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(victim, Signal::KILL).expect("it lives");
        let left = || if is_alive(new) { None } else { sessions_of(place, old) };
        let left =
            wait_for(PATIENCE, left).unwrap_or_else(|| panic!("the old one does not answer: {}", said()));
        println!("killed at {share} %: {left} of {all} sessions go on");
        assert!(left < all, "the new process had got none");
        // Who reads nothing hears of no end.
        clients.iter_mut().for_each(|client| client.pause_at = usize::MAX);
        go_on(&mut clients, left, 50_000);
    }
    assert!(is_alive(old), "{}", said());
    clients.iter_mut().for_each(|client| client.may_be_cut = false);
    finish(clients);
}

#[test]
fn a_successor_that_is_killed_half_way_costs_only_what_it_has_answered_for() {
    let place = Place::new("");
    let old = place.start(None);
    let successors = RefCell::new(Vec::new());
    let next = || {
        let new = place.spawn(Some(&old));
        let pid = new.pid();
        successors.borrow_mut().push(new);
        pid
    };
    kill_half_way(&place, old.pid(), next, || old.stderr());
}

#[test]
fn a_worker_that_is_killed_half_way_costs_only_what_it_has_answered_for() {
    let place = Place::new("");
    let (master, old) = place.start_master();
    let next = || {
        master.signal("USR2");
        let children = format!("/proc/{0}/task/{0}/children", master.pid());
        let fresh = || {
            let children = fs::read_to_string(&children).ok()?;
            children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(|&pid: &u32| pid != old)
        };
        wait_for(PATIENCE, fresh).unwrap_or_else(|| panic!("no new worker: {}", master.stderr()))
    };
    kill_half_way(&place, old, next, || master.stderr());
}

#[test]
fn what_a_successor_has_answered_for_is_its_own() {
    let place = Place::new("");
    let mut old = place.start(None);
    let mut clients: Vec<Client> = (1..9).map(|number| place.connect(number)).collect();
    exchange(&mut clients);
    let live = |old: &Proxy| sessions_of(&place, old.pid()).expect("an answer");
    let (stream, message, count) = first_batch(&place);
    let mut answer = vec![0; count];
    answer[0] = 1;
    send(&stream, Kind::Answer, &answer, &[]).expect("answered");
    let after = wait_for(PATIENCE, || (live(&old) == 7).then_some(()));
    assert!(after.is_some(), "{} sessions are counted", live(&old));
    assert!(old.exit_status().is_none(), "{}", old.stderr());
    drop((message, stream));
    assert_eq!(live(&old), 7, "the others go on");
}

/// Answers batches until so many sessions were offered and that was said: `of` says it of each, by its number. How
/// many were said to stay.
fn answer_all(stream: &UnixStream, mut message: Message, count: usize, of: impl Fn(usize) -> u8) -> u32 {
    let (mut seen, mut said) = (0, None);
    loop {
        let number = Reader(&message.body).u32().expect("a number");
        match message.kind {
            Kind::End => said = Some(number),
            _ => {
                let answer: Vec<u8> = (seen..seen + number as usize).map(&of).collect();
                seen += answer.len();
                send(stream, Kind::Answer, &answer, &[]).expect("answered");
            }
        }
        match said {
            Some(said) if seen >= count => {
                assert_eq!(seen, count, "each is offered once");
                return said;
            }
            _ => message = receive(stream).expect("a message").expect("another one"),
        }
    }
}

#[test]
fn what_a_successor_has_no_name_for_is_offered_once() {
    const NO_ROOM: u8 = 0;
    const NO_PLACE: u8 = 2;
    let place = Place::new("");
    let mut old = place.start(None);
    let mut clients: Vec<Client> =
        (1..300).filter(|number| number % 10 != 0).map(|n| place.connect(n)).collect();
    exchange(&mut clients);
    let (stream, message, _) = first_batch(&place);
    let of = |number| if number == 0 { NO_ROOM } else { NO_PLACE };
    assert_eq!(answer_all(&stream, message, clients.len(), of) as usize, clients.len());
    // Who had no room there may have it now; nobody asks the others again, who go on undisturbed.
    for _ in 0..3 {
        let message = receive(&stream).expect("a message").expect("a batch");
        assert_eq!(Reader(&message.body).u32().expect("a number"), 1);
        send(&stream, Kind::Answer, &[NO_ROOM], &[]).expect("answered");
    }
    drop(stream);
    // The next successor may have them all, once the first one is seen to be gone.
    let (stream, message, _) = first_batch(&place);
    answer_all(&stream, message, clients.len(), |_| NO_PLACE);
    drop(stream);
    assert!(old.exit_status().is_none(), "{}", old.stderr());
    finish(clients);
}

#[test]
fn sessions_without_a_place_are_told_once_and_stay() {
    let mut place = Place::new("");
    let mut old = place.start(None);
    let mut clients: Vec<Client> =
        (1..100).filter(|number| number % 10 != 0).map(|n| place.connect(n)).collect();
    exchange(&mut clients);
    let all = clients.len();
    place.sections = "listen x\n  bind 127.0.0.1:PORT\n  server other 127.0.0.1:9\n";
    let new = place.start(Some(&old));
    let stayed = || {
        let lines = new.stderr();
        let lines = lines.lines().filter(|line| line.contains("stay with the old process"));
        lines.map(str::to_owned).collect::<Vec<String>>()
    };
    assert!(wait_for(PATIENCE, || (!stayed().is_empty()).then_some(())).is_some(), "{}", new.stderr());
    go_on(&mut clients, all, 100_000);
    let lines = stayed();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(&format!("{all} sessions of x at 'x/s' stay")), "{lines:?}");
    finish(clients);
    assert_eq!(old.wait(PATIENCE).and_then(|status| status.code()), Some(0), "{}", old.stderr());
    assert_eq!(stayed().len(), 1, "{}", new.stderr());
}

/// A backend and a frontend may have one name.
#[test]
fn sessions_move_to_a_frontend_whose_backend_has_its_name() {
    let mut place = Place::new("");
    place.sections = "backend x\n  server s SERVER\nfrontend x\n  bind 127.0.0.1:PORT\n  default_backend x\n";
    let mut old = place.start(None);
    let mut clients: Vec<Client> = (1..9).map(|number| place.connect(number)).collect();
    exchange(&mut clients);
    let new = place.start(Some(&old));
    let status = old.wait(HANDED_OVER);
    assert_eq!(status.and_then(|status| status.code()), Some(0), "{}", new.stderr());
    assert_eq!(sessions_of(&place, new.pid()), Some(clients.len()));
    finish(clients);
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
