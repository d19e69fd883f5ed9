//! haproxy.cfg: text in, [`model::Config`] and diagnostics out. Pure.
//!
//! lex -> keyword table -> draft -> resolve -> [`model::Config`]. Every error of every file is
//! reported, not the first. What only the machine knows (addresses of host names) is first
//! collected by [`wants`], fetched by the caller and handed to [`parse`] as [`Supplies`].

pub mod address;
mod advice;
pub mod align;
mod arguments;
pub mod backends;
mod balance_line;
mod bind;
pub mod conditional;
pub mod diagnostic;
pub mod draft;
pub mod dump;
pub mod dynamic;
pub mod environment;
mod global;
pub mod guid;
pub mod keyword;
pub mod lexer;
pub mod lists;
mod log_line;
pub mod model;
mod proxy;
mod resolve;
pub mod section;
mod server;
pub mod suggest;
pub mod supplies;
mod support;
pub mod value;

pub use diagnostic::{Diagnostic, Report, Severity};
pub use environment::Environment;
pub use supplies::{Answers, Supplies, Wants};

use draft::Draft;
use model::Config;
use section::Walker;

/// One configuration file.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Its name as given, shown in messages.
    pub name: String,
    /// Its bytes.
    pub text: Vec<u8>,
}

/// Reads a configuration with the answers to what [`wants`] asked for. The result is None exactly when a
/// diagnostic is an alert.
pub fn parse(
    sources: &[Source],
    environment: &Environment,
    supplies: &Supplies,
) -> (Option<Config>, Vec<Diagnostic>) {
    let mut report = Report::default();
    let (config, wants) = read(sources, environment, supplies.clone(), &mut report);
    if let Some(name) = wants.names().next()
        && report.alerts() == 0
    {
        report.push(Diagnostic::bare(Severity::Alert, format!("'{name}' has not been looked up.")));
    }
    let refused = report.alerts() > 0;
    if refused {
        report.push(Diagnostic::bare(Severity::Alert, "Fatal errors found in configuration."));
    }
    (config.filter(|_| !refused), report.into_diagnostics())
}

/// What must be fetched, beside what was, before [`parse`] can resolve this configuration. A file that was
/// fetched may name hosts.
pub fn wants(sources: &[Source], environment: &Environment, fetched: &Supplies) -> Wants {
    read(sources, environment, fetched.clone(), &mut Report::default()).1
}

/// Every line that is read, in words: comments, `.if` and the branches not taken are gone.
pub fn tokens(sources: &[Source], environment: &Environment) -> Vec<lexer::Line> {
    let mut report = Report::default();
    let mut walker = Walker::new(environment.clone(), Draft::new(Supplies::default()), &mut report);
    walker.keep_lines();
    for source in sources {
        walker.file(source);
    }
    walker.into_lines()
}

fn read(
    sources: &[Source],
    environment: &Environment,
    supplies: Supplies,
    report: &mut Report,
) -> (Option<Config>, Wants) {
    let mut walker = Walker::new(environment.clone(), Draft::new(supplies), report);
    for source in sources {
        walker.file(source);
    }
    walker.finish()
}
