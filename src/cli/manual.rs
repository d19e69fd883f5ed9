//! The manual page, made from the tables of options, keywords and variables.

use std::fmt::Write as _;

use super::flags::{FLAGS, Flag, Support};
use super::usage::shape;
use super::variables::VARIABLES;
use crate::config::keyword::{Entry, Fate, groups};

/// `tuning/pronk.1`, in the man macros of groff.
pub fn manual() -> String {
    let mut out = String::from(HEAD);
    for flag in FLAGS {
        item(&mut out, &shape(flag), &escaped(&option(flag)));
    }
    out.push_str(CONFIGURATION);
    for (heading, entries) in groups() {
        keywords(&mut out, heading, &entries);
    }
    out.push_str(".SH ENVIRONMENT\nA configuration may expand any other variable.\n");
    for (name, meaning) in VARIABLES {
        item(&mut out, name, &escaped(meaning));
    }
    out.push_str(TAIL);
    out
}

const HEAD: &str = r#".\" Made from the tables of src/cli and src/config/keyword: BLESS=1 cargo test --test readme
.TH PRONK 1 "" Pronk "System Administration"
.SH NAME
pronk \- a gateway for Apache Impala that reads haproxy.cfg
.SH SYNOPSIS
.B pronk
.RB [ \-f
.IR file | directory ]...
.RI [ options ]
.RB [ \-\-
.IR file ...]
.br
.B pronk demo
.RB [ \-\-port\-beeswax
.IR port ]
.RB [ \-\-port\-hs2
.IR port ]
.br
.B pronk top
.RB [ \-\-interval
.IR seconds ]
.RB [ \-\-once ]
.I socket
.SH DESCRIPTION
Pronk carries TCP connections to the servers of haproxy.cfg, one thread per core, each with its own io_uring.
It takes the place of HAProxy in TCP mode: command line, signals, stats socket and log lines are HAProxy's.
.B pronk demo
shows it at work before stand\-in coordinators;
.B pronk top
shows what a running Pronk or HAProxy does.
.SH OPTIONS
"#;

const CONFIGURATION: &str = r#".SH CONFIGURATION
Every keyword of HAProxy 3.5 is known. What is refused is an error that names the line and what to write
instead; what has no effect cannot matter to a TCP proxy.
"#;

const TAIL: &str = r#".SH SIGNALS
.TP
.BR SIGTERM ", " SIGINT
End at once.
.TP
.B SIGUSR1
Close the listeners and end when the last session has.
.TP
.B SIGUSR2
With
.BR \-W :
start a worker with the configuration as it is now, and let the old one finish.
.TP
.B SIGHUP
Log the state of every server; with
.BR \-W ,
as SIGUSR2.
.TP
.BR SIGTTOU ", " SIGTTIN
Pause the listeners, and let them go on.
.SH "EXIT STATUS"
.TP
.B 0
All went well, or the condition of
.B \-cc
holds.
.TP
.B 1
The command line or the configuration is wrong, or a resource is missing. The last lines say what and the remedy.
.TP
.B 2
The expression of
.B \-cc
cannot be read.
.SH "SEE ALSO"
.BR haproxy (1),
.BR systemd.service (5),
.BR io_uring (7)
"#;

fn option(flag: &Flag) -> String {
    match flag.support {
        Support::Honoured => sentence(flag.doc),
        Support::Ignored(why) => format!("{} No effect: {why}.", sentence(flag.doc)),
        Support::Refused(instead) => format!("{} Not available: {instead}.", sentence(flag.doc)),
    }
}

/// The table begins in lower case and ends without a stop, as the usage text has it.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

/// What is honoured and what is refused, a paragraph each; what has no effect by name only.
fn keywords(out: &mut String, heading: &str, entries: &[Entry]) {
    line(out, format_args!(".SS \"{}\"", escaped(&heading.replace('`', ""))));
    let described = |fate| entries.iter().filter(move |entry| entry.fate == fate);
    for entry in described(Fate::Honoured) {
        item(out, entry.words, &escaped(entry.doc));
    }
    for entry in described(Fate::Refused) {
        let why = entry.why.as_deref().unwrap_or("refused");
        item(out, entry.words, &format!("{} Refused: {}.", escaped(entry.doc), escaped(why)));
    }
    let silent: Vec<String> =
        described(Fate::Ignored).map(|entry| format!("\\fB{}\\fR", escaped(entry.words))).collect();
    if !silent.is_empty() {
        line(out, format_args!(".PP\nWithout effect:\n{}.", silent.join(",\n")));
    }
}

fn item(out: &mut String, name: &str, body: &str) {
    line(out, format_args!(".TP\n.B {}\n{body}", escaped(name)));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a String takes any text");
}

/// Text that groff prints as it stands.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, letter) in text.chars().enumerate() {
        match letter {
            '.' | '\'' if index == 0 => write!(out, "\\&{letter}"),
            '\\' => write!(out, "\\e"),
            '-' => write!(out, "\\-"),
            '\'' => write!(out, "\\(aq"),
            '"' => write!(out, "\\(dq"),
            '`' => write!(out, "\\(ga"),
            '^' => write!(out, "\\(ha"),
            '~' => write!(out, "\\(ti"),
            _ if letter.is_ascii() => write!(out, "{letter}"),
            _ => write!(out, "\\[u{:04X}]", u32::from(letter)),
        }
        .expect("a String takes any text");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_groff_are_printed_as_they_stand() {
        assert_eq!(escaped(".a-\\'…"), "\\&.a\\-\\e\\(aq\\[u2026]");
        assert_eq!(escaped("'a"), "\\&'a");
    }
}
