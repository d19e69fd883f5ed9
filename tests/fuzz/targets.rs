//! What reads bytes that others wrote, each as a function that must return, whatever it is given.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::ffi::OsStringExt;

use pronk::admin::dialogue::{self, Dialogue, Next};
use pronk::admin::page::request::{Parsed, Request, unchunked};
use pronk::config::diagnostic::{Banner, render};
use pronk::config::{Environment, Source, Supplies, Wants};
use pronk::impala::thrift::{Limits, Message};
use pronk::rules::{Facts, Fetch, fetch_names};

/// One of them.
pub type Target = fn(&[u8]);

/// Name, as of the corpus' folder, and function.
pub const TARGETS: &[(&str, Target)] = &[
    ("config", config),
    ("command_line", command_line),
    ("runtime", runtime),
    ("page", page),
    ("peek", peek),
    ("thrift", thrift),
    ("counters", counters),
];

/// A configuration file: read, resolved with an answer to every question, and what is said rendered.
pub fn config(text: &[u8]) {
    let sources = [Source { name: "h.cfg".to_owned(), text: text.to_vec() }];
    let mut environment: Environment = [("HOST", "127.0.0.1"), ("EMPTY", "")].into_iter().collect();
    environment.predefine(&["h.cfg"], "gateway", false);
    let supplies = supply(pronk::config::wants(&sources, &environment, &Supplies::default()));
    let (read, said) = pronk::config::parse(&sources, &environment, &supplies);
    assert!(read.is_some() || !said.is_empty(), "a file is refused with a reason");
    render(&said, &Banner { pid: 1, notices: &[], show_diag: true });
}

fn supply(wants: Wants) -> Supplies {
    let mut supplies = Supplies::default();
    for host in wants.hosts {
        supplies.hosts.add(host, Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
    for name in wants.users {
        supplies.users.add(name, Ok(99));
    }
    for name in wants.groups {
        supplies.groups.add(name, Ok(99));
    }
    supplies
}

/// The arguments of a command, one a line.
pub fn command_line(lines: &[u8]) {
    let arguments = lines.split(|byte| *byte == b'\n').map(|line| OsString::from_vec(line.to_vec()));
    // A mistake is an answer too.
    let _ = pronk::cli::parse(arguments);
}

/// What a client of the stats socket sends, in one piece and byte by byte: the same lines.
pub fn runtime(bytes: &[u8]) {
    let (mut whole, mut pieces) = (Dialogue::default(), Dialogue::default());
    whole.receive(bytes);
    whole.receive(b"");
    let expected = lines(&mut whole);
    let mut heard = Vec::new();
    for byte in bytes {
        pieces.receive(&[*byte]);
        heard.extend(lines(&mut pieces));
        if heard.last() == Some(&Next::TooLong) {
            break;
        }
    }
    assert_eq!(heard, expected);
    for next in expected {
        if let Next::Line(line) = next {
            dialogue::commands(&line.text);
        }
    }
}

/// Up to the end, or to what ends the connection.
fn lines(dialogue: &mut Dialogue) -> Vec<Next> {
    let mut lines = Vec::new();
    loop {
        match dialogue.advance() {
            Next::More | Next::End => return lines,
            Next::TooLong => {
                lines.push(Next::TooLong);
                return lines;
            }
            Next::Continued => {}
            line => lines.push(line),
        }
    }
}

/// What a client of the stats page sends: a request is the same when more follows it.
pub fn page(bytes: &[u8]) {
    if let Parsed::Whole(request, length) = Request::parse(bytes) {
        let Parsed::Whole(alone, same) = Request::parse(&bytes[..length]) else {
            panic!("a whole head is no request without its body");
        };
        assert_eq!((alone, same), (request.clone(), length));
        assert!(request.line().contains(&request.target));
        let (whole, path, query) = (request.path_and_query(), request.path(), request.query());
        assert_eq!(whole.len(), path.len() + query.len() + usize::from(whole.contains('?')));
        unchunked(&bytes[length..]);
    }
}

/// A client's first bytes, as conditions look at them.
pub fn peek(bytes: &[u8]) {
    let facts = Facts { src: None, dst: None, bytes };
    for (name, _) in fetch_names() {
        Fetch::named(name).expect("it is listed").sample(&facts);
    }
}

/// A Thrift message, as a coordinator may send one: what can be read is written and read the same.
pub fn thrift(mut bytes: &[u8]) {
    let limits = Limits::default();
    if let Ok(message) = Message::read(&mut bytes, limits) {
        let written = message.to_bytes().expect("what was read is short enough");
        let again = Message::read(&mut written.as_slice(), limits).expect("what was written can be read");
        // NaN is no equal of itself.
        assert_eq!(format!("{again:?}"), format!("{message:?}"));
    }
}

/// A file of counters.
pub fn counters(bytes: &[u8]) {
    pronk::stats::file::read(&String::from_utf8_lossy(bytes));
}
