use crate::config::model::*;
use crate::config::{Diagnostic, Environment, Severity, Source, Supplies, parse};
use crate::rules::{Condition, Facts};

fn read(text: &str) -> (Option<Config>, Vec<Diagnostic>) {
    let source = Source { name: "t.cfg".to_owned(), text: format!("{text}\n").into_bytes() };
    parse(&[source], &Environment::default(), &Supplies::default())
}

fn config(text: &str) -> Config {
    let (config, diagnostics) = read(text);
    config.unwrap_or_else(|| panic!("{diagnostics:#?}"))
}

/// The texts of one severity.
fn said(text: &str, severity: Severity) -> Vec<String> {
    read(text).1.into_iter().filter(|d| d.severity == severity).map(|d| d.headline()).collect()
}

const TIMEOUTS: &str = "timeout connect 5s\n timeout client 1h\n timeout server 2h";

#[test]
fn defaults_are_inherited_and_overridden() {
    let text = format!(
        "defaults\n mode tcp\n {TIMEOUTS}\n retries 5\n balance leastconn\n option redispatch\n maxconn 10\n\
         listen a\n bind :1\n server s 10.0.0.1:2\n\
         listen b\n bind :3\n retries 1\n balance\n no option redispatch\n timeout queue 9s\n maxconn 0\n server s 10.0.0.1:2"
    );
    let config = config(&text);
    let [a, b] = &config.proxies[..] else { panic!("two proxies") };
    assert_eq!((a.retries, a.balance, a.redispatch_every, a.maxconn), (5, Balance::LeastConn, -1, Some(10)));
    assert_eq!((b.retries, b.balance, b.redispatch_every, b.maxconn), (1, Balance::RoundRobin, 0, None));
    assert_eq!((a.timeouts.queue_ms, b.timeouts.queue_ms), (Some(5_000), Some(9_000)));
    assert_eq!((a.timeouts.client_ms, a.timeouts.server_ms), (Some(3_600_000), Some(7_200_000)));
}

#[test]
fn without_a_line_the_defaults_are_haproxys() {
    let proxy = &config("listen a\n bind :1\n server s 10.0.0.1:2 check").proxies[0];
    assert_eq!((proxy.mode, proxy.retries, proxy.redispatch_every), (Mode::Tcp, 3, 0));
    assert_eq!((proxy.log_style.clone(), proxy.default_backend), (LogStyle::Connect, Some(ProxyId(0))));
    let check = proxy.servers[0].check.expect("it is checked");
    assert_eq!((check.inter_ms, check.rise, check.fall, check.port), (2_000, 2, 3, None));
    assert_eq!((proxy.servers[0].weight, proxy.servers[0].maxconn), (1, None));
}

#[test]
fn automatic_ids_skip_the_given_ones_and_count_them() {
    let text = "listen a\n bind :1\n bind :2 id 1\n bind :3,:4\n server s 10.0.0.1:2 id 2\n server t 10.0.0.1:3\n server u 10.0.0.1:4\n\
                listen b\n id 3\n bind :5\nbackend c";
    let config = config(text);
    assert_eq!(config.proxies.iter().map(|p| p.id).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(config.proxies[0].servers.iter().map(|s| s.id).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(
        config.binds.iter().map(|b| (b.proxy.0, b.id)).collect::<Vec<_>>(),
        [(0, 2), (0, 1), (0, 4), (0, 5), (1, 1)]
    );
    assert_eq!(config.proxies[0].binds, [BindId(0), BindId(1), BindId(2), BindId(3)]);
}

#[test]
fn references_become_indices() {
    let text = "frontend f\n bind :1\n acl a path_beg /x\n use_backend b if a\n use_backend c\n default_backend d\n\
                backend b\nbackend c\nbackend d";
    let proxy = &config(text).proxies[0];
    assert_eq!(
        proxy.use_backends.iter().map(|rule| rule.backend).collect::<Vec<_>>(),
        [ProxyId(1), ProxyId(2)]
    );
    assert!(proxy.use_backends[0].condition.as_ref().is_some_and(|c| c.needs_bytes()));
    assert!(proxy.use_backends[1].condition.is_none());
    assert_eq!(proxy.default_backend, Some(ProxyId(3)));
}

/// A condition means the ACL, to which later lines add, predefined ones included.
#[test]
fn acl_lines_after_their_use_count() {
    let text = "frontend f\n bind :1\n acl near src 10.0.0.0/8\n use_backend b if near\n use_backend b if !LOCALHOST\n\
                acl near src 192.168.0.0/16\n acl LOCALHOST src 172.16.0.0/12\nbackend b\n\
                frontend p\n mode http\n bind :2\n acl near src 10.0.0.0/8\n stats admin if near\n acl near dst_port 80";
    let config = config(text);
    let holds = |condition: &Condition, from: &str| {
        let (src, dst) = (from.parse().ok(), "10.0.0.9:80".parse().ok());
        condition.holds(&Facts { src, dst, bytes: b"" })
    };
    let rule = |at: usize| config.proxies[0].use_backends[at].condition.as_ref().expect("a condition");
    assert!(holds(rule(0), "10.1.1.1:5") && holds(rule(0), "192.168.1.1:5") && !holds(rule(0), "11.1.1.1:5"));
    assert!(
        !holds(rule(1), "127.0.0.1:5") && !holds(rule(1), "172.16.1.1:5") && holds(rule(1), "11.1.1.1:5")
    );
    let admin = &config.proxies[2].stats.as_ref().expect("a page").admin;
    assert!(holds(&admin[0], "11.1.1.1:5"));
    let near = config.proxies[0].acls.iter().rfind(|acl| acl.name == "near").expect("an ACL").lists[0];
    assert_eq!(crate::config::lists::users(&config, near).count(), 2);
    let empty = |list: &mut crate::rules::List| {
        list.clear(None);
        Ok::<_, ()>(())
    };
    let (emptied, ()) = crate::config::lists::with(&config, near, empty).expect("emptied");
    let condition = emptied.proxies[0].use_backends[0].condition.as_ref().expect("a condition");
    assert!(holds(condition, "10.1.1.1:5") && !holds(condition, "192.168.1.1:5"));
}

#[test]
fn equal_log_targets_are_one() {
    let text = "global\n log 127.0.0.1 local0\n log 127.0.0.1:514 local0\n log 127.0.0.1 local1 notice err\n\
                defaults\n log global\nlisten a\n bind :1\n log global\nlisten b\n bind :2\n no log\n log stdout daemon";
    let config = config(text);
    assert_eq!(config.log_targets.len(), 3);
    assert_eq!(config.global.logs, [LogTargetId(0), LogTargetId(0), LogTargetId(1)]);
    assert_eq!(config.proxies[0].logs, config.global.logs);
    assert_eq!(config.proxies[1].logs, [LogTargetId(2)]);
    let target = &config.log_targets[1];
    assert_eq!((target.facility, target.level, target.min_level), (17, 5, 3));
    assert_eq!(target.address, LogAddress::Udp("127.0.0.1:514".parse().unwrap()));
    assert_eq!(config.log_targets[2].address, LogAddress::Fd(1));
}

/// `log global` leaves out what it copied before, not what only looks like it.
#[test]
fn a_line_of_global_is_copied_once() {
    let line = "log 127.0.0.1 local0";
    let text = format!(
        "global\n {line}\ndefaults\n {line}\n log global\n log global\nlisten a\n bind :1\n log global\n {line}\n\
         listen b\n bind :2\n no log\n log global"
    );
    let config = config(&text);
    assert_eq!(config.proxies[0].logs, [LogTargetId(0); 3]);
    assert_eq!(config.proxies[1].logs, [LogTargetId(0)]);
}

#[test]
fn receive_buffers_have_a_size_that_the_ring_takes() {
    let size = |written: &str| config(&format!("global\n tune.bufsize {written}")).global.tune.bufsize;
    assert_eq!([size("2048"), size("5000"), size("33554432")], [4_096, 5_000, 1 << 24]);
    let told = said("global\n tune.bufsize 2048", Severity::Diag);
    assert!(told[0].contains("'tune.bufsize' : receive buffers have 4096 bytes here."), "{told:?}");
    assert!(said("global\n tune.bufsize 32768", Severity::Diag).is_empty());
    assert!(!said("global\n tune.bufsize 0", Severity::Alert).is_empty());
}

#[test]
fn a_default_server_serves_the_lines_after_it() {
    let text = "backend b\n server a 10.0.0.1:1\n default-server inter 5s weight 7 check\n server b 10.0.0.1:1\n\
                server c 10.0.0.1:1 inter 1s no-check\n server d 10.0.0.1:1 minconn 9 maxconn 4";
    let servers = &config(text).proxies[0].servers;
    assert_eq!((servers[0].weight, servers[0].check), (1, None));
    assert_eq!((servers[1].weight, servers[1].check.map(|check| check.inter_ms)), (7, Some(5_000)));
    assert_eq!((servers[2].weight, servers[2].check), (7, None));
    assert_eq!((servers[3].minconn, servers[3].maxconn), (Some(9), Some(9)));
}

#[test]
fn the_port_of_addr_is_checked_unless_port_names_one() {
    let text = "backend b\n server a 10.0.0.1:1 check addr 10.0.0.9:25000\n server b 10.0.0.1 check addr 10.0.0.9:25000\n\
                server c 10.0.0.1:1 check port 7 addr 10.0.0.9:25000\n server d 10.0.0.1:1 check addr 10.0.0.9:25000 addr 10.0.0.8\n\
                server e 10.0.0.1:1 check addr 10.0.0.9:0";
    let checks = config(text).proxies.remove(0).servers.into_iter().filter_map(|server| server.check);
    let shown: Vec<(String, Option<u16>)> =
        checks.map(|check| (check.address.expect("an address").to_string(), check.port)).collect();
    let (nine, eight) = ("10.0.0.9".to_owned(), "10.0.0.8".to_owned());
    let at = |address: &String, port| (address.clone(), port);
    let meant = [
        at(&nine, Some(25_000)),
        at(&nine, Some(25_000)),
        at(&nine, Some(7)),
        at(&eight, None),
        at(&nine, None),
    ];
    assert_eq!(shown, meant);
}

#[test]
fn server_addresses_may_follow_the_clients_port() {
    let text = "backend b\n server a 10.0.0.1\n server b 10.0.0.1:-10\n server c [::1]:7\n server d abns@x";
    let ip = "10.0.0.1".parse().unwrap();
    let addresses: Vec<ServerAddress> =
        config(text).proxies[0].servers.iter().map(|s| s.address.clone()).collect();
    assert_eq!(
        addresses,
        [
            ServerAddress::TcpMapped(ip, 0),
            ServerAddress::TcpMapped(ip, -10),
            ServerAddress::Tcp("[::1]:7".parse().unwrap()),
            ServerAddress::Abstract(AbstractName { text: "x".to_owned(), padded: true }),
        ]
    );
}

#[test]
fn any_address_as_source_undoes_the_backends() {
    let text = "defaults\n source 10.0.0.5\nbackend b\n server a 10.0.0.1:1\n server b 10.0.0.1:1 source 0.0.0.0\n\
                server c 10.0.0.1:1 source *:7\n default-server source 10.0.0.6\n server d 10.0.0.1:1\n\
                server e 10.0.0.1:1 source *\nbackend c\n source *\n server a 10.0.0.1:1";
    let sources: Vec<Option<String>> = config(text)
        .proxies
        .iter()
        .flat_map(|proxy| proxy.servers.iter().map(|server| source_of(server.source, proxy.source)))
        .map(|source| source.map(|source| source.to_string()))
        .collect();
    let shown: Vec<&str> = sources.iter().map(|source| source.as_deref().unwrap_or("any")).collect();
    assert_eq!(shown, ["10.0.0.5:0", "any", "0.0.0.0:7", "10.0.0.6:0", "any", "any"]);
}

#[test]
fn variables_in_addresses_need_no_quotes() {
    let text = "global\n setenv IP 10.0.0.1\n setenv OTHER 10.0.0.2\nlisten l ${IP}:1\n bind /run/$IP.sock\n\
                server a $IP:$NONE7 check port 9 addr $OTHER source ${OTHER}";
    let config = config(text);
    let listen = config.binds.iter().map(|bind| bind.address.clone()).collect::<Vec<_>>();
    assert_eq!(listen[0], ListenAddress::Tcp("10.0.0.1:1".parse().unwrap()));
    assert_eq!(listen[1], ListenAddress::Unix("/run/10.0.0.1.sock".into()));
    let server = &config.proxies[0].servers[0];
    assert_eq!(server.address, ServerAddress::TcpMapped("10.0.0.1".parse().unwrap(), 0));
    assert_eq!(server.source, Some("10.0.0.2:0".parse().unwrap()));
    assert_eq!(server.check.and_then(|check| check.address), Some("10.0.0.2".parse().unwrap()));
}

#[test]
fn cpu_maps_and_limits_reach_the_model() {
    let text = "global\n nbthread 3\n cpu-map auto:1/1-2 4-5\n cpu-map 1/3 0,6\n no strict-limits\n maxconn 77\n\
                stats socket /x level admin\n stats timeout 1m\n spread-checks 4\n tune.bufsize 32k\n nosplice";
    let global = config(text).global;
    assert_eq!((global.nbthread, global.maxconn, global.strict_limits), (Some(3), Some(77), false));
    assert_eq!(global.cpu_map, [vec![4], vec![5], vec![0, 6]]);
    let whole = config("global\n nbthread 2\n cpu-map auto:1-4 3-6\n cpu-map 2/1 9").global.cpu_map;
    assert_eq!(whole[..2], [vec![3], vec![3]]);
    assert_eq!((global.stats_sockets[0].level, global.stats_timeout_ms), (CliLevel::Admin, 60_000));
    assert_eq!((global.tune.bufsize, global.tune.splice, global.spread_checks_percent), (32_768, false, 4));
}

#[test]
fn stats_sockets_take_the_options_of_tcp_listeners() {
    let text = "global\n stats socket 127.0.0.1:9 level admin interface lo mss 1400 tfo\n stats socket [::]:9 v6only tcp-ut 3s";
    let sockets = config(text).global.stats_sockets;
    let first =
        TcpOptions { interface: Some("lo".to_owned()), mss: Some(1_400), tfo: true, ..TcpOptions::default() };
    let second = TcpOptions { v6only: Some(true), user_timeout_ms: Some(3_000), ..TcpOptions::default() };
    assert_eq!((&sockets[0].tcp, sockets[0].level, &sockets[1].tcp), (&first, CliLevel::Admin, &second));
}

#[test]
fn a_busy_spin_is_told_or_found_out() {
    let tuned = |line: &str| {
        config(&format!("global\n {line}\nlisten a\n bind :1\n server s 10.0.0.1:2")).global.tune
    };
    assert_eq!(tuned("nbthread 1").busy_spin, BusySpin::WhenItPays);
    assert_eq!(tuned("tune.busy-spin 0").busy_spin, BusySpin::Us(0));
    assert_eq!(tuned("tune.busy-spin 50").busy_spin, BusySpin::Us(50));
    assert_eq!(tuned("tune.busy-spin 50\n tune.busy-spin auto").busy_spin, BusySpin::WhenItPays);
}

#[test]
fn of_two_lines_the_one_that_haproxy_keeps_counts() {
    let text = "global\n maxconn 7\n chroot /a\n uid 0\n maxpipes 0\n log-tag a\n nbthread 1\n\
                global\n maxconn 8\n chroot /b\n uid 5\n uid 6\n maxpipes 9\n log-tag b\n nbthread 2";
    let global = config(text).global;
    assert_eq!((global.maxconn, global.chroot, global.uid), (Some(7), Some("/a".into()), Some(5)));
    assert_eq!((global.tune.maxpipes, global.log_tag.as_str(), global.nbthread), (Some(9), "b", Some(2)));
    assert_eq!((said(text, Severity::Overruled).len(), said(text, Severity::Warning).len()), (3, 0));
}

#[test]
fn the_stats_page_needs_http_and_tcp_proxies_may_inherit_it() {
    let text = format!(
        "defaults\n mode http\n {TIMEOUTS}\n option httplog\n log 127.0.0.1 local0\n\
         listen stats\n bind :1\n balance\n stats auth a:b:c\n stats refresh 5\n\
         listen impala\n bind :2\n mode tcp\n option tcplog\n server s 10.0.0.1:21050"
    );
    assert_eq!(said(&text, Severity::Warning), [""; 0]);
    let config = config(&text);
    let page = config.proxies[0].stats.as_ref().expect("a page");
    assert_eq!(page.auth, [("a".to_owned(), "b:c".to_owned())]);
    assert_eq!((page.uri.as_str(), page.refresh.map(|time| time.as_secs())), ("/haproxy?stats", Some(5)));
    assert_eq!((config.proxies[1].mode, config.proxies[1].log_style.clone()), (Mode::Tcp, LogStyle::Tcplog));
}

/// With its first line a proxy starts from a page that nobody has described yet; without one it has that of the
/// defaults. Defaults that start from others go on from their page.
#[test]
fn a_proxy_with_a_line_of_its_own_forgets_the_page_of_the_defaults() {
    let text = format!(
        "defaults a\n mode http\n {TIMEOUTS}\n stats uri /a\n stats auth a:b\n stats realm r\n stats scope .\n\
         defaults b from a\n stats refresh 5\n\
         listen heir from b\n bind :1\n\
         listen own from b\n bind :2\n stats enable\n stats hide-version\n\
         listen admin from b\n bind :3\n stats admin if LOCALHOST"
    );
    let proxies = config(&text).proxies;
    let [heir, own, admin] = [0, 1, 2].map(|at| proxies[at].stats.clone().expect("a page"));
    assert_eq!((heir.uri.as_str(), heir.auth.len(), heir.realm.as_deref()), ("/a", 1, Some("r")));
    assert_eq!((heir.scope.len(), heir.refresh.map(|time| time.as_secs())), (1, Some(5)));
    for page in [&own, &admin] {
        assert_eq!((page.uri.as_str(), page.auth.len(), page.realm.as_deref()), ("/haproxy?stats", 0, None));
        assert_eq!((page.scope.len(), page.refresh), (0, None));
    }
    assert_eq!((own.hide_version, own.admin.len()), (true, 0));
    assert_eq!((admin.hide_version, admin.admin.len()), (false, 1));
}

/// HAProxy takes the description that is there when it reads the line, or none at all.
#[test]
fn a_page_shows_the_description_that_stands_above_it() {
    let listen = format!("listen s\n mode http\n bind :1\n {TIMEOUTS}\n stats enable\n stats show-desc");
    let shown = |text: &str| config(text).proxies[0].stats.clone().expect("a page").show_desc;
    assert_eq!(shown(&format!("global\n description d\n{listen}")), Some(None));
    assert_eq!(shown(&format!("{listen} own words")), Some(Some("own words".to_owned())));
    let late = format!("{listen}\nglobal\n description d");
    assert_eq!((shown(&late), said(&late, Severity::Warning).len()), (None, 1));
    let alone = late.replace(" stats enable\n", "").replace("mode http", "mode tcp");
    assert_eq!(said(&alone, Severity::Warning).len(), 1, "no page is left for a TCP proxy to ignore");
}

#[test]
fn of_two_passwords_of_one_user_the_first_counts() {
    let text = format!(
        "listen s\n mode http\n bind :1\n {TIMEOUTS}\n stats auth a:b\n stats auth c:d\n stats auth a:e"
    );
    assert_eq!(said(&text, Severity::Warning), ["config : uri auth: ignoring duplicated user 'a'."]);
    let page = config(&text).proxies[0].stats.clone().expect("a page");
    let pair = |(user, password): (&str, &str)| (user.to_owned(), password.to_owned());
    assert_eq!(page.auth, [("a", "b"), ("c", "d")].map(pair));
}

#[test]
fn every_rule_of_the_exporter_answers_on_its_paths() {
    let paths = |rules: [&str; 2]| {
        let rule = |condition| format!(" http-request use-service prometheus-exporter {condition}\n");
        let rules = rules.map(rule).concat();
        let text = format!("listen s\n mode http\n bind :1\n {TIMEOUTS}\n{rules}");
        config(&text).proxies[0].exporter.clone().expect("an exporter").paths
    };
    assert_eq!(paths(["if { path /a /b }", "if { path /c }"]), ["/a", "/b", "/c"]);
    assert_eq!(paths(["", "if { path /c }"]), [""; 0]);
    assert_eq!(paths(["if { path /a }", ""]), [""; 0]);
}

#[test]
fn advice_is_no_warning() {
    let text = "listen a\n bind :1\n timeout connect 1s\n timeout client 50s\n timeout server 1h\n server s 10.0.0.1:22000";
    assert_eq!(said(text, Severity::Warning), [""; 0]);
    let advice = said(text, Severity::Diag);
    assert_eq!(advice.len(), 3, "{advice:#?}");
    assert!(advice[0].contains("port 22000") && advice[1].contains("'check'"), "{advice:#?}");
    assert!(advice[2].contains("'timeout client'"), "{advice:#?}");
    let tunnel = text.replace("timeout connect", "timeout tunnel 2h\n timeout connect");
    assert_eq!(said(&tunnel, Severity::Diag).len(), 2);
}

#[test]
fn a_frontend_is_advised_by_the_tunnels_of_its_backends() {
    let text = |first: &str, second: &str| {
        format!(
            "frontend f\n bind :1\n timeout client 50s\n use_backend a if {{ src 10.0.0.1 }}\n default_backend b\n\
             backend a\n timeout connect 1s\n {first}\n server s 10.0.0.1:21050 check\n\
             backend b\n timeout connect 1s\n {second}\n server s 10.0.0.1:21050 check"
        )
    };
    let advice = |first, second| said(&text(first, second), Severity::Diag);
    assert_eq!(advice("timeout tunnel 2h", "timeout tunnel 2h"), [""; 0]);
    let one = advice("timeout tunnel 2h", "timeout server 2h");
    assert!(one.len() == 1 && one[0].contains("'timeout client' of frontend 'f'"), "{one:#?}");
}

#[test]
fn a_line_that_was_not_read_makes_no_second_message() {
    let text = "listen a\n bind :1\n timeout client 1x\n server s 10.0.0.1:21050";
    assert_eq!(said(text, Severity::Warning), [""; 0]);
    assert_eq!(said(text, Severity::Alert).len(), 3);
}

mod lines_of_known_words {
    use super::read;
    use crate::config::keyword::{self, Places};
    use proptest::prelude::*;

    fn argument() -> impl Strategy<Value = String> {
        prop_oneof![
            Just(String::new()),
            Just("\"\"".to_owned()),
            "[0-9]{1,12}[smhdk]?",
            "[!-~]{1,8}",
            Just("10.0.0.1:21050".to_owned()),
            Just("if { path_beg /x }".to_owned()),
            proptest::sample::select(keyword::names(Places::ALL).collect::<Vec<_>>()).prop_map(str::to_owned),
        ]
    }

    proptest! {
        /// Every keyword, honoured or not, with arguments that fit badly, in every kind of section.
        #[test]
        fn never_panic(
            row in proptest::sample::select(keyword::all().collect::<Vec<_>>()),
            arguments in proptest::collection::vec(argument(), 0..5),
            section in proptest::sample::select(vec!["global", "defaults", "frontend f", "backend b", "listen l"]),
            carrier in proptest::sample::select(vec!["", "no ", "default ", "bind :1 ", "server s 10.0.0.1:2 ", "stats socket /x "]),
        ) {
            let text = format!("{section}\n {carrier}{} {}", row.words, arguments.join(" "));
            let (config, diagnostics) = read(&text);
            let alert = diagnostics.iter().any(|d| d.severity == crate::config::Severity::Alert);
            prop_assert_eq!(config.is_none(), alert, "{}: {:#?}", text, diagnostics);
        }
    }
}
