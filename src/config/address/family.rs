//! The prefixes before the `@` (configuration manual, sections 11.1 to 11.3).

use super::HostFamily;

/// What the prefix says about the socket type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// Nothing: the keyword's own.
    Default,
    Stream,
    Datagram,
}

/// What the prefix says about the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Ip(HostFamily),
    Unix,
    Abstract {
        padded: bool,
    },
    Fd,
    SocketPair,
    /// Known to HAProxy, not served here.
    Unserved(&'static str),
}

/// Prefixes that imply a transport, and what they are short for.
const PROTOCOLS: &[(&str, Transport, &str)] = &[
    ("tcp@", Transport::Stream, "ip@"),
    ("tcp4@", Transport::Stream, "ipv4@"),
    ("tcp6@", Transport::Stream, "ipv6@"),
    ("udp@", Transport::Datagram, "ip@"),
    ("udp4@", Transport::Datagram, "ipv4@"),
    ("udp6@", Transport::Datagram, "ipv6@"),
    ("uxst@", Transport::Stream, "unix@"),
    ("uxdg@", Transport::Datagram, "unix@"),
];

const FAMILIES: &[(&str, Family)] = &[
    ("ip@", Family::Ip(HostFamily::Any)),
    ("ipv4@", Family::Ip(HostFamily::V4)),
    ("ipv6@", Family::Ip(HostFamily::V6)),
    ("unix@", Family::Unix),
    ("abns@", Family::Abstract { padded: true }),
    ("abnsz@", Family::Abstract { padded: false }),
    ("fd@", Family::Fd),
    ("sockpair@", Family::SocketPair),
    ("quic4@", Family::Unserved("quic4")),
    ("quic6@", Family::Unserved("quic6")),
    ("mptcp@", Family::Unserved("mptcp")),
    ("mptcp4@", Family::Unserved("mptcp4")),
    ("mptcp6@", Family::Unserved("mptcp6")),
    ("rhttp@", Family::Unserved("rhttp")),
];

impl Transport {
    /// The transport and what remains, in which a protocol prefix has become its family prefix.
    pub(super) fn split(text: &str) -> (Transport, Prefixed<'_>) {
        for (prefix, transport) in [("stream+", Transport::Stream), ("dgram+", Transport::Datagram)] {
            if let Some(rest) = text.strip_prefix(prefix) {
                return (transport, Prefixed { family: None, rest });
            }
        }
        for (prefix, transport, family) in PROTOCOLS {
            if let Some(rest) = text.strip_prefix(prefix) {
                return (*transport, Prefixed { family: Some(family), rest });
            }
        }
        (Transport::Default, Prefixed { family: None, rest: text })
    }
}

/// An address whose transport prefix is gone.
#[derive(Clone, Copy)]
pub(super) struct Prefixed<'a> {
    family: Option<&'static str>,
    rest: &'a str,
}

impl Family {
    /// The family and the bare address.
    pub(super) fn split(text: Prefixed<'_>) -> (Family, &str) {
        if let Some(implied) = text.family {
            let family = FAMILIES.iter().find(|(prefix, _)| *prefix == implied);
            return (family.map_or(Family::Ip(HostFamily::Any), |(_, family)| *family), text.rest);
        }
        for (prefix, family) in FAMILIES {
            if let Some(rest) = text.rest.strip_prefix(prefix) {
                return (*family, rest);
            }
        }
        let family = if text.rest.starts_with('/') { Family::Unix } else { Family::Ip(HostFamily::Any) };
        (family, text.rest)
    }
}
