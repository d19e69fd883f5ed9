//! `show info`, `show stat`, `show schema json`, `show activity`, `clear counters`, of everything or of a server.

use super::super::Powers;
use super::super::answer::Answer;
use super::super::console::Console;
use super::super::filter::Filter;
use super::{Row, Typed, row, servers};
use crate::config::model::CliLevel::{Admin, Operator, User};
use crate::health::Order;
use crate::stats::{self, Format, Style};
use crate::worker::mailbox::{Command, Forget};

pub(super) const ROWS: &[Row] = &[
    row("clear counters", "[all]", "count maxima, or everything, anew", Operator),
    row("clear counters server", "<backend>/<server> [force]", "count everything of a server anew", Admin),
    row("dump stats-file", "", "counters, to be kept for 'stats-file'", User),
    row("show activity", "", "what each worker carries and has done", Operator),
    row("show info", "[desc|json|typed|float]*", "what the process is and does", User),
    row("show schema json", "", "what the JSON of info and stat looks like", User),
    row(
        "show stat",
        "[domain proxy|resolvers] [<proxy|iid> <type> <sid>] [desc|json|no-maint|typed|up]*",
        "counters of proxies and servers as CSV",
        User,
    ),
];

pub(super) async fn run(console: &mut Console, typed: Typed<'_>) -> Answer {
    if typed.row.words == "clear counters" {
        return clear(console, typed.word(0) == "all").await;
    }
    if typed.row.words == "clear counters server" {
        return clear_server(console, typed.word(0)).await;
    }
    let sources = console.powers().shared.borrow();
    match typed.row.words {
        "show activity" => match typed.word(0) {
            "" => Answer::listing(stats::activity(&sources)),
            column => Answer::missing(&format!("{} {column}", typed.row.words)),
        },
        "dump stats-file" => Answer::listing(stats::file::dump(&sources)),
        "show info" => Answer::listing(style(typed.arguments).info(&sources)),
        "show schema json" => Answer::listing(stats::schema()),
        _ => match (typed.word(0), typed.word(1)) {
            ("domain", "proxy") => stat(console, &typed.arguments[2..]),
            ("domain", "resolvers") => Answer::listing(resolvers(style(&typed.arguments[2..]))),
            ("domain", _) => Answer::refusal("Invalid statistics domain."),
            _ => stat(console, typed.arguments),
        },
    }
}

fn style(arguments: &[String]) -> Style {
    Style::read(arguments.iter().map(String::as_str))
}

fn stat(console: &Console, arguments: &[String]) -> Answer {
    let sources = console.powers().shared.borrow();
    match Filter::read(arguments, &sources.config) {
        Some(filter) => {
            let rows = filter.apply(stats::rows(&sources), console.level());
            Answer::listing(style(arguments).rows(rows))
        }
        None => Answer::refusal("No such proxy."),
    }
}

/// Names are looked up once, at start: no resolver has counters.
fn resolvers(style: Style) -> String {
    match style.format {
        Format::Plain => "# id,pid,sent,send_error,valid,update,cname,cname_error,any_err,nx,timeout,\
                          refused,other,invalid,too_big,truncated,outdated,\n"
            .to_owned(),
        Format::Typed | Format::Json => style.rows([]),
    }
}

/// Each worker clears what it counts: counters have one writer.
async fn clear(console: &Console, all: bool) -> Answer {
    if all && console.level() < Admin {
        return Answer::refusal("Permission denied");
    }
    let Powers { shared, crew, health, .. } = console.powers().clone();
    let sessions = shared.borrow().sessions();
    let forget = if all { Forget::All } else { Forget::Maxima };
    for worker in 0..crew.count() {
        crew.order(worker, Command::Forget(forget)).await;
    }
    if all && let Err(text) = health.order(Order::Forget).await {
        return Answer::refusal(text);
    }
    let mut sources = shared.borrow_mut();
    sources.load.forget_peaks();
    sources.rates.forget_maxima();
    // Behind the workers' counters lie those of this thread.
    for own in sources.counters.iter().skip(sources.workers) {
        if all { own.forget() } else { own.forget_maxima() }
    }
    if all {
        sources.forgotten_sessions = sessions.cast_signed();
    }
    Answer::done()
}

/// State and checks of the server go on.
async fn clear_server(console: &Console, path: &str) -> Answer {
    let Powers { shared, crew, health, .. } = console.powers().clone();
    let id = match servers::entry(&console.table(), path) {
        Ok(entry) => entry.id,
        Err(refusal) => return refusal,
    };
    for worker in 0..crew.count() {
        crew.order(worker, Command::Forget(Forget::Server(id))).await;
    }
    if let Err(text) = health.order(Order::ForgetServer(id)).await {
        return Answer::refusal(text);
    }
    let mut sources = shared.borrow_mut();
    sources.load.server(id).forget_peaks();
    sources.rates.forget_server(id);
    sources.counters.iter().skip(sources.workers).for_each(|own| own.forget_server(id));
    Answer::done()
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

    #[test]
    fn formats_show_the_same_values() {
        let ask = |line: &str| ask(&mut console(CliLevel::Admin), line);
        assert!(ask("show stat be 4 2 typed").contains("\nS.3.2.26.pid.1:KGPV:u32:1\n"));
        assert!(ask("show stat be 4 2 desc typed").contains(":u32:1:\"Number of the process, always 1\"\n"));
        assert!(
            ask("show stat be 4 2 json").starts_with("[[{\"objType\":\"Server\",\"proxyId\":3,\"id\":2,")
        );
        assert!(ask("show info typed").starts_with("0.Name.1:POSV:str:HAProxy\n"));
        assert!(ask("show info desc").starts_with("Name: HAProxy:\"Name of the program\"\n"));
        assert!(ask("show info typed float").contains("\n26.ConnRate.1:MRPV:flt:0\n"));
        assert!(ask("show schema json").starts_with("{\"$schema\":"));
    }

    #[test]
    fn domains_are_known() {
        let ask = |line: &str| ask(&mut console(CliLevel::Admin), line);
        assert_eq!(ask("show stat domain proxy be 4 2"), ask("show stat be 4 2"));
        assert!(ask("show stat domain resolvers").starts_with("# id,pid,sent,"));
        assert_eq!(ask("show stat domain resolvers json"), "[]\n\n");
        for line in ["show stat domain", "show stat domain x"] {
            assert_eq!(ask(line), "Invalid statistics domain.\n\n");
        }
    }

    #[test]
    fn backends_tell_what_is_left_out() {
        let all = ask(&mut console(CliLevel::Admin), "show stat up");
        assert!(all.contains(",UP (2/2),"), "{all}");
    }
}
