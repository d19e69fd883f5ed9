//! The table as documents: a summary in Markdown for README.md, and everything as text for `-vv`.

use std::fmt::Write;

use super::{Ignored, Keyword, Places, Refusal, Support, all};

/// The groups of places, with their headings, in the order of the documents.
const GROUPS: [(&str, Places); 6] = [
    ("Sections", Places::TOP),
    ("`global`", Places::GLOBAL),
    ("Proxies", Places::PROXIES),
    ("`bind` and `stats socket` options", Places::BIND.and(Places::SOCKET)),
    ("`server` and `default-server` options", Places::SERVER.and(Places::DEFAULT_SERVER)),
    ("Inside other sections", Places::OTHER),
];

fn rows(places: Places) -> impl Iterator<Item = &'static Keyword> {
    all().filter(move |row| row.places.overlaps(places))
}

fn listed(places: Places, wanted: fn(&Support) -> bool) -> Vec<&'static str> {
    let mut words: Vec<&str> = rows(places).filter(|row| wanted(&row.support)).map(|row| row.words).collect();
    words.dedup();
    words
}

fn is_honoured(support: &Support) -> bool {
    matches!(support, Support::Honoured(_))
}

fn is_ignored(support: &Support) -> bool {
    matches!(support, Support::Ignored(_))
}

fn is_refused(support: &Support) -> bool {
    matches!(support, Support::Refused(Refusal::Missing { .. }))
}

fn is_removed(support: &Support) -> bool {
    matches!(support, Support::Refused(Refusal::Removed { .. }))
}

/// What works, what has no effect and what is refused: the block between README.md's markers.
pub fn markdown() -> String {
    let mut out = String::from(
        "| where | honoured | without effect | refused | refused by HAProxy too |\n|---|---:|---:|---:|---:|\n",
    );
    for (heading, places) in GROUPS {
        let [honoured, ignored, refused, removed] =
            [is_honoured, is_ignored, is_refused, is_removed].map(|wanted| listed(places, wanted).len());
        line(&mut out, format_args!("| {heading} | {honoured} | {ignored} | {refused} | {removed} |"));
    }
    out.push('\n');
    lists(&mut out, "Honoured:", is_honoured);
    out.push('\n');
    lists(&mut out, "Refused by name, with what to write instead:", is_refused);
    out
}

fn lists(out: &mut String, heading: &str, wanted: fn(&Support) -> bool) {
    line(out, format_args!("{heading}\n"));
    for (group, places) in GROUPS.into_iter().filter(|(_, places)| *places != Places::OTHER) {
        let words = listed(places, wanted);
        if !words.is_empty() {
            line(out, format_args!("- {group}: `{}`", words.join("`, `")));
        }
    }
}

/// What becomes of a keyword, without its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It does what HAProxy's manual says.
    Honoured,
    /// It is read and has no effect.
    Ignored,
    /// It is an error that names it.
    Refused,
}

/// One keyword as a document shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As written.
    pub words: &'static str,
    /// What it is for, in one line.
    pub doc: &'static str,
    /// What becomes of it.
    pub fate: Fate,
    /// Why it is refused or has no effect, and what to do.
    pub why: Option<String>,
}

/// Every keyword, by the heading of its group, in Markdown.
pub fn groups() -> impl Iterator<Item = (&'static str, Vec<Entry>)> {
    GROUPS.into_iter().map(|(heading, places)| (heading, rows(places).map(entry).collect()))
}

fn entry(row: &'static Keyword) -> Entry {
    let fate = match row.support {
        Support::Honoured(_) => Fate::Honoured,
        Support::Ignored(_) => Fate::Ignored,
        Support::Refused(_) => Fate::Refused,
    };
    Entry { words: row.words, doc: row.doc, fate, why: why(row.support) }
}

/// Every keyword on its own line: mark, words, what it is for, and why it is refused.
///
/// The mark is `+` honoured, `~` without effect, `-` refused.
pub fn text() -> String {
    let mut out = String::from("Keywords (+ honoured, ~ without effect, - refused):\n");
    for (heading, entries) in groups() {
        line(&mut out, format_args!("  {}:", heading.replace('`', "")));
        for Entry { words, doc, fate, why } in entries {
            line(&mut out, format_args!("    {} {words:<44} {doc}", mark(fate)));
            if let Some(why) = why {
                line(&mut out, format_args!("{:51}{why}", ""));
            }
        }
    }
    out
}

fn mark(fate: Fate) -> char {
    match fate {
        Fate::Honoured => '+',
        Fate::Ignored => '~',
        Fate::Refused => '-',
    }
}

fn why(support: Support) -> Option<String> {
    match support {
        Support::Ignored(Ignored::Told(why)) => Some(format!("no effect: {why}")),
        Support::Ignored(Ignored::Http { .. }) => Some("no effect on a TCP proxy".to_owned()),
        Support::Refused(Refusal::Missing { reason, remedy }) => Some(format!("{reason}; {remedy}")),
        Support::Refused(Refusal::Removed { since, remedy }) => {
            Some(format!("removed from HAProxy {since}; {remedy}"))
        }
        _ => None,
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a String takes any text");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_is_in_the_text() {
        let text = text();
        for row in all() {
            assert!(text.contains(&format!(" {} ", row.words)), "{}", row.words);
        }
    }

    #[test]
    fn readme_holds_the_current_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
        let readme = std::fs::read_to_string(path).expect("README.md stands at the top");
        let block = readme
            .split_once("<!-- keywords:begin -->")
            .and_then(|(_, rest)| rest.split_once("<!-- keywords:end -->"))
            .map(|(block, _)| block.trim())
            .expect("README.md has the markers");
        assert!(block == markdown().trim(), "write this between README.md's markers:\n{}", markdown());
    }
}
