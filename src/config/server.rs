//! `server` and `default-server` lines (configuration manual, section 5.2).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::address::{self, Address, Host, Port, Usage};
use super::arguments::Arguments;
use super::diagnostic::{Form, Report};
use super::guid;
use super::keyword::{self, Ignored, Places, Support};
use super::lexer::Line;
use super::model::{Check, Origin, Server, ServerAddress};
use super::supplies::Supplies;
use super::value::{self, TimeUnit};

/// A `server` line as written.
#[derive(Clone, Debug)]
pub(super) struct ServerLine {
    /// The line.
    pub line: Line,
    /// Everything but the id, which needs the other servers.
    pub server: Server,
    /// `id`.
    pub id: Option<u32>,
    /// Whether `cookie` was given.
    pub cookie: bool,
}

/// What the options say; `default-server` fills one for the lines after it.
#[derive(Clone, Debug)]
pub(super) struct ServerOptions {
    weight: u16,
    backup: bool,
    disabled: bool,
    maxconn: Option<u32>,
    minconn: Option<u32>,
    maxqueue: Option<u32>,
    slowstart_ms: Option<u32>,
    on_marked_down: bool,
    on_marked_up: bool,
    source: Option<SocketAddr>,
    checked: bool,
    check: Check,
    /// The port that `addr` names: the check's when `port` names none.
    addr_port: Option<u16>,
    id: Option<u32>,
    guid: Option<String>,
    cookie: bool,
    init_addr: Vec<InitAddr>,
}

/// One source of a server's address, in the order of `init-addr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InitAddr {
    Last,
    Libc,
    None,
    Ip(IpAddr),
}

impl Default for ServerOptions {
    fn default() -> Self {
        ServerOptions {
            weight: 1,
            backup: false,
            disabled: false,
            maxconn: None,
            minconn: None,
            maxqueue: None,
            slowstart_ms: None,
            on_marked_down: false,
            on_marked_up: false,
            source: None,
            checked: false,
            check: Check::default(),
            addr_port: None,
            id: None,
            guid: None,
            cookie: false,
            init_addr: vec![InitAddr::Last, InitAddr::Libc],
        }
    }
}

/// Reads `server NAME ADDRESS [options]`; `proxy` is the section's name, for messages.
pub(super) fn parse_server(
    line: &Line,
    proxy: &str,
    defaults: &ServerOptions,
    supplies: &mut Supplies,
    report: &mut Report,
) -> Option<ServerLine> {
    let mut words = Arguments { form: Form::Bracketed, ..Arguments::after(line, 1, report) };
    let expects = "'server' expects <name> and <addr>[:<port>] as arguments.";
    let name = words.required(expects, "as in: server impala1 10.0.0.1:21050 check")?;
    words.prefix = format!("'server {proxy}/{name}' : ");
    check_name(name, &mut words);
    let prefix = std::mem::take(&mut words.prefix);
    let written = words.required(expects, "as in: server impala1 10.0.0.1:21050 check")?;
    words.prefix = prefix;
    let address = match address::address(written, Usage::Server) {
        Ok(address) => Some(address),
        Err(error) => {
            words.alert_last(error.text, error.help);
            None
        }
    };
    let mut options = defaults.clone();
    parse_options(&mut options, Places::SERVER, &mut words, supplies);
    let Place { address, unresolved, takes_last } =
        server_address(address?, written, &options, &mut words, supplies)?;
    check_port_known(&options, &address, name, &mut words);
    let server = Server { unresolved, takes_last, ..options.server(name, written, address) };
    Some(ServerLine { line: line.clone(), server, id: options.id, cookie: options.cookie })
}

/// Reads `server NAME ADDRESS [options]` as a command has it, and the id it gives.
pub(super) fn parse_dynamic_server(
    line: &Line,
    proxy: &str,
    report: &mut Report,
) -> Option<(Server, Option<u32>)> {
    let mut words = Arguments::after(line, 1, report);
    let expects = "'server' expects <name> and <addr>[:<port>] as arguments.";
    let name = words.required(expects, "")?;
    check_name(name, &mut words);
    let written = words.required(expects, "")?;
    let address = match address::address(written, Usage::Server) {
        Ok(address) => address,
        Err(error) => {
            words.alert_last(error.text, error.help);
            return None;
        }
    };
    // Nobody looks names up while running.
    if let Address::Ip(Host::Name(host), _) = &address {
        let why = "a server that is added while running needs an IP address.";
        words.alert_last(format!("could not resolve address '{}': {why}", host.name), "");
    }
    let mut supplies = Supplies::default();
    let mut options = ServerOptions::default();
    parse_options(&mut options, Places::SERVER, &mut words, &mut supplies);
    let Place { address, .. } = server_address(address, written, &options, &mut words, &mut supplies)?;
    if options.checked && matches!(address, ServerAddress::TcpMapped(..)) && options.check_port().is_none() {
        let text = format!(
            "config: backend '{proxy}': server '{name}' has neither service port nor check port nor tcp_check \
             rule 'connect' with port information."
        );
        words.alert(2, text, "");
    }
    let options_of_line = line.words.iter().skip(3).map(|word| word.text.as_str());
    let state = options_of_line.rev().find(|word| matches!(*word, "enabled" | "disabled"));
    let origin = Origin::Command { ready: state == Some("enabled") };
    let server = options.server(name, written, address);
    let maxconn = server.maxconn.max(server.minconn);
    Some((Server { origin, disabled: state == Some("disabled"), maxconn, ..server }, options.id))
}

/// Reads `default-server [options]` into the options for the lines after it.
pub(super) fn parse_default_server(
    line: &Line,
    options: &mut ServerOptions,
    supplies: &mut Supplies,
    report: &mut Report,
) {
    let mut words = Arguments { form: Form::Bracketed, ..Arguments::after(line, 1, report) };
    words.prefix = "'default-server' : ".to_owned();
    parse_options(options, Places::DEFAULT_SERVER, &mut words, supplies);
}

fn check_name(name: &str, words: &mut Arguments<'_>) {
    if let Some(odd) = value::odd_in_name(name) {
        let text = format!("character '{odd}' is not permitted in server name '{name}'.");
        words.alert_last(text, value::NAME_HELP);
    }
}

fn parse_options(
    options: &mut ServerOptions,
    place: Places,
    words: &mut Arguments<'_>,
    supplies: &mut Supplies,
) {
    while let Some(word) = words.peek() {
        options.cookie |= word == "cookie";
        if let Some(row) = words.option(place) {
            options.apply(row.words, words, supplies);
        }
    }
}

/// Where a server is, or will be once its address is known.
struct Place {
    address: ServerAddress,
    unresolved: bool,
    takes_last: bool,
}

fn server_address(
    address: Address,
    written: &str,
    options: &ServerOptions,
    words: &mut Arguments<'_>,
    supplies: &mut Supplies,
) -> Option<Place> {
    let known = |address| Some(Place { address, unresolved: false, takes_last: false });
    let (host, port) = match address {
        Address::Ip(host, port) => (host, port),
        Address::Unix(path) => return known(ServerAddress::Unix(path)),
        Address::Abstract(name) => return known(ServerAddress::Abstract(name)),
        Address::Fd(_) | Address::SocketPair(_) => {
            words.alert(2, format!("'{written}' is no address to connect to."), "write ADDRESS:PORT");
            return None;
        }
    };
    let ip = options.initial_ip(&host, words, supplies)?;
    let unresolved = ip.is_none();
    let ip = ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let address = match port {
        Port::Fixed(port) => ServerAddress::Tcp(SocketAddr::new(ip, port)),
        Port::Offset(offset) => ServerAddress::TcpMapped(ip, offset),
        Port::None | Port::Range(..) => ServerAddress::TcpMapped(ip, 0),
    };
    let takes_last = matches!(host, Host::Name(_)) && options.prefers_last();
    Some(Place { address, unresolved, takes_last })
}

fn check_port_known(options: &ServerOptions, address: &ServerAddress, name: &str, words: &mut Arguments<'_>) {
    let mapped = matches!(address, ServerAddress::TcpMapped(..));
    if options.checked && mapped && options.check_port().is_none() {
        let text = format!("server {name} has neither service port nor check port.");
        words.alert(2, text, "its port is the client's: name the one to check with 'port N'");
    }
}

impl ServerOptions {
    fn apply(&mut self, option: &str, words: &mut Arguments<'_>, supplies: &mut Supplies) {
        match option {
            "check" => self.checked = true,
            "no-check" => self.checked = false,
            "backup" => self.backup = true,
            "no-backup" => self.backup = false,
            "disabled" => self.disabled = true,
            "enabled" => self.disabled = false,
            "weight" => self.weight = words.integer(option, 0..=256).unwrap_or(self.weight),
            "id" => self.id = words.count(option, 1).or(self.id),
            "guid" => self.guid = guid::parse(option, words),
            "source" => self.source = words.source(supplies).or(self.source),
            "init-addr" => self.apply_init_addr(words),
            "maxconn" => self.maxconn = words.limit(option),
            "minconn" => self.minconn = words.limit(option),
            "maxqueue" => self.maxqueue = words.limit(option),
            "on-marked-down" => self.on_marked_down |= only("shutdown-sessions", option, words),
            "on-marked-up" => self.on_marked_up |= only("shutdown-backup-sessions", option, words),
            "slowstart" => {
                self.slowstart_ms = words.time(option, TimeUnit::Milliseconds).filter(|ms| *ms > 0);
            }
            "inter" => self.check.inter_ms = words.time_above_zero(option).unwrap_or(self.check.inter_ms),
            "fastinter" => self.check.fastinter_ms = words.time_above_zero(option),
            "downinter" => self.check.downinter_ms = words.time_above_zero(option),
            "rise" => self.check.rise = words.integer(option, 1..=u16::MAX).unwrap_or(self.check.rise),
            "fall" => self.check.fall = words.integer(option, 1..=u16::MAX).unwrap_or(self.check.fall),
            "port" => self.check.port = words.integer(option, 0..=u16::MAX).filter(|port| *port > 0),
            "addr" => self.apply_check_address(words, supplies),
            other => unreachable!("'{other}' is honoured in the table but not read"),
        }
    }

    fn apply_check_address(&mut self, words: &mut Arguments<'_>, supplies: &mut Supplies) {
        let Some(word) = words.required("'addr' expects <ipv4|ipv6> as argument.", "the address to check")
        else {
            return;
        };
        match address::address(word, Usage::CheckAddress) {
            Ok(Address::Ip(host, port)) => {
                self.check.address = words.resolve("addr", &host, supplies);
                self.addr_port = if let Port::Fixed(port) = port { Some(port) } else { None };
            }
            Ok(_) => words.alert_last(
                format!("'addr' : '{word}' is not an IP address."),
                "write the IP address to check",
            ),
            Err(error) => words.bad_address("addr", error),
        }
    }

    fn apply_init_addr(&mut self, words: &mut Arguments<'_>) {
        let Some(word) = words.next() else { return };
        let methods = word.split(',').map(|method| match method {
            "last" => Some(InitAddr::Last),
            "libc" => Some(InitAddr::Libc),
            "none" => Some(InitAddr::None),
            _ => method.parse().ok().map(InitAddr::Ip),
        });
        match methods.collect::<Option<Vec<_>>>() {
            Some(methods) => self.init_addr = methods,
            None => words.alert_last(
                format!("'init-addr' : invalid method in '{word}'."),
                "write last, libc or IP addresses, separated by commas",
            ),
        }
    }

    /// Whether `last` comes before every method that may have led to an address.
    fn prefers_last(&self) -> bool {
        self.init_addr.first() == Some(&InitAddr::Last)
    }

    /// The address to start with: a literal one, or what `init-addr` leads to for a name; None inside: none for now.
    fn initial_ip(
        &self,
        host: &Host,
        words: &mut Arguments<'_>,
        supplies: &mut Supplies,
    ) -> Option<Option<IpAddr>> {
        let name = match host {
            Host::Ip(ip) => return Some(Some(*ip)),
            Host::Name(name) => name,
        };
        let mut may_wait = supplies.skip_unresolved;
        // Why the system knows no address, once it was asked.
        let mut why = None;
        for method in &self.init_addr {
            match method {
                InitAddr::Ip(ip) => return Some(Some(*ip)),
                InitAddr::None => {
                    may_wait = true;
                    break;
                }
                InitAddr::Last => {}
                InitAddr::Libc => match supplies.hosts.of(name) {
                    Ok(ip) => return Some(Some(ip)),
                    Err(error) => why = Some(error),
                },
            }
        }
        let name = &name.name;
        match why {
            None if may_wait => return Some(None),
            Some(why) if may_wait => {
                let text = format!("could not resolve address '{name}', disabling server.");
                let help = format!("{why}; 'set server <backend>/<server> addr' tells the address later");
                words.warn(2, text, help);
                return Some(None);
            }
            None => words.alert(
                2,
                format!("no method found to resolve address '{name}'."),
                "'init-addr' does not name libc; write an address, or add libc",
            ),
            Some(why) => words.alert(
                2,
                format!("could not resolve address '{name}'."),
                format!("{why}; write an address, or add the name to /etc/hosts"),
            ),
        }
        None
    }

    fn server(&self, name: &str, written: &str, address: ServerAddress) -> Server {
        Server {
            name: name.to_owned(),
            former_name: None,
            id: 0,
            custom_id: false,
            guid: self.guid.clone(),
            origin: Origin::File,
            host: written.to_owned(),
            address,
            unresolved: false,
            takes_last: false,
            weight: self.weight,
            backup: self.backup,
            disabled: self.disabled,
            maxconn: self.maxconn,
            minconn: self.minconn,
            maxqueue: self.maxqueue,
            slowstart_ms: self.slowstart_ms,
            on_marked_down: self.on_marked_down,
            on_marked_up: self.on_marked_up,
            source: self.source,
            check: self.checked.then_some(Check { port: self.check_port(), ..self.check }),
        }
    }

    /// The port to check, where it is not the server's.
    fn check_port(&self) -> Option<u16> {
        self.check.port.or(self.addr_port)
    }
}

/// Whether the one word that may follow an option does.
fn only(expected: &str, option: &str, words: &mut Arguments<'_>) -> bool {
    let word = words.next().unwrap_or_default();
    if word != expected {
        let text = format!("'{option}' expects '{expected}' but got '{word}'.");
        words.alert_last(text, "there is no other reaction");
    }
    word == expected
}

/// HAProxy's warning for a `cookie` of a TCP proxy's server.
pub(super) fn cookie_warning(proxy: &str, server: &str) -> String {
    let row = keyword::find(Places::SERVER, ["cookie"].into_iter());
    match row.map(|row| row.support) {
        Some(Support::Ignored(Ignored::Http { warning: Some(warning), .. })) => {
            warning.replace("{proxy}", proxy).replace("{server}", server)
        }
        _ => unreachable!("the table has 'cookie' of servers with its warning"),
    }
}
