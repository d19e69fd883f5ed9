//! `wait`: for some time, or until a server may be deleted (management manual, `wait`).

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::super::answer::Answer;
use super::super::console::Console;
use super::backends;
use super::dynamic::{Obstacle, obstacle};
use super::servers::{self, parts};
use super::{Row, Typed, row};
use crate::config::model::CliLevel::User;
use crate::config::value::{TimeUnit, time};
use crate::log::Level;

pub(super) const ROWS: &[Row] = &[row(
    "wait",
    "{-h|<delay>} [srv-removable <backend>/<server>|be-removable <backend>]",
    "wait for some time or until a condition holds",
    User,
)];

/// How often a condition is looked at, and whether the client is still there.
const LOOK: Duration = Duration::from_millis(20);

const USAGE: &str = "Usage: wait {-h|<delay>} [<condition>]
Waits for the delay, in milliseconds unless it has a unit (us, ms, s, m, h, d).
With a condition it waits at most that long, until the condition holds or cannot hold any more:
  srv-removable <backend>/<server>   'del server' would take the server away
  be-removable <backend>             'del backend' would take the backend away
";

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal<'a> {
    /// The end of the delay.
    Delay,
    /// A server, `backend/server`, that can be deleted.
    Server(&'a str),
    /// A backend that can be deleted.
    Backend(&'a str),
}

/// Where a goal stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Progress {
    Reached,
    /// For this reason.
    NotYet(&'static str),
    /// It is out of reach.
    Never(String),
}

pub(super) async fn run(console: &Console, typed: Typed<'_>) -> Answer {
    if [typed.word(0), typed.word(1)].contains(&"-h") {
        return Answer::told(USAGE);
    }
    let (delay, goal) = match (delay(typed.word(0)), goal(&typed)) {
        (Ok(delay), Ok(goal)) => (delay, goal),
        (Err(refusal), _) | (_, Err(refusal)) => return refusal,
    };
    let end = Instant::now() + delay;
    while !console.is_deserted() {
        match progress(console, goal) {
            Progress::Reached => return done(),
            Progress::Never(why) => return Answer::refusal(format!("Failed. {why}")),
            Progress::NotYet(_) if Instant::now() < end => {
                sleep_until(end.min(Instant::now() + LOOK)).await;
            }
            Progress::NotYet(_) if goal == Goal::Delay => return done(),
            Progress::NotYet(why) => return Answer::refusal(format!("Wait delay expired. {why}")),
        }
    }
    Answer::refusal("Interrupted.")
}

fn done() -> Answer {
    Answer::message(Level::Info, "Done.")
}

fn delay(word: &str) -> Result<Duration, Answer> {
    match time(word, TimeUnit::Milliseconds) {
        Ok(ms) => Ok(Duration::from_millis(u64::from(ms))),
        Err(error) if word.is_empty() => {
            let text = format!("Expects a duration in milliseconds: {}.", error.time_help());
            Err(Answer::refusal(text))
        }
        Err(error) => Err(Answer::refusal(format!("Invalid duration '{word}': {}.", error.time_help()))),
    }
}

fn goal<'a>(typed: &'a Typed<'_>) -> Result<Goal<'a>, Answer> {
    match typed.word(1) {
        "" => Ok(Goal::Delay),
        "srv-removable" => parts(typed.word(2)).map(|_| Goal::Server(typed.word(2))),
        "be-removable" => Ok(Goal::Backend(typed.word(2))),
        other => Err(Answer::refusal(format!(
            "Unsupported condition '{other}' ('srv-removable <backend>/<server>' and 'be-removable <backend>' are \
             possible)."
        ))),
    }
}

fn progress(console: &Console, goal: Goal<'_>) -> Progress {
    let table = console.table();
    match goal {
        Goal::Delay => Progress::NotYet(""),
        Goal::Server(path) => match servers::entry(&table, path) {
            Err(refusal) => never(&refusal),
            Ok(entry) => match obstacle(console, entry) {
                None => Progress::Reached,
                Some(Obstacle::Sessions) => Progress::NotYet(Obstacle::Sessions.text()),
                Some(Obstacle::Service) => Progress::Never(Obstacle::Service.text().to_owned()),
            },
        },
        Goal::Backend(name) => match backends::find(&table.config, name) {
            Err(refusal) => never(&refusal),
            Ok(backend) => match backends::obstacle(console, &table.config, backend) {
                None => Progress::Reached,
                Some((true, why)) => Progress::NotYet(why),
                Some((false, why)) => Progress::Never(why.to_owned()),
            },
        },
    }
}

fn never(refusal: &Answer) -> Progress {
    Progress::Never(refusal.text.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture::{ask, console};

    #[test]
    fn a_delay_passes() {
        let mut console = console(User);
        let start = std::time::Instant::now();
        assert_eq!(ask(&mut console, "wait 30"), "Done.\n\n");
        assert!(start.elapsed() >= Duration::from_millis(30));
        assert_eq!(ask(&mut console, "wait 0"), "Done.\n\n");
        assert_eq!(ask(&mut console, "wait 1000us;wait 1ms"), "Done.\n\nDone.\n\n");
    }

    #[test]
    fn what_cannot_come_is_not_waited_for() {
        let mut console = console(User);
        for (line, answer) in [
            ("wait 1d srv-removable be/s1", "Failed. Only servers in maintenance mode can be deleted."),
            ("wait 1d srv-removable be/nope", "Failed. No such server."),
            ("wait 1d srv-removable nope/s1", "Failed. No such backend."),
            ("wait 1d be-removable be", "Failed. Backend must be unpublished prior to its deletion."),
            ("wait 1d be-removable fe", "Failed. No such backend."),
            ("wait 1d srv-removable be", "Require 'backend/server'."),
            (
                "wait 1d sun-shine",
                "Unsupported condition 'sun-shine' ('srv-removable <backend>/<server>' and 'be-removable <backend>' \
                 are possible).",
            ),
        ] {
            assert_eq!(ask(&mut console, line), format!("{answer}\n\n"), "{line}");
        }
        assert!(ask(&mut console, "wait").starts_with("Expects a duration in milliseconds"));
        assert!(ask(&mut console, "wait soon").starts_with("Invalid duration 'soon'"));
        assert!(ask(&mut console, "wait 99999999999d").starts_with("Invalid duration"));
        assert!(ask(&mut console, "wait 1d -h").starts_with("Usage: wait "));
    }

    #[test]
    fn nothing_is_waited_for_once_the_client_has_left() {
        let mut console = console(User);
        console.desertion().set(true);
        assert_eq!(ask(&mut console, "wait 1d"), "Interrupted.\n\n");
    }
}
