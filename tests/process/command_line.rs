//! Options, messages and exit statuses before anything runs.

use std::fs;

use crate::run::{DEFAULTS, finish, pronk, written};
use crate::support::port::Port;
use crate::support::proxy::Program;

#[test]
fn version_has_the_shape_tools_grep() {
    let run = pronk(["-v"]);
    assert_eq!(run.code(), 0);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(
        lines[0].starts_with("HAProxy version 3.5-dev5-pronk") && lines[0].contains(" - Pronk "),
        "{}",
        lines[0]
    );
    assert!(lines[1].starts_with("Status: ") && lines[2].starts_with("Known bugs: "));
    assert!(lines[3].starts_with("Running on: Linux "));
    assert_eq!(pronk(["-vqb"]).stdout, "3.5\n");
}

#[test]
fn full_version_lists_the_keywords() {
    let run = pronk(["-vv"]);
    assert_eq!(run.code(), 0);
    for text in
        ["Build options :", "TARGET  =", "Feature list : ", " +THREAD ", "+ frontend", "connect-on-data"]
    {
        assert!(run.stdout.contains(text), "{text}");
    }
}

#[test]
fn unknown_options_show_version_and_usage() {
    for arguments in [&["-zz"][..], &[], &["-c"], &["-f"], &["h.cfg"]] {
        let run = pronk(arguments);
        assert_eq!(run.code(), 1, "{arguments:?}");
        assert!(run.stdout.starts_with("HAProxy version ") && run.stdout.lines().count() == 4);
        assert!(run.stderr.contains("Usage : "), "{arguments:?}");
    }
    assert!(pronk(["-dw", "-f", "x"]).stderr.contains("did you mean '-dW'"));
}

#[test]
fn what_is_not_built_is_refused_by_name() {
    let run = pronk(["-dA", "-f", "/dev/null"]);
    assert_eq!(run.code(), 1);
    assert!(run.stderr.contains("[ALERT]") && run.stderr.contains("'-dA' is not available"));
    assert!(run.stderr.contains("= help: "));
}

#[test]
fn a_valid_file_is_checked_in_silence() {
    let port = Port::reserve();
    let file = written(&format!("{DEFAULTS}listen x\n  bind 127.0.0.1:{}\n", port.number)).file;
    let quiet = pronk(["-c".as_ref(), "-f".as_ref(), file.as_os_str()]);
    assert_eq!((quiet.code(), quiet.stdout.as_str()), (1, ""), "the file is gone with its directory");
    let kept = written(&format!("{DEFAULTS}listen x\n  bind 127.0.0.1:{}\n", port.number));
    let silent = pronk(["-c".as_ref(), "-f".as_ref(), kept.file.as_os_str()]);
    assert_eq!((silent.code(), silent.stdout.as_str(), silent.stderr.as_str()), (0, "", ""));
    let verbose = pronk(["-c".as_ref(), "-V".as_ref(), "-f".as_ref(), kept.file.as_os_str()]);
    assert_eq!((verbose.code(), verbose.stdout.as_str()), (0, "Configuration file is valid\n"));
    let both = pronk(["-c".as_ref(), "-V".as_ref(), "-q".as_ref(), "-f".as_ref(), kept.file.as_os_str()]);
    assert_eq!((both.code(), both.stdout.as_str()), (0, "Configuration file is valid\n"));
    let console = |address: &str| {
        pronk([
            "-Ws".as_ref(),
            "-c".as_ref(),
            "-f".as_ref(),
            kept.file.as_os_str(),
            "-S".as_ref(),
            address.as_ref(),
        ])
    };
    assert_eq!((console("unix@m.sock,mode,600").code(), console("127.0.0.1:9").code()), (0, 0));
    let wrong = console("127.0.0.1:99999");
    assert!(wrong.code() == 1 && wrong.stderr.contains("invalid port '99999'"), "{}", wrong.stderr);
}

#[test]
fn warnings_are_told_and_fatal_only_when_asked() {
    let kept = written("listen x\n  mode tcp\n  bind 127.0.0.1:9\n");
    let warned = pronk(["-c".as_ref(), "-f".as_ref(), kept.file.as_os_str()]);
    assert_eq!((warned.code(), warned.stdout.as_str()), (0, "Warnings were found.\n"));
    let messages = warned.messages();
    assert!(messages[0].starts_with("[NOTICE]   (P) : pronk version is "), "{messages:?}");
    assert!(messages[1].starts_with("[NOTICE]   (P) : path to executable is "));
    assert!(messages[2].starts_with("[WARNING]  (P) : config : missing timeouts for proxy 'x'."));
    let strict = written("global\n  zero-warning\nlisten x\n  mode tcp\n  bind 127.0.0.1:9\n");
    for fatal in [
        pronk(["-c".as_ref(), "-dW".as_ref(), "-f".as_ref(), kept.file.as_os_str()]),
        pronk(["-dW".as_ref(), "-f".as_ref(), kept.file.as_os_str()]),
        pronk(["-c".as_ref(), "-f".as_ref(), strict.file.as_os_str()]),
    ] {
        assert_eq!((fatal.code(), fatal.stdout.as_str()), (1, ""));
        let last = fatal.messages().pop();
        let expected = "[ALERT]    (P) : Some warnings were found and 'zero-warning' is set. Aborting.";
        assert_eq!(last.as_deref(), Some(expected));
    }
    let silenced = pronk(["-q".as_ref(), "-c".as_ref(), "-f".as_ref(), kept.file.as_os_str()]);
    assert_eq!((silenced.code(), silenced.stdout, silenced.stderr), (0, String::new(), String::new()));
}

#[test]
fn advice_is_shown_when_asked_for_and_never_counts() {
    let kept = written(&format!(
        "global\n  zero-warning\n{DEFAULTS}listen x\n  bind 127.0.0.1:9\n  server s1 127.0.0.1:22000\n"
    ));
    let silent = pronk(["-c".as_ref(), "-dW".as_ref(), "-f".as_ref(), kept.file.as_os_str()]);
    assert_eq!((silent.code(), silent.stdout.as_str(), silent.stderr.as_str()), (0, "", ""));
    let told = pronk(["-c".as_ref(), "-dD".as_ref(), "-dW".as_ref(), "-f".as_ref(), kept.file.as_os_str()]);
    assert_eq!((told.code(), told.stdout.as_str()), (0, ""));
    let messages = told.messages();
    for text in ["port 22000 is one of", "has no 'check'", "'timeout client' of", "'timeout server' of"] {
        let line =
            |line: &&String| line.starts_with("[DIAG]     (P) : config : parsing [") && line.contains(text);
        assert_eq!(messages.iter().filter(line).count(), 1, "{text}: {messages:?}");
    }
    let reasons = messages.iter().filter(|line| line.trim_start().starts_with("= help: ")).count();
    assert_eq!(reasons, 4, "{messages:?}");
    assert!(!told.stderr.contains("[WARNING]") && !told.stderr.contains("[ALERT]"), "{}", told.stderr);
}

#[test]
fn every_error_is_shown_with_its_line() {
    let kept = written("listen x\n  bind :\n  frobnicate 3\n");
    let name = kept.file.display().to_string();
    let run = pronk(["-c", "-f", &name]);
    assert_eq!(run.code(), 1);
    let alerts: Vec<String> =
        run.messages().into_iter().filter(|line| line.starts_with("[ALERT]    (P) : config : ")).collect();
    assert!(alerts[0].contains(&format!("parsing [{name}:2] : ")), "{alerts:?}");
    assert!(alerts[1].contains(&format!("parsing [{name}:3] : unknown keyword 'frobnicate'")), "{alerts:?}");
    assert!(alerts[2].contains(&format!("Error(s) found in configuration file : {name}")), "{alerts:?}");
    assert_eq!(alerts[3], "[ALERT]    (P) : config : Fatal errors found in configuration.");
}

#[test]
fn a_bad_file_reads_as_in_haproxy() {
    let Some(haproxy) = Program::installed_haproxy() else {
        return eprintln!("skipped: no haproxy is installed to compare with");
    };
    let kept = written("global\n  nosuch 1\nlisten x\n  bind 127.0.0.1:9\n  foo\n");
    let alerts = |program: &Program| -> (i32, Vec<String>) {
        let run = finish(program, ["-c".as_ref(), "-f".as_ref(), kept.file.as_os_str()]);
        (run.code(), run.messages().into_iter().filter(|line| line.starts_with("[ALERT]")).collect())
    };
    let (ours, theirs) = (alerts(&Program::Pronk), alerts(&haproxy));
    assert_eq!(ours.0, theirs.0);
    assert_eq!(ours.1.len(), theirs.1.len(), "{:?} {:?}", ours.1, theirs.1);
    for (ours, theirs) in ours.1.iter().zip(&theirs.1) {
        assert!(ours.starts_with(theirs.trim_end_matches('.')), "{ours}\n{theirs}");
    }
}

#[test]
fn a_configuration_is_shown_as_read_and_nothing_runs() {
    let kept = written("# c\nlisten x # c\n  bind 127.0.0.1:9\n.if 0\n  foo\n.endif\n");
    let shown = pronk(["-dC,line".as_ref(), "-f".as_ref(), kept.file.as_os_str()]);
    assert_eq!((shown.code(), shown.stdout.as_str()), (0, "2     listen x\n3     \tbind 127.0.0.1:9\n"));
    let hashed = pronk(["-dC7".as_ref(), "-f".as_ref(), kept.file.as_os_str()]);
    assert!(hashed.code() == 0 && !hashed.stdout.contains("127.0.0.1") && hashed.stdout.contains(":9\n"));
    let bad = written("listen x\n  foo\n");
    let shown = pronk(["-dC".as_ref(), "-f".as_ref(), bad.file.as_os_str()]);
    assert_eq!((shown.code(), shown.stdout.as_str()), (1, "listen x\n\tfoo\n"));
}

#[test]
fn cpus_are_listed_with_their_workers() {
    let kept = written("global\n  nbthread 1\nlisten x\n  bind 127.0.0.1:9\n");
    let listed = pronk(["-dc".as_ref(), "-c".as_ref(), "-f".as_ref(), kept.file.as_os_str()]);
    assert_eq!(listed.code(), 0);
    assert!(
        listed.stdout.starts_with("CPUs here: ") && listed.stdout.contains("; workers: 1\n"),
        "{}",
        listed.stdout
    );
}

#[test]
fn an_unreadable_file_is_named() {
    let run = pronk(["-c", "-f", "/nonexistent/h.cfg"]);
    assert_eq!(run.code(), 1);
    let expected = "[ALERT]    (P) : config : Cannot open configuration file/directory /nonexistent/h.cfg : No such file or directory";
    assert!(run.messages().iter().any(|line| line == expected), "{}", run.stderr);
    let moved = pronk(["-C", "/nonexistent", "-f", "h.cfg"]);
    assert_eq!(moved.code(), 1);
    assert!(moved.stderr.contains("Could not change to directory /nonexistent : No such file or directory"));
}

#[test]
fn a_directory_is_its_cfg_files() {
    let directory = tempfile::tempdir().expect("a directory");
    let empty = pronk(["-c".as_ref(), "-f".as_ref(), directory.path().as_os_str()]);
    assert_eq!(empty.code(), 1);
    fs::write(directory.path().join("b.cfg"), "listen x\n  bind 127.0.0.1:9\n").expect("written");
    fs::write(directory.path().join("a.cfg"), DEFAULTS).expect("written");
    fs::write(directory.path().join(".c.cfg"), "nonsense").expect("written");
    let both = pronk(["-c".as_ref(), "-f".as_ref(), directory.path().as_os_str()]);
    assert_eq!((both.code(), both.stderr.as_str()), (0, ""));
}

#[test]
fn an_empty_configuration_is_valid_but_does_not_run() {
    assert_eq!(pronk(["-c", "-f", "/dev/null"]).code(), 0);
    let run = pronk(["-f", "/dev/null"]);
    assert_eq!(run.code(), 1);
    let expected = "[ALERT]    (P) : [haproxy.main()] No enabled listener found (check for 'bind' directives) ! Exiting.";
    assert!(run.messages().iter().any(|line| line == expected), "{}", run.stderr);
}

#[test]
fn conditions_answer_with_the_status() {
    assert_eq!(pronk(["-cc", "version_atleast(2.0)"]).code(), 0);
    assert_eq!(pronk(["-cc", "version_before(2.0)"]).code(), 1);
    let wrong = pronk(["-cc", "nonsense("]);
    assert_eq!(wrong.code(), 2);
    assert!(wrong.stderr.starts_with("[NOTICE]") && wrong.stderr.contains("[ALERT]"));
}

#[test]
fn a_limit_that_cannot_be_met_stops_the_start() {
    let config = |more: &str| {
        format!("global\n  maxconn 2000000000\n{more}\n{DEFAULTS}listen x\n  bind 127.0.0.1:9\n")
    };
    let strict = written(&config(""));
    let run = pronk(["-f".as_ref(), strict.file.as_os_str()]);
    assert_eq!(run.code(), 1);
    assert!(
        run.stderr.contains("Cannot raise FD limit to 40000000") && run.stderr.contains("= help: "),
        "{}",
        run.stderr
    );
}
