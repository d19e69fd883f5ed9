//! Every byte arrives, in order, once, whatever the rhythm of reader and writer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};

use crate::gateway::Gateway;
use crate::spread::of_workers;
use crate::support::echo::{Threads, drain};
use crate::support::peer::{End, Peer, kernel_row};
use crate::support::server::Server;
use crate::support::stats::ask;
use crate::support::stream::Bytes;
use crate::support::{PATIENCE, wait_for};

#[test]
fn two_gibibytes_arrive_unchanged() {
    const TOTAL: u64 = 2 << 30;
    let source = Threads::start(|mut stream| {
        Bytes::seeded(1).send(&mut stream, TOTAL, 256 * 1024).expect("all of it is taken");
    });
    let gateway = Gateway::to(source.port());
    let began = Instant::now();
    let mut client = gateway.connect();
    client.stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
    let received = Bytes::seeded(1).receive(&mut client.stream, 256 * 1024);
    assert_eq!(received, TOTAL);
    println!("2 GiB compared in {:.1} s", began.elapsed().as_secs_f64());
    drop(client);
    gateway.assert_descriptors_return();
}

#[test]
fn two_hundred_transfers_at_once() {
    assert_transfers_arrive("");
}

#[test]
fn two_hundred_transfers_through_workers_that_spin() {
    assert_transfers_arrive("  tune.busy-spin 200\n  tune.napi-busy-poll 20");
}

/// Sent by the card where there is one; loopback copies after all, and says so.
#[test]
fn two_hundred_transfers_by_zero_copy_from_huge_pages() {
    let gateway = assert_transfers_arrive(
        "  nosplice\n  tune.send-zc 1\n  tune.huge-pages on\n  stats socket unix@stats.sock level operator",
    );
    let activity = ask(&gateway.proxy.directory().join("stats.sock"), "show activity\n").expect("an answer");
    let ((sends, _), (copied, _)) = (of_workers(&activity, "zc_sends"), of_workers(&activity, "zc_copied"));
    assert!(sends > 200 && copied <= sends, "{activity}");
    let maps = std::fs::read_to_string(format!("/proc/{}/smaps", gateway.proxy.pid())).expect("its memory");
    let advised =
        |line: &&str| line.starts_with("VmFlags:") && line.split_whitespace().any(|flag| flag == "hg");
    assert_eq!(maps.lines().filter(advised).count(), 2, "one mapping for each worker");
}

/// Unix sockets have no zero-copy send: the kernel refuses each, and the bytes are sent as others are.
#[test]
fn unix_sockets_are_served_where_others_send_by_zero_copy() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("server");
    let listener = UnixListener::bind(&path).expect("a socket");
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || std::io::copy(&mut stream.try_clone()?, &mut stream));
        }
    });
    let backend = format!("  server s1 unix@{}", path.display());
    let gateway = Gateway::start("  nosplice\n  tune.send-zc 1", "", &backend);
    let mut client = gateway.connect();
    let text = vec![b'x'; 100_000];
    assert!(client.send(&text));
    client.finish();
    assert_eq!(client.end(PATIENCE), (text.len(), End::Fin));
    gateway.assert_descriptors_return();
}

fn assert_transfers_arrive(global: &str) -> Gateway {
    let server = Threads::echo();
    let gateway = Gateway::start(global, "", &format!("  server s1 127.0.0.1:{}", server.port()));
    let mut random = fastrand::Rng::with_seed(200);
    let transfers: Vec<_> = (0..200u64)
        .map(|seed| {
            let (size, address) = (random.u64(1..2_000_000), gateway.address());
            thread::spawn(move || {
                (size, transfer(seed, size, TcpStream::connect(address).expect("accepted")))
            })
        })
        .collect();
    let mut total = 0;
    for transfer in transfers {
        let (sent, received) = transfer.join().expect("the bytes are the same");
        assert_eq!(sent, received);
        total += sent;
    }
    println!("200 transfers, {total} bytes each way");
    gateway.assert_descriptors_return();
    gateway
}

/// Sends `size` bytes and FIN while reading them back; how many came back.
fn transfer(seed: u64, size: u64, stream: TcpStream) -> u64 {
    let mut reader = stream.try_clone().expect("a second handle");
    reader.set_read_timeout(Some(Duration::from_secs(60))).expect("a read timeout");
    let writer = thread::spawn(move || {
        let mut stream = stream;
        let piece = fastrand::Rng::with_seed(seed).usize(1..50_000);
        Bytes::seeded(seed).send(&mut stream, size, piece).expect("all of it is taken");
        stream.shutdown(std::net::Shutdown::Write).expect("still connected");
    });
    let received = Bytes::seeded(seed).receive(&mut reader, 64 * 1024);
    writer.join().expect("the writer is done");
    received
}

/// Timers end sessions, and the process ends, without a worker ever sleeping.
#[test]
fn workers_that_never_sleep_keep_time() {
    let server = Threads::echo();
    let defaults = "  timeout client 300ms\n  timeout server 300ms";
    let gateway =
        Gateway::start("  busy-polling", defaults, &format!("  server s1 127.0.0.1:{}", server.port()));
    let mut client = gateway.connect();
    client.stream.write_all(b"ping").expect("it is taken");
    client.stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
    let mut echo = Vec::new();
    client.stream.read_to_end(&mut echo).expect("an end in order");
    assert_eq!(echo, b"ping");
}

#[test]
fn one_byte_at_a_time() {
    const COUNT: u64 = 5_000;
    let server = Threads::start(|mut stream| {
        stream.set_nodelay(true).expect("TCP_NODELAY");
        let received = Bytes::seeded(3).receive(&mut stream, 1);
        // A wrong number shows at the client, which receives as many back.
        let _ = Bytes::seeded(4).send(&mut stream, received, 1);
    });
    let gateway = Gateway::to(server.port());
    let mut client = gateway.connect();
    client.stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
    Bytes::seeded(3).send(&mut client.stream, COUNT, 1).expect("all of it is taken");
    client.finish();
    assert_eq!(Bytes::seeded(4).receive(&mut client.stream, 1), COUNT);
}

#[test]
fn a_slow_reader_slows_only_its_sender() {
    const TOTAL: u64 = 48 << 20;
    let source = Threads::start(|mut stream| {
        if stream.read(&mut [0; 1]).is_ok_and(|n| n == 1) {
            // Fails if the reader is given up on, and then it receives too little.
            let _ = Bytes::seeded(5).send(&mut stream, TOTAL, 256 * 1024);
        }
    });
    let gateway = Gateway::to(source.port());
    let before = gateway.proxy.resident_kib();
    let mut slow = gateway.connect();
    slow.send(b"s");
    let mut expected = Bytes::seeded(5);
    let mut received = 0;
    let mut grown = 0;
    for _ in 0..50 {
        let mut window = Read::take(&mut slow.stream, 16 * 1024);
        received += expected.receive(&mut window, 16 * 1024);
        grown = grown.max(gateway.proxy.resident_kib().saturating_sub(before));
        thread::sleep(Duration::from_millis(5));
    }
    // Meanwhile another session on the same workers is not held up.
    let mut quick = gateway.connect();
    quick.send(b"q");
    quick.stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
    let began = Instant::now();
    assert_eq!(Bytes::seeded(5).receive(&mut quick.stream, 256 * 1024), TOTAL);
    println!("slow: {received} bytes so far; quick: {TOTAL} in {:?}; memory +{grown} KiB", began.elapsed());
    slow.stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
    received += expected.receive(&mut slow.stream, 256 * 1024);
    assert_eq!(received, TOTAL);
    assert!(
        grown < 16 * 1024,
        "a slow reader cost {grown} KiB: what it does not read must stay with its sender"
    );
}

/// Streams that wait for their splices, more than one turn makes, when the proxy itself was too late for a timeout.
#[test]
fn a_stall_of_the_proxy_ends_no_transfer() {
    const STREAMS: usize = 80;
    let (over, flowing) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let ended = Arc::clone(&over);
    let source = Threads::start(
        move |mut stream| {
            while !ended.load(SeqCst) && stream.write_all(&[b'x'; 65_536]).is_ok() {}
        },
    );
    let timeouts = "  timeout client 2s\n  timeout server 2s";
    let mut gateway =
        Gateway::start("  nbthread 1", timeouts, &format!("  server s1 127.0.0.1:{}", source.port()));
    let readers: Vec<_> = (0..STREAMS)
        .map(|_| {
            let (flowing, over, mut stream) = (flowing.clone(), over.clone(), gateway.connect().stream);
            thread::spawn(move || {
                std::io::copy(&mut Read::take(&mut stream, 1 << 20), &mut std::io::sink()).expect("bytes");
                flowing.fetch_add(1, SeqCst);
                let mut buffer = vec![0; 65_536];
                while matches!(stream.read(&mut buffer), Ok(1..)) {}
                over.load(SeqCst)
            })
        })
        .collect();
    assert!(wait_for(PATIENCE, || (flowing.load(SeqCst) == STREAMS).then_some(())).is_some());
    gateway.proxy.stop();
    thread::sleep(Duration::from_millis(2500));
    gateway.proxy.signal("CONT");
    thread::sleep(Duration::from_millis(300));
    over.store(true, SeqCst);
    let in_time = readers.into_iter().map(|reader| reader.join().expect("a reader")).filter(|over| *over);
    assert_eq!(in_time.count(), STREAMS, "streams that went on until they were told to end");
    gateway.assert_alive();
}

/// splice(2) does not pass a byte out of band; what lies behind it arrives all the same.
#[test]
fn bulk_goes_on_behind_urgent_data() {
    const BEFORE: usize = 8 << 20;
    const BEHIND: usize = 1 << 20;
    let (told, counted) = mpsc::channel();
    let sink = Threads::start(move |mut stream| {
        let _ = told.send(std::io::copy(&mut stream, &mut std::io::sink()));
    });
    let gateway = Gateway::to(sink.port());
    for behind in [BEHIND, 1] {
        let mut client = gateway.connect().stream;
        client.write_all(&vec![1; BEFORE]).expect("all of it is taken");
        // Everything is on its way in bulk before the byte comes.
        thread::sleep(Duration::from_millis(100));
        rustix::net::send(&client, &[2], rustix::net::SendFlags::OOB).expect("it is taken");
        client.write_all(&vec![3; behind]).expect("all of it is taken");
        client.shutdown(std::net::Shutdown::Write).expect("still connected");
        let received = counted.recv_timeout(PATIENCE).expect("the server sees the end").expect("no failure");
        assert_eq!(received, (BEFORE + behind) as u64);
    }
    gateway.assert_descriptors_return();
}

#[test]
fn half_closes_pass_both_ways() {
    const TOTAL: u64 = 3_000_000;
    let server = Threads::start(|mut stream| {
        let received = Bytes::seeded(6).receive(&mut stream, 10_000);
        // The answer is as long as the request was: the client counts it.
        let _ = Bytes::seeded(7).send(&mut stream, received, 10_000);
    });
    let gateway = Gateway::to(server.port());
    let mut client = gateway.connect();
    client.stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
    Bytes::seeded(6).send(&mut client.stream, TOTAL, 10_000).expect("all of it is taken");
    client.finish();
    assert_eq!(Bytes::seeded(7).receive(&mut client.stream, 10_000), TOTAL);
    drop(client);

    // The server first.
    let server = Server::listening();
    let gateway = Gateway::to(server.port());
    let mut client = gateway.connect();
    let mut session = server.accept();
    session.send(b"greeting");
    session.finish();
    assert_eq!(client.end(PATIENCE), (8, End::Fin));
    client.send(b"still heard");
    assert_eq!(session.receive_text(11), "still heard");
    client.close();
    assert_eq!(session.end(PATIENCE), (0, End::Fin));
    gateway.assert_descriptors_return();
}

#[test]
fn resets_end_the_session_on_both_sides() {
    let server = Server::listening();
    let gateway = Gateway::to(server.port());
    let pair = || {
        let mut client = gateway.connect();
        client.send(b"q");
        let mut session = server.accept();
        assert_eq!(session.receive_text(1), "q");
        (client, session)
    };
    let (client, mut session): (Peer, Peer) = pair();
    client.reset();
    assert_eq!(session.end(PATIENCE), (0, End::Reset), "a client's reset is passed on, as HAProxy does");
    let (mut client, session) = pair();
    session.reset();
    assert_eq!(
        client.end(PATIENCE),
        (0, End::Fin),
        "a server's reset is a FIN to the client, as HAProxy does"
    );
    drop(client);
    gateway.assert_descriptors_return();
}

#[test]
fn bytes_before_the_end_are_not_lost() {
    // The server writes and closes at once; the client reads late.
    let server = Threads::start(|mut stream| {
        let _ = stream.write_all(&[b'x'; 200_000]);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        drain(&mut stream);
    });
    let gateway = Gateway::to(server.port());
    let mut clients: Vec<Peer> = (0..50).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.end(PATIENCE), (200_000, End::Fin));
    }
    drop(clients);
    gateway.assert_descriptors_return();
}

/// The server answers and closes, the client still says something and reads late: that the server hears it no more
/// ends nothing but what goes to it.
#[test]
fn an_answer_outlives_what_its_server_no_longer_hears() {
    const ANSWER: usize = 90_000;
    for global in ["", "  nosplice"] {
        let server = Server::listening();
        let global = format!("{global}\n  tune.sndbuf.client 4096");
        let gateway = Gateway::start(&global, "", &format!("  server s1 127.0.0.1:{}", server.port()));
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(4096).expect("SO_RCVBUF");
        socket.connect(&gateway.address().into()).expect("the gateway accepts");
        let mut client = Peer::over(socket.into());
        client.send(b"q");
        let mut session = server.accept();
        assert_eq!(session.receive_text(1), "q");
        SockRef::from(&session.stream).set_send_buffer_size(ANSWER).expect("SO_SNDBUF");
        assert!(session.send(&[b'x'; ANSWER]));
        let here = session.stream.local_addr().expect("connected");
        let there = session.stream.peer_addr().expect("connected");
        let passed_on =
            wait_for(PATIENCE, || kernel_row(here, there)?[1].starts_with("00000000:").then_some(()));
        assert!(passed_on.is_some(), "the proxy's kernel takes all of it");
        session.close();
        // The first is answered by a reset, the second meets it.
        for _ in 0..2 {
            thread::sleep(Duration::from_millis(100));
            client.send(b"w");
        }
        thread::sleep(Duration::from_millis(100));
        // Whoever writes before it reads is not kept waiting.
        assert!(client.send(&[b'w'; 16 << 20]), "taken, and thrown away");
        assert_eq!(client.end(PATIENCE), (ANSWER, End::Fin), "{global}");
        drop(client);
        gateway.assert_descriptors_return();
    }
}
