//! `global`: `tune.*` (configuration manual, section 3.2).

use super::reasons::TUNING;
use super::value::{COUNT, NUMBER, ON_OFF, PERCENT, Value::*};
use super::{ANY, G, Keyword, ONE, SILENT, SOME, Support, removed, row, told};

const SHOWN: Support = Support::Honoured("tests/config/accept/every-global.cfg");
const SYSLOG: Support = told("it concerns sockets of log relays, which are not built");
const RULES: Support = told("it bounds rules and variables, which are not built");

/// Its rows.
pub(super) const ROWS: &[Keyword] = &[
    row("tune.bufsize", G, ONE, "Size of one receive buffer.", SHOWN),
    row("tune.pipesize", G, ONE, "Size of the pipes data moves through.", SHOWN),
    row(
        "tune.busy-spin",
        G,
        ONE,
        "How long a worker looks for work before it sleeps: auto (default) or microseconds. Pronk only.",
        Support::Honoured("tests/config/accept/own-global.cfg"),
    ),
    row(
        "tune.incoming-cpu",
        G,
        ONE,
        "Whether a worker accepts what arrives on its CPU (on, off). Pronk only.",
        Support::Honoured("tests/config/accept/own-global.cfg"),
    ),
    row(
        "tune.napi-busy-poll",
        G,
        ONE,
        "Microseconds a worker polls network cards before it waits. Pronk only.",
        Support::Honoured("tests/config/accept/own-global.cfg"),
    ),
    row(
        "tune.huge-pages",
        G,
        ONE,
        "Whether receive buffers lie in pages of 2 MiB (on, off). Pronk only.",
        Support::Honoured("tests/config/accept/own-global.cfg"),
    ),
    row(
        "tune.send-zc",
        G,
        ONE,
        "Bytes from which a send is a zero-copy one. Pronk only.",
        Support::Honoured("tests/config/accept/own-global.cfg"),
    ),
    row("tune.rcvbuf.client", G, ONE, "Receive buffer of client sockets.", SHOWN),
    row("tune.rcvbuf.server", G, ONE, "Receive buffer of server sockets.", SHOWN),
    row("tune.sndbuf.client", G, ONE, "Send buffer of client sockets.", SHOWN),
    row("tune.sndbuf.server", G, ONE, "Send buffer of server sockets.", SHOWN),
    row("tune.rcvbuf.frontend", G, ONE, "Receive buffer of datagram listeners.", SYSLOG),
    row("tune.rcvbuf.backend", G, ONE, "Receive buffer of datagram servers.", SYSLOG),
    row("tune.sndbuf.frontend", G, ONE, "Send buffer of datagram listeners.", SYSLOG),
    row("tune.sndbuf.backend", G, ONE, "Send buffer of datagram servers.", SYSLOG),
    row("tune.maxrewrite", G, ONE, "Room for rewriting headers.", SILENT).taking(&[COUNT]),
    row("tune.chksize", G, ONE, "Buffer of checks.", removed("2.4", "remove it: checks use tune.bufsize")),
    row("tune.maxaccept", G, ONE, "Connections accepted at a time.", TUNING)
        .taking(&[Digits(-1, i32::MAX as i64)]),
    row("tune.maxpollevents", G, ONE, "Events handled at a time.", TUNING),
    row("tune.notsent-lowat.client", G, ONE, "Unsent bytes kept for clients.", TUNING),
    row("tune.notsent-lowat.server", G, ONE, "Unsent bytes kept for servers.", TUNING),
    row("tune.idletimer", G, ONE, "When a stream counts as idle.", TUNING).taking(&[Time(0, 65_535)]),
    row("tune.listener.default-shards", G, ONE, "Sockets of one listener.", TUNING),
    row("tune.listener.multi-queue", G, ONE, "How connections are spread over threads.", TUNING)
        .taking(&[Word(&["on", "off", "fair"])]),
    row("tune.peers.max-updates-at-once", G, ONE, "Updates sent to peers at a time.", TUNING)
        .taking(&[Digits(1, i64::MAX)]),
    row("tune.pattern.cache-size", G, ONE, "Cache of pattern lookups.", TUNING).taking(&[COUNT]).spare(),
    row("tune.ring.queues", G, ONE, "Queues of log rings.", TUNING),
    row("tune.cli.max-payload-size", G, ONE, "Largest payload of a command.", TUNING),
    row("tune.max-checks-per-thread", G, ONE, "Checks run at a time.", TUNING),
    row("tune.max-rules-at-once", G, ONE, "Rules evaluated at a time.", RULES),
    row("tune.vars.global-max-size", G, ONE, "Memory of all variables.", RULES).taking(&[NUMBER]),
    row("tune.vars.proc-max-size", G, ONE, "Memory of process variables.", RULES).taking(&[NUMBER]),
    row("tune.vars.sess-max-size", G, ONE, "Memory of session variables.", RULES).taking(&[NUMBER]),
    row("tune.vars.txn-max-size", G, ONE, "Memory of transaction variables.", RULES).taking(&[NUMBER]),
    row("tune.vars.reqres-max-size", G, ONE, "Memory of request variables.", RULES).taking(&[NUMBER]),
    row("tune.vars.check-max-size", G, ONE, "Memory of check variables.", RULES).taking(&[NUMBER]),
    row("tune.idle-pool.shared", G, ONE, "Share idle HTTP connections.", SILENT)
        .taking(&[Word(&["auto", "on", "off"])]),
    row("tune.buffers.limit", G, ONE, "Most buffers.", TUNING),
    row("tune.buffers.reserve", G, ONE, "Buffers kept back.", TUNING),
    row("tune.bufsize.large", G, ONE, "Size of a large buffer.", TUNING),
    row("tune.bufsize.small", G, ONE, "Size of a small buffer.", TUNING),
    row("tune.recv_enough", G, ONE, "Bytes that end a read.", TUNING),
    row("tune.runqueue-depth", G, ONE, "Tasks run at a time.", TUNING),
    row("tune.sched.low-latency", G, ONE, "Run short tasks first.", TUNING).taking(&[ON_OFF]),
    row("tune.fd.edge-triggered", G, ONE, "Edge-triggered polling.", TUNING).taking(&[ON_OFF]),
    row("tune.fd.tables", G, ONE, "Descriptor tables.", TUNING),
    row("tune.epoll.mask-events", G, SOME, "Events to hide.", TUNING),
    row("tune.events.max-events-at-once", G, ONE, "Events published at a time.", TUNING),
    row("tune.applet.zero-copy-forwarding", G, ONE, "Avoid copies in applets.", TUNING),
    row("tune.pt.zero-copy-forwarding", G, ONE, "Avoid copies in TCP mode.", TUNING),
    row("tune.disable-fast-forward", G, ANY, "Inspect every byte.", TUNING),
    row("tune.disable-zero-copy-forwarding", G, ANY, "Always copy.", TUNING),
    row("tune.memory.hot-size", G, ONE, "Memory kept for reuse.", TUNING),
    row("tune.fail-alloc", G, ONE, "Make allocations fail on purpose.", TUNING).taking(&[PERCENT]),
    row("tune.glitches.kill.cpu-usage", G, ONE, "When to close faulty connections.", TUNING),
    row("tune.pool-high-fd-ratio", G, ONE, "Descriptors above which idle ones close.", TUNING)
        .taking(&[PERCENT]),
    row("tune.pool-low-fd-ratio", G, ONE, "Descriptors above which none stay idle.", TUNING)
        .taking(&[PERCENT]),
    row("tune.renice.runtime", G, ONE, "Priority while running.", TUNING),
    row("tune.renice.startup", G, ONE, "Priority while starting.", TUNING),
    row("tune.streams-elasticity", G, ONE, "Streams of one connection under load.", TUNING),
    row("tune.takeover-other-tg-connections", G, ONE, "Take idle connections of other groups.", TUNING),
    row("tune.defaults.purge", G, ANY, "Forget unused defaults sections.", TUNING),
];
