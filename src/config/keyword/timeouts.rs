//! `timeout …` (configuration manual, section 4.2).

use super::reasons::HTTP;
use super::value::TIME;
use super::{DFL, DFLB, DLB, Keyword, ONE, OPT, Support, row, told};

const SHOWN: Support = Support::Honoured("tests/config/accept/haproxy/every-proxy.cfg");

/// Its rows.
pub(super) const ROWS: &[Keyword] = &[
    row("timeout connect", DLB, OPT, "For a connection to a server.", SHOWN),
    row("timeout client", DFL, OPT, "For a silent client.", SHOWN),
    row("timeout server", DLB, OPT, "For a silent server.", SHOWN),
    row("timeout tunnel", DLB, OPT, "For silence once both sides have spoken.", SHOWN),
    row("timeout queue", DLB, OPT, "For a place at a server.", SHOWN),
    row("timeout check", DLB, OPT, "For a health check.", SHOWN),
    row("timeout client-fin", DFL, OPT, "For a client whose other direction is closed.", SHOWN),
    row("timeout server-fin", DLB, OPT, "For a server whose other direction is closed.", SHOWN),
    row(
        "timeout client-hs",
        DFL,
        ONE,
        "For a handshake before the session.",
        told("there is no such handshake"),
    )
    .taking(&[TIME]),
    row("timeout tarpit", DFLB, ONE, "How long a tarpitted client is held.", told("nothing is tarpitted"))
        .taking(&[TIME]),
    row("timeout http-request", DFLB, ONE, "For a complete HTTP request.", HTTP).taking(&[TIME]),
    row("timeout http-keep-alive", DFLB, ONE, "For the next HTTP request.", HTTP).taking(&[TIME]),
];
