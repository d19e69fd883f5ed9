//! Options of `server` and `default-server` lines (configuration manual, section 5.2).

use super::reasons::{AGENT, CHECKS, NAMESPACES, PROXY_PROTOCOL, RESOLVERS, SOCKET_OPTION, STICKINESS, http};
use super::value::{FAMILY, TIME, Value::*};
use super::{Keyword, NONE, ONE, Places, SILENT, SOME, Support, missing, row, told};
use crate::config::value::TIME_MAX_MS;

const S: Places = Places::SERVER;
const SD: Places = S.and(Places::DEFAULT_SERVER);
const SHOWN: Support = Support::Honoured("tests/config/accept/every-server.cfg");
const OFF: Support = told("it is off anyway");
const OBSERVE: Support = missing("live traffic is not observed", "'check' notices a server that is down");
const MULTIPLEXERS: Support = missing("servers are spoken to in plain TCP", "remove it");
const NAMED_DEFAULTS: Support = missing(
    "there is one set of server defaults",
    "write a 'default-server' line above the servers it is for",
);
const HEADER_FIELDS: &[&str] =
    &["ssl", "cert-cn", "cert-key", "cert-sig", "ssl-cipher", "authority", "crc32c", "unique-id"];
const NO_AGENT: Support = told("there is no agent check");

/// Options that a server which a command adds may not have, as in HAProxy.
pub(in crate::config) const NOT_DYNAMIC: &[&str] = &[
    "no-check",
    "init-addr",
    "cookie",
    "no-check-send-proxy",
    "no-agent-check",
    "no-send-proxy-v2-ssl",
    "no-send-proxy-v2-ssl-cn",
    "socks4",
    "resolvers",
    "resolve-prefer",
    "resolve-net",
    "resolve-opts",
    "stick",
    "non-stick",
    "tcp-ut",
    "namespace",
    "redir",
    "max-reuse",
    "log-proto",
    "no-ssl",
    "no-check-ssl",
    "ssl-reuse",
];

/// Its rows.
pub(super) const ROWS: &[Keyword] = &[
    row("check", SD, NONE, "Check its health.", SHOWN),
    row("no-check", SD, NONE, "Do not check its health.", SHOWN),
    row("inter", SD, ONE, "Time between checks.", SHOWN),
    row("fastinter", SD, ONE, "The same while its state is changing.", SHOWN),
    row("downinter", SD, ONE, "The same while it is down.", SHOWN),
    row("rise", SD, ONE, "Successes before it is up.", SHOWN),
    row("fall", SD, ONE, "Failures before it is down.", SHOWN),
    row("port", SD, ONE, "Port to check.", SHOWN),
    row("addr", SD, ONE, "Address to check.", SHOWN),
    row("weight", SD, ONE, "Share of the load, 0 to 256.", SHOWN),
    row("backup", SD, NONE, "Used when the others are down.", SHOWN),
    row("no-backup", SD, NONE, "Used always.", SHOWN),
    row("maxconn", SD, ONE, "Most concurrent connections to it.", SHOWN),
    row("minconn", SD, ONE, "The limit when there is little load.", SHOWN),
    row("maxqueue", SD, ONE, "Most connections waiting for it.", SHOWN),
    row("slowstart", SD, ONE, "Time to grow to its full weight.", SHOWN),
    row("disabled", SD, NONE, "Starts in maintenance.", SHOWN),
    row("enabled", SD, NONE, "Starts in service.", SHOWN),
    row("id", S, ONE, "Numeric id in statistics.", SHOWN),
    row("source", SD, ONE, "Address to connect from; without port range, usesrc or interface.", SHOWN),
    row(
        "init-addr",
        SD,
        ONE,
        "Where its address comes from at start: last, libc, none or an IP address.",
        SHOWN,
    ),
    row(
        "cookie",
        SD,
        ONE,
        "Value of the cookie for it.",
        http(Some("{proxy} : ignoring cookie for server '{server}' as HTTP mode is disabled."), false),
    ),
    // Reactions.
    row("on-marked-down", SD, ONE, "'shutdown-sessions': end its sessions when it goes down.", SHOWN),
    row("on-marked-up", SD, ONE, "'shutdown-backup-sessions': end those of backups when it comes up.", SHOWN),
    row("observe", SD, ONE, "Judge it by live traffic.", OBSERVE),
    row("error-limit", SD, ONE, "Errors before reacting.", told("live traffic is not observed"))
        .taking(&[Digits(1, i64::MAX)]),
    row("on-error", SD, ONE, "What to do after these errors.", told("live traffic is not observed"))
        .taking(&[Word(&["fastinter", "fail-check", "sudden-death", "mark-down"])]),
    row(
        "track",
        SD,
        ONE,
        "Take the state of another server.",
        missing("each server has its own check", "write 'check' on this line too"),
    ),
    row(
        "strict-maxconn",
        SD,
        NONE,
        "Count connections, not sessions.",
        missing("'maxconn' counts sessions, which for TCP are connections", "remove it"),
    ),
    row(
        "init-state",
        SD,
        ONE,
        "State at start.",
        missing("servers start up, and the first check decides", "use 'disabled' for maintenance"),
    ),
    row("healthcheck", SD, ONE, "A named check.", CHECKS),
    row("check-send-proxy", SD, NONE, "PROXY header in checks.", PROXY_PROTOCOL),
    row("no-check-send-proxy", SD, NONE, "No PROXY header in checks.", OFF),
    row("check-via-socks4", SD, NONE, "Check through SOCKS.", told("SOCKS is not used")),
    row("check-proto", SD, ONE, "Protocol of checks.", MULTIPLEXERS),
    row("check-reuse-pool", SD, NONE, "Check on idle connections.", SILENT),
    row("no-check-reuse-pool", SD, NONE, "Check on new connections.", SILENT),
    row("check-pool-conn-name", SD, ONE, "Name of such connections.", SILENT),
    // Agents.
    row("agent-check", SD, NONE, "Ask an agent for its state.", AGENT),
    row("no-agent-check", SD, NONE, "Ask no agent.", OFF),
    row("agent-port", SD, ONE, "Port of the agent.", NO_AGENT),
    row("agent-addr", SD, ONE, "Address of the agent.", NO_AGENT),
    row("agent-inter", SD, ONE, "Time between questions.", NO_AGENT).taking(&[Time(1, TIME_MAX_MS)]),
    row("agent-send", SD, ONE, "Text sent to the agent.", NO_AGENT),
    // PROXY protocol and other preambles.
    row("send-proxy", SD, NONE, "Send a PROXY header.", PROXY_PROTOCOL),
    row("send-proxy-v2", SD, NONE, "Send a binary PROXY header.", PROXY_PROTOCOL),
    row("send-proxy-v2-ssl", SD, NONE, "PROXY header with TLS facts.", PROXY_PROTOCOL),
    row("send-proxy-v2-ssl-cn", SD, NONE, "PROXY header with the client's name.", PROXY_PROTOCOL),
    row("no-send-proxy", SD, NONE, "Send no PROXY header.", OFF),
    row("no-send-proxy-v2", SD, NONE, "Send no PROXY header.", OFF),
    row("no-send-proxy-v2-ssl", SD, NONE, "Send no PROXY header.", OFF),
    row("no-send-proxy-v2-ssl-cn", SD, NONE, "Send no PROXY header.", OFF),
    row("proxy-v2-options", SD, ONE, "What the header tells.", told("no PROXY header is sent"))
        .taking(&[Words(HEADER_FIELDS)]),
    row("set-proxy-v2-tlv-fmt", SD, SOME, "A field of one's own.", PROXY_PROTOCOL),
    row("set-proxy-v2-tlv-fmt(*", SD, SOME, "A field of one's own.", PROXY_PROTOCOL),
    row("socks4", SD, ONE, "Connect through SOCKS.", missing("SOCKS is not spoken", "connect directly")),
    // Names.
    row("resolvers", SD, ONE, "Look its name up while running.", RESOLVERS),
    row(
        "resolve-prefer",
        SD,
        ONE,
        "Which address family is preferred.",
        told("names are looked up once, at start"),
    )
    .taking(&[FAMILY]),
    row("resolve-net", SD, ONE, "Which networks are preferred.", told("names are looked up once, at start")),
    row("resolve-opts", SD, ONE, "How its name is looked up.", told("names are looked up once, at start"))
        .taking(&[Words(&["allow-dup-ip", "ignore-weight", "prevent-dup-ip"])]),
    // Stickiness and hashing.
    row("stick", SD, NONE, "May be kept to.", told("there is no stick table")),
    row("non-stick", SD, NONE, "Is never kept to.", told("there is no stick table")),
    row(
        "hash-key",
        SD,
        ONE,
        "What its place on the ring depends on.",
        missing("a server's place depends on its id", "remove it and set 'id'"),
    ),
    row("shard", SD, ONE, "Part of a stick table.", STICKINESS),
    row("guid", S, ONE, "Name in files of counters.", SHOWN),
    row("from", SD, ONE, "Which named defaults it starts from.", NAMED_DEFAULTS),
    row("name", SD, ONE, "Name of these defaults.", NAMED_DEFAULTS),
    // Sockets.
    row(
        "usesrc",
        SD,
        ONE,
        "Connect from the client's address.",
        missing("connections to servers come from this machine's addresses", "remove it"),
    ),
    row("tfo", SD, NONE, "TCP fast open.", SOCKET_OPTION),
    row("no-tfo", SD, NONE, "No TCP fast open.", OFF),
    row("tcp-ut", SD, ONE, "TCP user timeout.", SOCKET_OPTION),
    row("cc", SD, ONE, "Congestion control.", SOCKET_OPTION),
    row("tcp-md5sig", SD, ONE, "TCP signatures.", SOCKET_OPTION),
    row("namespace", SD, ONE, "Network namespace.", NAMESPACES),
    // Other modes.
    row("redir", SD, ONE, "Where HTTP clients are sent.", SILENT),
    row("proto", SD, ONE, "Protocol above TCP.", MULTIPLEXERS),
    row("ws", SD, ONE, "Protocol of WebSockets.", SILENT).taking(&[Word(&["auto", "h1", "h2"])]),
    row("max-reuse", SD, ONE, "Uses of one connection.", SILENT),
    row("pool-conn-name", SD, ONE, "Name of idle connections.", SILENT),
    row("pool-low-conn", SD, ONE, "Idle connections kept.", SILENT),
    row("pool-max-conn", SD, ONE, "Most idle connections.", SILENT),
    row("pool-purge-delay", SD, ONE, "When idle connections close.", SILENT).taking(&[TIME]),
    row("idle-ping", SD, ONE, "Pings of idle connections.", SILENT),
    row("log-proto", SD, ONE, "Framing of log servers.", SILENT).taking(&[Word(&["legacy", "octet-count"])]),
    row("log-bufsize", SD, ONE, "Buffer of log servers.", SILENT),
    row("quic-cc-algo", SD, ONE, "QUIC congestion control.", SILENT),
];
