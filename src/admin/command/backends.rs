//! Backends that come and go while the process runs, and that rules see or do not see.
//!
//! Like an added server, an added backend lives in the running configuration alone, and stays through `reload`.

use super::super::answer::Answer;
use super::super::console::Console;
use super::dynamic::change;
use super::{Row, Typed, row, servers};
use crate::config::backends::{self, Wish};
use crate::config::model::CliLevel::{Admin, Operator};
use crate::config::model::{Config, Mode, ProxyId};
use crate::table::Snapshot;

pub(super) const ROWS: &[Row] = &[
    row("add backend", "<name> from <defaults> [mode tcp] [guid <guid>]", "create a hidden backend", Admin),
    row("del backend", "<backend>", "remove a backend that is hidden and unused", Admin),
    row("publish backend", "<backend>", "let rules lead to a backend", Operator),
    row("unpublish backend", "<backend>", "let no rule lead to a backend", Operator),
];

const USAGE: &str = "Usage: add backend <name> from <defproxy>.";

pub(super) async fn run(console: &Console, typed: Typed<'_>) -> Answer {
    let name = typed.word(0);
    match typed.row.words {
        "add backend" => add(console, typed).await,
        "del backend" => del(console, name).await,
        "publish backend" => publish(console, name, true).await,
        _ => publish(console, name, false).await,
    }
}

async fn add(console: &Console, typed: Typed<'_>) -> Answer {
    let wish = match wish(&typed) {
        Ok(wish) => wish,
        Err(refusal) => return refusal,
    };
    let added = |table: &Snapshot| {
        let next = backends::add(&table.config, wish).map_err(Answer::refusal)?;
        Ok((next, "New backend registered.".to_owned()))
    };
    change(console, added).await
}

fn wish<'a>(typed: &'a Typed<'_>) -> Result<Wish<'a>, Answer> {
    let (name, defaults) = (typed.word(0), typed.word(2));
    if name.is_empty() || typed.word(1) != "from" || defaults.is_empty() {
        return Err(Answer::refusal(USAGE));
    }
    let mut wish = Wish { name, defaults, mode: None, guid: None };
    for option in typed.arguments[3..].chunks(2) {
        match (option[0].as_str(), option.get(1).map(String::as_str)) {
            ("mode", Some("tcp")) => wish.mode = Some(Mode::Tcp),
            ("mode", Some("http")) => wish.mode = Some(Mode::Http),
            ("guid", Some(guid)) => wish.guid = Some(guid),
            ("mode" | "guid", value) => {
                let text = format!("'{}' : '{}' cannot be used.", option[0], value.unwrap_or_default());
                return Err(Answer::refusal(text));
            }
            (other, _) => {
                let text = format!("unknown keyword '{other}' ('mode' and 'guid' are possible).");
                return Err(Answer::refusal(text));
            }
        }
    }
    Ok(wish)
}

async fn del(console: &Console, name: &str) -> Answer {
    let gone = |table: &Snapshot| {
        let config = &table.config;
        let backend = find(config, name)?;
        match obstacle(console, config, backend) {
            None => Ok((backends::del(config, backend), "Backend deleted.".to_owned())),
            Some((_, why)) => Err(Answer::refusal(why)),
        }
    };
    change(console, gone).await
}

async fn publish(console: &Console, name: &str, published: bool) -> Answer {
    let text = if published { "Backend published." } else { "Backend unpublished." };
    let change_of = |table: &Snapshot| {
        let config = &table.config;
        let backend = find(config, name)?;
        match config.proxies[usize::from(backend.0)].disabled {
            true => Err(Answer::refusal("No effect on a disabled backend.")),
            false => Ok((backends::publish(config, backend, published), text.to_owned())),
        }
    };
    change(console, change_of).await
}

pub(super) fn find(config: &Config, name: &str) -> Result<ProxyId, Answer> {
    servers::backend(config, name).ok_or_else(|| Answer::refusal("No such backend."))
}

/// Why a backend cannot be deleted, and whether that passes by itself.
pub(super) fn obstacle(console: &Console, config: &Config, backend: ProxyId) -> Option<(bool, &'static str)> {
    if let Some(why) = backends::obstacle(config, backend) {
        return Some((false, why));
    }
    let sources = console.powers().shared.borrow();
    let cell = sources.load.backend(backend);
    (cell.live() + cell.waiting() > 0)
        .then_some((true, "Backend still has sessions attached to it, cannot remove it."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture::{ask, console};

    #[test]
    fn refusals_are_haproxys() {
        let mut console = console(Admin);
        for (line, answer) in [
            ("add backend", USAGE),
            ("add backend x", USAGE),
            ("add backend x mode tcp", USAGE),
            ("add backend x from", USAGE),
            ("add backend x from d", "No such defaults section 'd'."),
            ("add backend x from d mode", "'mode' : '' cannot be used."),
            ("add backend x from d mode udp", "'mode' : 'udp' cannot be used."),
            ("add backend x from d option y", "unknown keyword 'option' ('mode' and 'guid' are possible)."),
            ("del backend", "No such backend."),
            ("del backend fe", "No such backend."),
            ("del backend be", "Backend must be unpublished prior to its deletion."),
            ("publish backend nope", "No such backend."),
            ("unpublish backend fe", "No such backend."),
        ] {
            assert_eq!(ask(&mut console, line), format!("{answer}\n\n"), "{line}");
        }
        let mut console = crate::admin::fixture::console(Operator);
        for line in ["add backend x from d", "del backend be"] {
            assert_eq!(ask(&mut console, line), "Permission denied\n\n", "{line}");
        }
    }
}
