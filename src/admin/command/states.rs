//! What is known of backends and servers, for scripts and for the next process.

use super::super::answer::Answer;
use super::super::console::Console;
use super::{Row, Typed, row};
use crate::config::model::CliLevel::User;

pub(super) const ROWS: &[Row] = &[row("show backend", "", "the names of all backends", User)];

pub(super) fn run(console: &Console, _: Typed<'_>) -> Answer {
    let sources = console.powers().shared.borrow();
    let backends = sources.config.proxies.iter().filter(|proxy| proxy.kind.is_backend());
    let names: String = backends.map(|proxy| format!("{}\n", proxy.name)).collect();
    Answer::listing(format!("# name\n{names}"))
}
