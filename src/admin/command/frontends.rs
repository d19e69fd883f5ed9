//! Commands that change frontends, and limits on who may come in.

use super::super::answer::Answer;
use super::super::console::Console;
use super::super::frontends;
use super::sessions::proxy_named;
use super::{Row, Typed, row};
use crate::config::model::CliLevel::Admin;
use crate::config::model::ProxyId;
use crate::stats::Standing;
use crate::worker::mailbox::Command;

pub(super) const ROWS: &[Row] = &[
    row("disable frontend", "<frontend>", "accept nobody at a frontend for a while", Admin),
    row("enable frontend", "<frontend>", "accept again at a frontend", Admin),
    row("set maxconn frontend", "<frontend> <value>", "change a frontend's limit", Admin),
    row("set maxconn global", "<value>", "change the process's limit; 0 is the one at start", Admin),
    row("set rate-limit", "<setting> <value>", "change a limit per second; 0 is none", Admin),
    row("shutdown frontend", "<frontend>", "stop listening at a frontend for good", Admin),
];

const RATES: &str = "'set rate-limit' only supports :
   - 'connections global' : connections that the process accepts per second
   - 'sessions global' : sessions that the process begins per second
   - 'ssl-sessions global' : TLS sessions, of which there are none";

pub(super) async fn run(console: &Console, typed: Typed<'_>) -> Answer {
    match typed.row.words {
        "set maxconn global" => renewed(console, limit_process(console, typed.word(0))).await,
        "set rate-limit" => renewed(console, limit_rate(console, typed)).await,
        words => {
            let frontend = match frontend(console, typed.word(0)) {
                Ok(frontend) => frontend,
                Err(refusal) => return refusal,
            };
            match words {
                "disable frontend" => disable(console, frontend).await,
                "enable frontend" => enable(console, frontend).await,
                "shutdown frontend" => shut(console, frontend).await,
                _ => renewed(console, limit_frontend(console, frontend, typed.word(1))).await,
            }
        }
    }
}

fn frontend(console: &Console, name: &str) -> Result<ProxyId, Answer> {
    if name.is_empty() {
        return Err(Answer::refusal("A frontend name is expected."));
    }
    let found = proxy_named(name, &console.powers().shared.borrow(), |proxy| proxy.kind.is_frontend());
    found.ok_or_else(|| Answer::refusal("No such frontend."))
}

async fn disable(console: &Console, frontend: ProxyId) -> Answer {
    match frontends::standing(console.powers(), frontend) {
        Standing::Stopped => Answer::refusal("Frontend was previously shut down, cannot disable."),
        Standing::Open if frontends::pause(console.powers(), frontend).await => Answer::done(),
        _ => Answer::refusal("All sockets are already disabled."),
    }
}

async fn enable(console: &Console, frontend: ProxyId) -> Answer {
    match frontends::standing(console.powers(), frontend) {
        Standing::Stopped => Answer::refusal("Frontend was previously shut down, cannot enable."),
        Standing::Open => Answer::refusal("All sockets are already enabled."),
        Standing::Paused if frontends::resume(console.powers(), frontend).await => Answer::done(),
        Standing::Paused => Answer::refusal(
            "Failed to resume frontend: another process listens on one of its addresses ('ss -ltnp' shows which).",
        ),
    }
}

async fn shut(console: &Console, frontend: ProxyId) -> Answer {
    match frontends::stop(console.powers(), frontend).await {
        true => Answer::done(),
        false => Answer::refusal("Frontend was already shut down."),
    }
}

type Renewed = Result<(), Answer>;

fn limit_frontend(console: &Console, frontend: ProxyId, text: &str) -> Renewed {
    let limit = number(text, "Integer value expected.")?;
    console.powers().shared.borrow().load.frontend(frontend).set_limit(Some(limit));
    Ok(())
}

fn limit_process(console: &Console, text: &str) -> Renewed {
    let sources = console.powers().shared.borrow();
    let limit = match number(text, "Expects an integer value.")? {
        limit if limit > sources.limits.maxconn => return Err(Answer::refusal("Value out of range.")),
        0 => sources.limits.maxconn,
        limit => limit,
    };
    sources.load.process().set_limit(Some(limit));
    Ok(())
}

fn limit_rate(console: &Console, typed: Typed<'_>) -> Renewed {
    let mut sources = console.powers().shared.borrow_mut();
    let limit = || number(typed.word(2), "Expects an integer value.");
    match (typed.word(0), typed.word(1)) {
        ("connections", "global") => sources.load.connections().set_limit(Some(limit()?)),
        ("sessions", "global") => sources.load.sessions().set_limit(Some(limit()?)),
        // There are no TLS sessions that could be too many: it is kept to be shown.
        ("ssl-sessions", "global") => sources.limits.tls_sessions = limit()?,
        ("http-compression", "global") => return Err(Answer::missing("set rate-limit http-compression")),
        _ => return Err(Answer::refusal(RATES)),
    }
    Ok(())
}

/// With another limit, whoever waits for it looks again.
async fn renewed(console: &Console, limit: Renewed) -> Answer {
    if let Err(refusal) = limit {
        return refusal;
    }
    let crew = &console.powers().crew;
    for worker in 0..crew.count() {
        crew.order(worker, Command::Retry).await;
    }
    Answer::done()
}

/// HAProxy takes what is no number for 0, which here would lift or close a limit by a slip.
fn number(text: &str, missing: &'static str) -> Result<u32, Answer> {
    match text.parse::<i64>() {
        Ok(number) => u32::try_from(number).map_err(|_| Answer::refusal("Value out of range.")),
        Err(_) => Err(Answer::refusal(missing)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture::{ask, console};
    use crate::config::model::CliLevel::Operator;

    #[test]
    fn frontends_are_paused_resumed_and_closed_once() {
        let mut console = console(Admin);
        let mut say =
            |line: &str, expected: &str| assert_eq!(ask(&mut console, line), format!("{expected}\n"));
        for verb in ["disable", "enable", "shutdown"] {
            say(&format!("{verb} frontend"), "A frontend name is expected.\n");
            say(&format!("{verb} frontend be"), "No such frontend.\n");
        }
        say("enable frontend fe", "All sockets are already enabled.\n");
        say("disable frontend #2", "");
        say("disable frontend fe", "All sockets are already disabled.\n");
        say("enable frontend fe", "");
        say("disable frontend fe", "");
        say("shutdown frontend fe", "");
        say("shutdown frontend fe", "Frontend was already shut down.\n");
        say("disable frontend fe", "Frontend was previously shut down, cannot disable.\n");
        say("enable frontend fe", "Frontend was previously shut down, cannot enable.\n");
    }

    #[test]
    fn the_state_of_a_frontend_is_in_its_row() {
        let mut console = console(Admin);
        let mut status = |line: &str| {
            ask(&mut console, line);
            let stat = ask(&mut console, "show stat fe 1 0");
            stat.lines().nth(1).and_then(|row| row.split(',').nth(17)).map(str::to_owned)
        };
        assert_eq!(status("disable frontend fe").as_deref(), Some("PAUSED"));
        assert_eq!(status("enable frontend fe").as_deref(), Some("OPEN"));
        assert_eq!(status("shutdown frontend fe").as_deref(), Some("STOP"));
    }

    #[test]
    fn limits_change_at_once_and_show() {
        let mut console = console(Admin);
        console.powers().shared.borrow_mut().limits.maxconn = 100;
        let mut say = |line: &str| ask(&mut console, line);
        assert_eq!(say("set maxconn global"), "Expects an integer value.\n\n");
        assert_eq!(say("set maxconn global 101"), "Value out of range.\n\n");
        assert_eq!(say("set maxconn global x"), "Expects an integer value.\n\n");
        assert_eq!(say("set maxconn global 30"), "\n");
        assert!(say("show info").contains("\nMaxconn: 30\nHard_maxconn: 100\n"));
        assert_eq!(say("set maxconn global 0"), "\n");
        assert!(say("show info").contains("\nMaxconn: 100\n"));
        assert_eq!(say("set maxconn frontend"), "A frontend name is expected.\n\n");
        assert_eq!(say("set maxconn frontend fe"), "Integer value expected.\n\n");
        assert_eq!(say("set maxconn frontend fe -1"), "Value out of range.\n\n");
        assert_eq!(say("set maxconn frontend fe 7"), "\n");
        assert!(say("show stat fe 1 0").contains("\nfe,FRONTEND,,,0,0,7,"));
        assert_eq!(say("set rate-limit connections global 5;set rate-limit sessions global 6"), "\n\n");
        let info = say("show info");
        assert!(info.contains("\nConnRateLimit: 5\n") && info.contains("\nSessRateLimit: 6\n"));
        assert_eq!(say("set rate-limit sessions global -3"), "Value out of range.\n\n");
        assert!(say("set rate-limit bogus global 1").starts_with("'set rate-limit' only supports :\n"));
        assert!(say("set rate-limit http-compression global 1").contains("is not available"));
        assert_eq!(say("set rate-limit ssl-sessions global 9"), "\n");
        assert!(say("show info").contains("\nSslRateLimit: 9\n"));
    }

    #[test]
    fn an_operator_changes_nothing() {
        for row in ROWS {
            let line = format!("{} fe 1", row.words);
            assert_eq!(ask(&mut console(Operator), &line), "Permission denied\n\n");
        }
    }
}
