//! How the values of an ACL are read and compared (configuration manual, section 7.1).

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::{Entry, Matching, Pattern, Sample};

/// `-m`, or what comes with the keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Found,
    Integer,
    Address,
    Length,
    Text(Matching),
}

/// How values become patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    pub(super) method: Method,
    /// `-i`
    pub(super) ignore_case: bool,
    /// No `-n`: an address may be a host name.
    pub(super) names: bool,
}

impl Style {
    /// That of a fetch without values.
    pub(super) fn of_nothing() -> Style {
        Style { method: Method::Found, ignore_case: false, names: false }
    }

    /// Reads one value; None: it says nothing, since the method looks at no value. The error is HAProxy's line
    /// without its full stop.
    pub fn read(self, text: &str) -> Result<Option<Pattern>, String> {
        let ranges = |make: fn(i64, i64) -> Pattern| {
            let range = parse_range(text)?;
            Ok(Some(make(range.0, range.1)))
        };
        match self.method {
            Method::Found => Ok(None),
            Method::Integer => ranges(Pattern::Range),
            Method::Length => ranges(Pattern::Length),
            Method::Address => match parse_network(text, parse_address) {
                Some(network) => Ok(Some(Pattern::Network(network))),
                None => Err(no_address(text)),
            },
            Method::Text(matching) => {
                let ignore_case = self.ignore_case;
                Ok(Some(Pattern::Text { matching, ignore_case, text: text.to_owned() }))
            }
        }
    }

    /// As [`read`](Self::read), for a value whose host name was looked up.
    pub fn read_entry(self, entry: &Entry) -> Result<Option<Pattern>, String> {
        match entry.network {
            Some(network) if self.takes_names() => Ok(Some(Pattern::Network(network))),
            _ => self.read(&entry.text),
        }
    }

    /// The network of a value with a host name for an address. HAProxy asks for IPv4 addresses only.
    pub(super) fn look_up(self, text: &str, host: &mut dyn FnMut(&str) -> Option<Ipv4Addr>) -> Option<IpNet> {
        let is_name = self.takes_names() && parse_network(text, parse_address).is_none();
        is_name.then(|| parse_network(text, |name| host(name).map(IpAddr::V4))).flatten()
    }

    fn takes_names(self) -> bool {
        self.names && self.method == Method::Address
    }

    /// As [`read`](Self::read), for a value that arrives while the process runs: HAProxy then takes no address
    /// in a short form, and looks up no name.
    pub fn read_late(self, text: &str) -> Result<Option<Pattern>, String> {
        match self.method {
            Method::Address if parse_network(text, |word| word.parse().ok()).is_none() => {
                Err(no_address(text))
            }
            _ => self.read(text),
        }
    }

    /// The method's name in the file.
    pub fn name(self) -> &'static str {
        match self.method {
            Method::Found => "found",
            Method::Integer => "int",
            Method::Address => "ip",
            Method::Length => "len",
            Method::Text(Matching::Str) => "str",
            Method::Text(Matching::Beg) => "beg",
            Method::Text(Matching::End) => "end",
            Method::Text(Matching::Sub) => "sub",
        }
    }

    /// Whether only the presence of something counts.
    pub(super) fn is_found(self) -> bool {
        self.method == Method::Found
    }

    /// Whether `-i` was given.
    pub fn ignores_case(self) -> bool {
        self.ignore_case
    }

    /// Whether HAProxy keeps such values in a tree, where the most precise one is found, and not in a list,
    /// where the first is.
    pub fn is_precise(self) -> bool {
        match self.method {
            Method::Address => true,
            Method::Text(Matching::Str | Matching::Beg) => !self.ignore_case,
            _ => false,
        }
    }

    /// The value that a sample written as `key` matches.
    pub fn seek<'a>(self, entries: impl Iterator<Item = &'a Entry>, key: &str) -> Option<&'a str> {
        let sample = self.sample(key)?;
        let matching = entries.filter_map(|entry| {
            let pattern = self.read_entry(entry).ok()??;
            pattern.matches(&sample).then(|| (pattern.precision(), entry.text.as_str()))
        });
        let found = match self.is_precise() {
            true => matching.reduce(|best, other| if other.0 > best.0 { other } else { best }),
            false => { matching }.next(),
        };
        found.map(|(_, text)| text)
    }

    fn sample(self, key: &str) -> Option<Sample<'_>> {
        match self.method {
            Method::Found => None,
            Method::Integer => key.parse().ok().map(Sample::Integer),
            Method::Address => key.parse::<IpAddr>().ok().map(Sample::Address),
            Method::Length | Method::Text(_) => Some(Sample::Text(key.as_bytes())),
        }
    }
}

fn no_address(text: &str) -> String {
    format!("'{text}' is not a valid IPv4 or IPv6 address")
}

/// `addr`, `addr/bits` or `addr/255.255.0.0`, the address as `parse_address` reads it.
fn parse_network(word: &str, mut parse_address: impl FnMut(&str) -> Option<IpAddr>) -> Option<IpNet> {
    let Some((address, mask)) = word.split_once('/') else {
        return parse_address(word).map(IpNet::from);
    };
    let address = parse_address(address)?;
    match mask.parse::<IpAddr>() {
        Ok(mask) => IpNet::with_netmask(address, mask).ok(),
        Err(_) => IpNet::new(address, mask.parse().ok()?).ok(),
    }
}

/// An address as HAProxy reads it in the configuration: also in the short and octal forms of inet_aton(3), where the
/// last number fills what is left: `10.1` is 10.0.0.1 and `010.0.0.1` is 8.0.0.1.
pub fn parse_address(word: &str) -> Option<IpAddr> {
    word.parse().ok().or_else(|| short_address(word).map(IpAddr::V4))
}

fn short_address(word: &str) -> Option<Ipv4Addr> {
    let numbers: Vec<u64> = word.split('.').map(short_number).collect::<Option<_>>()?;
    let (&last, leading) = numbers.split_last()?;
    let free = 32u32.checked_sub(8 * leading.len() as u32).filter(|&bits| bits > 0)?;
    if last >> free != 0 || leading.iter().any(|&number| number > 255) {
        return None;
    }
    let leading = leading.iter().fold(0, |address, number| address << 8 | number);
    Some(Ipv4Addr::from_bits((leading << free | last) as u32))
}

/// Decimal, or octal after a `0`. Hexadecimal numbers are none here, as in HAProxy.
fn short_number(text: &str) -> Option<u64> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let radix = if text.len() > 1 && text.starts_with('0') { 8 } else { 10 };
    u64::from_str_radix(text, radix).ok()
}

/// A number, or a range `a:b` `a:` `:b`, where `-` does as well as `:`; a number below zero is thus none.
pub(super) fn parse_range(word: &str) -> Result<(i64, i64), String> {
    let number = |text: &str| text.parse::<i64>().ok().filter(|_| !text.starts_with('+'));
    let Some(at) = word.find(SEPARATORS) else {
        let value = number(word).ok_or_else(|| format!("'{word}' is not a number"))?;
        return Ok((value, value));
    };
    let (low, high) = (&word[..at], &word[at + 1..]);
    let low = if low.is_empty() { Some(i64::MIN) } else { number(low) };
    let high = if high.is_empty() { Some(i64::MAX) } else { number(high) };
    let range = low.zip(high).filter(|(low, high)| low <= high && word.len() > 1);
    range.ok_or_else(|| format!("'{word}' is not a valid number range"))
}

/// Whether it is written as a range.
pub(super) fn is_range(word: &str) -> bool {
    word.contains(SEPARATORS)
}

const SEPARATORS: [char; 2] = [':', '-'];

/// How a range is written.
pub(super) fn range_text(low: i64, high: i64) -> String {
    match (low, high) {
        (i64::MIN, high) => format!(":{high}"),
        (low, i64::MAX) => format!("{low}:"),
        (low, high) if low == high => low.to_string(),
        (low, high) => format!("{low}:{high}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{List, Origin};
    use super::*;

    fn sought(method: Method, ignore_case: bool, texts: &[&'static str], key: &str) -> Option<&'static str> {
        let origin = Origin::File("list".to_owned(), Vec::new());
        let list = List::new(origin, None, texts.iter().copied());
        let found = Style { method, ignore_case, names: true }.seek(list.entries(None), key)?;
        texts.iter().copied().find(|text| *text == found)
    }

    #[test]
    fn a_tree_finds_the_most_precise_and_a_list_the_first() {
        let networks = ["10.0.0.0/8", "10.1.0.0/16", "::1"];
        assert_eq!(sought(Method::Address, false, &networks, "10.1.2.3"), Some("10.1.0.0/16"));
        assert_eq!(sought(Method::Address, false, &networks, "10.2.2.3"), Some("10.0.0.0/8"));
        assert_eq!(sought(Method::Address, false, &networks, "none"), None);
        let beginnings = ["/st", "/sta"];
        let beg = Method::Text(Matching::Beg);
        assert_eq!(sought(beg, false, &beginnings, "/sta1"), Some("/sta"));
        assert_eq!(sought(beg, true, &beginnings, "/STA1"), Some("/st"));
        assert_eq!(sought(Method::Integer, false, &["80", "90:100", "1001:"], "95"), Some("90:100"));
        assert_eq!(sought(Method::Length, false, &["3:5", "9"], "abcd"), Some("3:5"));
        assert_eq!(sought(Method::Found, false, &["x"], "x"), None);
    }

    #[test]
    fn short_addresses_are_those_of_inet_aton() {
        let networks = ["10.1", "010.0.0.1", "192.168/16", "300", "10.256", "4294967295"];
        let read = networks.map(|word| parse_network(word, parse_address).expect(word).to_string());
        let meant = [
            "10.0.0.1/32",
            "8.0.0.1/32",
            "192.0.0.168/16",
            "0.0.1.44/32",
            "10.0.1.0/32",
            "255.255.255.255/32",
        ];
        assert_eq!(read, meant);
        let none = [
            "0x0a.1",
            "1.2.3.4/255.255",
            "4294967296",
            "256.1",
            "1.2.3.4.5",
            "1.2.3.256",
            "10.",
            ".1",
            "09",
            "",
        ];
        for word in none.iter().chain(&["10/33", "10/", "10/0x8"]) {
            assert_eq!(parse_network(word, parse_address), None, "{word}");
        }
    }

    #[test]
    fn ranges_are_written_as_they_are_read() {
        for text in ["80", "90:100", "1001:", ":5", ":-1"] {
            let (low, high) = parse_range(text).expect(text);
            assert_eq!(range_text(low, high), text);
        }
    }

    #[test]
    fn a_dash_makes_a_range_too() {
        assert_eq!(parse_range("80-90"), Ok((80, 90)));
        assert_eq!(parse_range("80-"), Ok((80, i64::MAX)));
        assert_eq!(parse_range("-90"), Ok((i64::MIN, 90)));
        for wrong in ["-", ":", "90-80", "80-90-100", "80:90:100", "80-:90", "1-x", "-1:5", "80--5"] {
            assert_eq!(parse_range(wrong), Err(format!("'{wrong}' is not a valid number range")));
        }
        for wrong in ["", "x", "+80", "0x50", "80.5"] {
            assert_eq!(parse_range(wrong), Err(format!("'{wrong}' is not a number")));
        }
    }
}
