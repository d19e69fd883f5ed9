//! `balance` and `hash-type` lines (configuration manual, section 4.2).

use super::arguments::Arguments;
use super::keyword::Value;
use super::model::{Balance, HashFunction, HashInput, HashType};

/// What a `balance` line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// An algorithm.
    Algorithm(Balance),
    /// `uri`, `url_param` or `hdr()`: round robin in a TCP proxy, with HAProxy's warning.
    NeedsHttp,
}

const ALGORITHMS: &str = "roundrobin, static-rr, leastconn, first, source, hash and random";
const DRAWS_DEFAULT: u8 = 2;

/// Reads the words after `balance`; none at all is round robin.
pub(super) fn parse_balance(words: &mut Arguments<'_>) -> Option<Asked> {
    let algorithm = match words.next() {
        None | Some("roundrobin") => Balance::RoundRobin,
        Some("static-rr") => Balance::StaticRr,
        Some("leastconn") => Balance::LeastConn,
        Some("first") => Balance::First,
        Some("source") => Balance::Source,
        Some("hash") => {
            let input = parse_input(words)?;
            if let Some(extra) = words.next() {
                let text = format!("balance hash takes no other argument (got '{extra}').");
                words.alert_last(text, "remove it");
                return None;
            }
            Balance::Hash(input)
        }
        Some(word) if word == "random" || word.starts_with("random(") => {
            Balance::Random(parse_draws(word, words)?)
        }
        Some("uri") => return check_uri(words),
        Some("url_param") => return check_url_param(words),
        Some(word) if word.starts_with("hdr(") => return check_header(word, words),
        Some(word) => {
            unknown_algorithm(word, words);
            return None;
        }
    };
    words.pass_over("balance");
    Some(Asked::Algorithm(algorithm))
}

/// `uri [len N] [depth N] [whole] [path-only]`
fn check_uri(words: &mut Arguments<'_>) -> Option<Asked> {
    while let Some(word) = words.next() {
        match word {
            "whole" | "path-only" => {}
            "len" | "depth" => {
                let number = words.next().unwrap_or("");
                if !Value::Digits(1, i64::MAX).allows(number) {
                    let text = format!("balance uri : '{word}' expects a positive integer (got '{number}').");
                    words.alert_last(text, "as in: balance uri len 32");
                    return None;
                }
            }
            _ => {
                let text = format!(
                    "balance uri only accepts parameters 'len', 'depth', 'path-only', and 'whole' (got '{word}')."
                );
                words.alert_last(text, "remove it");
                return None;
            }
        }
    }
    Some(Asked::NeedsHttp)
}

/// `url_param NAME [check_post]`
fn check_url_param(words: &mut Arguments<'_>) -> Option<Asked> {
    let help = "as in: balance url_param userid";
    words.required("balance url_param requires an URL parameter name.", help)?;
    check_modifier("url_param", "check_post", words)
}

/// `hdr(NAME) [use_domain_only]`
fn check_header(word: &str, words: &mut Arguments<'_>) -> Option<Asked> {
    let name = word.strip_prefix("hdr(").and_then(|rest| rest.split_once(')')).map(|(name, _)| name);
    if name.is_none_or(str::is_empty) {
        words.alert_last("balance hdr requires an http header field name.", "as in: balance hdr(Host)");
        return None;
    }
    check_modifier(word, "use_domain_only", words)
}

/// The one word that may follow.
fn check_modifier(algorithm: &str, modifier: &str, words: &mut Arguments<'_>) -> Option<Asked> {
    if let Some(word) = words.next().filter(|word| *word != modifier) {
        let text = format!("balance {algorithm} only accepts '{modifier}' modifier (got '{word}').");
        words.alert_last(text, "remove it");
        return None;
    }
    words.pass_over("balance");
    Some(Asked::NeedsHttp)
}

fn unknown_algorithm(word: &str, words: &mut Arguments<'_>) {
    let known = word.starts_with("rdp-cookie") || matches!(word, "log-hash" | "sticky");
    let text = match known {
        true => format!("'balance {word}' is not supported here."),
        false => format!("unknown balance algorithm '{word}'."),
    };
    words.alert_last(text, format!("supported are {ALGORITHMS}"));
}

fn parse_input(words: &mut Arguments<'_>) -> Option<HashInput> {
    let word = words.required("balance hash requires a sample expression.", "as in: balance hash src")?;
    let input = match word {
        "src" => HashInput::Src,
        "src_port" => HashInput::SrcPort,
        "dst" => HashInput::Dst,
        "dst_port" => HashInput::DstPort,
        _ => {
            let text = format!("balance hash : the expression '{word}' is not supported here.");
            words.alert_last(text, "supported are src, src_port, dst and dst_port");
            return None;
        }
    };
    Some(input)
}

/// `random` and `random(N)`.
fn parse_draws(word: &str, words: &mut Arguments<'_>) -> Option<u8> {
    let Some(draws) = word.strip_prefix("random(") else { return Some(DRAWS_DEFAULT) };
    let Some(draws) = draws.strip_suffix(')') else {
        words.alert_last("balance random : missing closing parenthesis.", "write random(2)");
        return None;
    };
    match draws.parse::<u8>() {
        Ok(draws @ 1..) => Some(draws),
        _ => {
            let text = format!("balance random : number of draws must be from 1 to 255 (was '{draws}').");
            words.alert_last(text, "random(2), the default, is nearly always enough");
            None
        }
    }
}

/// Reads the words after `hash-type`.
pub(super) fn parse_hash_type(words: &mut Arguments<'_>) -> Option<HashType> {
    let method = words.next().unwrap_or("");
    let consistent = match method {
        "consistent" => true,
        "map-based" => false,
        "avalanche" => {
            let text = "experimental feature 'hash-type avalanche' is not supported anymore, please use 'hash-type map-based sdbm avalanche' instead.";
            words.alert_last(text, "write what it says");
            return None;
        }
        _ => {
            let at = words.at.min(words.line.words.len()).saturating_sub(1);
            words.alert(at, "'hash-type' only supports 'consistent' and 'map-based'.", "choose one of them");
            return None;
        }
    };
    let function = match words.next() {
        Some(word) => Some(parse_function(word, words)?),
        None => None,
    };
    let avalanche = match words.next() {
        None => false,
        Some("avalanche") => true,
        Some(_) => {
            let text = "'hash-type' only supports 'avalanche' as a modifier for hash functions.";
            words.alert_last(text, "remove the last word");
            return None;
        }
    };
    words.pass_over("hash-type");
    Some(HashType { consistent, function, avalanche })
}

fn parse_function(word: &str, words: &mut Arguments<'_>) -> Option<HashFunction> {
    match word {
        "sdbm" => Some(HashFunction::Sdbm),
        "djb2" => Some(HashFunction::Djb2),
        "wt6" => Some(HashFunction::Wt6),
        "crc32" => Some(HashFunction::Crc32),
        "none" => Some(HashFunction::None),
        _ => {
            let text = "'hash-type' only supports 'sdbm', 'djb2', 'crc32', 'wt6' or 'none' hash functions.";
            words.alert_last(text, "the function stands before 'avalanche'; sdbm is the default");
            None
        }
    }
}
