//! Reading `fetch [flags] values` of an `acl` line or of `{ … }` (configuration manual, section 7.1).

use ipnet::IpNet;

use super::{Acl, Fetch, Matching, Mistake, Pattern};

/// The fetches that this proxy evaluates, for help texts.
const FETCHES: &str = "src, src_port, dst, dst_port, path, path_beg, path_end, path_sub, path_len, \
                       always_true and always_false";

/// How the values of one ACL are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Found,
    Integer,
    Address,
    Length,
    Text(Matching),
}

/// Reads the words after `acl NAME`; an empty name makes an anonymous ACL.
///
/// No value at all gives an ACL that never matches, as in HAProxy: the caller warns unless `--` ends
/// the words.
pub fn parse_acl(name: &str, words: &[&str]) -> Result<Acl, Mistake> {
    let (fetch, natural) = parse_keyword(words.first().copied().unwrap_or(""))?;
    let flags = parse_flags(fetch, natural, words)?;
    let patterns = match flags.method {
        Method::Found => vec![Pattern::Found],
        Method::Integer => parse_integers(words, flags.values, Pattern::Range)?,
        Method::Length => parse_integers(words, flags.values, Pattern::Length)?,
        Method::Address => parse_addresses(words, flags.values)?,
        Method::Text(matching) => parse_texts(words, flags, matching),
    };
    Ok(Acl { name: name.to_owned(), fetch, patterns })
}

/// The ACL keywords that stand for a fetch and its method: name, both, and how HAProxy writes them.
const KEYWORDS: [(&str, Fetch, Method, &str); 4] = [
    ("path_beg", Fetch::Path, Method::Text(Matching::Beg), "path -m beg"),
    ("path_end", Fetch::Path, Method::Text(Matching::End), "path -m end"),
    ("path_len", Fetch::Path, Method::Length, "path -m len"),
    ("path_sub", Fetch::Path, Method::Text(Matching::Sub), "path -m sub"),
];

/// Every ACL keyword that is no fetch, and what it stands for.
pub fn acl_keywords() -> impl Iterator<Item = (&'static str, &'static str)> {
    KEYWORDS.into_iter().map(|(name, _, _, meaning)| (name, meaning))
}

/// The fetch, or an ACL keyword such as `path_beg` that stands for a fetch and its method.
fn parse_keyword(word: &str) -> Result<(Fetch, Method), Mistake> {
    if let Some((_, fetch, method, _)) = KEYWORDS.into_iter().find(|(name, ..)| *name == word) {
        return Ok((fetch, method));
    }
    let fetch = Fetch::named(word).ok_or_else(|| unknown_fetch(word))?;
    Ok((fetch, natural_method(fetch)))
}

fn natural_method(fetch: Fetch) -> Method {
    match fetch {
        Fetch::Always(_) => Method::Found,
        Fetch::Src | Fetch::Dst => Method::Address,
        Fetch::SrcPort | Fetch::DstPort => Method::Integer,
        Fetch::Path => Method::Text(Matching::Str),
    }
}

fn unknown_fetch(word: &str) -> Mistake {
    if word.is_empty() {
        return Mistake::new(0, "missing fetch method in ACL expression ''.")
            .help(format!("name what to look at: {FETCHES}"));
    }
    let name_end = word.find([',', '(']).unwrap_or(word.len());
    if name_end < word.len() && Fetch::named(&word[..name_end]).is_some() {
        return Mistake::new(0, format!("unknown converter in ACL expression '{word}'."))
            .help("converters and fetch arguments are not supported here");
    }
    Mistake::new(0, format!("unknown fetch method '{word}' in ACL expression '{word}'."))
        .help(format!("the fetches supported here are {FETCHES}"))
}

/// The flags that precede the values.
struct Flags {
    method: Method,
    ignore_case: bool,
    /// Index of the first value.
    values: usize,
}

fn parse_flags(fetch: Fetch, natural: Method, words: &[&str]) -> Result<Flags, Mistake> {
    let mut flags = Flags { method: natural, ignore_case: false, values: 1 };
    while let Some(word) = words.get(flags.values).filter(|word| is_flag(word)) {
        match *word {
            "--" => {
                flags.values += 1;
                break;
            }
            "-i" => flags.ignore_case = true,
            "-n" => {}
            "-m" => {
                flags.values += 1;
                flags.method = parse_method(fetch, words.get(flags.values).copied(), flags.values)?;
            }
            other => return Err(refused_flag(other, flags.values)),
        }
        flags.values += 1;
    }
    Ok(flags)
}

/// A negative number is a value, not a flag.
fn is_flag(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn refused_flag(flag: &str, word: usize) -> Mistake {
    match flag {
        "-f" | "-M" | "-u" => Mistake::new(word, format!("flag '{flag}' is not supported here."))
            .help("pattern files and maps are not built: write the values on the line"),
        _ => Mistake::new(
            word,
            format!(
                "'{flag}' is not a valid ACL option. Please use '--' before any pattern beginning with a '-'."
            ),
        ),
    }
}

fn parse_method(fetch: Fetch, name: Option<&str>, word: usize) -> Result<Method, Mistake> {
    let name = name.unwrap_or("");
    let method = match name {
        "found" => return Ok(Method::Found),
        "int" => Method::Integer,
        "ip" => Method::Address,
        "len" => Method::Length,
        "str" => Method::Text(Matching::Str),
        "beg" => Method::Text(Matching::Beg),
        "end" => Method::Text(Matching::End),
        "sub" => Method::Text(Matching::Sub),
        "bool" | "bin" | "dir" | "dom" | "reg" => {
            let message = format!("matching method '{name}' is not supported here.");
            return Err(
                Mistake::new(word, message).help("supported are found, int, ip, len, str, beg, end and sub")
            );
        }
        _ => {
            let message = format!("unknown matching method '{name}' when parsing ACL expression.");
            return Err(Mistake::new(word, message));
        }
    };
    let fits = match natural_method(fetch) {
        Method::Text(_) => matches!(method, Method::Text(_) | Method::Length),
        natural => natural == method,
    };
    if !fits {
        let message = format!("matching method '{name}' is not supported for this fetch.");
        return Err(
            Mistake::new(word, message).help("compare addresses with ip, ports with int, path with str")
        );
    }
    Ok(method)
}

fn parse_texts(words: &[&str], flags: Flags, matching: Matching) -> Vec<Pattern> {
    let text =
        |value: &&str| Pattern::Text { matching, ignore_case: flags.ignore_case, text: (*value).to_owned() };
    words[flags.values..].iter().map(text).collect()
}

fn parse_addresses(words: &[&str], first: usize) -> Result<Vec<Pattern>, Mistake> {
    let network = |at: usize| {
        let word = words[at];
        parse_network(word).map(Pattern::Network).ok_or_else(|| {
            Mistake::new(at, format!("'{word}' is not a valid IPv4 or IPv6 address.")).help(
                "write an address such as 10.1.2.3 or a network such as 10.0.0.0/8; names are not resolved",
            )
        })
    };
    (first..words.len()).map(network).collect()
}

/// `addr`, `addr/bits` or `addr/255.255.0.0`.
fn parse_network(word: &str) -> Option<IpNet> {
    let Some((address, mask)) = word.split_once('/') else {
        return word.parse().ok().map(|address: std::net::IpAddr| IpNet::from(address));
    };
    let address = address.parse().ok()?;
    match mask.parse::<std::net::IpAddr>() {
        Ok(mask) => IpNet::with_netmask(address, mask).ok(),
        Err(_) => IpNet::new(address, mask.parse().ok()?).ok(),
    }
}

/// Numbers, ranges `a:b` `a:` `:b`, and numbers after `eq`, `ge`, `gt`, `le` or `lt`.
fn parse_integers(
    words: &[&str],
    first: usize,
    make: fn(i64, i64) -> Pattern,
) -> Result<Vec<Pattern>, Mistake> {
    let mut operator = "eq";
    let mut patterns = Vec::new();
    for (at, word) in words.iter().enumerate().skip(first) {
        if matches!(*word, "eq" | "ge" | "gt" | "le" | "lt") {
            operator = word;
            continue;
        }
        let (low, high) = parse_range(word, at)?;
        let (low, high) = match operator {
            "ge" => (low, i64::MAX),
            "gt" => (low.saturating_add(1), i64::MAX),
            "le" => (i64::MIN, high),
            "lt" => (i64::MIN, high.saturating_sub(1)),
            _ => (low, high),
        };
        patterns.push(make(low, high));
    }
    Ok(patterns)
}

fn parse_range(word: &str, at: usize) -> Result<(i64, i64), Mistake> {
    let number =
        |text: &str| text.parse::<i64>().map_err(|_| Mistake::new(at, format!("'{word}' is not a number.")));
    let Some((low, high)) = word.split_once(':') else {
        let value = number(word)?;
        return Ok((value, value));
    };
    let low = if low.is_empty() { i64::MIN } else { number(low)? };
    let high = if high.is_empty() { i64::MAX } else { number(high)? };
    if low > high || word == ":" {
        return Err(Mistake::new(at, format!("'{word}' is not a valid number range.")));
    }
    Ok((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Acl, Mistake> {
        let words: Vec<&str> = line.split_whitespace().collect();
        parse_acl("a", &words)
    }

    fn patterns(line: &str) -> Vec<Pattern> {
        parse(line).expect("a valid acl").patterns
    }

    fn message(line: &str) -> String {
        parse(line).expect_err("an invalid acl").message
    }

    #[test]
    fn the_keyword_sets_the_method_and_m_overrides_it() {
        let text = |matching, ignore_case, text: &str| Pattern::Text {
            matching,
            ignore_case,
            text: text.to_owned(),
        };
        assert_eq!(patterns("path_beg -i /x"), [text(Matching::Beg, true, "/x")]);
        assert_eq!(patterns("path_beg -m end /x"), [text(Matching::End, false, "/x")]);
        assert_eq!(patterns("path -- -i"), [text(Matching::Str, false, "-i")]);
        assert_eq!(patterns("path_len 3:"), [Pattern::Length(3, i64::MAX)]);
        assert_eq!(patterns("src -m found"), [Pattern::Found]);
    }

    #[test]
    fn numbers_take_operators_and_ranges() {
        assert_eq!(patterns("dst_port 80 8080:8090"), [Pattern::Range(80, 80), Pattern::Range(8080, 8090)]);
        assert_eq!(
            patterns("dst_port ge 80 lt 22"),
            [Pattern::Range(80, i64::MAX), Pattern::Range(i64::MIN, 21)]
        );
        assert_eq!(patterns("dst_port -5"), [Pattern::Range(-5, -5)]);
        assert_eq!(message("dst_port 10:5"), "'10:5' is not a valid number range.");
        assert_eq!(message("dst_port foo"), "'foo' is not a number.");
    }

    #[test]
    fn addresses_take_masks_of_both_forms() {
        assert_eq!(patterns("src 10.0.0.0/8"), patterns("src 10.0.0.0/255.0.0.0"));
        assert_eq!(patterns("src ::1 fe80::/10").len(), 2);
        assert_eq!(message("src 10.0.0.0/99"), "'10.0.0.0/99' is not a valid IPv4 or IPv6 address.");
    }

    #[test]
    fn what_is_not_supported_is_named() {
        assert!(message("pathx /x").starts_with("unknown fetch method 'pathx'"));
        assert!(message("path,lower /x").starts_with("unknown converter"));
        assert!(message("path -m reg x").contains("'reg'"));
        assert!(message("src -m beg 10").contains("'beg'"));
        assert!(message("path -f /etc/list").contains("'-f'"));
        assert_eq!(message("src -m foo"), "unknown matching method 'foo' when parsing ACL expression.");
        assert!(message("src -q").starts_with("'-q' is not a valid ACL option."));
        assert_eq!(message(""), "missing fetch method in ACL expression ''.");
    }
}
