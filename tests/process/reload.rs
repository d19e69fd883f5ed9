//! Replacing the running process: no connection is refused, reset or lost, by none of the ways in.
//!
//! Ten reloads under constant load, in about ten seconds; `PRONK_RELOAD_SECONDS=60` stretches them.

use std::fs;
use std::path::PathBuf;

use crate::run::{DEFAULTS, ask};
use crate::support::echo::Threads;
use crate::support::port::Port;
use crate::support::proxy::{Program, Proxy};
use crate::support::storm::Storm;
use crate::support::{PATIENCE, wait_for};

const RELOADS: u32 = 10;
const LONG: usize = 200;

/// What stays the same while the processes change.
struct Place {
    port: Port,
    server: Threads,
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place {
            port: Port::reserve(),
            server: Threads::echo(),
            directory: tempfile::tempdir().expect("a directory"),
        }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("s.sock")
    }

    fn config(&self, workers: usize) -> String {
        format!(
            "global\n  nbthread {workers}\n  stats socket {} level admin expose-fd listeners\n{DEFAULTS}\
             listen x\n  bind 127.0.0.1:{}\n  server s 127.0.0.1:{}\n",
            self.socket().display(),
            self.port.number,
            self.server.port(),
        )
    }

    /// Starts a process with these arguments and waits until it answers on the stats socket.
    fn start(&self, workers: usize, arguments: &[String]) -> Proxy {
        let mut all = vec!["-db"];
        all.extend(arguments.iter().map(String::as_str));
        let mut proxy = Proxy::spawn(&Program::Pronk, &self.config(workers), &all);
        let own = format!("Pid: {}\n", proxy.pid());
        let answers = wait_for(PATIENCE, || {
            if let Some(status) = proxy.exit_status() {
                panic!("{arguments:?} ended with {status}:\n{}", proxy.stderr());
            }
            ask(&self.socket(), "show info\n").ok()?.contains(&own).then_some(())
        });
        assert!(answers.is_some(), "it does not answer:\n{}", proxy.stderr());
        proxy
    }
}

/// Reloads ten times by starting a process with what `way` gives for the old one's pid; `workers` in turn.
fn replace(workers: &[usize], way: impl Fn(&Place, u32) -> Vec<String>) {
    let place = Place::new();
    let mut processes = vec![place.start(workers[0], &[])];
    let storm = Storm::begin(place.port.address(), LONG);
    for number in 1..=RELOADS as usize {
        storm.pass(100);
        let old = processes.last().expect("one runs").pid();
        processes.push(place.start(workers[number % workers.len()], &way(&place, old)));
        assert_eq!(storm.failures(), Vec::<String>::new(), "reload {number}");
    }
    storm.pass(100);
    let count = storm.end();
    println!("{count} short and {LONG} long connections over {RELOADS} reloads, none lost");
    // The long sessions have ended: every process but the last one goes.
    let last = processes.pop().expect("one runs");
    for mut old in processes {
        let status = old.wait(PATIENCE).unwrap_or_else(|| panic!("an old process stays:\n{}", old.stderr()));
        assert_eq!(status.code(), Some(0), "{}", old.stderr());
    }
    drop(last);
    assert_eq!(fs::read_dir(place.directory.path()).expect("readable").count(), 1, "only the socket");
}

#[test]
fn without_a_reload_nothing_is_lost_either() {
    let place = Place::new();
    let _one = place.start(2, &[]);
    let storm = Storm::begin(place.port.address(), LONG);
    for _ in 0..10 {
        storm.pass(500);
    }
    storm.end();
}

#[test]
fn a_new_process_takes_the_place_of_the_old_one() {
    replace(&[2], |_, old| vec!["-sf".to_owned(), old.to_string()]);
}

#[test]
fn the_number_of_workers_may_change() {
    replace(&[3, 1, 2], |_, old| vec!["-sf".to_owned(), old.to_string()]);
}

#[test]
fn listening_sockets_are_taken_over() {
    let way = |place: &Place, old: u32| {
        ["-x", &place.socket().display().to_string(), "-sf", &old.to_string()].map(str::to_owned).to_vec()
    };
    replace(&[2, 1, 3], way);
}

#[test]
fn a_hard_stop_comes_after_the_successor_runs() {
    let place = Place::new();
    let mut old = place.start(1, &[]);
    let new = place.start(1, &["-st".to_owned(), old.pid().to_string()]);
    let status = old.wait(PATIENCE).expect("it ends");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15));
    drop(new);
}

#[test]
fn a_successor_that_cannot_bind_gives_the_addresses_back() {
    let place = Place::new();
    let old = place.start(1, &[]);
    let held = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let config = format!("{}  bind {}\n", place.config(1), held.local_addr().expect("bound"));
    let mut new = Proxy::spawn(&Program::Pronk, &config, &["-db", "-sf", &old.pid().to_string()]);
    let status = new.wait(PATIENCE).expect("it gives up");
    assert_eq!(status.code(), Some(1), "{}", new.stderr());
    assert!(new.stderr().contains("Some protocols failed to start their listeners! Exiting"));
    // It was paused, and goes on a moment after it was told.
    let goes_on = || ask(&place.socket(), "show info\n").ok()?.contains("Stopping: 0").then_some(());
    assert!(wait_for(PATIENCE, goes_on).is_some(), "{}", old.stderr());
    assert!(wait_for(PATIENCE, || place.port.has_listener().then_some(())).is_some(), "{}", old.stderr());
    let storm = Storm::begin(place.port.address(), 1);
    storm.pass(20);
    storm.end();
}

#[test]
fn a_successor_that_can_never_bind_pauses_nobody() {
    let place = Place::new();
    let old = place.start(1, &[]);
    let storm = Storm::begin(place.port.address(), 5);
    // The old process is in the way of the first address, this machine of the second.
    let config = format!("{}  bind 192.0.2.1:{}\n", place.config(1), place.port.number);
    let exclusive = config.replace("global\n", "global\n  noreuseport\n");
    for text in [config, exclusive] {
        let mut new = Proxy::spawn(&Program::Pronk, &text, &["-db", "-sf", &old.pid().to_string()]);
        assert_eq!(new.wait(PATIENCE).and_then(|status| status.code()), Some(1), "{}", new.stderr());
        assert!(
            new.stderr().contains("cannot bind socket (Cannot assign requested address)"),
            "{}",
            new.stderr()
        );
    }
    storm.pass(50);
    assert_eq!(storm.failures(), Vec::<String>::new());
    storm.end();
    assert!(!old.stderr().contains("Paused"), "{}", old.stderr());
}

#[test]
fn a_successor_that_cannot_give_up_its_rights_leaves_the_stats_socket_alone() {
    let place = Place::new();
    let old = place.start(1, &[]);
    let text = place.config(1).replace("global\n", "global\n  chroot /nonexistent\n");
    let mut new = Proxy::spawn(&Program::Pronk, &text, &["-db", "-sf", &old.pid().to_string()]);
    assert_eq!(new.wait(PATIENCE).and_then(|status| status.code()), Some(1), "{}", new.stderr());
    assert!(
        new.stderr().contains("Cannot chroot(/nonexistent) (No such file or directory)"),
        "{}",
        new.stderr()
    );
    let info = ask(&place.socket(), "show info\n").expect("the old process answers");
    assert!(info.contains(&format!("Pid: {}\n", old.pid())) && info.contains("Stopping: 0"), "{info}");
}

#[test]
fn sockets_that_nobody_gives_are_an_error() {
    let place = Place::new();
    for program in ["/nonexistent/s.sock", "/dev/log"] {
        let mut proxy = Proxy::spawn(&Program::Pronk, &place.config(1), &["-db", "-x", program]);
        assert_eq!(proxy.wait(PATIENCE).expect("it ends").code(), Some(1));
        let told = proxy.stderr();
        assert!(told.contains("Failed to get the sockets from the old process") && told.contains("= help: "));
    }
    drop(place.start(1, &["-x".to_owned(), "/dev/null".to_owned()]));
}
