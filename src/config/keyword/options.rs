//! `option …` (configuration manual, section 4.2).

use super::reasons::{CHECKS, HTTP, http};
use super::value::Value::*;
use super::{ANY, DFL, DFLB, DLB, Keyword, NONE, ONE, OPT, Support, missing, row, told};

const SHOWN: Support = Support::Honoured("tests/config/accept/every-option.cfg");
const DATA_PATH: Support = told("the data path itself chooses how bytes move");

const NEEDS_HTTP: Support = http(Some("'{keyword}' ignored for {proxy} as it requires HTTP mode."), false);
const FALLS_BACK: Support = http(
    Some("'{keyword}' not usable with {proxy} (needs 'mode http'). Falling back to 'option tcplog'."),
    false,
);

/// Its rows.
pub(super) const ROWS: &[Keyword] = &[
    row("option tcplog", DFLB, OPT, "One detailed log line for each session.", SHOWN).only_set(),
    row("option dontlognull", DFL, NONE, "Do not log connections without data.", SHOWN),
    row("option dontlog-normal", DFL, NONE, "Log only what went wrong.", SHOWN),
    row("option logasap", DFL, NONE, "Log when the server is connected.", SHOWN),
    row("option log-health-checks", DLB, NONE, "Log every change of a check's result.", SHOWN),
    row("option log-separate-errors", DFL, NONE, "Log failed sessions at level err.", SHOWN),
    row("option redispatch", DLB, OPT, "Retry on another server.", SHOWN).spare(),
    row("option tcpka", DFLB, NONE, "TCP keep-alive on both sides.", SHOWN).only_set(),
    row("option clitcpka", DFL, NONE, "TCP keep-alive towards clients.", SHOWN),
    row("option srvtcpka", DLB, NONE, "TCP keep-alive towards servers.", SHOWN),
    row("option abortonclose", DLB, NONE, "Give up when a waiting client leaves.", SHOWN),
    row("option allbackups", DLB, NONE, "Use all backup servers, not the first.", SHOWN),
    row("option nolinger", DFLB, NONE, "Close with a reset.", SHOWN),
    row("option socket-stats", DFL, NONE, "Statistics for each listening address.", SHOWN),
    row("option tcp-check", DLB, NONE, "Check by a TCP connection; steps are not built.", SHOWN).only_set(),
    row("option connect-on-data", DFL, NONE, "Connect at the client's first bytes (Pronk's own).", SHOWN),
    row("option persist", DLB, NONE, "Keep to a server that is down.", told("nothing keeps to a server")),
    row(
        "option contstats",
        DFL,
        NONE,
        "Count bytes while they pass.",
        told("the bytes of a session are counted when it ends"),
    ),
    row("option splice-auto", DFLB, NONE, "Splice where it pays.", DATA_PATH),
    row("option splice-request", DFLB, NONE, "Splice towards servers.", DATA_PATH),
    row("option splice-response", DFLB, NONE, "Splice towards clients.", DATA_PATH),
    row("option tcp-smart-accept", DFL, NONE, "Delay the first ACK to clients.", DATA_PATH),
    row("option tcp-smart-connect", DLB, NONE, "Delay the first ACK to servers.", DATA_PATH),
    row("option use-small-buffers", DFLB, ANY, "Save memory in queues.", DATA_PATH),
    row(
        "option independent-streams",
        DFLB,
        NONE,
        "Separate timeouts for each direction.",
        missing("traffic in either direction restarts the timeouts", "remove it, or use 'timeout tunnel'"),
    ),
    row("option httpchk", DLB, ANY, "Check by an HTTP request.", CHECKS).only_set(),
    row("option external-check", DLB, NONE, "Check by a program.", CHECKS).only_set(),
    row("option ssl-hello-chk", DLB, NONE, "Check by a TLS greeting.", CHECKS).only_set(),
    row("option mysql-check", DLB, ANY, "Check by a MySQL login.", CHECKS).only_set(),
    row("option pgsql-check", DLB, ANY, "Check by a PostgreSQL login.", CHECKS).only_set(),
    row("option redis-check", DLB, NONE, "Check by a Redis PING.", CHECKS).only_set(),
    row("option smtpchk", DLB, ANY, "Check by an SMTP greeting.", CHECKS).only_set(),
    row("option ldap-check", DLB, NONE, "Check by an LDAP bind.", CHECKS).only_set(),
    row("option spop-check", DLB, NONE, "Check by an SPOP greeting.", CHECKS).only_set(),
    // HTTP only, silent in TCP mode.
    row("option httpclose", DFLB, NONE, "Close after each response.", HTTP),
    row("option http-server-close", DFLB, NONE, "Close server connections.", HTTP),
    row("option http-keep-alive", DFLB, NONE, "Keep connections.", HTTP),
    row("option http-restrict-req-hdr-names", DFLB, ONE, "What to do with odd header names.", HTTP)
        .taking(&[Word(&["preserve", "delete", "reject"])])
        .only_set(),
    row("option http-drop-request-trailers", DLB, NONE, "Drop trailers of requests.", HTTP),
    row("option http-drop-response-trailers", DFL, NONE, "Drop trailers of responses.", HTTP),
    row("option h1-case-adjust-bogus-client", DFL, NONE, "Spell headers for old clients.", HTTP),
    row("option h1-case-adjust-bogus-server", DLB, NONE, "Spell headers for old servers.", HTTP),
    row("option forwarded", DLB, ANY, "Add a Forwarded header.", NEEDS_HTTP),
    // HTTP only, with HAProxy's warning in TCP mode.
    row("option forwardfor", DFLB, ANY, "Add an X-Forwarded-For header.", NEEDS_HTTP)
        .taking(&[Choice(&[("except", Some(Text)), ("header", Some(Text)), ("if-none", None)])])
        .only_set(),
    row("option originalto", DFLB, ANY, "Add an X-Original-To header.", NEEDS_HTTP)
        .taking(&[Choice(&[("except", Some(Text)), ("header", Some(Text))])])
        .only_set(),
    row("option prefer-last-server", DLB, NONE, "Keep to the last server.", NEEDS_HTTP),
    row("option checkcache", DLB, NONE, "Refuse cacheable cookies.", NEEDS_HTTP),
    row("option http-buffer-request", DFLB, NONE, "Wait for the body.", NEEDS_HTTP),
    row("option http-ignore-probes", DFL, NONE, "Do not log empty requests.", NEEDS_HTTP),
    row("option http-no-delay", DFLB, NONE, "Send small pieces at once.", NEEDS_HTTP),
    row("option http-pretend-keepalive", DLB, NONE, "Hide closing.", NEEDS_HTTP),
    row("option http-use-proxy-header", DFL, NONE, "Proxy-Connection.", NEEDS_HTTP),
    row("option idle-close-on-response", DFL, NONE, "Delay closing.", NEEDS_HTTP),
    row("option disable-h2-upgrade", DFL, NONE, "Never HTTP/2.", NEEDS_HTTP),
    row("option accept-invalid-http-request", DFL, NONE, "Relax request parsing (old name).", NEEDS_HTTP),
    row("option accept-invalid-http-response", DLB, NONE, "Relax response parsing (old name).", NEEDS_HTTP),
    row("option accept-unsafe-violations-in-http-request", DFL, NONE, "Relax request parsing.", NEEDS_HTTP),
    row("option accept-unsafe-violations-in-http-response", DLB, NONE, "Relax response parsing.", NEEDS_HTTP),
    row("option httplog", DFLB, OPT, "HTTP log lines; TCP ones in a TCP proxy.", FALLS_BACK)
        .taking(&[Word(&["clf"])])
        .only_set(),
    row("option httpslog", DFLB, NONE, "HTTPS log lines; TCP ones in a TCP proxy.", FALLS_BACK)
        .only_set()
        .spare(),
];
