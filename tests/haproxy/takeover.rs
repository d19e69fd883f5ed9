//! Pronk takes over from a running haproxy, and haproxy from Pronk: `-x` with `expose-fd listeners`, under load.

use std::time::{Duration, Instant};

use crate::installed;
use crate::support::echo::Threads;
use crate::support::port::Port;
use crate::support::proxy::{Program, Proxy};
use crate::support::stats::ask;
use crate::support::storm::Storm;
use crate::support::{PATIENCE, wait_for};

/// Longer than a departure takes.
const LONG: Duration = Duration::from_secs(3);
/// Shorter: the one before the last may be leaving yet.
const SHORT: Duration = Duration::from_millis(100);

/// Starts each program in turn on the same addresses; each takes the sockets of the one before, and serves for
/// `overlap` before the next one comes.
fn succession(programs: &[Program], overlap: Duration) {
    let (port, server) = (Port::reserve(), Threads::echo());
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("s.sock").display().to_string();
    let config = format!(
        "global\n  nbthread 2\n  stats socket {socket} level admin expose-fd listeners\n\
         defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
         listen x\n  bind 127.0.0.1:{}\n  server s 127.0.0.1:{}\n",
        port.number,
        server.port(),
    );
    let start = |program: &Program, more: &[&str]| {
        let arguments = [&["-db"], more].concat();
        let proxy = Proxy::spawn(program, &config, &arguments);
        let own = format!("Pid: {}\n", proxy.pid());
        let answers = || ask(std::path::Path::new(&socket), "show info\n").ok()?.contains(&own).then_some(());
        assert!(wait_for(PATIENCE, answers).is_some(), "{program:?}:\n{}", proxy.stderr());
        proxy
    };
    let mut running = vec![start(&programs[0], &[])];
    let storm = Storm::begin(port.address(), 50);
    for program in &programs[1..] {
        storm.pass(300);
        let old = running.last().expect("one runs").pid().to_string();
        running.push(start(program, &["-x", &socket, "-sf", &old]));
        // Pronk closes its sockets when nothing has come to them for a while, at the latest after two seconds.
        let began = Instant::now();
        while began.elapsed() < overlap {
            storm.pass(300);
        }
        assert_eq!(storm.failures(), Vec::<String>::new(), "{program:?} after {programs:?}");
    }
    println!("{} short and 50 long connections through {programs:?}, none lost", storm.end());
    running.pop();
    for mut old in running {
        assert_eq!(
            old.wait(PATIENCE).expect("it ends with its sessions").code(),
            Some(0),
            "{}",
            old.stderr()
        );
    }
}

#[test]
fn pronk_takes_over_from_haproxy() {
    succession(&[installed(), Program::Pronk, Program::Pronk], LONG);
}

#[test]
fn haproxy_takes_over_from_pronk() {
    succession(&[Program::Pronk, installed(), installed()], LONG);
}

#[test]
fn takeovers_may_follow_each_other_at_once() {
    succession(&[Program::Pronk, installed(), installed(), Program::Pronk, installed()], SHORT);
}
