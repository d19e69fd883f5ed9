//! What the keyword table says of one keyword of one line, said to the user.

use std::ops::Range;

use super::diagnostic::Report;
use super::keyword::{self, Arity, Ignored, Keyword, Places, Refusal, Support, Value};
use super::lexer::{Line, Modifier};
use super::suggest::nearest;

/// The row of the keyword at word `at`, if it is known in any of these places.
pub(super) fn find_at(places: Places, line: &Line, at: usize) -> Option<&'static Keyword> {
    let words = line.words.get(at..).unwrap_or(&[]);
    keyword::find(places, words.iter().map(|word| word.text.as_str()))
}

/// All the words of the keyword's name at word `at`.
pub(super) fn span(row: &Keyword, line: &Line, at: usize) -> Range<usize> {
    line.span(at).start..line.span(at + row.length() - 1).end
}

/// Says why the keyword at word `at` is an error.
pub(super) fn refuse(row: &Keyword, refusal: Refusal, line: &Line, at: usize, report: &mut Report) {
    let words = row.words;
    let span = span(row, line, at);
    match refusal {
        Refusal::Missing { reason, remedy } => {
            report.alert(line, span, format!("'{words}' is not supported here: {reason}.")).help(remedy)
        }
        Refusal::Removed { since, remedy } => {
            let text = format!("'{words}' is not supported anymore since HAProxy {since}.");
            report.alert(line, span, text).help(remedy)
        }
    };
}

/// Whether as many words follow the keyword at word `at` as it takes; says so when not.
pub(super) fn check_arity(row: &Keyword, line: &Line, at: usize, report: &mut Report) -> bool {
    let first = at + row.length();
    let Arity { min, max } = row.arity;
    let mut count = line.words.len().saturating_sub(first);
    if row.spare && count > usize::from(max) {
        count = usize::from(max);
        passed_over(row.words, line, first + count, report);
    }
    if row.arity.allows(count) {
        return check_values(row, line, first..first + count, report);
    }
    let words = row.words;
    if count < usize::from(min) {
        let noun = if min == 1 { "argument" } else { "arguments" };
        let more = if max == min { "" } else { " at least" };
        let text = format!("'{words}' expects{more} {min} {noun}.");
        report.alert(line, line.end(), text).help(row.doc);
    } else {
        let extra = first + usize::from(max);
        let text = format!("'{words}' cannot handle unexpected argument '{}'.", line.words[extra].text);
        report.alert(line, line.span(extra), text).help("remove it, or quote it with the word before it");
    }
    false
}

/// Says that HAProxy passes over the words from `at` on.
pub(super) fn passed_over(keyword: &str, line: &Line, at: usize, report: &mut Report) {
    let words: Vec<&str> = line.words[at..].iter().map(|word| word.text.as_str()).collect();
    let text = format!("'{keyword}' : '{}' has no effect here.", words.join(" "));
    report
        .diag(line, line.span(at).start..line.end().end, text)
        .help("remove it, or quote it with the word before it");
}

/// Whether these words after a keyword without effect are what HAProxy takes there; says so when not.
pub(super) fn check_values(row: &Keyword, line: &Line, at: Range<usize>, report: &mut Report) -> bool {
    let mut kinds = row.takes.iter().chain(row.takes.last().into_iter().cycle());
    let mut behind: Option<&Value> = None;
    let help = |kind: &Value| format!("it has no effect here, but must be right: write {}", kind.expected());
    for at in at.clone() {
        let word = line.words[at].text.as_str();
        let Some(kind) = behind.take().or_else(|| kinds.next()) else { break };
        if !kind.allows(word) {
            let text = format!("'{}' : unexpected value '{word}'.", row.words);
            report.alert(line, line.span(at), text).help(help(kind));
            return false;
        }
        behind = kind.behind(word);
    }
    if let Some(kind) = behind {
        let last = &line.words[at.end - 1].text;
        let text = format!("'{} {last}' expects an argument.", row.words);
        report.alert(line, line.end(), text).help(help(kind));
    }
    behind.is_none()
}

/// Handles `no X` and `default X` of a keyword without effect here, which need nothing.
///
/// False when the keyword itself must be looked at.
pub(super) fn is_default_anyway(row: &Keyword, line: &Line) -> bool {
    line.modifier != Modifier::None && !matches!(row.support, Support::Honoured(_))
}

/// Says that no row is known, and which one may have been meant.
pub(super) fn unknown(line: &Line, section: &str, places: Places, report: &mut Report) {
    let keyword = line.keyword();
    let family = FAMILIES.iter().find(|family| **family == keyword);
    let (at, text, candidates) = match family {
        Some(family) => unknown_member(family, line, places),
        None => {
            let text = format!("unknown keyword '{keyword}' in '{section}' section");
            (0, text, keyword::names(places).map(first_word).collect())
        }
    };
    let written = line.word(at).unwrap_or("");
    let elsewhere = at == 0 && keyword::names(Places::ALL).any(|name| first_word(name) == keyword);
    let near = nearest(written, candidates);
    let text = match near {
        Some(near) if at == 0 || keyword == "option" => {
            format!("{}; did you mean '{near}' maybe ?", text.trim_end_matches('.'))
        }
        _ => text,
    };
    let help = match elsewhere {
        true => format!("'{keyword}' belongs into another section"),
        false => did_you_mean(near),
    };
    report.alert(line, line.span(at), text).help(help);
}

/// The help for a word that no keyword of that place is.
pub(super) fn did_you_mean(near: Option<&str>) -> String {
    match near {
        Some(near) => format!("did you mean '{near}'?"),
        None => "no keyword of HAProxy's is near; README.md lists what works".to_owned(),
    }
}

/// First words that say little without the second.
const FAMILIES: [&str; 8] =
    ["option", "timeout", "stats", "tcp-request", "tcp-response", "stick", "email-alert", "external-check"];

fn unknown_member<'a>(family: &str, line: &Line, places: Places) -> (usize, String, Vec<&'a str>) {
    let members: Vec<&'static str> = keyword::names(places)
        .filter_map(|name| name.split_once(' ').filter(|(first, _)| *first == family))
        .map(|(_, rest)| rest)
        .collect();
    let got = line.word(1).unwrap_or("");
    let text = match (family, got) {
        ("option", "") => "'option' expects an option name.".to_owned(),
        ("option", _) => format!("unknown option '{got}'."),
        _ => format!("'{family}' supports '{}' (got '{got}')", members.join("', '")),
    };
    (1, text, members)
}

fn first_word(name: &'static str) -> &'static str {
    name.split(' ').next().unwrap_or(name)
}

/// Deals with a row that is not honoured; true when it was honoured and must be read.
pub(super) fn is_honoured(row: &'static Keyword, line: &Line, at: usize, report: &mut Report) -> bool {
    let no_effect = |why| format!("'{}' has no effect here: {why}.", row.words);
    let span = span(row, line, at);
    match row.support {
        Support::Honoured(_) => return true,
        Support::Refused(refusal) => refuse(row, refusal, line, at, report),
        Support::Ignored(Ignored::Told(why)) => {
            report.diag(line, span, no_effect(why));
        }
        Support::Ignored(Ignored::Silent | Ignored::Http { .. }) => {}
    }
    false
}
