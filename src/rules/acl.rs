//! Reading `fetch [flags] values` of an `acl` line or of `{ … }` (configuration manual, section 7.1).

use std::sync::Arc;

use super::style::{Method, is_range, parse_range, range_text};
use super::{Acl, Fetch, Matching, Mistake, Reading, Style, elsewhere};

/// The fetches that this proxy evaluates, for help texts.
const FETCHES: &str = "src, src_port, dst, dst_port, path, path_beg, path_end, path_sub, path_len, \
                       always_true and always_false";

/// Reads the words after `acl NAME`; an empty name makes an anonymous ACL.
///
/// No value at all gives an ACL that never matches, as in HAProxy: the caller warns unless `--` ends
/// the words.
pub fn parse_acl(name: &str, words: &[&str], reading: &mut Reading<'_>) -> Result<Acl, Mistake> {
    let keyword = words.first().copied().unwrap_or("");
    let (fetch, natural) = parse_keyword(keyword)?;
    let flags = parse_flags(fetch, natural, words)?;
    let style = Style { method: flags.method, ignore_case: flags.ignore_case, names: flags.names };
    let mut lists = Vec::new();
    for at in flags.files {
        let file = words.get(at).copied().unwrap_or("");
        lists.push(reading.file(file, style).map_err(|error| {
            Mistake::new(at, format!("{error}."))
                .help("the file holds one value a line, as on the line itself")
        })?);
    }
    if let Some((_, at)) = flags.id.filter(|(id, _)| reading.has(*id)) {
        return Err(Mistake::new(at, "the id is already used.").help("choose another number"));
    }
    let texts = texts(words, flags.values, style)?;
    let list = reading.line(keyword, flags.id.map(|(id, _)| id), texts, style);
    lists.push(list.map_err(|(at, error)| no_address(flags.values + at, &error))?);
    let mut acl = Acl { name: name.to_owned(), fetch, style, lists, patterns: Arc::default() };
    acl.refresh(reading.lists);
    Ok(acl)
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
    let at = word.find([',', '(']).unwrap_or(word.len());
    let (name, rest) = word.split_at(at);
    let known = KEYWORDS.into_iter().find(|(known, ..)| *known == name);
    let found = known.map(|(_, fetch, method, _)| (fetch, method));
    let found = found.or_else(|| Fetch::named(name).map(|fetch| (fetch, natural_method(fetch))));
    let (fetch, method) = found.ok_or_else(|| unknown_fetch(name, word))?;
    // No argument, and no converter after a comma, are none for HAProxy.
    match rest.strip_prefix("()").unwrap_or(rest).trim_start_matches(',') {
        "" => Ok((fetch, method)),
        _ => Err(converted(name, rest, word)),
    }
}

fn natural_method(fetch: Fetch) -> Method {
    match fetch {
        Fetch::Always(_) => Method::Found,
        Fetch::Src | Fetch::Dst => Method::Address,
        Fetch::SrcPort | Fetch::DstPort => Method::Integer,
        Fetch::Path => Method::Text(Matching::Str),
    }
}

fn unknown_fetch(name: &str, word: &str) -> Mistake {
    if name.is_empty() {
        return Mistake::new(0, format!("missing fetch method in ACL expression '{word}'."))
            .help(format!("name what to look at: {FETCHES}"));
    }
    if elsewhere::is_fetch(name) {
        return Mistake::new(0, format!("fetch method '{name}' is not supported here."))
            .help(format!("remove the ACL and the rules that name it, or look at one of {FETCHES}"));
    }
    Mistake::new(0, format!("unknown fetch method '{name}' in ACL expression '{word}'."))
        .help(format!("the fetches supported here are {FETCHES}"))
}

/// What is wrong with `rest`, which follows a fetch that is known: arguments and converters.
fn converted(name: &str, rest: &str, word: &str) -> Mistake {
    let Some(converters) = rest.strip_prefix("()").unwrap_or(rest).strip_prefix(',') else {
        return Mistake::new(0, format!("arguments of '{name}' are not supported here."))
            .help(format!("remove the ACL and the rules that name it, or write '{name}' alone"));
    };
    let names = outside_parentheses(converters).filter(|name| !name.is_empty());
    let mut unknown = names.clone().filter(|name| !elsewhere::is_converter(name));
    match (unknown.next(), { names }.next()) {
        (None, Some(first)) => Mistake::new(0, format!("converter '{first}' is not supported here."))
            .help("remove the ACL and the rules that name it, or compare what the fetch finds as it is"),
        (unknown, _) => {
            let unknown = unknown.unwrap_or("");
            Mistake::new(0, format!("unknown converter '{unknown}' in ACL expression '{word}'."))
                .help("converters are not supported here: compare what the fetch finds as it is")
        }
    }
}

/// The names of `name(arguments),name…`.
fn outside_parentheses(text: &str) -> impl Iterator<Item = &str> + Clone {
    let mut depth = 0;
    let comma = move |c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    };
    text.split(comma).map(|part| part.split('(').next().unwrap_or(part))
}

/// The flags that precede the values.
struct Flags {
    method: Method,
    ignore_case: bool,
    /// No `-n`.
    names: bool,
    /// Indices of the names of files.
    files: Vec<usize>,
    /// `-u`, and its index.
    id: Option<(u32, usize)>,
    /// Index of the first value.
    values: usize,
}

fn parse_flags(fetch: Fetch, natural: Method, words: &[&str]) -> Result<Flags, Mistake> {
    let mut flags =
        Flags { method: natural, ignore_case: false, names: true, files: Vec::new(), id: None, values: 1 };
    while let Some(word) = words.get(flags.values).filter(|word| word.starts_with('-')) {
        let at = flags.values;
        match *word {
            "--" => {
                flags.values += 1;
                break;
            }
            "-i" | "-m" if !flags.files.is_empty() => return Err(late_flag(word, at)),
            "-i" => flags.ignore_case = true,
            "-n" => flags.names = false,
            "-m" => flags.method = parse_method(fetch, words.get(at + 1).copied(), at + 1)?,
            "-f" => flags.files.push(at + 1),
            "-u" => flags.id = Some((parse_id(words, at + 1)?, at + 1)),
            other => return Err(refused_flag(other, at)),
        }
        flags.values += if matches!(*word, "-m" | "-f" | "-u") { 2 } else { 1 };
    }
    flags.values = flags.values.min(words.len());
    Ok(flags)
}

fn late_flag(flag: &str, word: usize) -> Mistake {
    Mistake::new(word, format!("'{flag}' must only be specified before patterns and files."))
        .help("write it before '-f'")
}

fn parse_id(words: &[&str], at: usize) -> Result<u32, Mistake> {
    let id = words.get(at).and_then(|word| word.parse().ok());
    id.ok_or_else(|| Mistake::new(at, "the argument of -u must be an integer."))
}

fn refused_flag(flag: &str, word: usize) -> Mistake {
    match flag {
        "-M" => Mistake::new(word, format!("flag '{flag}' is not supported here."))
            .help("maps are not built: give '-f' a file with one value a line"),
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

/// The values from word `first` on, as they are kept.
fn texts(words: &[&str], first: usize, style: Style) -> Result<Vec<String>, Mistake> {
    let values = words.get(first..).unwrap_or(&[]);
    match style.method {
        Method::Integer | Method::Length => numbers(values, first),
        Method::Address | Method::Found | Method::Text(_) => {
            Ok(values.iter().map(|word| (*word).to_owned()).collect())
        }
    }
}

fn no_address(at: usize, error: &str) -> Mistake {
    Mistake::new(at, format!("{error}.")).help(
        "write an address or a network such as 10.0.0.0/8; 'getent ahostsv4 NAME' must know a name, and '-n' is not for one",
    )
}

/// Numbers and ranges, numbers after `ge`, `gt`, `le` or `lt` as the ranges that they mean. On what is a range
/// already, operators have no effect.
fn numbers(words: &[&str], first: usize) -> Result<Vec<String>, Mistake> {
    let mut operator = "eq";
    let mut texts = Vec::new();
    for (at, word) in (first..).zip(words) {
        if matches!(*word, "eq" | "ge" | "gt" | "le" | "lt") {
            operator = word;
            continue;
        }
        let (number, _) = parse_range(word).map_err(|error| Mistake::new(at, format!("{error}.")))?;
        texts.push(match operator {
            _ if is_range(word) => (*word).to_owned(),
            "ge" => range_text(number, i64::MAX),
            "gt" => range_text(number.saturating_add(1), i64::MAX),
            "le" => range_text(i64::MIN, number),
            "lt" => range_text(i64::MIN, number.saturating_sub(1)),
            _ => (*word).to_owned(),
        });
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::super::{Pattern, reading};
    use super::*;

    fn parse(line: &str) -> Result<Acl, Mistake> {
        let words: Vec<&str> = line.split_whitespace().collect();
        reading::alone(|reading| parse_acl("a", &words, reading))
    }

    fn patterns(line: &str) -> Vec<Pattern> {
        parse(line).expect("a valid acl").patterns.to_vec()
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
        assert_eq!(
            patterns("dst_port -- -5 ge 80-90"),
            [Pattern::Range(i64::MIN, 5), Pattern::Range(80, 90)]
        );
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
    fn a_host_name_stands_for_its_address() {
        assert_eq!(patterns("src gateway"), patterns("src 192.0.2.7"));
        assert_eq!(patterns("dst ::1 gateway/24"), patterns("dst ::1 192.0.2.7/24"));
        for wrong in ["stranger", "gateway/64", "gateway/", "/8"] {
            let said = format!("'{wrong}' is not a valid IPv4 or IPv6 address.");
            assert_eq!(message(&format!("src 10.1.1.1 {wrong}")), said);
        }
        assert_eq!(message("src -n gateway"), "'gateway' is not a valid IPv4 or IPv6 address.");
    }

    #[test]
    fn what_is_not_supported_is_named() {
        assert_eq!(message("pathx /x"), "unknown fetch method 'pathx' in ACL expression 'pathx'.");
        assert_eq!(message("foo(1),bar"), "unknown fetch method 'foo' in ACL expression 'foo(1),bar'.");
        for (known, name) in
            [("nbsrv(b) lt 1", "nbsrv"), ("hdr(host),lower x", "hdr"), ("path_reg x", "path_reg")]
        {
            assert_eq!(message(known), format!("fetch method '{name}' is not supported here."));
        }
        assert_eq!(message("path,lower /x"), "converter 'lower' is not supported here.");
        assert_eq!(message("src,ipmask(24,64),lower 10.0.0.0"), "converter 'ipmask' is not supported here.");
        let unknown = "unknown converter 'foo' in ACL expression 'src,ipmask(24,64),foo(1)'.";
        assert_eq!(message("src,ipmask(24,64),foo(1)"), unknown);
        assert_eq!(message("src(1)"), "arguments of 'src' are not supported here.");
        assert_eq!(patterns("src() 10.0.0.0/8"), patterns("src,, 10.0.0.0/8"));
        assert!(message("path -m reg x").contains("'reg'"));
        assert!(message("src -m beg 10").contains("'beg'"));
        assert!(message("path -M -f /etc/list").contains("'-M'"));
        assert_eq!(message("path -f /etc/list"), "failed to open pattern file </etc/list>.");
        assert_eq!(message("path -f"), "failed to open pattern file <>.");
        assert_eq!(message("path -u x"), "the argument of -u must be an integer.");
        assert!(message("path -f /etc/list -i").starts_with("'-i' must only be specified before"));
        assert_eq!(message("src -m foo"), "unknown matching method 'foo' when parsing ACL expression.");
        assert!(message("src -q").starts_with("'-q' is not a valid ACL option."));
        assert_eq!(message(""), "missing fetch method in ACL expression ''.");
        assert_eq!(message(",lower"), "missing fetch method in ACL expression ',lower'.");
    }
}
