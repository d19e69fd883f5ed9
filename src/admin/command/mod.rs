//! The commands of the stats sockets: a family a file, each with its rows and one `run`.

mod absent;
mod acls;
mod backends;
mod basics;
mod dynamic;
mod frontends;
mod maps;
mod missing;
mod process;
mod reload;
mod servers;
mod session_lines;
mod sessions;
mod states;
mod statistics;
mod table;
mod wait;

pub use servers::{backend, server};
pub use sessions::{end_of_all, end_of_server};

use super::answer::Answer;
use super::console::Console;
use crate::config::model::CliLevel;

pub use table::Row;
pub use table::commands;
use table::find;

/// A file of this folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Absent,
    Acls,
    Backends,
    Basics,
    Dynamic,
    Frontends,
    Maps,
    Process,
    Reload,
    Servers,
    Sessions,
    States,
    Statistics,
    Wait,
    /// Known to HAProxy, refused by name here.
    Missing,
}

/// All commands.
const FAMILIES: &[(Family, &[Row])] = &[
    (Family::Absent, absent::ROWS),
    (Family::Acls, acls::ROWS),
    (Family::Backends, backends::ROWS),
    (Family::Basics, basics::ROWS),
    (Family::Dynamic, dynamic::ROWS),
    (Family::Frontends, frontends::ROWS),
    (Family::Maps, maps::ROWS),
    (Family::Process, process::ROWS),
    (Family::Reload, reload::ROWS),
    (Family::Servers, servers::ROWS),
    (Family::Sessions, sessions::ROWS),
    (Family::States, states::ROWS),
    (Family::Statistics, statistics::ROWS),
    (Family::Wait, wait::ROWS),
    (Family::Missing, missing::ROWS),
];

/// A command as it was typed.
#[derive(Clone, Copy, Debug)]
pub struct Typed<'a> {
    /// What it is.
    pub row: &'static Row,
    /// The words after the row's own.
    pub arguments: &'a [String],
}

impl Typed<'_> {
    /// An argument; empty when there is none.
    pub fn word(&self, at: usize) -> &str {
        self.arguments.get(at).map_or("", String::as_str)
    }
}

/// Follows a command of one line.
pub async fn run(console: &mut Console, command: &[String]) -> Answer {
    let Some((family, row, arguments)) = find(command) else { return table::unknown(command) };
    if row.level > console.level() {
        return Answer::refusal("Permission denied");
    }
    let typed = Typed { row, arguments };
    match family {
        Family::Absent => absent::run(console, typed),
        Family::Acls => acls::run(console, typed).await,
        Family::Backends => backends::run(console, typed).await,
        Family::Basics => basics::run(console, typed),
        Family::Dynamic => dynamic::run(console, typed).await,
        Family::Frontends => frontends::run(console, typed).await,
        Family::Maps => maps::run(console, typed),
        Family::Process => process::run(console, typed).await,
        Family::Reload => reload::run(console, typed).await,
        Family::Servers => servers::run(console, typed).await,
        Family::Sessions => sessions::run(console, typed).await,
        Family::States => states::run(console, typed),
        Family::Statistics => statistics::run(console, typed).await,
        Family::Wait => wait::run(console, typed).await,
        Family::Missing => missing::run(console, row.words),
    }
}

const fn row(words: &'static str, arguments: &'static str, doc: &'static str, level: CliLevel) -> Row {
    Row { words, arguments, doc, level }
}
