//! `stats …` in proxies: the statistics page of a `mode http` frontend or listen section.

use super::{ANY, DFLB, FLB, Keyword, NONE, ONE, OPT, SOME, Support, missing, removed, row};

const SHOWN: Support = Support::Honoured("tests/config/accept/haproxy/stats-page.cfg");

/// The warning HAProxy gives when a TCP proxy has any of these.
pub const WARNING: &str = "'stats' statement ignored for {proxy} as it requires HTTP mode.";

/// Its rows.
pub(super) const ROWS: &[Keyword] = &[
    row("stats enable", DFLB, NONE, "Serve the statistics page.", SHOWN).spare(),
    row("stats uri", DFLB, ONE, "Path of the page.", SHOWN).spare(),
    row("stats realm", DFLB, ONE, "Realm of its authentication.", SHOWN).spare(),
    row("stats auth", DFLB, ONE, "A user and password for it.", SHOWN).spare(),
    row("stats refresh", DFLB, ONE, "How often it reloads itself.", SHOWN).spare(),
    row("stats hide-version", DFLB, NONE, "Do not show the version.", SHOWN).spare(),
    row("stats show-legends", DFLB, NONE, "Show more details.", SHOWN).spare(),
    row("stats show-node", DFLB, OPT, "Show the machine's name.", SHOWN).spare(),
    row("stats show-desc", DFLB, ANY, "Show the description.", SHOWN),
    row("stats scope", DFLB, ONE, "Show only this proxy.", SHOWN).spare(),
    row("stats show-modules", DFLB, NONE, "Show extra counters.", missing("there are none", "remove it")),
    row("stats admin", FLB, ANY, "Allow commands on the page.", SHOWN),
    row(
        "stats http-request",
        DFLB,
        SOME,
        "Rules on who sees the page.",
        missing("rules on the page are not built", "protect it with 'stats auth' and by its bind address"),
    ),
    row("stats bind-process", DFLB, SOME, "Process that serves it.", removed("2.7", "remove it")),
];
