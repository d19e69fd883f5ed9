//! Section names, and the words inside the sections that are neither `global` nor proxies.

use super::reasons::{HTTP, STICKINESS, TLS};
use super::{ANY, Arity, Keyword, NONE, ONE, OPT, Places, SOME, Support, TWO, missing, removed, row, told};

const T: Places = Places::TOP;
const O: Places = Places::OTHER;
const SHOWN: Support = Support::Honoured("tests/config/accept/haproxy/every-section.cfg");
const NAME: Arity = Arity { min: 1, max: 3 };
const MAYBE_NAME: Arity = Arity { min: 0, max: 3 };

const ALONE: Support = told("nothing that is honoured refers to it");
const FORWARDING: Support =
    missing("logs of other programs are not relayed", "send them to the syslog daemon directly");
const ACME: Support = missing("certificates are not fetched", "TLS is not terminated here: remove it");
const TRACES: Support = missing("traces are not built", "set PRONK_LOG=debug in the environment instead");

/// Its rows.
pub(super) const ROWS: &[Keyword] = &[
    row("global", T, NONE, "Settings of the whole process.", SHOWN),
    row("defaults", T, MAYBE_NAME, "Settings that the proxies after it start from.", SHOWN),
    row("frontend", T, NAME, "Where clients connect.", SHOWN),
    row("backend", T, NAME, "A pool of servers.", SHOWN),
    row("listen", T, NAME, "A frontend and its backend in one.", SHOWN),
    row("peers", T, ONE, "Other proxies that share stick tables.", STICKINESS),
    row("resolvers", T, ONE, "DNS servers to ask while running.", ALONE),
    row("mailers", T, ONE, "Where e-mail alerts go.", ALONE),
    row("ring", T, ONE, "A buffer of log lines in memory.", ALONE),
    row("log-forward", T, ONE, "A relay for syslog messages.", FORWARDING),
    row("log-profile", T, ONE, "How lines look at each step of a session.", ALONE),
    row("userlist", T, ONE, "Users and groups for HTTP authentication.", ALONE),
    row("crt-store", T, OPT, "Certificates by name.", TLS),
    row("healthcheck", T, ONE, "A health check by name.", ALONE),
    row("traces", T, NONE, "What HAProxy's trace facility records.", TRACES),
    row("acme", T, ONE, "How certificates are fetched.", ACME),
    row("cache", T, ONE, "A cache of HTTP responses.", HTTP),
    row("http-errors", T, ONE, "HTTP error pages by name.", HTTP),
    row("fcgi-app", T, ONE, "A FastCGI application.", HTTP),
    row(
        "program",
        T,
        ONE,
        "A program run beside the proxy.",
        removed("3.3", "start it as a service of its own"),
    ),
    // resolvers
    row("nameserver", O, TWO, "A DNS server (resolvers).", ALONE),
    row("parse-resolv-conf", O, NONE, "Take the DNS servers of /etc/resolv.conf (resolvers).", ALONE),
    row("resolve_retries", O, ONE, "Queries before giving up (resolvers).", ALONE),
    row("timeout resolve", O, ONE, "Time between two lookups (resolvers).", ALONE),
    row("timeout retry", O, ONE, "Time between two queries (resolvers).", ALONE),
    row("hold valid", O, ONE, "How long an answer is kept (resolvers).", ALONE),
    row("hold obsolete", O, ONE, "How long a vanished record is kept (resolvers).", ALONE),
    row("hold nx", O, ONE, "How long 'no such name' is kept (resolvers).", ALONE),
    row("hold refused", O, ONE, "How long a refusal is kept (resolvers).", ALONE),
    row("hold timeout", O, ONE, "How long a timeout is kept (resolvers).", ALONE),
    row("hold other", O, ONE, "How long any other error is kept (resolvers).", ALONE),
    row("accepted_payload_size", O, ONE, "Largest DNS answer (resolvers).", ALONE),
    // mailers
    row("mailer", O, TWO, "A mail server (mailers).", ALONE),
    row("timeout mail", O, ONE, "Time for one mail (mailers).", ALONE),
    // ring
    row("format", O, ONE, "Form of the lines (ring).", ALONE),
    row("maxlen", O, ONE, "Longest line (ring).", ALONE),
    row("size", O, ONE, "Memory for it (ring).", ALONE),
    row("backing-file", O, ONE, "File that keeps it (ring).", ALONE),
    // log-forward
    row("dgram-bind", O, SOME, "UDP address to listen on (log-forward).", FORWARDING),
    row("option assume-rfc6587-ntf", O, NONE, "Framing by line feed (log-forward).", FORWARDING),
    row("option dont-parse-log", O, NONE, "Relay lines untouched (log-forward).", FORWARDING),
    row("option host", O, ONE, "Which host name is relayed (log-forward).", FORWARDING),
    // log-profile
    row("on", O, SOME, "What is logged at a step (log-profile).", ALONE),
    // userlist
    row("user", O, SOME, "A user and password (userlist).", ALONE),
    row("group", O, SOME, "A group of users (userlist).", ALONE),
    // crt-store
    row("load", O, SOME, "A certificate and its files (crt-store).", TLS),
    // healthcheck
    row("type", O, SOME, "Kind of the check (healthcheck).", ALONE),
    // peers
    row("peer", O, SOME, "One of the proxies (peers).", STICKINESS),
    row("default-bind", O, ANY, "Options for its bind lines (peers).", STICKINESS),
    row("table", O, SOME, "A table to share (peers).", STICKINESS),
    row("shards", O, ONE, "Into how many parts tables are split (peers).", STICKINESS),
    // traces and acme
    row("trace", O, SOME, "A source to trace (traces).", TRACES),
    row("directory", O, ONE, "The authority's address (acme).", ACME),
    row("account-key", O, ONE, "Key of the account (acme).", ACME),
    row("contact", O, ONE, "Address of the account (acme).", ACME),
    row("challenge", O, ONE, "How ownership is shown (acme).", ACME),
];
