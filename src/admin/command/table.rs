//! The rows of all families together: which command is meant, and `help`.

use super::super::answer::Answer;
use super::{FAMILIES, Family};
use crate::config::model::CliLevel;
use crate::config::suggest::nearest;

/// One command (management manual, section 9.3).
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The words it starts with.
    pub words: &'static str,
    /// What may follow, for `help`.
    pub arguments: &'static str,
    /// What it does, for `help`.
    pub doc: &'static str,
    /// The least level that may use it.
    pub level: CliLevel,
}

fn rows() -> impl Iterator<Item = (Family, &'static Row)> {
    FAMILIES.iter().flat_map(|(family, rows)| rows.iter().map(|row| (*family, row)))
}

impl Row {
    /// The words that follow the row's own in `command`; None when it is another command.
    fn arguments_of<'a>(&self, command: &'a [String]) -> Option<&'a [String]> {
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
    fn usage(&self) -> String {
        let shape = format!("{} {}", self.words, self.arguments);
        format!("  {:<48}: {}\n", shape.trim_end(), self.doc)
    }
}

/// The words of every command that is followed.
pub fn commands() -> impl Iterator<Item = &'static str> {
    rows().filter(|(family, _)| *family != Family::Missing).map(|(_, row)| row.words)
}

/// The row of a command, the most words first, and its arguments.
pub(super) fn find(command: &[String]) -> Option<(Family, &'static Row, &[String])> {
    let matching = rows().filter_map(|(family, row)| Some((family, row, row.arguments_of(command)?)));
    matching.min_by_key(|(_, _, arguments)| arguments.len())
}

/// The text of `help`: the available commands, those that resemble `command` when there are any.
pub(super) fn help(command: &[String]) -> String {
    let mut available: Vec<&Row> =
        rows().filter(|(family, _)| *family != Family::Missing).map(|(_, row)| row).collect();
    available.sort_by_key(|row| row.words);
    let (always, others): (Vec<&Row>, Vec<&Row>) =
        available.into_iter().partition(|row| matches!(row.words, "help" | "prompt" | "quit"));
    let similar: Vec<&Row> = others.iter().copied().filter(|row| resembles(row, command)).collect();
    let chosen = if similar.is_empty() { others } else { similar };
    chosen.iter().chain(&always).map(|row| row.usage()).collect()
}

/// The answer to what is no command.
pub(super) fn unknown(command: &[String]) -> Answer {
    let similar = help(command);
    let named = command.first().map_or(String::new(), |word| format!(": '{word}'"));
    let hint = match similar == help(&[]) {
        true => ". Please enter one of the following commands only",
        false => ", but maybe one of the following ones is a better match",
    };
    Answer::told(format!("Unknown command{named}{hint}:\n{similar}"))
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
    use std::collections::HashSet;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn every_row_finds_itself() {
        for (_, row) in rows() {
            let command = words(&format!("{} more", row.words));
            let (_, found, arguments) = find(&command).expect("known");
            assert_eq!((found.words, arguments), (row.words, &words("more")[..]));
        }
    }

    #[test]
    fn every_row_is_there_once() {
        let mut seen = HashSet::new();
        for (_, row) in rows() {
            assert!(seen.insert(row.words), "{}", row.words);
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
