//! The `pronk` command: command line, then whatever it asks for.

use std::process::ExitCode;

use pronk::cli::{self, Action, Mistake, Version};
use pronk::config::keyword;
use pronk::demo;
use pronk::process::{self, report, version};
use pronk::top;
use pronk::tune;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os().skip(1)) {
        Ok(Action::Start(invocation)) => process::start(&invocation),
        Ok(Action::Version(wanted)) => show_version(wanted),
        Ok(Action::Condition(text)) => decide(&text),
        Ok(Action::Answer(text)) => answer(&text),
        Ok(Action::Demo(arguments)) => demo::run(arguments, process::embedded),
        Ok(Action::Top(arguments)) => top::run(arguments),
        Ok(Action::Tune(arguments)) => tune::run(arguments),
        Err(mistake) => explain(&mistake),
    }
}

fn show_version(wanted: Version) -> ExitCode {
    answer(&match wanted {
        Version::Brief => version::brief(),
        Version::Full => format!("{}\n{}", version::full(), keyword::text()),
        Version::Number => format!("{}\n", version::VERSION),
        Version::Short => format!("{}\n", version::COMPATIBLE),
        Version::Branch => format!("{}\n", version::BRANCH),
    })
}

fn answer(text: &str) -> ExitCode {
    report::answer(text);
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
            report::answer(&version::brief());
            let line = if problem.is_empty() { String::new() } else { format!("pronk: {problem}\n") };
            report::remark(&(line + &cli::usage()));
        }
    }
    ExitCode::FAILURE
}
