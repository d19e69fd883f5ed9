//! What there is to know of the process beyond its statistics.

use super::super::answer::Answer;
use super::super::console::{Console, level_name};
use super::{Row, Typed, row};
use crate::config::model::CliLevel::{Operator, User};
use crate::config::model::ListenAddress;
use crate::log::Level;

pub(super) const ROWS: &[Row] = &[
    row("show cli sockets", "", "the stats sockets of this process", User),
    row("show env", "[<name>]", "environment variables of this process", Operator),
    row("show version", "", "the version of this process", User),
];

pub(super) fn run(console: &Console, typed: Typed<'_>) -> Answer {
    match typed.row.words {
        "show cli sockets" => sockets(console),
        "show env" => environment(typed.word(0)),
        _ => Answer::message(Level::Info, env!("CARGO_PKG_VERSION")),
    }
}

fn sockets(console: &Console) -> Answer {
    let mut out = String::from("# socket lvl processes\n");
    for socket in &console.powers().shared.borrow().config.global.stats_sockets {
        let (address, level) = (shown(&socket.address), level_name(socket.level));
        out.push_str(&format!("{address} {level} all\n"));
    }
    Answer::listing(out)
}

fn shown(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Tcp(address) if address.is_ipv4() => format!("ipv4@{address}"),
        ListenAddress::Tcp(address) => format!("ipv6@{address}"),
        ListenAddress::Unix(path) => format!("unix@{}", path.display()),
        ListenAddress::Abstract(name) => format!("abns@{name}"),
        ListenAddress::Fd(fd) => format!("fd@{fd}"),
    }
}

fn environment(wanted: &str) -> Answer {
    let pairs = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
    let lines: String = pairs
        .filter(|(name, _)| wanted.is_empty() || name == wanted)
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    match lines.is_empty() && !wanted.is_empty() {
        true => Answer::refusal("Variable not found"),
        false => Answer::listing(lines),
    }
}
