//! Commands that change servers: `set server`, weights, in and out of service.

use std::net::IpAddr;

use super::super::answer::Answer;
use super::super::console::Console;
use super::{Row, Typed, dynamic, row};
use crate::config::model::CliLevel::{Admin, User};
use crate::config::model::{Config, ProxyId};
use crate::health::{Asker, Forced, Order, Port, Reply, ServerChange, Service, Weight};
use crate::log::Level;
use crate::session::op::ServerId;
use crate::table::{ServerEntry, Snapshot};

pub(super) const ROWS: &[Row] = &[
    row("disable agent", "<backend>/<server>", "stop agent checks", Admin),
    row("disable health", "<backend>/<server>", "stop health checks", Admin),
    row("disable server", "<backend>/<server>", "put a server into maintenance", Admin),
    row("enable agent", "<backend>/<server>", "start agent checks", Admin),
    row("enable health", "<backend>/<server>", "start health checks", Admin),
    row("enable server", "<backend>/<server>", "put a server back into service", Admin),
    row("get weight", "<backend>/<server>", "a server's weight now and as configured", User),
    row("set maxconn server", "<backend>/<server> <maxconn>", "change a server's limit", Admin),
    row("set server", "<backend>/<server> [opts]", "change a server's state, weight, address, name", Admin),
    row("set weight", "<backend>/<server> <weight>[%]", "change a server's weight", Admin),
];

/// A server that was named.
pub(super) type Place = (ProxyId, u16);

/// What is to be done to it, or what is said without doing anything.
type Wish = Result<ServerChange, Answer>;

pub(super) async fn run(console: &mut Console, typed: Typed<'_>) -> Answer {
    let table = console.table();
    let server = match entry(&table, typed.word(0)) {
        Ok(entry) => entry.id,
        Err(refusal) => return refusal,
    };
    let wish = match typed.row.words {
        "get weight" => return weight_of(&table, server),
        "set server" if typed.word(1) == "name" => {
            return dynamic::rename(console, typed.word(0), typed.word(2)).await;
        }
        "set server" => wish(&typed.arguments[1..]),
        "set weight" => weight(typed.word(1)),
        "set maxconn server" => maxconn(typed.word(1)),
        "disable server" => Ok(ServerChange::State(Service::Maint)),
        "enable server" => Ok(ServerChange::State(Service::Ready)),
        "disable health" => Ok(ServerChange::Checks(false)),
        "enable health" => Ok(ServerChange::Checks(true)),
        "disable agent" => return Answer::done(),
        _ => Err(Answer::refusal("Agent was not configured on this server, cannot enable.")),
    };
    match wish {
        Ok(change) => order(console, server, change).await,
        Err(answer) => answer,
    }
}

async fn order(console: &Console, server: ServerId, change: ServerChange) -> Answer {
    let level = match change {
        ServerChange::Address { .. } => Level::Warning,
        _ => Level::Notice,
    };
    let remote = console.powers().health.clone();
    said(level, remote.order(Order::Server { server, change }).await)
}

fn said(level: Level, reply: Reply) -> Answer {
    match reply {
        Ok(text) => Answer::message(level, text),
        Err(text) => Answer::refusal(text),
    }
}

/// The two names of `backend/server`.
pub(super) fn parts(path: &str) -> Result<(&str, &str), Answer> {
    match path.split_once('/') {
        Some((backend, server)) if !backend.is_empty() && !server.is_empty() => Ok((backend, server)),
        _ => Err(Answer::refusal("Require 'backend/server'.")),
    }
}

/// A backend by its name, or by `#` and its id.
pub fn backend(config: &Config, wanted: &str) -> Option<ProxyId> {
    let mut backends = config.proxies().filter(|(_, proxy)| proxy.kind.is_backend());
    backends.find(|(_, proxy)| is(&proxy.name, proxy.id, wanted)).map(|(id, _)| id)
}

fn is(name: &str, id: u32, wanted: &str) -> bool {
    match wanted.strip_prefix('#') {
        Some(number) => number.parse() == Ok(id),
        None => name == wanted,
    }
}

/// `backend/server`, each by its name or as `#` and its id.
pub(super) fn place(config: &Config, path: &str) -> Result<Place, Answer> {
    let (name, server) = parts(path)?;
    let Some(proxy) = backend(config, name) else { return Err(Answer::refusal("No such backend.")) };
    match self::server(config, proxy, server) {
        None => Err(Answer::refusal("No such server.")),
        Some(_) if config.proxies[usize::from(proxy.0)].disabled => {
            Err(Answer::refusal("Proxy is disabled."))
        }
        Some(at) => Ok((proxy, at)),
    }
}

/// A server of a backend by its name, or by `#` and its id.
pub fn server(config: &Config, proxy: ProxyId, wanted: &str) -> Option<u16> {
    let servers = &config.proxies[usize::from(proxy.0)].servers;
    (0..).zip(servers).find(|(_, one)| is(&one.name, one.id, wanted)).map(|(at, _)| at)
}

/// The same, as it is in a table.
pub(super) fn entry<'a>(table: &'a Snapshot, path: &str) -> Result<&'a ServerEntry, Answer> {
    let (proxy, at) = place(&table.config, path)?;
    Ok(&table.backend(proxy).servers[usize::from(at)])
}

fn weight_of(table: &Snapshot, server: ServerId) -> Answer {
    let (backend, entry) = table.server(server);
    let settings = &table.config.proxies[usize::from(backend.proxy.0)].servers;
    let initial = settings.iter().find(|one| one.id == entry.number).map_or(entry.weight, |one| one.weight);
    Answer::listing(format!("{} (initial {initial})\n", entry.uweight))
}

const USAGE: &str = "usage: set server <backend>/<server> addr | agent | agent-addr | agent-port | agent-send | \
                     check-addr | check-port | fqdn | health | ssl | state | weight";

const NO_AGENT: &str = "agent checks are not enabled on this server.";

/// What follows `set server b/s`.
fn wish(words: &[String]) -> Wish {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    match word(0) {
        "state" => match word(1) {
            "ready" => Ok(ServerChange::State(Service::Ready)),
            "drain" => Ok(ServerChange::State(Service::Drain)),
            "maint" => Ok(ServerChange::State(Service::Maint)),
            _ => refuse("'set server <srv> state' expects 'ready', 'drain' and 'maint'."),
        },
        "weight" => weight(word(1)),
        "health" => match word(1) {
            "up" => Ok(ServerChange::Health(Forced::Up, Asker::Cli)),
            "stopping" => Ok(ServerChange::Health(Forced::Stopping, Asker::Cli)),
            "down" => Ok(ServerChange::Health(Forced::Down, Asker::Cli)),
            _ => refuse("'set server <srv> health' expects 'up', 'stopping', or 'down'."),
        },
        "addr" => address(words),
        "check-addr" => check_address(words),
        "check-port" if word(1).is_empty() => refuse("set server <b>/<s> check-port requires a port."),
        "check-port" => {
            check_port(word(1)).map(|port| ServerChange::CheckTarget { ip: None, port: Some(port) })
        }
        "agent" | "agent-send" => refuse(NO_AGENT),
        "agent-addr" if word(1).is_empty() => {
            refuse("set server <b>/<s> agent-addr requires an address and optionally a port.")
        }
        "agent-port" if word(1).is_empty() => refuse("set server <b>/<s> agent-port requires a port."),
        "agent-addr" | "agent-port" => refuse("agent checks are not enabled on this server"),
        "fqdn" if word(1).is_empty() => refuse("set server <b>/<s> fqdn requires a FQDN."),
        "fqdn" => refuse("set server <b>/<s> fqdn failed because no resolution is configured."),
        "ssl" => refuse("'set server <srv> ssl' cannot be set.  default-server should define ssl settings"),
        _ => refuse(USAGE),
    }
}

fn refuse(text: &str) -> Wish {
    Err(Answer::refusal(text))
}

/// Digits at the start of `text` as strtol(3) takes them, and what follows; None: there are none.
fn leading_number(text: &str) -> Option<(i64, &str)> {
    let text = text.trim_start();
    let sign = usize::from(text.starts_with(['+', '-']));
    let digits = text[sign..].bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(sign + digits);
    let number = number.parse::<i64>().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX });
    (digits > 0).then_some((number, rest))
}

fn weight(text: &str) -> Wish {
    if text.is_empty() {
        return refuse("Require <weight> or <weight%>.");
    }
    match leading_number(text) {
        None => refuse("Empty weight string empty or preceded by garbage"),
        Some((..0, "%")) => refuse("Relative weight must be positive."),
        Some((percent, "%")) => Ok(ServerChange::Weight(Weight::Percent(percent.min(25_600) as u16))),
        Some((weight @ 0..=256, "")) => Ok(ServerChange::Weight(Weight::Absolute(weight as u16))),
        Some((0..=256, _)) => refuse("Trailing garbage in weight string"),
        Some(_) => refuse("Absolute weight can only be between 0 and 256 inclusive."),
    }
}

fn maxconn(text: &str) -> Wish {
    if text.is_empty() {
        return refuse("Require <maxconn>.");
    }
    match leading_number(text) {
        None => refuse("maxconn string empty or preceded by garbage"),
        Some((number, "")) => match u32::try_from(number) {
            Ok(maxconn) => Ok(ServerChange::Maxconn(maxconn)),
            Err(_) => refuse("maxconn must be 0 or greater, and fit into 32 bits"),
        },
        Some(_) => refuse("Trailing garbage in maxconn string"),
    }
}

/// `addr A [port P]`. A port that is none is told beside what became of the address.
fn address(words: &[String]) -> Wish {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    if word(1).is_empty() {
        return refuse("set server <b>/<s> addr requires an address and optionally a port.");
    }
    let Ok(ip) = word(1).parse::<IpAddr>() else {
        return refuse(&format!("Invalid addr '{}' by 'stats socket command'", word(1)));
    };
    let port = (word(2) == "port").then(|| port(word(3)));
    Ok(ServerChange::Address { ip, port })
}

/// A port, or with a sign an offset to the client's; the text itself when it is none.
fn port(text: &str) -> Result<Port, String> {
    let Some((number, "")) = leading_number(text) else { return Err(text.to_owned()) };
    match text.starts_with(['+', '-']) {
        true => i32::try_from(number).map(Port::Mapped).map_err(|_| text.to_owned()),
        false => u16::try_from(number).map(Port::Fixed).map_err(|_| text.to_owned()),
    }
}

/// `check-addr A [port P]`.
fn check_address(words: &[String]) -> Wish {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    if word(1).is_empty() {
        return refuse("set server <b>/<s> check-addr requires an address and optionally a port.");
    }
    let Ok(ip) = word(1).parse::<IpAddr>() else { return refuse(&format!("invalid addr '{}'", word(1))) };
    let port = if word(2) == "port" { Some(check_port(word(3))?) } else { None };
    Ok(ServerChange::CheckTarget { ip: Some(ip), port })
}

/// The port of `check-port`; 0: the server's own.
fn check_port(text: &str) -> Result<u16, Answer> {
    match text.parse::<i64>() {
        Err(_) => Err(Answer::refusal("provided port is not an integer")),
        Ok(port) => u16::try_from(port).map_err(|_| Answer::refusal("provided port is invalid")),
    }
}
