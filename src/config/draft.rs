//! What the lines of a configuration say, section by section, before references are resolved.

use super::diagnostic::Report;
use super::lexer::{Line, Word};
use super::model::{Config, ProxyKind};
use super::supplies::{Supplies, Wants};

/// The line that opens a defaults or proxy section.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// The whole line.
    pub line: &'a Line,
    /// The section's name; only a defaults section may have none.
    pub name: Option<&'a Word>,
    /// Which defaults section applies, counted from 0 in the order of [`Draft::open_defaults`].
    pub defaults: Option<usize>,
}

/// A configuration that is being read.
#[derive(Debug)]
pub struct Draft {
    supplies: Supplies,
}

impl Draft {
    /// An empty one; `supplies` answers for host names.
    pub fn new(supplies: Supplies) -> Draft {
        Draft { supplies }
    }

    /// A line of a `global` section.
    pub fn global_line(&mut self, _line: &Line, _report: &mut Report) {}

    /// A `defaults` section begins; `opening.defaults` is the one it starts from.
    pub fn open_defaults(&mut self, _opening: &Opening<'_>, _report: &mut Report) {}

    /// A frontend, backend or listen section begins; its name was checked already, duplicates too.
    pub fn open_proxy(&mut self, _kind: ProxyKind, _opening: &Opening<'_>, _report: &mut Report) {}

    /// A line of the defaults or proxy section opened last.
    pub fn proxy_line(&mut self, _line: &Line, _report: &mut Report) {}

    /// Resolves every reference. None when there is an alert.
    pub fn finish(self, _report: &mut Report) -> (Option<Config>, Wants) {
        (None, self.supplies.into_wants())
    }
}
