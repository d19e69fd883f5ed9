//! Servers that commands add to and take from a running configuration, and give other names (management manual,
//! `add server`, `del server`, `set server name`).

use std::collections::HashSet;
use std::sync::Arc;

use super::diagnostic::{Report, Severity};
use super::keyword::NOT_DYNAMIC;
use super::lexer::{Line, Modifier, Word};
use super::model::{Config, Origin, Proxy, ProxyId, Server};
use super::server::parse_dynamic_server;
use super::value;

const SAME_NAME: &str = "Already exists a server with the same name in backend.";

/// The first automatic id of a server.
const FIRST: u32 = 1;

/// `config` with one more server behind the others of `proxy`. `words` are its name, its address and its
/// options; nothing of `default-server` applies. The error is HAProxy's line, or a refusal with its remedy.
pub fn add_server(config: &Config, proxy: ProxyId, words: &[String]) -> Result<Config, String> {
    let settings = &config.proxies[usize::from(proxy.0)];
    let (server, id) = read(settings, words)?;
    if settings.servers.iter().any(|known| known.name == server.name) {
        return Err(SAME_NAME.to_owned());
    }
    if settings.servers.len() >= usize::from(u16::MAX) - 1 {
        return Err(format!("too many servers: {} are possible.", u16::MAX - 1));
    }
    let taken: HashSet<u32> = settings.servers.iter().map(|known| known.id).collect();
    let lowest_free = || (FIRST..).find(|id| !taken.contains(id)).unwrap_or(u32::MAX);
    let server = Server { id: id.unwrap_or_else(lowest_free), custom_id: id.is_some(), ..server };
    Ok(with(config, proxy, |settings| settings.servers.push(server)))
}

/// `config` without server number `server` of `proxy`.
pub fn del_server(config: &Config, proxy: ProxyId, server: u16) -> Config {
    with(config, proxy, |settings| {
        settings.servers.remove(usize::from(server));
    })
}

/// `config` with another name for server number `server` of `proxy`. The error is why that cannot be.
pub fn rename_server(config: &Config, proxy: ProxyId, server: u16, name: &str) -> Result<Config, String> {
    if let Some(odd) = value::odd_in_name(name) {
        return Err(format!("character '{odd}' is not permitted in server name '{name}'."));
    }
    if config.proxies[usize::from(proxy.0)].servers.iter().any(|known| known.name == name) {
        return Err(SAME_NAME.to_owned());
    }
    Ok(with(config, proxy, |settings| {
        let server = &mut settings.servers[usize::from(server)];
        server.former_name = Some(std::mem::replace(&mut server.name, name.to_owned()));
    }))
}

fn with(config: &Config, proxy: ProxyId, change: impl FnOnce(&mut Proxy)) -> Config {
    let mut next = config.clone();
    change(&mut next.proxies[usize::from(proxy.0)]);
    next
}

fn read(settings: &Proxy, words: &[String]) -> Result<(Server, Option<u32>), String> {
    let line = line(words);
    let mut report = Report::default();
    let read = parse_dynamic_server(&line, &settings.name, &mut report);
    if let Some(word) = unfit(&line) {
        return Err(format!("'{word}' option is not accepted for dynamic server"));
    }
    refusal(report)?;
    let Some((server, id)) = read else { return Err("the line says no server.".to_owned()) };
    match settings.servers.iter().find(|known| Some(known.id) == id) {
        Some(known) => {
            let (id, name) = (known.id, &known.name);
            Err(format!("'id' : custom id {id} already used ('server {name}')."))
        }
        None => Ok((server, id)),
    }
}

/// The first alert of a report.
fn refusal(report: Report) -> Result<(), String> {
    let alert = report.into_diagnostics().into_iter().find(|said| said.severity == Severity::Alert);
    match alert {
        None => Ok(()),
        Some(alert) => Err(alert.text),
    }
}

/// An option that only a configuration file may give.
fn unfit(line: &Line) -> Option<&str> {
    let options = line.words.iter().skip(3).map(|word| word.text.as_str());
    options.into_iter().find(|word| NOT_DYNAMIC.contains(word))
}

/// The words as a line that stands in no file.
fn line(words: &[String]) -> Line {
    let mut raw = "server".to_owned();
    let mut all = vec![Word { text: raw.clone(), span: 0..raw.len() }];
    for word in words {
        raw.push(' ');
        let start = raw.len();
        raw.push_str(word);
        all.push(Word { text: word.clone(), span: start..raw.len() });
    }
    Line { file: "cli".into(), number: 1, raw: Arc::from(raw), modifier: Modifier::None, words: all }
}

/// The servers that commands added to `running` and that nothing in `servers` replaces: they live on when
/// the file is read again.
pub(super) fn survivors(running: &Proxy, servers: &[Server]) -> Vec<Server> {
    let named: HashSet<&str> = servers.iter().map(|server| server.name.as_str()).collect();
    let added = running.servers.iter().filter(|server| server.origin != Origin::File);
    added.filter(|server| !named.contains(server.name.as_str())).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::super::model::{ProxyKind, ServerAddress};
    use super::*;

    fn config() -> Config {
        let server = Server::new("s1", 1, ([10, 0, 0, 1], 21_050).into());
        let backend = Proxy { servers: vec![server], ..Proxy::new("be", ProxyKind::Backend) };
        Config { proxies: vec![backend], ..Config::default() }
    }

    fn add(config: &Config, line: &str) -> Result<Config, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        add_server(config, ProxyId(0), &words)
    }

    fn refused(line: &str) -> String {
        add(&config(), line).expect_err(line)
    }

    #[test]
    fn a_server_is_added_behind_the_others_and_taken_away() {
        let two = add(&config(), "s2 10.0.0.2:21050 id 7 weight 3 check inter 1s").expect("added");
        let three = add(&two, "s3 10.0.0.3:21050 enabled backup").expect("added");
        let shown = |config: &Config| -> Vec<String> {
            let servers = config.proxies[0].servers.iter();
            servers.map(|server| format!("{} {} {:?}", server.name, server.id, server.origin)).collect()
        };
        assert_eq!(
            shown(&three),
            ["s1 1 File", "s2 7 Command { ready: false }", "s3 2 Command { ready: true }"]
        );
        let s2 = &three.proxies[0].servers[1];
        assert_eq!((s2.weight, s2.check.map(|check| check.inter_ms)), (3, Some(1000)));
        assert_eq!(s2.address, ServerAddress::Tcp(([10, 0, 0, 2], 21_050).into()));
        let gone = del_server(&three, ProxyId(0), 1);
        assert_eq!(shown(&gone), ["s1 1 File", "s3 2 Command { ready: true }"]);
        assert_eq!(shown(&add(&gone, "s4 :1").expect("added"))[2], "s4 3 Command { ready: false }");
    }

    #[test]
    fn a_server_gets_another_name_that_is_free() {
        let two = add(&config(), "s2 10.0.0.2:21050").expect("added");
        let renamed = rename_server(&two, ProxyId(0), 0, "pod-7").expect("renamed");
        let server = &renamed.proxies[0].servers[0];
        assert_eq!((&*server.name, server.former_name.as_deref(), server.id), ("pod-7", Some("s1"), 1));
        assert!(add(&renamed, "s1 10.0.0.3:21050").is_ok(), "the former name is free");
        let refused = |name| rename_server(&two, ProxyId(0), 0, name).expect_err(name);
        assert_eq!(refused("s2"), "Already exists a server with the same name in backend.");
        assert_eq!(refused("s/2"), "character '/' is not permitted in server name 's/2'.");
    }

    #[test]
    fn what_cannot_be_added_says_why() {
        for (line, expected) in [
            ("s2", "'server' expects <name> and <addr>[:<port>] as arguments."),
            ("s1 10.0.0.2:1", "Already exists a server with the same name in backend."),
            ("s%2 10.0.0.2:1", "character '%' is not permitted in server name 's%2'."),
            ("s2 10.0.0.2:1 bogus 3", "unknown keyword 'bogus'."),
            ("s2 10.0.0.2:1 cookie x", "'cookie' option is not accepted for dynamic server"),
            ("s2 10.0.0.2:1 id 1", "'id' : custom id 1 already used ('server s1')."),
            (
                "s2 10.0.0.2 check",
                "config: backend 'be': server 's2' has neither service port nor check port nor tcp_check rule \
                 'connect' with port information.",
            ),
            (
                "s2 host.example:1",
                "could not resolve address 'host.example': a server that is added while running needs an IP address.",
            ),
        ] {
            assert_eq!(refused(line), expected, "{line}");
        }
        assert!(refused("s2 10.0.0.2:1 track x").contains("is not supported here"));
    }
}
