//! How long-lived connections spread over the workers, as the stats socket tells it.

use crate::gateway::Gateway;
use crate::support::echo::Threads;
use crate::support::peer::Peer;
use crate::support::stats::ask;

const SESSIONS: u64 = 100;
/// The most that one of the two workers may carry: a fifth more than the mean. A worker hands over what would make it
/// carry more than an eighth above the mean, a connection or two late.
const MOST: u64 = 60;

#[test]
fn long_lived_connections_spread_over_the_workers() {
    let server = Threads::naming(b's');
    let gateway = Gateway::start(
        "  stats socket unix@stats.sock level operator",
        "",
        &format!("  server s1 127.0.0.1:{}", server.port()),
    );
    let mut clients: Vec<Peer> = (0..SESSIONS).map(|_| gateway.connect()).collect();
    assert!(clients.iter_mut().all(|client| client.receive(1) == b"s"));
    let activity = ask(&gateway.proxy.directory().join("stats.sock"), "show activity\n").expect("an answer");
    println!("{activity}");
    let (live, workers) = of_workers(&activity, "live");
    assert_eq!(live, SESSIONS, "{activity}");
    assert!(workers.iter().all(|live| *live <= MOST), "{activity}");
    let (accepted, [first, second]) = of_workers(&activity, "accepted");
    assert_eq!((accepted, first + second), (SESSIONS, SESSIONS), "{activity}");
    assert_eq!(of_workers(&activity, "accept_failures").0, 0, "{activity}");
    drop(clients);
    gateway.assert_descriptors_return();
}

/// A connection over loopback arrives on the CPU of its client, and belongs to the worker there.
#[test]
fn connections_go_to_the_worker_on_whose_cpu_they_arrive() {
    let allowed = core_affinity::get_core_ids().expect("the allowed CPUs");
    let [first, second] = allowed[..2.min(allowed.len())] else {
        println!("one CPU: nothing to choose");
        return;
    };
    let server = Threads::naming(b's');
    let global = format!(
        "  stats socket unix@stats.sock level operator\n  tune.incoming-cpu on\n  cpu-map 1/1 {}\n  cpu-map 1/2 {}",
        first.id, second.id
    );
    let gateway = Gateway::start(&global, "", &format!("  server s1 127.0.0.1:{}", server.port()));
    let stats = gateway.proxy.directory().join("stats.sock");
    for (place, cpu) in [first, second].into_iter().enumerate() {
        let before = of_workers(&ask(&stats, "show activity\n").expect("an answer"), "accepted").1;
        assert!(core_affinity::set_for_current(cpu), "this thread may run there");
        // One after the other: nobody is crowded.
        for _ in 0..20 {
            assert_eq!(gateway.connect().receive(1), b"s");
        }
        let after = of_workers(&ask(&stats, "show activity\n").expect("an answer"), "accepted").1;
        assert_eq!(after[place] - before[place], 20, "{before:?} {after:?}");
    }
}

/// Total and share of each worker, from the line `name: total [ worker worker ]`.
pub fn of_workers(activity: &str, name: &str) -> (u64, [u64; 2]) {
    let line = activity.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let numbers = line.expect("the line is there").split_whitespace().filter_map(|word| word.parse().ok());
    match numbers.collect::<Vec<u64>>()[..] {
        [total, first, second] => (total, [first, second]),
        _ => panic!("not two workers: {activity}"),
    }
}
