//! Reading the words after a keyword: numbers, times and addresses, each with HAProxy's message.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use super::address::{self, Address, AddressError, Host, Port, Usage};
use super::diagnostic::{Form, Report};
use super::lexer::Line;
use super::model::ListenAddress;
use super::supplies::Supplies;
use super::support;
use super::value::{self, TimeUnit, ValueError};

mod option;

/// A line being read, which word it stands at, and where mistakes go.
#[derive(Debug)]
pub(super) struct Arguments<'a> {
    /// The line.
    pub line: &'a Line,
    /// Index of the next word.
    pub at: usize,
    /// How HAProxy writes the place in messages about this kind of line.
    pub form: Form,
    /// What HAProxy puts before each message, such as `'server b/s' : `.
    pub prefix: String,
    /// Where mistakes go.
    pub report: &'a mut Report,
}

impl<'a> Arguments<'a> {
    /// After the first `words` words of the line.
    pub fn after(line: &'a Line, words: usize, report: &'a mut Report) -> Arguments<'a> {
        Arguments { line, at: words, form: Form::Parsing, prefix: String::new(), report }
    }

    /// The next word, if any, without taking it.
    pub fn peek(&self) -> Option<&'a str> {
        self.line.words.get(self.at).map(|word| word.text.as_str())
    }

    /// Takes the next word.
    pub fn next(&mut self) -> Option<&'a str> {
        let word = self.peek()?;
        self.at += 1;
        Some(word)
    }

    /// The words not taken yet.
    pub fn rest(&self) -> Vec<&'a str> {
        self.line.words.get(self.at..).unwrap_or(&[]).iter().map(|word| word.text.as_str()).collect()
    }

    /// An error at word `at`, with what to do.
    pub fn alert(&mut self, at: usize, text: impl AsRef<str>, help: impl Into<String>) {
        let text = format!("{}{}", self.prefix, text.as_ref());
        self.report.alert(self.line, self.line.span(at), text).form(self.form).help(help);
    }

    /// The same as a warning.
    pub fn warn(&mut self, at: usize, text: impl AsRef<str>, help: impl Into<String>) {
        let text = format!("{}{}", self.prefix, text.as_ref());
        self.report.warning(self.line, self.line.span(at), text).form(self.form).help(help);
    }

    /// A warning at the word taken last.
    pub fn warn_last(&mut self, text: impl AsRef<str>, help: impl Into<String>) {
        self.warn(self.at - 1, text, help);
    }

    /// An error at the word taken last.
    pub fn alert_last(&mut self, text: impl AsRef<str>, help: impl Into<String>) {
        self.alert(self.at - 1, text, help);
    }

    /// Takes a word; its absence is an error of this text.
    pub fn required(&mut self, text: impl AsRef<str>, help: &str) -> Option<&'a str> {
        let word = self.next().filter(|word| !word.is_empty());
        if word.is_none() {
            self.alert(self.at, text, help);
        }
        word
    }

    /// Takes a whole number of that range.
    pub fn integer<T>(&mut self, keyword: &str, range: RangeInclusive<T>) -> Option<T>
    where
        T: Copy + Into<i64> + TryFrom<i64>,
    {
        let (low, high) = ((*range.start()).into(), (*range.end()).into());
        let expects = format!("'{keyword}' expects an integer argument.");
        let word = self.required(expects, "write a whole number after it")?;
        match value::integer(word, low, high) {
            Ok(number) => T::try_from(number).ok(),
            Err(error) => {
                let help = format!("write a whole number from {low} to {high}");
                self.alert_last(error.number_text(word, keyword), help);
                None
            }
        }
    }

    /// Takes a whole number from `low` to the greatest of its type.
    pub fn count(&mut self, keyword: &str, low: u32) -> Option<u32> {
        self.integer(keyword, low..=i32::MAX as u32)
    }

    /// Takes a limit: 0 is none.
    pub fn limit(&mut self, keyword: &str) -> Option<u32> {
        self.count(keyword, 0).filter(|limit| *limit > 0)
    }

    /// Takes a time in milliseconds.
    pub fn time(&mut self, keyword: &str, unit: TimeUnit) -> Option<u32> {
        let word = self.required(
            ValueError::Empty.time_text("", keyword),
            "write a whole number and a unit after it, as in 50s",
        )?;
        match value::time(word, unit) {
            Ok(ms) => Some(ms),
            Err(error) => {
                self.alert_last(error.time_text(word, keyword), error.time_help());
                None
            }
        }
    }

    /// Takes a time of at least one millisecond.
    pub fn time_above_zero(&mut self, keyword: &str) -> Option<u32> {
        let ms = self.time(keyword, TimeUnit::Milliseconds)?;
        if ms == 0 {
            self.alert_last(format!("'{keyword}' : invalid value 0."), "write a time above zero");
            return None;
        }
        Some(ms)
    }

    /// Takes a size in bytes from `low` to `high`.
    pub fn size(&mut self, keyword: &str, low: u64, high: u64) -> Option<u32> {
        let expects = format!("'{keyword}' expects a size in bytes.");
        let word = self.required(expects, "write a number, with k or m for KiB or MiB")?;
        let help = format!("write a size from {low} to {high} bytes; k and m stand for KiB and MiB");
        match value::size(word) {
            Ok(size) if (low..=high).contains(&size) => u32::try_from(size).ok(),
            Ok(_) => {
                self.alert_last(format!("'{keyword}' : value '{word}' is out of range."), help);
                None
            }
            Err(error) => {
                self.alert_last(error.number_text(word, keyword), help);
                None
            }
        }
    }

    /// Refuses what is left on the line.
    pub fn end(&mut self, keyword: &str) {
        if let Some(extra) = self.peek() {
            let text = format!("'{keyword}' cannot handle unexpected argument '{extra}'.");
            self.alert(self.at, text, "remove it, or put it in quotes with the word before it");
        }
    }

    /// Says of what is left on the line that it has no effect: HAProxy passes over it.
    pub fn pass_over(&mut self, keyword: &str) {
        if self.peek().is_some() {
            support::passed_over(keyword, self.line, self.at, self.report);
        }
    }

    /// An address that could not be read, at the word taken last.
    pub fn bad_address(&mut self, keyword: &str, error: AddressError) {
        self.alert_last(format!("'{keyword}' : {}", error.text), error.help);
    }

    /// The IP address of a host; a name is looked up among the supplies.
    pub fn resolve(&mut self, keyword: &str, host: &Host, supplies: &mut Supplies) -> Option<IpAddr> {
        let name = match host {
            Host::Ip(ip) => return Some(*ip),
            Host::Name(name) => name,
        };
        match supplies.hosts.of(name) {
            Ok(ip) => Some(ip),
            Err(why) => {
                let text = format!("'{keyword}' : could not resolve address '{}'.", name.name);
                self.alert_last(text, format!("{why}; give an address or add the name to /etc/hosts"));
                None
            }
        }
    }

    /// Takes the name of a `user` or a `group`; its number among the supplies.
    pub fn account(&mut self, what: &str, supplies: &mut Supplies) -> Option<u32> {
        let name = self.next()?.to_owned();
        let (accounts, list, create) = match what {
            "group" => (&mut supplies.groups, "getent group", "groupadd"),
            _ => (&mut supplies.users, "getent passwd", "useradd"),
        };
        let why = match accounts.of(&name) {
            Ok(id) => return Some(id),
            Err(why) => why,
        };
        let text = match self.prefix.is_empty() {
            true => format!("cannot find {what} id for '{name}' ({why})"),
            false => format!("'{what}' : unknown {what} name '{name}'"),
        };
        self.alert_last(
            text,
            format!("'{list}' lists those it knows; '{create} --system {name}' creates it"),
        );
        None
    }

    /// Takes the addresses of a listening line.
    pub fn listen(
        &mut self,
        keyword: &str,
        usage: Usage,
        supplies: &mut Supplies,
    ) -> Option<Vec<ListenAddress>> {
        let word = self.next()?;
        match address::listen_addresses(word, usage) {
            Ok(addresses) => {
                addresses.into_iter().map(|address| self.listen_address(keyword, address, supplies)).collect()
            }
            Err(error) => {
                self.bad_address(keyword, error);
                None
            }
        }
    }

    fn listen_address(
        &mut self,
        keyword: &str,
        address: Address,
        supplies: &mut Supplies,
    ) -> Option<ListenAddress> {
        match address {
            Address::Ip(host, Port::Fixed(port)) => {
                let ip = self.resolve(keyword, &host, supplies)?;
                Some(ListenAddress::Tcp(SocketAddr::new(ip, port)))
            }
            Address::Ip(..) => {
                self.alert_last(format!("'{keyword}' : missing port specification."), "write ADDRESS:PORT");
                None
            }
            Address::Unix(path) => Some(ListenAddress::Unix(path)),
            Address::Abstract(name) => Some(ListenAddress::Abstract(name)),
            Address::Fd(number) => Some(ListenAddress::Fd(number)),
            Address::SocketPair(number) => Some(ListenAddress::SocketPair(number)),
        }
    }

    /// Takes what follows `source`.
    pub fn source(&mut self, supplies: &mut Supplies) -> Option<SocketAddr> {
        let source = self.source_address(supplies);
        while let Some(word @ ("usesrc" | "interface")) = self.peek() {
            self.at += 1;
            let help = match word {
                "usesrc" => {
                    "servers see this machine's address; leave it out, and find the client in the log by its port"
                }
                _ => "connections leave from the address alone; route them by it (ip rule from ADDRESS)",
            };
            self.alert_last(format!("'source' : '{word}' is not supported here."), help);
            self.next();
        }
        source
    }

    fn source_address(&mut self, supplies: &mut Supplies) -> Option<SocketAddr> {
        let word = self.required(
            "'source' expects <addr>[:<port>], and optionally 'usesrc' <addr>, and 'interface' <name>.",
            "write the local address to connect from",
        )?;
        let parsed = match address::address(word, Usage::Source) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.bad_address("source", error);
                return None;
            }
        };
        let Address::Ip(host, port) = parsed else {
            let text = format!("'source' : '{word}' is not an IP address.");
            self.alert_last(text, "write the local IP address to connect from");
            return None;
        };
        let ip = self.resolve("source", &host, supplies)?;
        let port = if let Port::Fixed(port) = port { port } else { 0 };
        Some(SocketAddr::new(ip, port))
    }
}
