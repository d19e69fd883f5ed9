//! The reasons and remedies that several rows share.

use super::{Ignored, Support, missing};

/// TLS on either side.
pub(super) const TLS: Support = missing(
    "TLS is neither terminated nor opened",
    "let TLS pass through to the coordinators untouched: remove the TLS words of this line",
);
/// What only matters where TLS is used, and `ssl` itself is refused.
pub(super) const WITH_TLS: Support =
    Support::Ignored(Ignored::Told("it matters only where TLS is used, and no line here uses it"));
/// PROXY protocol headers.
pub(super) const PROXY_PROTOCOL: Support = missing(
    "the PROXY protocol is neither read nor sent",
    "remove it on both ends, or keep HAProxy in front for the listeners that need it",
);
/// Stick tables and what hangs on them.
pub(super) const STICKINESS: Support = missing(
    "stick tables are not built",
    "'balance source' keeps a client on its coordinator as long as the set of servers stays the same",
);
/// Rules on connections and contents.
pub(super) const RULES: Support = missing(
    "rules on connections and their contents are not built",
    "choose backends with 'acl' and 'use_backend'; filter addresses in the firewall",
);
/// Check kinds beyond a TCP connection.
pub(super) const CHECKS: Support = missing(
    "health checks open a TCP connection and nothing more",
    "remove it: 'check' on the server lines notices a coordinator that does not accept connections",
);
/// Custom log formats.
pub(super) const LOG_FORMATS: Support =
    missing("log lines have HAProxy's TCP format and no other", "use 'option tcplog'");
/// Names looked up while running.
pub(super) const RESOLVERS: Support = missing(
    "host names are looked up once, at start",
    "give addresses, or names that the system's resolver knows, and restart when they change",
);
/// Agent checks.
pub(super) const AGENT: Support =
    missing("agent checks are not built", "set weights in the file, and take servers out with 'disabled'");
/// Counters that outlive a process.
pub(super) const STATE_FILES: Support =
    missing("counters are not shared between processes", "use 'stats-file' with 'guid'");
/// E-mail alerts.
pub(super) const MAIL: Support = missing(
    "e-mail alerts are not sent",
    "let the monitoring of the log's 'Server … is DOWN' lines send them",
);
/// Persistence by cookie that may be overridden.
pub(super) const PERSISTENCE: Support =
    missing("session persistence is not built", "remove it; 'balance source' comes nearest");
/// Lua.
pub(super) const LUA: Support = missing("Lua scripts are not run", "remove it with what calls the scripts");
/// QUIC.
pub(super) const QUIC: Support = missing("QUIC is not served", "Impala speaks TCP: remove it");
/// Filters.
pub(super) const FILTERS: Support =
    missing("filters are not built", "limit bandwidth with the system's traffic control (tc)");
/// Socket options that this proxy leaves at the system's value.
pub(super) const SOCKET_OPTION: Support = missing(
    "this socket option is left at the system's value",
    "set it for the whole machine with sysctl, or remove it",
);
/// Network namespaces.
pub(super) const NAMESPACES: Support = missing(
    "sockets are opened in the process's own network namespace",
    "start the process inside that namespace (ip netns exec)",
);
/// HTTP only, and silent in HAProxy.
pub(super) const HTTP: Support = http(None, false);
/// HAProxy's own tuning.
pub(super) const TUNING: Support =
    super::told("it tunes HAProxy's own event loop and memory, which do not exist here");

/// HTTP only, with HAProxy's warning for a TCP proxy.
pub(super) const fn http(warning: Option<&'static str>, changes_page: bool) -> Support {
    Support::Ignored(Ignored::Http { warning, changes_page })
}
