//! What sessions meet, as haproxy 2.6.12 was observed to do: one after the other, held unless said.

use proptest::prelude::*;

use super::*;
use crate::config::model::{Config, HashType, ProxyId, Server};
use crate::load::fixture;
use crate::session::op::ServerId;
use crate::table::{Health, TablePublisher};

const BACKEND: ProxyId = ProxyId(0);

/// A backend, its load, and the sessions on it.
struct World {
    publisher: TablePublisher,
    load: Load,
    random: fastrand::Rng,
}

/// `weight 3 maxconn 2 backup`, as on a server line.
fn server(id: u32, options: &str) -> Server {
    let mut server = fixture::server(id);
    let mut words = options.split_whitespace();
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|text| text.parse::<u32>().ok()).expect("a number");
        match word {
            "weight" => server.weight = number() as u16,
            "maxconn" => server.maxconn = Some(number()),
            "minconn" => server.minconn = Some(number()),
            "maxqueue" => server.maxqueue = Some(number()),
            "slowstart" => server.slowstart_ms = Some(number()),
            "id" => server.id = number(),
            "backup" => server.backup = true,
            "disabled" => server.disabled = true,
            other => panic!("unknown option {other}"),
        }
    }
    server
}

impl World {
    fn new(balance: Balance, servers: &[&str]) -> World {
        World::of(balance, servers, |_| {})
    }

    fn of(balance: Balance, servers: &[&str], change: impl FnOnce(&mut Proxy)) -> World {
        let mut proxy = fixture::backend("b", 0);
        proxy.balance = balance;
        proxy.servers = (1..).zip(servers).map(|(id, options)| server(id, options)).collect();
        change(&mut proxy);
        let config = Arc::new(Config { proxies: vec![proxy], ..Config::default() });
        let load = Load::new(&config, 2);
        World { publisher: TablePublisher::new(config, &load), load, random: fastrand::Rng::with_seed(7) }
    }

    fn backend(&self) -> &Backend {
        self.publisher.snapshot().backend(BACKEND)
    }

    fn ask(&mut self, client: &str, avoid: Option<u16>, queue: Option<QueueId>) -> Choice {
        let client = Some(SocketAddr::new(client.parse().expect("an address"), 1234));
        let request = Request { client, local: None, avoid, random: &mut self.random };
        let backend = self.publisher.snapshot().backend(BACKEND);
        match queue {
            None => choose(backend, &self.load, request),
            Some(queue) => resume(backend, &self.load, queue, request),
        }
    }

    /// A newcomer, counted in the backend and in the queue that it has to join.
    fn arrive(&mut self) -> Choice {
        self.load.backend(BACKEND).take(None);
        let choice = self.ask("127.0.0.1", None, None);
        match choice {
            Choice::QueueBackend => drop(self.load.backend(BACKEND).enter_queue()),
            Choice::QueueServer(at) => drop(self.cell(at).enter_queue()),
            Choice::QueueFull(_) | Choice::Nobody => self.load.backend(BACKEND).release(),
            Choice::Server(_) => {}
        }
        choice
    }

    fn cell(&self, at: u16) -> &crate::load::Cell {
        self.load.server(ServerId(u32::from(at)))
    }

    fn leave(&self, at: u16) {
        self.cell(at).release();
        self.load.backend(BACKEND).release();
    }

    /// `n` arrivals as words: the server, `bN` for its queue, `B` for the backend's, `full`, `nobody`.
    fn arrivals(&mut self, n: usize) -> String {
        let word = |choice| match choice {
            Choice::Server(at) => at.to_string(),
            Choice::QueueServer(at) => format!("q{at}"),
            Choice::QueueBackend => "Q".to_owned(),
            Choice::QueueFull(_) => "full".to_owned(),
            Choice::Nobody => "nobody".to_owned(),
        };
        (0..n).map(|_| word(self.arrive())).collect::<Vec<_>>().join(" ")
    }

    /// Arrivals that end before the next one comes.
    fn sequential(&mut self, n: usize) -> String {
        let mut one = |_| match self.arrive() {
            Choice::Server(at) => {
                self.leave(at);
                at.to_string()
            }
            other => format!("{other:?}"),
        };
        (0..n).map(&mut one).collect::<Vec<_>>().join(" ")
    }

    fn down(&mut self, at: u16) {
        self.publisher.update(BACKEND, at, |state| state.health = Health::Down, 0);
    }
}

fn held(balance: Balance, servers: &[&str], n: usize) -> String {
    World::new(balance, servers).arrivals(n)
}

#[test]
fn turns_go_on_from_their_place_when_a_server_leaves() {
    let servers = ["", "weight 3", "weight 3", "weight 2", "", "", ""];
    let mut world = World::new(Balance::StaticRr, &servers);
    assert_eq!(world.sequential(14), "0 1 2 1 2 3 3 1 2 4 5 6 0 1");
    world.down(2);
    assert_eq!(world.sequential(14), "1 3 3 1 4 5 6 0 1 1 3 3 1 4");
}

#[test]
fn leastconn_takes_idle_servers_in_turn_whatever_their_weight() {
    assert_eq!(World::new(Balance::LeastConn, &["", "", ""]).sequential(9), "0 1 2 0 1 2 0 1 2");
    let mut weighted = World::new(Balance::LeastConn, &["weight 3", "weight 1", "weight 2"]);
    assert_eq!(weighted.sequential(6), "0 1 2 0 1 2");
}

#[test]
fn leastconn_fills_by_weight() {
    let servers = ["weight 3", "weight 1", "weight 2"];
    let mut world = World::new(Balance::LeastConn, &servers);
    world.arrivals(18);
    assert_eq!([world.cell(0).live(), world.cell(1).live(), world.cell(2).live()], [9, 3, 6]);
    assert_eq!(held(Balance::LeastConn, &["weight 256", "weight 1"], 6), "0 1 0 0 0 0");
    assert_eq!(held(Balance::LeastConn, &["", "", ""], 9), "0 1 2 0 1 2 0 1 2");
}

#[test]
fn leastconn_waits_for_any_server_but_may_join_a_queue_of_limited_length() {
    assert_eq!(held(Balance::LeastConn, &["maxconn 1", "maxconn 1"], 4), "0 1 Q Q");
    let limited = ["maxconn 1 maxqueue 1", "maxconn 1 maxqueue 1"];
    let mut world = World::new(Balance::LeastConn, &limited);
    world.arrivals(6);
    assert_eq!([world.cell(0).waiting(), world.cell(1).waiting()], [1, 1]);
    assert_eq!(world.load.backend(BACKEND).waiting(), 2);
}

#[test]
fn turns_pass_over_full_servers_and_keep_the_order_of_the_others() {
    let one_full = ["maxconn 1", "maxconn 20", "maxconn 20"];
    assert_eq!(held(Balance::RoundRobin, &one_full, 9), "0 1 2 1 2 1 2 1 2");
    assert_eq!(held(Balance::StaticRr, &one_full, 9), "0 1 2 1 2 1 2 1 2");
    let weighted = ["weight 3 maxconn 1", "weight 1", "weight 2"];
    assert_eq!(held(Balance::RoundRobin, &weighted, 13), "0 2 1 2 2 1 2 2 1 2 2 1 2");
    let limited = ["maxconn 1 maxqueue 1", "maxconn 1 maxqueue 1"];
    assert_eq!(held(Balance::RoundRobin, &limited, 4), "0 1 Q Q");
    assert_eq!(held(Balance::RoundRobin, &["weight 256 maxconn 1", "weight 1"], 4), "0 1 1 1");
}

#[test]
fn first_fills_by_id() {
    let servers = ["maxconn 2", "maxconn 1 id 50", "maxconn 1 id 40", "id 60"];
    assert_eq!(held(Balance::First, &servers, 7), "0 0 2 1 3 3 3");
}

#[test]
fn minconn_grows_with_the_load_of_the_backend() {
    let servers = ["minconn 1 maxconn 4", "maxconn 100"];
    let mut world = World::of(Balance::First, &servers, |proxy| proxy.fullconn = Some(8));
    assert_eq!(world.arrivals(10), "0 1 1 0 1 0 1 0 1 1");
}

#[test]
fn newcomers_do_not_overtake_even_when_the_limit_grows() {
    let servers = ["minconn 1 maxconn 4", "minconn 1 maxconn 4"];
    let mut world = World::of(Balance::RoundRobin, &servers, |proxy| proxy.fullconn = Some(8));
    assert_eq!(world.arrivals(10), "0 1 Q Q Q Q Q Q Q Q");
}

#[test]
fn hashes_wait_for_their_server_and_for_no_other() {
    assert_eq!(held(Balance::Source, &["maxconn 1", "maxconn 1"], 3), "1 q1 q1");
    let limited = ["maxconn 1 maxqueue 1", "maxconn 1 maxqueue 1"];
    assert_eq!(held(Balance::Source, &limited, 4), "1 q1 full full");
    let mut ring = World::of(Balance::Source, &["maxconn 1", "maxconn 1"], |proxy| {
        proxy.hash_type = HashType { consistent: true, ..HashType::default() }
    });
    assert_eq!(ring.arrivals(3), "1 q1 q1");
}

#[test]
fn random_waits_for_any_server() {
    let mut world = World::new(Balance::Random(1), &["maxconn 1", "maxconn 1"]);
    let mut served = world.arrivals(20);
    served.retain(|c| c.is_ascii_digit());
    assert!(served.len() <= 2 && world.load.backend(BACKEND).waiting() >= 18);
}

#[test]
fn a_backup_alone_is_waited_for_as_its_algorithm_does() {
    let servers = ["disabled", "backup maxconn 1", "backup"];
    assert_eq!(held(Balance::RoundRobin, &servers, 3), "1 q1 q1");
    assert_eq!(held(Balance::First, &servers, 3), "1 q1 q1");
    assert_eq!(held(Balance::Source, &servers, 3), "1 q1 q1");
    assert_eq!(held(Balance::StaticRr, &servers, 3), "1 Q Q");
    assert_eq!(held(Balance::Random(2), &servers, 3), "1 Q Q");
    let limited = ["disabled", "backup maxconn 1 maxqueue 1", "backup"];
    assert_eq!(held(Balance::LeastConn, &limited, 4), "1 q1 full full");
}

#[test]
fn a_map_of_backups_is_as_long_as_the_first_weighs() {
    let order = |balance, servers: &[&str]| World::new(balance, servers).sequential(10);
    assert_eq!(order(Balance::StaticRr, &["backup weight 2", "backup weight 5"]), "1 1 1 1 1 1 1 1 1 1");
    assert_eq!(order(Balance::StaticRr, &["backup weight 5", "backup weight 2"]), "0 0 0 0 1 0 0 0 0 1");
    assert_eq!(
        order(Balance::StaticRr, &["backup weight 2", "backup weight 5", "backup weight 5"]),
        "1 2 1 2 1 2 1 2 1 2"
    );
    assert_eq!(held(Balance::Source, &["backup weight 5", "backup weight 2"], 5), "0 0 0 0 0");
    assert_eq!(
        order(Balance::Source, &["disabled", "backup weight 2", "backup weight 5"]),
        "2 2 2 2 2 2 2 2 2 2"
    );
    assert_eq!(order(Balance::RoundRobin, &["backup weight 2", "backup weight 5"]), "0 0 0 0 0 0 0 0 0 0");
}

#[test]
fn backups_stand_in_only_when_nobody_else_can() {
    let servers = ["disabled", "backup weight 0", "backup", "backup"];
    assert_eq!(held(Balance::RoundRobin, &servers, 3), "2 2 2");
    let mut all = World::of(Balance::RoundRobin, &["disabled", "backup weight 2", "backup"], |proxy| {
        proxy.options.allbackups = true
    });
    assert_eq!(all.arrivals(6), "1 1 2 1 1 2");
    assert_eq!(held(Balance::RoundRobin, &["weight 0", "backup"], 2), "1 1");
    assert_eq!(held(Balance::RoundRobin, &["weight 0", "weight 0"], 1), "nobody");
    let mut world = World::new(Balance::RoundRobin, &["", "backup", ""]);
    assert_eq!(world.arrivals(3), "0 2 0");
    world.down(0);
    assert_eq!(world.arrivals(2), "2 2");
    world.down(2);
    assert_eq!(world.arrivals(2), "1 1");
    world.down(1);
    assert_eq!(world.arrivals(1), "nobody");
}

/// `option redispatch` with `balance source`: the ring names another server, the map never does.
#[test]
fn the_server_that_failed_is_avoided_except_by_a_map() {
    for balance in
        [Balance::RoundRobin, Balance::StaticRr, Balance::LeastConn, Balance::First, Balance::Random(2)]
    {
        for avoid in 0..3 {
            let mut world = World::new(balance, &["", "", ""]);
            let choice = world.ask("127.0.0.1", Some(avoid), None);
            assert!(matches!(choice, Choice::Server(at) if at != avoid), "{balance:?}: {choice:?}");
        }
        let mut only = World::new(balance, &["", "disabled", "disabled"]);
        assert_eq!(only.ask("127.0.0.1", Some(0), None), Choice::Server(0), "{balance:?}");
    }
    let mut map = World::new(Balance::Source, &["", "", ""]);
    assert_eq!(map.ask("127.0.0.2", Some(0), None), Choice::Server(0));
    let consistent = HashType { consistent: true, ..HashType::default() };
    let mut ring = World::of(Balance::Source, &["", "", ""], |proxy| proxy.hash_type = consistent);
    let Choice::Server(at) = ring.ask("127.0.0.2", None, None) else { panic!("three servers are free") };
    assert!(matches!(ring.ask("127.0.0.2", Some(at), None), Choice::Server(other) if other != at));
}

#[test]
fn who_waits_gets_the_slot_before_a_newcomer() {
    let mut world = World::new(Balance::RoundRobin, &["maxconn 1", "maxconn 1"]);
    assert_eq!(world.arrivals(4), "0 1 Q Q");
    world.leave(1);
    assert_eq!(world.arrivals(1), "Q");
    let queue = QueueId::Backend(BACKEND);
    assert_eq!(world.ask("127.0.0.1", None, Some(queue)), Choice::Server(1));
}

#[test]
fn who_waits_for_any_server_is_not_overtaken_in_the_queue_of_one() {
    let limited = ["maxconn 1 maxqueue 1", "maxconn 1 maxqueue 1"];
    let mut world = World::new(Balance::LeastConn, &limited);
    assert_eq!(world.arrivals(6), "0 1 q0 q1 Q Q");
    world.leave(0);
    let queue = QueueId::Server(ServerId(0));
    assert_eq!(world.ask("127.0.0.1", None, Some(queue)), Choice::Server(0));
    world.cell(0).leave_queue();
    assert_eq!(world.arrivals(1), "Q");
    assert_eq!(world.ask("127.0.0.1", None, Some(QueueId::Backend(BACKEND))), Choice::QueueBackend);
}

#[test]
fn who_waits_for_any_server_gets_the_one_that_is_free() {
    let servers = ["maxconn 1"; 10];
    for balance in [Balance::Random(1), Balance::Random(2), Balance::RoundRobin, Balance::LeastConn] {
        let mut world = World::new(balance, &servers);
        for at in 0..10 {
            world.cell(at).take(None);
            world.load.backend(BACKEND).take(None);
        }
        world.load.backend(BACKEND).enter_queue();
        for at in 0..10 {
            world.leave(at);
            let choice = world.ask("127.0.0.1", None, Some(QueueId::Backend(BACKEND)));
            assert_eq!(choice, Choice::Server(at), "{balance:?}");
        }
    }
}

#[test]
fn a_newcomer_goes_ahead_when_nobody_is_left_to_wake_those_who_wait() {
    let mut world = World::new(Balance::RoundRobin, &["maxconn 1"]);
    assert_eq!(world.arrivals(2), "0 Q");
    world.leave(0);
    assert_eq!(world.arrivals(1), "0");
}

#[test]
fn who_waits_for_one_server_gets_that_one_or_with_redispatch_is_sent_elsewhere() {
    let servers = ["maxconn 1", "maxconn 1"];
    for (redispatch_every, then) in [(0, Choice::QueueServer(1)), (-1, Choice::Server(0))] {
        let mut world = World::of(Balance::Source, &servers, |p| p.redispatch_every = redispatch_every);
        assert_eq!(world.arrivals(2), "1 q1");
        let queue = QueueId::Server(ServerId(1));
        assert_eq!(world.ask("127.0.0.1", None, Some(queue)), Choice::QueueServer(1));
        world.leave(1);
        assert_eq!(world.ask("127.0.0.1", None, Some(queue)), Choice::Server(1));
        world.down(1);
        assert_eq!(world.ask("127.0.0.1", None, Some(queue)), then);
    }
}

#[test]
fn random_draws_by_weight_and_prefers_the_less_crowded() {
    let mut world = World::new(Balance::Random(1), &["weight 3", "weight 1"]);
    world.arrivals(4_000);
    let share = f64::from(world.cell(0).live()) / 4_000.0;
    assert!((0.70..0.80).contains(&share), "{share}");
    let mut best_of_two = World::new(Balance::Random(2), &["", "", "", ""]);
    best_of_two.arrivals(400);
    assert!((0..4).all(|at| (95..=105).contains(&best_of_two.cell(at).live())));
}

#[test]
fn without_an_address_hashes_take_turns() {
    let mut world = World::new(Balance::Source, &["", "", ""]);
    let mut ask = || {
        let request = Request { client: None, local: None, avoid: None, random: &mut world.random };
        choose(world.publisher.snapshot().backend(BACKEND), &world.load, request)
    };
    assert_eq!([ask(), ask(), ask(), ask()], [0, 1, 2, 0].map(Choice::Server));
}

/// A dual-stack listener gave 127.0.0.1 to the server that ::ffff:127.0.0.1 hashes to.
#[test]
fn a_mapped_address_is_an_ipv6_address() {
    let mut world = World::new(Balance::Source, &["", "", "", "", ""]);
    assert_eq!(world.ask("127.0.0.1", None, None), Choice::Server(3));
    assert_eq!(world.ask("::ffff:127.0.0.1", None, None), Choice::Server(1));
    assert_eq!(world.ask("::1", None, None), Choice::Server(1));
}

/// `maxconn 41` of the listen section: fullconn 5.
#[test]
fn minconn_follows_the_default_fullconn() {
    let servers = ["minconn 1 maxconn 4", "maxconn 100"];
    let mut world = World::of(Balance::First, &servers, |proxy| {
        proxy.kind = crate::config::model::ProxyKind::Listen;
        (proxy.maxconn, proxy.default_backend) = (Some(41), Some(BACKEND));
    });
    assert_eq!(world.backend().fullconn, 5);
    assert_eq!(world.arrivals(8), "0 1 0 0 0 1 1 1");
}

#[test]
fn slowstart_gives_a_returning_server_less_at_first() {
    let mut world = World::new(Balance::RoundRobin, &["", "slowstart 16000"]);
    world.down(1);
    world.publisher.update(BACKEND, 1, |state| state.health = Health::Up, 1_000);
    assert_eq!(world.backend().servers[1].effective_weight(), 1);
    assert_eq!(world.sequential(17).matches('1').count(), 1);
    assert_eq!(world.publisher.tick(9_000), Some(10_000));
    assert_eq!(world.backend().servers[1].effective_weight(), 9);
    assert_eq!(world.publisher.tick(17_000), None);
    assert_eq!(world.sequential(10).matches('1').count(), 5);
}

const ALGORITHMS: [Balance; 7] = [
    Balance::RoundRobin,
    Balance::StaticRr,
    Balance::LeastConn,
    Balance::First,
    Balance::Source,
    Balance::Random(1),
    Balance::Random(2),
];

proptest! {
    #[test]
    fn loads_add_up_and_limits_hold(
        algorithm in 0..ALGORITHMS.len(),
        servers in prop::collection::vec((0u32..5, prop::option::of(1u32..4), any::<bool>()), 1..6),
        steps in prop::collection::vec(any::<u8>(), 1..120),
    ) {
        let option = |&(weight, maxconn, backup): &(u32, Option<u32>, bool)| {
            let maxconn = maxconn.map_or(String::new(), |n| format!("maxconn {n}"));
            format!("weight {weight} {maxconn} {}", if backup { "backup" } else { "" })
        };
        let lines: Vec<String> = servers.iter().map(option).collect();
        let mut world = World::new(ALGORITHMS[algorithm], &lines.iter().map(String::as_str).collect::<Vec<_>>());
        let mut held: Vec<u16> = Vec::new();
        for step in steps {
            if step % 3 == 0 && !held.is_empty() {
                world.leave(held.swap_remove(usize::from(step) % held.len()));
            } else {
                let client = format!("127.0.0.{step}");
                world.load.backend(BACKEND).take(None);
                match world.ask(&client, None, None) {
                    Choice::Server(at) => held.push(at),
                    _ => world.load.backend(BACKEND).release(),
                }
            }
            let live: u32 = (0..servers.len() as u16).map(|at| world.cell(at).live()).sum();
            prop_assert_eq!(live as usize, held.len());
            for (at, &(weight, maxconn, _)) in (0u16..).zip(&servers) {
                prop_assert!(world.cell(at).live() <= maxconn.unwrap_or(u32::MAX));
                prop_assert!(weight > 0 || world.cell(at).live() == 0);
            }
        }
    }

    #[test]
    fn a_ring_moves_only_the_keys_of_the_server_that_leaves(n in 2usize..8, leaver in 0usize..8, weight in 1u32..20) {
        let leaver = (leaver % n) as u16;
        let line = format!("weight {weight}");
        let consistent = HashType { consistent: true, ..HashType::default() };
        let mut world = World::of(Balance::Source, &vec![line.as_str(); n], |proxy| proxy.hash_type = consistent);
        let clients: Vec<String> = (0..200).map(|i| format!("10.1.{}.{}", i / 16, i % 16)).collect();
        let before: Vec<Choice> = clients.iter().map(|client| world.ask(client, None, None)).collect();
        world.down(leaver);
        for (client, before) in clients.iter().zip(before) {
            let after = world.ask(client, None, None);
            prop_assert_eq!(after == before, before != Choice::Server(leaver));
        }
    }
}
