//! The house rules, checked by reading the tree. Each test prints every violation, not the first.

mod layers;
mod source;

use std::fs;

use source::{Source, files_under, name, read, top};

const FUNCTION_LINES: usize = 70;
const FILE_LINES: usize = 500;
const HEAD_LINES: usize = 15;

/// Unsafe blocks in src. It may only fall; a rise needs a reason in the commit that changes it.
const UNSAFE_BLOCKS: usize = 43;

/// Modules without sockets, files, threads, clocks and unsafe.
const PURE: &[&str] = &["session", "balance", "rules", "config", "timers"];

/// What a pure module must not name. Addresses (`std::net::SocketAddr`, `IpAddr`) are data.
const EFFECTS: &[&str] = &[
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "UnixDatagram",
    "ToSocketAddrs",
    "OwnedFd",
    "RawFd",
    "BorrowedFd",
    "Instant",
    "SystemTime",
    "unsafe",
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
    "std::os",
    "fs::",
    "thread::",
    "env::var",
    "libc::",
    "rustix::",
    "socket2::",
    "tokio::",
    "tokio_uring::",
    "io_uring::",
    "Mutex",
    "RwLock",
    "Condvar",
];

/// Hosts that a URL in the tree may name.
const HOSTS: &[&str] = &[
    "www.apache.org",
    "apache.org",
    "impala.apache.org",
    "rustup.rs",
    "github.com",
    "www.haproxy.org",
    "haproxy.org",
    "docs.haproxy.org",
    "www.w3.org",
    // The name that HAProxy's JSON schema gives its dialect.
    "json-schema.org",
    "docs.rs",
    "127.0.0.1",
    "localhost",
    "example.com",
    "example.org",
    "www.rfc-editor.org",
    "datatracker.ietf.org",
    "man7.org",
    "docs.kernel.org",
    "www.kernel.org",
    "nginx.org",
];

fn report(rule: &str, violations: Vec<String>) {
    assert!(violations.is_empty(), "{rule}: {} violations\n{}", violations.len(), violations.join("\n"));
}

/// A violation for each line of each file under src that holds one of `words`, unless `excused`.
fn lines_naming(words: &[&str], excused: impl Fn(&Source) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for source in Source::all("src").iter().filter(|source| !excused(source)) {
        for word in words {
            let lines = source.lines_with(word).into_iter();
            found.extend(
                lines
                    .filter(|line| stands_alone(source, *line, word))
                    .map(|line| format!("{}:{line}: {word}", source.path)),
            );
        }
    }
    found
}

/// Whether `word` on that line is not merely the end or beginning of a longer name.
fn stands_alone(source: &Source, line: usize, word: &str) -> bool {
    let text = source.code.lines().nth(line - 1).unwrap_or_default();
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let open_end = word.ends_with("::") || word.ends_with('(');
        !before.is_some_and(source::is_word) && (open_end || !after.is_some_and(source::is_word))
    })
}

#[test]
fn imports_point_downwards() {
    let sources = Source::all("src");
    let mut found = layers::unplaced(&sources);
    found.extend(sources.iter().flat_map(layers::violations));
    report("layers (src/lib.rs)", found);
}

#[test]
fn the_code_map_shows_the_layers() {
    let map = read(&top().join("src/lib.rs"));
    let diagram =
        map.split("```text\n").nth(1).and_then(|rest| rest.split("//! ```").next()).expect("a diagram");
    let lines = diagram.lines().map(|line| line.trim_start_matches("//! "));
    let shown: Vec<&str> = lines.map(|line| line.split("  ").next().unwrap_or_default()).collect();
    assert_eq!(shown, layers::shown());
}

#[test]
fn pure_modules_have_no_effects() {
    let found =
        lines_naming(EFFECTS, |source| !source.module().first().is_some_and(|top| PURE.contains(top)));
    report("purity", found);
}

#[test]
fn unsafe_stays_in_ring_and_sys() {
    let allowed = |source: &Source| matches!(source.module().first(), Some(&("ring" | "sys")));
    report("unsafe outside ring and sys", lines_naming(&["unsafe"], allowed));
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let mut found = Vec::new();
    let mut blocks = 0;
    for source in Source::all("src") {
        let lines: Vec<&str> = source.text.lines().collect();
        for line in source.lines_with("unsafe {").into_iter().chain(source.lines_with("unsafe impl")) {
            blocks += 1;
            if !has_safety_comment(&lines, line) {
                found.push(format!("{}:{line}: no // SAFETY: comment", source.path));
            }
        }
    }
    if blocks > UNSAFE_BLOCKS {
        found.push(format!(
            "{blocks} unsafe blocks, {UNSAFE_BLOCKS} allowed: do without, or say why in the commit"
        ));
    }
    report("unsafe", found);
}

/// Whether the comment above line `line` (from 1), or above the statement it is part of, holds SAFETY.
fn has_safety_comment(lines: &[&str], line: usize) -> bool {
    let above = lines[..line].iter().rev().take(12);
    let mut seen = above.take_while(|text| !text.trim().is_empty() && text.trim() != "}");
    seen.any(|text| text.contains("SAFETY:"))
}

#[test]
fn functions_fit_on_a_screen() {
    let mut found = Vec::new();
    for source in Source::all("src") {
        let long = source.functions().into_iter().filter(|(_, _, lines)| *lines > FUNCTION_LINES);
        found.extend(
            long.map(|(name, line, lines)| format!("{}:{line}: {name} has {lines} lines", source.path)),
        );
    }
    report("functions of more than 70 lines", found);
}

#[test]
fn files_can_be_read_whole() {
    let sources = Source::all("src");
    let long = sources.iter().filter(|source| source.lines_without_tests() > FILE_LINES);
    let found = long.map(|source| format!("{}: {} lines", source.path, source.lines_without_tests()));
    report("files of more than 500 lines", found.collect());
}

#[test]
fn every_module_says_what_it_is() {
    let mut found = Vec::new();
    for source in Source::all("src").iter().filter(|source| source.path != "src/lib.rs") {
        match source.text.lines().take_while(|line| line.starts_with("//!")).count() {
            0 => found.push(format!("{}: no //! head", source.path)),
            lines if lines > HEAD_LINES => found.push(format!("{}: a head of {lines} lines", source.path)),
            _ => {}
        }
    }
    report("module heads", found);
}

#[test]
fn nothing_is_left_to_be_done() {
    let words = [".unwrap()", "todo!(", "dbg!(", "unimplemented!(", "unreachable_unchecked("];
    report("shortcuts", lines_naming(&words, |_| false));
}

#[test]
fn no_test_is_switched_off() {
    let mut found = Vec::new();
    for source in ["src", "tests", "benches"].into_iter().flat_map(Source::all) {
        let marker = ["#[", "ignore"].concat();
        let lines = source.text.lines().enumerate().filter(|(_, line)| line.contains(&marker));
        found.extend(lines.map(|(index, _)| format!("{}:{}", source.path, index + 1)));
    }
    report("ignored tests", found);
}

/// Every text file of the tree, without what git ignores.
fn tree() -> Vec<(String, String)> {
    let listed = ["src", "tests", "benches", "tuning", ".ci", ".github", ".config"];
    let mut files: Vec<_> = listed.iter().flat_map(|folder| files_under(&top().join(folder))).collect();
    files.extend(["README.md", "Cargo.toml", ".gitignore", ".rustfmt.toml"].map(|file| top().join(file)));
    files.into_iter().map(|file| (name(&file), read(&file))).collect()
}

#[test]
fn the_tree_names_no_private_place() {
    // Written in pieces, so that this file does not name them itself.
    let places = [
        ["/ro", "ot/"],
        ["/ho", "me/"],
        ["/tmp/", "wt"],
        ["/tmp/", "setup"],
        ["/wo", "rk/"],
        ["../sha", "red"],
    ];
    let words = [["TO", "DO"], ["FIX", "ME"], ["X", "XX"], ["HA", "CK"]];
    let mut found = Vec::new();
    for (file, text) in tree() {
        for (index, line) in text.lines().enumerate() {
            let place = places.iter().map(|parts| parts.concat()).find(|place| line.contains(place.as_str()));
            let word = words.iter().map(|parts| parts.concat()).find(|word| has_word(line, word));
            found.extend(place.or(word).map(|what| format!("{file}:{}: {what}", index + 1)));
            found.extend(task_number(line).map(|what| format!("{file}:{}: {what}", index + 1)));
        }
    }
    report("private places and leftovers", found);
}

fn has_word(line: &str, word: &str) -> bool {
    !source::word_positions(line, word).is_empty()
}

/// A task's number in prose: the word for it, then digits.
fn task_number(line: &str) -> Option<String> {
    let word = ["iss", "ue "].concat();
    let at = line.to_lowercase().find(&word)?;
    let digits: String =
        line[at + word.len()..].trim_start_matches('#').chars().take_while(char::is_ascii_digit).collect();
    (!digits.is_empty()).then(|| format!("{word}{digits}"))
}

#[test]
fn urls_name_known_hosts() {
    let mut found = Vec::new();
    for (file, text) in tree() {
        for (index, line) in text.lines().enumerate() {
            for (at, scheme) in line.match_indices("https://").chain(line.match_indices("http://")) {
                let host: String = line[at + scheme.len()..].chars().take_while(|c| is_host(*c)).collect();
                let placeholder = host.is_empty() || !host.contains('.') || host.starts_with("127.");
                if !placeholder && !HOSTS.contains(&host.trim_end_matches('.')) {
                    found.push(format!("{file}:{}: {host}", index + 1));
                }
            }
        }
    }
    report("unknown hosts", found);
}

fn is_host(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '.' || c == '-'
}

#[test]
fn every_variable_that_is_read_is_in_the_table() {
    let mut found = Vec::new();
    for source in Source::all("src") {
        for (at, call) in
            source.text.match_indices("env::var(").chain(source.text.match_indices("env::var_os("))
        {
            let name = source.text[at + call.len()..].split('"').nth(1).unwrap_or("no literal");
            if !pronk::cli::VARIABLES.iter().any(|(known, _)| *known == name) {
                found.push(format!("{}:{}: {name}", source.path, source::line_of(&source.text, at)));
            }
        }
    }
    report("environment variables (src/cli/variables.rs)", found);
}

#[test]
fn the_top_level_is_the_agreed_one() {
    let agreed = ["Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "benches", "src", "tests", "tuning"];
    let entries = fs::read_dir(top()).expect("the tree").map(|entry| entry.expect("an entry").file_name());
    let names = entries.map(|name| name.to_string_lossy().into_owned());
    let visible = names.filter(|name| !name.starts_with('.') && name != "target");
    report("top level", visible.filter(|name| !agreed.contains(&name.as_str())).collect());
}

#[test]
fn every_dependency_has_its_reason() {
    let manifest = read(&top().join("Cargo.toml"));
    let mut found = Vec::new();
    let mut section = "";
    let mut above = "";
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]")
            && line.contains('=')
            && !line.starts_with('#')
            && !above.starts_with('#')
        {
            found.push(format!("Cargo.toml: {line}"));
        }
        above = line;
    }
    report("dependencies without a comment above", found);
}

#[test]
fn violations_are_seen() {
    let bad = Source::new("src/session/bad.rs".into(), "fn f() { std::fs::read(x).unwrap(); }".into());
    assert!(stands_alone(&bad, 1, "std::fs") && stands_alone(&bad, 1, ".unwrap()"));
    assert!(!stands_alone(
        &Source::new("src/a.rs".into(), "let instant_noodles = InstantX;".into()),
        1,
        "Instant"
    ));
    assert!(has_safety_comment(&["// SAFETY: open.", "let a =", "    unsafe { f() };"], 3));
    assert!(!has_safety_comment(&["// SAFETY: open.", "", "unsafe { f() };"], 3));
    assert!(task_number(&["see iss", "ue 12."].concat()).is_some());
}
