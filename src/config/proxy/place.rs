//! Whether a keyword may stand in this kind of section.

use super::Section;
use crate::config::diagnostic::Report;
use crate::config::keyword::{Keyword, Places};
use crate::config::lexer::Line;
use crate::config::support;

/// What becomes of a line by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is read.
    Fits,
    /// It is for the side that is missing: only what is wrong with it is said.
    InVain,
    /// It was refused.
    Refused,
}

/// HAProxy warns of what lacks the other side, and refuses what else does not belong there.
pub(super) fn standing(section: &Section, row: &Keyword, line: &Line, report: &mut Report) -> Standing {
    let words = row.words;
    if section.kind.is_none() && section.name.is_empty() && NAMED_ONLY.contains(&words) {
        let text = format!("'{words}' not allowed in anonymous 'defaults' section.");
        report.alert(line, support::span(row, line, 0), text).help("write it in the proxies that need it");
        return Standing::Refused;
    }
    if row.places.contains(section.place()) {
        return Standing::Fits;
    }
    let Some(side) = missing_side(section, row) else {
        let keyword = section.line.keyword();
        report
            .alert(
                line,
                support::span(row, line, 0),
                format!("'{words}' not allowed in '{keyword}' section."),
            )
            .help("write it in the proxies that need it");
        return Standing::Refused;
    };
    let shown = section.shown();
    if matches!(words, "retry-on" | "declare capture") {
        let name = words.split(' ').next().unwrap_or(words);
        let text = format!("'{name}' only available in {side} or listen section");
        report.alert(line, support::span(row, line, 0), text).help("write it there");
        return Standing::Refused;
    }
    if matches!(words, "server" | "default-server") {
        report
            .alert(line, support::span(row, line, 0), format!("'{words}' not allowed because {shown} has no {side} capability."))
            .help("make it a 'listen' section, or write the servers into a 'backend' and name that as default_backend");
        return Standing::Refused;
    }
    let (span, text) = (support::span(row, line, 0), warning(words, &shown, side));
    let said = match UNCHECKED.iter().any(|name| words.starts_with(name)) {
        true => report.diag(line, span, text),
        false => report.warning(line, span, text),
    };
    said.help(format!("remove it, or write it where there is a {side} side"));
    // HAProxy looks for that backend all the same.
    if words == "default_backend" { Standing::Fits } else { Standing::InVain }
}

/// What a defaults section must have a name for.
const NAMED_ONLY: &[&str] = &["acl", "http-request", "http-response", "http-after-response"];

/// What HAProxy reads without a word where the side it is for is missing.
const UNCHECKED: &[&str] = &["unique-id-", "persist rdp-cookie"];

/// HAProxy takes the form of log lines from frontends only, and says so where a backend names one.
pub(super) fn is_log_form_of_backend(
    section: &Section,
    row: &Keyword,
    line: &Line,
    report: &mut Report,
) -> bool {
    let named = matches!(row.words, "option tcplog" | "option httplog" | "option httpslog");
    if !named || section.place() != Places::BACKEND {
        return false;
    }
    let text = format!("{} : '{}' directive is ignored in backends.", section.shown(), row.words);
    report.warning(line, support::span(row, line, 0), text).help("write it in the frontend");
    true
}

/// The side that the keyword needs and the section lacks.
fn missing_side(section: &Section, row: &Keyword) -> Option<&'static str> {
    match section.place() {
        Places::BACKEND if row.places.contains(Places::FRONTEND) => Some("frontend"),
        Places::FRONTEND if row.places.contains(Places::BACKEND) => Some("backend"),
        _ => None,
    }
}

/// HAProxy leaves the word `option` out, names some families alone, and has another verb for timeouts.
fn warning(words: &str, shown: &str, side: &str) -> String {
    let name = words.strip_prefix("option ").unwrap_or(words);
    let family = name.split(' ').next().filter(|first| matches!(*first, "monitor" | "capture" | "stick"));
    let name = family.unwrap_or(name);
    match name {
        "maxconn" => format!(
            "'maxconn' ignored because {shown} has no {side} capability. Maybe you want 'fullconn' instead ?"
        ),
        "fullconn" => format!(
            "'fullconn' ignored because {shown} has no {side} capability. Maybe you want 'maxconn' instead ?"
        ),
        _ if matches!(name, "rate-limit sessions" | "max-keep-alive-queue") || name.contains("tcpka-") => {
            format!("{name} will be ignored because {shown} has no {side} capability")
        }
        _ if name.starts_with("timeout ") => {
            format!("'{name}' will be ignored because {shown} has no {side} capability")
        }
        _ => format!("'{name}' ignored because {shown} has no {side} capability."),
    }
}
