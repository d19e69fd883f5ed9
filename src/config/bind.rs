//! `bind` and `stats socket` lines (configuration manual, section 5.1).

use super::address::Usage;
use super::arguments::Arguments;
use super::diagnostic::Report;
use super::guid;
use super::keyword::Places;
use super::lexer::Line;
use super::model::{Bind, CliLevel, ListenAddress, ProxyId, SocketPermissions, StatsSocket, TcpOptions};
use super::supplies::Supplies;
use super::value::TimeUnit;

/// A `bind` line: one [`Bind`] for each address, without ids.
#[derive(Clone, Debug)]
pub(super) struct BindLine {
    /// The line.
    pub line: Line,
    /// `id`.
    pub id: Option<u32>,
    /// In order; the owner and the ids are filled in later.
    pub binds: Vec<Bind>,
}

#[derive(Debug, Default)]
struct BindOptions {
    name: Option<String>,
    id: Option<u32>,
    guid_prefix: Option<String>,
    maxconn: Option<u32>,
    backlog: Option<u32>,
    tcp: TcpOptions,
    permissions: SocketPermissions,
    level: Option<CliLevel>,
    expose_fd_listeners: bool,
}

/// Reads `bind ADDRESS[,…] [options]`; `section` is the kind of section, for messages.
pub(super) fn parse_bind(
    line: &Line,
    section: &str,
    supplies: &mut Supplies,
    report: &mut Report,
) -> Option<BindLine> {
    let mut words = Arguments::after(line, 1, report);
    let Some(written) = words.peek() else {
        let text = "'bind' expects {<path>|[addr1]:port1[-end1]}{,[addr]:port[-end]}... as arguments.";
        words.alert(1, text, "as in: bind :21050");
        return None;
    };
    let addresses = words.listen("bind", Usage::Bind, supplies);
    words.prefix = format!("'bind {written}' in section '{section}' : ");
    let options = parse_options(Places::BIND, &mut words, supplies);
    let addresses = addresses?;
    if options.id.is_some() && addresses.len() > 1 {
        words.alert(
            1,
            "'id' can only be used with a single address.",
            "write a 'bind' line for each address",
        );
    }
    let binds = addresses.into_iter().enumerate();
    let binds = binds.map(|(number, address)| options.bind(number, address, line)).collect();
    Some(BindLine { line: line.clone(), id: options.id, binds })
}

/// Reads `stats socket ADDRESS [options]`.
pub(super) fn parse_stats_socket(
    line: &Line,
    supplies: &mut Supplies,
    report: &mut Report,
) -> Vec<StatsSocket> {
    let mut words = Arguments::after(line, 2, report);
    let addresses = words.listen("stats socket", Usage::StatsSocket, supplies).unwrap_or_default();
    words.prefix = "'stats socket' : ".to_owned();
    let options = parse_options(Places::SOCKET, &mut words, supplies);
    addresses.into_iter().map(|address| options.stats_socket(address, line)).collect()
}

fn parse_options(place: Places, words: &mut Arguments<'_>, supplies: &mut Supplies) -> BindOptions {
    let mut options = BindOptions::default();
    while words.peek().is_some() {
        if let Some(row) = words.option(place) {
            options.apply(row.words, words, supplies);
        }
    }
    options
}

impl BindOptions {
    fn apply(&mut self, option: &str, words: &mut Arguments<'_>, supplies: &mut Supplies) {
        match option {
            "transparent" => self.tcp.transparent = true,
            "v4v6" => self.tcp.v6only = Some(false),
            "v6only" => self.tcp.v6only = Some(true),
            "tfo" => self.tcp.tfo = true,
            "defer-accept" => self.tcp.defer_accept = true,
            "expose-fd listeners" => self.expose_fd_listeners = true,
            "guid-prefix" => self.guid_prefix = guid::parse(option, words),
            "name" => self.name = words.next().map(str::to_owned),
            "interface" => self.tcp.interface = words.next().map(str::to_owned),
            "user" => self.permissions.uid = words.account("user", supplies),
            "group" => self.permissions.gid = words.account("group", supplies),
            "uid" => self.permissions.uid = words.count("uid", 0),
            "gid" => self.permissions.gid = words.count("gid", 0),
            "mode" => self.permissions.mode = parse_mode(words),
            "level" => self.level = parse_level(words),
            _ => self.apply_number(option, words),
        }
    }

    fn apply_number(&mut self, option: &str, words: &mut Arguments<'_>) {
        match option {
            "id" if self.id.is_some() => {
                words.next();
                words.alert_last("'id' : the listener has a custom id already.", "write one of the two");
            }
            "id" => self.id = words.count("id", 1),
            "maxconn" => self.maxconn = words.limit("maxconn"),
            "backlog" => self.backlog = words.limit("backlog"),
            "mss" => self.tcp.mss = words.integer("mss", 1..=u16::MAX),
            "tcp-ut" => self.tcp.user_timeout_ms = words.time("tcp-ut", TimeUnit::Milliseconds),
            other => unreachable!("'{other}' is honoured in the table but not read"),
        }
    }

    fn bind(&self, number: usize, address: ListenAddress, line: &Line) -> Bind {
        Bind {
            proxy: ProxyId(0),
            name: self.name.clone(),
            id: 0,
            custom_id: false,
            guid: self.guid_prefix.as_ref().map(|prefix| format!("{prefix}-{number}")),
            removed: false,
            address,
            maxconn: self.maxconn,
            backlog: self.backlog,
            tcp: self.tcp.clone(),
            permissions: self.permissions.clone(),
            declared_at: line.declared_at(),
        }
    }

    fn stats_socket(&self, address: ListenAddress, line: &Line) -> StatsSocket {
        StatsSocket {
            address,
            level: self.level.unwrap_or(CliLevel::Operator),
            tcp: self.tcp.clone(),
            permissions: self.permissions.clone(),
            expose_fd_listeners: self.expose_fd_listeners,
            declared_at: line.declared_at(),
        }
    }
}

fn parse_mode(words: &mut Arguments<'_>) -> Option<u32> {
    let word = words.next()?;
    let mode = u32::from_str_radix(word, 8).ok().filter(|mode| *mode <= 0o7777);
    if mode.is_none() {
        words.alert_last(format!("'mode' : '{word}' is not an octal mode."), "as in: mode 660");
    }
    mode
}

fn parse_level(words: &mut Arguments<'_>) -> Option<CliLevel> {
    let word = words.next()?;
    let level = match word {
        "user" => Some(CliLevel::User),
        "operator" => Some(CliLevel::Operator),
        "admin" => Some(CliLevel::Admin),
        _ => None,
    };
    if level.is_none() {
        let text = format!("'level' only supports 'user', 'operator', and 'admin' (got '{word}')");
        words.alert_last(text, "operator is the default; admin may do everything");
    }
    level
}
