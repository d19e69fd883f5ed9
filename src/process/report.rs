//! What the process says on standard error, in HAProxy's form: `[LEVEL]    (pid) : text`.

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::error::StartError;
use super::{stderr, version};
pub use crate::config::Severity;

/// `-q`, or standard error is gone.
static SILENT: AtomicBool = AtomicBool::new(false);
/// Whether the two NOTICE lines before the first warning or alert are out, or no longer wanted.
static INTRODUCED: AtomicBool = AtomicBool::new(false);
/// What was said at start, for those who ask later, and whether that is still going on.
static STARTUP: Mutex<(bool, String)> = Mutex::new((true, String::new()));
/// Most of it that is kept, bytes.
const LONGEST_LOG: usize = 65_536;

/// Says nothing from now on: `-q`, `quiet`, or standard error was given up by going to the background.
pub fn silence() {
    SILENT.store(true, Relaxed);
}

/// Start-up is over: what comes now is no longer introduced by version and path, and nobody waits for standard error.
pub fn started() {
    stderr::serve();
    INTRODUCED.store(true, Relaxed);
    if let Ok(mut startup) = STARTUP.lock() {
        startup.0 = false;
    }
}

/// What was said from the start until [`started`].
pub fn startup_log() -> String {
    STARTUP.lock().map(|startup| startup.1.clone()).unwrap_or_default()
}

/// Text for the introduction, without level and pid.
pub fn introduction() -> [String; 2] {
    let path =
        std::env::current_exe().map_or_else(|_| "unknown".to_owned(), |path| path.display().to_string());
    [format!("pronk version is {}", version::VERSION), format!("path to executable is {path}")]
}

/// An answer on standard output; a reader that has gone, as `head` does, is no error.
pub fn answer(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// Text on standard error in no particular form.
pub fn remark(text: &str) {
    stderr::say(text.as_bytes());
}

/// `[NOTICE]`.
pub fn notice(text: &str) {
    say(Severity::Notice, text);
}

/// `[WARNING]`.
pub fn warning(text: &str) {
    say(Severity::Warning, text);
}

/// `[ALERT]`.
pub fn alert(text: &str) {
    say(Severity::Alert, text);
}

/// An alert with a help line below.
pub fn alert_with_help(text: &str, help: &str) {
    say(Severity::Alert, text);
    if !help.is_empty() {
        print(&format!("  = help: {help}\n"));
    }
}

/// A refusal of the machine: the alert, then cause and remedy.
pub fn start_error(error: &StartError) {
    alert_with_help(&error.to_string(), &error.help());
}

/// The same as text.
pub fn start_error_text(error: &StartError) -> String {
    let help = error.help();
    let below = if help.is_empty() { String::new() } else { format!("  = help: {help}\n") };
    line(Severity::Alert, &error.to_string()) + &below
}

/// Finished text, such as the diagnostics of a configuration, which introduces itself.
pub fn raw(text: &str) {
    INTRODUCED.fetch_or(text.contains("[NOTICE]"), Relaxed);
    print(text);
}

/// Something that happened while running, which needs no introduction and is no part of the start, even if others
/// are still starting.
pub fn event(severity: Severity, text: &str) {
    to_stderr(&line(severity, text));
}

fn say(severity: Severity, text: &str) {
    if severity != Severity::Notice && !INTRODUCED.swap(true, Relaxed) {
        let [version, path] = introduction();
        print(&(line(Severity::Notice, &version) + &line(Severity::Notice, &path)));
    }
    print(&line(severity, text));
}

/// A message as [`event`] prints it.
pub fn line(severity: Severity, text: &str) -> String {
    format!("{severity:<10} ({}) : {text}\n", std::process::id())
}

fn print(text: &str) {
    if let Ok(mut startup) = STARTUP.lock()
        && startup.0
        && startup.1.len() + text.len() <= LONGEST_LOG
    {
        startup.1.push_str(text);
    }
    to_stderr(text);
}

fn to_stderr(text: &str) {
    if !SILENT.load(Relaxed) {
        stderr::say(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_padded_to_ten_columns() {
        let pid = std::process::id();
        assert_eq!(line(Severity::Notice, "a"), format!("[NOTICE]   ({pid}) : a\n"));
        assert_eq!(line(Severity::Warning, "a"), format!("[WARNING]  ({pid}) : a\n"));
        assert_eq!(line(Severity::Alert, "a"), format!("[ALERT]    ({pid}) : a\n"));
    }
}
