//! Options of `bind` and `stats socket` lines (configuration manual, section 5.1).

use super::reasons::{NAMESPACES, PROXY_PROTOCOL, QUIC, SOCKET_OPTION};
use super::value::Value::*;
use super::{Keyword, NONE, ONE, Places, SILENT, Support, missing, row, told};

const B: Places = Places::BIND;
const S: Places = Places::SOCKET;
const BS: Places = B.and(S);
const SHOWN: Support = Support::Honoured("tests/config/accept/every-bind.cfg");
const WORKERS: Support = told("every worker listens on every address");
const MULTIPLEXERS: Support = missing("listeners carry plain TCP", "remove it");

/// Its rows.
pub(super) const ROWS: &[Keyword] = &[
    row("name", B, ONE, "Name of the listener in statistics.", SHOWN),
    row("id", B, ONE, "Numeric id of the listener.", SHOWN),
    row("maxconn", B, ONE, "Most concurrent connections of the listener.", SHOWN),
    row("backlog", B, ONE, "Connections waiting to be accepted.", SHOWN),
    row("name", S, ONE, "Name of the command socket.", SILENT),
    row("id", S, ONE, "Numeric id of the command socket.", SILENT),
    row("maxconn", S, ONE, "Most connections to it.", told("'stats maxconn' bounds all of them together")),
    row("backlog", S, ONE, "Connections waiting to be accepted.", SILENT),
    row("interface", BS, ONE, "Network interface to listen on.", SHOWN),
    row("transparent", BS, NONE, "Accept connections to foreign addresses.", SHOWN),
    row("v4v6", BS, NONE, "IPv4 as well on an IPv6 address.", SHOWN),
    row("v6only", BS, NONE, "IPv6 only.", SHOWN),
    row("mss", BS, ONE, "Largest TCP segment.", SHOWN),
    row("tfo", BS, NONE, "TCP fast open.", SHOWN),
    row("defer-accept", BS, NONE, "Accept when the first data is there.", SHOWN),
    row("tcp-ut", BS, ONE, "TCP user timeout.", SHOWN),
    row("mode", BS, ONE, "Rights of a Unix socket, octal.", SHOWN),
    row("user", BS, ONE, "Owner of a Unix socket, by name.", SHOWN),
    row("uid", BS, ONE, "Owner of a Unix socket, by number.", SHOWN),
    row("group", BS, ONE, "Group of a Unix socket, by name.", SHOWN),
    row("gid", BS, ONE, "Group of a Unix socket, by number.", SHOWN),
    row("level", BS, ONE, "What users of a command socket may do.", SHOWN),
    row("expose-fd listeners", BS, NONE, "Let a successor take the listening sockets over.", SHOWN),
    row(
        "expose-fd",
        BS,
        ONE,
        "See 'expose-fd listeners'.",
        missing("only 'expose-fd listeners' exists", "write both words"),
    ),
    row(
        "severity-output",
        BS,
        ONE,
        "Severities before answers of commands.",
        missing("answers carry no severity", "remove it: 'none' is the default"),
    ),
    row("nice", BS, ONE, "Priority of its sessions.", told("sessions have no priorities"))
        .taking(&[Digits(-1_024, 1_024)]),
    row("process", BS, ONE, "Threads that serve it (old name).", WORKERS),
    row("thread", BS, ONE, "Threads that serve it.", WORKERS).taking(&[Threads]),
    row("shards", B, ONE, "Number of sockets.", WORKERS)
        .taking(&[Or(&["by-thread", "by-group"], &Digits(1, 64))]),
    row("label", BS, ONE, "Name for rules of other sections.", SILENT),
    row("guid-prefix", B, ONE, "Beginning of names in files of counters.", SHOWN),
    row("accept-proxy", BS, NONE, "Expect a PROXY header.", PROXY_PROTOCOL),
    row("accept-netscaler-cip", BS, ONE, "Expect a NetScaler header.", PROXY_PROTOCOL),
    row("namespace", BS, ONE, "Network namespace.", NAMESPACES),
    row("cc", B, ONE, "Congestion control.", SOCKET_OPTION),
    row("tcp-ss", B, ONE, "Whether SYNs are saved.", SOCKET_OPTION),
    row("tcp-md5sig", B, ONE, "TCP signatures.", SOCKET_OPTION),
    row("proto", B, ONE, "Protocol above TCP.", MULTIPLEXERS),
    row("idle-ping", B, ONE, "Pings of idle HTTP/2 connections.", SILENT),
    row("nbconn", B, ONE, "Reverse connections.", missing("reverse HTTP is not served", "remove it")),
    row("quic-cc-algo", B, ONE, "QUIC congestion control.", QUIC),
    row("quic-force-retry", B, NONE, "QUIC address validation.", QUIC),
    row("quic-socket", B, ONE, "QUIC sockets.", QUIC),
];
