//! Every address form of the language (configuration manual, section 11).
//!
//! `[stream+|dgram+][FAMILY@]ADDRESS[:PORT]`, where what may follow the colon depends on the keyword:
//! see [`Usage`]. Host names are not resolved here: see [`super::supplies`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

mod family;
mod port;
pub(super) mod variables;

pub use port::Port;

use super::model::AbstractName;
use crate::rules::parse_address;
use family::{Family, Transport};

/// The keyword that takes the address: it decides what is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// `bind`: a port or a range is a must, several addresses by comma.
    Bind,
    /// `stats socket`: as bind; a port is a must for TCP.
    StatsSocket,
    /// `server`: no port, a port, or an offset to the client's.
    Server,
    /// `source`: an address and maybe a port.
    Source,
    /// `log`: a datagram address, the port is 514 when left out.
    Log,
    /// `addr` of a check: an address and maybe a port.
    CheckAddress,
}

/// A parsed address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An IP address or host name.
    Ip(Host, Port),
    /// A Unix socket by path.
    Unix(PathBuf),
    /// A Unix socket in the abstract namespace.
    Abstract(AbstractName),
    /// `fd@N`.
    Fd(i32),
    /// `sockpair@N`.
    SocketPair(i32),
}

/// The part before the port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// An address; nothing and `*` are `0.0.0.0`, or `::` after `ipv6@`.
    Ip(IpAddr),
    /// A name to be resolved.
    Name(HostName),
}

/// A name to be resolved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostName {
    /// As written.
    pub name: String,
    /// The family its prefix demands.
    pub family: HostFamily,
}

/// Which addresses of a host name will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostFamily {
    /// The first one, whatever it is.
    Any,
    /// `ipv4@`
    V4,
    /// `ipv6@`
    V6,
}

/// Why it is no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    /// HAProxy's text, without the `'bind' : ` before it.
    pub text: String,
    /// Cause and remedy.
    pub help: String,
}

impl AddressError {
    fn new(text: impl Into<String>, help: impl Into<String>) -> Self {
        AddressError { text: text.into(), help: help.into() }
    }
}

/// The addresses of a `bind` line: comma separated, port ranges multiplied out.
pub fn listen_addresses(text: &str, usage: Usage) -> Result<Vec<Address>, AddressError> {
    let mut addresses = Vec::new();
    // A comma may end the list.
    for part in text.strip_suffix(',').unwrap_or(text).split(',') {
        match address(part, usage)? {
            Address::Ip(host, Port::Range(low, high)) => {
                addresses.extend((low..=high).map(|port| Address::Ip(host.clone(), Port::Fixed(port))));
            }
            address => addresses.push(address),
        }
    }
    Ok(addresses)
}

/// One address, its variables expanded.
pub fn address(text: &str, usage: Usage) -> Result<Address, AddressError> {
    if text.is_empty() || text.starts_with('$') {
        return Err(AddressError::new(
            format!("'{text}' resolves to an empty address (environment variable missing?)"),
            "write ADDRESS:PORT, as in :21050, or set the variable",
        ));
    }
    let (transport, rest) = Transport::split(text);
    let (family, rest) = Family::split(rest);
    refuse_unserved(text, usage, transport, family)?;
    match family {
        Family::Unix => unix(rest, usage),
        Family::Abstract { padded } => {
            let text = short_enough(rest, "abstract socket name", 107)?.to_owned();
            Ok(Address::Abstract(AbstractName { text, padded }))
        }
        Family::Fd => descriptor(text, rest, usage).map(Address::Fd),
        Family::SocketPair => pair(text, rest, usage),
        Family::Ip(family) => ip(text, rest, family, usage),
        Family::Unserved(name) => Err(unserved(name, text)),
    }
}

/// What HAProxy or this proxy does not take under that keyword.
fn refuse_unserved(
    text: &str,
    usage: Usage,
    transport: Transport,
    family: Family,
) -> Result<(), AddressError> {
    if let Family::Unserved(name) = family {
        return Err(unserved(name, text));
    }
    let datagram = transport == Transport::Datagram;
    match usage {
        Usage::Log if transport == Transport::Stream => Err(AddressError::new(
            format!("stream-type address not acceptable in '{text}'"),
            "log targets are datagrams here; send to a local syslog daemon and let it forward over TCP",
        )),
        Usage::Log => Ok(()),
        _ if datagram => Err(AddressError::new(
            format!("dgram-type address not acceptable in '{text}'"),
            "this carries TCP; leave the prefix out, or write tcp@ or uxst@",
        )),
        _ => Ok(()),
    }
}

fn unserved(name: &str, text: &str) -> AddressError {
    let help = match name {
        "quic4" | "quic6" => "QUIC is not served; Impala speaks TCP: leave the prefix out",
        "rhttp" => "reverse HTTP is not served; give the server's own address",
        "mptcp" | "mptcp4" | "mptcp6" => "Multipath TCP is not served; use tcp@, tcp4@ or tcp6@",
        _ => "use ADDRESS:PORT, unix@/path, abns@name or fd@N",
    };
    AddressError::new(format!("unsupported address family '{name}@' in '{text}'"), help)
}

fn unix(path: &str, usage: Usage) -> Result<Address, AddressError> {
    // Room for the temporary suffix under which a listening socket is created before it is renamed.
    let limit = if matches!(usage, Usage::Bind | Usage::StatsSocket) { 97 } else { 107 };
    if path.is_empty() {
        return Err(AddressError::new("missing socket path in 'unix@'", "write unix@/path/to/socket"));
    }
    Ok(Address::Unix(PathBuf::from(short_enough(path, "socket path", limit)?)))
}

fn short_enough<'a>(text: &'a str, what: &str, limit: usize) -> Result<&'a str, AddressError> {
    if text.len() <= limit {
        return Ok(text);
    }
    Err(AddressError::new(
        format!("{what} '{text}' too long (max {limit})"),
        "the kernel keeps it in a fixed field: choose a shorter one",
    ))
}

/// Connections are received that way, and never made.
fn pair(text: &str, digits: &str, usage: Usage) -> Result<Address, AddressError> {
    match usage {
        Usage::Bind | Usage::StatsSocket => descriptor(text, digits, usage).map(Address::SocketPair),
        _ => Err(AddressError::new(
            format!("unsupported address family 'sockpair@' in '{text}'"),
            "'bind' and 'stats socket' take connections over a pair of sockets; use unix@/path or abns@name here",
        )),
    }
}

fn descriptor(text: &str, digits: &str, usage: Usage) -> Result<i32, AddressError> {
    if matches!(usage, Usage::Server | Usage::Source | Usage::CheckAddress) {
        return Err(AddressError::new(
            format!("a file descriptor is not acceptable here in '{text}'"),
            "an inherited descriptor can be listened on, not connected to: give an address",
        ));
    }
    let number = digits.parse().ok().filter(|number: &i32| *number >= 0);
    number.ok_or_else(|| {
        AddressError::new(
            format!("file descriptor '{digits}' is not a valid integer in '{text}'"),
            "write fd@N or sockpair@N with the number of an inherited socket, as in fd@3 or \"fd@${FD}\"",
        )
    })
}

fn ip(text: &str, rest: &str, family: HostFamily, usage: Usage) -> Result<Address, AddressError> {
    let (host, port) = split_port(rest);
    let port = port::parse(port, text, usage)?;
    Ok(Address::Ip(self::host(host, text, family, usage)?, port))
}

/// Cuts at the last colon that is not inside brackets; a bare IPv6 address needs one more colon for its port.
fn split_port(rest: &str) -> (&str, Option<&str>) {
    let after_bracket = rest.rfind(']').map_or(0, |at| at + 1);
    match rest[after_bracket..].rfind(':') {
        Some(colon) => (&rest[..after_bracket + colon], Some(&rest[after_bracket + colon + 1..])),
        None => (rest, None),
    }
}

fn host(host: &str, text: &str, family: HostFamily, usage: Usage) -> Result<Host, AddressError> {
    if matches!(host, "" | "*") {
        let any = match family {
            HostFamily::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            _ => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        };
        return Ok(Host::Ip(any));
    }
    let invalid = |help: &str| Err(AddressError::new(format!("invalid address: '{host}' in '{text}'"), help));
    // Brackets may enclose any address or name, but not a single character.
    let enclosed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).filter(|h| h.len() > 1);
    let bare = enclosed.unwrap_or(host);
    match parse_address(bare) {
        Some(IpAddr::V6(_)) if family == HostFamily::V4 => {
            invalid("the prefix asks for IPv4: write ipv6@ or no prefix")
        }
        Some(IpAddr::V4(_)) if family == HostFamily::V6 => {
            invalid("the prefix asks for IPv6: write ipv4@ or no prefix")
        }
        Some(address) => Ok(Host::Ip(address)),
        None if is_host_name(bare) => Ok(Host::Name(HostName { name: bare.to_owned(), family })),
        None if usage == Usage::Server && host.contains(',') => {
            invalid("a server has one address: write a line for each")
        }
        None => invalid("write an IPv4 address, an IPv6 address in brackets, * or a host name"),
    }
}

impl HostName {
    /// A host whose IPv4 address is wanted; None: this is no name.
    pub(super) fn ipv4(name: &str) -> Option<HostName> {
        is_host_name(name).then(|| HostName { name: name.to_owned(), family: HostFamily::V4 })
    }
}

/// RFC 1123 names, with the underscore that is found in the wild; not what is plainly a mistyped IPv4 address.
fn is_host_name(host: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    host.len() <= 253
        && host.bytes().all(allowed)
        && host.bytes().any(|b| b.is_ascii_alphabetic())
        && !host.starts_with(['-', '.'])
}

#[cfg(test)]
mod tests;
