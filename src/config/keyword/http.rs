//! HTTP rules in proxies: no effect in TCP mode, and refused where the stats page would have to obey them.

use super::reasons::http;
use super::value::{CONDITION, TIME, Value, Value::*};
use super::{DFL, DFLB, DLB, FL, FLB, Keyword, OPT, SOME, Support, row};

/// The warning HAProxy gives when a TCP proxy has rules on requests.
pub const REQUEST_WARNING: &str = "'http-request' rules ignored for {proxy} as they require HTTP mode.";

/// The warning HAProxy gives when a TCP frontend has a path for probes.
pub const MONITOR_WARNING: &str = "monitor-uri will be ignored for {proxy} (needs 'mode http').";

const REDIRECT: &[&str] = &[
    "location",
    "prefix",
    "scheme",
    "code",
    "set-cookie",
    "clear-cookie",
    "drop-query",
    "append-slash",
    "ignore-empty",
];

const COOKIE: &[(&str, Option<Value>)] = &[
    ("rewrite", None),
    ("insert", None),
    ("prefix", None),
    ("indirect", None),
    ("nocache", None),
    ("postonly", None),
    ("preserve", None),
    ("httponly", None),
    ("secure", None),
    ("dynamic", None),
    ("domain", Some(Text)),
    ("maxidle", Some(TIME)),
    ("maxlife", Some(TIME)),
    ("attr", Some(Text)),
];

/// Its rows.
pub(super) const ROWS: &[Keyword] = &[
    row(
        "http-request use-service",
        FL,
        SOME,
        "Serve Prometheus' metrics.",
        Support::Honoured("tests/config/accept/haproxy/prometheus.cfg"),
    ),
    row("http-request", DFLB, SOME, "Rules on HTTP requests.", http(Some(REQUEST_WARNING), true)),
    row(
        "http-response",
        DFLB,
        SOME,
        "Rules on HTTP responses.",
        http(Some("'http-response' rules ignored for {proxy} as they require HTTP mode."), true),
    ),
    row(
        "http-after-response",
        DFLB,
        SOME,
        "Rules on all HTTP responses.",
        http(Some("'http-after-response' rules ignored for {proxy} as they require HTTP mode."), true),
    ),
    row(
        "redirect",
        FLB,
        SOME,
        "Answer with a redirection.",
        http(Some("'redirect' rules ignored for {proxy} as they require HTTP mode."), true),
    )
    .taking(&[Word(REDIRECT), Text]),
    row(
        "monitor-uri",
        DFL,
        OPT,
        "Path that answers a probe.",
        Support::Honoured("tests/config/accept/haproxy/stats-page.cfg"),
    ),
    row("monitor fail", FL, SOME, "When the probe fails.", http(None, true)).taking(&[CONDITION, Text]),
    row(
        "cookie",
        DLB,
        SOME,
        "Keep a client on its server by cookie.",
        http(Some("cookie will be ignored for {proxy} (needs 'mode http')."), false),
    )
    .taking(&[Text, Choice(COOKIE)]),
];
