//! Words after keywords that have no effect, at all or where they stand: what haproxy does not take is refused on the
//! same lines, and what it takes is taken.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::installed;
use crate::support::child::command;
use crate::support::proxy::Program;

/// A keyword, words that are right after it, and words that are not.
type Row = (&'static str, &'static str, &'static str);

const GLOBAL: &[Row] = &[
    ("tune.http.maxhdr", "101", "abc"),
    ("tune.maxrewrite", "1024", "-1"),
    ("tune.maxaccept", "-1", "-2"),
    ("tune.idletimer", "1s", "100s"),
    ("tune.listener.multi-queue", "on", "abc"),
    ("tune.peers.max-updates-at-once", "200", "0"),
    ("tune.pattern.cache-size", "0", "-1"),
    ("tune.vars.global-max-size", "1024", "abc"),
    ("tune.idle-pool.shared", "off", "10"),
    ("tune.sched.low-latency", "on", "auto"),
    ("tune.pool-low-fd-ratio", "20", "101"),
    ("tune.pool-high-fd-ratio", "25", "-1"),
    ("tune.lua.maxmem", "10", "x"),
    ("tune.lua.session-timeout", "4s", "4x"),
    ("tune.h2.header-table-size", "4096", "10"),
    ("tune.h2.initial-window-size", "65535", "-1"),
    ("tune.h2.max-frame-size", "16384", "1"),
    ("tune.comp.maxlevel", "1", "10"),
    ("tune.ssl.default-dh-param", "2048", "10"),
    ("tune.ssl.lifetime", "300", "abc"),
    ("tune.ssl.cachesize", "0", "-1"),
    ("tune.ssl.keylog", "off", "10"),
    ("ssl-default-bind-options", "no-sslv3 ssl-min-ver TLSv1.2", "abc"),
    ("ssl-default-server-options", "no-tls-tickets", "no-sslv3 x"),
    ("ssl-load-extra-files", "bundle sctl", "bundle x"),
    ("ssl-server-verify", "none", "optional"),
    ("httpclient.resolvers.prefer", "ipv4", "ipv5"),
    ("httpclient.ssl.verify", "none", "abc"),
    ("lua-prepend-path", "/x/?.so cpath", "/x path2"),
    ("maxsslconn", "10", "-1"),
    ("maxcompcpuusage", "50", "101"),
    ("close-spread-time", "infinite", "abc"),
    ("profiling.tasks", "auto", "abc"),
    ("set-dumpable", "", "abc"),
    ("external-check", "", "abc"),
    ("thread-groups", "1", "abc"),
];

const PROXY: &[Row] = &[
    ("timeout tarpit", "1s", "abc"),
    ("timeout http-request", "1s", "10x"),
    ("timeout http-keep-alive", "1s", "-1"),
    ("retry-on", "conn-failure 503", "conn-failure 406"),
    ("max-keep-alive-queue", "10", "abc"),
    ("http-reuse", "safe", "abc"),
    ("http-send-name-header", "X", ""),
    ("compression", "offload", "on"),
    ("compression algo", "gzip deflate identity raw-deflate", "gzip foo"),
    ("compression algo", "gzip", ""),
    ("compression type", "a b", ""),
    ("cookie", "X insert indirect domain .a maxidle 1h secure", "X insert foo"),
    ("cookie", "X rewrite attr a=b", "X insert domain"),
    ("cookie", "X", "X insert maxlife x"),
    ("balance", "uri len 32 depth 4 whole", "uri foo"),
    ("balance", "url_param x check_post", "url_param"),
    ("balance", "hdr(Host) use_domain_only", "hdr(Host) foo"),
    ("capture request header", "Host len 10", "Host 10"),
    ("capture response header", "Host len 10", "Host length 10"),
    ("capture cookie", "a len 10", "a"),
    ("declare capture", "request len 10", "client len 10"),
    ("errorloc302", "503 /x", "402 /x"),
    ("errorfile", "503 /dev/null", "10 /dev/null"),
    ("option http-restrict-req-hdr-names", "delete", "abc"),
    ("option forwardfor", "header X if-none", "abc"),
    ("option forwardfor", "if-none except 127.0.0.0/8", "except 127.0.0.0/8 foo"),
    ("option forwardfor", "", "header"),
    ("option originalto", "except 10.0.0.0/8", "if-none"),
    ("option originalto", "header X except 127.0.0.1", "header X foo"),
    ("option httplog", "clf", "abc"),
    ("redirect", "location /", "abc /"),
    ("monitor fail", "if TRUE", "TRUE"),
];

/// In a frontend.
const BACKENDS: &[Row] = &[
    ("timeout server", "1s", ""),
    ("timeout connect", "1s", "x"),
    ("timeout tunnel", "1s", "1x"),
    ("hash-type", "consistent", "avalanche"),
    ("hash-type", "map-based sdbm", "sdbm"),
    ("cookie", "X insert", "X foo"),
    ("fullconn", "10", ""),
    ("retries", "3", ""),
    ("load-server-state-from-file", "none", "foo"),
    ("http-reuse", "safe", "foo"),
    ("http-send-name-header", "X", ""),
    ("max-keep-alive-queue", "10", "x"),
    ("option srvtcpka", "", "x"),
    ("srvtcpka-cnt", "3", "x"),
    ("srvtcpka-cnt", "-1", ""),
    ("srvtcpka-idle", "500ms", "x"),
    ("srvtcpka-intvl", "3", ""),
];

/// In a backend.
const FRONTENDS: &[Row] = &[
    ("timeout client", "1s", ""),
    ("timeout client-fin", "1s", "x"),
    ("maxconn", "10", ""),
    ("backlog", "10", ""),
    ("rate-limit sessions", "10", "x"),
    ("default_backend", "x", ""),
    ("monitor-uri", "/x", ""),
    ("capture cookie", "a len 10", "a"),
    ("unique-id-header", "X", ""),
    ("option dontlognull", "", "x"),
];

const BIND: &[Row] = &[
    ("nice", "-1024", "1025"),
    ("shards", "by-thread", "0"),
    ("verify", "optional", "abc"),
    ("ssl-min-ver", "TLSv1.2", "tlsv1.2"),
];

const SERVER: &[Row] = &[
    ("error-limit", "10", "0"),
    ("on-error", "mark-down", "abc"),
    ("agent-inter", "1s", "0"),
    ("proxy-v2-options", "ssl,crc32c", "ssl,x"),
    ("resolve-prefer", "ipv6", "abc"),
    ("resolve-opts", "allow-dup-ip,ignore-weight", "abc"),
    ("ws", "h1", "h3"),
    ("pool-purge-delay", "5s", "abc"),
    ("log-proto", "octet-count", "abc"),
    ("verify", "required", "optional"),
    ("ssl-max-ver", "TLSv1.3", "1.3"),
];

/// The lines with which a file is refused.
fn refused(program: &Path, text: &str) -> BTreeSet<usize> {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("h.cfg"), text).expect("written");
    let output = command(program).args(["-c", "-f", "h.cfg"]).current_dir(directory.path()).output();
    let said = String::from_utf8_lossy(&output.expect("it runs").stderr).into_owned();
    let alerts = said.lines().filter(|line| line.starts_with("[ALERT]"));
    let number = |line: &str| line.split_once("[h.cfg:")?.1.split_once(']')?.0.parse().ok();
    alerts.filter_map(number).collect()
}

/// Both refuse the lines of wrong words, and no other.
fn judged_alike(head: &str, lines: impl Iterator<Item = (String, bool)>) {
    let mut text = head.to_owned();
    let mut wrong = BTreeSet::new();
    for (at, (line, right)) in (head.lines().count() + 1..).zip(lines) {
        text.push_str(&format!("{line}\n"));
        if !right {
            wrong.insert(at);
        }
    }
    let shown = |lines: &BTreeSet<usize>| {
        let odd = lines.symmetric_difference(&wrong);
        odd.filter_map(|at| text.lines().nth(at - 1)).map(str::trim).collect::<Vec<_>>().join("\n")
    };
    let (theirs, ours) = (refused(&installed().path(), &text), refused(&Program::Pronk.path(), &text));
    assert_eq!(shown(&theirs), "", "haproxy judges these otherwise");
    assert_eq!(shown(&ours), "", "Pronk judges these otherwise");
}

fn both<'a>(rows: &'a [Row], before: &'a str) -> impl Iterator<Item = (String, bool)> + 'a {
    rows.iter().flat_map(move |(keyword, right, wrong)| {
        [(right, true), (wrong, false)].map(|(words, is)| (format!("  {before}{keyword} {words}"), is))
    })
}

#[test]
fn words_after_keywords_of_global_that_have_no_effect() {
    judged_alike("global\n", both(GLOBAL, ""));
}

#[test]
fn words_after_keywords_of_proxies_that_have_no_effect() {
    judged_alike("defaults\n  mode tcp\nlisten x\n  bind 127.0.0.1:1\n", both(PROXY, ""));
}

#[test]
fn words_after_keywords_of_the_side_that_is_missing() {
    judged_alike("defaults\n  mode tcp\nfrontend x\n  bind 127.0.0.1:1\n", both(BACKENDS, ""));
    judged_alike("defaults\n  mode tcp\nbackend x\n", both(FRONTENDS, ""));
}

#[test]
fn words_after_options_of_lines_that_have_no_effect() {
    judged_alike("defaults\n  mode tcp\nlisten x\n", both(BIND, "bind 127.0.0.1:1 "));
    let number =
        |(at, (line, right)): (usize, (String, bool))| (line.replace("{at}", &at.to_string()), right);
    let lines = both(SERVER, "server s{at} 127.0.0.1:1 ").enumerate().map(number);
    judged_alike("defaults\n  mode tcp\nbackend x\n", lines);
}
