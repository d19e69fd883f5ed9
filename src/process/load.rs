//! From the command line to a checked configuration, with everything said on the way.

use std::path::{Path, PathBuf};

use super::files::Files;
use super::invocation::Invocation;
use super::report;
use super::sources::{self, Unreadable};
use super::states::{self, States};
use super::steward::Material;
use crate::config::conditional::{self, World};
use crate::config::diagnostic::{Banner, render};
use crate::config::model::{Config, Global};
use crate::config::{self, Diagnostic, Environment, Severity, Source, Supplies};
use crate::process::error::strerror;

/// HAProxy's words.
pub(super) const ZERO_WARNING: &str = "Some warnings were found and 'zero-warning' is set. Aborting.";
const IDLE_CONSOLE: &str = "a master CLI socket was defined, but master-worker mode (-W) is not enabled.";
/// HAProxy's words too.
pub(super) const NO_LISTENER: &str =
    "[haproxy.main()] No enabled listener found (check for 'bind' directives) ! Exiting";

/// What reading the configuration came to.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration with the command line's settings in it.
    pub config: Config,
    /// Warnings that were shown.
    pub warnings: usize,
    /// What was looked up for it.
    pub supplies: Supplies,
    /// What the process before left in files.
    pub states: States,
}

/// A configuration as its files have it.
#[derive(Debug)]
pub(super) struct Reading {
    /// None: one of the diagnostics is an alert.
    pub config: Option<Config>,
    pub diagnostics: Vec<Diagnostic>,
    pub supplies: Supplies,
}

/// Reads, parses and checks the configuration. None: refused, and everything was said.
pub fn load(invocation: &Invocation) -> Option<Loaded> {
    let Reading { config, mut diagnostics, supplies } = parse(invocation)?;
    let masters = invocation.master || sources::has_master();
    let is_master = masters || config.as_ref().is_none_or(|config| config.global.master_worker);
    if !invocation.master_sockets.is_empty() && !is_master {
        diagnostics.push(Diagnostic::bare(Severity::Warning, IDLE_CONSOLE));
    }
    tell(&diagnostics, invocation);
    let mut config = config?;
    override_with(&mut config, invocation);
    let states = states::read(&config);
    states.warnings.iter().for_each(|text| report::warning(&format!("config : {text}")));
    let warnings = warnings(&diagnostics) + states.warnings.len();
    if config.global.zero_warning && warnings > 0 {
        report::alert(ZERO_WARNING);
        return None;
    }
    Some(Loaded { config, warnings, supplies, states })
}

pub(super) fn warnings(diagnostics: &[Diagnostic]) -> usize {
    diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Warning).count()
}

/// What a master needs to know of a configuration, without a word about it: its workers read it themselves. None:
/// it cannot be read.
pub fn glance(invocation: &Invocation) -> Option<Global> {
    let material = gather(&Files::new(&invocation.files), invocation, true).ok()?;
    config_of(material, invocation).map(|config| config.global)
}

/// `-C`: what the command line and the configuration name is below that directory. False: it cannot be entered,
/// and that was said.
pub(super) fn enter(directory: Option<&Path>) -> bool {
    let Some(directory) = directory else { return true };
    let entered = std::env::set_current_dir(directory).inspect_err(|errno| {
        let (directory, errno) = (directory.display(), strerror(errno));
        report::alert(&format!("Could not change to directory {directory} : {errno}"));
    });
    entered.is_ok()
}

fn parse(invocation: &Invocation) -> Option<Reading> {
    let has_master = sources::has_master();
    let material = gather(&Files::new(&invocation.files), invocation, has_master);
    let material = material.inspect_err(|text| report::alert(text)).ok()?;
    Some(parse_material(material, invocation, has_master))
}

/// Reads all files and looks up what they ask for. The error is an alert's text.
pub(super) fn gather(files: &Files, invocation: &Invocation, has_master: bool) -> Result<Material, String> {
    let texts = files.read().map_err(|unreadable| unread(&unreadable))?;
    if texts.is_empty() {
        let given: Vec<_> = invocation.files.iter().map(|path| path.display().to_string()).collect();
        let (given, help) =
            (given.join(" "), "give a file itself, or a directory with files named like 'a.cfg'");
        return Err(format!("config : No *.cfg file found in {given}\n  = help: {help}"));
    }
    let environment = environment_for(&texts, invocation, has_master);
    let supplies = sources::supply(&texts, &environment, invocation.ipv4_first);
    Ok(Material { sources: texts, supplies })
}

/// HAProxy's words, then cause and remedy.
fn unread(Unreadable { path, errno }: &Unreadable) -> String {
    let failed = match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => "Cannot open configuration directory",
        Ok(_) => "Could not open configuration file",
        Err(_) => "Cannot open configuration file/directory",
    };
    let path = path.display();
    let help = match errno.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR) => {
            "there is nothing of that name: check -f, and -C or the directory of the start".to_owned()
        }
        Some(libc::EACCES | libc::EPERM) => {
            format!("this user may not read it: 'namei -l {path}' shows owners and modes on the way")
        }
        _ => format!("the file system refuses it: 'stat {path}' and 'dmesg' may say why"),
    };
    format!("config : {failed} {path} : {}\n  = help: {help}", strerror(errno))
}

/// Parses what was read.
pub(super) fn parse_material(material: Material, invocation: &Invocation, has_master: bool) -> Reading {
    let Material { sources, mut supplies } = material;
    supplies.skip_unresolved = invocation.skip_unresolved;
    let environment = environment_for(&sources, invocation, has_master);
    let (config, diagnostics) = config::parse(&sources, &environment, &supplies);
    Reading { config, diagnostics, supplies }
}

/// The configuration as a master's worker has it, without a word about it. None: it is refused.
pub(super) fn config_of(material: Material, invocation: &Invocation) -> Option<Config> {
    let mut config = parse_material(material, invocation, true).config?;
    override_with(&mut config, invocation);
    Some(config)
}

/// The environment that a configuration of these files sees.
pub(super) fn environment_for(sources: &[Source], invocation: &Invocation, has_master: bool) -> Environment {
    let names: Vec<PathBuf> = sources.iter().map(|source| PathBuf::from(&source.name)).collect();
    sources::environment_of(&names, invocation.local_peer.as_deref(), has_master)
}

/// Shows what is to be said about a configuration.
pub(super) fn tell(diagnostics: &[Diagnostic], invocation: &Invocation) {
    let notices = report::introduction();
    let banner = Banner { pid: std::process::id(), notices: &notices, show_diag: invocation.diagnostics };
    report::raw(&render(diagnostics, &banner));
}

/// The same as text, for who knows already which process this is.
pub(super) fn shown(diagnostics: &[Diagnostic], invocation: &Invocation) -> String {
    render(diagnostics, &Banner { pid: std::process::id(), notices: &[], show_diag: invocation.diagnostics })
}

/// The command line wins over the configuration.
pub(super) fn override_with(config: &mut Config, invocation: &Invocation) {
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
    conditional::evaluate_argument(text, world).map_err(|why| format!("config : {why}"))
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
