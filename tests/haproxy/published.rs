//! Two configurations as people publish them, given to both programs: the same verdict, the same warnings.

use std::collections::BTreeSet;
use std::process::Command;

use crate::installed;
use crate::support::proxy::Program;

/// The shape of the sample in Impala's documentation, with the `bind` lines that haproxy 2.6 insists on.
const IMPALA_DOCUMENTATION: &str = include_str!("published/impala-documentation-bind.cfg");

/// The shape of Red Hat's sample, as cluster guides adapt it for Impala.
const CLUSTER_GUIDE: &str = include_str!("published/cluster-guide-bind.cfg");

/// Exit status and the messages of `-c`, without what names process, version and file.
fn verdict(program: &Program, config: &str) -> (Option<i32>, BTreeSet<String>) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("haproxy.cfg");
    std::fs::write(&file, config).expect("the configuration is written");
    let output = Command::new(program.path()).arg("-c").arg("-f").arg(&file).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines = text.lines().filter(|line| line.starts_with("[WARNING]") || line.starts_with("[ALERT]"));
    let message = |line: &str| {
        let level = line.split(']').next().unwrap_or_default().to_owned();
        let text = line.split_once(" : ").map_or(line, |(_, text)| text);
        format!("{level}] {}", text.replace(&*file.to_string_lossy(), "FILE").trim())
    };
    (output.status.code(), lines.map(message).collect())
}

fn check(config: &str) {
    let (haproxy, pronk) = (verdict(&installed(), config), verdict(&Program::Pronk, config));
    println!("{haproxy:#?}");
    assert_eq!(pronk, haproxy, "Pronk (left) judges otherwise than haproxy 2.6 (right)");
}

#[test]
fn impala_documentation() {
    check(IMPALA_DOCUMENTATION);
}

#[test]
fn cluster_guide() {
    check(CLUSTER_GUIDE);
}
