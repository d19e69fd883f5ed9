//! Proxy sections: everything but options, timeouts, `stats …` and what is HTTP only
//! (configuration manual, section 4).

use super::reasons::{
    CHECKS, FILTERS, HTTP, LOG_FORMATS, MAIL, PERSISTENCE, QUIC, RULES, STICKINESS, TLS, http,
};
use super::value::{NUMBER, STATUS, Value::*};
use super::{
    ANY, Arity, DFL, DFLB, DLB, FL, FLB, Keyword, LB, NONE, ONE, OPT, SILENT, SOME, Support, TWO, missing,
    row, told,
};

const SHOWN: Support = Support::Honoured("tests/config/accept/haproxy/every-proxy.cfg");
const SHOWN_STATES: Support = Support::Honoured("tests/config/accept/server-states.cfg");
const RETRIED: &[&str] = &[
    "none",
    "conn-failure",
    "empty-response",
    "junk-response",
    "response-timeout",
    "0rtt-rejected",
    "all-retryable-errors",
    "receive-timeout",
    "401",
    "403",
    "404",
    "408",
    "421",
    "425",
    "429",
    "500",
    "501",
    "502",
    "503",
    "504",
];
const COMPRESSION: &[&str] = &["type-req", "type-res", "offload", "direction", "minsize-req", "minsize-res"];
const ALGORITHMS: &[&str] = &["identity", "gzip", "deflate", "raw-deflate"];
const CAPTURE: Support =
    http(Some("'capture' statement ignored for {proxy} as it requires HTTP mode."), false);
const MANY_THREE: Arity = Arity { min: 3, max: Arity::MANY };
const MANY_TWO: Arity = Arity { min: 2, max: Arity::MANY };
const TEMPLATES: Support = missing("server lists are written out", "write one 'server' line for each server");
const PUBLISHING: Support =
    missing("a hidden backend stays hidden from every rule", "use 'publish backend' when it is to be chosen");
const HASHING: Support = missing(
    "consistent hashing is not bounded by load",
    "use 'balance leastconn', or set 'maxconn' on the servers",
);

/// Its rows.
pub(super) const ROWS: &[Keyword] = &[
    row("mode", DFLB, ONE, "tcp, or http for the stats page.", SHOWN),
    row("bind", FL, ANY, "An address to listen on, and its options.", SHOWN),
    row("server", LB, ANY, "A server of the pool, and its options.", SHOWN),
    row("default-server", DLB, ANY, "Options for the servers after it.", SHOWN),
    row("default_backend", DFL, OPT, "The backend when no rule chose one.", SHOWN),
    row("use_backend", FL, ANY, "A backend for the sessions of a condition.", SHOWN),
    row("acl", DFLB, ANY, "A name for a test on a session.", SHOWN),
    row("balance", DLB, ANY, "How servers are chosen.", SHOWN),
    row("hash-type", DLB, SOME, "How hashes are computed and mapped to servers.", SHOWN),
    row("maxconn", DFL, OPT, "Most concurrent connections.", SHOWN),
    row("fullconn", DLB, OPT, "Load at which servers' dynamic limits are full.", SHOWN),
    row("backlog", DFL, OPT, "Connections waiting to be accepted.", SHOWN),
    row("retries", DLB, OPT, "Attempts to connect after the first.", SHOWN),
    row("source", DLB, ANY, "Address to connect to servers from; without usesrc or interface.", SHOWN),
    row("log", DFLB, SOME, "Where sessions are logged.", SHOWN),
    row("log-tag", DFLB, ONE, "Program name in syslog lines.", SHOWN).spare(),
    row("description", FLB, SOME, "Text shown by the stats page.", SHOWN),
    row("disabled", DFLB, NONE, "The proxy does not start.", SHOWN),
    row("enabled", DFLB, NONE, "The proxy starts, whatever defaults say.", SHOWN),
    row("id", FLB, OPT, "Numeric id in statistics.", SHOWN),
    // Servers and where they come from.
    row("server-template", LB, MANY_TWO, "Several servers by one line.", TEMPLATES),
    row("use-server", LB, SOME, "A server for the sessions of a condition.", RULES),
    row("load-server-state-from-file", DLB, ONE, "Where server states are read.", SHOWN_STATES).spare(),
    row("server-state-file-name", DLB, OPT, "Name of the server state file.", SHOWN_STATES),
    row("hash-balance-factor", DLB, ONE, "Bound on the load of one server.", HASHING),
    row("hash-preserve-affinity", DLB, ONE, "Keep to a full or stopped server.", HASHING),
    row("max-session-srv-conns", DFL, ONE, "Idle server connections of one client.", SILENT).spare(),
    row("max-keep-alive-queue", DLB, ONE, "Queue at which connections are not kept.", SILENT)
        .taking(&[NUMBER])
        .spare(),
    row("retry-on", DLB, SOME, "Which HTTP failures are retried.", SILENT).taking(&[Word(RETRIED)]),
    row("clitcpka-cnt", DFL, ONE, "Keep-alive probes to clients.", SHOWN).spare(),
    row("clitcpka-idle", DFL, ONE, "Silence before probing clients.", SHOWN).spare(),
    row("clitcpka-intvl", DFL, ONE, "Time between probes to clients.", SHOWN).spare(),
    row("srvtcpka-cnt", DLB, ONE, "Keep-alive probes to servers.", SHOWN).spare(),
    row("srvtcpka-idle", DLB, ONE, "Silence before probing servers.", SHOWN).spare(),
    row("srvtcpka-intvl", DLB, ONE, "Time between probes to servers.", SHOWN).spare(),
    row("rate-limit sessions", DFL, ONE, "Most new sessions per second.", SHOWN).spare(),
    row("guid", FLB, ONE, "Name in files of counters.", Support::Honoured("tests/config/accept/guids.cfg")),
    row(
        "be-unpublished",
        LB,
        NONE,
        "Hide a backend from rules.",
        Support::Honoured("tests/config/accept/guids.cfg"),
    ),
    row("force-be-switch", FL, SOME, "Choose a hidden backend all the same.", PUBLISHING),
    // Rules and stickiness.
    row("tcp-request connection", DFL, SOME, "Rules on new connections.", RULES),
    row("tcp-request session", DFL, SOME, "Rules on new sessions.", RULES),
    row("tcp-request content", DFLB, SOME, "Rules on the client's first bytes.", RULES),
    row("tcp-request inspect-delay", DFLB, ONE, "How long rules wait for bytes.", RULES),
    row("tcp-response content", DLB, SOME, "Rules on the server's first bytes.", RULES),
    row("tcp-response inspect-delay", DLB, ONE, "How long these rules wait.", RULES),
    row("stick-table", FLB, SOME, "A table of what is known of clients.", STICKINESS),
    row("stick on", LB, SOME, "Keep a client on its server.", STICKINESS),
    row("stick match", LB, SOME, "Find the server in a table.", STICKINESS),
    row("stick store-request", LB, SOME, "Remember the server at the request.", STICKINESS),
    row("stick store-response", LB, SOME, "Remember the server at the response.", STICKINESS),
    row("persist rdp-cookie", DLB, ANY, "Keep RDP clients on their server.", PERSISTENCE),
    row("persist rdp-cookie(*", DLB, ANY, "Keep RDP clients, with a cookie's name.", PERSISTENCE),
    row("force-persist", FLB, SOME, "Keep to a server that is down.", PERSISTENCE),
    row("ignore-persist", FLB, SOME, "Do not keep to a server.", PERSISTENCE),
    row("declare capture", FL, MANY_THREE, "Room for captured values.", SILENT).taking(&[
        Word(&["request", "response"]),
        Word(&["len"]),
        NUMBER,
    ]),
    row("filter", FLB, SOME, "A filter on the data.", FILTERS),
    row("filter-sequence", FLB, SOME, "Order of the filters.", FILTERS),
    row("quic-initial", DFL, SOME, "Rules on QUIC packets.", QUIC),
    row("crt", FL, SOME, "A certificate.", TLS),
    row("ssl-f-use", FL, SOME, "A certificate and its options.", TLS),
    // Checks.
    row("tcp-check", DLB, SOME, "Steps of a TCP check.", CHECKS),
    row("http-check", DLB, SOME, "Steps of an HTTP check.", CHECKS),
    row("external-check command", DLB, ONE, "Program of a check.", CHECKS),
    row("external-check path", DLB, ONE, "PATH of that program.", CHECKS),
    row("email-alert mailers", DFLB, ONE, "Which mail servers.", MAIL),
    row("email-alert from", DFLB, ONE, "Sender of alerts.", MAIL),
    row("email-alert to", DFLB, ONE, "Receiver of alerts.", MAIL),
    row("email-alert level", DFLB, ONE, "Severity from which alerts are sent.", MAIL),
    row("email-alert myhostname", DFLB, ONE, "Name given to the mail server.", MAIL),
    // Log lines.
    row("log-format", DFLB, ONE, "Form of a session's log line.", LOG_FORMATS),
    row("error-log-format", DFLB, ONE, "Form of a failed connection's log line.", LOG_FORMATS),
    row("log-format-sd", DFLB, ONE, "Structured data of RFC 5424 lines.", LOG_FORMATS),
    row("log-steps", DFL, SOME, "When a session is logged.", LOG_FORMATS),
    row("unique-id-format", DFL, ONE, "Form of a session's unique id.", told("no log line shows the id")),
    // HTTP only.
    row("unique-id-header", DFL, ONE, "Header that carries the unique id.", HTTP).spare(),
    row("use-fcgi-app", LB, ONE, "The FastCGI application.", HTTP).spare(),
    row("dispatch", LB, ONE, "A server outside the pool.", super::removed("3.3", "write a 'server' line")),
    row("http-reuse", DLB, ONE, "Share server connections.", HTTP).taking(&[Word(&[
        "never",
        "safe",
        "aggressive",
        "always",
    ])]),
    row("http-send-name-header", DLB, ONE, "Header with the server's name.", HTTP).spare(),
    row("compression", DFLB, SOME, "Compress responses.", HTTP).taking(&[Word(COMPRESSION), Text]),
    row("compression algo", DFLB, SOME, "How responses are compressed.", HTTP).taking(&[Word(ALGORITHMS)]),
    row("compression algo-req", DFLB, SOME, "How requests are compressed.", HTTP).taking(&[Word(ALGORITHMS)]),
    row("compression algo-res", DFLB, SOME, "How responses are compressed.", HTTP)
        .taking(&[Word(ALGORITHMS)]),
    row("compression type", DFLB, SOME, "Which contents are compressed.", HTTP),
    row("capture cookie", FL, MANY_THREE, "Log a cookie.", CAPTURE),
    row("capture request header", FL, MANY_THREE, "Log a request header.", HTTP).taking(&[
        Text,
        Word(&["len"]),
        Text,
    ]),
    row("capture response header", FL, MANY_THREE, "Log a response header.", HTTP).taking(&[
        Text,
        Word(&["len"]),
        Text,
    ]),
    row("errorfile", DFLB, TWO, "A file to answer an error with.", HTTP).taking(&[STATUS, Text]).spare(),
    row("errorfiles", DFLB, SOME, "Error pages by name.", HTTP),
    row("errorloc", DFLB, TWO, "Where to send clients on an error.", HTTP).taking(&[STATUS, Text]).spare(),
    row("errorloc302", DFLB, TWO, "The same with status 302.", HTTP).taking(&[STATUS, Text]).spare(),
    row("errorloc303", DFLB, TWO, "The same with status 303.", HTTP).taking(&[STATUS, Text]).spare(),
    row("http-error", DFLB, MANY_TWO, "An error page.", HTTP),
];
