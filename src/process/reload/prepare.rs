//! All of a reload that reads, looks up, binds and opens. It blocks: not for the control thread.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
use crate::config::address::HostName;
use crate::config::align::{Full, align};
use crate::config::model::{BindId, Config, ListenAddress, LogAddress, Server, ServerStates};
use crate::config::{Diagnostic, Supplies};
use crate::log;

/// Where the configuration came from.
#[derive(Debug)]
pub struct Origin {
    /// The command line, which wins over the files.
    pub invocation: Invocation,
    /// The files.
    pub files: Files,
    /// What was looked up for the configuration that runs: who knows names may be hidden by a chroot, or silent now.
    pub supplies: Mutex<Supplies>,
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
    let Read { mut config, mut said, supplies } = read(origin)?;
    for note in keep_settled(&base.global, &mut config.global, budget) {
        said.push_str(&report::line(Severity::Warning, &note));
    }
    let full = |Full { what }| {
        report::line(Severity::Alert, &format!("too many {what} have come and gone: a restart is needed."))
    };
    let mut next = align(&base, config).map_err(full)?;
    take_last(&base, &mut next);
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
    *known(origin) = supplies;
    Ok(Prepared { base, next: Arc::new(next), sockets, gone, logs, said })
}

/// A configuration as its files have it, warnings about it, and what was looked up for it.
struct Read {
    config: Config,
    said: String,
    supplies: Supplies,
}

fn known(origin: &Origin) -> MutexGuard<'_, Supplies> {
    origin.supplies.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(origin: &Origin) -> Result<Read, String> {
    let Origin { invocation, files, steward, .. } = origin;
    let has_master = sources::has_master();
    let gathered = match steward {
        None => load::gather(files, invocation, has_master),
        Some(steward) => steward
            .read()
            .unwrap_or_else(|error| Err(format!("the master does not read the configuration : {error}"))),
    };
    let mut material = gathered.map_err(|text| report::line(Severity::Alert, &text))?;
    let stale = fall_back(&mut material.supplies, &known(origin), files.are_kept());
    let Reading { config, mut diagnostics, supplies } =
        load::parse_material(material, invocation, has_master);
    diagnostics.extend(stale);
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
    Ok(Read { config, said, supplies })
}

/// What nobody knows now is as it was: a server that has an address goes on there while names cannot be looked up.
/// Warnings about that, where names are not `hidden` from this process for good.
fn fall_back(supplies: &mut Supplies, former: &Supplies, hidden: bool) -> Vec<Diagnostic> {
    if hidden {
        supplies.fall_back_on(former);
        return Vec::new();
    }
    let warning = |(host, why, address): (HostName, String, IpAddr)| {
        let text = format!("could not resolve address '{}' ({why}): {address} stays.", host.name);
        Diagnostic::bare(Severity::Warning, text)
    };
    supplies.keep_addresses(former).into_iter().map(warning).collect()
}

/// `init-addr last`: where a backend carries the states of its servers from one process to the next, the address that
/// a server has comes before the one that its name leads to.
fn take_last(running: &Config, next: &mut Config) {
    for (before, proxy) in running.proxies.iter().zip(&mut next.proxies) {
        if proxy.server_states == ServerStates::None || before.removed {
            continue;
        }
        for server in proxy.servers.iter_mut().filter(|server| server.takes_last) {
            let same =
                |other: &&Server| other.name == server.name && other.host == server.host && !other.unresolved;
            if let Some(before) = before.servers.iter().find(same) {
                (server.address, server.unresolved) = (before.address.clone(), false);
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::address::HostFamily;
    use crate::config::{Environment, Source, parse};

    fn host(name: &str) -> HostName {
        HostName { name: name.to_owned(), family: HostFamily::Any }
    }

    /// A backend with these lines and a server of a name that leads to `ip`; None: to nothing.
    fn config(lines: &str, ip: Option<[u8; 4]>) -> Config {
        let mut supplies = Supplies::default();
        supplies.hosts.add(host("c"), ip.map(IpAddr::from).ok_or_else(|| "no".to_owned()));
        let text =
            format!("backend b\n  mode tcp\n{lines}  server s c:1 init-addr last,libc,none\n").into_bytes();
        let sources = [Source { name: "h.cfg".to_owned(), text }];
        parse(&sources, &Environment::default(), &supplies).0.expect("accepted")
    }

    #[test]
    fn the_last_address_counts_where_states_are_carried() {
        let running = config("", Some([10, 0, 0, 1]));
        for (lines, ip, then) in [
            ("", Some([10, 0, 0, 2]), [10, 0, 0, 2]),
            ("  load-server-state-from-file local\n", Some([10, 0, 0, 2]), [10, 0, 0, 1]),
            ("  load-server-state-from-file local\n", None, [10, 0, 0, 1]),
        ] {
            let mut next = config(lines, ip);
            take_last(&running, &mut next);
            let server = &next.proxies[0].servers[0];
            let address = crate::config::model::ServerAddress::Tcp((then, 1).into());
            assert_eq!((&server.address, server.unresolved), (&address, false), "{lines}{ip:?}");
        }
        let carried = "  load-server-state-from-file local\n";
        let mut next = config(carried, Some([10, 0, 0, 2]));
        take_last(&config(carried, None), &mut next);
        assert!(!next.proxies[0].servers[0].unresolved, "it had none");
    }

    #[test]
    fn names_that_nobody_knows_are_told_unless_they_are_hidden() {
        let (mut former, mut now) = (Supplies::default(), Supplies::default());
        former.hosts.add(host("c"), Ok(IpAddr::from([10, 0, 0, 1])));
        now.hosts.add(host("c"), Err("no".to_owned()));
        let told = fall_back(&mut now.clone(), &former, false);
        let text = "could not resolve address 'c' (no): 10.0.0.1 stays.";
        assert_eq!(told.iter().map(|said| said.text.as_str()).collect::<Vec<_>>(), [text]);
        assert!(fall_back(&mut now, &former, true).is_empty());
        assert_eq!(now.hosts.of(&host("c")), Ok(IpAddr::from([10, 0, 0, 1])));
    }
}
