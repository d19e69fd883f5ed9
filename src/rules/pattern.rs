//! Patterns: what a fetched sample is compared with.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::Sample;

/// How strings are compared (`-m`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matching {
    /// Equal.
    Str,
    /// Prefix.
    Beg,
    /// Suffix.
    End,
    /// Anywhere inside.
    Sub,
}

/// One value of an ACL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// `-m found`, and what boolean fetches compare with: that the fetch found anything.
    Found,
    /// A string; `ignore_case` is `-i`.
    Text {
        /// How.
        matching: Matching,
        /// `-i`.
        ignore_case: bool,
        /// The value.
        text: String,
    },
    /// `-m len`: an inclusive range for the text's length in bytes.
    Length(i64, i64),
    /// An address or network.
    Network(IpNet),
    /// An inclusive range of integers.
    Range(i64, i64),
}

impl Pattern {
    /// Whether the sample is one that this value describes.
    pub fn matches(&self, sample: &Sample) -> bool {
        match (self, sample) {
            (Pattern::Found, _) => true,
            (Pattern::Text { matching, ignore_case, text }, Sample::Text(found)) => {
                matching.compare(found, text.as_bytes(), *ignore_case)
            }
            (Pattern::Length(low, high), Sample::Text(found)) => {
                (*low..=*high).contains(&(found.len() as i64))
            }
            (Pattern::Network(network), Sample::Address(address)) => contains(network, *address),
            (Pattern::Range(low, high), Sample::Integer(number)) => (*low..=*high).contains(number),
            _ => false,
        }
    }
}

impl Pattern {
    /// The more it says, the more precise it is: bits of an address, bytes of a text.
    pub(super) fn precision(&self) -> usize {
        match self {
            Pattern::Network(network) => usize::from(network.prefix_len()),
            Pattern::Text { text, .. } => text.len(),
            Pattern::Found | Pattern::Length(..) | Pattern::Range(..) => 0,
        }
    }
}

impl Matching {
    fn compare(self, found: &[u8], text: &[u8], ignore_case: bool) -> bool {
        let Some(spare) = found.len().checked_sub(text.len()) else { return false };
        let equal = |part: &[u8]| match ignore_case {
            true => part.eq_ignore_ascii_case(text),
            false => part == text,
        };
        match self {
            Matching::Str => equal(found),
            Matching::Beg => equal(&found[..text.len()]),
            Matching::End => equal(&found[spare..]),
            Matching::Sub => (0..=spare).any(|at| equal(&found[at..at + text.len()])),
        }
    }
}

/// IPv4 and IPv6 compare as HAProxy does: each also in the form of the other, where it has one.
fn contains(network: &IpNet, address: IpAddr) -> bool {
    match (network, address) {
        (IpNet::V4(network), IpAddr::V4(address)) => network.contains(&address),
        (IpNet::V6(network), IpAddr::V6(address)) => network.contains(&address),
        (IpNet::V6(network), IpAddr::V4(address)) => network.contains(&address.to_ipv6_mapped()),
        (IpNet::V4(network), IpAddr::V6(address)) => {
            embedded_ipv4(address).is_some_and(|address| network.contains(&address))
        }
    }
}

/// The IPv4 address inside a mapped, compatible (RFC 4291, section 2.5.5) or 6to4 (RFC 3056) one.
fn embedded_ipv4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.octets() {
        [0x20, 0x02, a, b, c, d, ..] => Some(Ipv4Addr::new(a, b, c, d)),
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] => Some(Ipv4Addr::new(a, b, c, d)),
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] => Some(Ipv4Addr::new(a, b, c, d)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(matching: Matching, ignore_case: bool, value: &str, found: &str) -> bool {
        let pattern = Pattern::Text { matching, ignore_case, text: value.to_owned() };
        pattern.matches(&Sample::Text(found.as_bytes()))
    }

    #[test]
    fn strings_compare_by_their_method() {
        assert!(text(Matching::Str, false, "/a", "/a") && !text(Matching::Str, false, "/a", "/ab"));
        assert!(text(Matching::Beg, false, "/a", "/ab") && !text(Matching::Beg, false, "/b", "/ab"));
        assert!(text(Matching::End, false, ".x", "/b.x") && !text(Matching::End, false, "/b.xy", ".x"));
        assert!(text(Matching::Sub, false, "bc", "/bcd") && !text(Matching::Sub, false, "bd", "/bcd"));
        assert!(text(Matching::Sub, true, "BC", "/bcd") && !text(Matching::Str, false, "/A", "/a"));
    }

    #[test]
    fn addresses_match_across_families() {
        let network = |value: &str| Pattern::Network(value.parse().expect("a network"));
        let matches = |value, address: &str| {
            network(value).matches(&Sample::Address(address.parse().expect("an address")))
        };
        assert!(matches("10.0.0.0/8", "10.1.2.3") && !matches("10.0.0.0/8", "11.1.2.3"));
        assert!(matches("10.0.0.0/8", "::ffff:10.1.2.3") && matches("10.0.0.0/8", "2002:0a01::1"));
        assert!(matches("::ffff:0:0/96", "10.1.2.3") && !matches("fe80::/10", "10.1.2.3"));
        assert!(!matches("10.0.0.0/8", "fe80::10.1.2.3"));
    }

    #[test]
    fn ranges_include_their_ends() {
        let range = Pattern::Range(80, 90);
        assert!([80, 85, 90].iter().all(|port| range.matches(&Sample::Integer(*port))));
        assert!(!range.matches(&Sample::Integer(79)) && !range.matches(&Sample::Text(b"85")));
        assert!(Pattern::Length(2, 3).matches(&Sample::Text(b"abc")));
    }
}
