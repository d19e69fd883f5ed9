//! What the kernel is asked to do for a round trip, for a short session and for a GiB: system calls by name,
//! ring submissions and completions, bytes copied. Counted, not timed, so that it holds on any machine. A
//! change that costs more fails here; one that costs less says so here, by a smaller number.
//!
//! strace counts the calls of the worker's thread, /proc what its ring has taken and answered.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::child::{Killed, Lines, command};
use support::echo::Threads;
use support::port::Port;
use support::proxy::{Program, Proxy};
use support::stats::ask;
use support::{PATIENCE, wait_for};

/// One worker behind one port, with a stats socket and everything that is on by default but for looking before it
/// sleeps: how often that is done depends on time.
struct Gateway {
    proxy: Proxy,
    port: Port,
    worker: u32,
    ring: String,
}

/// What the worker did between two looks.
#[derive(Debug)]
struct Effort {
    calls: BTreeMap<String, u64>,
    submissions: u64,
    completions: u64,
    copied: u64,
    spliced: u64,
}

impl Effort {
    /// How many were sent at once, which from now on count as submitted and answered: whether a message comes alone is
    /// the machine's affair.
    fn take_at_once(&mut self) -> u64 {
        let at_once = self.calls.remove(AT_ONCE).unwrap_or(0);
        self.submissions += at_once;
        self.completions += at_once;
        at_once
    }
}

impl Gateway {
    fn before(server: &Threads) -> Gateway {
        let port = Port::reserve();
        let config = format!(
            "global\n    nbthread 1\n    tune.busy-spin 0\n    stats socket unix@stats.sock level admin\n\
             defaults\n    mode tcp\n    timeout connect 10s\n    timeout client 1h\n    timeout server 1h\n\
             listen l\n    bind 127.0.0.1:{}\n    server s 127.0.0.1:{}\n",
            port.number,
            server.port()
        );
        let proxy = Proxy::start(&Program::Pronk, &config, &[&port]);
        let (worker, ring) = (worker_of(proxy.pid()), ring_of(proxy.pid()));
        Gateway { proxy, port, worker, ring }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port.number)).expect("the gateway accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        stream.set_nodelay(true).expect("no delay");
        stream
    }

    /// (submissions, completions) of the worker's ring since its start. The kernel leaves them out of what it shows
    /// while the worker holds the ring's lock.
    fn ring_totals(&self) -> (u64, u64) {
        let totals = wait_for(PATIENCE, || {
            let shown = fs::read_to_string(&self.ring).expect("the ring's fdinfo");
            let value =
                |name: &str| shown.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
            Some((value("SqTail:")?, value("CqTail:")?))
        });
        totals.expect("the fields SqTail and CqTail")
    }

    /// The bytes spliced since its start, once `moved` bytes in all are and `live` sessions are left.
    fn settled(&self, moved: u64, live: u64) -> u64 {
        let socket = self.proxy.directory().join("stats.sock");
        let mut shown = String::new();
        let spliced = wait_for(PATIENCE, || {
            shown = ask(&socket, "show info\n").expect("show info");
            let value = |name: &str| -> u64 {
                let line =
                    shown.lines().find_map(|line| line.strip_prefix(name)).expect("a field of show info");
                line.trim().parse().expect("a number")
            };
            let settled = value("TotalBytesOut:") == moved && value("CurrConns:") == live;
            settled.then(|| value("TotalSplicedBytesOut:"))
        });
        spliced.unwrap_or_else(|| panic!("{moved} bytes and {live} sessions are expected:\n{shown}"))
    }

    /// What `work` costs that moves `more` bytes beside those `moved` already, while `live` sessions stay.
    fn effort(&self, live: u64, moved: u64, more: u64, work: impl FnOnce()) -> Effort {
        let spliced = self.settled(moved, live);
        let before = self.ring_totals();
        let trace = self.proxy.directory().join("trace");
        let strace = Trace::begin(self.worker, &trace);
        work();
        let spliced = self.settled(moved + more, live) - spliced;
        strace.end();
        let (after, calls) = (self.ring_totals(), calls(&trace));
        Effort {
            calls,
            submissions: after.0 - before.0,
            completions: after.1 - before.1,
            copied: more - spliced,
            spliced,
        }
    }
}

/// How a worker waits and submits ...
const WAIT: &str = "io_uring_enter";
/// ... and how it sends what a wake-up brought alone, which is then neither submitted nor answered.
const AT_ONCE: &str = "sendto";

/// The thread of the only worker.
fn worker_of(pid: u32) -> u32 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process's threads");
    let mut tasks = tasks.map(|task| task.expect("a thread").path());
    let named =
        |path: &Path| fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with("worker"));
    let task = tasks.find(|path| named(path)).expect("a worker");
    task.file_name().and_then(|name| name.to_str()?.parse().ok()).expect("a thread's number")
}

/// Submissions that fit into a worker's ring, less one.
const WORKERS_MASK: u64 = 1023;

/// The worker's ring: the largest, the others serve the threads of control.
fn ring_of(pid: u32) -> String {
    let size = |shown: String| -> Option<u64> {
        let mask = shown.lines().find_map(|line| line.strip_prefix("SqMask:"))?.trim();
        u64::from_str_radix(mask.trim_start_matches("0x"), 16).ok()
    };
    // A ring whose lock is held shows nothing.
    let largest = wait_for(PATIENCE, || {
        let entries = fs::read_dir(format!("/proc/{pid}/fdinfo")).expect("the process's descriptors");
        let files = entries.map(|entry| entry.expect("a descriptor").path());
        let sized = files.filter_map(|file| Some((size(fs::read_to_string(&file).ok()?)?, file)));
        sized.max().filter(|(mask, _)| *mask == WORKERS_MASK).map(|(_, file)| file)
    });
    largest.expect("a ring of a worker").to_str().expect("plain text").to_owned()
}

/// strace on one thread.
struct Trace {
    child: Killed,
    said: Lines,
}

impl Trace {
    fn begin(thread: u32, into: &Path) -> Trace {
        let mut child = command("strace")
            .arg("-o")
            .arg(into)
            .args(["-p", &thread.to_string()])
            .stderr(Stdio::piped())
            .spawn()
            .expect("strace is installed");
        let said = Lines::of(child.stderr.take().expect("piped"));
        let child = Killed(child);
        said.until(PATIENCE, |line| line.contains("attached"));
        Trace { child, said }
    }

    /// Lets the thread go; every call until now is written.
    fn end(mut self) {
        let pid = self.child.0.id().to_string();
        assert!(Command::new("kill").args(["-s", "INT", &pid]).status().expect("kill runs").success());
        while self.said.next(PATIENCE).is_some() {}
        self.child.0.wait().expect("strace ends");
    }
}

/// How many answers each wait was to wait for.
fn awaited(trace: &Path) -> Vec<u64> {
    let text = fs::read_to_string(trace).expect("what strace wrote");
    let waits = text.lines().filter_map(|line| line.strip_prefix(WAIT)?.strip_prefix('('));
    waits.filter_map(|arguments| arguments.split(", ").nth(2)?.parse().ok()).collect()
}

/// Calls begun while it was watched, by name. In a debug build the standard library asks by fcntl whether a
/// descriptor is open before it closes it.
fn calls(trace: &Path) -> BTreeMap<String, u64> {
    let mut calls = BTreeMap::new();
    for line in fs::read_to_string(trace).expect("what strace wrote").lines() {
        // Not what was under way when it attached, nor what it says itself.
        let name = line.split_once('(').map(|(name, _)| name);
        let is_call = |name: &&str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if let Some(name) = name.filter(is_call).filter(|name| *name != "fcntl") {
            *calls.entry(name.to_owned()).or_default() += 1;
        }
    }
    calls
}

fn trip(stream: &mut TcpStream, bytes: &mut [u8]) {
    stream.write_all(bytes).expect("the gateway takes a request");
    stream.read_exact(bytes).expect("the gateway brings the answer");
}

/// What `count` units of work cost, which send twice each, `alone` times as all that is to do: exactly, but for the
/// waits. A busy machine needs fewer and a slow one more, where what came together elsewhere comes one by one; timers
/// and strace itself end a few. One more for each unit is seen.
fn assert_each(mut effort: Effort, count: u64, [waits, alone]: [u64; 2], per_unit: &[(&str, u64)]) {
    let at_once = effort.take_at_once();
    assert!(
        (alone * count * 3 / 4..=2 * count).contains(&at_once),
        "{at_once} of {} sent at once",
        2 * count
    );
    let waited = effort.calls.remove(WAIT).unwrap_or(0);
    assert!(waited <= waits * count + count / 2, "{waited} waits for {count}");
    let calls: Vec<(&str, u64)> = effort.calls.iter().map(|(name, calls)| (name.as_str(), *calls)).collect();
    let expected: Vec<(&str, u64)> = per_unit.iter().map(|&(name, each)| (name, each * count)).collect();
    let ring = [("completions", effort.completions), ("submissions", effort.submissions)];
    let bytes = [("copied", effort.copied), ("spliced", effort.spliced)];
    assert_eq!([&calls[..], &ring, &bytes].concat(), expected, "of {count}");
}

#[test]
fn a_round_trip_in_lock_step() {
    let server = Threads::echo();
    let gateway = Gateway::before(&server);
    let mut client = gateway.connect();
    let mut bytes = [7; 200];
    trip(&mut client, &mut bytes);
    let effort = gateway.effort(1, 400, 500 * 400, || (0..500).for_each(|_| trip(&mut client, &mut bytes)));
    // Each way: received and sent.
    let each = [("completions", 4), ("submissions", 2), ("copied", 400), ("spliced", 0)];
    assert_each(effort, 500, [2, 2], &each);
}

#[test]
fn a_short_session_in_lock_step() {
    let server = Threads::echo();
    let gateway = Gateway::before(&server);
    let mut bytes = [7; 200];
    let mut visit = || {
        let mut client = gateway.connect();
        trip(&mut client, &mut bytes);
        client.shutdown(Shutdown::Write).expect("nothing more to say");
        assert_eq!(client.read(&mut bytes).expect("the end"), 0);
    };
    visit();
    let effort = gateway.effort(0, 400, 200 * 400, || (0..200).for_each(|_| visit()));
    // Accept, connect, two receives and two sends are submitted, the sends unless they are all there is to do; the FIN to the client is its close.
    let each = [
        ("close", 2),
        ("getpeername", 1),
        ("setsockopt", 1),
        ("shutdown", 1),
        ("socket", 1),
        ("completions", 8),
        ("submissions", 6),
        ("copied", 400),
        ("spliced", 0),
    ];
    assert_each(effort, 200, [6, 1], &each);
}

#[test]
fn round_trips_of_many_share_their_waits() {
    const CLIENTS: u64 = 64;
    const ROUNDS: u64 = 50;
    let server = Threads::echo();
    let gateway = Gateway::before(&server);
    let mut clients: Vec<TcpStream> = (0..CLIENTS).map(|_| gateway.connect()).collect();
    let mut bytes = [7; 200];
    clients.iter_mut().for_each(|client| trip(client, &mut bytes));
    let trips = CLIENTS * ROUNDS;
    let mut effort = gateway.effort(CLIENTS, 400 * CLIENTS, 400 * trips, || {
        for _ in 0..ROUNDS {
            clients.iter_mut().for_each(|client| client.write_all(&bytes).expect("taken"));
            clients.iter_mut().for_each(|client| client.read_exact(&mut bytes).expect("brought"));
        }
    });
    // How many come together is the machine's affair, but most do.
    let at_once = effort.take_at_once();
    assert!(at_once <= trips / 2, "{at_once} of {} sent at once", 2 * trips);
    let ring = (effort.submissions, effort.completions, effort.spliced);
    assert_eq!(ring, (2 * trips, 4 * trips, 0), "{effort:?}");
    assert!(effort.calls[WAIT] <= 2 * trips && effort.calls.len() == 1, "{effort:?}");
}

#[test]
fn bulk_is_spliced_in_large_pieces() {
    const ANSWER: usize = 64 << 20;
    let server = Threads::start(|mut stream| {
        let block = vec![5; ANSWER];
        // The test's end ends the connection in the middle of nothing.
        while stream.read_exact(&mut [0; 1]).is_ok() && stream.write_all(&block).is_ok() {}
    });
    let gateway = Gateway::before(&server);
    let mut client = gateway.connect();
    let mut answer = vec![0; ANSWER];
    let all = ANSWER as u64 + 1;
    let effort = gateway.effort(1, 0, all, || {
        client.write_all(&[1]).expect("the gateway takes a request");
        client.read_exact(&mut answer).expect("the gateway brings the answer");
    });
    // Until the answer is known to be bulk, and again where it falters: each time the receive that is told to stop may
    // fill 32 buffers more.
    assert!(effort.copied < 3 * 36 * 16_384, "{effort:?}");
    // 16 KiB a splice at the very least, one in and one out, and as many polls where a side was not ready.
    let most = 2 * all / 16_384;
    assert!(effort.calls["splice"] + effort.calls[WAIT] <= 2 * most, "{effort:?}");
    assert!(effort.submissions <= most, "{effort:?}");
}

#[test]
fn readiness_is_collected_while_only_bulk_moves() {
    const PIECE: usize = 256 << 10;
    const PIECES: usize = 600;
    let server = Threads::start(|mut stream| {
        let piece = vec![5; PIECE];
        let mut send = |_| {
            std::thread::sleep(Duration::from_millis(1));
            stream.write_all(&piece)
        };
        // The test's end ends the connection in the middle of nothing.
        let _ = (0..PIECES).try_for_each(&mut send);
    });
    let gateway = Gateway::before(&server);
    let trace = gateway.proxy.directory().join("waits");
    let collected = wait_for(PATIENCE, || {
        let mut client = gateway.connect();
        let strace = Trace::begin(gateway.worker, &trace);
        client.read_exact(&mut vec![0; PIECES * PIECE]).expect("the gateway brings everything");
        strace.end();
        awaited(&trace).iter().any(|&answers| answers > 1).then_some(())
    });
    assert!(collected.is_some(), "every wait ends with the first answer");
}
