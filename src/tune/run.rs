//! The command.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use lexopt::prelude::*;

use super::finding::Finding;
use super::host::Host;
use super::settings::check;

const USAGE: &str = "\
Usage: pronk tune --check [--all]

Reports which settings of this host differ from what a gateway wants, how much each is expected to matter,
and the commands that set it and undo it. Changes nothing.

  --all   settings that fit, too

Exit status: 0 nothing differs, 1 something does, 2 the command line is wrong.
";

/// `pronk tune` with these arguments.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let (text, status) = match parse(arguments) {
        Ok(None) => (USAGE.to_owned(), 0),
        Ok(Some(all)) => {
            let findings = check(&Host::at("/"));
            (report(&findings, all), u8::from(findings.iter().any(Finding::differs)))
        }
        Err(mistake) => {
            // Nobody reads a closed output: there is no one to tell.
            let _ = write!(io::stderr(), "pronk tune: {mistake}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let _ = io::stdout().lock().write_all(text.as_bytes());
    ExitCode::from(status)
}

/// None: help was asked for. Otherwise whether all settings are shown.
fn parse(arguments: Vec<OsString>) -> Result<Option<bool>, String> {
    let mut words = lexopt::Parser::from_args(arguments);
    let (mut checks, mut all) = (false, false);
    while let Some(word) = words.next().map_err(|error| error.to_string())? {
        match word {
            Short('h') | Long("help") => return Ok(None),
            Long("check") => checks = true,
            Long("all") => all = true,
            other => return Err(other.unexpected().to_string()),
        }
    }
    if checks { Ok(Some(all)) } else { Err("say --check: there is nothing else that it does".to_owned()) }
}

fn report(findings: &[Finding], all: bool) -> String {
    let shown = findings.iter().filter(|finding| all || finding.differs());
    let lines: String = shown.map(ToString::to_string).collect();
    let differing = findings.iter().filter(|finding| finding.differs()).count();
    format!("{lines}{} settings read, {differing} differ.\n", findings.len())
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Verdict, Weight};
    use super::*;

    fn read(line: &str) -> Result<Option<bool>, String> {
        parse(line.split_whitespace().map(OsString::from).collect())
    }

    #[test]
    fn options_are_read_and_mistakes_named() {
        assert_eq!(read("--check"), Ok(Some(false)));
        assert_eq!(read("--all --check"), Ok(Some(true)));
        assert_eq!(read("-h"), Ok(None));
        assert!(read("").expect_err("nothing asked").contains("--check"));
        assert!(read("--check --frob").expect_err("unknown").contains("frob"));
    }

    #[test]
    fn what_fits_is_shown_when_all_are_asked_for() {
        let fits =
            Finding { name: "a", weight: Weight::Advice, why: "w", verdict: Verdict::Fits("1".to_owned()) };
        assert_eq!(report(std::slice::from_ref(&fits), false), "1 settings read, 0 differ.\n");
        assert_eq!(report(&[fits], true), "fits     a = 1\n1 settings read, 0 differ.\n");
    }
    #[test]
    fn what_no_command_can_change_says_what_is_needed() {
        let [value, wanted, needed] = ["1", "2", "a kernel"].map(str::to_owned);
        let verdict = Verdict::Lacks { value, wanted, needed };
        let lacks = Finding { name: "a", weight: Weight::Advice, why: "w", verdict };
        assert!(lacks.differs());
        let lines = "differs  a = 1, wanted: 2\n         advice: w\n         set:  by no command on this host; it takes a kernel\n";
        assert_eq!(report(&[lacks], false), format!("{lines}1 settings read, 1 differ.\n"));
    }
}
