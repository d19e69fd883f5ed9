//! `show info`, `show stat`, `show activity`.

use super::super::answer::Answer;
use super::super::console::Console;
use super::super::filter::Filter;
use super::{Row, Typed, row};
use crate::config::model::CliLevel::{Operator, User};
use crate::stats;

pub(super) const ROWS: &[Row] = &[
    row("show activity", "", "what each worker carries and has done", Operator),
    row("show info", "", "what the process is and does", User),
    row("show stat", "[<proxy|iid> <type> <sid>]", "counters of proxies and servers as CSV", User),
];

/// Renderings of statistics that are not available.
const FORMATS: [&str; 4] = ["typed", "json", "desc", "float"];

pub(super) fn run(console: &Console, typed: Typed<'_>) -> Answer {
    if let Some(format) = typed.arguments.iter().find(|word| FORMATS.contains(&word.as_str())) {
        return Answer::missing(&format!("{} {format}", typed.row.words));
    }
    let sources = console.powers().shared.borrow();
    match typed.row.words {
        "show activity" => match typed.word(0) {
            "" => Answer::listing(stats::activity(&sources)),
            column => Answer::missing(&format!("{} {column}", typed.row.words)),
        },
        "show info" => Answer::listing(stats::info(&sources)),
        _ => match Filter::read(typed.arguments, &sources.config) {
            Some(filter) => {
                Answer::listing(stats::csv_of(filter.apply(stats::rows(&sources), console.level())))
            }
            None => Answer::refusal("No such proxy."),
        },
    }
}

#[cfg(test)]
mod tests {
    use crate::admin::fixture::{ask, console};
    use crate::config::model::CliLevel;

    #[test]
    fn show_stat_is_narrowed_by_its_arguments() {
        let lines = |line: &str| ask(&mut console(CliLevel::Admin), line).lines().count();
        // The header and the closing empty line come with every answer.
        assert_eq!(lines("show stat"), 2 + 6);
        assert_eq!(lines("show stat be 4 -1"), 2 + 2);
        assert_eq!(lines("show stat be 4 2"), 2 + 1);
        assert_eq!(lines("show stat 2 1 0"), 2 + 1);
        assert_eq!(lines("show stat -1 2 0"), 2 + 2);
        let answer = ask(&mut console(CliLevel::Admin), "show stat nosuch 1 1");
        assert_eq!(answer, "No such proxy.\n\n");
    }

    #[test]
    fn show_activity_tells_of_the_workers() {
        let answer = ask(&mut console(CliLevel::Operator), "show activity");
        assert!(answer.starts_with("live: 0\naccepted: 0\n"), "{answer}");
        assert_eq!(ask(&mut console(CliLevel::User), "show activity"), "Permission denied\n\n");
        let answer = ask(&mut console(CliLevel::Operator), "show activity 1");
        assert!(answer.contains("'show activity 1' is not available"), "{answer}");
    }

    #[test]
    fn users_do_not_see_addresses() {
        assert!(ask(&mut console(CliLevel::Operator), "show stat").contains("127.0.0.1:"));
        assert!(!ask(&mut console(CliLevel::User), "show stat").contains("127.0.0.1:"));
    }
}
