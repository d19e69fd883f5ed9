//! `option …`, `no option …` and `default option …`.

use std::fmt;

use super::{LogStyleLine, Section, Settings};
use crate::config::arguments::Arguments;
use crate::config::diagnostic::{Form, Report};
use crate::config::keyword::Keyword;
use crate::config::lexer::{Line, Modifier};
use crate::config::model::Options;

/// Whether the option of the line may be negated as it is; says so when not.
pub(super) fn may_be_negated(row: &Keyword, line: &Line, report: &mut Report) -> bool {
    if line.modifier == Modifier::None || !row.only_set {
        return true;
    }
    let name = row.words.strip_prefix("option ").unwrap_or(row.words);
    report
        .alert(line, line.span(1), format!("negation/default is not supported for option '{name}'."))
        .form(Form::ParsingTight)
        .help("use another defaults section, one without it, for this proxy");
    false
}

impl Section {
    /// Reads `option tcplog`.
    pub(super) fn tcplog(&mut self, line: &Line, report: &mut Report) {
        let words = &mut Arguments::after(line, 2, report);
        match words.next() {
            None => self.log_style(LogStyleLine::Tcplog, line, report),
            Some("clf") => words.alert_last(
                "'option tcplog clf' is not supported here: log lines have HAProxy's TCP format and no other.",
                "use 'option tcplog'",
            ),
            Some(extra) => words.alert_last(
                format!("'option tcplog' cannot handle unexpected argument '{extra}'."),
                "remove it",
            ),
        }
    }

    /// Notes the form of log lines; HAProxy warns of a second one in a defaults section, be it the same.
    pub(super) fn log_style(&mut self, style: LogStyleLine, line: &Line, report: &mut Report) {
        let previous = self.settings.log_style.replace(style);
        let (Some(previous), None) = (previous, self.kind) else { return };
        let name = match (line.word(1), line.word(2)) {
            (Some("tcplog"), _) => "tcplog",
            (Some("httplog"), Some("clf")) => "httplog clf",
            // HAProxy calls httpslog by this name too.
            _ => "httplog",
        };
        let text = format!("'option {name}' overrides previous '{previous}' in 'defaults' section.");
        report
            .warning(line, line.span(1), text)
            .form(Form::ParsingTight)
            .help("the last one counts: remove the others");
    }
}

impl fmt::Display for LogStyleLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogStyleLine::Tcplog => f.write_str("option tcplog"),
            LogStyleLine::Http(row, line) if line.word(2) == Some("clf") && row.arity.max > 0 => {
                write!(f, "{} clf", row.words)
            }
            LogStyleLine::Http(row, _) => f.write_str(row.words),
        }
    }
}

impl Settings {
    /// Reads an honoured option.
    pub(super) fn option(&mut self, row: &Keyword, line: &Line, report: &mut Report) {
        let name = row.words.strip_prefix("option ").unwrap_or(row.words);
        let on = line.modifier == Modifier::None;
        match name {
            // Without 'tcp-check' rules, which are refused, it is the TCP connection that 'check' makes anyway.
            "tcp-check" => {}
            "redispatch" => self.redispatch(on, line, report),
            "tcpka" => {
                self.options.client_keepalive = true;
                self.options.server_keepalive = true;
            }
            _ => *switch(&mut self.options, name) = on,
        }
    }

    /// Bare: the last retry; N: every N-th; -N: from the N-th before the last.
    fn redispatch(&mut self, on: bool, line: &Line, report: &mut Report) {
        let words = &mut Arguments::after(line, 2, report);
        self.redispatch_every = match words.peek() {
            _ if !on => 0,
            None => -1,
            Some(_) => words.integer("option redispatch", i16::MIN..=i16::MAX).unwrap_or(0),
        };
    }
}

fn switch<'a>(options: &'a mut Options, name: &str) -> &'a mut bool {
    match name {
        "dontlognull" => &mut options.dontlognull,
        "dontlog-normal" => &mut options.dontlog_normal,
        "logasap" => &mut options.logasap,
        "log-health-checks" => &mut options.log_health_checks,
        "log-separate-errors" => &mut options.log_separate_errors,
        "clitcpka" => &mut options.client_keepalive,
        "srvtcpka" => &mut options.server_keepalive,
        "abortonclose" => &mut options.abortonclose,
        "allbackups" => &mut options.allbackups,
        "nolinger" => &mut options.nolinger,
        "socket-stats" => &mut options.socket_stats,
        "connect-on-data" => &mut options.connect_on_data,
        other => unreachable!("'option {other}' is honoured in the table but not read"),
    }
}
