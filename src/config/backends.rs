//! Backends that commands add to and take from a running configuration, show to rules and hide from them
//! (management manual, `add backend`, `del backend`, `publish backend`, `unpublish backend`).

use std::collections::HashSet;

use super::guid;
use super::model::{Config, Mode, Proxy, ProxyId, ProxyKind};
use super::value;

/// HAProxy keeps 0 and 1 for its own.
const FIRST: u32 = 2;

/// What a new backend is made from.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Its name.
    pub name: &'a str,
    /// The defaults section that it begins with.
    pub defaults: &'a str,
    /// `mode`; None: as the defaults section says.
    pub mode: Option<Mode>,
    /// `guid`.
    pub guid: Option<&'a str>,
}

/// `config` with one more backend, which has no server and is hidden. The error is a refusal with its remedy.
pub fn add(config: &Config, wish: Wish<'_>) -> Result<Config, String> {
    let template = config.templates.iter().rev().find(|template| template.settings.name == wish.defaults);
    let Some(template) = template else {
        return Err(format!("No such defaults section '{}'.", wish.defaults));
    };
    match wish.mode.or(template.has_mode.then_some(template.settings.mode)) {
        Some(Mode::Tcp) => {}
        Some(Mode::Http) => return Err("'mode http' is not proxied here, use 'mode tcp'.".to_owned()),
        None => return Err("Mode is required: add 'mode tcp'.".to_owned()),
    }
    let failed = |why: String| Err(format!("Error during backend creation : {why}."));
    if let Some(odd) = value::odd_in_name(wish.name) {
        return failed(format!("character '{odd}' is not permitted in the name '{}'", wish.name));
    }
    if let Some((_, other)) = config.proxies().find(|(_, proxy)| proxy.name == wish.name) {
        return failed(format!("name is already used by other proxy '{} {}'", other.kind.word(), other.name));
    }
    if let Some(guid) = wish.guid {
        if let Some(fault) = guid::fault(guid) {
            return failed(format!("GUID insertion : {fault}"));
        }
        if let Some(owner) = owner(config, guid) {
            return failed(format!("GUID insertion : duplicate entry with {owner}"));
        }
    }
    let taken: HashSet<u32> = config.proxies().map(|(_, proxy)| proxy.id).collect();
    let backend = Proxy {
        name: wish.name.to_owned(),
        id: (FIRST..).find(|id| !taken.contains(id)).unwrap_or(u32::MAX),
        guid: wish.guid.map(str::to_owned),
        mode: Mode::Tcp,
        added: true,
        unpublished: true,
        ..template.settings.clone()
    };
    put(config, backend)
}

/// One of the past by the same name comes back to life: sessions of its time may still be there.
fn put(config: &Config, backend: Proxy) -> Result<Config, String> {
    let mut next = config.clone();
    let same = |known: &Proxy| known.removed && known.kind == backend.kind && known.name == backend.name;
    match next.proxies.iter().position(|known| same(known) && known.mode == backend.mode) {
        Some(at) => next.proxies[at] = backend,
        None if next.proxies.len() >= usize::from(u16::MAX) => {
            return Err(format!("too many proxies: {} are possible.", u16::MAX));
        }
        None => next.proxies.push(backend),
    }
    Ok(next)
}

/// What has this guid.
fn owner(config: &Config, guid: &str) -> Option<String> {
    let has = |known: &Option<String>| known.as_deref() == Some(guid);
    config.proxies().find_map(|(_, proxy)| {
        let mut binds = proxy.binds.iter().map(|id| &config.binds[usize::from(id.0)]);
        let mut servers = proxy.servers.iter();
        match () {
            () if has(&proxy.guid) => Some(format!("{} {}", proxy.kind.word(), proxy.name)),
            () if binds.any(|bind| has(&bind.guid)) => Some(format!("listener of {}", proxy.name)),
            () => servers.find(|s| has(&s.guid)).map(|s| format!("server {}/{}", proxy.name, s.name)),
        }
    })
}

/// Why a backend cannot be deleted, whoever uses it. None: nothing in the configuration speaks against it.
pub fn obstacle(config: &Config, backend: ProxyId) -> Option<&'static str> {
    let settings = &config.proxies[usize::from(backend.0)];
    let named = config.proxies().any(|(id, proxy)| {
        let mut rules = proxy.use_backends.iter();
        id != backend && (proxy.default_backend == Some(backend) || rules.any(|rule| rule.backend == backend))
    });
    if settings.kind != ProxyKind::Backend {
        return Some("Only a backend section can be deleted.");
    }
    if !settings.unpublished {
        return Some("Backend must be unpublished prior to its deletion.");
    }
    if named {
        return Some(
            "This backend cannot be removed at runtime due to other configuration elements pointing to it.",
        );
    }
    (!settings.servers.is_empty()).then_some("Only a backend without server can be deleted.")
}

/// `config` without a backend: it stays in its place, of the past.
pub fn del(config: &Config, backend: ProxyId) -> Config {
    with(config, backend, |proxy| (proxy.removed, proxy.disabled) = (true, true))
}

/// `config` with a backend that rules see, or do not see.
pub fn publish(config: &Config, backend: ProxyId, published: bool) -> Config {
    with(config, backend, |proxy| proxy.unpublished = !published)
}

fn with(config: &Config, backend: ProxyId, change: impl FnOnce(&mut Proxy)) -> Config {
    let mut next = config.clone();
    change(&mut next.proxies[usize::from(backend.0)]);
    next
}

#[cfg(test)]
mod tests {
    use super::super::model::{Server, Template, UseBackend};
    use super::*;

    fn config() -> Config {
        let settings = |name: &str, kind| Proxy::new(name, kind);
        let mut back = settings("b", ProxyKind::Backend);
        (back.id, back.guid) = (3, Some("b:b".to_owned()));
        let mut front = settings("f", ProxyKind::Frontend);
        (front.id, front.default_backend) = (2, Some(ProxyId(1)));
        let template = |name, has_mode| Template { settings: settings(name, ProxyKind::Backend), has_mode };
        Config {
            proxies: vec![front, back],
            templates: vec![template("d", true), template("bare", false)],
            ..Config::default()
        }
    }

    fn wish(name: &str) -> Wish<'_> {
        Wish { name, defaults: "d", mode: None, guid: None }
    }

    #[test]
    fn a_backend_is_added_hidden_and_by_the_lowest_free_id() {
        let next = add(&config(), Wish { guid: Some("b:c"), ..wish("c") }).expect("added");
        let added = &next.proxies[2];
        assert_eq!((added.name.as_str(), added.id, added.kind), ("c", 4, ProxyKind::Backend));
        assert!(added.unpublished && added.added && added.guid.as_deref() == Some("b:c"));
        let gone = del(&publish(&next, ProxyId(2), false), ProxyId(2));
        assert_eq!(gone.proxies().count(), 2);
        // The place of the past one is taken again.
        assert_eq!(add(&gone, wish("c")).expect("again").proxies.len(), 3);
        assert_eq!(add(&gone, wish("d")).expect("another").proxies.len(), 4);
    }

    #[test]
    fn refusals_name_what_is_wrong() {
        let refused = |wish| add(&config(), wish).expect_err("refused");
        let begin = "Error during backend creation : ";
        let used = format!("{begin}name is already used by other proxy 'backend b'.");
        assert_eq!(refused(wish("b")), used);
        assert_eq!(refused(wish("f")), used.replace("backend b", "frontend f"));
        let double = Wish { guid: Some("b:b"), ..wish("c") };
        assert_eq!(refused(double), format!("{begin}GUID insertion : duplicate entry with backend b."));
        assert!(refused(Wish { guid: Some("ü"), ..wish("c") }).contains("'ü'"));
        assert!(refused(wish("a/b")).contains("'/'"));
        assert!(refused(Wish { defaults: "x", ..wish("c") }).contains("'x'"));
        assert!(refused(Wish { defaults: "bare", ..wish("c") }).contains("'mode tcp'"));
        assert!(refused(Wish { mode: Some(Mode::Http), ..wish("c") }).contains("'mode http'"));
    }

    #[test]
    fn what_is_still_needed_is_not_deleted() {
        let base = config();
        assert_eq!(obstacle(&base, ProxyId(0)), Some("Only a backend section can be deleted."));
        assert!(obstacle(&base, ProxyId(1)).is_some_and(|why| why.contains("unpublished")));
        let mut hidden = publish(&base, ProxyId(1), false);
        assert!(obstacle(&hidden, ProxyId(1)).is_some_and(|why| why.contains("pointing to it")));
        hidden.proxies[0].default_backend = None;
        hidden.proxies[0].use_backends = vec![UseBackend { backend: ProxyId(1), condition: None }];
        assert!(obstacle(&hidden, ProxyId(1)).is_some_and(|why| why.contains("pointing to it")));
        hidden.proxies[0].use_backends.clear();
        assert_eq!(obstacle(&hidden, ProxyId(1)), None);
        hidden.proxies[1].servers = vec![Server::new("s", 1, ([127, 0, 0, 1], 1).into())];
        assert!(obstacle(&hidden, ProxyId(1)).is_some_and(|why| why.contains("without server")));
    }
}
