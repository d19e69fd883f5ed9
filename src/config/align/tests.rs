use proptest::prelude::*;

use super::*;
use crate::config::{Environment, Source, Supplies, parse};

fn read(text: &str) -> Config {
    let source = Source { name: "t.cfg".to_owned(), text: format!("{text}\n").into_bytes() };
    let (config, diagnostics) = parse(&[source], &Environment::default(), &Supplies::default());
    config.unwrap_or_else(|| panic!("{text}: {diagnostics:#?}"))
}

fn after(running: &Config, text: &str) -> Config {
    align(running, read(text)).expect("numbers are left")
}

/// Everything that has a number, one line each: `proxy 0 #2 fe: bind 0 #1 …`.
fn shown(config: &Config) -> Vec<String> {
    let line = |(at, proxy): (usize, &Proxy)| {
        if proxy.removed {
            return format!("proxy {at} {} removed", proxy.name);
        }
        let bind = |id: &BindId| {
            let bind = &config.binds[usize::from(id.0)];
            assert!(!bind.removed && usize::from(bind.proxy.0) == at, "{bind:?}");
            format!(" bind {} #{}", id.0, bind.id)
        };
        let binds: String = proxy.binds.iter().map(bind).collect();
        let servers: String =
            proxy.servers.iter().map(|server| format!(" {} #{}", server.name, server.id)).collect();
        let to = proxy.default_backend.map(|to| format!(" -> {}", to.0)).unwrap_or_default();
        format!("proxy {at} #{} {}{binds}{servers}{to}", proxy.id, proxy.name)
    };
    config.proxies.iter().enumerate().map(line).collect()
}

const THREE: &str = "frontend fe\n bind :21000\n bind :21001\n default_backend one\n\
                     backend one\n server a 10.0.0.1:1\n server b 10.0.0.2:1\n\
                     backend two\n server c 10.0.0.3:1";

#[test]
fn the_same_file_changes_nothing() {
    let running = read(THREE);
    let again = after(&running, THREE);
    assert_eq!(shown(&again), shown(&running));
    assert_eq!(
        shown(&again),
        ["proxy 0 #2 fe bind 0 #1 bind 1 #2 -> 1", "proxy 1 #3 one a #1 b #2", "proxy 2 #4 two c #1"]
    );
}

#[test]
fn what_is_new_stands_behind_and_what_is_gone_keeps_its_place() {
    let running = read(THREE);
    let text = "backend zero\n server z 10.0.0.9:1\n\
                backend two\n server d 10.0.0.4:1\n server c 10.0.0.3:1\n\
                frontend fe\n bind :21001\n bind :21002\n use_backend zero if { src 10.0.0.0/8 }\n default_backend two";
    let next = after(&running, text);
    assert_eq!(
        shown(&next),
        [
            "proxy 0 #2 fe bind 1 #2 bind 2 #1 -> 2",
            "proxy 1 one removed",
            "proxy 2 #4 two d #2 c #1",
            "proxy 3 #3 zero z #1"
        ]
    );
    assert_eq!(next.proxies[0].use_backends[0].backend, ProxyId(3));
    assert!(next.binds[0].removed && next.proxies[1].disabled);
    assert_eq!(next.proxies().map(|(id, _)| id.0).collect::<Vec<_>>(), [0, 2, 3]);
    assert_eq!(next.binds().map(|(id, _)| id.0).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn who_comes_back_gets_his_place_again() {
    let running = read(THREE);
    let without = after(&running, "frontend fe\n bind :21000\n default_backend two\nbackend two");
    assert_eq!(shown(&after(&without, THREE)), shown(&running));
    let mut config = running;
    for n in 0..50 {
        config = after(&config, if n % 2 == 0 { "backend two" } else { THREE });
    }
    assert_eq!((config.proxies.len(), config.binds.len()), (3, 2));
}

#[test]
fn an_address_keeps_its_sockets_when_it_goes_to_another_section() {
    let running =
        read("listen a\n bind :21000\n server s 10.0.0.1:1\nlisten b\n bind :21001\n server s 10.0.0.1:1");
    let next = after(
        &running,
        "listen c\n bind :21000\n server s 10.0.0.1:1\nlisten b\n bind :21001\n server s 10.0.0.1:1",
    );
    assert_eq!(
        shown(&next),
        ["proxy 0 a removed", "proxy 1 #3 b bind 1 #1 s #1 -> 1", "proxy 2 #2 c bind 0 #1 s #1 -> 2"]
    );
    // A page is served by another thread: its sockets stay there.
    let page = after(
        &running,
        "listen a\n mode http\n bind :21000\n stats enable\nlisten b\n bind :21001\n server s 10.0.0.1:1",
    );
    assert_eq!(page.proxies[2].binds, [BindId(2)]);
    assert!(page.binds[0].removed);
}

#[test]
fn a_socket_option_makes_another_bind_and_a_limit_does_not() {
    let running = read("listen a\n bind :21000\n server s 10.0.0.1:1");
    let bind = |options: &str| {
        after(&running, &format!("listen a\n bind :21000 {options}\n server s 10.0.0.1:1")).proxies[0].binds
            [0]
    };
    assert_eq!([bind("maxconn 5"), bind("name x"), bind("id 7")], [BindId(0); 3]);
    assert_eq!([bind("mss 1400"), bind("backlog 5"), bind("tfo")], [BindId(1); 3]);
}

#[test]
fn an_inherited_socket_stays_the_same_whatever_its_line_says() {
    let text = |bind: &str| format!("listen a\n bind {bind}\n server s 10.0.0.1:1");
    let running = read(&text("fd@7"));
    let bind = |line: &str| after(&running, &text(line)).proxies[0].binds[0];
    assert_eq!([bind("fd@7 backlog 5"), bind("fd@7 mss 1400 tfo")], [BindId(0); 2]);
    assert_eq!([bind("fd@8"), bind("sockpair@7")], [BindId(1); 2]);
}

#[test]
fn a_frontend_is_no_listen_section_of_the_same_name() {
    let running = read("listen a\n bind :21000\n server s 10.0.0.1:1");
    let next =
        after(&running, "frontend a\n bind :21000\n default_backend a\nbackend a\n server s 10.0.0.1:1");
    assert_eq!(shown(&next)[1..], ["proxy 1 #2 a bind 0 #1 -> 2", "proxy 2 #3 a s #1"]);
}

#[test]
fn ids_of_the_file_win_over_those_that_were_given_before() {
    let running = read(THREE);
    let text =
        THREE.replace("backend two", "backend three\n id 3\nbackend two").replace(":21001", ":21001 id 1");
    let next = after(&running, &text.replace("server b 10.0.0.2:1", "server b 10.0.0.2:1 id 9"));
    assert_eq!(
        shown(&next),
        [
            "proxy 0 #2 fe bind 0 #2 bind 1 #1 -> 1",
            "proxy 1 #5 one a #1 b #9",
            "proxy 2 #4 two c #1",
            "proxy 3 #3 three"
        ]
    );
}

#[test]
fn a_removed_proxy_keeps_its_logs() {
    let running = read("listen a\n bind :21000\n log 127.0.0.1:5140 local0\n server s 10.0.0.1:1\nbackend b");
    let next = after(&running, "backend b\n log 127.0.0.1:5141 local0");
    let target = |proxy: usize| next.log_targets[usize::from(next.proxies[proxy].logs[0].0)].address.clone();
    assert_ne!(target(0), target(1));
    assert_eq!(target(0), running.log_targets[0].address);
}

#[test]
fn a_removed_proxy_keeps_its_servers_for_those_who_wait_for_one() {
    let gone = after(&read(THREE), "backend other");
    assert_eq!(gone.proxies[1].servers.len(), 2);
    assert!(gone.proxies[1].removed && gone.proxies[0].default_backend == Some(ProxyId(1)));
    assert!(after(&gone, "backend other").proxies[1].servers.is_empty());
}

#[test]
fn numbers_run_out_with_an_error() {
    let mut running = Config::default();
    running.proxies.resize(usize::from(u16::MAX) + 1, Proxy::new("gone", ProxyKind::Backend));
    assert_eq!(align(&running, read("backend new")).map(drop), Err(Full { what: "proxies" }));
}

/// Any few sections out of a small world of names and addresses.
fn text(sections: &[(u8, u8, u8)]) -> String {
    let mut text = String::new();
    let mut seen = std::collections::HashSet::new();
    for &(name, binds, servers) in sections {
        let (name, listen) = (name % 4, name / 4 % 2 == 0);
        if !seen.insert(name) {
            continue;
        }
        let kind = if listen { "listen" } else { "backend" };
        text.push_str(&format!("{kind} p{name}\n"));
        for at in (0..4).filter(|at| binds & (1 << at) != 0 && listen) {
            let option = if binds & (16 << at) != 0 { " mss 1400" } else { "" };
            text.push_str(&format!(" bind :2100{at}{option}\n"));
        }
        for at in (0..8).filter(|at| servers & (1 << at) != 0) {
            text.push_str(&format!(" server s{at} 10.0.0.{at}:1\n"));
        }
    }
    text
}

proptest! {
    #[test]
    fn identities_outlive_any_edits(
        edits in prop::collection::vec(prop::collection::vec((0u8..8, any::<u8>(), any::<u8>()), 0..4), 1..6),
    ) {
        let mut running = Config::default();
        for sections in edits {
            let written = read(&text(&sections));
            let next = align(&running, written.clone()).expect("numbers are left");
            let same = |a: &Proxy, b: &Proxy| (&a.name, a.kind, a.mode) == (&b.name, b.kind, b.mode);
            // Nobody changes its number, and nobody shares one.
            for (old, new) in running.proxies.iter().zip(&next.proxies) {
                prop_assert!(same(old, new));
                prop_assert!(old.removed || new.removed || old.id == new.id);
            }
            for (old, new) in running.binds.iter().zip(&next.binds) {
                prop_assert!(socket_key(old) == socket_key(new));
            }
            // What was read is there, once, with its own binds and servers.
            prop_assert_eq!(next.proxies().count(), written.proxies.len());
            prop_assert_eq!(next.binds().count(), written.binds.len());
            for read in &written.proxies {
                let (id, kept) = next.proxies().find(|(_, proxy)| same(proxy, read)).expect("it is there");
                let names = |proxy: &Proxy| proxy.servers.iter().map(|s| s.name.clone()).collect::<Vec<_>>();
                prop_assert_eq!(names(kept), names(read));
                prop_assert_eq!(kept.binds.len(), read.binds.len());
                for (now, before) in kept.binds.iter().zip(&read.binds) {
                    let (now, before) = (&next.binds[usize::from(now.0)], &written.binds[usize::from(before.0)]);
                    prop_assert!(!now.removed && now.proxy == id);
                    prop_assert!(socket_key(now) == socket_key(before));
                }
            }
            // A second reading of the same text changes nothing.
            let again = align(&next, written).expect("numbers are left");
            prop_assert_eq!(shown(&again), shown(&next));
            running = next;
        }
    }
}

#[test]
fn servers_of_commands_stay_until_the_file_has_them() {
    let words: Vec<String> = "d 10.0.0.4:1 id 9".split(' ').map(str::to_owned).collect();
    let running = crate::config::dynamic::add_server(&read(THREE), ProxyId(1), &words).expect("added");
    let again = after(&running, THREE);
    assert_eq!(shown(&again)[1], "proxy 1 #3 one a #1 b #2 d #9");
    let written = THREE.replace("server b", "server d 10.0.0.5:1\n server b");
    assert_eq!(shown(&after(&again, &written))[1], "proxy 1 #3 one a #1 d #9 b #2");
    let without = "frontend fe\n bind :21000\n default_backend two\nbackend two\n server c 10.0.0.3:1";
    assert_eq!(shown(&after(&again, without))[1], "proxy 1 one removed");
}
