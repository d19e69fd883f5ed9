//! Thousands of sessions that do nothing, held and given back.
//!
//! Clients and servers are processes of their own, this binary run again, so that each may use as many
//! descriptors as the machine allows.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use rustix::event::epoll;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::gateway::Gateway;
use crate::support::PATIENCE;

/// Which part a process of this binary plays; unset in a test.
const ROLE: &str = "PRONK_TEST_ROLE";

/// As many sessions as the hard limit on descriptors allows a proxy, two each, up to 10 000.
fn sessions() -> usize {
    let hard = getrlimit(Resource::Nofile).maximum.unwrap_or(1 << 20);
    (hard.saturating_sub(1_000) / 2).min(10_000) as usize
}

fn raise_limit() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("the soft limit may be raised");
}

/// This binary again in another role; ended with its guard.
struct Other {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Other {
    fn start(role: &str) -> Other {
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(std::env::current_exe().expect("this binary"))
            .args(["--exact", "idle::plays_the_role_it_is_given", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this binary runs again");
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Other { child, input, output }
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("the other process listens");
    }

    /// The next answer; lines of the test harness are not answers.
    fn hear(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).expect("the other process answers");
            assert!(read > 0, "the other process has ended");
            if let Some((_, answer)) = line.split_once("=> ") {
                return answer.trim().to_owned();
            }
        }
    }

    fn ask(&mut self, line: &str) -> String {
        self.tell(line);
        self.hear()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // Fails only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// No test of its own: what the processes started by `Other` run.
#[test]
fn plays_the_role_it_is_given() {
    match std::env::var(ROLE).as_deref() {
        Ok("server") => serve(),
        Ok("clients") => hold_clients(),
        _ => assert!(std::env::var(ROLE).is_err(), "an unknown role"),
    }
}

fn answer(text: impl std::fmt::Display) {
    println!("=> {text}");
}

/// Accepts everything and sends back every byte, until the process is killed.
fn serve() {
    raise_limit();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.set_nonblocking(true).expect("non-blocking");
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
    epoll::add(&poll, &listener, epoll::EventData::new_u64(0), epoll::EventFlags::IN).expect("added");
    answer(listener.local_addr().expect("bound").port());
    let mut streams: HashMap<RawFd, TcpStream> = HashMap::new();
    let mut events = Vec::with_capacity(256);
    loop {
        events.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None).expect("events");
        for event in &events {
            match event.data.u64() {
                0 => accept_all(&listener, &poll, &mut streams),
                fd => echo_once(fd as RawFd, &mut streams),
            }
        }
    }
}

fn accept_all(
    listener: &TcpListener,
    poll: &impl std::os::fd::AsFd,
    streams: &mut HashMap<RawFd, TcpStream>,
) {
    while let Ok((stream, _)) = listener.accept() {
        let fd = stream.as_raw_fd();
        epoll::add(poll, &stream, epoll::EventData::new_u64(fd as u64), epoll::EventFlags::IN)
            .expect("added");
        streams.insert(fd, stream);
    }
}

fn echo_once(fd: RawFd, streams: &mut HashMap<RawFd, TcpStream>) {
    let mut buffer = [0; 512];
    let Some(stream) = streams.get_mut(&fd) else { return };
    match stream.read(&mut buffer) {
        Ok(n) if n > 0 && stream.write_all(&buffer[..n]).is_ok() => {}
        _ => {
            streams.remove(&fd);
        }
    }
}

/// `open N ADDRESS`, `touch`, `close`: each answered with the number of sessions it concerned.
fn hold_clients() {
    raise_limit();
    let mut held: Vec<TcpStream> = Vec::new();
    for line in std::io::stdin().lines() {
        let line = line.expect("commands are text");
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["open", count, address] => {
                let address: SocketAddr = address.parse().expect("an address");
                held.extend((0..count.parse().expect("a count")).map_while(|_: usize| open(address)));
                answer(held.len());
            }
            ["touch"] => answer(held.iter_mut().filter_map(round_trip).count()),
            ["close"] => answer(held.drain(..).count()),
            _ => panic!("unknown command {line}"),
        }
    }
}

fn open(address: SocketAddr) -> Option<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    round_trip(&mut stream)?;
    Some(stream)
}

fn round_trip(stream: &mut TcpStream) -> Option<()> {
    stream.write_all(b"?").ok()?;
    stream.read_exact(&mut [0; 1]).ok()
}

#[test]
fn idle_sessions_are_held_and_given_back() {
    let count = sessions();
    let (mut server, mut clients) = (Other::start("server"), Other::start("clients"));
    let port: u16 = server.hear().parse().expect("a port");
    let backend = format!("  server s1 127.0.0.1:{port}");
    let gateway =
        Gateway::start(&format!("  maxconn {count}"), "  timeout client 10m\n  timeout server 10m", &backend);
    let mut resident = Vec::new();
    for round in 1..=3 {
        let before = gateway.proxy.resident_kib();
        let began = Instant::now();
        assert_eq!(clients.ask(&format!("open {count} {}", gateway.address())), count.to_string());
        assert_eq!(clients.ask("touch"), count.to_string(), "every session still carries bytes");
        println!(
            "round {round}: {count} idle sessions held after {:.1} s, {} descriptors, {} KiB ({} B a session)",
            began.elapsed().as_secs_f64(),
            gateway.descriptors_in_use(),
            gateway.proxy.resident_kib(),
            gateway.proxy.resident_kib().saturating_sub(before) * 1024 / count as u64
        );
        assert!(gateway.descriptors_in_use() >= 2 * count);
        assert_eq!(clients.ask("close"), count.to_string());
        gateway.assert_descriptors_return();
        resident.push(gateway.proxy.resident_kib());
    }
    println!("resident after each round: {resident:?} KiB");
    assert!(
        resident[2] <= resident[0] + resident[0] / 20 + 2048,
        "memory grows with every round: {resident:?} KiB"
    );
}
