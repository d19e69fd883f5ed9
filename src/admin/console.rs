//! One client of a stats socket: command lines in, answers out. Knows no socket.

use super::Shared;
use super::dialogue::commands;
use super::filter::Filter;
use super::table::{self, Row, Verb};
use crate::config::model::{CliLevel, ListenAddress};
use crate::stats;

/// What follows an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prompt {
    /// One line, then the end.
    OneShot,
    /// `prompt i`: further lines, no sign.
    Interactive,
    /// `prompt`: further lines after `> `.
    Sign,
}

/// A client's state between its lines.
#[derive(Debug)]
pub struct Console {
    shared: Shared,
    level: CliLevel,
    prompt: Prompt,
    over: bool,
}

impl Console {
    /// A client of a socket with this level.
    pub fn new(shared: Shared, level: CliLevel) -> Console {
        Console { shared, level, prompt: Prompt::OneShot, over: false }
    }

    /// Whether the connection ends after the answer, when no other line has arrived already.
    pub fn is_one_shot(&self) -> bool {
        self.prompt == Prompt::OneShot
    }

    /// Whether `quit` was said.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// The answers to one line; an empty line ends each.
    pub fn answer(&mut self, line: &str) -> String {
        let mut out = String::new();
        if line.trim().is_empty() && !self.is_one_shot() {
            return self.sign().to_owned();
        }
        for command in commands(line) {
            if self.over {
                break;
            }
            out.push_str(&self.execute(&command));
            if !self.over {
                out.push('\n');
            }
        }
        out.push_str(self.sign());
        out
    }

    fn sign(&self) -> &'static str {
        if self.prompt == Prompt::Sign && !self.over { "> " } else { "" }
    }

    fn execute(&mut self, command: &[String]) -> String {
        match table::find(command) {
            None => unknown(command),
            Some((row, _)) if row.level > self.level => "Permission denied\n".to_owned(),
            Some((row, arguments)) => self.follow(row, arguments),
        }
    }

    fn follow(&mut self, row: &Row, arguments: &[String]) -> String {
        match row.verb {
            Verb::Help => {
                format!("The following commands are valid at this level:\n{}", table::help(arguments))
            }
            Verb::Prompt => self.change_prompt(arguments),
            Verb::Quit => {
                self.over = true;
                String::new()
            }
            Verb::ShowInfo => match arguments.iter().find(|word| FORMATS.contains(&word.as_str())) {
                Some(format) => missing(&format!("{} {format}", row.words)),
                None => stats::info(&self.shared.borrow()),
            },
            Verb::ShowStat => self.show_stat(arguments),
            Verb::ShowVersion => format!("{}\n", env!("CARGO_PKG_VERSION")),
            Verb::ShowLevel => format!("{}\n", level_name(self.level)),
            Verb::ShowSockets => self.show_sockets(),
            Verb::Lower(level) => {
                self.level = self.level.min(level);
                String::new()
            }
            Verb::Missing => missing(row.words),
        }
    }

    fn change_prompt(&mut self, arguments: &[String]) -> String {
        self.prompt = match (arguments.first().map(String::as_str), self.prompt) {
            (None, Prompt::Sign) | (Some("n"), _) => Prompt::OneShot,
            (None, _) | (Some("p"), _) => Prompt::Sign,
            (Some("i"), _) => Prompt::Interactive,
            (Some(other), _) => return missing(&format!("prompt {other}")),
        };
        String::new()
    }

    fn show_stat(&self, arguments: &[String]) -> String {
        if let Some(format) = arguments.iter().find(|word| FORMATS.contains(&word.as_str())) {
            return missing(&format!("show stat {format}"));
        }
        let sources = self.shared.borrow();
        match Filter::read(arguments, &sources.config) {
            Some(filter) => stats::csv_of(filter.apply(stats::rows(&sources), self.level)),
            None => "No such proxy.\n".to_owned(),
        }
    }

    fn show_sockets(&self) -> String {
        let mut out = String::from("# socket lvl processes\n");
        for socket in &self.shared.borrow().config.global.stats_sockets {
            let (address, level) = (shown(&socket.address), level_name(socket.level));
            out.push_str(&format!("{address} {level} all\n"));
        }
        out
    }
}

/// Renderings of statistics that are not available.
const FORMATS: [&str; 4] = ["typed", "json", "desc", "float"];

fn missing(what: &str) -> String {
    format!("'{what}' is not available in Pronk {}.\n", env!("CARGO_PKG_VERSION"))
}

fn unknown(command: &[String]) -> String {
    let similar = table::help(command);
    let all = table::help(&[]);
    let introduction = match similar == all {
        true => "Unknown command. Please enter one of the following commands only:",
        false => "Unknown command, but maybe one of the following ones is a better match:",
    };
    format!("{introduction}\n{similar}")
}

fn level_name(level: CliLevel) -> &'static str {
    match level {
        CliLevel::User => "user",
        CliLevel::Operator => "operator",
        CliLevel::Admin => "admin",
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture::shared;

    fn console(level: CliLevel) -> Console {
        Console::new(shared(), level)
    }

    #[test]
    fn every_answer_ends_with_an_empty_line() {
        for line in
            ["show info", "show stat", "help", "bogus", "set server a/b state maint", "show cli level"]
        {
            let answer = console(CliLevel::Admin).answer(line);
            assert!(answer.ends_with("\n\n") && answer.len() > 3, "{line}: {answer:?}");
        }
        assert_eq!(console(CliLevel::Admin).answer("operator"), "\n");
    }

    #[test]
    fn a_line_holds_several_commands() {
        let answer = console(CliLevel::Admin).answer("show cli level;operator;show cli level");
        assert_eq!(answer, "admin\n\n\noperator\n\n");
    }

    #[test]
    fn the_level_never_rises() {
        let mut console = console(CliLevel::User);
        assert_eq!(console.answer("operator;show cli level"), "\nuser\n\n");
        assert_eq!(console.answer("disable server a/b"), "Permission denied\n\n");
    }

    #[test]
    fn what_haproxy_knows_is_refused_by_name() {
        let answer = console(CliLevel::Admin).answer("set weight be/s1 10");
        assert!(answer.contains("'set weight' is not available"), "{answer}");
        assert!(
            console(CliLevel::User).answer("show stat json").contains("'show stat json' is not available")
        );
    }

    #[test]
    fn unknown_commands_are_answered_as_in_haproxy() {
        let answer = console(CliLevel::Admin).answer("show inof");
        assert!(
            answer.starts_with("Unknown command, but maybe one of the following ones is a better match:\n")
        );
        let answer = console(CliLevel::Admin).answer("");
        assert!(answer.starts_with("Unknown command. Please enter one of the following commands only:\n"));
    }

    #[test]
    fn prompt_keeps_the_connection() {
        let mut console = console(CliLevel::Admin);
        assert_eq!(console.answer("prompt"), "\n> ");
        assert!(!console.is_one_shot());
        assert_eq!(console.answer("show cli level"), "admin\n\n> ");
        assert_eq!(console.answer(""), "> ");
        assert_eq!(console.answer("show cli level;quit;show cli level"), "admin\n\n");
        assert!(console.is_over());
    }

    #[test]
    fn show_stat_is_narrowed_by_its_arguments() {
        let lines = |line: &str| console(CliLevel::Admin).answer(line).lines().count();
        // The header and the closing empty line come with every answer.
        assert_eq!(lines("show stat"), 2 + 6);
        assert_eq!(lines("show stat be 4 -1"), 2 + 2);
        assert_eq!(lines("show stat be 4 2"), 2 + 1);
        assert_eq!(lines("show stat 2 1 0"), 2 + 1);
        assert_eq!(lines("show stat -1 2 0"), 2 + 2);
        assert_eq!(console(CliLevel::Admin).answer("show stat nosuch 1 1"), "No such proxy.\n\n");
    }

    #[test]
    fn users_do_not_see_addresses() {
        assert!(console(CliLevel::Operator).answer("show stat").contains("127.0.0.1:"));
        assert!(!console(CliLevel::User).answer("show stat").contains("127.0.0.1:"));
    }
}
