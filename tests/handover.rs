//! Sessions go from one set of workers to another and back while they transfer, inside one process: every
//! byte arrives once and in order, whatever moment the seed chooses.
#![allow(clippy::unwrap_used)]

#[path = "support/gateway.rs"]
mod gateway;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use gateway::{Gateway, PATIENCE};
use pronk::config::model::{Config, ProxyId};
use pronk::worker::mailbox::{Batch, Command};

/// How long all transfers together may take.
const TRANSFER: Duration = Duration::from_secs(90);
/// Bytes a client lets be under way before it reads on.
const WINDOW: usize = 200_000;

/// The byte at an offset of a client's stream.
fn byte(client: usize, offset: usize) -> u8 {
    let mixed = (client as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    mixed as u8 ^ (offset as u8).wrapping_mul(31) ^ (offset >> 8) as u8 ^ (offset >> 16) as u8
}

/// Sends back what comes, and closes its direction when the client does.
fn echo_to_the_end(mut stream: TcpStream) {
    stream.set_read_timeout(Some(TRANSFER)).unwrap();
    let mut bytes = [0; 65_536];
    while let Ok(n @ 1..) = stream.read(&mut bytes) {
        if stream.write_all(&bytes[..n]).is_err() {
            return;
        }
    }
}

/// Echoes on a thread for each connection; the backlog holds all of them.
fn echo_server() -> SocketAddr {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(4096).unwrap();
    let listener: TcpListener = socket.into();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || echo_to_the_end(stream));
        }
    });
    address
}

/// A client that sends a stream and checks its echo.
struct Client {
    number: usize,
    stream: TcpStream,
    length: usize,
    sent: usize,
    seen: usize,
    /// It reads no further than this for now.
    pause_at: usize,
    ended: bool,
}

impl Client {
    fn connect(number: usize, address: SocketAddr, length: usize, pause_at: usize) -> Client {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        if pause_at < usize::MAX {
            socket.set_recv_buffer_size(16_384).unwrap();
        }
        socket.connect(&address.into()).unwrap();
        socket.set_nonblocking(true).unwrap();
        Client { number, stream: socket.into(), length, sent: 0, seen: 0, pause_at, ended: false }
    }

    fn stalled(&self) -> bool {
        self.seen >= self.pause_at
    }

    fn wants(&self) -> PollFlags {
        let window = if self.stalled() { usize::MAX } else { WINDOW };
        let mut wants = PollFlags::empty();
        wants.set(PollFlags::IN, !self.stalled());
        wants.set(PollFlags::OUT, self.sent < self.length && self.sent - self.seen < window);
        wants
    }

    fn advance(&mut self, buffer: &mut [u8]) {
        if self.sent < self.length {
            let n = buffer.len().min(self.length - self.sent);
            for (at, slot) in buffer[..n].iter_mut().enumerate() {
                *slot = byte(self.number, self.sent + at);
            }
            match self.stream.write(&buffer[..n]) {
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(e) => panic!("client {} cannot write at {}: {e}", self.number, self.sent),
            }
            if self.sent == self.length {
                self.stream.shutdown(std::net::Shutdown::Write).unwrap();
            }
        }
        if self.stalled() {
            return;
        }
        match self.stream.read(buffer) {
            Ok(0) => {
                assert_eq!(self.seen, self.length, "client {} lost the end of its stream", self.number);
                self.ended = true;
            }
            Ok(n) => {
                for (at, &got) in buffer[..n].iter().enumerate() {
                    let offset = self.seen + at;
                    assert_eq!(got, byte(self.number, offset), "client {} byte {offset}", self.number);
                }
                self.seen += n;
            }
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(e) => panic!("client {} cannot read at {}: {e}", self.number, self.seen),
        }
    }
}

/// Lets every client go on once; false: all have ended.
fn advance(clients: &mut Vec<Client>, buffer: &mut [u8]) -> bool {
    clients.retain(|client| !client.ended);
    if clients.is_empty() {
        return false;
    }
    let mut polled: Vec<PollFd<'_>> = clients
        .iter()
        .map(|client| PollFd::from_borrowed_fd(client.stream.as_fd(), client.wants()))
        .collect();
    let limit = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    poll(&mut polled, Some(&limit)).unwrap();
    let ready: Vec<bool> = polled.iter().map(|polled| !polled.revents().is_empty()).collect();
    drop(polled);
    for (client, ready) in clients.iter_mut().zip(ready) {
        if ready {
            client.advance(buffer);
        }
    }
    true
}

/// What a hand-over did.
#[derive(Debug, Default, PartialEq)]
struct Sums {
    moved: usize,
    refused: usize,
    /// Directions that had bytes in a pipe.
    piped: usize,
    /// Bytes that travelled beside.
    bytes: usize,
}

impl Sums {
    fn of(moved: usize, refused: usize) -> Sums {
        Sums { moved, refused, ..Sums::default() }
    }

    fn add(&mut self, other: Sums) {
        self.moved += other.moved;
        self.refused += other.refused;
        self.piped += other.piped;
        self.bytes += other.bytes;
    }
}

/// Moves what may move from one gateway to the other; a refused one stays.
fn hand_over(from: &Gateway, to: &Gateway, refuse_percent: u32, rng: &mut Rng) -> Sums {
    let mut sums = Sums::default();
    for worker in 0..from.crew.count() {
        let mut batch = Some(Batch::new());
        while let Some(next) = batch.take() {
            let Command::Release(told) = from.order(worker, Command::Release(next)) else { panic!() };
            let ways = told.sessions.iter().flat_map(|moving| &moving.cargo.ways);
            sums.piped += ways.filter(|way| way.pipe.is_some()).count();
            sums.bytes += told.bytes.len();
            let there = rng.usize(..to.crew.count());
            let Command::Adopt(taken) = to.order(there, Command::Adopt(told)) else { panic!() };
            let (mut stay, mut go) = (Vec::new(), Vec::new());
            for moving in &taken.sessions {
                match moving.to {
                    Some(slot) if rng.u32(..100) >= refuse_percent => go.push(slot),
                    _ => stay.push(moving.from),
                }
            }
            sums.add(Sums::of(go.len(), stay.len()));
            from.order(worker, Command::Carry(stay));
            to.order(there, Command::Carry(go));
            batch = taken.onwards();
        }
    }
    sums
}

fn small_buffers(config: &mut Config) {
    config.global.maxconn = Some(2000);
    config.global.tune.sndbuf_client = Some(32_768);
    config.global.tune.rcvbuf_server = Some(32_768);
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Sessions that RLIMIT_NOFILE leaves room for, at most `wanted`.
fn affordable(wanted: usize) -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(1 << 20);
    // The client's, both of each gateway and the server's socket, and two pipes.
    let most = (limit as usize).saturating_sub(200) / 14;
    if most < wanted {
        eprintln!("RLIMIT_NOFILE {limit}: {most} sessions instead of {wanted}");
    }
    wanted.min(most)
}

#[test]
fn sessions_change_owners_while_they_transfer() {
    let rng = &mut Rng::with_seed(7);
    let echo = echo_server();
    let gateways = [(); 2].map(|()| Gateway::start(2, &[echo], small_buffers));
    let before = descriptors();
    let count = affordable(500);
    let mut clients: Vec<Client> = (0..count)
        .map(|number| {
            // Some stall at once, some when their results come through pipes.
            let (length, pause_at) = match number % 20 {
                0 => (1_000_000, 0),
                10 => (1_500_000, 500_000),
                _ => (rng.usize(1..600_000), usize::MAX),
            };
            Client::connect(number, gateways[number % 2].address, length, pause_at)
        })
        .collect();
    let mut buffer = vec![0; 30_000];
    let end = Instant::now() + TRANSFER;
    while gateways.iter().map(|gateway| gateway.load.process().live() as usize).sum::<usize>() < count {
        assert!(Instant::now() < end, "not everybody is accepted");
    }
    let (mut sums, mut round) = (Sums::default(), 0);
    while advance(&mut clients, &mut buffer) {
        assert!(Instant::now() < end, "{} clients do not finish", clients.len());
        if rng.u32(..100) < 30 {
            let (from, to) = (round % 2, (round + 1) % 2);
            sums.add(hand_over(&gateways[from], &gateways[to], 10, rng));
            round += 1;
        }
        if round > 6 {
            clients.iter_mut().for_each(|client| client.pause_at = usize::MAX);
        }
    }
    eprintln!("{count} sessions, {sums:?} in {round} rounds");
    assert!(sums.moved > 2 * count && sums.refused > 0, "{sums:?} in {round} rounds");
    assert!(sums.piped > 0 && sums.bytes > 0, "{sums:?}: neither pipes nor buffers were full");
    gateways.iter().for_each(Gateway::settle);
    let end = Instant::now() + PATIENCE;
    // Idle pipes stay, up to 64 a worker.
    while descriptors() > before + 4 * 2 * 64 {
        assert!(Instant::now() < end, "{} descriptors before, {} after", before, descriptors());
    }
    for counters in gateways.iter().flat_map(|gateway| &gateway.counters) {
        assert_eq!(counters.process().pipes_used.load(Relaxed), 0, "a pipe was not given back");
    }
}

#[test]
fn a_moved_session_counts_once_and_is_told_of_once() {
    let gateways = [(); 2].map(|()| Gateway::start(1, &[echo_server()], |_| {}));
    let mut client = gateways[0].connect();
    client.write_all(b"before").unwrap();
    let mut six = [0; 6];
    client.read_exact(&mut six).unwrap();
    assert_eq!(hand_over(&gateways[0], &gateways[1], 0, &mut Rng::with_seed(1)).moved, 1);
    let live = |gateway: &Gateway| gateway.load.process().live();
    assert_eq!((live(&gateways[0]), live(&gateways[1])), (0, 1));
    assert_eq!(gateways[1].load.backend(ProxyId(0)).live(), 1);
    client.write_all(b"after!").unwrap();
    client.read_exact(&mut six).unwrap();
    assert_eq!(&six, b"after!");
    drop(client);
    gateways.iter().for_each(Gateway::settle);
    let bytes = |gateway: &Gateway| gateway.counters[0].frontend(ProxyId(0)).bytes_in.value();
    assert_eq!((bytes(&gateways[0]), bytes(&gateways[1])), (0, 12));
    let sessions = |gateway: &Gateway| gateway.counters[0].frontend(ProxyId(0)).sessions.value();
    assert_eq!((sessions(&gateways[0]), sessions(&gateways[1])), (1, 1));
}

#[test]
fn who_waits_moves_too() {
    let one = |config: &mut Config| {
        config.proxies[0].options.connect_on_data = true;
        config.proxies[0].servers[0].maxconn = Some(1);
        config.proxies[0].timeouts.queue_ms = Some(20_000);
    };
    let gateways = [(); 2].map(|()| Gateway::start(1, &[echo_server()], one));
    let mut served = gateways[0].connect();
    served.write_all(b"1").unwrap();
    let mut byte = [0; 1];
    served.read_exact(&mut byte).unwrap();
    let mut silent = gateways[0].connect();
    let mut queued = gateways[0].connect();
    queued.write_all(b"2").unwrap();
    let end = Instant::now() + PATIENCE;
    while gateways[0].load.backend(ProxyId(0)).waiting() == 0 || gateways[0].load.process().live() < 3 {
        assert!(Instant::now() < end, "nobody waits");
    }
    assert_eq!(hand_over(&gateways[0], &gateways[1], 0, &mut Rng::with_seed(1)).moved, 3);
    assert_eq!(gateways[0].load.backend(ProxyId(0)).waiting(), 0);
    assert_eq!(gateways[1].load.backend(ProxyId(0)).waiting(), 1);
    assert_eq!(gateways[0].load.process().live(), 0);
    drop(served);
    queued.read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"2");
    drop(queued);
    silent.write_all(b"3").unwrap();
    silent.read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"3");
    drop(silent);
    gateways.iter().for_each(Gateway::settle);
}

#[test]
fn a_refused_session_goes_on_where_it_was() {
    let gateways = [(); 2].map(|()| Gateway::start(1, &[echo_server()], |_| {}));
    let mut client = gateways[0].connect();
    for round in 0..20_u8 {
        client.write_all(&[round]).unwrap();
        let mut byte = [0; 1];
        client.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [round]);
        assert_eq!(hand_over(&gateways[0], &gateways[1], 100, &mut Rng::with_seed(1)).refused, 1);
        assert_eq!(gateways[1].load.process().live(), 0);
    }
    drop(client);
    gateways.iter().for_each(Gateway::settle);
}
