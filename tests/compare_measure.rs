//! What benches/compare measures with must be right, and benches run no tests: its load, its
//! counters of CPU time, and perf.

#![allow(dead_code)]

#[path = "../benches/compare/child.rs"]
mod child;
#[path = "../benches/compare/cores.rs"]
mod cores;
#[path = "../benches/compare/failure.rs"]
mod failure;
#[path = "../benches/compare/load/mod.rs"]
mod load;
#[path = "../benches/compare/measure.rs"]
mod measure;
#[path = "../benches/compare/peers/mod.rs"]
mod peers;
#[path = "../benches/compare/perf.rs"]
mod perf;
#[path = "../benches/compare/report/mod.rs"]
mod report;
#[path = "../benches/compare/workload/mod.rs"]
mod workload;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use cores::Cores;
use failure::Failure;
use load::Load;
use load::content::Shape;
use load::latency::Tally;
use load::moments::{self, Moments};
use load::server::Role;
use measure::{CpuReading, Stolen};
use peers::{Kind, Peer, Programs};
use perf::{Look, Perf, Seen};
use report::metric::Metric;

const LIMIT: Duration = Duration::from_secs(5);

fn echoes() -> Load {
    Load::new(Shape::echo(200), moments::SHORT).expect("a load")
}

/// How often this thread gave up its core by itself while the load worked for a moment.
fn sleeps(load: &mut Load) -> u64 {
    let count = || {
        let status = fs::read_to_string("/proc/thread-self/status").expect("the kernel tells");
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|count| count.trim().parse::<u64>().ok()).expect("a number")
    };
    let before = count();
    load.run_for(Duration::from_millis(30)).expect("the load works");
    count() - before
}

/// A second and a moment of answers at so many microseconds each from the other; each took what `latency` says for its
/// number.
fn answers(moments: &mut Moments, every_us: u64, latency: impl Fn(u64) -> u64) {
    let begin = Instant::now();
    moments.begin(begin);
    for number in 0..=1_000_000 / every_us {
        moments.add(latency(number), begin + Duration::from_micros(number * every_us));
    }
}

#[test]
fn what_keeps_every_third_moment_is_not_usual() {
    let mut moments = Moments::new(moments::SHORT);
    assert_eq!(moments.usual_p99_ns(), None);
    // 2000 answers in 20 ms: in most moments two in a hundred are slow, in each third one all of them.
    answers(&mut moments, 10, |number| match (number / 2000 % 3, number % 50) {
        (0, _) => 4_000_000,
        (_, 0) => 300_000,
        _ => 100_000,
    });
    assert_eq!(moments.usual_p99_ns(), Some(300_000));
}

#[test]
fn a_moment_is_as_long_whoever_answers_and_has_enough_answers() {
    let usual = |length, every_us| {
        let mut moments = Moments::new(length);
        // Of each 20 ms from the beginning, the first one is slow.
        answers(&mut moments, every_us, |number| if number * every_us % 20_000 == 0 { 9 } else { 1 });
        moments.usual_p99_ns()
    };
    assert_eq!(usual(moments::SHORT, 125), None, "160 in 20 ms");
    assert_eq!(usual(moments::SHORT, 100), Some(1), "200, of which two are slower");
    assert_eq!(usual(moments::LONG, 1000), None, "100 in 100 ms");
    assert_eq!(usual(moments::LONG, 500), Some(9), "200 in 100 ms, of which five are slow");
}

#[test]
fn a_moment_that_is_interrupted_is_none_and_one_that_is_interrupted_by_the_host_is_one() {
    let mut moments = Moments::new(moments::SHORT);
    for slice in 0..3 {
        let begin = Instant::now();
        moments.begin(begin);
        (0..300).for_each(|number| moments.add(slice, begin + Duration::from_micros(number * 60)));
    }
    assert_eq!(moments.usual_p99_ns(), None, "none was over");
    let mut moments = Moments::new(moments::SHORT);
    let begin = Instant::now();
    moments.begin(begin);
    let full = |moments: &mut Moments, at: Duration, latency| {
        (0..300).for_each(|number| moments.add(latency, begin + at + Duration::from_micros(number * 60)));
    };
    full(&mut moments, ms(0), 1);
    (0..10).for_each(|_| moments.add(5, begin + ms(59)));
    full(&mut moments, ms(60), 9);
    moments.add(9, begin + ms(80));
    assert_eq!(moments.usual_p99_ns(), Some(5), "three: that without an answer is none");
}

/// The quantiles of nothing are 0, and what it cost is endless: a stalled proxy would be the best.
#[test]
fn nothing_completed_is_no_speed() {
    let mut tally = Tally::new(moments::SHORT);
    let speed = |tally: &Tally| workload::speed(Metric::TripRate, tally, ms(500));
    assert_eq!(why(speed(&tally)), "nothing completed in the steady interval");
    tally.begin();
    let begun = Instant::now();
    tally.count(true);
    tally.complete();
    tally.answer(begun);
    assert_eq!(why(speed(&tally)), "nothing completed in the steady interval", "it began before");
    tally.begin();
    tally.complete();
    tally.answer(Instant::now());
    assert_eq!(speed(&tally).expect("a trip")[0], (Metric::TripRate, 4.0));
}

#[test]
fn the_load_does_not_sleep_while_an_answer_is_on_its_way() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let Ok(SocketAddr::V4(to)) = silent.local_addr() else { panic!("bound to an IPv4 address") };
    assert!(sleeps(&mut echoes()) > 0, "nothing is awaited");
    let (mut trips, mut visits) = (echoes(), echoes());
    trips.connect_trips(1, to).expect("a connection");
    trips.run_until("a message", LIMIT, |load| load.trips.tally.on_their_way() == 1).expect("sent");
    assert_eq!(sleeps(&mut trips), 0);
    visits.run_visits(2, 1, to).expect("connections");
    assert_eq!(sleeps(&mut visits), 0);
}

#[test]
fn a_load_that_only_waits_is_not_at_work() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let Ok(SocketAddr::V4(to)) = silent.local_addr() else { panic!("bound to an IPv4 address") };
    let share = |load: &mut Load| {
        let (before, began) = (load.busy(), Instant::now());
        load.run_for(Duration::from_millis(100)).expect("the load works");
        (load.busy() - before).as_secs_f64() / began.elapsed().as_secs_f64()
    };
    let mut waits = echoes();
    waits.connect_trips(1, to).expect("a connection");
    waits.run_until("a message", LIMIT, |load| load.trips.tally.on_their_way() == 1).expect("sent");
    let waiting = share(&mut waits);
    assert!(waiting < 0.1, "{waiting}");
    let mut works = echoes();
    let to = works.server.addresses(Role::Echo).expect("a listener")[0];
    works.connect_trips(16, to).expect("connections");
    works.run_until("first trips", LIMIT, |load| load.trips.established() == 16).expect("answers");
    works.trips.run().expect("messages");
    let working = share(&mut works);
    assert!(working > 0.5, "{working}");
}

#[test]
fn what_is_complete_is_no_longer_on_its_way() {
    let mut load = echoes();
    let to = load.server.addresses(Role::Echo).expect("a listener")[0];
    load.connect_trips(2, to).expect("connections");
    load.run_visits(2, 3, to).expect("connections");
    load.visits.pause();
    load.run_until("first trips", LIMIT, |load| load.trips.established() == 2).expect("answers");
    load.run_until("visits", LIMIT, |load| load.visits.tally.on_their_way() == 0).expect("answers");
    assert_eq!(load.trips.tally.on_their_way(), 0);
    assert!(sleeps(&mut load) > 0);
}

/// What the kernel says of a thread: nanoseconds on a core and ready without one, times it left it, the core.
type Thread = (u32, [u64; 4]);

/// A reading of process 7 with these ticks, user and kernel, and of the load, ns on a core and without one.
fn reading(ticks: [u64; 2], threads: &[Thread], load: [u64; 2]) -> CpuReading {
    let proc = tempfile::tempdir().expect("a folder");
    let write = |path: String, text: String| {
        let path = proc.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    let stat = |[user, kernel]: [u64; 2], core| {
        format!("7 (a ) b) S{}{user} {kernel}{}{core} 0\n", " 0 ".repeat(10), " 0 ".repeat(23))
    };
    write("thread-self/schedstat".to_owned(), format!("{} {} 1\n", load[0], load[1]));
    write("7/stat".to_owned(), stat(ticks, 0));
    for &(id, [on_core, waited, switches, core]) in threads {
        let of = |file| format!("7/task/{id}/{file}");
        write(of("schedstat"), format!("{on_core} {waited} 1\n"));
        write(
            of("status"),
            format!("voluntary_ctxt_switches:\t{switches}\nnonvoluntary_ctxt_switches:\t1\n"),
        );
        write(of("stat"), stat([0, 0], core));
    }
    CpuReading::read(proc.path(), &[7]).expect("a reading")
}

const MS: u64 = 1_000_000;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn what_is_spent_is_what_came_between_two_readings() {
    let before = reading([10, 20], &[(1, [500 * MS, 50 * MS, 1000, 3])], [70 * MS, 7 * MS]);
    let threads = [(1, [540 * MS, 52 * MS, 1400, 3]), (2, [6 * MS, 0, 8, 2])];
    let spent = reading([11, 23], &threads, [80 * MS, 9 * MS]).since(&before);
    assert_eq!((spent.proxy, spent.busiest), (ms(46), ms(40)), "a thread that is new began at nothing");
    assert_eq!(spent.load_waited, ms(2));
    assert_eq!(spent.proxy_waited, ms(2));
    assert_eq!(spent.switches, 400 + 8 + 1, "both kinds of them");
    assert_eq!(spent.own_code(), Some(0.25));
}

#[test]
fn what_a_sibling_ran_on_its_core_keeps_nobody_from_it() {
    let waited = |sibling: [u64; 4]| {
        let before = reading([0, 0], &[(1, [0, 3 * MS, 0, 3]), (2, [100 * MS, 0, 0, 3])], [0, 0]);
        reading([0, 0], &[(1, [40 * MS, 12 * MS, 0, 3]), (2, sibling)], [0, 0]).since(&before).proxy_waited
    };
    assert_eq!(waited([100 * MS, 0, 0, 3]), ms(9), "it slept");
    assert_eq!(waited([105 * MS, 0, 0, 3]), ms(4));
    assert_eq!(waited([105 * MS, 0, 0, 2]), ms(9), "it ran elsewhere");
    assert_eq!(waited([120 * MS, 0, 0, 3]), ms(0), "more than was waited for");
}

#[test]
fn ticks_count_where_threads_have_ended() {
    let before = || reading([100, 0], &[(1, [0, 0, 0, 0])], [0, 0]);
    let spent =
        |ticks: u64| reading([100 + ticks, 0], &[(1, [20 * MS, 0, 0, 0])], [0, 0]).since(&before()).proxy;
    assert_eq!(spent(5), ms(20), "ticks are not exact");
    assert_eq!(spent(6), ms(60));
}

#[test]
fn what_the_host_stole_is_read_core_by_core() {
    let proc = tempfile::tempdir().expect("a folder");
    let cores = Cores { proxy: 1, load: 10, second: None, allowed: 12 };
    let read = |proxy: u64, load: u64| {
        let text = format!(
            "cpu 9 9 9 9 9 9 9 99 0 0\ncpu1 1 2 3 4 5 6 7 {proxy} 0 0\ncpu10 1 2 3 4 5 6 7 {load} 0 0\nintr 5\n"
        );
        fs::write(proc.path().join("stat"), text).expect("a file");
        Stolen::read(proc.path(), cores).expect("both cores")
    };
    assert_eq!(read(30, 8).since(read(12, 8)), Stolen { proxy: ms(180), load: ms(0) });
    let elsewhere = Cores { proxy: 2, ..cores };
    assert_eq!(Stolen::read(proc.path(), elsewhere), None);
    assert!(Stolen::take(one_core()).is_some(), "this kernel");
}

#[test]
fn two_builds_of_one_version_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let version = |text: &str| {
        let path = folder.path().join("haproxy");
        executable(&path, &format!("#!/bin/sh\necho HAProxy version 9\n{text}"));
        let programs = Programs { haproxy: Some(path), ..Programs::default() };
        Peer::find(Kind::HaproxyCopy, &programs).expect("it runs").expect("it is there").version
    };
    let before = version("# before");
    assert!(before.starts_with("HAProxy version 9, build "), "{before}");
    assert_ne!(version("# after"), before);
    assert_eq!(version("# before"), before);
}

/// A program of this text in the folder, as perf.
fn program(folder: &Path, text: &str) -> Perf {
    let path = folder.join("perf");
    executable(&path, &format!("#!/bin/sh\n{text}"));
    Perf::find(&path.display().to_string()).expect("it is there")
}

fn executable(path: &Path, text: &str) {
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a program");
}

fn why<T>(outcome: Result<T, Failure>) -> String {
    outcome.err().map(|failure| failure.to_string()).unwrap_or_default()
}

#[test]
fn a_perf_that_cannot_count_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |text: &str| why(program(folder.path(), text).check(Look::Calls));
    assert_eq!(check("exit 0\n"), "");
    let refusal = "perf cannot count raw_syscalls:sys_enter: ";
    assert_eq!(check("echo no rights >&2; echo more >&2; exit 1\n"), format!("{refusal}no rights"));
    assert_eq!(check("exit 1\n"), format!("{refusal}it does not say why"));
    assert_eq!(why(Perf::find("no-such-perf")), "no-such-perf is not installed");
    let perf = program(folder.path(), "");
    fs::remove_dir_all(folder.path()).expect("it was there");
    assert!(why(perf.check(Look::Calls)).starts_with("perf does not start: "));
}

/// What is seen by a perf that obeys, writes this as its result, and reports with this command.
fn seen(look: Look, result: &str, report: &str) -> Result<Seen, Failure> {
    let folder = tempfile::tempdir().expect("a folder");
    let obeys = format!(
        r#"
case $1 in script | report) {report}; esac
for word; do
    case $word in --control=fifo:*) fifos=${{word#*:}}; esac
    if [ "$before" = -o ]; then printf '%s' '{result}' >"$word"; fi
    before=$word
done
while read -r word; do
    echo ack
    # So long at most, where whoever started this test ignores the interrupt.
    if [ "$word" = disable ]; then sleep 0.3; exit; fi
done <"${{fifos%,*}}" >"${{fifos#*,}}"
"#
    );
    watch(program(folder.path(), &obeys), look, folder.path())
}

fn watch(perf: Perf, look: Look, folder: &Path) -> Result<Seen, Failure> {
    perf.watch(look, &[1], one_core(), folder)?.end()
}

/// Tests need no second one.
fn one_core() -> Cores {
    let allowed = rustix::thread::sched_getaffinity(None).expect("the kernel tells");
    let core = (0..rustix::thread::CpuSet::MAX_CPU).find(|core| allowed.is_set(*core)).expect("a core");
    Cores { proxy: core, load: core, second: None, allowed: 1 }
}

#[test]
fn what_perf_counted_is_read() {
    let seen = |result| seen(Look::Calls, result, "exit 1");
    assert!(matches!(seen("# a comment\n1234,,raw_syscalls:sys_enter,99,100.00\n"), Ok(Seen::Calls(1234))));
    let nonsense = "<not counted>,,raw_syscalls:sys_enter,0";
    assert!(why(seen(nonsense)).starts_with(&format!("perf counted '{nonsense}': ")));
    assert!(why(seen("something else\n")).starts_with("perf counted '': "));
}

#[test]
fn a_perf_that_does_not_report_says_why() {
    let seen = |report| seen(Look::Functions, "", report);
    assert!(
        matches!(seen("echo ' 50.00%  main '; exit"), Ok(Seen::Functions(text, _)) if text == "50.00%  main\n")
    );
    assert_eq!(why(seen("echo no samples >&2; exit 3")), "perf script failed: no samples");
}

#[test]
fn a_perf_that_ends_at_once_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let perf = program(folder.path(), "echo no such process; exit 2\n");
    let said = why(watch(perf, Look::Calls, folder.path()));
    assert_eq!(said, "perf ended by itself (exit status: 2): no such process");
}
