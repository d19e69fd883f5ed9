//! Words: the states of rows, the descriptions of checks, the names of algorithms.

use crate::config::model::Balance;
use crate::table::{Checks, Health, ServerState};

use super::value::Value;

/// A server's `status`: UP, DOWN, MAINT, DRAIN, `no check`, with progress where a change is under way.
pub(super) fn server(state: &ServerState) -> Value {
    let check = &state.check;
    let full = check.rise + check.fall.saturating_sub(1);
    let checked = state.checks == Checks::On;
    if state.admin.unresolved {
        return Value::text("MAINT (resolution)");
    }
    if state.admin.maint {
        return Value::text("MAINT");
    }
    let word = match state.health {
        Health::Down if checked && check.health > 0 => {
            return Value::text(format!("DOWN {}/{}", check.health, check.rise));
        }
        Health::Down => return Value::text("DOWN"),
        Health::Stopping => "NOLB",
        Health::Up if state.admin.drain => "DRAIN",
        Health::Up => "UP",
    };
    if checked && check.health < full {
        let left = (check.health + 1).saturating_sub(check.rise);
        return Value::text(format!("{word} {left}/{}", check.fall));
    }
    Value::text(if checked || word != "UP" { word } else { "no check" })
}

/// What a check's status word means (`check_desc`).
pub fn check_description(status: &str) -> &'static str {
    match status {
        "INI" => "Initializing",
        "SOCKERR" => "Socket error",
        "L4OK" => "Layer4 check passed",
        "L4TOUT" => "Layer4 timeout",
        "L4CON" => "Layer4 connection problem",
        "L6OK" => "Layer6 check passed",
        "L6TOUT" => "Layer6 timeout",
        "L6RSP" => "Layer6 invalid response",
        "L7OK" => "Layer7 check passed",
        "L7OKC" => "Layer7 check conditionally passed",
        "L7TOUT" => "Layer7 timeout",
        "L7RSP" => "Layer7 invalid response",
        "L7STS" => "Layer7 wrong status",
        "PROCERR" => "External check error",
        "PROCTOUT" => "External check timeout",
        "PROCOK" => "External check passed",
        _ => "Unknown",
    }
}

/// `algo` of a backend's row.
pub(super) fn algorithm(balance: Balance) -> &'static str {
    match balance {
        Balance::RoundRobin => "roundrobin",
        Balance::StaticRr => "static-rr",
        Balance::LeastConn => "leastconn",
        Balance::First => "first",
        Balance::Source => "source",
        Balance::Hash(_) => "hash",
        // HAProxy has no word for it here.
        Balance::Random(_) => "unknown",
    }
}
