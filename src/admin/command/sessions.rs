//! `show sess`, and the commands that end sessions.

use std::time::Duration;

use super::super::answer::Answer;
use super::super::console::Console;
use super::session_lines::{in_full, on_one_line, own};
use super::{Row, Typed, row, servers};
use crate::config::model::CliLevel::{Admin, Operator};
use crate::config::model::{Proxy, ProxyId};
use crate::config::value::{TimeUnit, time};
use crate::session::Phase;
use crate::session::op::ServerId;
use crate::session::termination::Cause;
use crate::stats::Sources;
use crate::worker::mailbox::{Command, Crew, Cut, SessionId, SessionRow, Walk, Whom};

pub(super) const ROWS: &[Row] = &[
    row("show sess", "[<id>|all|help] [<options>*]", "live sessions", Operator),
    row("shutdown session", "[<id>]", "end one session", Admin),
    row("shutdown sessions server", "<backend>/<server>", "end all sessions of a server", Admin),
];

const HELP: &str = "Usage: show sess [<id> | all | help] [<options>*]
Without an argument all sessions are listed, one a line.
  <id>           everything known of this session: the first field of a line
  all            everything known of all of them
Options narrow what is shown:
  backend <b>    only sessions of this backend
  frontend <f>   only sessions of this frontend
  older <age>    only sessions that began at least so long ago (in seconds)
  server <b/s>   only sessions on this server
  show-uri       accepted: sessions of mode tcp have no URI
  susp           only sessions that should have ended and have not
";

/// Which sessions are to be shown, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wanted {
    id: Option<u64>,
    in_full: bool,
    older: Duration,
    overdue: bool,
    backend: Option<ProxyId>,
    frontend: Option<ProxyId>,
    server: Option<ServerId>,
}

pub(super) async fn run(console: &Console, typed: Typed<'_>) -> Answer {
    match typed.row.words {
        "show sess" => show(console, typed.arguments).await,
        "shutdown session" => shut_one(console, typed.word(0)).await,
        _ => shut_server(console, typed.word(0)).await,
    }
}

async fn show(console: &Console, arguments: &[String]) -> Answer {
    let wanted = match Wanted::read(arguments, &console.powers().shared.borrow()) {
        Ok(Some(wanted)) => wanted,
        Ok(None) => return Answer::listing(HELP),
        Err(refusal) => return refusal,
    };
    let mut out = String::new();
    let mut add = |row: &SessionRow| {
        let mut sources = console.powers().shared.borrow_mut();
        // Its proxy may have come with a reload that is not over.
        sources.follow_table();
        if wanted.takes(row, sources.now_ms()) {
            out.push_str(&if wanted.in_full { in_full(row, &sources) } else { on_one_line(row, &sources) });
        }
    };
    let crew = &console.powers().crew;
    match wanted.id.map(SessionId::of_bits) {
        Some(Some(id)) => look(crew, id, &mut add).await,
        Some(None) => {}
        None => walk(crew, &mut add).await,
    }
    if out.is_empty() && wanted.id.is_some() {
        return Answer::refusal("Session not found.");
    }
    if wanted == Wanted::default() {
        // The connection that asks is a session too, as in HAProxy.
        out.push_str(&own());
    }
    Answer::listing(out)
}

/// Looks at all sessions of all workers; none of them does more than one step at a time.
async fn walk(crew: &Crew, see: &mut impl FnMut(&SessionRow)) {
    for worker in 0..crew.count() {
        let mut step = Some(Walk::new());
        while let Some(walk) = step {
            let Some(Command::Sessions(done)) = crew.order(worker, Command::Sessions(walk)).await else {
                break;
            };
            done.rows.iter().for_each(&mut *see);
            step = done.onwards();
        }
    }
}

/// Looks at one session and its neighbours.
async fn look(crew: &Crew, id: SessionId, see: &mut impl FnMut(&SessionRow)) {
    let walk = Walk { from: id.slot, ..Walk::new() };
    if let Some(Command::Sessions(done)) = crew.order(usize::from(id.worker), Command::Sessions(walk)).await {
        done.rows.iter().for_each(see);
    }
}

async fn shut_one(console: &Console, text: &str) -> Answer {
    let Some(bits) = number(text) else {
        return Answer::refusal("Session pointer expected (use 'show sess').");
    };
    let ended = match SessionId::of_bits(bits) {
        Some(id) => end(&console.powers().crew, usize::from(id.worker), Whom::Session(id)).await,
        None => 0,
    };
    if ended > 0 { Answer::done() } else { Answer::refusal("No such session (use 'show sess').") }
}

async fn shut_server(console: &Console, name: &str) -> Answer {
    let server = match server_named(name, &console.powers().shared.borrow()) {
        Ok(server) => server,
        Err(refusal) => return refusal,
    };
    end_of_server(&console.powers().crew, server).await;
    Answer::done()
}

/// Ends all sessions of a server.
pub async fn end_of_server(crew: &Crew, server: ServerId) {
    for worker in 0..crew.count() {
        end(crew, worker, Whom::Server(server)).await;
    }
}

/// Ends all sessions.
pub async fn end_of_all(crew: &Crew) {
    for worker in 0..crew.count() {
        end(crew, worker, Whom::All).await;
    }
}

/// Ends sessions of one worker, step by step. How many.
async fn end(crew: &Crew, worker: usize, whom: Whom) -> u32 {
    let mut ended = 0;
    let mut step = Some(Cut::new(whom, Cause::Killed));
    while let Some(cut) = step {
        let Some(Command::End(done)) = crew.order(worker, Command::End(cut)).await else { break };
        ended = done.ended;
        step = done.onwards();
    }
    ended
}

/// A pointer as typed, hexadecimal or not; None: HAProxy would take it for no pointer.
fn number(text: &str) -> Option<u64> {
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let number = match hexadecimal {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    number.filter(|&bits| bits > 0)
}

fn server_named(path: &str, sources: &Sources) -> Result<ServerId, Answer> {
    servers::entry(&sources.table.load(), path).map(|entry| entry.id)
}

impl Wanted {
    /// None: help is asked for.
    fn read(arguments: &[String], sources: &Sources) -> Result<Option<Wanted>, Answer> {
        let mut wanted = Wanted::default();
        let mut words = arguments.iter().map(String::as_str);
        while let Some(word) = words.next() {
            if !wanted.option(word, &mut words, sources)? {
                match (word, number(word)) {
                    ("help", _) => return Ok(None),
                    (_, Some(bits)) => (wanted.id, wanted.in_full) = (Some(bits), true),
                    _ => return Err(Answer::refusal(format!("Unsupported option '{word}', try 'help'."))),
                }
            }
        }
        Ok(Some(wanted))
    }

    /// Whether it is an option; its value follows.
    fn option<'a>(
        &mut self,
        word: &str,
        words: &mut impl Iterator<Item = &'a str>,
        sources: &Sources,
    ) -> Result<bool, Answer> {
        let mut value = || {
            let missing = || Answer::refusal(format!("'{word}' expects a value, try 'help'."));
            words.next().ok_or_else(missing)
        };
        match word {
            "all" => self.in_full = true,
            "susp" => self.overdue = true,
            "show-uri" => {}
            "older" => {
                let age = value()?;
                let none = |_| Answer::refusal(format!("'{age}' is no age, try 'older 30' or 'older 5m'."));
                self.older = Duration::from_millis(time(age, TimeUnit::Seconds).map_err(none)?.into());
            }
            "server" => self.server = Some(server_named(value()?, sources)?),
            "backend" => {
                let found = proxy_named(value()?, sources, |proxy| proxy.kind.is_backend());
                self.backend = Some(found.ok_or_else(|| Answer::refusal("No such backend."))?);
            }
            "frontend" => {
                let found = proxy_named(value()?, sources, |proxy| proxy.kind.is_frontend());
                self.frontend = Some(found.ok_or_else(|| Answer::refusal("No such frontend."))?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn takes(&self, row: &SessionRow, now_ms: u64) -> bool {
        let is = |wanted: Option<ProxyId>, one: Option<ProxyId>| wanted.is_none() || wanted == one;
        let age = Duration::from_millis(now_ms.saturating_sub_signed(row.accepted_ms));
        let overdue = row.phase == Phase::Ending || row.expires_ms == Some(0);
        self.id.is_none_or(|bits| bits == row.id.bits())
            && age >= self.older
            && (overdue || !self.overdue)
            && is(self.backend, row.backend)
            && is(self.frontend, Some(row.frontend))
            && (self.server.is_none() || self.server == row.server)
    }
}

/// A proxy by its name or as `#` and its id.
pub(super) fn proxy_named(name: &str, sources: &Sources, fits: impl Fn(&Proxy) -> bool) -> Option<ProxyId> {
    let is = |proxy: &Proxy| match name.strip_prefix('#') {
        Some(number) => number.parse() == Ok(proxy.id),
        None => proxy.name == name,
    };
    sources.config.proxies().find(|(_, proxy)| is(proxy) && fits(proxy)).map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture::{ask, console, shared};

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn refusals_are_haproxys() {
        let say = |line: &str| ask(&mut console(Admin), line);
        assert_eq!(say("shutdown session"), "Session pointer expected (use 'show sess').\n\n");
        assert_eq!(say("shutdown session foo"), "Session pointer expected (use 'show sess').\n\n");
        for id in ["0x123", "0x1000000000000", "291"] {
            assert_eq!(say(&format!("shutdown session {id}")), "No such session (use 'show sess').\n\n");
            assert_eq!(say(&format!("show sess {id}")), "Session not found.\n\n");
        }
        assert_eq!(say("shutdown sessions server be"), "Require 'backend/server'.\n\n");
        assert_eq!(say("shutdown sessions server no/s1"), "No such backend.\n\n");
        assert_eq!(say("shutdown sessions server be/no"), "No such server.\n\n");
        assert_eq!(say("shutdown sessions server be/s1"), "\n");
        assert_eq!(ask(&mut console(Operator), "shutdown session 1"), "Permission denied\n\n");
        assert!(say("show sess bogus").starts_with("Unsupported option 'bogus'"));
        assert!(say("show sess older").starts_with("'older' expects a value"));
        assert!(say("show sess help").starts_with("Usage: show sess "));
    }

    #[test]
    fn options_narrow_what_is_shown() {
        let shared = shared();
        let sources = shared.borrow();
        let read = |text: &str| Wanted::read(&words(text), &sources).expect("it is well said");
        assert_eq!(read(""), Some(Wanted::default()));
        assert_eq!(read("all help"), None);
        let wanted = read("all susp older 2m backend be frontend fe server be/s2 show-uri").expect("no help");
        assert!(wanted.in_full && wanted.overdue && wanted.older == Duration::from_secs(120));
        assert_eq!((wanted.backend, wanted.frontend), (Some(ProxyId(1)), Some(ProxyId(0))));
        assert_eq!(wanted.server, Some(ServerId(1)));
        assert!(Wanted::read(&words("backend fe"), &sources).is_err());
        assert!(Wanted::read(&words("older soon"), &sources).is_err());
        assert_eq!(read("frontend #4").and_then(|wanted| wanted.frontend), Some(ProxyId(2)));
    }
}
