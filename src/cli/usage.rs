//! The usage text, made from the tables of options and variables.

use std::fmt::Write as _;

use super::flags::{FLAGS, Flag, Support, Takes};
use super::variables::VARIABLES;

/// What is printed on stderr after the version lines when the command line cannot be followed.
pub fn usage() -> String {
    let mut out = String::from(
        "Usage : pronk [-f <file|directory>]... [options] [-- <file>...]\n        pronk demo [--port-beeswax <port>] [--port-hs2 <port>]\n        pronk top [--interval <seconds>] [--once] <stats socket>\n        pronk tune --check [--all]\n",
    );
    for flag in FLAGS {
        line(&mut out, &shape(flag), &format!("{}{}", flag.doc, remark(flag.support)));
    }
    out.push_str("Environment :\n");
    for (name, meaning) in VARIABLES {
        line(&mut out, name, meaning);
    }
    out
}

fn line(out: &mut String, name: &str, doc: &str) {
    writeln!(out, "        {name:<12} {doc}").expect("writing to a String cannot fail");
}

/// An option with the name of what belongs to it.
pub(super) fn shape(flag: &Flag) -> String {
    match flag.takes {
        Takes::Nothing => flag.name.to_owned(),
        Takes::Value(what) => format!("{} <{what}>", flag.name),
        Takes::Pids => format!("{} [pid]...", flag.name),
        Takes::Suffix => format!("{}[...]", flag.name),
    }
}

fn remark(support: Support) -> &'static str {
    match support {
        Support::Honoured => "",
        Support::Ignored(_) => " (accepted, no effect)",
        Support::Refused(_) => " (not available)",
    }
}
