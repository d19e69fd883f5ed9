//! How benches/compare sets the proxies up must be fair and must be said, and benches run no tests: the files it writes
//! for them, what it says of each, and in which order they work.

#![allow(dead_code)]

#[path = "../benches/compare/awake.rs"]
mod awake;
#[path = "../benches/compare/child.rs"]
mod child;
#[path = "../benches/compare/cores.rs"]
mod cores;
#[path = "../benches/compare/environment.rs"]
mod environment;
#[path = "../benches/compare/failure.rs"]
mod failure;
#[path = "../benches/compare/load/mod.rs"]
mod load;
#[path = "../benches/compare/measure.rs"]
mod measure;
#[path = "../benches/compare/options.rs"]
mod options;
#[path = "../benches/compare/order.rs"]
mod order;
#[path = "../benches/compare/peers/mod.rs"]
mod peers;
#[path = "../benches/compare/perf.rs"]
mod perf;
#[path = "../benches/compare/progress.rs"]
mod progress;
#[path = "../benches/compare/report/mod.rs"]
mod report;
#[path = "../benches/compare/workload/mod.rs"]
mod workload;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cores::Cores;
use options::Action;
use order::Order;
use peers::haproxy::{self, Splicing};
use peers::{Kind, Logging, Route, Setup, envoy, nginx, stir};

fn routes() -> [Route; 1] {
    let port = |port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    [Route { name: "echo", entry: port(1001), servers: vec![port(2001), port(2002)] }]
}

fn setup(logs: bool, checks: bool) -> Setup {
    let cores = Cores { proxy: 0, load: 0, second: None, allowed: 1 };
    Setup { cores, descriptors: 1000, logs, checks, look: None, folder: PathBuf::from("/nowhere") }
}

#[test]
fn haproxy_splices_as_it_comes_and_through_pipes_as_large_as_pronks() {
    for (splicing, wide) in [(Splicing::Never, false), (Splicing::Always, false), (Splicing::Wide, true)] {
        let text = haproxy::text(&routes(), &setup(false, false), 1, splicing, None);
        assert_eq!(text.contains("\n    tune.pipesize 262144\n"), wide, "{text}");
    }
    for kind in [Kind::Pronk, Kind::PronkOther, Kind::HaproxyPipes] {
        let mode = kind.mode(true, true);
        assert!(mode.ends_with("pipes of 256 KiB"), "{mode}");
    }
    for kind in [Kind::HaproxyAuto, Kind::HaproxySplice] {
        let mode = kind.mode(true, true);
        assert!(mode.ends_with("pipes of 64 KiB, its default"), "{mode}");
    }
    assert!(Kind::Nginx.mode(false, false).contains("proxy_buffer_size 16k"));
}

#[test]
fn who_does_not_log_or_check_as_asked_says_so() {
    let envoy = |logs, checks| envoy::text(&routes(), &setup(logs, checks), Path::new("/nowhere"));
    assert!(envoy(true, false).contains(r#""path":"/nowhere/sessions.log""#), "{}", envoy(true, false));
    assert!(envoy(false, true).contains(r#""tcp_health_check":{}"#), "{}", envoy(false, true));
    assert!(
        !envoy(false, false).contains("sessions.log") && !envoy(false, false).contains("tcp_health_check")
    );
    let without = |kind: Kind, logs, checks| {
        let (plain, mode) = (kind.mode(false, false), kind.mode(logs, checks));
        mode.strip_prefix(&plain).expect("the same way").to_owned()
    };
    assert_eq!(without(Kind::HaproxyCopy, true, true), "");
    assert_eq!(without(Kind::Nginx, true, true), ", no checks");
    assert_eq!(without(Kind::Sozu, true, true), ", no log lines, no checks");
    assert_eq!(without(Kind::Sozu, false, true), ", no checks");
    assert_eq!(without(Kind::Envoy, true, true), ", its log lines go to a file, in blocks");
    assert_eq!(Kind::Envoy.logging(), Logging::File);
}

#[test]
fn nginx_loads_the_module_that_its_build_asks_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let (modules, path) = (folder.path().join("modules"), folder.path().display());
    let module = |options: &str| {
        nginx::module(&format!("nginx version: nginx/1\nconfigure arguments: {options} --with-threads\n"))
    };
    let why = |options: &str| module(options).expect_err("nothing to load").to_string();
    assert_eq!(module("--with-stream_ssl_module --with-stream").expect("built in"), None);
    assert!(why("--with-stream_ssl_module").starts_with("this nginx was built without its stream module"));
    let dynamic = format!("--prefix={path} --with-stream=dynamic");
    assert!(why(&dynamic).contains(&format!("{path}/modules/ngx_stream_module.so is not there")));
    fs::create_dir(&modules).expect("a folder");
    fs::write(modules.join("ngx_stream_module.so"), "").expect("a file");
    let found = Some(modules.join("ngx_stream_module.so"));
    assert_eq!(module(&dynamic).expect("it is there"), found);
    let elsewhere = format!("--prefix=/nowhere --modules-path={path}/modules --with-stream=dynamic");
    assert_eq!(module(&elsewhere).expect("it is there"), found);
    let text = nginx::text(&routes(), Path::new("/nowhere"), 900, None, found.as_deref());
    assert!(text.starts_with(&format!("load_module {path}/modules/ngx_stream_module.so;\n")), "{text}");
    assert!(!nginx::text(&routes(), Path::new("/nowhere"), 900, None, None).contains("load_module"));
}

#[test]
fn what_is_asked_for_twice_is_measured_once() {
    let words = ["--workloads", "bulk-64,bulk,short,bulk-1", "--only", "nginx,pronk,nginx"];
    let action = options::parse(words.map(Into::into).to_vec()).expect("options");
    let Action::Run(options) = action else { panic!("nothing is run") };
    let names: Vec<String> = options.workloads.iter().map(|workload| workload.name()).collect();
    assert_eq!(names, ["bulk-64", "bulk-1", "bulk-4", "short"]);
    assert_eq!(options.kinds, [Kind::Nginx, Kind::Pronk]);
    let nothing = ["--workloads", "bulk,bulk-2"].map(Into::into).to_vec();
    let failure = options::parse(nothing).err().expect("there is none of that name");
    assert!(failure.to_string().contains("no workload 'bulk-2'"), "{failure}");
}

#[test]
fn a_stir_that_fails_is_no_stirred_measurement() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join(stir::SOCKET);
    let listener = UnixListener::bind(&socket).expect("a socket");
    let answers = std::thread::spawn(move || {
        for answer in ["# pxname,svname\n", "# pxname,svname\n", "Permission denied\n"] {
            let (mut stream, _) = listener.accept().expect("a question");
            let _ = stream.read(&mut [0; 100]).expect("the question");
            stream.write_all(answer.as_bytes()).expect("an answer");
        }
    });
    let stirring = stir::Stirring::start(&socket).expect("the first answer is good");
    stirring.check().expect("nothing was asked");
    stirring.stir(true);
    answers.join().expect("three questions");
    let limit = Instant::now() + Duration::from_secs(5);
    while stirring.check().is_ok() && Instant::now() < limit {
        std::thread::sleep(Duration::from_millis(1));
    }
    let failure = stirring.check().expect_err("the third answer is none").to_string();
    assert_eq!(failure, "stirring: the stats socket said: Permission denied");
}

#[test]
fn no_proxy_always_follows_the_same_one() {
    const PROXIES: usize = 7;
    const PASSES: usize = 700;
    let draw = || {
        let (mut order, mut places) = (Order::new(order::SEED), (0..PROXIES).collect::<Vec<_>>());
        let pass = |_| {
            order.shuffle(&mut places);
            places.clone()
        };
        (0..PASSES).map(pass).collect::<Vec<_>>()
    };
    let passes = draw();
    assert_eq!(passes, draw(), "the same in every run");
    let mut followed = [[0; PROXIES]; PROXIES];
    for pass in &passes {
        pass.windows(2).for_each(|pair| followed[pair[0]][pair[1]] += 1);
    }
    for (before, next) in (0..PROXIES).flat_map(|one| (0..PROXIES).map(move |other| (one, other))) {
        let count = followed[before][next];
        assert!(
            before == next || (50..150).contains(&count),
            "{next} behind {before} {count} times, not 100"
        );
    }
}

#[test]
fn what_is_left_goes_by_what_is_done_of_all_measurements() {
    let text = |done, part, seconds| progress::text(done, 40, part, Duration::from_secs(seconds));
    assert_eq!(text(0, 0.0, 5), "[  0/40]");
    assert_eq!(text(0, 2.0, 60), "[  0/40, 19 min left]");
    assert_eq!(text(8, 0.0, 60), "[  8/40, 4 min left]");
    assert_eq!(text(40, 0.0, 60), "[ 40/40, 0 min left]");
}

#[test]
fn the_states_in_which_a_core_sleeps_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    let states = || environment::idle_states(folder.path(), 3);
    assert_eq!(states(), "driver unknown: no states");
    write("cpuidle/current_driver", "intel_idle\n");
    for (number, name, latency, disable) in [(0, "POLL", 0, 0), (1, "C1", 2, 0), (2, "C6", 133, 1)] {
        let of = |what: &str| format!("cpu3/cpuidle/state{number}/{what}");
        write(&of("name"), name);
        write(&of("latency"), &format!("{latency}\n"));
        write(&of("disable"), &format!("{disable}\n"));
    }
    assert_eq!(states(), "driver intel_idle: POLL (0 us), C1 (2 us), C6 (133 us, disabled)");
}

#[test]
fn nobody_is_told_that_cores_are_awake_which_are_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    let keep = || awake::keep(folder.path());
    let refused = || keep().expect_err("nobody would heed it").to_string();
    assert!(refused().contains("no cpuidle driver"), "{}", refused());
    write("sys/devices/system/cpu/cpuidle/current_driver", "none\n");
    assert!(refused().contains("no cpuidle driver"), "{}", refused());
    write("proc/cmdline", "quiet idle=poll\n");
    assert!(keep().expect("they poll").is_none());
    write("proc/cmdline", "quiet\n");
    write("sys/devices/system/cpu/cpuidle/current_driver", "haltpoll\n");
    assert!(refused().starts_with("--awake needs /dev/cpu_dma_latency"), "{}", refused());
    write("dev/cpu_dma_latency", "");
    assert!(keep().expect("a request").is_some());
    assert_eq!(fs::read(folder.path().join("dev/cpu_dma_latency")).expect("a file"), [0; 4]);
}
