//! What `-dK`, `-dC`, `-dL` and `-dc` print on standard output once the configuration is good.

mod cpus;
mod keywords;
mod libraries;

pub(super) use keywords::SERVICES;

use std::process::ExitCode;

use super::Invocation;
use super::files::Files;
use super::load;
use super::report;
use super::sources;
use crate::config;
use crate::config::dump::{Style, dump};
use crate::config::model::Global;

/// Which of them are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dumps {
    /// `-dK`: the classes, by comma.
    pub keywords: Option<String>,
    /// `-dC`: nothing else is done then.
    pub config: Option<Style>,
    /// `-dL`.
    pub libraries: bool,
    /// `-dc`.
    pub cpus: bool,
}

/// All but `-dC`.
pub(super) fn show(wanted: &Dumps, global: &Global) {
    let mut text = String::new();
    if wanted.libraries {
        text += &libraries::listing();
    }
    if let Some(classes) = &wanted.keywords {
        text += &keywords::listing(classes);
    }
    if wanted.cpus {
        text += &cpus::listing(global);
    }
    report::answer(&text);
}

/// `-dC`: whatever is wrong with the configuration is said first, and decides the status.
pub(super) fn show_config(invocation: &Invocation, style: Style) -> ExitCode {
    let good = load::load(invocation).is_some();
    let Ok(texts) = Files::new(&invocation.files).read() else { return ExitCode::FAILURE };
    let environment = load::environment_for(&texts, invocation, sources::has_master());
    report::answer(&dump(&config::tokens(&texts, &environment), style));
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
