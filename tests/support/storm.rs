//! Constant short connections and long ones that stay, while the proxy between them and an echo server is
//! replaced. Every answer is compared byte by byte; whatever fails is kept with what it was.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{PATIENCE, wait_for};

const SHORT_THREADS: u64 = 3;
/// Long connections are driven by one thread, one after the other.
const LONG_PAUSE: Duration = Duration::from_millis(2);

struct Shared {
    stop: AtomicBool,
    short: AtomicUsize,
    rounds: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

/// The load, until it is ended.
pub struct Storm {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Storm {
    /// Opens `long` connections that stay, and short ones without a pause.
    pub fn begin(address: SocketAddr, long: usize) -> Storm {
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            short: AtomicUsize::new(0),
            rounds: AtomicUsize::new(0),
            failures: Mutex::default(),
        });
        let kept: Vec<TcpStream> =
            (0..long).map(|_| connect(address).expect("the first proxy serves")).collect();
        let (of_short, of_long) = (shared.clone(), shared.clone());
        let mut threads: Vec<_> = (0..SHORT_THREADS)
            .map(|seed| {
                let shared = of_short.clone();
                thread::spawn(move || shorts(address, seed, &shared))
            })
            .collect();
        threads.push(thread::spawn(move || longs(kept, &of_long)));
        Storm { shared, threads }
    }

    /// Waits until so many more short connections were served and every long one was used once more; a tenth of
    /// `PRONK_RELOAD_SECONDS` at least, where the environment sets them.
    pub fn pass(&self, short: usize) {
        let seconds = std::env::var("PRONK_RELOAD_SECONDS").ok().and_then(|text| text.parse().ok());
        let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(0)) / 10;
        let (count, round) = (self.shared.short.load(SeqCst) + short, self.shared.rounds.load(SeqCst) + 2);
        let enough = || self.shared.short.load(SeqCst) >= count && self.shared.rounds.load(SeqCst) >= round;
        let passed = wait_for(PATIENCE * 3, || (enough() || !self.failures().is_empty()).then_some(()));
        assert!(passed.is_some(), "the load does not get through");
        let failed = || Instant::now() >= end || !self.failures().is_empty();
        wait_for(end.saturating_duration_since(Instant::now()), || failed().then_some(()));
    }

    pub fn failures(&self) -> Vec<String> {
        self.shared.failures.lock().expect("not poisoned").clone()
    }

    /// Ends the load: how many short connections there were; every failure is one of the test.
    pub fn end(mut self) -> usize {
        self.shared.stop.store(true, SeqCst);
        for thread in std::mem::take(&mut self.threads) {
            thread.join().expect("a thread of the load");
        }
        let failures = self.shared.failures.lock().expect("not poisoned");
        let count = self.shared.short.load(SeqCst);
        assert!(failures.is_empty(), "{} of {count} failed: {failures:#?}", failures.len());
        count
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
    }
}

impl Shared {
    fn fail(&self, what: &str, error: &io::Error) {
        self.failures.lock().expect("not poisoned").push(format!("{what}: {error}"));
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends a text that is like no other and reads it back.
fn exchange(stream: &mut TcpStream, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer)?;
    if answer == text.as_bytes() { Ok(()) } else { Err(io::Error::other("another answer")) }
}

fn shorts(address: SocketAddr, seed: u64, shared: &Shared) {
    let mut number = 0_u64;
    while !shared.stop.load(SeqCst) {
        number += 1;
        let text = format!("short {seed} {number} {:0>200}", number * 7919 + seed);
        match short(address, &text) {
            Ok(()) => drop(shared.short.fetch_add(1, SeqCst)),
            Err(error) => shared.fail(&format!("short connection {seed}.{number}"), &error),
        }
    }
}

/// One connection from its handshake to both ends.
fn short(address: SocketAddr, text: &str) -> io::Result<()> {
    let step = |step: &'static str| move |error: io::Error| io::Error::other(format!("{step}: {error}"));
    let mut stream = connect(address).map_err(step("connect"))?;
    exchange(&mut stream, text).map_err(step("exchange"))?;
    stream.shutdown(Shutdown::Write).map_err(step("half-close"))?;
    match stream.read(&mut [0; 16]).map_err(step("end"))? {
        0 => Ok(()),
        _ => Err(io::Error::other("bytes behind the answer")),
    }
}

fn longs(mut kept: Vec<TcpStream>, shared: &Shared) {
    while !shared.stop.load(SeqCst) {
        let round = shared.rounds.load(SeqCst);
        for (index, stream) in kept.iter_mut().enumerate() {
            if let Err(error) = exchange(stream, &format!("long {index} {round}")) {
                return shared.fail(&format!("long connection {index} in round {round}"), &error);
            }
        }
        shared.rounds.fetch_add(1, SeqCst);
        thread::sleep(LONG_PAUSE);
    }
}
