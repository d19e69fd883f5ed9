//! The keyword table: every word of HAProxy's language, where it may stand and what becomes of it here.
//!
//! One row a keyword, in plain arrays split by section. A row is honoured, ignored where HAProxy
//! ignores it too (or where it can make no difference to a TCP proxy), or refused by name: nothing is
//! silently different. `pronk -vv`, README.md and the parser all read these rows.

mod bind;
mod bind_tls;
mod classes;
mod global;
mod global_http;
mod global_tls;
mod global_tune;
mod http;
mod old;
mod options;
mod proxy;
mod reasons;
mod render;
mod section;
mod server;
mod server_tls;
mod stats;
mod timeouts;
mod value;

pub use classes::listing;
pub use http::{MONITOR_WARNING, REQUEST_WARNING};
pub use render::{Entry, Fate, groups, markdown, text};
pub(in crate::config) use server::NOT_DYNAMIC;
pub use stats::WARNING as STATS_WARNING;
pub use value::Value;

/// One keyword of one kind of place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyword {
    /// As written, all its words: `timeout client-fin`. A final `*` stands for any ending.
    pub words: &'static str,
    /// Where it may stand.
    pub places: Places,
    /// How many words may follow.
    pub arity: Arity,
    /// What these must be where it has no effect; the last stands for all that follow it.
    pub takes: &'static [Value],
    /// Whether `no` and `default` may not stand before it, though it is an option.
    pub only_set: bool,
    /// Whether HAProxy passes over the words beyond [`Arity::max`].
    pub spare: bool,
    /// What it is for, in one line.
    pub doc: &'static str,
    /// What becomes of it.
    pub support: Support,
}

/// A set of places: kinds of sections, and kinds of lines that carry options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places(u32);

/// Least and greatest number of words after the keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arity {
    /// Least.
    pub min: u8,
    /// Greatest; [`Arity::MANY`]: no limit.
    pub max: u8,
}

/// What becomes of a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It does what HAProxy's manual says; the file that shows it.
    Honoured(&'static str),
    /// It is read and has no effect.
    Ignored(Ignored),
    /// It is an error that names it.
    Refused(Refusal),
}

/// How a keyword without effect is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// Without a word, as HAProxy does or because nothing can depend on it.
    Silent,
    /// With an advice (`-dD`): why it needs no effect here.
    Told(&'static str),
    /// It concerns HTTP only: this warning, HAProxy's, when a TCP proxy has it (`{proxy}` and `{keyword}` are filled in); in a
    /// `mode http` proxy it is refused when it would change what the stats page answers.
    Http {
        /// None: silently.
        warning: Option<&'static str>,
        /// Whether the stats page would have to obey it.
        changes_page: bool,
    },
}

/// Why a keyword is an error, and what to write instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not built here.
    Missing {
        /// Completes "is not supported here: ".
        reason: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// Removed from HAProxy itself.
    Removed {
        /// The version that refused it first.
        since: &'static str,
        /// What to write instead.
        remedy: &'static str,
    },
}

impl Places {
    /// Names of sections.
    pub const TOP: Places = Places(1);
    /// `global`.
    pub const GLOBAL: Places = Places(1 << 1);
    /// `defaults`.
    pub const DEFAULTS: Places = Places(1 << 2);
    /// `frontend`.
    pub const FRONTEND: Places = Places(1 << 3);
    /// `listen`.
    pub const LISTEN: Places = Places(1 << 4);
    /// `backend`.
    pub const BACKEND: Places = Places(1 << 5);
    /// Options of a `bind` line.
    pub const BIND: Places = Places(1 << 6);
    /// Options of a `stats socket` line.
    pub const SOCKET: Places = Places(1 << 7);
    /// Options of a `server` line.
    pub const SERVER: Places = Places(1 << 8);
    /// Options of a `default-server` line.
    pub const DEFAULT_SERVER: Places = Places(1 << 9);
    /// Inside the sections that are neither `global` nor proxies.
    pub const OTHER: Places = Places(1 << 10);

    /// Proxy sections and `defaults`.
    pub const PROXIES: Places = DFLB;
    /// Everywhere.
    pub const ALL: Places = Places((1 << 11) - 1);

    /// Both.
    pub const fn and(self, other: Places) -> Places {
        Places(self.0 | other.0)
    }

    /// Whether all of `other` are in it.
    pub const fn contains(self, other: Places) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is in it.
    pub const fn overlaps(self, other: Places) -> bool {
        self.0 & other.0 != 0
    }
}

impl Arity {
    /// As [`Arity::max`]: no limit.
    pub const MANY: u8 = u8::MAX;

    /// Whether `count` words may follow.
    pub fn allows(self, count: usize) -> bool {
        count >= usize::from(self.min) && (self.max == Arity::MANY || count <= usize::from(self.max))
    }
}

const G: Places = Places::GLOBAL;
const D: Places = Places::DEFAULTS;
const F: Places = Places::FRONTEND;
const L: Places = Places::LISTEN;
const B: Places = Places::BACKEND;
const FL: Places = F.and(L);
const LB: Places = L.and(B);
const DFL: Places = D.and(FL);
const DLB: Places = D.and(LB);
const FLB: Places = FL.and(B);
const DFLB: Places = D.and(FLB);

const NONE: Arity = Arity { min: 0, max: 0 };
const OPT: Arity = Arity { min: 0, max: 1 };
const ONE: Arity = Arity { min: 1, max: 1 };
const TWO: Arity = Arity { min: 2, max: 2 };
const ANY: Arity = Arity { min: 0, max: Arity::MANY };
const SOME: Arity = Arity { min: 1, max: Arity::MANY };

const SILENT: Support = Support::Ignored(Ignored::Silent);

const fn row(
    words: &'static str,
    places: Places,
    arity: Arity,
    doc: &'static str,
    support: Support,
) -> Keyword {
    Keyword { words, places, arity, takes: &[Value::Text], only_set: false, spare: false, doc, support }
}

const fn told(why: &'static str) -> Support {
    Support::Ignored(Ignored::Told(why))
}

const fn missing(reason: &'static str, remedy: &'static str) -> Support {
    Support::Refused(Refusal::Missing { reason, remedy })
}

const fn removed(since: &'static str, remedy: &'static str) -> Support {
    Support::Refused(Refusal::Removed { since, remedy })
}

/// Every array of rows.
pub const TABLES: [&[Keyword]; 15] = [
    section::ROWS,
    global::ROWS,
    global_tune::ROWS,
    global_tls::ROWS,
    global_http::ROWS,
    proxy::ROWS,
    options::ROWS,
    timeouts::ROWS,
    stats::ROWS,
    http::ROWS,
    old::ROWS,
    bind::ROWS,
    bind_tls::ROWS,
    server::ROWS,
    server_tls::ROWS,
];

/// Every row, in the order of the tables.
pub fn all() -> impl Iterator<Item = &'static Keyword> {
    TABLES.into_iter().flatten()
}

impl Keyword {
    /// The same row for words of these kinds.
    const fn taking(self, takes: &'static [Value]) -> Keyword {
        Keyword { takes, ..self }
    }

    /// The same row, before which `no` and `default` may not stand.
    const fn only_set(self) -> Keyword {
        Keyword { only_set: true, ..self }
    }

    /// The same row, after which HAProxy passes over further words.
    const fn spare(self) -> Keyword {
        Keyword { spare: true, ..self }
    }

    /// How many words its name has.
    pub fn length(&self) -> usize {
        self.words.split(' ').count()
    }

    /// Whether the words begin with this keyword's.
    fn begins<'a>(&self, mut words: impl Iterator<Item = &'a str>) -> bool {
        self.words.split(' ').all(|own| words.next().is_some_and(|word| same(own, word)))
    }
}

/// A table's word against a file's; a final `*` in the table stands for any ending.
fn same(own: &str, word: &str) -> bool {
    match own.strip_suffix('*') {
        Some(prefix) => word.len() > prefix.len() && word.starts_with(prefix),
        None => own == word,
    }
}

/// The row of the longest name with which these words begin, among those of any of `places`.
///
/// A name without `*` wins over one with it.
pub fn find<'a, W>(places: Places, words: W) -> Option<&'static Keyword>
where
    W: Iterator<Item = &'a str> + Clone,
{
    all()
        .filter(|row| row.places.overlaps(places) && row.begins(words.clone()))
        .max_by_key(|row| (row.length(), !row.words.ends_with('*')))
}

/// The names in these places, for suggestions; wild ones are left out.
pub fn names(places: Places) -> impl Iterator<Item = &'static str> {
    all().filter(move |row| row.places.overlaps(places) && !row.words.ends_with('*')).map(|row| row.words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::path::Path;

    #[test]
    fn no_keyword_stands_twice_in_one_place() {
        let mut seen = HashSet::new();
        for row in all() {
            for bit in (0..11).filter(|bit| row.places.0 & (1 << bit) != 0) {
                assert!(seen.insert((row.words, bit)), "{} twice", row.words);
            }
        }
    }

    #[test]
    fn every_row_says_what_it_is_for() {
        for row in all() {
            assert!(row.doc.ends_with('.') && row.doc.len() > 8, "{}: {:?}", row.words, row.doc);
            assert!(row.places.0 != 0 && row.arity.min <= row.arity.max, "{}", row.words);
            if let Support::Refused(Refusal::Missing { reason, remedy }) = row.support {
                assert!(!reason.ends_with('.') && !remedy.ends_with('.'), "{}", row.words);
            }
        }
    }

    #[test]
    fn every_honoured_row_is_shown_by_a_configuration() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for row in all() {
            let Support::Honoured(shown_by) = row.support else { continue };
            let text = std::fs::read_to_string(root.join(shown_by))
                .unwrap_or_else(|error| panic!("{}: {shown_by}: {error}", row.words));
            let code = text.lines().map(|line| line.split(" #").next().unwrap_or("").trim());
            let shown = code
                .filter(|line| !line.starts_with('#'))
                .any(|line| format!(" {line} ").contains(&format!(" {} ", row.words)));
            assert!(shown, "{shown_by} does not contain '{}'", row.words);
        }
    }

    #[test]
    fn the_longest_and_the_exact_name_wins() {
        let find = |places, words: &str| find(places, words.split(' ')).map(|row| row.words);
        assert_eq!(find(L, "timeout client-fin 3s"), Some("timeout client-fin"));
        assert_eq!(find(G, "stats socket /x"), Some("stats socket"));
        assert_eq!(find(G, "tune.quic.frontend.max-idle-timeout 3s"), Some("tune.quic.*"));
        assert_eq!(find(F, "option"), None);
        assert_eq!(find(G, "balance"), None);
    }
}
