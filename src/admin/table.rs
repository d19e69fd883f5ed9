//! Every command that HAProxy's stats socket knows, one row each (management manual, section 9.3).

use crate::config::model::CliLevel;
use crate::config::suggest::nearest;

/// What becomes of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `help [COMMAND]`
    Help,
    /// `prompt`
    Prompt,
    /// `quit`
    Quit,
    /// `show info`
    ShowInfo,
    /// `show stat`
    ShowStat,
    /// `show version`
    ShowVersion,
    /// `show cli level`
    ShowLevel,
    /// `show cli sockets`
    ShowSockets,
    /// `user` and `operator`
    Lower(CliLevel),
    /// Known to HAProxy, refused by name here.
    Missing,
}

/// One command.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The words it starts with.
    pub words: &'static str,
    /// What may follow, for `help`.
    pub arguments: &'static str,
    /// What it does, for `help`; empty for a missing one.
    pub doc: &'static str,
    /// The least level that may use it.
    pub level: CliLevel,
    /// What it does.
    pub verb: Verb,
}

use CliLevel::{Admin, Operator, User};
use Verb::{Help, Lower, Missing, Prompt, Quit, ShowInfo, ShowLevel, ShowSockets, ShowStat, ShowVersion};

const fn row(words: &'static str, arguments: &'static str, doc: &'static str, verb: Verb) -> Row {
    Row { words, arguments, doc, level: User, verb }
}

const fn missing(words: &'static str, level: CliLevel) -> Row {
    Row { words, arguments: "", doc: "", level, verb: Missing }
}

/// All commands; among rows that share first words the longer come first.
pub const ROWS: &[Row] = &[
    row("show cli level", "", "this connection's level", ShowLevel),
    row("show cli sockets", "", "the stats sockets of this process", ShowSockets),
    row("show info", "", "what the process is and does", ShowInfo),
    row("show stat", "[<proxy|iid> <type> <sid>]", "counters of proxies and servers as CSV", ShowStat),
    row("show version", "", "the version of this process", ShowVersion),
    row("operator", "", "lower this connection's level to operator", Lower(Operator)),
    row("user", "", "lower this connection's level to user", Lower(User)),
    row("help", "[<command>]", "list all commands or those that match", Help),
    row("prompt", "", "keep the connection open for further commands", Prompt),
    row("quit", "", "close the connection", Quit),
    missing("_getsocks", Admin),
    missing("abort ssl", Admin),
    missing("acme", Admin),
    missing("add acl", Admin),
    missing("add backend", Admin),
    missing("add map", Admin),
    missing("add server", Admin),
    missing("add ssl", Admin),
    missing("clear acl", Admin),
    missing("clear counters", Operator),
    missing("clear map", Admin),
    missing("clear table", Operator),
    missing("commit acl", Admin),
    missing("commit map", Admin),
    missing("commit ssl", Admin),
    missing("debug", Admin),
    missing("del acl", Admin),
    missing("del backend", Admin),
    missing("del map", Admin),
    missing("del server", Admin),
    missing("del ssl", Admin),
    missing("disable agent", Admin),
    missing("disable dynamic-cookie", Admin),
    missing("disable frontend", Admin),
    missing("disable health", Admin),
    missing("disable server", Admin),
    missing("dump ssl", Admin),
    missing("dump stats-file", Admin),
    missing("echo", User),
    missing("enable agent", Admin),
    missing("enable dynamic-cookie", Admin),
    missing("enable frontend", Admin),
    missing("enable health", Admin),
    missing("enable server", Admin),
    missing("experimental-mode", Admin),
    missing("expert-mode", Admin),
    missing("get acl", Operator),
    missing("get map", Operator),
    missing("get var", Admin),
    missing("get weight", User),
    missing("httpclient", Admin),
    missing("new ssl", Admin),
    missing("prepare acl", Admin),
    missing("prepare map", Admin),
    missing("publish backend", Admin),
    missing("set anon", Admin),
    missing("set dynamic-cookie-key", Admin),
    missing("set map", Admin),
    missing("set maxconn", Admin),
    missing("set profiling", Admin),
    missing("set rate-limit", Admin),
    missing("set server", Admin),
    missing("set severity-output", User),
    missing("set ssl", Admin),
    missing("set table", Operator),
    missing("set timeout", User),
    missing("set var", Admin),
    missing("set weight", Admin),
    missing("show acl", Operator),
    missing("show activity", Operator),
    missing("show anon", User),
    missing("show backend", User),
    missing("show cache", User),
    missing("show default-server", Operator),
    missing("show defaults", Operator),
    missing("show dev", Operator),
    missing("show env", Operator),
    missing("show errors", Operator),
    missing("show events", Operator),
    missing("show fd", Operator),
    missing("show libs", Operator),
    missing("show map", Operator),
    missing("show peers", User),
    missing("show pools", User),
    missing("show profiling", Operator),
    missing("show resolvers", User),
    missing("show schema json", User),
    missing("show servers conn", Operator),
    missing("show servers state", Operator),
    missing("show sess", Operator),
    missing("show ssl", Operator),
    missing("show startup-logs", User),
    missing("show table", Operator),
    missing("show tasks", Operator),
    missing("show threads", Operator),
    missing("show tls-keys", Operator),
    missing("show trace", User),
    missing("shutdown frontend", Admin),
    missing("shutdown session", Admin),
    missing("shutdown sessions server", Admin),
    missing("trace", Admin),
    missing("unpublish backend", Admin),
    missing("update ssl", Admin),
    missing("wait", User),
];

impl Row {
    /// The words that follow the row's own in `command`; None when it is another command.
    pub fn arguments_of<'a>(&self, command: &'a [String]) -> Option<&'a [String]> {
        let mut rest = command;
        for own in self.words.split(' ') {
            let (first, others) = rest.split_first()?;
            if first != own {
                return None;
            }
            rest = others;
        }
        Some(rest)
    }

    /// How `help` shows it.
    pub fn usage(&self) -> String {
        let shape = format!("{} {}", self.words, self.arguments);
        format!("  {:<40}: {}\n", shape.trim_end(), self.doc)
    }
}

/// The row of a command, and its arguments.
pub fn find(command: &[String]) -> Option<(&'static Row, &[String])> {
    ROWS.iter().find_map(|row| row.arguments_of(command).map(|arguments| (row, arguments)))
}

/// The text of `help`: the available commands, those that resemble `command` when there are any.
pub fn help(command: &[String]) -> String {
    let available = || ROWS.iter().filter(|row| row.verb != Missing);
    let similar: Vec<&Row> = available().filter(|row| resembles(row, command)).collect();
    let always = |row: &&Row| matches!(row.verb, Help | Prompt | Quit);
    if similar.iter().all(always) {
        return available().map(Row::usage).collect();
    }
    let closing = available().filter(|row| always(row) && !similar.iter().any(|one| one.words == row.words));
    similar.iter().map(|row| row.usage()).chain(closing.map(Row::usage)).collect()
}

/// Same beginning, or a word that differs from the row's last by little.
fn resembles(row: &Row, command: &[String]) -> bool {
    let typed = command.join(" ");
    if typed.is_empty() {
        return false;
    }
    let last = row.words.rsplit(' ').next().unwrap_or_default();
    row.words.starts_with(&typed)
        || row.arguments_of(command).is_some()
        || command.iter().any(|word| word.eq_ignore_ascii_case(last) || nearest(word, [last]).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn every_row_finds_itself() {
        for row in ROWS {
            let (found, arguments) = find(&words(&format!("{} more", row.words)))
                .map(|(found, arguments)| (found.words, arguments.to_vec()))
                .expect("known");
            assert_eq!((found, arguments), (row.words, words("more")));
        }
    }

    #[test]
    fn commands_are_whole_words_in_small_letters() {
        for text in ["SHOW INFO", "show", "show informations", "sho info", "bogus", ""] {
            assert!(find(&words(text)).is_none(), "{text}");
        }
    }

    #[test]
    fn help_lists_what_resembles_the_command() {
        assert!(help(&words("show inof")).contains("show info"));
        assert!(!help(&words("show inof")).contains("show stat"));
        assert!(help(&words("show")).contains("show stat"));
        assert!(help(&words("frobnicate")).contains("show stat"));
        for text in ["", "show", "show inof"] {
            assert!(help(&words(text)).ends_with("close the connection\n"), "{text}");
        }
    }
}
