//! Every address form, and every one that is refused.

use std::path::PathBuf;

use super::*;

fn ip(text: &str) -> Host {
    Host::Ip(text.parse().expect("a test's address"))
}

fn bind(text: &str) -> Result<Vec<Address>, String> {
    listen_addresses(text, Usage::Bind).map_err(|error| error.text)
}

fn one(text: &str, usage: Usage) -> Result<Address, String> {
    address(text, usage).map_err(|error| error.text)
}

#[test]
fn every_way_to_write_an_ip_listener() {
    let cases = [
        ("127.0.0.1:80", "127.0.0.1"),
        (":80", "0.0.0.0"),
        ("*:80", "0.0.0.0"),
        ("[::1]:80", "::1"),
        ("::1:80", "::1"),
        (":::80", "::"),
        ("ipv4@:80", "0.0.0.0"),
        ("ipv6@:80", "::"),
        ("ip@1.2.3.4:80", "1.2.3.4"),
        ("tcp@:80", "0.0.0.0"),
        ("tcp4@:80", "0.0.0.0"),
        ("tcp6@:80", "::"),
        ("stream+ipv6@[::2]:80", "::2"),
    ];
    for (text, host) in cases {
        assert_eq!(bind(text), Ok(vec![Address::Ip(ip(host), Port::Fixed(80))]), "{text}");
    }
}

/// As haproxy 2.6 reads them, which asks inet_aton(3).
#[test]
fn old_spellings_of_ipv4_addresses() {
    let cases = [
        ("127.1:80", "127.0.0.1"),
        ("0:80", "0.0.0.0"),
        ("192.168.001.010:80", "192.168.1.8"),
        ("[10.0.0.1]:80", "10.0.0.1"),
        ("ipv4@[127.1]:80", "127.0.0.1"),
        ("4294967295:80", "255.255.255.255"),
    ];
    for (text, host) in cases {
        assert_eq!(bind(text), Ok(vec![Address::Ip(ip(host), Port::Fixed(80))]), "{text}");
    }
    let named = HostName { name: "localhost".to_owned(), family: HostFamily::Any };
    assert_eq!(bind("[localhost]:80"), Ok(vec![Address::Ip(Host::Name(named), Port::Fixed(80))]));
    for wrong in
        ["09.1:80", "[0]:80", "[]:80", "[*]:80", "256.1:80", "1.:80", "[::1:80", "::1]:80", "ipv6@127.1:80"]
    {
        assert!(bind(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn sockets_by_path_name_and_number() {
    let unix = |path: &str| Address::Unix(PathBuf::from(path));
    assert_eq!(bind("/run/x"), Ok(vec![unix("/run/x")]));
    assert_eq!(bind("unix@x"), Ok(vec![unix("x")]));
    assert_eq!(bind("uxst@/run/x"), Ok(vec![unix("/run/x")]));
    for (text, padded) in [("abns@x", true), ("abnsz@x", false), ("stream+abnsz@x", false)] {
        let name = AbstractName { text: "x".to_owned(), padded };
        assert_eq!(bind(text), Ok(vec![Address::Abstract(name)]), "{text}");
    }
    assert_eq!(bind("fd@3"), Ok(vec![Address::Fd(3)]));
    assert_eq!(bind("sockpair@3"), Ok(vec![Address::SocketPair(3)]));
    assert_eq!(one("udp@127.0.0.1:514", Usage::Log), Ok(Address::Ip(ip("127.0.0.1"), Port::Fixed(514))));
    assert_eq!(one("uxdg@/dev/log", Usage::Log), Ok(unix("/dev/log")));
}

#[test]
fn lists_and_ranges_multiply_out() {
    let fixed = |host: &str, port| Address::Ip(ip(host), Port::Fixed(port));
    assert_eq!(
        bind(":3000-3001,127.0.0.1:5"),
        Ok(vec![fixed("0.0.0.0", 3000), fixed("0.0.0.0", 3001), fixed("127.0.0.1", 5),])
    );
    assert_eq!(bind(":80,"), Ok(vec![fixed("0.0.0.0", 80)]));
    assert_eq!(bind(":1-65535").map(|all| all.len()), Ok(65_535));
}

#[test]
fn listeners_that_are_refused() {
    let cases = [
        ("127.0.0.1", "missing port specification in '127.0.0.1'"),
        ("[::1]", "missing port specification in '[::1]'"),
        (":", "missing port specification in ':'"),
        (":0", "invalid port '0'"),
        (":99999", "invalid port '99999'"),
        (":1-", "invalid port ''"),
        (":3010-3000", "invalid port range '3010-3000'"),
        ("ipv4@[::1]:80", "invalid address: '[::1]' in 'ipv4@[::1]:80'"),
        ("ipv6@127.0.0.1:80", "invalid address: '127.0.0.1' in 'ipv6@127.0.0.1:80'"),
        ("256.1.1.1:80", "invalid address: '256.1.1.1' in '256.1.1.1:80'"),
        ("foo@:80", "invalid address: 'foo@' in 'foo@:80'"),
        ("fd@x", "file descriptor 'x' is not a valid integer in 'fd@x'"),
        ("udp@:80", "dgram-type address not acceptable in 'udp@:80'"),
        ("dgram+ip@:80", "dgram-type address not acceptable in 'dgram+ip@:80'"),
        (":x", "invalid character 'x' in port number 'x' in ':x'"),
        (":+80", "port offset not permitted here in ':+80'"),
        ("sockpair@x", "file descriptor 'x' is not a valid integer in 'sockpair@x'"),
        ("quic4@:80", "unsupported address family 'quic4@' in 'quic4@:80'"),
    ];
    for (text, error) in cases {
        assert_eq!(bind(text), Err(error.to_owned()), "{text}");
    }
    let long = format!("/{}", "x".repeat(97));
    assert_eq!(bind(&long), Err(format!("socket path '{long}' too long (max 97)")));
}

#[test]
fn servers_take_ports_offsets_and_none() {
    let at = |port| Ok(Address::Ip(ip("127.0.0.1"), port));
    assert_eq!(one("127.0.0.1:80", Usage::Server), at(Port::Fixed(80)));
    assert_eq!(one("127.0.0.1", Usage::Server), at(Port::None));
    assert_eq!(one("127.0.0.1:0", Usage::Server), at(Port::None));
    assert_eq!(one("127.0.0.1:+5", Usage::Server), at(Port::Offset(5)));
    assert_eq!(one("127.0.0.1:-5", Usage::Server), at(Port::Offset(-5)));
    assert_eq!(one("[::1]", Usage::Server), Ok(Address::Ip(ip("::1"), Port::None)));
    let name = HostName { name: "impala-1.example".to_owned(), family: HostFamily::V4 };
    assert_eq!(
        one("ipv4@impala-1.example:21050", Usage::Server),
        Ok(Address::Ip(Host::Name(name), Port::Fixed(21_050)))
    );
    assert_eq!(
        one("127.0.0.1:1-2", Usage::Server),
        Err("port range not permitted here in '127.0.0.1:1-2'".to_owned())
    );
    assert_eq!(
        one("fd@3", Usage::Server),
        Err("a file descriptor is not acceptable here in 'fd@3'".to_owned())
    );
    assert_eq!(
        one("sockpair@3", Usage::Server),
        Err("unsupported address family 'sockpair@' in 'sockpair@3'".to_owned())
    );
    assert!(one("::1", Usage::Server).is_err(), "the last colon separates the port");
    assert_eq!(one("127.0.0.1:80", Usage::CheckAddress), at(Port::Fixed(80)));
    assert_eq!(
        one("127.0.0.1:+5", Usage::CheckAddress),
        Err("port offset not permitted here in '127.0.0.1:+5'".to_owned())
    );
}

#[test]
fn every_error_comes_with_a_remedy() {
    for text in ["", ":", "x@", "fd@", "unix@", ":0", "a b:1", "quic6@:1", "rhttp@x", "\u{e9}:1"] {
        for usage in
            [Usage::Bind, Usage::Server, Usage::Log, Usage::Source, Usage::CheckAddress, Usage::StatsSocket]
        {
            if let Err(error) = address(text, usage) {
                assert!(!error.text.is_empty() && !error.help.is_empty(), "{text} as {usage:?}");
            }
        }
    }
}
