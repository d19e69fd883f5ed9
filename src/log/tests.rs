//! The log thread with real targets: dead, slow, full, moved away, and at the end.

use std::fs::File;
use std::io::Read;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::fixture::{self, lines, logging_to, record};
use super::{Level, LogHandle, RING_RECORDS, SessionSink};
use crate::config::model::{Config, LogAddress, LogFormat, LogTargetId};

const LINE: &str = "127.0.0.1:58050 [21/Nov/2026:00:05:21.769] tl tl/s1 1/0/53 9 -- 1/1/0/0/0 0/0";

/// The end of [`LINE`] after the date, which depends on the machine's time zone.
fn tail(line: &str) -> &str {
    line.split_once("] ").map_or(line, |(_, tail)| tail)
}

fn to_file(path: &Path) -> Config {
    logging_to(LogAddress::File(path.to_owned()), LogFormat::Raw)
}

/// Opens and starts, for one worker.
fn started(config: Config) -> (LogHandle, SessionSink) {
    let (handle, sink, _) = heard(config);
    (handle, sink)
}

/// The same with what is said of targets that take no lines.
fn heard(config: Config) -> (LogHandle, SessionSink, Receiver<String>) {
    let targets = super::open(&config, false).expect("targets of the test open");
    let (say, said) = channel();
    let targets = targets.complaining_to(move |text| drop(say.send(text.to_owned())));
    let (handle, mut sinks) = super::start(Arc::new(config), targets, 1, "vm").expect("the thread starts");
    (handle, sinks.remove(0), said)
}

/// Asks again and again for at most ten seconds.
fn within_deadline(what: &str, mut met: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !met() {
        assert!(Instant::now() < deadline, "not within ten seconds: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_session_arrives_at_a_syslog_server_as_one_datagram() {
    let server = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    server.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let address = LogAddress::Udp(server.local_addr().expect("bound"));
    let (handle, mut sink) = started(logging_to(address, LogFormat::Local));
    assert!(sink.push(record()));
    let mut datagram = [0; 2048];
    let size = server.recv(&mut datagram).expect("within ten seconds");
    let line = String::from_utf8_lossy(&datagram[..size]).into_owned();
    assert!(line.starts_with("<134>"), "{line}");
    let head = format!(" haproxy[{}]: 127.0.0.1:58050 [", std::process::id());
    assert!(line.contains(&head), "{line}");
    assert_eq!(tail(line.trim_end()), tail(LINE));
    handle.close();
}

#[test]
fn a_dead_syslog_server_costs_nothing_but_its_own_lines() {
    let dead = UdpSocket::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound");
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("log");
    let mut config = logging_to(LogAddress::Udp(dead), LogFormat::Raw);
    config.log_targets.push(fixture::target(LogAddress::File(path.clone()), LogFormat::Raw));
    config.proxies[0].logs.push(LogTargetId(1));
    let (handle, mut sink) = started(config);
    for _ in 0..100 {
        assert!(sink.push(record()));
    }
    handle.close();
    assert_eq!(lines(&path).len(), 100);
}

#[test]
fn a_syslog_daemon_may_start_later_and_again() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("dev-log");
    let (handle, _sink, said) = heard(logging_to(LogAddress::Unix(path.clone()), LogFormat::Short));
    for life in ["first", "second"] {
        let lost = handle.dropped();
        handle.notice(None, Level::Notice, "lost".to_owned());
        within_deadline("the line is counted", || handle.dropped() > lost);
        let daemon = UnixDatagram::bind(&path).expect("the path is free");
        daemon.set_nonblocking(true).expect("a socket");
        let mut datagram = [0; 64];
        within_deadline("a line arrives", || {
            handle.notice(None, Level::Notice, life.to_owned());
            daemon.recv(&mut datagram).is_ok()
        });
        assert!(datagram.starts_with(b"<5>"));
        drop(daemon);
        std::fs::remove_file(&path).expect("the daemon left it");
    }
    handle.close();
    assert!(handle.dropped() > 0);
    let said: Vec<String> = said.try_iter().collect();
    let what =
        format!("log to {}: No such file or directory; lines that do not arrive are counted", path.display());
    assert!(
        said.len() == 1 && said[0].starts_with(&what) && said[0].contains("= help: nobody listens"),
        "{said:?}"
    );
}

/// A pipe that nobody reads takes 64 KiB; the rest is counted, and nobody waits.
#[test]
fn a_full_pipe_loses_lines_and_time_of_nobody() {
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let (handle, mut sink) = started(logging_to(LogAddress::Fd(writer.as_raw_fd()), LogFormat::Raw));
    drop(writer);
    let total = 4 * RING_RECORDS;
    let mut refused = 0;
    for _ in 0..total {
        let pushing = Instant::now();
        refused += usize::from(!sink.push(record()));
        assert!(pushing.elapsed() < Duration::from_secs(5), "the worker waited");
    }
    let closing = Instant::now();
    handle.close();
    assert!(closing.elapsed() < Duration::from_secs(5), "close waited for the reader");
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("the pipe's other end is closed");
    let whole = text.lines().filter(|line| tail(line) == tail(LINE)).count();
    assert!(whole > 0, "the first lines fit");
    assert!(handle.dropped() > 0);
    let counted = whole + refused + usize::try_from(handle.dropped()).expect("a small number");
    assert_eq!(counted, total, "every line is written or counted");
}

#[test]
fn a_log_file_that_was_moved_or_removed_is_opened_anew() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (path, moved) = (folder.path().join("log"), folder.path().join("log.1"));
    let (handle, _sink) = started(to_file(&path));
    let say = |text: &str| handle.notice(None, Level::Notice, text.to_owned());
    say("before");
    within_deadline("the first line", || lines(&path) == ["before"]);
    std::fs::rename(&path, &moved).expect("rotated");
    say("after");
    within_deadline("a new file", || lines(&path) == ["after"]);
    assert_eq!(lines(&moved), ["before"]);
    std::fs::remove_file(&path).expect("removed");
    say("again");
    within_deadline("another new file", || lines(&path) == ["again"]);
    assert_eq!(handle.dropped(), 0);
    handle.close();
}

#[test]
fn under_a_chroot_a_file_stays_as_it_was_opened() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (path, moved) = (folder.path().join("log"), folder.path().join("log.1"));
    let mut config = to_file(&path);
    config.global.chroot = Some(folder.path().to_owned());
    let (handle, _sink) = started(config);
    std::fs::rename(&path, &moved).expect("rotated");
    handle.notice(None, Level::Notice, "still here".to_owned());
    handle.close();
    assert_eq!(lines(&moved), ["still here"]);
    assert!(!path.exists());
}

/// /dev/full answers every write with ENOSPC.
#[test]
fn a_full_disk_is_counted_and_holds_nobody_up() {
    let (handle, mut sink) = started(to_file(Path::new("/dev/full")));
    for _ in 0..1000 {
        assert!(sink.push(record()));
    }
    handle.close();
    assert_eq!(handle.dropped(), 1000);
}

fn named_pipe(folder: &Path) -> PathBuf {
    let path = folder.join("log");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).expect("a named pipe");
    path
}

#[test]
fn a_named_pipe_that_nobody_reads_is_refused_at_once() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let refused = super::open(&to_file(&named_pipe(folder.path())), false).expect_err("nobody reads");
    assert!(refused.to_string().contains("No such device or address"), "{refused}");
}

#[test]
fn a_named_pipe_whose_reader_is_slow_holds_nobody_up() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = named_pipe(folder.path());
    let reader = File::options().read(true).write(true).open(&path).expect("both ends never wait");
    let (handle, mut sink) = started(to_file(&path));
    let total = 4 * RING_RECORDS;
    let refused = (0..total).filter(|_| !sink.push(record())).count();
    let closing = Instant::now();
    handle.close();
    assert!(closing.elapsed() < Duration::from_secs(5), "close waited for the reader");
    assert!(refused as u64 + handle.dropped() > 0, "a pipe takes 64 KiB");
    drop(reader);
}

#[test]
fn close_writes_out_everything_that_was_handed_over() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("log");
    let (handle, mut sink) = started(to_file(&path));
    let taken = (0..RING_RECORDS).filter(|_| sink.push(record())).count();
    handle.notice(Some(crate::config::model::ProxyId(0)), Level::Warning, "Proxy tl stopped.".to_owned());
    handle.close();
    let written = lines(&path);
    assert_eq!(written.len(), taken + 1);
    assert!(written.contains(&"Proxy tl stopped.".to_owned()));
    assert_eq!(handle.dropped(), 0);
    handle.close();
}

#[test]
fn messages_after_the_end_are_counted() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (handle, _sink) = started(to_file(&folder.path().join("log")));
    handle.close();
    handle.notice(None, Level::Info, "late".to_owned());
    assert_eq!(handle.dropped(), 1);
}

#[test]
fn an_inherited_file_is_appended_to_and_a_closed_descriptor_refused() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("log");
    let file = File::create(&path).expect("a file");
    let (handle, mut sink) = started(logging_to(LogAddress::Fd(file.as_raw_fd()), LogFormat::Raw));
    assert!(sink.push(record()));
    handle.close();
    assert_eq!(lines(&path).iter().map(|line| tail(line)).collect::<Vec<_>>(), [tail(LINE)]);
    let refused = super::open(&logging_to(LogAddress::Fd(-1), LogFormat::Raw), false).expect_err("not open");
    assert_eq!(
        refused.to_string(),
        "cannot log to an inherited descriptor (Bad file descriptor) for [fd@-1]."
    );
}

#[test]
fn a_log_file_that_cannot_be_opened_stops_the_start_with_a_remedy() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("missing/log");
    let refused = super::open(&to_file(&path), false).expect_err("no such directory");
    let expected =
        format!("cannot open the log file (No such file or directory) for [file@{}].", path.display());
    assert_eq!(refused.to_string(), expected);
    assert!(refused.help().contains("create the directory"));
}
