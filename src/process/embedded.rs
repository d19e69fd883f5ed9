//! The gateway inside another program's main, as the demonstration runs it.

use std::process::ExitCode;
use std::time::Instant;

use super::control::Ending;
use super::{Invocation, Loaded, diagnostics, launch, load, sources};
use crate::config::{self, Source};

/// Runs a configuration given as text until SIGTERM, SIGINT or SIGUSR1, and returns then: a signal that
/// ends it is no failure here, and the caller still has something to say.
pub fn embedded(text: &str) -> ExitCode {
    let began = Instant::now();
    let invocation = Invocation::default();
    diagnostics::start(invocation.debug);
    let source = Source { name: "haproxy.cfg".to_owned(), text: text.as_bytes().to_vec() };
    let environment = sources::environment(&[], None);
    let (config, said) = config::parse(&[source], &environment, &config::Supplies::default());
    load::tell(&said, &invocation);
    let Some(config) = config else { return ExitCode::FAILURE };
    match launch::conduct(
        Loaded { config, warnings: 0, supplies: config::Supplies::default(), states: Default::default() },
        &invocation,
        began,
    ) {
        Ok(Ending::Finished | Ending::Signal(_)) => ExitCode::SUCCESS,
        Ok(failed @ Ending::Failed(_)) => failed.leave(),
        Err(status) => status,
    }
}
