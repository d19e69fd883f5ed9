//! Peers that are gone, refuse, or die: sessions end, the rest goes on, nothing leaks.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::gateway::Gateway;
use crate::support::echo::Threads;
use crate::support::peer::{End, Peer, kernel_row};
use crate::support::server::Server;
use crate::support::syslog::Syslog;
use crate::support::{PATIENCE, wait_for};

#[test]
fn clients_gone_while_connecting_leave_nothing() {
    let server = Server::silent();
    let mut gateway = Gateway::start(
        "",
        "  timeout connect 2s\n  retries 1",
        &format!("  server s1 127.0.0.1:{}", server.port()),
    );
    for n in 0..300 {
        let mut client = gateway.connect();
        match n % 3 {
            0 => client.reset(),
            1 => client.close(),
            _ => {
                client.send(b"request");
                client.reset();
            }
        }
    }
    gateway.assert_descriptors_return();
    gateway.assert_alive();
}

#[test]
fn all_servers_down_closes_clients_and_leaks_nothing() {
    let (one, two) = (Server::refusing(), Server::refusing());
    let backend = format!(
        "  server s1 127.0.0.1:{} check inter 200 fall 1\n  server s2 127.0.0.1:{} check inter 200 fall 1",
        one.port(),
        two.port()
    );
    let mut gateway = Gateway::start("", "  retries 0", &backend);
    for _ in 0..300 {
        let mut client = gateway.connect();
        assert_eq!(client.end(PATIENCE), (0, End::Fin));
    }
    gateway.assert_descriptors_return();
    gateway.assert_alive();
}

#[test]
fn a_killed_server_ends_only_its_own_sessions() {
    let (dying, staying) = (Server::listening(), Threads::echo());
    let backend = format!(
        "  balance roundrobin\n  server s1 127.0.0.1:{}\n  server s2 127.0.0.1:{}",
        dying.port(),
        staying.port()
    );
    let gateway = Gateway::start("", "", &backend);
    let mut clients: Vec<Peer> = (0..20).map(|_| gateway.connect()).collect();
    let sessions: Vec<Peer> = (0..10).map(|_| dying.accept()).collect();
    sessions.into_iter().for_each(Peer::reset);
    let mut ended = 0;
    for client in &mut clients {
        client.send(b"?");
        if client.receive(1).is_empty() {
            ended += 1;
        }
    }
    assert_eq!(ended, 10);
}

/// The name of the server that serves a new connection, or None when it is closed.
fn served_by(gateway: &Gateway) -> Option<u8> {
    gateway.connect().receive(1).first().copied()
}

#[test]
fn checks_move_traffic_away_and_back() {
    let (one, two) = (Threads::naming(b'1'), Threads::naming(b'2'));
    let port = one.port();
    let mut log = Syslog::bind();
    let backend = format!(
        "  option redispatch\n  server s1 127.0.0.1:{port} check inter 200 fall 2 rise 2\n  server s2 127.0.0.1:{} check inter 200",
        two.port()
    );
    let gateway = Gateway::start(&format!("  log 127.0.0.1:{} local0", log.port()), "  log global", &backend);
    let both: Vec<u8> = (0..4).filter_map(|_| served_by(&gateway)).collect();
    assert!(both.contains(&b'1') && both.contains(&b'2'), "both serve at first: {both:?}");

    drop(one);
    assert!(
        log.line_where(PATIENCE, |line| line.contains("b/s1 is DOWN")).is_some(),
        "its death is noticed and logged"
    );
    let after: Vec<Option<u8>> = (0..20).map(|_| served_by(&gateway)).collect();
    assert!(after.iter().all(|name| *name == Some(b'2')), "{after:?}");

    let _one = Threads::naming_on(port, b'1');
    assert!(
        log.line_where(PATIENCE, |line| line.contains("b/s1 is UP")).is_some(),
        "its return is noticed and logged"
    );
    let back: Vec<u8> = (0..4).filter_map(|_| served_by(&gateway)).collect();
    assert!(back.contains(&b'1') && back.contains(&b'2'), "both serve again: {back:?}");
}

#[test]
fn redispatch_loses_no_client_when_a_server_dies_unnoticed() {
    let (one, two) = (Threads::naming(b'1'), Threads::naming(b'2'));
    let backend = format!(
        "  option redispatch\n  server s1 127.0.0.1:{}\n  server s2 127.0.0.1:{}",
        one.port(),
        two.port()
    );
    let gateway = Gateway::start("", "", &backend);
    drop(one);
    let served: Vec<Option<u8>> = (0..20).map(|_| served_by(&gateway)).collect();
    assert!(served.iter().all(|name| *name == Some(b'2')), "{served:?}");
}

/// How long 300 short sessions take with this log target.
fn sessions_with_log(target: &str) -> Duration {
    let server = Threads::echo();
    let gateway = Gateway::start(
        &format!("  log {target} local0"),
        "  log global\n  option tcplog",
        &format!("  server s1 127.0.0.1:{}", server.port()),
    );
    let began = Instant::now();
    for _ in 0..300 {
        let mut client = gateway.connect();
        client.send(b"hello");
        assert_eq!(client.receive_text(5), "hello");
    }
    began.elapsed()
}

#[test]
fn a_dead_or_stuck_log_target_does_not_slow_traffic() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("log");
    // Nobody reads it: its buffer is full after a few lines.
    let _stuck = std::os::unix::net::UnixDatagram::bind(&path).expect("a socket");
    let refusing = Server::refusing();
    for target in [format!("127.0.0.1:{}", refusing.port()), path.display().to_string()] {
        let took = sessions_with_log(&target);
        println!("300 sessions with log {target}: {took:?}");
        assert!(took < Duration::from_secs(10), "log {target} slowed 300 sessions to {took:?}");
    }
}

#[test]
fn nothing_is_left_after_a_thousand_short_sessions() {
    let server = Threads::echo();
    let gateway = Gateway::to(server.port());
    let churn = || {
        for n in 0..500 {
            let mut client = gateway.connect();
            client.send(b"hello");
            match n % 3 {
                0 => assert_eq!(client.receive_text(5), "hello"),
                1 => client.finish(),
                _ => client.reset(),
            }
        }
    };
    churn();
    gateway.assert_descriptors_return();
    let before = gateway.proxy.resident_kib();
    churn();
    gateway.assert_descriptors_return();
    let settled = wait_for(PATIENCE, || (gateway.proxy.resident_kib() <= before + 2048).then_some(()));
    assert!(settled.is_some(), "memory grew from {before} to {} KiB", gateway.proxy.resident_kib());
}

/// Seconds until the kernel asks the peer whether it is still there (timer 2 is keep-alive, in hundredths).
fn probed_in(here: SocketAddr, there: SocketAddr) -> Option<u64> {
    let row = kernel_row(here, there).expect("a connection");
    let hundredths = row[2].strip_prefix("02:")?;
    Some(u64::from_str_radix(hundredths, 16).expect("a number") / 100)
}

#[test]
fn silent_peers_are_probed_when_the_configuration_says() {
    let server = Server::listening();
    let defaults =
        "  option tcpka\n  clitcpka-idle 100\n  srvtcpka-idle 5m\n  srvtcpka-cnt 3\n  srvtcpka-intvl 7s";
    let backend = format!("  server s1 127.0.0.1:{}", server.port());
    let gateway = Gateway::start("", defaults, &backend);
    let client = gateway.connect();
    let session = server.accept();
    let client_port = client.stream.local_addr().expect("connected");
    let proxy_port = session.stream.peer_addr().expect("connected");
    let to_client = probed_in(gateway.address(), client_port).expect("a timer");
    let to_server = probed_in(proxy_port, session.stream.local_addr().expect("connected")).expect("a timer");
    assert!((60..=100).contains(&to_client) && (260..=300).contains(&to_server), "{to_client} {to_server}");

    let gateway = Gateway::start("", "", &backend);
    let client = gateway.connect();
    let _session = server.accept();
    assert_eq!(probed_in(gateway.address(), client.stream.local_addr().expect("connected")), None);
}
