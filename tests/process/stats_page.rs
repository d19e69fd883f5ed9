//! The stats page on a `mode http` listener.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::run::{Running, http};
use crate::support::port::Port;
use crate::support::{PATIENCE, wait_for};

fn started(settings: &str) -> (Running, Port) {
    let port = Port::reserve();
    let sections = format!(
        "listen web\n  mode http\n  bind 127.0.0.1:{}\n  stats enable\n  stats uri /stats\n{settings}\nbackend b\n  server s1 127.0.0.1:9\n",
        port.number
    );
    (Running::start("", &sections), port)
}

fn get(target: &str, more: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}\r\n")
}

#[test]
fn the_page_asks_for_an_account() {
    let (_running, port) = started("  stats auth a:b\n  stats realm Pronk\\ here\n");
    let refused = http(&port, &get("/stats", ""));
    assert!(refused.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{refused}");
    assert!(refused.contains("www-authenticate: Basic realm=\"Pronk here\"\r\n"), "{refused}");
    let wrong = http(&port, &get("/stats", "Authorization: Basic YTpj\r\n"));
    assert!(wrong.starts_with("HTTP/1.1 401"));
    let page = http(&port, &get("/stats", "Authorization: Basic YTpi\r\n"));
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("<section id=\"b\">"), "{page}");
}

#[test]
fn csv_is_what_the_stats_socket_shows() {
    let (running, port) = started("");
    let answer = http(&port, &get("/stats;csv", ""));
    let (head, csv) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains("content-type: text/plain"));
    let columns = |text: &str| text.lines().next().map(str::to_owned);
    assert_eq!(columns(csv), columns(&running.ask("show stat")));
    let names: Vec<&str> = csv.lines().skip(1).map(|line| line.split(",").nth(1).expect("a name")).collect();
    assert_eq!(names, ["FRONTEND", "BACKEND", "s1", "BACKEND"]);
}

#[test]
fn other_paths_get_haproxys_answer() {
    let (_running, port) = started("");
    let answer = http(&port, &get("/", ""));
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
    assert!(answer.contains("No server is available to handle this request."));
}

#[test]
fn refresh_can_be_switched_off_and_the_version_hidden() {
    let (_running, port) = started("  stats refresh 7s\n  stats hide-version\n");
    let page = http(&port, &get("/stats", ""));
    assert!(page.contains("\r\nrefresh: 7\r\n") && !page.contains(env!("CARGO_PKG_VERSION")));
    assert!(!http(&port, &get("/stats;norefresh", "")).contains("\r\nrefresh: "));
}

#[test]
fn oversized_and_broken_requests_are_refused() {
    let (_running, port) = started("");
    let mut stream = TcpStream::connect(port.address()).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let endless = format!("GET /stats HTTP/1.1\r\nX: {}", "x".repeat(100_000));
    // The other side may close before everything is sent.
    let _ = stream.write_all(endless.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&answer));
    assert!(http(&port, "\x16\x03\x01 this is not HTTP\r\n\r\n").starts_with("HTTP/1.1 400"));
    assert!(http(&port, &get("/stats", "")).starts_with("HTTP/1.1 200"));
}

#[test]
fn clients_of_the_page_are_counted() {
    let (running, port) = started("");
    for _ in 0..3 {
        http(&port, &get("/stats", ""));
    }
    let counted = wait_for(PATIENCE, || {
        let row = running.ask("show stat web 1 0");
        let cells: Vec<&str> = row.lines().nth(1)?.split(',').collect();
        // scur, smax and stot.
        (cells[4] == "0" && cells[7] == "3").then_some(())
    });
    assert!(counted.is_some(), "{}", running.ask("show stat web 1 0"));
}
