//! One client of a stats socket: command lines in, answers out. Knows no socket.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::Powers;
use super::answer::SeverityOutput;
use super::command;
use super::dialogue::{Line, commands};
use crate::config::model::CliLevel;
use crate::table::Snapshot;

/// What follows an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// `prompt n`: one line, then the end.
    OneShot,
    /// `prompt i`: further lines, no sign.
    Interactive,
    /// `prompt p`: further lines after `> `.
    Sign,
}

/// For ever, and no overflow.
const LONG: Duration = Duration::from_secs(86_400);

/// What must be switched on before certain commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `experimental-mode`
    Experimental,
    /// `expert-mode`
    Expert,
}

/// A client's state between its lines.
#[derive(Debug)]
pub struct Console {
    powers: Powers,
    level: CliLevel,
    prompt: Prompt,
    timed: bool,
    modes: [bool; 2],
    severity_output: SeverityOutput,
    patience: Duration,
    /// It has not said anything, and may take its time.
    awaited: bool,
    over: bool,
    deserted: Rc<Cell<bool>>,
    payload: bool,
    waiting: VecDeque<Vec<String>>,
}

impl Console {
    /// A client of a socket with this level, that may be silent for as long as `stats timeout` says.
    pub fn new(powers: Powers, level: CliLevel) -> Console {
        let ms = powers.shared.borrow().config.global.stats_timeout_ms;
        Console {
            powers,
            level,
            prompt: Prompt::OneShot,
            timed: false,
            modes: [false; 2],
            severity_output: SeverityOutput::Nothing,
            patience: Duration::from_millis(u64::from(ms)),
            awaited: false,
            over: false,
            deserted: Rc::default(),
            payload: false,
            waiting: VecDeque::new(),
        }
    }

    /// What its commands act on.
    pub fn powers(&self) -> &Powers {
        &self.powers
    }

    /// The servers and the configuration of this moment.
    pub fn table(&self) -> Arc<Snapshot> {
        self.powers.shared.borrow().table.load_full()
    }

    /// Whether the connection ends after the answer, when no other line has arrived already.
    pub fn is_one_shot(&self) -> bool {
        self.prompt == Prompt::OneShot
    }

    /// Whether `quit` was said.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// `quit`.
    pub fn end(&mut self) {
        self.over = true;
    }

    /// Where to note that the client has left before it was answered.
    pub fn desertion(&self) -> Rc<Cell<bool>> {
        Rc::clone(&self.deserted)
    }

    /// Whether nobody is there any more to be answered.
    pub fn is_deserted(&self) -> bool {
        self.deserted.get()
    }

    /// Whether lines of data follow the command.
    pub fn has_payload(&self) -> bool {
        self.payload
    }

    /// What this client may do.
    pub fn level(&self) -> CliLevel {
        self.level
    }

    /// The same, in words.
    pub fn level_name(&self) -> &'static str {
        level_name(self.level)
    }

    /// `user` and `operator`: never back up.
    pub fn lower(&mut self, level: CliLevel) {
        self.level = self.level.min(level);
    }

    /// How long it may be silent, or not read.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// How long it may be silent now.
    pub fn silence(&self) -> Duration {
        if self.awaited { LONG } else { self.patience }
    }

    /// It may take its time before it says anything: a successor reads its configuration and looks up names first.
    pub fn awaited(self) -> Console {
        Console { awaited: true, ..self }
    }

    /// `set timeout cli`.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// `set severity-output`.
    pub fn set_severity_output(&mut self, output: SeverityOutput) {
        self.severity_output = output;
    }

    /// Whether a mode is on.
    pub fn has(&self, mode: Mode) -> bool {
        self.modes[mode as usize]
    }

    /// Switches a mode.
    pub fn set(&mut self, mode: Mode, on: bool) {
        self.modes[mode as usize] = on;
    }

    /// `prompt n|i|p`.
    pub fn set_prompt(&mut self, prompt: Prompt) {
        self.prompt = prompt;
    }

    /// `prompt`.
    pub fn toggle_prompt(&mut self) {
        self.prompt = if self.prompt == Prompt::Sign { Prompt::OneShot } else { Prompt::Sign };
    }

    /// `prompt timed`.
    pub fn toggle_timed(&mut self) {
        self.timed = !self.timed;
    }

    /// Takes a line in: its commands wait to be followed.
    pub fn hear(&mut self, line: &Line) {
        // No command here takes the payload: it is read so that it is not taken for commands.
        self.payload = line.payload.is_some();
        self.awaited = false;
        self.waiting = commands(&line.text).into();
    }

    /// Follows the next command of the line: its answer, which an empty line ends. None: there is no other one.
    pub async fn follow(&mut self) -> Option<String> {
        let command = self.waiting.pop_front().filter(|_| !self.over)?;
        if command.is_empty() && !self.is_one_shot() {
            return Some(self.sign());
        }
        let answer = command::run(self, &command).await;
        let mut out = answer.marked(self.severity_output);
        if !self.over {
            out.push('\n');
            out.push_str(&self.sign());
        }
        Some(out)
    }

    fn sign(&self) -> String {
        match self.prompt {
            Prompt::Sign if !self.over => match self.timed {
                true => format!("{}> ", uptime(self.powers.shared.borrow().now_ms() / 1000)),
                false => "> ".to_owned(),
            },
            _ => String::new(),
        }
    }

    /// What asks for the next line of a payload.
    pub fn continuation(&self) -> &'static str {
        if self.prompt == Prompt::Sign { "+ " } else { "" }
    }
}

/// `[days:hours:minutes:seconds]`
fn uptime(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    format!("[{days}:{hours:02}:{:02}:{:02}]", seconds / 60 % 60, seconds % 60)
}

/// A level in words.
pub fn level_name(level: CliLevel) -> &'static str {
    match level {
        CliLevel::User => "user",
        CliLevel::Operator => "operator",
        CliLevel::Admin => "admin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture::{ask, console};

    #[test]
    fn every_answer_ends_with_an_empty_line() {
        for line in
            ["show info", "show stat", "help", "bogus", "set server a/b state maint", "show cli level"]
        {
            let answer = ask(&mut console(CliLevel::Admin), line);
            assert!(answer.ends_with("\n\n") && answer.len() > 3, "{line}: {answer:?}");
        }
        assert_eq!(ask(&mut console(CliLevel::Admin), "operator"), "\n");
    }

    #[test]
    fn a_line_holds_several_commands() {
        let answer = ask(&mut console(CliLevel::Admin), "show cli level;operator;show cli level");
        assert_eq!(answer, "admin\n\n\noperator\n\n");
    }

    #[test]
    fn the_level_never_rises() {
        let mut console = console(CliLevel::User);
        assert_eq!(ask(&mut console, "operator;show cli level"), "Permission denied\n\nuser\n\n");
        assert_eq!(ask(&mut console, "disable server a/b"), "Permission denied\n\n");
    }

    #[test]
    fn what_haproxy_knows_is_refused_by_name() {
        let answer = ask(&mut console(CliLevel::Admin), "show tasks");
        assert!(answer.contains("'show tasks' is not available"), "{answer}");
        let answer = ask(&mut console(CliLevel::User), "show trace");
        assert!(answer.contains("'show trace' is not available"), "{answer}");
    }

    #[test]
    fn unknown_commands_are_answered_as_in_haproxy() {
        let answer = ask(&mut console(CliLevel::Admin), "show inof");
        assert!(answer.starts_with(
            "Unknown command: 'show', but maybe one of the following ones is a better match:\n"
        ));
        let answer = ask(&mut console(CliLevel::Admin), "");
        assert!(answer.starts_with("Unknown command. Please enter one of the following commands only:\n"));
    }

    #[test]
    fn prompt_keeps_the_connection() {
        let mut console = console(CliLevel::Admin);
        assert_eq!(ask(&mut console, "prompt"), "\n> ");
        assert!(!console.is_one_shot());
        assert_eq!(ask(&mut console, "show cli level"), "admin\n\n> ");
        assert_eq!(ask(&mut console, ""), "> ");
        assert_eq!(ask(&mut console, "prompt timed"), "\n[0:00:00:00]> ");
        assert_eq!(ask(&mut console, "prompt i timed"), "\n");
        assert_eq!(ask(&mut console, "prompt"), "\n> ");
        assert_eq!(ask(&mut console, "show cli level;quit;show cli level"), "admin\n\n> ");
        assert!(console.is_over());
    }

    #[test]
    fn a_client_changes_its_own_timeout() {
        let mut console = console(CliLevel::User);
        assert_eq!(console.patience(), Duration::from_secs(10));
        assert_eq!(ask(&mut console, "set timeout cli 1m"), "\n");
        assert_eq!(console.patience(), Duration::from_secs(60));
        assert_eq!(ask(&mut console, "set timeout cli"), "Expects an integer value.\n\n");
        assert_eq!(ask(&mut console, "set timeout cli x"), "Invalid timeout value.\n\n");
    }

    #[test]
    fn messages_are_marked_on_request() {
        let mut console = console(CliLevel::Admin);
        let answer = ask(&mut console, "set severity-output number;get weight be/none;show cli level");
        assert_eq!(answer, "\n[3]: No such server.\n\n[6]: admin\n\n");
    }
}
