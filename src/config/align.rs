//! Gives a newly read configuration the identities of the running one, so that counts, sockets and sessions
//! go on under the numbers they have.
//!
//! A proxy is the same when name, kind and mode are; a bind when its socket would be, whoever owns it. What is
//! new stands behind what is there, and what is gone stays in its place, marked as removed. Servers that
//! commands added stay behind those of the file, until the file has one of that name.

use std::collections::HashMap;
use std::hash::Hash;

use super::dynamic::survivors;
use super::model::{
    Bind, BindId, Config, ListenAddress, LogTarget, LogTargetId, Mode, Proxy, ProxyId, ProxyKind, Server,
    SocketPermissions, TcpOptions,
};

mod numbers;
#[cfg(test)]
mod tests;

use numbers::{Wish, numbers};

/// The first automatic id of a proxy: HAProxy keeps 0 and 1 for its own.
const FIRST_PROXY: u32 = 2;
/// The first automatic id of a bind and of a server.
const FIRST: u32 = 1;

/// So many different proxies, binds or log targets came and went that no number is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// `proxies`, `bind addresses`, `servers` or `log targets`.
    pub what: &'static str,
}

/// `read` under the identities of `running`.
pub fn align(running: &Config, read: Config) -> Result<Config, Full> {
    let mut log_targets = read.log_targets;
    let mut proxies = Vec::with_capacity(running.proxies.len());
    for gone in &running.proxies {
        proxies.push(kept_proxy(gone, running, &mut log_targets)?);
    }
    let mut binds: Vec<Bind> =
        running.binds.iter().map(|bind| Bind { removed: true, ..bind.clone() }).collect();
    let places = Places::find(running, &read.proxies, &read.binds)?;
    for (&BindId(at), bind) in places.binds.iter().zip(read.binds) {
        put(&mut binds, at, Bind { proxy: places.proxies[usize::from(bind.proxy.0)], ..bind });
    }
    for (&ProxyId(at), proxy) in places.proxies.iter().zip(read.proxies) {
        let mut proxy = renamed(proxy, &places);
        if let Some(before) = running.proxies.get(usize::from(at)).filter(|before| !before.removed) {
            proxy.servers.extend(survivors(before, &proxy.servers));
            u16::try_from(proxy.servers.len()).map_err(|_| Full { what: "servers" })?;
        }
        put(&mut proxies, at, proxy);
    }
    keep_numbers(running, &mut proxies, &mut binds);
    Ok(Config {
        global: read.global,
        proxies,
        binds,
        log_targets,
        lists: read.lists,
        templates: read.templates,
    })
}

/// Where everything that was read belongs.
struct Places {
    proxies: Vec<ProxyId>,
    binds: Vec<BindId>,
}

impl Places {
    fn find(running: &Config, proxies: &[Proxy], binds: &[Bind]) -> Result<Places, Full> {
        let mut found = vec![None; proxies.len()];
        let known: Vec<_> = running.proxies.iter().map(proxy_key).map(Some).collect();
        let wanted: Vec<_> = proxies.iter().map(proxy_key).collect();
        claim(&known, &wanted, &mut found);
        let proxies_at: Vec<ProxyId> =
            indices(found, running.proxies.len(), "proxies")?.into_iter().map(ProxyId).collect();

        let mut found = vec![None; binds.len()];
        let live = |bind: &Bind| !bind.removed;
        let known: Vec<_> =
            running.binds.iter().map(|bind| live(bind).then(|| (bind.proxy, socket_key(bind)))).collect();
        let owner = |bind: &Bind| proxies_at[usize::from(bind.proxy.0)];
        let wanted: Vec<_> = binds.iter().map(|bind| (owner(bind), socket_key(bind))).collect();
        claim(&known, &wanted, &mut found);
        // An address that goes to another section takes its sockets along; one of the past gets new ones.
        let served = |proxies: &[Proxy], bind: &Bind| proxies[usize::from(bind.proxy.0)].mode == Mode::Tcp;
        let wanted: Vec<_> = binds.iter().map(|bind| (served(proxies, bind), socket_key(bind))).collect();
        for removed in [false, true] {
            let known = running.binds.iter().map(|bind| {
                let key = (served(&running.proxies, bind), socket_key(bind));
                (bind.removed == removed).then_some(key)
            });
            let known: Vec<_> = known.collect();
            claim(&known, &wanted, &mut found);
        }
        let binds = indices(found, running.binds.len(), "bind addresses")?.into_iter().map(BindId).collect();
        Ok(Places { proxies: proxies_at, binds })
    }
}

/// Gives each of `wanted` that has none yet the first of `known` with the same key that nobody has.
fn claim<K: Eq + Hash>(known: &[Option<K>], wanted: &[K], found: &mut [Option<usize>]) {
    let mut taken = vec![false; known.len()];
    found.iter().flatten().for_each(|&at| taken[at] = true);
    let mut free: HashMap<&K, Vec<usize>> = HashMap::new();
    let unclaimed = known.iter().enumerate().rev().filter(|&(at, _)| !taken[at]);
    for (at, key) in unclaimed.filter_map(|(at, key)| Some((at, key.as_ref()?))) {
        free.entry(key).or_default().push(at);
    }
    for (found, key) in found.iter_mut().zip(wanted).filter(|(found, _)| found.is_none()) {
        *found = free.get_mut(key).and_then(Vec::pop);
    }
}

/// What was not found comes behind the `known` ones, in order.
fn indices(found: Vec<Option<usize>>, known: usize, what: &'static str) -> Result<Vec<u16>, Full> {
    let mut next = known..;
    let places = found.into_iter().map(|place| place.or_else(|| next.next()));
    places.map(|at| at.and_then(|at| u16::try_from(at).ok()).ok_or(Full { what })).collect()
}

fn put<T>(all: &mut Vec<T>, at: u16, element: T) {
    match all.get_mut(usize::from(at)) {
        Some(place) => *place = element,
        None => all.push(element),
    }
}

fn proxy_key(proxy: &Proxy) -> (&str, ProxyKind, Mode) {
    (&proxy.name, proxy.kind, proxy.mode)
}

/// All of a bind that its socket is made with.
#[derive(PartialEq, Eq, Hash)]
struct SocketKey<'a> {
    address: &'a ListenAddress,
    /// None: the socket is made by somebody else, and stays the same whatever the line says.
    made_with: Option<(Option<u32>, &'a TcpOptions, &'a SocketPermissions)>,
}

fn socket_key(bind: &Bind) -> SocketKey<'_> {
    let options = (bind.backlog, &bind.tcp, &bind.permissions);
    let made_with = bind.address.inherited().is_none().then_some(options);
    SocketKey { address: &bind.address, made_with }
}

/// A backend that a command added stays, until the file has one of its name.
fn kept_proxy(known: &Proxy, running: &Config, targets: &mut Vec<LogTarget>) -> Result<Proxy, Full> {
    let past = removed_proxy(known, running, targets)?;
    Ok(match known.added && !known.removed {
        true => Proxy { logs: past.logs, ..known.clone() },
        false => past,
    })
}

/// What stays of a proxy that is gone: all that its sessions may still ask for. Its servers too until the next
/// time, for those that are queued or have not chosen one yet.
fn removed_proxy(gone: &Proxy, running: &Config, targets: &mut Vec<LogTarget>) -> Result<Proxy, Full> {
    let log = |id: &LogTargetId| target_in(targets, &running.log_targets[usize::from(id.0)]);
    let logs = gone.logs.iter().map(log).collect::<Result<_, _>>()?;
    let kept = Proxy {
        binds: Vec::new(),
        stats: None,
        exporter: None,
        monitor_uri: None,
        logs,
        removed: true,
        disabled: true,
        ..gone.clone()
    };
    Ok(if gone.removed { Proxy { servers: Vec::new(), ..kept } } else { kept })
}

fn target_in(targets: &mut Vec<LogTarget>, target: &LogTarget) -> Result<LogTargetId, Full> {
    let at = targets.iter().position(|known| known == target).unwrap_or(targets.len());
    if at == targets.len() {
        targets.push(target.clone());
    }
    u16::try_from(at).map(LogTargetId).map_err(|_| Full { what: "log targets" })
}

/// The proxy with its references under the new numbers.
fn renamed(mut proxy: Proxy, places: &Places) -> Proxy {
    let to = |id: ProxyId| places.proxies[usize::from(id.0)];
    proxy.default_backend = proxy.default_backend.map(to);
    proxy.use_backends.iter_mut().for_each(|rule| rule.backend = to(rule.backend));
    proxy.binds.iter_mut().for_each(|bind| *bind = places.binds[usize::from(bind.0)]);
    proxy
}

/// The ids that the statistics show (`iid`, `sid`): automatic ones stay what they were.
fn keep_numbers(running: &Config, proxies: &mut [Proxy], binds: &mut [Bind]) {
    let before = |at: usize| running.proxies.get(at).filter(|proxy| !proxy.removed);
    let mut shown: Vec<(Option<u32>, &mut Proxy)> = Vec::new();
    for (at, proxy) in proxies.iter_mut().enumerate().filter(|(_, proxy)| !proxy.removed) {
        let kept = before(at);
        keep_server_numbers(kept.map_or(&[], |kept| &kept.servers), &mut proxy.servers);
        keep_bind_numbers(&running.binds, &proxy.binds, binds);
        shown.push((kept.map(|kept| kept.id), proxy));
    }
    let wish = |(kept, proxy): &(Option<u32>, &mut Proxy)| Wish {
        read: proxy.id,
        custom: proxy.custom_id,
        kept: *kept,
    };
    let ids = numbers(FIRST_PROXY, &shown.iter().map(wish).collect::<Vec<_>>());
    shown.iter_mut().zip(ids).for_each(|((_, proxy), id)| proxy.id = id);
}

fn keep_server_numbers(running: &[Server], servers: &mut [Server]) {
    let known: HashMap<&str, u32> = running.iter().map(|server| (server.name.as_str(), server.id)).collect();
    let wish = |server: &Server| Wish {
        read: server.id,
        custom: server.custom_id,
        kept: known.get(server.name.as_str()).copied(),
    };
    let ids = numbers(FIRST, &servers.iter().map(wish).collect::<Vec<_>>());
    servers.iter_mut().zip(ids).for_each(|(server, id)| server.id = id);
}

fn keep_bind_numbers(running: &[Bind], own: &[BindId], binds: &mut [Bind]) {
    let wish = |id: &BindId| {
        let (at, bind) = (usize::from(id.0), &binds[usize::from(id.0)]);
        let kept = running.get(at).filter(|kept| !kept.removed && kept.proxy == bind.proxy);
        Wish { read: bind.id, custom: bind.custom_id, kept: kept.map(|kept| kept.id) }
    };
    let ids = numbers(FIRST, &own.iter().map(wish).collect::<Vec<_>>());
    own.iter().zip(ids).for_each(|(at, id)| binds[usize::from(at.0)].id = id);
}
