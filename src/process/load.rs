//! From the command line to a checked configuration, with everything said on the way.

use super::invocation::Invocation;
use super::report;
use super::sources::{self, Unreadable};
use crate::config::conditional::{self, World};
use crate::config::diagnostic::{Banner, render};
use crate::config::model::Config;
use crate::config::{self, Diagnostic, Environment, Severity};
use crate::process::error::strerror;

/// What reading the configuration came to.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration with the command line's settings in it.
    pub config: Config,
    /// Warnings that were shown.
    pub warnings: usize,
}

/// Reads, parses and checks the configuration. None: refused, and everything was said.
pub fn load(invocation: &Invocation) -> Option<Loaded> {
    let (config, diagnostics) = parse(invocation)?;
    tell(&diagnostics, invocation);
    let mut config = config?;
    override_with(&mut config, invocation);
    let warnings = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Warning).count();
    if config.global.zero_warning && warnings > 0 {
        report::alert("Some warnings were found and 'zero-warning' is set. Aborting.");
        return None;
    }
    Some(Loaded { config, warnings })
}

fn parse(invocation: &Invocation) -> Option<(Option<Config>, Vec<Diagnostic>)> {
    if let Some(directory) = &invocation.directory
        && let Err(errno) = std::env::set_current_dir(directory)
    {
        let (directory, errno) = (directory.display(), strerror(&errno));
        report::alert(&format!("Could not change to directory {directory} : {errno}"));
        return None;
    }
    let files = readable(sources::expand(&invocation.files))?;
    if files.is_empty() {
        let given: Vec<_> = invocation.files.iter().map(|path| path.display().to_string()).collect();
        report::alert(&format!("config : No *.cfg file found in {}", given.join(" ")));
        return None;
    }
    let texts = readable(sources::read(&files))?;
    let environment = sources::environment(&files, invocation.local_peer.as_deref());
    let supplies = sources::fetch(config::wants(&texts, &environment), invocation.ipv4_first);
    Some(config::parse(&texts, &environment, &supplies))
}

fn readable<T>(result: Result<T, Unreadable>) -> Option<T> {
    result
        .inspect_err(|Unreadable { path, errno }| {
            let (path, errno) = (path.display(), strerror(errno));
            report::alert(&format!("config : Cannot open configuration file/directory {path} : {errno}"));
        })
        .ok()
}

/// Shows what is to be said about a configuration.
pub(super) fn tell(diagnostics: &[Diagnostic], invocation: &Invocation) {
    let notices = report::introduction();
    let banner = Banner { pid: std::process::id(), notices: &notices, show_diag: invocation.diagnostics };
    report::raw(&render(diagnostics, &banner));
}

/// The command line wins over the configuration.
fn override_with(config: &mut Config, invocation: &Invocation) {
    let global = &mut config.global;
    global.maxconn = invocation.maxconn.filter(|&n| n > 0).or(global.maxconn);
    global.daemon = (global.daemon || invocation.daemon) && !invocation.foreground;
    global.quiet = (global.quiet || invocation.quiet) && !invocation.verbose;
    global.zero_warning |= invocation.zero_warning;
    if let Some(pidfile) = &invocation.pidfile {
        global.pidfile = Some(pidfile.clone());
    }
    global.tune.splice &= !invocation.no_splice;
    global.tune.reuseport &= !invocation.no_reuseport;
    let default = invocation.proxy_maxconn.filter(|&n| n > 0);
    for proxy in config.proxies.iter_mut().filter(|proxy| proxy.kind.is_frontend()) {
        proxy.maxconn = proxy.maxconn.or(default);
    }
}

/// What `-c` prints about a configuration without errors.
pub fn verdict(loaded: &Loaded, invocation: &Invocation) -> String {
    if invocation.quiet {
        return String::new();
    }
    let warnings = if loaded.warnings > 0 { "Warnings were found.\n" } else { "" };
    let valid = if invocation.verbose { "Configuration file is valid\n" } else { "" };
    format!("{warnings}{valid}")
}

/// `-cc`: the value of a condition, or why it has none.
pub fn condition(text: &str) -> Result<bool, String> {
    let environment: Environment = sources::environment(&[], None);
    let world = World { environment: &environment, splice: true, reuseport: true };
    conditional::evaluate(text, world).map_err(|error| format!("{} ({})", error.text, error.help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_wins() {
        let mut config = Config::default();
        config.global.maxconn = Some(5);
        config.global.daemon = true;
        let invocation = Invocation {
            maxconn: Some(7),
            foreground: true,
            no_splice: true,
            pidfile: Some("/run/p".into()),
            ..Invocation::default()
        };
        override_with(&mut config, &invocation);
        assert_eq!(config.global.maxconn, Some(7));
        assert!(!config.global.daemon && !config.global.tune.splice && config.global.tune.reuseport);
        assert_eq!(config.global.pidfile, Some("/run/p".into()));
    }

    #[test]
    fn conditions_have_three_answers() {
        assert_eq!(condition("1"), Ok(true));
        assert_eq!(condition("0"), Ok(false));
        assert!(condition("nonsense(").is_err());
    }
}
