//! The usage text, made from the table of options.

use std::fmt::Write as _;

use super::flags::{FLAGS, Flag, Support, Takes};

/// What is printed on stderr after the version lines when the command line cannot be followed.
pub fn usage() -> String {
    let mut out = String::from(
        "Usage : pronk [-f <file|directory>]... [options] [-- <file>...]\n        pronk demo [--port-beeswax <port>] [--port-hs2 <port>]\n",
    );
    for flag in FLAGS {
        let line = format!("        {:<12} {}{}", shape(flag), flag.doc, remark(flag.support));
        writeln!(out, "{line}").expect("writing to a String cannot fail");
    }
    out
}

fn shape(flag: &Flag) -> String {
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
