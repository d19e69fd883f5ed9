//! What the words after a keyword without effect must be: HAProxy looks at them before it passes over them.

use crate::config::value::{TIME_MAX_MS, TimeUnit, integer, time};

/// One word after a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Anything.
    Text,
    /// A whole number of that range.
    Whole(i64, i64),
    /// The same for keywords that read the digits a word begins with, none being 0.
    Digits(i64, i64),
    /// A time of that range, in milliseconds.
    Time(u32, u32),
    /// One of these words.
    Word(&'static [&'static str]),
    /// Some of these words, with commas between them.
    Words(&'static [&'static str]),
    /// Sets of threads, with commas between them: `[GROUP/]all|odd|even|N[-[M]]`.
    Threads,
    /// One of these words, or such a value.
    Or(&'static [&'static str], &'static Value),
    /// One of these words, with such a value behind it.
    Choice(&'static [(&'static str, Option<Value>)]),
}

/// Any time.
pub(super) const TIME: Value = Value::Time(0, TIME_MAX_MS);
/// Any whole number.
pub(super) const NUMBER: Value = Value::Whole(i64::MIN, i64::MAX);
/// A number that is not negative.
pub(super) const COUNT: Value = Value::Digits(0, i64::MAX);
/// Percents.
pub(super) const PERCENT: Value = Value::Digits(0, 100);
/// A switch.
pub(super) const ON_OFF: Value = Value::Word(&["on", "off"]);
/// An address family.
pub(super) const FAMILY: Value = Value::Word(&["ipv4", "ipv6"]);
/// Whether a certificate of a server is looked at.
pub(super) const VERIFY: Value = Value::Word(&["none", "required"]);
/// A version of TLS.
pub(super) const VERSION: Value = Value::Word(&["SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"]);
/// What begins a condition.
pub(super) const CONDITION: Value = Value::Word(&["if", "unless"]);
/// The statuses that error pages are for.
pub(super) const STATUS: Value = Value::Word(&[
    "200", "400", "401", "403", "404", "405", "407", "408", "410", "413", "414", "421", "422", "425", "429",
    "431", "500", "501", "502", "503", "504",
]);

/// Threads of a process, threads of a group, and groups, of HAProxy.
const THREADS_MAX: u16 = 256;
const GROUP_MAX: u16 = 64;
const GROUPS_MAX: u16 = 16;

impl Value {
    /// Whether the word is one.
    pub fn allows(&self, word: &str) -> bool {
        match *self {
            Value::Text => true,
            Value::Whole(low, high) => integer(word, low, high).is_ok(),
            Value::Digits(low, high) => (low..=high).contains(&leading(word)),
            Value::Time(low, high) => {
                time(word, TimeUnit::Milliseconds).is_ok_and(|ms| (low..=high).contains(&ms))
            }
            Value::Word(words) => words.contains(&word),
            Value::Words(words) => word.split(',').all(|part| words.contains(&part)),
            Value::Threads => is_list_of_threads(word),
            Value::Or(words, other) => words.contains(&word) || other.allows(word),
            Value::Choice(options) => options.iter().any(|(name, _)| *name == word),
        }
    }

    /// What must stand behind the word.
    pub fn behind(&self, word: &str) -> Option<&'static Value> {
        let Value::Choice(options) = self else { return None };
        options.iter().find(|(name, _)| *name == word)?.1.as_ref()
    }

    /// What it is, after "expects".
    pub fn expected(&self) -> String {
        match *self {
            Value::Text => "a word".to_owned(),
            Value::Whole(low, high) | Value::Digits(low, high) => match (low, high) {
                (i64::MIN, _) => "a whole number".to_owned(),
                (low, i64::MAX) => format!("a whole number, {low} or greater"),
                (low, high) => format!("a whole number from {low} to {high}"),
            },
            Value::Time(low, high) => {
                let (least, most) = (low > 0, high < TIME_MAX_MS);
                let limits = [(least, "at least", low), (most, "at most", high)].into_iter();
                let limits = limits.filter(|limit| limit.0).map(|(_, word, ms)| format!(", {word} {ms}ms"));
                format!("a time, as in 5s{}", limits.collect::<String>())
            }
            Value::Word(words) => named(words),
            Value::Words(words) => format!("some of '{}', with commas between them", words.join("', '")),
            Value::Threads => "all, odd, even, or numbers from 1 to 256 as in 1-4".to_owned(),
            Value::Or(words, other) => format!("'{}' or {}", words.join("', '"), other.expected()),
            Value::Choice(options) => {
                let names: Vec<&str> = options.iter().map(|(name, _)| *name).collect();
                named(&names)
            }
        }
    }
}

fn named(words: &[&str]) -> String {
    format!("'{}'", words.join("', '"))
}

/// All of the process, or those of a group: `1-4,7`, `2/odd`; either end of a range may be left out.
fn is_list_of_threads(text: &str) -> bool {
    let grouped = text.contains('/');
    text.split(',').all(|part| part.contains('/') == grouped && is_set_of_threads(part))
}

fn is_set_of_threads(text: &str) -> bool {
    let number = |text: &str, most: u16| {
        text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse().is_ok_and(|n| (1..=most).contains(&n))
    };
    let (group, set) = text.split_once('/').map_or((None, text), |(group, set)| (Some(group), set));
    let most = if group.is_some() { GROUP_MAX } else { THREADS_MAX };
    let end = |text: &str| text.is_empty() || number(text, most);
    let is_range = match set.split_once('-') {
        Some((first, last)) => end(first) && end(last),
        None => number(set, most),
    };
    group.is_none_or(|group| number(group, GROUPS_MAX)) && (matches!(set, "all" | "odd" | "even") || is_range)
}

/// The number that the digits at the start write, as `atoi` of the C library reads it.
fn leading(word: &str) -> i64 {
    let unsigned = word.strip_prefix(['-', '+']).unwrap_or(word);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let number = unsigned[..digits]
        .bytes()
        .fold(0_i64, |number, digit| number.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    if word.starts_with('-') { -number } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_haproxy_takes_for_them() {
        let cases = [
            (Value::Whole(i64::MIN, i64::MAX), "-7", "10k"),
            (Value::Digits(1, 9), "9x", "abc"),
            (Value::Digits(-1, 9), "-1", "99999999999999999999"),
            (COUNT, "abc", "-1"),
            (Value::Time(1, 65_535), "1m", "0"),
            (TIME, "10s", "10k"),
            (ON_OFF, "on", "On"),
            (Value::Words(&["a", "b"]), "b,a", "a,"),
            (Value::Or(&["all"], &Value::Digits(1, 64)), "all", "none"),
            (Value::Choice(&[("one", None), ("two", Some(TIME))]), "two", "5s"),
            (Value::Threads, "1-256", "1-257"),
            (Value::Threads, "1/odd,2/3-", "17/1"),
            (Value::Threads, "3-1", "x-1"),
            (Value::Threads, "-8", "all/1"),
            (Value::Threads, "65", "1/65"),
            (Value::Threads, "1/all", "1,"),
            (Value::Threads, "even", "1/1-4,2"),
        ];
        for (value, good, bad) in cases {
            assert!(value.allows(good) && !value.allows(bad), "{value:?}");
            assert!(!value.expected().is_empty());
        }
    }
}
