//! `guid` and `guid-prefix`: names that counters are kept under in files, unique in the whole configuration
//! (configuration manual, section 4.2).

use std::collections::HashMap;

use super::arguments::Arguments;
use super::diagnostic::Report;
use super::lexer::Line;
use super::proxy::Section;

/// HAProxy's limit.
const LONGEST: usize = 127;

/// Why a text cannot be one.
pub fn fault(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("it is empty".to_owned());
    }
    if text.len() > LONGEST {
        return Some(format!("it is longer than {LONGEST} characters"));
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_');
    let odd = text.chars().find(|c| !fits(*c))?;
    Some(format!("character '{odd}' is not permitted"))
}

/// Reads the word after `keyword`.
pub(super) fn parse(keyword: &str, words: &mut Arguments<'_>) -> Option<String> {
    let word = words.next()?;
    match fault(word) {
        None => Some(word.to_owned()),
        Some(fault) => {
            let help = format!("write up to {LONGEST} letters, digits, '.', ':', '-' and '_'");
            words.alert_last(format!("'{keyword}' : '{word}' : {fault}."), help);
            None
        }
    }
}

/// Every one must be the only one of its kind.
pub(super) fn check_unique(sections: &[Section], report: &mut Report) {
    let mut owners: HashMap<&str, String> = HashMap::new();
    for section in sections {
        for (guid, owner, line) in of_section(section) {
            if let Some(other) = owners.get(guid) {
                let text = format!("'guid' : '{guid}' : duplicate entry with {other}.");
                report.alert(line, line.span(0), text).help("give each object a name of its own");
            } else {
                owners.insert(guid, owner);
            }
        }
    }
}

fn of_section(section: &Section) -> impl Iterator<Item = (&str, String, &Line)> {
    let own = section.guid.iter().map(|(guid, line)| (guid.as_str(), section.shown(), line));
    let binds = section.binds.iter().flat_map(move |bound| {
        let guids = bound.binds.iter().filter_map(|bind| bind.guid.as_deref());
        guids.map(|guid| (guid, format!("listener of {}", section.shown()), &bound.line))
    });
    let servers = section.servers.iter().filter_map(move |server| {
        let owner = || format!("server '{}/{}'", section.name, server.server.name);
        Some((server.server.guid.as_deref()?, owner(), &server.line))
    });
    own.chain(binds).chain(servers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_told() {
        assert_eq!(fault("impala:hs2.1_a-B"), None);
        assert_eq!(fault(&"x".repeat(127)), None);
        assert!(fault(&"x".repeat(128)).is_some_and(|why| why.contains("127")));
        assert!(fault("a,b").is_some_and(|why| why.contains("','")));
        assert!(fault("").is_some() && fault("ä").is_some());
    }
}
