//! Facts observed of haproxy 2.6.12: which server it chose, by backend and client.

use std::net::{IpAddr, SocketAddr};

use crate::balance::{Choice, Request, choose};
use crate::config::model::{Balance, Config, HashFunction, HashInput, HashType, ProxyId};
use crate::load::{Load, fixture};
use crate::table::Backend;

const OBSERVED: &str = include_str!("observed.txt");

fn list(kind: &str) -> Vec<&'static str> {
    let line = OBSERVED.lines().find_map(|line| line.strip_prefix(kind)).expect("the file lists the clients");
    line.split_whitespace().collect()
}

fn hash_type(words: &str) -> HashType {
    let mut kind = HashType::default();
    for word in words.split(' ') {
        match word {
            "map-based" => kind.consistent = false,
            "consistent" => kind.consistent = true,
            "sdbm" => kind.function = Some(HashFunction::Sdbm),
            "djb2" => kind.function = Some(HashFunction::Djb2),
            "wt6" => kind.function = Some(HashFunction::Wt6),
            "crc32" => kind.function = Some(HashFunction::Crc32),
            "avalanche" => kind.avalanche = true,
            other => panic!("unknown word {other}"),
        }
    }
    kind
}

fn balance(words: &str) -> Balance {
    match words {
        "source" => Balance::Source,
        "hash src" => Balance::Hash(HashInput::Src),
        "hash dst" => Balance::Hash(HashInput::Dst),
        "hash src_port" => Balance::Hash(HashInput::SrcPort),
        "hash dst_port" => Balance::Hash(HashInput::DstPort),
        other => panic!("unknown algorithm {other}"),
    }
}

/// `0 disabled;1 id 7`: server 0 disabled, server 1 with id 7.
fn apply(options: &str, servers: &mut [crate::config::model::Server]) {
    for option in options.split(';').filter(|option| !option.is_empty()) {
        let words: Vec<&str> = option.split(' ').collect();
        let server = &mut servers[words[0].parse::<usize>().expect("a server number")];
        match words[1] {
            "disabled" => server.disabled = true,
            "id" => server.id = words[2].parse().expect("an id"),
            other => panic!("unknown option {other}"),
        }
    }
}

/// (client's address, the address it connected to) of each observation.
fn endpoints(balance: Balance) -> Vec<(SocketAddr, SocketAddr)> {
    let local = IpAddr::from([127, 0, 0, 1]);
    let by_address = |text: &str| text.parse::<IpAddr>().expect("an address");
    let by_port = |text: &str| text.parse::<u16>().expect("a port");
    match balance {
        Balance::Hash(HashInput::SrcPort | HashInput::DstPort) => {
            let ends = |port| (SocketAddr::new(local, port), SocketAddr::new(local, port));
            list("ports ").into_iter().map(by_port).map(ends).collect()
        }
        _ => {
            let ends = |ip| (SocketAddr::new(ip, 1234), SocketAddr::new(ip, 80));
            list("clients ").into_iter().map(by_address).map(ends).collect()
        }
    }
}

/// The servers of one line's clients, as digits.
fn chosen(line: &str) -> (String, String) {
    let fields: Vec<&str> = line.split('|').collect();
    let mut proxy = fixture::backend("b", fields[2].split(',').count());
    (proxy.balance, proxy.hash_type) = (balance(fields[0]), hash_type(fields[1]));
    for (server, weight) in proxy.servers.iter_mut().zip(fields[2].split(',')) {
        server.weight = weight.parse().expect("a weight");
    }
    apply(fields[3], &mut proxy.servers);
    let ends = endpoints(proxy.balance);
    let config = Config { proxies: vec![proxy], ..Config::default() };
    let load = Load::new(&config, 1);
    let backend = Backend::new(&config, ProxyId(0), crate::session::op::ServerId(0));
    let mut random = fastrand::Rng::with_seed(0);
    let mut server = |(client, local): (SocketAddr, SocketAddr)| {
        let request = Request { client: Some(client), local: Some(local), avoid: None, random: &mut random };
        match choose(&backend, &load, request) {
            Choice::Server(at) => at.to_string(),
            other => panic!("{other:?} for {line}"),
        }
    };
    (ends.into_iter().map(&mut server).collect(), fields[4].to_owned())
}

#[test]
fn a_client_keeps_its_server_after_the_migration() {
    let mut seen = 0;
    for line in OBSERVED.lines().filter(|line| line.contains('|') && !line.starts_with('#')) {
        let (ours, haproxy) = chosen(line);
        assert_eq!(ours, haproxy, "{line}");
        seen += 1;
    }
    assert_eq!(seen, 204);
}
