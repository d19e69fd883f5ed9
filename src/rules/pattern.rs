//! Patterns: what a fetched sample is compared with.

use ipnet::IpNet;

/// How strings are compared (`-m`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matching {
    /// Equal.
    Str,
    /// Prefix.
    Beg,
    /// Suffix.
    End,
}

/// One value of an ACL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// A string; `ignore_case` is `-i`.
    Text {
        /// How.
        matching: Matching,
        /// `-i`.
        ignore_case: bool,
        /// The value.
        text: String,
    },
    /// An address or network.
    Network(IpNet),
    /// An inclusive range of integers.
    Range(i64, i64),
}
