//! The keywords that are accepted, as `-dKcfg` lists them.

use std::collections::BTreeSet;

use super::{Arity, Keyword, Places, Support, all};

/// The heading of a group, what stands before each of its keywords, and where they may stand.
const GROUPS: [(&str, &str, Places); 5] = [
    ("global", "", Places::GLOBAL),
    ("global", "stats socket <addr> ", Places::SOCKET),
    ("listen", "", Places::PROXIES),
    ("listen", "bind <addr> ", Places::BIND),
    ("listen", "server <name> <addr> ", Places::SERVER),
];

/// One keyword a line below its section; what is refused by name is left out.
pub fn listing() -> String {
    let mut out = String::new();
    let mut above = "";
    for (section, prefix, places) in GROUPS {
        if section != above {
            out.push_str(&format!("{section}\n"));
            above = section;
        }
        let accepted =
            |row: &&Keyword| row.places.overlaps(places) && !matches!(row.support, Support::Refused(_));
        let lines: BTreeSet<String> = all().filter(accepted).map(|row| line(row, prefix)).collect();
        out.extend(lines);
    }
    out
}

/// `\tKEYWORD [+N]`, where N words must follow an option of a bind or server line.
fn line(row: &Keyword, prefix: &str) -> String {
    let Arity { min, .. } = row.arity;
    let more = if min > 0 && !prefix.is_empty() { format!(" +{min}") } else { String::new() };
    format!("\t{prefix}{}{more}\n", row.words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted_is_listed_and_what_is_refused_is_not() {
        let text = listing();
        for line in [
            "global\n",
            "\tmaxconn\n",
            "\ttimeout client\n",
            "\tserver <name> <addr> check\n",
            "\tbind <addr> maxconn +1\n",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(!text.contains("\tcontimeout\n"));
        assert!(all().any(|row| row.words == "contimeout"));
    }
}
