//! Golden configurations: what is said about each file of `tests/config` stands beside it as `.stderr`.
//!
//! `accept` loads, `reject` does not. Files in a folder `haproxy` must be judged alike by the
//! installed haproxy: the rejected ones at the same file and line. `BLESS=1` rewrites the `.stderr` files.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;

use pronk::config::diagnostic::{Banner, Diagnostic, Form, Severity, render};
use pronk::config::model::Config;
use pronk::config::{Environment, Source, Supplies, Wants, parse, wants};

#[path = "config/language.rs"]
mod language;
#[path = "config/recommended.rs"]
mod recommended;

/// Every variable that a golden configuration may expand.
const VARIABLES: &[(&str, &str)] =
    &[("HOST", "127.0.0.1"), ("PORT", "21050"), ("EMPTY", ""), ("ADDRESSES", "127.0.0.1:21050 name here")];

/// The `.cfg` files of a folder below `tests/config`, in order of name.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "cfg"));
    files.sort();
    assert!(!files.is_empty(), "no .cfg file in {}", folder.display());
    files
}

/// Addresses for every host name but those that end in `.invalid`, ids for all users and groups but `nosuch`.
fn supply(wants: Wants) -> Supplies {
    let mut supplies = Supplies::default();
    for host in wants.hosts {
        let known = !host.name.ends_with(".invalid");
        let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        supplies.hosts.add(host, known.then_some(address).ok_or("Name or service not known".to_owned()));
    }
    let id = |name: &str| match name {
        "nosuch" => Err("0:Success".to_owned()),
        "root" => Ok(0),
        _ => Ok(99),
    };
    for name in wants.users {
        let answer = id(&name);
        supplies.users.add(name, answer);
    }
    for name in wants.groups {
        let answer = id(&name);
        supplies.groups.add(name, answer);
    }
    supplies
}

/// Parses a file under its bare name, as if run in its own folder.
fn load(path: &Path) -> (Option<Config>, Vec<Diagnostic>) {
    let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut environment: Environment = VARIABLES.iter().copied().collect();
    environment.predefine(&[&name], "gateway", false);
    let sources = [Source { name, text }];
    let supplies = supply(wants(&sources, &environment, &Supplies::default()));
    parse(&sources, &environment, &supplies)
}

/// Compares what was said with the `.stderr` beside the file, or writes it under `BLESS`.
fn differs(path: &Path, diagnostics: &[Diagnostic]) -> Option<String> {
    let notices = ["pronk version is VERSION".to_owned(), "path to executable is PATH".to_owned()];
    let banner = Banner { pid: 1, notices: &notices, show_diag: true };
    let said = render(diagnostics, &banner);
    let golden = path.with_extension("stderr");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&golden, &said).expect("a writable tree under BLESS");
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    (said != expected)
        .then(|| format!("--- {} says\n{said}--- but {} holds\n{expected}", path.display(), golden.display()))
}

/// Judges every file of the folders and fails with everything that is wrong at once.
fn judge(folders: &[&str], accepted: bool) {
    let mut failures = Vec::new();
    for path in folders.iter().flat_map(|folder| files(folder)) {
        let (config, diagnostics) = load(&path);
        failures.extend(differs(&path, &diagnostics));
        let alert = diagnostics.iter().any(|d| d.severity == Severity::Alert);
        if config.is_some() != accepted || alert == accepted {
            failures.push(format!("{}: loaded: {}, an alert: {alert}", path.display(), config.is_some()));
        }
    }
    assert!(failures.is_empty(), "{}\n(BLESS=1 accepts the texts)", failures.join("\n"));
}

#[test]
fn accepted_configurations_load_and_say_what_they_said() {
    judge(&["accept", "accept/haproxy"], true);
}

#[test]
fn rejected_configurations_say_every_error() {
    judge(&["reject", "reject/haproxy"], false);
}

/// Every message of a rejected file names a cause and a remedy.
#[test]
fn every_alert_has_help() {
    for path in ["reject", "reject/haproxy"].iter().flat_map(|folder| files(folder)) {
        for diagnostic in load(&path).1 {
            let own_words = diagnostic.form == Form::ParsingTight && diagnostic.text.starts_with('\'');
            let placed = diagnostic.severity == Severity::Alert && diagnostic.excerpt.is_some();
            let text = diagnostic.headline();
            assert!(!placed || own_words || diagnostic.help.is_some(), "{}: {text}", path.display());
        }
    }
}

/// What the installed haproxy says about a file: its exit status and its messages. None: not installed.
fn haproxy(path: &Path) -> Option<(i32, String)> {
    let name = path.file_name().expect("a file has a name").to_string_lossy();
    haproxy_in(path.parent().expect("a file lies in a folder"), &name, VARIABLES)
}

/// The same for a file of a folder, with nothing but these variables.
fn haproxy_in(folder: &Path, name: &str, variables: &[(&str, &str)]) -> Option<(i32, String)> {
    let mut command = Command::new("haproxy");
    command.args(["-c", "-f", name]).current_dir(folder).env_clear();
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").envs(variables.iter().copied());
    match command.output() {
        Ok(output) => Some((output.status.code()?, String::from_utf8_lossy(&output.stderr).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => panic!("haproxy cannot be run: {error}"),
    }
}

/// Prints that the comparison is left out, once a test.
fn skipped() {
    println!("SKIPPED: haproxy is not installed (apt-get install haproxy), nothing was compared with it");
}

/// The first alert that names a line of the file: the line, and what is said about it.
fn first_alert(messages: &str, file: &str) -> Option<(u32, String)> {
    let place = format!("[{file}:");
    let alert = |line: &str| {
        let (head, rest) = line.split_once(&place)?;
        let (number, text) = rest.split_once(']')?;
        head.starts_with("[ALERT]").then_some(())?;
        Some((number.parse().ok()?, text.to_owned()))
    };
    messages.lines().find_map(alert)
}

/// Where the words differ from those of haproxy 2.6, and why.
const OTHER_WORDS: &[(&str, &str)] = &[
    ("balance-name.cfg", "the list of algorithms stands in the help"),
    ("contimeout.cfg", "one text for all removed keywords, the replacement stands in the help"),
    ("bind-id-twice.cfg", "a listener never meets itself"),
    ("id-twice.cfg", "a proxy never meets itself"),
    ("nbproc.cfg", "the same"),
    ("nul.cfg", "2.6 reports a missing line feed; later versions the NUL"),
    ("stats-socket.cfg", "the list is that of the keyword table"),
    ("time-name.cfg", "the list is that of the keyword table"),
];

#[test]
fn haproxy_rejects_the_same_line_in_the_same_words() {
    let mut failures = Vec::new();
    for path in files("reject/haproxy") {
        let Some((status, messages)) = haproxy(&path) else { return skipped() };
        let file = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        let banner = Banner { pid: 1, notices: &[], show_diag: false };
        let (theirs, ours) =
            (first_alert(&messages, &file), first_alert(&render(&load(&path).1, &banner), &file));
        let line = |alert: &Option<(u32, String)>| alert.as_ref().map(|(line, _)| *line);
        let other_words = OTHER_WORDS.iter().any(|(known, _)| *known == file);
        if status == 0 || theirs.is_none() || line(&theirs) != line(&ours) || (theirs == ours) == other_words
        {
            failures.push(format!("{file}: status {status}\n  ours   {ours:?}\n  theirs {theirs:?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The alerts and warnings among messages, without level and pid, in order of text.
fn complaints(messages: &str) -> [Vec<&str>; 2] {
    ["[ALERT]", "[WARNING]"].map(|level| {
        let lines = messages.lines().filter(|line| line.starts_with(level));
        let mut complaints: Vec<&str> = lines.filter_map(|line| Some(line.split_once(") : ")?.1)).collect();
        complaints.sort_unstable();
        complaints
    })
}

/// Where the warnings differ from those of haproxy 2.6, and why.
const OTHER_WARNINGS: &[(&str, &str)] =
    &[("other-sections.cfg", "2.6 finds the mailers section incomplete; its lines are not read here")];

#[test]
fn haproxy_accepts_the_same_files_with_the_same_warnings() {
    let mut failures = Vec::new();
    for path in files("accept/haproxy") {
        let Some((status, messages)) = haproxy(&path) else { return skipped() };
        let file = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        let without_listener = 2;
        if status != 0 && status != without_listener {
            failures.push(format!("{file}: status {status}\n{messages}"));
        }
        let said = render(&load(&path).1, &Banner { pid: 1, notices: &[], show_diag: false });
        let (ours, theirs) = (complaints(&said), complaints(&messages));
        let other_warnings = OTHER_WARNINGS.iter().any(|(known, _)| *known == file);
        if (ours == theirs) == other_warnings {
            failures.push(format!("{file}:\n  ours   {ours:?}\n  theirs {theirs:?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A file cut anywhere is parsed to its end: it loads or it says why not.
#[test]
fn every_cut_of_a_file_is_judged() {
    let environment: Environment = VARIABLES.iter().copied().collect();
    for path in ["accept", "accept/haproxy"].iter().flat_map(|folder| files(folder)) {
        let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for end in (0..text.len()).step_by(41) {
            let cut = Source { name: "cut.cfg".to_owned(), text: text[..end].to_vec() };
            let (config, diagnostics) = parse(&[cut], &environment, &Supplies::default());
            let alert = diagnostics.iter().any(|d| d.severity == Severity::Alert);
            assert_eq!(config.is_none(), alert, "{} cut at {end}", path.display());
        }
    }
}
