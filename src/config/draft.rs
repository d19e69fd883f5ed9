//! What the lines of a configuration say, section by section, before references are resolved.

use std::sync::Arc;

use super::diagnostic::Report;
use super::global::LogTargets;
use super::lexer::{Line, Word};
use super::model::{Config, Global, ProxyKind, Template, Tune};
use super::proxy::{Section, Settings, Surroundings};
use super::resolve;
use super::supplies::{Supplies, Wants};
use crate::rules::{List, number};

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
    global: Global,
    logs: LogTargets,
    defaults: Vec<Section>,
    proxies: Vec<Section>,
    lists: Vec<Arc<List>>,
    /// Whether the section opened last is a proxy.
    in_proxy: bool,
}

impl Draft {
    /// An empty one; `supplies` answers for host names.
    pub fn new(supplies: Supplies) -> Draft {
        Draft {
            supplies,
            global: Global::default(),
            logs: LogTargets::default(),
            defaults: Vec::new(),
            proxies: Vec::new(),
            lists: Vec::new(),
            in_proxy: false,
        }
    }

    /// The settings that conditions may ask about, so far.
    pub fn tune(&self) -> &Tune {
        &self.global.tune
    }

    /// A line of a `global` section.
    pub fn global_line(&mut self, line: &Line, report: &mut Report) {
        self.global.line(line, &mut self.logs, &mut self.supplies, report);
    }

    /// A `defaults` section begins; `opening.defaults` is the one it starts from.
    pub fn open_defaults(&mut self, opening: &Opening<'_>) {
        let section = self.section(None, opening);
        self.defaults.push(section);
        self.in_proxy = false;
    }

    /// A frontend, backend or listen section begins; its name was checked already, duplicates too.
    pub fn open_proxy(&mut self, kind: ProxyKind, opening: &Opening<'_>) {
        let section = self.section(Some(kind), opening);
        self.proxies.push(section);
        self.in_proxy = true;
    }

    fn section(&self, kind: Option<ProxyKind>, opening: &Opening<'_>) -> Section {
        let base = opening.defaults.and_then(|index| self.defaults.get(index));
        let settings = base.map_or_else(Settings::default, |base| base.settings.clone());
        let name = opening.name.map_or("", |word| word.text.as_str());
        Section::new(kind, name, opening.line, settings)
    }

    /// A line of the defaults or proxy section opened last.
    pub fn proxy_line(&mut self, line: &Line, report: &mut Report) {
        let sections = if self.in_proxy { &mut self.proxies } else { &mut self.defaults };
        let Some(section) = sections.last_mut() else { return };
        let mut around = Surroundings {
            global_logs: &self.global.logs,
            described: self.global.description.is_some(),
            logs: &mut self.logs,
            supplies: &mut self.supplies,
            lists: &mut self.lists,
            report,
        };
        section.line(line, &mut around);
    }

    /// Resolves every reference. None when there is an alert.
    pub fn finish(self, report: &mut Report) -> (Option<Config>, Wants) {
        let Draft { mut lists, supplies, .. } = self;
        number(&mut lists);
        let config = resolve::config(self.global, self.logs.0, &self.proxies, report);
        let templates = self.defaults.iter().filter(|section| !section.name.is_empty());
        let templates: Vec<Template> = templates.map(resolve::template).collect();
        (config.map(|config| Config { lists, templates, ..config }), supplies.into_wants())
    }
}
