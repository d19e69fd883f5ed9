//! Reads, prints and waits.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use super::options::{TopOptions, USAGE, parse};
use super::page::page;
use super::rates::Rates;
use super::sample::Sample;
use crate::sys::terminal;

/// `pronk top` with these arguments: until Ctrl-C, or one page. The status is 1 for a mistake in the
/// arguments, and with `--once` for a socket that does not answer.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let done = match parse(arguments) {
        Ok(None) => print(USAGE),
        Ok(Some(options)) if options.once => once(&options),
        Ok(Some(_)) if !io::stdout().is_terminal() => {
            Err("the output is no terminal: 'pronk top --once' prints one plain page".to_owned())
        }
        Ok(Some(options)) => watch(&options),
        Err(mistake) => Err(format!("{mistake}\n{USAGE}")),
    };
    done.map_or_else(
        |why| {
            // Nobody reads a closed output: there is no one to tell.
            let _ = writeln!(io::stderr(), "pronk top: {}", why.trim_end());
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

fn once(options: &TopOptions) -> Result<(), String> {
    let sample = options.address.sample().map_err(|error| unreachable_socket(options, &error))?;
    print(&(page(&sample, &Rates::default()).join("\n") + "\n"))
}

/// Ends with an error only when the terminal is gone; a lost socket is told and asked again.
fn watch(options: &TopOptions) -> Result<(), String> {
    let mut last: Option<(Sample, Instant)> = None;
    loop {
        let lines = match options.address.sample() {
            Ok(sample) => {
                let now = Instant::now();
                let between = |(before, at): &(Sample, Instant)| Rates::between(before, &sample, now - *at);
                let lines = page(&sample, &last.as_ref().map(between).unwrap_or_default());
                last = Some((sample, now));
                lines
            }
            Err(error) => {
                last = None;
                vec![unreachable_socket(options, &error), "Trying again; Ctrl-C ends.".to_owned()]
            }
        };
        print(&screen(&lines))?;
        thread::sleep(options.interval);
    }
}

/// Over what is there, each line and then the rest cleared, so that nothing flickers. A terminal shows
/// what fits: without line wrap and no more lines than it has.
fn screen(lines: &[String]) -> String {
    let (rows, columns) = terminal::size().unwrap_or((24, 80));
    let shown = lines.iter().take(rows).map(|line| line.chars().take(columns).collect::<String>() + "\x1b[K");
    format!("\x1b[H{}\x1b[J", shown.collect::<Vec<_>>().join("\r\n"))
}

fn unreachable_socket(options: &TopOptions, error: &io::Error) -> String {
    let address = &options.address;
    format!("{address}: {error}. Is it the 'stats socket' of a running process, and may you use it?")
}

fn print(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| error.to_string())
}
