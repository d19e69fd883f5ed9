//! The `pronk` command: command line, then whatever it asks for.

use std::process::ExitCode;

use pronk::cli::{self, Action, Mistake, Version};
use pronk::config::keyword;
use pronk::process::{self, report, version};

fn main() -> ExitCode {
    match cli::parse(std::env::args_os().skip(1)) {
        Ok(Action::Start(invocation)) => process::start(&invocation),
        Ok(Action::Version(wanted)) => show_version(wanted),
        Ok(Action::Condition(text)) => decide(&text),
        Ok(Action::Demo(_)) => ExitCode::FAILURE,
        Err(mistake) => explain(&mistake),
    }
}

fn show_version(wanted: Version) -> ExitCode {
    match wanted {
        Version::Brief => print!("{}", version::brief()),
        Version::Full => print!("{}\n{}", version::full(), keyword::text()),
        Version::Number => println!("{}", version::number()),
        Version::Short => println!("{}", version::short()),
        Version::Branch => println!("{}", version::branch()),
    }
    ExitCode::SUCCESS
}

/// `-cc`: 0 true, 1 false, 2 not a condition.
fn decide(text: &str) -> ExitCode {
    match process::condition(text) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            report::alert(&why);
            ExitCode::from(2)
        }
    }
}

fn explain(mistake: &Mistake) -> ExitCode {
    match mistake {
        Mistake::Refused { text, instead } => report::alert_with_help(text, instead),
        Mistake::Usage(problem) => {
            print!("{}", version::brief());
            let line = if problem.is_empty() { String::new() } else { format!("pronk: {problem}\n") };
            eprint!("{line}{}", cli::usage());
        }
    }
    ExitCode::FAILURE
}
