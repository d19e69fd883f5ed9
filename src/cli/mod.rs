//! HAProxy's command line: single-dash words that no getopt understands, so read by hand.

mod flags;
mod manual;
mod memory;
mod usage;
mod variables;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::config::dump::Style;
use crate::process::{Farewell, Invocation, Predecessors};
pub use flags::{FLAGS, Flag, Support, Takes};
pub use manual::manual;
pub use usage::usage;
pub use variables::VARIABLES;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Check or run a configuration.
    Start(Box<Invocation>),
    /// `-v`, `-vv`, `-vq`, `-vqs`, `-vqb`.
    Version(Version),
    /// `-cc EXPRESSION`.
    Condition(String),
    /// `-dMhelp`: this text.
    Answer(String),
    /// `pronk demo …`, with what follows the word.
    Demo(Vec<OsString>),
    /// `pronk top …`, with what follows the word.
    Top(Vec<OsString>),
    /// `pronk tune …`, with what follows the word.
    Tune(Vec<OsString>),
}

/// How much of the version is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `-v`
    Brief,
    /// `-vv`
    Full,
    /// `-vq`: the number alone.
    Number,
    /// `-vqs`: the number up to its first dash.
    Short,
    /// `-vqb`: the branch.
    Branch,
}

/// A command line that cannot be followed; the exit status is 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// Version and usage are shown after this line, empty when nothing was asked for.
    Usage(String),
    /// An option that is known but not available: what, and what to do instead.
    Refused {
        /// The alert.
        text: String,
        /// The help line.
        instead: String,
    },
}

/// Reads the arguments after the program's name.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Action, Mistake> {
    let mut words: Words = arguments.into_iter().collect::<Vec<_>>().into_iter().peekable();
    if words.next_if(|word| word == "demo").is_some() {
        return Ok(Action::Demo(words.collect()));
    }
    if words.next_if(|word| word == "top").is_some() {
        return Ok(Action::Top(words.collect()));
    }
    if words.next_if(|word| word == "tune").is_some() {
        return Ok(Action::Tune(words.collect()));
    }
    let mut invocation = Invocation::default();
    while let Some(word) = words.next() {
        if word == "--" {
            invocation.files.extend(words.by_ref().map(PathBuf::from));
        } else if let Some(action) = option(&word, &mut words, &mut invocation)? {
            return Ok(action);
        }
    }
    match invocation.files.is_empty() {
        true => Err(Mistake::Usage(String::new())),
        false => Ok(Action::Start(Box::new(invocation))),
    }
}

type Words = std::iter::Peekable<std::vec::IntoIter<OsString>>;

/// Follows one option; Some when it decides everything.
fn option(word: &OsStr, words: &mut Words, invocation: &mut Invocation) -> Result<Option<Action>, Mistake> {
    let text = word.to_string_lossy();
    let (flag, suffix) = flags::find(&text).ok_or_else(|| unknown(&text))?;
    if suffix.is_some() && flag.takes != Takes::Suffix {
        return Err(unknown(&text));
    }
    let values = values(flag, words)?;
    match flag.support {
        Support::Ignored(_) if flag.name == "-dM" => memory::read(suffix.unwrap_or_default()),
        Support::Ignored(_) => Ok(None),
        Support::Refused(instead) => Err(Mistake::Refused {
            text: format!("option '{}' is not available in this version of Pronk.", flag.name),
            instead: instead.to_owned(),
        }),
        Support::Honoured if flag.takes == Takes::Suffix => {
            dump(flag.name, suffix.unwrap_or_default(), invocation).map(|()| None)
        }
        Support::Honoured if flag.takes == Takes::Pids => {
            invocation.predecessors = predecessors(flag.name, &values)?;
            Ok(None)
        }
        Support::Honoured => honour(flag.name, values.into_iter().next(), invocation),
    }
}

/// `-dK` and `-dC` with what is joined to them.
fn dump(name: &str, suffix: &str, invocation: &mut Invocation) -> Result<(), Mistake> {
    if name == "-dK" {
        invocation.dumps.keywords = Some(suffix.to_owned());
        return Ok(());
    }
    let style = Style::parse(suffix).ok_or_else(|| {
        Mistake::Usage(format!("option '-dC' takes a number and ',line', as in -dC7,line, not '{suffix}'"))
    })?;
    invocation.dumps.config = Some(style);
    Ok(())
}

/// A word may hold several pids, as `-sf "$(pidof haproxy)"` makes it.
fn predecessors(name: &str, words: &[OsString]) -> Result<Predecessors, Mistake> {
    let farewell = if name == "-sf" { Farewell::Finish } else { Farewell::Terminate };
    let mut pids = Vec::new();
    for word in words.iter().map(|word| word.to_string_lossy()) {
        for pid in word.split_whitespace() {
            let pid = pid.parse().ok().filter(|&pid| pid > 0);
            pids.push(pid.ok_or_else(|| Mistake::Refused {
                text: format!("option '{name}': '{word}' is no list of process numbers."),
                instead:
                    "give the numbers of the processes to replace, as 'pidof haproxy' prints them".to_owned(),
            })?);
        }
    }
    Ok(if pids.is_empty() {
        Predecessors::default()
    } else {
        Predecessors { pids, farewell, dismissed: Vec::new() }
    })
}

fn unknown(text: &str) -> Mistake {
    if !text.starts_with('-') {
        return Mistake::Usage(format!("unexpected word '{text}': configuration files follow -f or --"));
    }
    match flags::nearest(text) {
        Some(name) => Mistake::Usage(format!("unknown option '{text}', did you mean '{name}'?")),
        None => Mistake::Usage(format!("unknown option '{text}'")),
    }
}

/// The words that belong to an option.
fn values(flag: &Flag, words: &mut Words) -> Result<Vec<OsString>, Mistake> {
    match flag.takes {
        Takes::Nothing | Takes::Suffix => Ok(Vec::new()),
        Takes::Value(what) => match words.next() {
            Some(value) => Ok(vec![value]),
            None => Err(Mistake::Usage(format!("option '{}' needs a value: {what}", flag.name))),
        },
        Takes::Pids => {
            let mut pids = Vec::new();
            while let Some(pid) = words.next_if(|word| !word.as_encoded_bytes().starts_with(b"-")) {
                pids.push(pid);
            }
            Ok(pids)
        }
    }
}

fn honour(name: &str, value: Option<OsString>, to: &mut Invocation) -> Result<Option<Action>, Mistake> {
    let value = value.unwrap_or_default();
    match name {
        "-f" => to.files.push(PathBuf::from(value)),
        "-c" => to.check = true,
        "-cc" => return Ok(Some(Action::Condition(text(value)))),
        "-V" => (to.verbose, to.quiet) = (true, false),
        "-q" => to.quiet = !to.verbose,
        "-D" => to.daemon = true,
        "-W" => to.master = true,
        "-Ws" => (to.master, to.systemd) = (true, true),
        "-S" => to.master_sockets.push(text(value)),
        "-db" => to.foreground = true,
        "-d" => (to.foreground, to.debug) = (true, true),
        "-p" => to.pidfile = Some(PathBuf::from(value)),
        "-n" => to.maxconn = Some(number(name, &value)?),
        "-N" => to.proxy_maxconn = Some(number(name, &value)?),
        "-C" => to.directory = Some(PathBuf::from(value)),
        "-L" => to.local_peer = Some(text(value)),
        "-m" => to.memory_mb = Some(u64::from(number(name, &value)?)),
        "-x" => to.take_over = (value != "/dev/null").then(|| PathBuf::from(value)),
        "-dD" => to.diagnostics = true,
        "-dW" => to.zero_warning = true,
        "-dL" => to.dumps.libraries = true,
        "-dc" => to.dumps.cpus = true,
        "-dr" => to.skip_unresolved = true,
        "-dS" => to.no_splice = true,
        "-dR" => to.no_reuseport = true,
        "-4" => to.ipv4_first = true,
        other => return Ok(version(other)),
    }
    Ok(None)
}

fn version(name: &str) -> Option<Action> {
    let version = match name {
        "-v" => Version::Brief,
        "-vv" => Version::Full,
        "-vq" => Version::Number,
        "-vqs" => Version::Short,
        "-vqb" => Version::Branch,
        _ => return None,
    };
    Some(Action::Version(version))
}

fn text(value: OsString) -> String {
    value.to_string_lossy().into_owned()
}

fn number(name: &str, value: &OsStr) -> Result<u32, Mistake> {
    let text = value.to_string_lossy();
    text.parse().map_err(|_| {
        Mistake::Usage(format!("option '{name}' needs a whole number from 0 to 4294967295, not '{text}'"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Action, Mistake> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn started(line: &str) -> Invocation {
        match read(line) {
            Ok(Action::Start(invocation)) => *invocation,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn problem(line: &str) -> String {
        match read(line) {
            Err(Mistake::Usage(text)) => text,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn files_keep_their_order() {
        let files = started("-f a -f b -- -c d").files;
        assert_eq!(files, ["a", "b", "-c", "d"].map(PathBuf::from));
    }

    #[test]
    fn init_scripts_are_understood() {
        let got = started("-f h.cfg -D -p /run/h.pid -q -sf");
        assert!(got.daemon && got.quiet && !got.check);
        assert_eq!(got.pidfile, Some(PathBuf::from("/run/h.pid")));
        assert!(started("-c -V -f x -dW -dD -n 10 -N 5 -m 64 -L me -C /tmp").verbose);
    }

    #[test]
    fn verbose_undoes_quiet_wherever_it_stands() {
        for line in ["-q -V -f x", "-V -q -f x"] {
            let invocation = started(line);
            assert!(invocation.verbose && !invocation.quiet, "{line}");
        }
    }

    #[test]
    fn versions_win_at_once() {
        assert_eq!(read("-v -zz"), Ok(Action::Version(Version::Brief)));
        assert_eq!(read("-vv"), Ok(Action::Version(Version::Full)));
        assert_eq!(read("-vqb"), Ok(Action::Version(Version::Branch)));
    }

    #[test]
    fn demo_keeps_its_own_arguments() {
        let expected = ["--port-hs2", "0"].map(OsString::from).to_vec();
        assert_eq!(read("demo --port-hs2 0"), Ok(Action::Demo(expected)));
    }

    #[test]
    fn top_keeps_its_own_arguments() {
        let expected = ["--once", "x"].map(OsString::from).to_vec();
        assert_eq!(read("top --once x"), Ok(Action::Top(expected)));
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(problem(""), "");
        assert_eq!(problem("-c"), "");
        assert_eq!(problem("-f"), "option '-f' needs a value: FILE");
        assert!(problem("-n many -f x").contains("not 'many'"));
        assert!(problem("h.cfg").contains("follow -f"));
        assert_eq!(problem("-dw -f x"), "unknown option '-dw', did you mean '-dW'?");
        assert_eq!(problem("--frobnicate"), "unknown option '--frobnicate'");
    }

    #[test]
    fn what_is_not_built_is_refused_by_name() {
        for (line, option) in [("-dA -f x", "'-dA'"), ("-dAfile -f x", "'-dA'"), ("-dt -f x", "'-dt'")] {
            match read(line) {
                Err(Mistake::Refused { text, instead }) => {
                    assert!(text.contains(option), "{text}");
                    assert!(!instead.is_empty());
                }
                other => panic!("{line}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_would_do_nothing_is_accepted() {
        assert_eq!(started("-sf -st -x /dev/null -f x"), started("-f x"));
        assert_eq!(started("-dM0x55 -de -dp -dV -dZ -f x"), started("-f x"));
    }

    #[test]
    fn dumps_take_what_is_joined_to_them() {
        let dumps = started("-dKcfg,cli -dC7,line -dL -dc -f x").dumps;
        assert_eq!(dumps.keywords.as_deref(), Some("cfg,cli"));
        assert_eq!(dumps.config, Some(Style { key: 7, numbers: true }));
        assert!(dumps.libraries && dumps.cpus);
        assert!(problem("-dCx -f x").contains("not 'x'"));
    }

    #[test]
    fn who_is_replaced_is_listed_up_to_the_next_option() {
        let old = |line: &str| started(line).predecessors;
        assert_eq!(old("-sf 1 2 -f x").pids, [1, 2]);
        assert_eq!(old("-f x -st 3").farewell, Farewell::Terminate);
        let joined = ["-f", "x", "-sf", "4 5"].map(OsString::from);
        assert!(matches!(parse(joined), Ok(Action::Start(start)) if start.predecessors.pids == [4, 5]));
        assert!(matches!(read("-f x -sf 1x"), Err(Mistake::Refused { .. })));
        assert_eq!(started("-x /run/h.sock -f x").take_over, Some("/run/h.sock".into()));
    }

    #[test]
    fn every_row_is_reachable_and_said_once() {
        for flag in FLAGS {
            assert_eq!(FLAGS.iter().filter(|other| other.name == flag.name).count(), 1, "{}", flag.name);
            assert_eq!(flags::find(flag.name).map(|(found, _)| found.name), Some(flag.name));
            assert!(usage().contains(flag.name), "{}", flag.name);
        }
        for (name, _) in VARIABLES {
            assert!(usage().contains(&format!("        {name} ")), "{name}");
        }
    }

    #[test]
    fn every_honoured_row_changes_something() {
        for flag in FLAGS.iter().filter(|flag| flag.support == Support::Honoured) {
            let value = if matches!(flag.takes, Takes::Value(_) | Takes::Pids) { " 7" } else { "" };
            let line = format!("{}{value} -f base", flag.name);
            assert_ne!(read(&line), read("-f base"), "{}", flag.name);
        }
    }
}
