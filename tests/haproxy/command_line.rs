//! Command lines and conditions judged by haproxy and by Pronk: the exit status, and what is said.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::installed;
use crate::support::proxy::Program;
use crate::support::{PATIENCE, wait_for};

const GOOD: &str = "defaults\n  mode tcp\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n\
                    listen x\n  bind 127.0.0.1:9\n  server s1 127.0.0.1:9\n";
const WARNED: &str = "listen x\n  mode tcp\n  bind 127.0.0.1:9\n  server s1 127.0.0.1:9\n";
const BAD: &str = "global\n  nosuch 1\nlisten x\n  bind 127.0.0.1:9\n  foo\n";

/// A server by a name that nobody has (RFC 6761), and one that nobody asks for.
const NAMED: &str = "  server s2 nosuch.invalid:9\n";
const LATER_NAMED: &str = "  server s2 nosuch.invalid:9 init-addr last,none\n";

/// What one run came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    pub status: Option<i32>,
    /// `[ALERT]` and `[WARNING]` lines without pid and final dot.
    pub said: Vec<String>,
    /// Whether the usage text was shown.
    usage: bool,
}

/// Runs to the end in a directory with `good.cfg`, `warned.cfg`, `bad.cfg`, `empty.cfg`, `named.cfg`, `later.cfg`
/// and the folder `dir`.
fn run(program: &Program, arguments: &[&str]) -> (Run, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    for (name, text) in [("good", GOOD), ("warned", WARNED), ("bad", BAD), ("empty", "")] {
        fs::write(at.join(name).with_extension("cfg"), text).expect("written");
    }
    for (name, server) in [("named", NAMED), ("later", LATER_NAMED)] {
        fs::write(at.join(name).with_extension("cfg"), format!("{GOOD}{server}")).expect("written");
    }
    fs::create_dir(at.join("dir")).expect("created");
    for (name, text) in
        [("2.cfg", "listen y\n  bind 127.0.0.1:9\n"), ("1.cfg", GOOD), (".3.cfg", BAD), ("4.txt", BAD)]
    {
        fs::write(at.join("dir").join(name), text).expect("written");
    }
    let mut command = Command::new(program.path());
    command.args(arguments.iter().map(OsString::from)).current_dir(at).env_clear();
    command.env("HOME", "/root").env("PATH", "/usr/bin:/bin").env("EMPTY", "");
    end(command, at)
}

/// Runs a command to its end; `out` and `err` of that directory hold what it said.
pub fn end(mut command: Command, at: &Path) -> (Run, String) {
    let file = |name: &str| fs::File::create(at.join(name)).expect("a file");
    command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
    let mut child = command.spawn().expect("the program starts");
    let status = wait_for(PATIENCE, || child.try_wait().expect("a child can be waited for"));
    if status.is_none() {
        child.kill().expect("a child can be killed");
        child.wait().expect("a child can be waited for");
    }
    let text = |name: &str| String::from_utf8_lossy(&fs::read(at.join(name)).expect("readable")).into_owned();
    let (out, err) = (text("out"), text("err"));
    let said = err.lines().filter_map(message).collect();
    (Run { status: status.and_then(|status| status.code()), said, usage: err.contains("Usage : ") }, out)
}

fn message(line: &str) -> Option<String> {
    let level = ["[ALERT]", "[WARNING]"].into_iter().find(|level| line.starts_with(level))?;
    let (_, text) = line.split_once(") : ")?;
    Some(format!("{level} {}", text.trim_end_matches('.')))
}

/// Why the two may differ, where they do.
type Why = Option<&'static str>;

const SAME: Why = None;
const JOINED: Why = Some("2.6 passes over what is joined to an option, even where that was meant as another");
const NUMBERS: Why = Some("2.6 takes what is no number for 0");
const NOTHING: Why = Some("2.6 says 'failed to copy argv' where the usage text is meant");
const NEW: Why = Some("the option is newer than 2.6");

/// Every option, with good, bad and missing values. `-c` keeps a good one from running.
const COMMAND_LINES: &[(&str, Why)] = &[
    ("", SAME),
    ("-h", SAME),
    ("--help", SAME),
    ("-c", SAME),
    ("-f", NOTHING),
    ("-c -f", NOTHING),
    ("-c good.cfg", SAME),
    ("-c -f good.cfg", SAME),
    ("-c -q -f good.cfg", SAME),
    ("-c -V -f good.cfg", SAME),
    ("-c -- good.cfg", SAME),
    ("-c -- good.cfg empty.cfg", SAME),
    ("-c -f good.cfg -- empty.cfg", SAME),
    ("-c --", SAME),
    ("-c -f dir", SAME),
    ("-c -f dir/1.cfg -f dir/2.cfg", SAME),
    ("-c -f dir/2.cfg -f dir/1.cfg", SAME),
    ("-c -f warned.cfg", SAME),
    ("-c -dW -f warned.cfg", Some("2.6 says 'config : ' before the last line, 3.x no longer")),
    ("-c -dW -f good.cfg", SAME),
    ("-c -f bad.cfg", SAME),
    ("-c -q -f bad.cfg", SAME),
    ("-c -f good.cfg -f bad.cfg", SAME),
    ("-c -f nosuch.cfg", SAME),
    ("-c -f good.cfg -f nosuch.cfg", SAME),
    ("-c -f /dev/null", Some("2.6 leaves with 2 where there is no listener; 3.x finds nothing wrong")),
    ("-c -C dir -f 1.cfg", SAME),
    ("-c -C nosuch -f 1.cfg", SAME),
    ("-c -C", NOTHING),
    ("-c -D -f good.cfg", SAME),
    ("-c -d -f good.cfg", SAME),
    ("-c -db -f good.cfg", SAME),
    ("-c -W -f good.cfg", SAME),
    ("-c -Ws -f good.cfg", SAME),
    ("-c -W -db -f good.cfg", SAME),
    ("-c -W -S 127.0.0.1:9 -f good.cfg", SAME),
    ("-c -S", NOTHING),
    ("-c -S 127.0.0.1:9 -f good.cfg", SAME),
    ("-c -S nonsense -f good.cfg", SAME),
    ("-c -dW -S 127.0.0.1:9 -f good.cfg", Some("2.6 says 'config : ' before the last line, 3.x no longer")),
    ("-c -W -S nonsense -f good.cfg", Some("one line says what is wrong with the address")),
    ("-c -W -S 127.0.0.1:99999 -f good.cfg", Some("one line says what is wrong with the address")),
    ("-c -p pid -f good.cfg", SAME),
    ("-c -p", NOTHING),
    ("-c -n 5 -N 5 -m 2000 -f good.cfg", SAME),
    ("-c -n", NOTHING),
    ("-c -N", NOTHING),
    ("-c -m", NOTHING),
    ("-c -n x -f good.cfg", NUMBERS),
    ("-c -N x -f good.cfg", NUMBERS),
    ("-c -L peer -f good.cfg", SAME),
    ("-c -L", NOTHING),
    ("-c -x /dev/null -f good.cfg", SAME),
    ("-c -x", Some("one text for every option without its value")),
    ("-c -x -f good.cfg", SAME),
    ("-c -f good.cfg -sf", SAME),
    ("-c -sf -f good.cfg", SAME),
    ("-c -f good.cfg -st 2147483646", SAME),
    ("-c -sf 2147483645 2147483646 -f good.cfg", SAME),
    ("-c -f good.cfg -sf 1x", Some("the alert names the option as it was written")),
    ("-c -f good.cfg -s", SAME),
    ("-c -de -dp -dS -dG -dR -f good.cfg", SAME),
    ("-c -dr -dV -dD -f good.cfg", SAME),
    ("-c -f named.cfg", Some("the last lines are those of every error")),
    ("-c -dr -f named.cfg", SAME),
    ("-c -f later.cfg", SAME),
    ("-c -dW -f later.cfg", SAME),
    ("-c -dM -f good.cfg", SAME),
    ("-c -dM0x55 -f good.cfg", SAME),
    ("-c -dM0x55,no-merge,tag, -f good.cfg", SAME),
    ("-c -dMnosuch -f good.cfg", SAME),
    ("-c -dMfail,0x10 -f good.cfg", SAME),
    ("-c -dM0x -f good.cfg", SAME),
    ("-c -dM08 -f good.cfg", SAME),
    ("-dMhelp,nosuch", SAME),
    ("-c -dL -f good.cfg", SAME),
    ("-c -dK -f good.cfg", SAME),
    ("-c -dKhelp -f good.cfg", SAME),
    ("-c -dKcfg,svc -f good.cfg", SAME),
    ("-dKhelp", SAME),
    ("-4 -c -f good.cfg", NEW),
    ("-c -zz -f good.cfg", SAME),
    ("-c - -f good.cfg", SAME),
    ("-cV -f good.cfg", JOINED),
    ("-c -dx -f good.cfg", JOINED),
    ("-v", SAME),
    ("-vv", SAME),
    ("-vq", SAME),
    ("-v -zz", SAME),
];

#[test]
fn command_lines_are_judged_alike() {
    let haproxy = installed();
    let mut failures = Vec::new();
    for (line, why) in COMMAND_LINES {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let ((theirs, _), (ours, _)) = (run(&haproxy, &arguments), run(&Program::Pronk, &arguments));
        if (ours == theirs) != why.is_none() {
            failures.push(format!("{line}: {why:?}\n  ours   {ours:?}\n  theirs {theirs:?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

const LATER: Why = Some("the predicate is newer than 2.6");
const NO_TLS: Why = Some("no TLS library is built in, and 'openssl' predicates are false");
const NAMELESS: Why = Some("2.6 finds the empty name in its list of features");

/// `-cc`: expressions of every form, good and bad.
const CONDITIONS: &[(&str, Why)] = &[
    ("", SAME),
    (" ", SAME),
    ("0", SAME),
    ("1", SAME),
    ("2", SAME),
    ("-1", SAME),
    ("+1", SAME),
    ("-0", SAME),
    ("0x10", SAME),
    ("0x", SAME),
    ("010", SAME),
    ("08", SAME),
    ("99999999999999999999999", SAME),
    ("  1 ", SAME),
    ("1x", SAME),
    ("1.5", SAME),
    ("--1", SAME),
    ("abc", SAME),
    ("1 1", SAME),
    ("1 & 1", SAME),
    ("1 and 1", SAME),
    ("not 1", SAME),
    ("!1", SAME),
    ("!!0", SAME),
    ("! 1", SAME),
    ("!", SAME),
    ("!foo", SAME),
    ("(1)", SAME),
    ("((0))", SAME),
    ("(1", SAME),
    ("1)", SAME),
    ("()", SAME),
    ("( )", SAME),
    ("!(1", SAME),
    ("1&&1", SAME),
    ("1 && 0 || 1", SAME),
    ("1 || 0 && 0", SAME),
    ("(1 || 1) && 0", SAME),
    ("1&&(0||1", SAME),
    ("1 &&", SAME),
    ("&& 1", SAME),
    ("1||1||", SAME),
    ("0 && foo", SAME),
    ("1 || foo", SAME),
    ("\"1\"", SAME),
    ("'1'", SAME),
    ("\"1", SAME),
    ("'1", SAME),
    ("1 # 0", SAME),
    ("1 \\", SAME),
    ("defined(HOME)", SAME),
    ("defined(NOSUCH)", SAME),
    ("defined(EMPTY)", SAME),
    ("defined()", SAME),
    ("defined", SAME),
    ("defined(HOME", SAME),
    ("defined (HOME)", SAME),
    ("DEFINED(HOME)", SAME),
    ("defined(.FILE)", SAME),
    ("defined(A)defined(B)", SAME),
    ("!defined(A)&&!defined(B)", SAME),
    ("streq(a,a)", SAME),
    ("streq(a,b)", SAME),
    ("streq(a)", SAME),
    ("streq()", SAME),
    ("streq", SAME),
    ("streq(,)", SAME),
    ("streq(a,a,a)", SAME),
    ("streq( a,a)", SAME),
    ("streq(a ,a)", SAME),
    ("streq(a  b,a b)", SAME),
    ("streq(a  b,\"a  b\")", SAME),
    ("streq(\"a\",'a')", SAME),
    ("streq('a,b','a,b')", SAME),
    ("streq(\"\\\"a,b\\\"\",\"\\\"a,b\\\"\")", SAME),
    ("streq(\"a)b\",\"a)b\")", SAME),
    ("streq(\\x41,A)", SAME),
    ("streq(\"$HOME\",/root)", SAME),
    ("streq(\"${HOME}\",\"/root\")", SAME),
    ("streq($HOME,/root)", SAME),
    ("streq('$HOME',/root)", SAME),
    ("streq(\"${NOSUCH-d}\",d)", SAME),
    ("streq(\"$NOSUCH\",)", SAME),
    ("streq (a,a)", SAME),
    ("strneq(a,b)", SAME),
    ("strneq(a,a)", SAME),
    ("strneq(a)", SAME),
    ("version_atleast(2.4)", SAME),
    ("version_atleast(2.6-dev1)", SAME),
    ("version_atleast(99)", SAME),
    ("version_atleast(x)", SAME),
    ("version_atleast()", SAME),
    ("version_before(2.4)", SAME),
    ("version_before(99.9)", SAME),
    ("version_before(x)", SAME),
    ("feature(THREAD)", SAME),
    ("feature(LINUX_SPLICE)", SAME),
    ("feature(PROMEX)", SAME),
    ("feature(thread)", SAME),
    ("feature(NOSUCH)", SAME),
    ("feature(QUIC)", SAME),
    ("feature(THREAD),1", SAME),
    ("feature()", NAMELESS),
    ("feature(OPENSSL)", Some("no TLS is built in")),
    ("feature(LUA)", Some("no Lua is built in")),
    ("version_atleast(3.5-dev0)", Some("3.5 is the version whose behaviour is followed")),
    ("strstr(abc,b)", LATER),
    ("strstr(abc,x)", LATER),
    ("enabled(SPLICE)", LATER),
    ("enabled(NOSUCH)", LATER),
    ("fips_mode", LATER),
    ("awslc_api_atleast(1)", LATER),
    ("openssl_version_before(3.0.0)", SAME),
    ("openssl_version_atleast(1.1.1)", NO_TLS),
    ("ssllib_name_startswith(OpenSSL)", NO_TLS),
];

/// What an error says stands before the help in parentheses.
fn without_help(mut run: Run) -> Run {
    for text in &mut run.said {
        let help = [" (a condition is ", " (join ", " (close ", " (arguments ", " (nest "];
        let cut = help.iter().filter_map(|start| text.find(start)).min();
        text.truncate(cut.unwrap_or(text.len()));
    }
    run
}

#[test]
fn conditions_are_judged_alike() {
    let haproxy = installed();
    let mut failures = Vec::new();
    for (text, why) in CONDITIONS {
        let arguments = ["-cc", *text];
        let (theirs, ours) = (run(&haproxy, &arguments).0, without_help(run(&Program::Pronk, &arguments).0));
        if (ours == theirs) != why.is_none() {
            failures.push(format!("[{text}]: {why:?}\n  ours   {ours:?}\n  theirs {theirs:?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What only newer versions know, which no haproxy here can judge.
#[test]
fn conditions_of_later_versions_have_their_answers() {
    let status = |text: &str| run(&Program::Pronk, &["-cc", text]).0.status;
    let (yes, no) = (Some(0), Some(1));
    for (text, expected) in [
        ("strstr(abc,b)", yes),
        ("strstr(abc,x)", no),
        ("enabled(SPLICE) && enabled(REUSEPORT)", yes),
        ("enabled(EPOLL)", no),
        ("version_atleast(3.5-dev0)", yes),
        ("version_before(3.6)", yes),
        ("fips_mode || awslc_api_before(99)", no),
        ("openssl_version_before(99)", no),
        ("feature(PROMEX) && !feature(OPENSSL)", yes),
    ] {
        assert_eq!(status(text), expected, "{text}");
    }
}

/// Where tools look in `-vv`: the start of a line, and whether something must follow it.
const BLOCKS: &[&str] = &[
    "HAProxy version ",
    "Status: ",
    "Known bugs: ",
    "Running on: ",
    "Build options :",
    "  TARGET  = ",
    "  CPU     = ",
    "  CC      = ",
    "  CFLAGS  = ",
    "  OPTIONS = USE_",
    "  DEBUG   = ",
    "Feature list : ",
    "Default settings :",
    "  bufsize = 16384, maxrewrite = 1024, maxpollevents = 200",
    "Built with multi-threading support (MAX_THREADS=",
    "Built with the Prometheus exporter as a service",
    "Built with transparent proxy support using: IP_TRANSPARENT",
    "Available polling systems :",
    "Total: ",
    "Available multiplexer protocols :",
    "Available services : ",
    "Available filters :",
];

#[test]
fn the_full_version_has_the_blocks_that_tools_read() {
    let (ours, theirs) = (run(&Program::Pronk, &["-vv"]).1, run(&installed(), &["-vv"]).1);
    for block in BLOCKS {
        for text in [&ours, &theirs] {
            assert!(text.lines().any(|line| line.starts_with(block)), "no '{block}' in\n{text}");
        }
    }
    let features = |text: &str| -> Vec<String> {
        let line = text.lines().find_map(|line| line.strip_prefix("Feature list : ")).expect("the list");
        line.split(' ').map(|feature| feature.trim_start_matches(['+', '-']).to_owned()).collect()
    };
    let known = features(&ours);
    for feature in features(&theirs) {
        assert!(known.contains(&feature), "{feature}");
    }
    assert!(known.is_sorted() && ours.contains(" +PROMEX ") && ours.contains(" -OPENSSL "));
    assert!(ours.contains("test result OK") && ours.contains("Available services : prometheus-exporter\n"));
}

/// The lists of `-dK` and `-dL` are read by people and by tools: the same headings, and nothing that haproxy
/// does not know but what is Pronk's own.
#[test]
fn dumps_have_the_same_shape() {
    let dump = |program: &Program, option: &str| run(program, &["-c", option, "-f", "good.cfg"]).1;
    let haproxy = installed();
    let headings = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| line.starts_with("# List of ") || line.ends_with(':'))
            .map(str::to_owned)
            .collect()
    };
    for option in ["-dKhelp", "-dKacl", "-dKcli", "-dKflt", "-dKsvc", "-dL"] {
        assert_eq!(headings(&dump(&Program::Pronk, option)), headings(&dump(&haproxy, option)), "{option}");
    }
    let (ours, theirs) = (dump(&Program::Pronk, "-dKacl"), dump(&haproxy, "-dKacl"));
    for line in ours.lines() {
        assert!(theirs.lines().any(|known| known == line), "{line}");
    }
}
