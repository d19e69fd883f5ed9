//! The two configurations that people publish, run as they stand but for addresses and the pid file,
//! in front of real servers.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use crate::clients::{Clients, strict_shell};
use crate::rotation;
use crate::spark::Spark;
use crate::support::echo::Threads;
use crate::support::peer::Peer;
use crate::support::port::has_listener;
use crate::support::proxy::{Program, Proxy};
use crate::support::{PATIENCE, wait_for};

const IMPALA_DOCUMENTATION: &str = include_str!("../haproxy/published/impala-documentation.cfg");
const CLUSTER_GUIDE: &str = include_str!("../haproxy/published/cluster-guide.cfg");

pub fn configurations_run(servers: &[Spark], clients: &mut Clients) {
    impala_documentation(servers, clients);
    cluster_guide(servers, clients);
}

/// A port of every address; these configurations listen on all of them.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|free| free.local_addr())
        .expect("a free port")
        .port()
}

/// The configuration with other ports and servers, and a pid file that disturbs nobody.
fn addressed(config: &str, ports: &[(&str, u16)], servers: &[(&str, u16)]) -> String {
    let mut text = config.replace("/var/run/haproxy.pid", "haproxy.pid");
    for (old, new) in ports {
        assert!(text.contains(old), "the configuration has no {old}");
        text = text.replace(old, &format!(":{new}"));
    }
    for (old, new) in servers {
        assert!(text.contains(old), "the configuration has no {old}");
        text = text.replace(old, &format!("127.0.0.1:{new}"));
    }
    text
}

fn start(config: &str, port: u16) -> Proxy {
    let mut proxy = Proxy::spawn(&Program::Pronk, config, &["-db"]);
    let accepts = wait_for(PATIENCE, || {
        assert_eq!(proxy.exit_status(), None, "it ended: {}\n{config}", proxy.stderr());
        has_listener(port).then_some(())
    });
    assert!(accepts.is_some(), "it does not listen: {}\n{config}", proxy.stderr());
    proxy
}

fn impala_documentation(servers: &[Spark], clients: &mut Clients) {
    let (stats, impala, jdbc) = (free_port(), free_port(), free_port());
    let [one, two, three] = [&servers[0], &servers[1], &servers[2]].map(|server| server.port);
    let config = addressed(
        IMPALA_DOCUMENTATION,
        &[(":25002", stats), (":25003", impala), (":21051", jdbc)],
        &[
            ("127.0.0.1:21000", one),
            ("127.0.0.2:21000", two),
            ("127.0.0.3:21000", three),
            ("127.0.0.1:21050", one),
            ("127.0.0.2:21050", two),
            ("127.0.0.3:21050", three),
        ],
    );
    let _proxy = start(&config, impala);
    let shell: Vec<String> = (0..3).map(|_| strict_shell(impala).expect("impala-shell succeeds")).collect();
    println!("Impala's documentation, leastconn: {shell:?}");
    let through_jdbc: Vec<String> = (0..3).map(|_| clients.ask(&format!("pyhive {jdbc}"))).collect();
    println!("Impala's documentation, source: {through_jdbc:?}");
    assert!(through_jdbc.iter().all(|name| *name == through_jdbc[0] && name.starts_with("coord")));
    let anonymous = http(stats, "GET /haproxy?stats HTTP/1.0\r\n\r\n");
    assert!(anonymous.contains(" 401 "), "{anonymous}");
    // username:password
    let table = http(
        stats,
        "GET /haproxy?stats;csv HTTP/1.0\r\nAuthorization: Basic dXNlcm5hbWU6cGFzc3dvcmQ=\r\n\r\n",
    );
    assert!(table.contains(" 200 ") && table.contains("\nimpala,symbolic_name_1,"), "{table}");
}

fn http(port: u16, request: &str) -> String {
    let mut client = Peer::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    client.send(request.as_bytes());
    client.receive_text(1 << 20)
}

fn cluster_guide(servers: &[Spark], clients: &mut Clients) {
    let (main, web) = (free_port(), Threads::naming(b's'));
    let [one, two, three] = [&servers[0], &servers[1], &servers[2]].map(|server| server.port);
    let config = addressed(
        CLUSTER_GUIDE,
        &[(":5000", main)],
        &[
            ("127.0.0.1:4331", web.port()),
            ("127.0.0.1:21050", one),
            ("127.0.0.2:21050", two),
            ("127.0.0.3:21050", three),
        ],
    );
    let proxy = start(&config, main);
    let seen: Vec<String> = (0..6).map(|_| clients.ask(&format!("impyla {main}"))).collect();
    println!("cluster guide, roundrobin: {seen:?}");
    assert_eq!(seen, rotation(&seen, servers));
    // The request is there when the session starts: the proxy stands still meanwhile.
    proxy.stop();
    let mut browser = Peer::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, main)));
    browser.send(b"GET /static/x HTTP/1.0\r\n\r\n");
    proxy.signal("CONT");
    assert_eq!(browser.receive(1), b"s", "a request for /static goes to the static backend");
}
