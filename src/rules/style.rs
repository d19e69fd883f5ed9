//! How the values of an ACL are read and compared (configuration manual, section 7.1).

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Matching, Pattern, Sample};

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
}

impl Style {
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
            Method::Address => match parse_network(text) {
                Some(network) => Ok(Some(Pattern::Network(network))),
                None => Err(format!("'{text}' is not a valid IPv4 or IPv6 address")),
            },
            Method::Text(matching) => {
                let ignore_case = self.ignore_case;
                Ok(Some(Pattern::Text { matching, ignore_case, text: text.to_owned() }))
            }
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
    pub fn seek<'a>(self, texts: impl Iterator<Item = &'a str>, key: &str) -> Option<&'a str> {
        let sample = self.sample(key)?;
        let matching = texts.filter_map(|text| {
            let pattern = self.read(text).ok()??;
            pattern.matches(&sample).then(|| (pattern.precision(), text))
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

/// `addr`, `addr/bits` or `addr/255.255.0.0`.
fn parse_network(word: &str) -> Option<IpNet> {
    let Some((address, mask)) = word.split_once('/') else {
        return word.parse().ok().map(|address: IpAddr| IpNet::from(address));
    };
    let address = address.parse().ok()?;
    match mask.parse::<IpAddr>() {
        Ok(mask) => IpNet::with_netmask(address, mask).ok(),
        Err(_) => IpNet::new(address, mask.parse().ok()?).ok(),
    }
}

/// A number, or a range `a:b` `a:` `:b`.
pub(super) fn parse_range(word: &str) -> Result<(i64, i64), String> {
    let number = |text: &str| text.parse::<i64>().map_err(|_| format!("'{word}' is not a number"));
    let Some((low, high)) = word.split_once(':') else {
        let value = number(word)?;
        return Ok((value, value));
    };
    let low = if low.is_empty() { i64::MIN } else { number(low)? };
    let high = if high.is_empty() { i64::MAX } else { number(high)? };
    if low > high || word == ":" {
        return Err(format!("'{word}' is not a valid number range"));
    }
    Ok((low, high))
}

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
    use super::*;

    fn sought(method: Method, ignore_case: bool, texts: &[&'static str], key: &str) -> Option<&'static str> {
        Style { method, ignore_case }.seek(texts.iter().copied(), key)
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
    fn ranges_are_written_as_they_are_read() {
        for text in ["80", "90:100", "1001:", ":5", "-3"] {
            let (low, high) = parse_range(text).expect(text);
            assert_eq!(range_text(low, high), text);
        }
    }
}
