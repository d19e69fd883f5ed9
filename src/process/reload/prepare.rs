//! All of a reload that reads, looks up, binds and opens. It blocks: not for the control thread.

use std::sync::Arc;

use super::super::error::StartError;
use super::super::files::Files;
use super::super::invocation::Invocation;
use super::super::limits::Budget;
use super::super::listen::Sockets;
use super::super::load::{self, Reading};
use super::super::report::{self, Severity};
use super::super::sources;
use super::super::steward::Steward;
use super::settled::keep_settled;
use crate::config::Supplies;
use crate::config::align::{Full, align};
use crate::config::model::{BindId, Config, ListenAddress, LogAddress};
use crate::log;

/// Where the configuration came from.
#[derive(Debug)]
pub struct Origin {
    /// The command line, which wins over the files.
    pub invocation: Invocation,
    /// The files.
    pub files: Files,
    /// Names as they were at the start: a chroot hides who knows them.
    pub supplies: Supplies,
    /// The master's, who has kept its rights.
    pub steward: Option<Steward>,
}

/// A configuration that can be followed at once.
pub struct Prepared {
    /// What it was made from.
    pub base: Arc<Config>,
    /// What it is.
    pub next: Arc<Config>,
    /// Of addresses that are new.
    pub sockets: Sockets,
    /// Addresses that are no more.
    pub gone: Vec<BindId>,
    /// Log targets that are new.
    pub logs: log::Additions,
    /// Warnings, in HAProxy's form.
    pub said: String,
}

/// Reads everything again. The error is what HAProxy would say on standard error.
pub fn prepare(
    origin: &Origin,
    base: Arc<Config>,
    budget: Budget,
    workers: usize,
) -> Result<Prepared, String> {
    let prepared = attempt(origin, base, budget, workers);
    if let (Err(_), Some(steward)) = (&prepared, &origin.steward) {
        steward.forget();
    }
    prepared
}

fn attempt(origin: &Origin, base: Arc<Config>, budget: Budget, workers: usize) -> Result<Prepared, String> {
    let (read, mut said) = read(origin)?;
    let mut config = read;
    for note in keep_settled(&base.global, &mut config.global, budget) {
        said.push_str(&report::line(Severity::Warning, &note));
    }
    let full = |Full { what }| {
        report::line(Severity::Alert, &format!("too many {what} have come and gone: a restart is needed."))
    };
    let next = align(&base, config).map_err(full)?;
    let refuse = |said: &str, errors: &[StartError]| {
        said.to_owned() + &errors.iter().map(report::start_error_text).collect::<String>()
    };
    let new = differing(&next, &base);
    if origin.steward.is_none() {
        hidden_paths(&next, &new).map_err(|error| refuse(&said, &[error]))?;
    }
    let mut sockets = Sockets::bind_only(&next, workers, &new, origin.steward.as_ref())
        .map_err(|errors| refuse(&said, &explained(errors, origin)))?;
    let open_log = origin.steward.as_ref().map(|steward| |address: &LogAddress| steward.open_log(address));
    let opener = open_log.as_ref().map(|open| open as log::Opener<'_>);
    let logs = log::additions(&next, &base, opener).map_err(|error| refuse(&said, &[error]))?;
    sockets.publish().map_err(|error| refuse(&said, &[error]))?;
    if let Some(Err(text)) = origin.steward.as_ref().map(Steward::publish) {
        return Err(said + &report::line(Severity::Alert, &text));
    }
    sockets.hear(&next).map_err(|error| refuse(&said, &[error]))?;
    let gone = differing(&base, &next);
    Ok(Prepared { base, next: Arc::new(next), sockets, gone, logs, said })
}

fn read(origin: &Origin) -> Result<(Config, String), String> {
    let Origin { invocation, files, supplies, steward } = origin;
    let former = files.are_kept().then_some(supplies);
    let reading = match steward {
        None => load::read(files, invocation, former),
        Some(steward) => match steward.read() {
            Ok(material) => material.map(|material| load::parse_material(material, invocation, true)),
            Err(error) => Err(format!("the master does not read the configuration : {error}")),
        },
    };
    let Reading { config, diagnostics, .. } = reading.map_err(|text| report::line(Severity::Alert, &text))?;
    let said = load::shown(&diagnostics, invocation);
    let Some(mut config) = config else { return Err(said) };
    load::override_with(&mut config, invocation);
    // Its master has gone to the background for it.
    config.global.daemon &= !sources::has_master();
    if config.global.zero_warning && load::warnings(&diagnostics) > 0 {
        return Err(said + &report::line(Severity::Alert, load::ZERO_WARNING));
    }
    let nobody = config.binds().next().is_none() && config.global.stats_sockets.is_empty();
    if nobody {
        return Err(said + &report::line(Severity::Alert, load::NO_LISTENER));
    }
    Ok((config, said))
}

/// Addresses that `config` listens on and `other` does not.
fn differing(config: &Config, other: &Config) -> Vec<BindId> {
    let listens = |config: &Config, id: BindId| {
        let bind = config.binds.get(usize::from(id.0)).filter(|bind| !bind.removed);
        bind.is_some_and(|bind| !config.proxies[usize::from(bind.proxy.0)].disabled)
    };
    let all = config.binds().map(|(id, _)| id);
    all.filter(|&id| listens(config, id) && !listens(other, id)).collect()
}

/// Under a chroot the path of a Unix socket would name another one.
fn hidden_paths(config: &Config, new: &[BindId]) -> Result<(), StartError> {
    if config.global.chroot.is_none() {
        return Ok(());
    }
    for bind in new.iter().map(|id| &config.binds[usize::from(id.0)]) {
        if let ListenAddress::Unix(path) = &bind.address {
            return Err(StartError::new(format!("Binding [{}]: cannot bind UNIX socket", bind.declared_at))
                .on(path.display())
                .with_cause("chroot hides its path from the running process")
                .with_remedy("restart"));
        }
    }
    Ok(())
}

/// A process that has given up root's rights may not do what it did at its start; its master may.
fn explained(mut errors: Vec<StartError>, origin: &Origin) -> Vec<StartError> {
    for error in errors.iter_mut().filter(|_| origin.steward.is_none()) {
        if error.cause.contains("belong to root") || error.cause.contains("need rights") {
            error.cause = format!("{}, and this process has given its rights up", error.cause);
            error.remedy =
                "restart, or give the executable the capability (setcap cap_net_bind_service=ep)".to_owned();
        }
    }
    errors
}
