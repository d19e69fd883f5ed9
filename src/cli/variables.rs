//! The environment variables that Pronk itself reads. A configuration may expand any other.

/// Name and meaning of each, as usage and README.md show them.
pub const VARIABLES: [(&str, &str); 6] = [
    (
        "PRONK_LOG",
        "which of Pronk's own diagnostics go to stderr: error, warn (the default), info, debug (with -d) or trace, \
         or TARGET=LEVEL pairs by comma, as in pronk::health=debug,warn",
    ),
    ("TZ", "time zone of the times in logs, where the system's is not meant"),
    ("NOTIFY_SOCKET", "with -Ws: where systemd is told of starts and reloads"),
    ("PRONK_WORKER", "set by the master of -W for its worker; not for people"),
    ("PATH", "where the demo looks for impala-shell"),
    ("NO_COLOR", "set to anything: the demo prints no colours"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readme_holds_the_current_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
        let readme = std::fs::read_to_string(path).expect("README.md stands at the top");
        let block = readme
            .split_once("<!-- environment:begin -->")
            .and_then(|(_, rest)| rest.split_once("<!-- environment:end -->"))
            .map(|(block, _)| block.trim())
            .expect("README.md has the markers");
        let rows = VARIABLES.map(|(name, meaning)| format!("\n| `{name}` | {meaning} |"));
        let table = format!("| variable | meaning |\n|---|---|{}", rows.concat());
        assert!(block == table, "write this between README.md's markers:\n{table}");
    }
}
