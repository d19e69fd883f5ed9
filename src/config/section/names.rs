//! The names of sections: which characters, which may not meet, and what `from` refers to.

use crate::config::diagnostic::{Diagnostic, Form, Report, Severity};
use crate::config::lexer::{Line, Word};
use crate::config::model::ProxyKind;
use crate::config::value;

/// The sections seen so far.
#[derive(Debug, Default)]
pub(super) struct Names {
    defaults: Vec<Defaults>,
    proxies: Vec<(ProxyKind, Declared)>,
}

#[derive(Debug)]
struct Declared {
    name: String,
    at: String,
}

/// A defaults section, and in which ways it was used so far.
#[derive(Debug)]
struct Defaults {
    declared: Declared,
    named: bool,
    implied: bool,
}

impl Names {
    /// Adds a defaults section; unnamed ones are counted too.
    pub(super) fn add_defaults(&mut self, name: &str, line: &Line) {
        let declared = Declared { name: name.to_owned(), at: line.declared_at() };
        self.defaults.push(Defaults { declared, named: false, implied: false });
    }

    /// A section begins with these defaults: `named` after `from`, or implied as the last ones above. Which of the
    /// two is meant is easily misread where a file does both with one section.
    pub(super) fn used(&mut self, index: usize, named: bool, line: &Line, report: &mut Report) {
        let defaults = &mut self.defaults[index];
        defaults.named |= named;
        defaults.implied |= !named;
        if !(defaults.named && defaults.implied) {
            return;
        }
        let Declared { name, at } = &defaults.declared;
        let text = format!(
            "defaults section '{name}' (declared at {at}) is explicitly referenced by another proxy and implicitly used here. To avoid any ambiguity don't mix both usage. Add a last defaults section not explicitly used or always use explicit references."
        );
        // haproxy 2.6 says it as an alert and goes on, under -dW too.
        let said = Diagnostic::at(Severity::Overruled, line, line.span(0), text);
        report.push(said).help(format!("write 'from {name}' in each section that is to use it"));
    }

    /// The one that a proxy without `from` uses.
    pub(super) fn last_defaults(&self) -> Option<usize> {
        self.defaults.len().checked_sub(1)
    }

    /// The defaults section that the word after `from` at `from_at` names.
    pub(super) fn from(&self, line: &Line, from_at: usize, what: &str, report: &mut Report) -> Option<usize> {
        let Some(wanted) = line.word(from_at + 1) else {
            report
                .alert(line, line.end(), "'from' expects the name of a defaults section.")
                .help("write the name of a 'defaults NAME' section that stands above");
            return None;
        };
        let owner = if from_at == 1 { "" } else { line.word(1).unwrap_or("") };
        let found: Vec<usize> =
            (0..self.defaults.len()).filter(|index| self.defaults[*index].declared.name == wanted).collect();
        match found[..] {
            [index] => Some(index),
            [] => {
                let text = format!("defaults section '{wanted}' not found for {what} '{owner}'.");
                report.alert(line, line.span(from_at + 1), text).help(self.known());
                None
            }
            [first, .., last] => {
                let (first, second) = (&self.defaults[first].declared.at, &self.defaults[last].declared.at);
                let text = format!(
                    "ambiguous defaults section name '{wanted}' referenced by {what} '{owner}' exists at least at {first} and {second}."
                );
                report
                    .alert(line, line.span(from_at + 1), text)
                    .help("give the two sections different names");
                None
            }
        }
    }

    fn known(&self) -> String {
        let names: Vec<&str> = self
            .defaults
            .iter()
            .map(|defaults| defaults.declared.name.as_str())
            .filter(|name| !name.is_empty())
            .collect();
        match names[..] {
            [] => "no named defaults section stands above: write 'defaults NAME'".to_owned(),
            _ => format!("the named defaults sections above are: {}", names.join(", ")),
        }
    }

    /// Characters of a proxy's name, and no second one of that name on the same side.
    pub(super) fn check(&mut self, kind: ProxyKind, name: &Word, line: &Line, report: &mut Report) {
        let keyword = line.keyword();
        if let Some(odd) = value::odd_in_name(&name.text) {
            let text = format!("character '{odd}' is not permitted in '{keyword}' name '{}'.", name.text);
            report.alert(line, name, text).help(value::NAME_HELP);
        }
        let same =
            self.proxies.iter().find(|(other, declared)| meet(kind, *other) && declared.name == name.text);
        if let Some((other, declared)) = same {
            let (kind, other) = (kind.word(), other.word());
            let name_text = &name.text;
            let text = format!(
                "Parsing [{}]: {kind} '{name_text}' has the same name as {other} '{name_text}' declared at {}.",
                line.declared_at(),
                declared.at
            );
            report.alert(line, name, text).form(Form::Bare).help("give one of them another name");
        }
        let declared = Declared { name: name.text.clone(), at: line.declared_at() };
        self.proxies.push((kind, declared));
    }
}

/// Whether both have a frontend side or both a backend side.
fn meet(a: ProxyKind, b: ProxyKind) -> bool {
    (a.is_frontend() && b.is_frontend()) || (a.is_backend() && b.is_backend())
}
