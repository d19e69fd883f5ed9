//! Real workers on real sockets: what a client and a server see.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::mailbox::{Command, Cut, Leave, Resume, STEP, SessionId, SessionRow, Walk, Whom};
use crate::config::model::{BindId, Config, ListenAddress, Proxy, ProxyId};
use crate::session::Phase;
use crate::session::op::ServerId;
use crate::session::termination::Cause;
use crate::sys::socket::{ListenOptions, bind, listen, local_address};

#[path = "../../tests/support/gateway.rs"]
mod gateway;

use gateway::{Gateway, PATIENCE, echo, server};

fn proxy(config: &mut Config) -> &mut Proxy {
    &mut config.proxies[0]
}

fn name(name: &'static [u8]) -> SocketAddr {
    server(move |mut stream| {
        let _ = stream.write_all(name);
        echo(stream);
    })
}

fn read_some(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = [0; 64];
    let n = stream.read(&mut bytes).unwrap();
    bytes[..n].to_vec()
}

#[test]
fn receive_buffers_keep_to_their_part_of_a_limit_on_address_space() {
    let fitting = |mebibytes: Option<u64>, workers| {
        super::affordable(8_192, 16_384, workers, mebibytes.map(|n| n << 20))
    };
    assert_eq!([fitting(None, 16), fitting(Some(65_536), 16)], [8_192; 2]);
    // 256 MiB for all of them, 16 for each.
    assert_eq!(fitting(Some(1_024), 16), 1_024);
    assert_eq!(fitting(Some(1_100), 16), 1_024, "a power of two");
    assert_eq!(fitting(Some(8), 16), 64);
}

#[test]
fn bytes_go_there_and_back() {
    let gateway = Gateway::start(1, &[server(echo)], |_| {});
    let mut client = gateway.connect();
    for round in 0..100_u32 {
        client.write_all(&round.to_be_bytes()).unwrap();
        let mut back = [0; 4];
        client.read_exact(&mut back).unwrap();
        assert_eq!(u32::from_be_bytes(back), round);
    }
    drop(client);
    gateway.settle();
    assert_eq!(gateway.counters[0].frontend(ProxyId(0)).bytes_in.value(), 400);
    gateway.stop(|| Command::SoftStop);
}

#[test]
fn bulk_arrives_whole_and_spliced() {
    const LEN: usize = 64 << 20;
    let source = server(|mut stream| {
        let block: Vec<u8> = (0..65_536_u32).map(|i| (i % 251) as u8).collect();
        for _ in 0..LEN / block.len() {
            stream.write_all(&block).unwrap();
        }
    });
    let gateway = Gateway::start(1, &[source], |_| {});
    let mut client = gateway.connect();
    let mut seen = 0;
    let mut bytes = vec![0; 100_000];
    loop {
        let n = client.read(&mut bytes).unwrap();
        if n == 0 {
            break;
        }
        for (at, byte) in bytes[..n].iter().enumerate() {
            assert_eq!(*byte, (((seen + at) % 65_536) % 251) as u8);
        }
        seen += n;
    }
    assert_eq!(seen, LEN);
    drop(client);
    gateway.settle();
    let process = gateway.counters[0].process();
    assert!(process.spliced_bytes_out.value() > (LEN / 2) as u64, "bulk was not spliced");
}

#[test]
fn consecutive_connections_take_turns_whatever_worker_accepts() {
    let servers = [name(b"a"), name(b"b"), name(b"c")];
    let gateway = Gateway::start(2, &servers, |_| {});
    let order: Vec<u8> = (0..12).flat_map(|_| read_some(&mut gateway.connect())).collect();
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, b"aaaabbbbcccc");
    for window in order.windows(3) {
        assert!(window[0] != window[1] && window[1] != window[2] && window[0] != window[2], "{order:?}");
    }
    gateway.settle();
}

#[test]
fn a_half_close_is_carried_through() {
    let late = server(|mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(&all).unwrap();
    });
    let gateway = Gateway::start(1, &[late], |_| {});
    let mut client = gateway.connect();
    client.write_all(b"everything").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let mut back = Vec::new();
    client.read_to_end(&mut back).unwrap();
    assert_eq!(back, b"everything");
    gateway.settle();
}

#[test]
fn a_refusing_server_is_passed_over_with_redispatch() {
    let refusing = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let gateway = Gateway::start(1, &[refusing, name(b"b")], |config| proxy(config).redispatch_every = -1);
    for _ in 0..4 {
        assert_eq!(read_some(&mut gateway.connect()), b"b");
    }
    gateway.settle();
    assert_eq!(gateway.counters[0].backend(ProxyId(0)).redispatches.value(), 4);
}

#[test]
fn a_client_that_spoke_to_no_server_gets_fin() {
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gateway = Gateway::start(1, &[refusing], |config| {
        proxy(config).retries = 1;
        proxy(config).timeouts.connect_ms = Some(50);
    });
    for _ in 0..20 {
        let mut client = gateway.connect();
        client.write_all(b"a query that nobody hears").unwrap();
        assert_eq!(read_some(&mut client), b"", "the end is FIN, not RST");
    }
    gateway.settle();
}

#[test]
fn beyond_maxconn_connections_wait_and_none_is_lost() {
    let gateway = Gateway::start(2, &[name(b"x")], |config| config.global.maxconn = Some(3));
    let mut clients: Vec<TcpStream> = (0..20).map(|_| gateway.connect()).collect();
    for _ in 0..20 {
        // Whoever is served closes; the others go on waiting.
        let place = clients.iter_mut().position(|client| {
            client.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            matches!(client.read(&mut [0; 1]), Ok(1))
        });
        let Some(place) = place else {
            continue;
        };
        assert!(gateway.load.process().live() <= 3);
        clients.remove(place);
    }
    let end = Instant::now() + PATIENCE;
    while !clients.is_empty() {
        assert!(Instant::now() < end, "{} clients were never served", clients.len());
        clients.retain_mut(|client| !matches!(client.read(&mut [0; 1]), Ok(1)));
    }
    gateway.settle();
}

#[test]
fn a_full_server_makes_clients_queue_in_order() {
    let gateway = Gateway::start(1, &[name(b"q")], |config| {
        proxy(config).servers[0].maxconn = Some(1);
        proxy(config).timeouts.queue_ms = Some(10_000);
    });
    let mut first = gateway.connect();
    assert_eq!(read_some(&mut first), b"q");
    let mut second = gateway.connect();
    let end = Instant::now() + PATIENCE;
    while gateway.load.backend(ProxyId(0)).waiting() == 0 {
        assert!(Instant::now() < end, "the second does not queue");
    }
    drop(first);
    assert_eq!(read_some(&mut second), b"q");
    drop(second);
    gateway.settle();
    assert_eq!(gateway.load.backend(ProxyId(0)).waiting(), 0);
}

#[test]
fn a_full_server_times_out_waiters_in_the_queue() {
    let gateway = Gateway::start(1, &[name(b"q")], |config| {
        proxy(config).servers[0].maxconn = Some(1);
        proxy(config).timeouts.queue_ms = Some(100);
    });
    let mut first = gateway.connect();
    assert_eq!(read_some(&mut first), b"q");
    assert_eq!(read_some(&mut gateway.connect()), b"");
    drop(first);
    gateway.settle();
    assert_eq!(gateway.load.backend(ProxyId(0)).waiting(), 0);
}

#[test]
fn silence_ends_one_direction_and_then_the_other() {
    let gateway = Gateway::start(1, &[server(echo)], |config| {
        proxy(config).timeouts.client_ms = Some(150);
        proxy(config).timeouts.server_ms = Some(60_000);
    });
    // The echo server closes when it sees the FIN that the client's silence caused.
    assert_eq!(read_some(&mut gateway.connect()), b"");
    gateway.settle();
}

#[test]
fn nothing_connects_before_the_first_byte_when_asked_so() {
    let gateway = Gateway::start(1, &[name(b"n")], |config| proxy(config).options.connect_on_data = true);
    let mut silent = gateway.connect();
    let mut speaking = gateway.connect();
    speaking.write_all(b"!").unwrap();
    let mut both = [0; 2];
    speaking.read_exact(&mut both).unwrap();
    assert_eq!(&both, b"n!");
    assert_eq!(gateway.counters[0].backend(ProxyId(0)).connects.value(), 1);
    silent.write_all(b"?").unwrap();
    silent.read_exact(&mut both).unwrap();
    assert_eq!(&both, b"n?");
    drop((silent, speaking));
    gateway.settle();
}

#[test]
fn long_lived_connections_spread_over_the_workers() {
    let gateway = Gateway::start(2, &[server(echo)], |_| {});
    let mut clients: Vec<TcpStream> = (0..100).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        client.write_all(b"x").unwrap();
        assert_eq!(read_some(client), b"x");
    }
    let live = [0, 1].map(|worker| gateway.load.worker_live(worker).load(Relaxed));
    assert!(live[0].abs_diff(live[1]) <= 24, "{live:?}");
    drop(clients);
    gateway.settle();
}

#[test]
fn a_socket_that_cannot_accept_is_left_alone() {
    // No stream socket: accept(2) says EOPNOTSUPP at once, for ever.
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let fd = socket.as_raw_fd();
    let gateway = Gateway::start(1, &[name(b"x")], move |config| {
        config.binds[0].address = ListenAddress::Fd(fd);
    });
    let failures = || gateway.counters[0].process().accept_failures.value();
    let end = Instant::now() + PATIENCE;
    while failures() == 0 {
        assert!(Instant::now() < end, "the failure is not counted");
    }
    // Each order is a turn of its loop.
    for _ in 0..100 {
        gateway.order(0, Command::Sessions(Walk::new()));
    }
    assert_eq!(failures(), 1);
    gateway.stop(|| Command::SoftStop);
}

#[test]
fn a_deaf_socket_is_served_as_soon_as_it_listens() {
    // Bound, but nobody listens: accept(2) says EINVAL, as of one that another process pauses.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let fd = socket.as_raw_fd();
    let gateway = Gateway::start(1, &[name(b"x")], move |config| {
        config.binds[0].address = ListenAddress::Fd(fd);
    });
    // Each order is a turn of its loop.
    for _ in 0..100 {
        gateway.order(0, Command::Sessions(Walk::new()));
    }
    assert_eq!(gateway.counters[0].process().accept_failures.value(), 0);
    socket.listen(8).unwrap();
    assert_eq!(read_some(&mut gateway.connect()), b"x");
}

#[test]
fn workers_that_share_a_socket_all_accept_again_after_a_pause() {
    let mut gateway = Gateway::start(2, &[name(b"x")], |_| {});
    gateway.replace(|config| {
        config.binds.push(gateway::bind());
        proxy(config).binds.push(BindId(1));
    });
    // A port of the kernel's choice would not outlast the pause: it is held until it has been chosen once more.
    let options = ListenOptions { backlog: 8, reuseport: true, ..ListenOptions::default() };
    let holder = bind(&ListenAddress::Tcp(([127, 0, 0, 1], 0).into()), &options).unwrap();
    let address = local_address(holder.as_fd()).unwrap();
    let listening = listen(&ListenAddress::Tcp(address), &options).unwrap();
    drop(holder);
    for worker in 0..2 {
        let socket = listening.try_clone().unwrap();
        gateway.order(worker, Command::Listen(vec![(BindId(1), socket)]));
    }
    drop(listening);
    for worker in 0..2 {
        gateway.order(worker, Command::Pause(ProxyId(0)));
        // Time for the other one to see what has become of its accept.
        (0..10).for_each(|_| drop(gateway.order(1, Command::Sessions(Walk::new()))));
        assert!(TcpStream::connect(address).is_err());
    }
    for worker in 0..2 {
        let resume = Resume { proxy: ProxyId(0), refused: None };
        let done = gateway.order(worker, Command::Resume(resume));
        assert!(matches!(done, Command::Resume(Resume { refused: None, .. })));
    }
    let failures = gateway.counters.iter().map(|counters| counters.process().accept_failures.value());
    assert_eq!(failures.sum::<u64>(), 0);
    // Without the first one the second has to accept.
    gateway.order(0, Command::SoftStop);
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(read_some(&mut client), b"x");
}

#[test]
fn a_soft_stop_finishes_what_is_there() {
    let gateway = Gateway::start(1, &[server(echo)], |_| {});
    let mut client = gateway.connect();
    client.write_all(b"1").unwrap();
    assert_eq!(read_some(&mut client), b"1");
    gateway.crew.tell(|| Command::SoftStop);
    let end = Instant::now() + PATIENCE;
    while TcpStream::connect(gateway.address).is_ok() {
        assert!(Instant::now() < end, "the listener stays open");
    }
    client.write_all(b"2").unwrap();
    assert_eq!(read_some(&mut client), b"2");
    drop(client);
    gateway.stop(|| Command::SoftStop);
}

#[test]
fn a_soft_stop_takes_no_more_than_maxconn() {
    let gateway = Gateway::start(1, &[name(b"x")], |config| config.global.maxconn = Some(3));
    let mut clients: Vec<TcpStream> = (0..20).map(|_| gateway.connect()).collect();
    for client in &mut clients[..3] {
        assert_eq!(read_some(client), b"x");
    }
    assert!(gateway.crew.tell(|| Command::SoftStop));
    // Beyond those that are served one was accepted already; it waits, and the others are told at once.
    let waiting: Vec<TcpStream> = clients.drain(3..).filter_map(still_open).collect();
    assert_eq!(waiting.len(), 1);
    drop(clients);
    for mut client in waiting {
        assert_eq!(read_some(&mut client), b"x");
    }
    gateway.stop(|| Command::SoftStop);
}

/// The client, unless its connection ends within a moment.
fn still_open(mut client: TcpStream) -> Option<TcpStream> {
    client.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let read = client.read(&mut [0; 1]);
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    matches!(read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock).then_some(client)
}

#[test]
fn a_server_that_comes_up_serves_those_who_wait() {
    use crate::table::Health;
    let mut gateway = Gateway::start(1, &[name(b"a"), name(b"b")], |config| {
        proxy(config).servers[0].maxconn = Some(1);
        proxy(config).timeouts.queue_ms = Some(60_000);
    });
    gateway.publisher.update(ProxyId(0), 1, |state| state.health = Health::Down, 1);
    // An order is a turn, and each turn looks at the table.
    gateway.order(0, Command::Sessions(Walk::new()));
    let mut first = gateway.connect();
    assert_eq!(read_some(&mut first), b"a");
    let mut second = gateway.connect();
    let end = Instant::now() + PATIENCE;
    while gateway.load.backend(ProxyId(0)).waiting() == 0 {
        assert!(Instant::now() < end, "the second does not queue");
    }
    gateway.publisher.update(ProxyId(0), 1, |state| state.health = Health::Up, 2);
    assert_eq!(read_some(&mut second), b"b", "without any other event on its worker");
}

fn small_client(address: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&address.into()).unwrap();
    let stream: TcpStream = socket.into();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

#[test]
fn stalled_sessions_starve_nobody() {
    const STALLED: usize = 150;
    static STUCK: AtomicUsize = AtomicUsize::new(0);
    // First byte says what to do: `f` sends small pieces, each received alone, until one takes long.
    let both = server(|mut stream| {
        let mut one = [0; 1];
        if stream.read_exact(&mut one).is_err() {
            return;
        }
        if &one == b"f" {
            stream.set_nodelay(true).unwrap();
            stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
            while (0..4).all(|_| stream.write_all(&[7; 1000]).is_ok()) {
                std::thread::sleep(Duration::from_micros(300));
            }
            STUCK.fetch_add(1, Relaxed);
            // Until the client leaves.
            let _ = stream.read(&mut one);
        } else {
            stream.write_all(&one).unwrap();
            echo(stream);
        }
    });
    let gateway = Gateway::start(1, &[both], |config| {
        config.global.maxconn = Some(200);
        config.global.tune.sndbuf_client = Some(4096);
        config.global.tune.rcvbuf_server = Some(4096);
    });
    let mut stalled: Vec<TcpStream> = (0..STALLED).map(|_| small_client(gateway.address)).collect();
    for client in &mut stalled {
        client.write_all(b"f").unwrap();
    }
    let end = Instant::now() + 3 * PATIENCE;
    while STUCK.load(Relaxed) < STALLED {
        assert!(Instant::now() < end, "{} of {STALLED} are stuck", STUCK.load(Relaxed));
        std::thread::yield_now();
    }
    let mut client = gateway.connect();
    client.write_all(b"x").unwrap();
    assert_eq!(read_some(&mut client), b"x");
}

#[test]
fn idle_sessions_hold_no_pipe() {
    const ANSWER: usize = 1_000_000;
    let bulk = server(|mut stream| {
        let mut one = [0; 1];
        while let Ok(1) = stream.read(&mut one) {
            stream.write_all(&[1; ANSWER]).unwrap();
        }
    });
    let gateway = Gateway::start(1, &[bulk], |_| {});
    let mut clients: Vec<TcpStream> = (0..40).map(|_| gateway.connect()).collect();
    let mut bytes = vec![0; ANSWER];
    for client in &mut clients {
        client.write_all(b"x").unwrap();
        client.read_exact(&mut bytes).unwrap();
    }
    let process = gateway.counters[0].process();
    assert!(process.spliced_bytes_out.value() > 0, "no pipe was ever in use");
    let end = Instant::now() + PATIENCE;
    while process.pipes_used.load(Relaxed) > 0 {
        assert!(Instant::now() < end, "{} pipes in use", process.pipes_used.load(Relaxed));
    }
}

/// Every session of a worker, as a walk shows it.
fn rows(gateway: &Gateway, worker: usize) -> Vec<SessionRow> {
    let mut rows = Vec::new();
    let mut step = Some(Walk::new());
    while let Some(walk) = step {
        let Command::Sessions(done) = gateway.order(worker, Command::Sessions(walk)) else {
            panic!("a walk comes back as one");
        };
        assert!(done.rows.len() <= STEP as usize);
        rows.extend_from_slice(&done.rows);
        step = done.onwards();
    }
    rows
}

/// Ends sessions of a worker; how many.
fn end(gateway: &Gateway, worker: usize, whom: Whom) -> u32 {
    let mut step = Some(Cut::new(whom, Cause::Killed));
    let mut ended = 0;
    while let Some(cut) = step {
        let Command::End(done) = gateway.order(worker, Command::End(cut)) else {
            panic!("a cut comes back as one");
        };
        ended = done.ended;
        step = done.onwards();
    }
    ended
}

#[test]
fn a_walk_shows_every_session_and_a_kill_ends_one() {
    let gateway = Gateway::start(1, &[server(echo)], |_| {});
    let mut clients: Vec<TcpStream> = (0..150).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        client.write_all(b"x").unwrap();
        assert_eq!(read_some(client), b"x");
    }
    let seen = rows(&gateway, 0);
    assert_eq!(seen.len(), 150);
    let chosen = clients.remove(77);
    let address = chosen.local_addr().unwrap();
    let row = seen.iter().find(|row| row.client == Some(address)).expect("it is shown");
    assert_eq!((row.local, row.phase, row.bytes), (Some(gateway.address), Phase::Established, [1, 1]));
    assert!(row.descriptors.iter().all(Option::is_some) && row.server.is_some());
    assert_eq!(end(&gateway, 0, Whom::Session(row.id)), 1);
    assert_eq!(read_some(&mut { chosen }), b"");
    let later = SessionId { generation: row.id.generation.wrapping_add(1), ..row.id };
    assert_eq!(end(&gateway, 0, Whom::Session(later)), 0, "another session of the slot");
    assert_eq!(rows(&gateway, 0).len(), 149);
    drop(clients);
    gateway.settle();
    assert!(rows(&gateway, 0).is_empty());
}

#[test]
fn all_sessions_of_a_server_are_ended_and_no_other() {
    let gateway = Gateway::start(2, &[name(b"a"), name(b"b")], |_| {});
    let mut clients: Vec<(Vec<u8>, TcpStream)> = (0..300)
        .map(|_| {
            let mut client = gateway.connect();
            (read_some(&mut client), client)
        })
        .collect();
    let all: u32 = [0, 1].iter().map(|&worker| end(&gateway, worker, Whom::Server(ServerId(1)))).sum();
    assert_eq!(all, 150);
    for (_, client) in clients.iter_mut().filter(|(server, _)| server == b"b") {
        assert_eq!(read_some(client), b"");
    }
    let left: usize = [0, 1].iter().map(|&worker| rows(&gateway, worker).len()).sum();
    assert_eq!(left, 150);
    let end = Instant::now() + PATIENCE;
    while gateway.load.server(ServerId(1)).live() > 0 {
        assert!(Instant::now() < end, "slots are not given back");
    }
    assert_eq!(gateway.load.server(ServerId(0)).live(), 150);
    clients.clear();
    gateway.settle();
}

#[test]
fn a_kill_ends_a_session_that_waits_in_a_queue() {
    let gateway = Gateway::start(1, &[name(b"q")], |config| {
        proxy(config).servers[0].maxconn = Some(1);
        proxy(config).timeouts.queue_ms = Some(10_000);
    });
    let mut first = gateway.connect();
    assert_eq!(read_some(&mut first), b"q");
    let mut second = gateway.connect();
    let address = second.local_addr().unwrap();
    let end_at = Instant::now() + PATIENCE;
    let waiting = loop {
        assert!(Instant::now() < end_at, "the second does not queue");
        let queued = |row: &SessionRow| row.client == Some(address) && row.phase == Phase::Queued;
        if let Some(row) = rows(&gateway, 0).into_iter().find(queued) {
            break row;
        }
    };
    assert_eq!(waiting.server, None);
    assert_eq!(end(&gateway, 0, Whom::Session(waiting.id)), 1);
    assert_eq!(read_some(&mut second), b"");
    assert_eq!(gateway.load.backend(ProxyId(0)).waiting(), 0);
    drop(first);
    gateway.settle();
}

#[test]
fn a_server_marked_down_loses_its_sessions_and_its_return_ends_those_of_backups() {
    use crate::table::Health;
    let mut gateway = Gateway::start(2, &[name(b"a"), name(b"b")], |config| {
        let servers = &mut proxy(config).servers;
        (servers[0].on_marked_down, servers[0].on_marked_up) = (true, true);
        (servers[1].backup, servers[1].on_marked_down) = (true, true);
    });
    let mut first: Vec<TcpStream> = (0..100).map(|_| gateway.connect()).collect();
    assert!(first.iter_mut().all(|client| read_some(client) == b"a"));
    gateway.publisher.update(ProxyId(0), 0, |state| state.health = Health::Down, 1);
    assert!(first.iter_mut().all(|client| read_some(client).is_empty()), "ended although nobody stirs");
    gateway.settle();
    let mut second: Vec<TcpStream> = (0..100).map(|_| gateway.connect()).collect();
    assert!(second.iter_mut().all(|client| read_some(client) == b"b"));
    gateway.publisher.update(ProxyId(0), 0, |state| state.admin.drain = true, 2);
    gateway.publisher.update(ProxyId(0), 0, |state| state.health = Health::Up, 3);
    assert_eq!(gateway.load.server(ServerId(1)).live(), 100, "a server that drains ends nobody's sessions");
    gateway.publisher.update(ProxyId(0), 0, |state| state.admin.maint = true, 4);
    gateway.publisher.update(ProxyId(0), 0, |state| state.admin = Default::default(), 5);
    assert!(second.iter_mut().all(|client| read_some(client).is_empty()));
    gateway.settle();
}

/// What `change` leaves of the sessions' server.
fn answer(client: &mut TcpStream) -> Vec<u8> {
    client.write_all(b"?").unwrap();
    read_some(client)
}

#[test]
fn sessions_outlive_their_server_and_their_policy() {
    let [a, b] = [name(b"a"), name(b"b")];
    let mut gateway = Gateway::start(2, &[a], |config| proxy(config).timeouts.client_ms = Some(60_000));
    let mut old: Vec<TcpStream> = (0..20).map(|_| gateway.connect()).collect();
    assert!(old.iter_mut().all(|client| read_some(client) == b"a"));
    gateway.replace(|config| {
        proxy(config).servers = vec![crate::config::model::Server::new("other", 1, b)];
        proxy(config).timeouts.client_ms = Some(50);
    });
    let mut new: Vec<TcpStream> = (0..20).map(|_| gateway.connect()).collect();
    assert!(new.iter_mut().all(|client| read_some(client) == b"b"));
    assert_eq!((gateway.load.server(ServerId(0)).live(), gateway.counters.len()), (20, 2));
    // The new ones end by the new timeout, and the old ones do not.
    assert!(new.iter_mut().all(|client| read_some(client).is_empty()));
    assert!(old.iter_mut().all(|client| answer(client) == b"?"));
    drop(old);
    gateway.settle();
    assert_eq!((gateway.load.server(ServerId(0)).live(), gateway.load.server(ServerId(1)).live()), (0, 0));
}

#[test]
fn addresses_come_and_go_and_no_client_is_lost() {
    let mut gateway = Gateway::start(2, &[name(b"a")], |_| {});
    let mut kept = gateway.connect();
    assert_eq!(read_some(&mut kept), b"a");
    for round in 1..4_u16 {
        gateway.replace(|config| {
            config.binds.push(gateway::bind());
            proxy(config).binds = vec![BindId(round)];
            config.binds[usize::from(round) - 1].removed = true;
        });
        let next = gateway.listen(BindId(round));
        let former = std::mem::replace(&mut gateway.address, next);
        // The queue of the former address is filled while it is told to go.
        let queued = std::thread::spawn(move || {
            let mut clients: Vec<TcpStream> =
                (0..200).map_while(|_| TcpStream::connect(former).ok()).collect();
            clients.iter_mut().for_each(|client| client.set_read_timeout(Some(PATIENCE)).unwrap());
            assert!(clients.iter_mut().all(|client| read_some(client) == b"a"), "a client was lost");
            clients.len()
        });
        for worker in 0..2 {
            gateway.order(worker, Command::Unlisten(Leave { binds: vec![BindId(round - 1)], shared: false }));
        }
        queued.join().expect("every client that was connected was served");
        let refused =
            || TcpStream::connect(former).is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionRefused);
        let end = Instant::now() + PATIENCE;
        while !refused() {
            assert!(Instant::now() < end, "the former address still answers");
        }
        assert_eq!(read_some(&mut gateway.connect()), b"a");
    }
    assert_eq!(answer(&mut kept), b"?");
    drop(kept);
    gateway.stop(|| Command::SoftStop);
}

#[test]
fn a_paused_frontend_refuses_newcomers_and_its_sessions_go_on() {
    let gateway = Gateway::start(2, &[server(echo)], |_| {});
    let mut client = gateway.connect();
    let mut speak = |text: &[u8]| {
        client.write_all(text).unwrap();
        assert_eq!(read_some(&mut client), text);
    };
    speak(b"before");
    for _ in 0..20 {
        let queued: Vec<TcpStream> = (0..5).map(|_| gateway.connect()).collect();
        for worker in [0, 1] {
            gateway.order(worker, Command::Pause(ProxyId(0)));
        }
        let refused = TcpStream::connect(gateway.address).expect_err("nobody listens");
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        speak(b"meanwhile");
        for mut early in queued {
            early.write_all(b"early").unwrap();
            assert_eq!(read_some(&mut early), b"early", "who had connected is served");
        }
        for worker in [0, 1] {
            let order = Command::Resume(Resume { proxy: ProxyId(0), refused: None });
            let Command::Resume(done) = gateway.order(worker, order) else { panic!("it comes back as one") };
            assert_eq!(done.refused, None);
        }
        let mut late = gateway.connect();
        late.write_all(b"late").unwrap();
        assert_eq!(read_some(&mut late), b"late");
    }
    speak(b"after");
    drop(client);
    gateway.settle();
    assert_eq!(gateway.counters.iter().map(|c| c.process().accept_failures.value()).sum::<u64>(), 0);
    gateway.order(0, Command::Pause(ProxyId(0)));
    gateway.stop(|| Command::SoftStop);
}

#[test]
fn a_limit_that_is_raised_lets_in_who_waits() {
    let gateway = Gateway::start(2, &[name(b"x")], |config| proxy(config).maxconn = Some(1));
    let mut clients: Vec<TcpStream> = (0..4).map(|_| gateway.connect()).collect();
    let mut served = |count: usize| {
        let end = Instant::now() + PATIENCE;
        while clients.len() > 4 - count {
            assert!(Instant::now() < end, "{count} are to be served");
            for client in &mut clients {
                client.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            }
            if let Some(at) = clients.iter_mut().position(|client| matches!(client.read(&mut [0]), Ok(1))) {
                std::mem::forget(clients.remove(at));
            }
        }
    };
    served(1);
    assert_eq!(gateway.load.frontend(ProxyId(0)).live(), 1);
    gateway.load.frontend(ProxyId(0)).set_limit(Some(3));
    gateway.crew.tell(|| Command::Retry);
    served(3);
    assert_eq!(gateway.load.frontend(ProxyId(0)).live(), 3);
    gateway.load.frontend(ProxyId(0)).set_limit(None);
    gateway.crew.tell(|| Command::Retry);
    served(4);
}

#[test]
fn sessions_per_second_are_limited_over_all_workers_together() {
    let gateway = Gateway::start(2, &[name(b"x")], |config| proxy(config).session_rate = Some(5));
    let begin = Instant::now();
    let mut clients: Vec<TcpStream> = (0..9).map(|_| gateway.connect()).collect();
    let mut times: Vec<u128> = std::thread::scope(|scope| {
        let served = clients.iter_mut().map(|client| {
            scope.spawn(move || {
                assert_eq!(read_some(client), b"x");
                begin.elapsed().as_millis()
            })
        });
        let served: Vec<_> = served.collect();
        served.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    times.sort_unstable();
    assert!(times[4] < 900, "five at once: {times:?}");
    for (at, earliest) in [(6, 180), (7, 380), (8, 580)] {
        // The process clock may have begun anywhere within the first second; a busy machine sees them later.
        assert!(times[at] >= earliest, "one every 200 ms: {times:?}");
    }
    drop(clients);
    gateway.settle();
}
