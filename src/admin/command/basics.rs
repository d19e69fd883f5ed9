//! Commands about the connection itself: help, prompt, level, timeout.

use std::time::Duration;

use super::super::answer::{Answer, SeverityOutput};
use super::super::console::{Console, Mode, Prompt};
use super::{Row, Typed, row, table};
use crate::config::model::CliLevel::{self, Admin, Operator, User};
use crate::config::value::{TimeUnit, time};
use crate::log::Level;

pub(super) const ROWS: &[Row] = &[
    row("echo", "[<text>]", "print the text", User),
    row("experimental-mode", "[on|off]", "allow experimental commands", Admin),
    row("expert-mode", "[on|off]", "allow dangerous commands", Admin),
    row("help", "[<command>]", "list all commands or those that match", User),
    row("operator", "", "lower this connection's level to operator", Operator),
    row("prompt", "[help|n|i|p|timed]", "keep the connection open for further commands", User),
    row("quit", "", "close the connection", User),
    row("set severity-output", "[none|number|string]", "mark messages with their severity", User),
    row("set timeout", "cli <delay>", "how long this connection may stay idle", User),
    row("show cli level", "", "this connection's level", User),
    row("user", "", "lower this connection's level to user", User),
];

pub(super) fn run(console: &mut Console, typed: Typed<'_>) -> Answer {
    match typed.row.words {
        "echo" => Answer::listing(format!("{}\n", typed.arguments.join(" "))),
        "experimental-mode" => switch(console, Mode::Experimental, typed),
        "expert-mode" => switch(console, Mode::Expert, typed),
        "help" => {
            let text = table::help(typed.arguments);
            Answer::told(format!("The following commands are valid at this level:\n{text}"))
        }
        "operator" => lower(console, Operator),
        "user" => lower(console, User),
        "prompt" => prompt(console, typed),
        "quit" => {
            console.end();
            Answer::done()
        }
        "set severity-output" => severity_output(console, typed.word(0)),
        "set timeout" if typed.word(0) == "cli" => timeout(console, typed.word(1)),
        "set timeout" => Answer::refusal("'set timeout' only supports 'cli'."),
        _ => Answer::message(Level::Info, console.level_name()),
    }
}

fn lower(console: &mut Console, level: CliLevel) -> Answer {
    console.lower(level);
    Answer::done()
}

fn switch(console: &mut Console, mode: Mode, typed: Typed<'_>) -> Answer {
    match typed.word(0) {
        "" => {
            let state = if console.has(mode) { "ON" } else { "OFF" };
            Answer::message(Level::Info, format!("{} is {state}", typed.row.words))
        }
        word => {
            console.set(mode, word == "on");
            Answer::done()
        }
    }
}

const PROMPT_HELP: &str = "Usage: prompt [help | n | i | p | timed]*
Changes the default prompt and interactive mode for this session.
Without an argument the interactive mode with prompt is switched on or off.
  help   shows this text
  n      one line of commands, then the end
  i      further lines, no prompt
  p      further lines after a prompt
  timed  shows in the prompt how long the process has been running, or no longer
";

fn prompt(console: &mut Console, typed: Typed<'_>) -> Answer {
    if typed.arguments.is_empty() {
        console.toggle_prompt();
    }
    for word in typed.arguments {
        match word.as_str() {
            "n" => console.set_prompt(Prompt::OneShot),
            "i" => console.set_prompt(Prompt::Interactive),
            "p" => console.set_prompt(Prompt::Sign),
            "timed" => console.toggle_timed(),
            _ => return Answer::told(PROMPT_HELP),
        }
    }
    Answer::done()
}

fn severity_output(console: &mut Console, word: &str) -> Answer {
    let output = match word {
        "none" => SeverityOutput::Nothing,
        "number" => SeverityOutput::Number,
        "string" => SeverityOutput::Word,
        _ => return Answer::refusal("one of 'none', 'number', 'string' is a required argument"),
    };
    console.set_severity_output(output);
    Answer::done()
}

fn timeout(console: &mut Console, word: &str) -> Answer {
    if word.is_empty() {
        return Answer::refusal("Expects an integer value.");
    }
    match time(word, TimeUnit::Seconds) {
        Ok(ms @ 1..) => {
            console.set_patience(Duration::from_secs(u64::from(ms.div_ceil(1000))));
            Answer::done()
        }
        _ => Answer::refusal("Invalid timeout value."),
    }
}
