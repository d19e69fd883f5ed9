//! `reload`: the configuration is read again and followed, in the running process.

use super::super::answer::Answer;
use super::super::console::Console;
use super::{Row, Typed, row};
use crate::config::model::CliLevel::Admin;

pub(super) const ROWS: &[Row] =
    &[row("reload", "", "read the configuration again and follow it without a restart", Admin)];

pub(super) async fn run(console: &mut Console, _typed: Typed<'_>) -> Answer {
    let reload = console.powers().reload.clone();
    Answer::listing(reload.ask().await)
}
