//! Keywords with a value: `mode`, `maxconn`, `timeout …` and the like.

use super::{Settings, Surroundings};
use crate::config::arguments::Arguments;
use crate::config::balance_line;
use crate::config::diagnostic::Report;
use crate::config::keyword::Keyword;
use crate::config::lexer::Line;
use crate::config::model::{Mode, ServerStates, Timeouts};
use crate::config::value::TimeUnit;

impl Settings {
    /// Reads a line of this family.
    pub(super) fn line(&mut self, row: &Keyword, line: &Line, around: &mut Surroundings<'_>) {
        let words = &mut Arguments::after(line, row.length(), around.report);
        match row.words {
            "mode" => self.mode = parse_mode(words).or(self.mode),
            "disabled" => self.disabled = true,
            "enabled" => self.disabled = false,
            "maxconn" => self.maxconn = words.limit("maxconn"),
            "rate-limit sessions" => self.session_rate = words.limit(row.words),
            "fullconn" => self.fullconn = words.limit("fullconn"),
            "backlog" => self.backlog = words.limit("backlog"),
            "retries" => self.retries = words.integer("retries", 0..=u16::MAX),
            "clitcpka-cnt" => self.client_probes.count = probes(row, words),
            "clitcpka-idle" => self.client_probes.idle_s = seconds(row, words),
            "clitcpka-intvl" => self.client_probes.interval_s = seconds(row, words),
            "srvtcpka-cnt" => self.server_probes.count = probes(row, words),
            "srvtcpka-idle" => self.server_probes.idle_s = seconds(row, words),
            "srvtcpka-intvl" => self.server_probes.interval_s = seconds(row, words),
            "load-server-state-from-file" => self.server_states = parse_states(words).unwrap_or_default(),
            "log-tag" => self.log_tag = words.next().map(str::to_owned),
            "default_backend" => {
                let name = words.required("'default_backend' expects a backend name.", "name the backend");
                self.default_backend = name.map(|_| line.clone());
            }
            "hash-type" => {
                self.hash_type = balance_line::parse_hash_type(words).unwrap_or_default();
            }
            "source" => {
                self.source = words.source(around.supplies).or(self.source);
                if words.next().is_some() {
                    words.alert_last(
                        "'source' only supports optional keywords 'interface' and 'usesrc'.",
                        "write an address and nothing after it",
                    );
                }
            }
            other => unreachable!("'{other}' is honoured in the table but not read"),
        }
    }

    /// Reads `timeout NAME TIME`; 0 is no limit. `inherited`: what a proxy had before its first line; a second line
    /// about a timeout that is no longer as inherited is a mistake more often than not.
    pub(super) fn timeout(
        &mut self,
        row: &'static Keyword,
        line: &Line,
        mut inherited: Option<Timeouts>,
        report: &mut Report,
    ) {
        let words = &mut Arguments::after(line, row.length(), report);
        let Some(ms) = words.time(row.words, TimeUnit::Milliseconds) else { return };
        let slot = timeout_of(&mut self.timeouts, row.words);
        if inherited.as_mut().is_some_and(|inherited| timeout_of(inherited, row.words) != slot) {
            overwriting(&format!("'{}'", row.words), line, report);
        }
        *slot = (ms > 0).then_some(ms);
        self.timeout_lines.insert(row.words, line.clone());
    }
}

/// HAProxy's warning of a second line about the same thing.
pub(super) fn overwriting(what: &str, line: &Line, report: &mut Report) {
    let text = format!("overwriting {what} which was already specified");
    report.warning(line, line.span(0), text).help("the last line counts: remove one of them");
}

fn timeout_of<'a>(timeouts: &'a mut Timeouts, words: &str) -> &'a mut Option<u32> {
    match words {
        "timeout connect" => &mut timeouts.connect_ms,
        "timeout client" => &mut timeouts.client_ms,
        "timeout server" => &mut timeouts.server_ms,
        "timeout tunnel" => &mut timeouts.tunnel_ms,
        "timeout queue" => &mut timeouts.queue_ms,
        "timeout check" => &mut timeouts.check_ms,
        "timeout client-fin" => &mut timeouts.client_fin_ms,
        "timeout server-fin" => &mut timeouts.server_fin_ms,
        other => unreachable!("'{other}' is honoured in the table but not read"),
    }
}

/// A number of keep-alive probes; 0: as the host says.
fn probes(row: &Keyword, words: &mut Arguments<'_>) -> Option<u8> {
    expect_number(row, words)?;
    let count = words.integer(row.words, i32::MIN..=i32::MAX)?;
    probe_limit(row, words, count.into(), 127).and_then(|count| u8::try_from(count).ok())
}

/// A time of the kernel's keep-alive in seconds, rounded up; 0: as the host says.
fn seconds(row: &Keyword, words: &mut Arguments<'_>) -> Option<u16> {
    expect_number(row, words)?;
    let ms = words.time(row.words, TimeUnit::Seconds)?;
    probe_limit(row, words, ms.div_ceil(1_000).into(), 32_767).and_then(|s| u16::try_from(s).ok())
}

fn expect_number(row: &Keyword, words: &mut Arguments<'_>) -> Option<()> {
    let there = words.peek().is_some();
    if !there {
        words.required(format!("'{}' expects an integer value", row.words), "write a number after it");
    }
    there.then_some(())
}

/// What the kernel would refuse it is not asked for: HAProxy does not look at its answer.
fn probe_limit(row: &Keyword, words: &mut Arguments<'_>, value: i64, most: i64) -> Option<i64> {
    if value != 0 && !(1..=most).contains(&value) {
        let text = format!("'{}' : '{value}' is not what the kernel can be told, and is ignored", row.words);
        words.warn_last(text, format!("write 1 to {most}"));
    }
    (1..=most).contains(&value).then_some(value)
}

fn parse_states(words: &mut Arguments<'_>) -> Option<ServerStates> {
    match words.next() {
        Some("global") => Some(ServerStates::Global),
        Some("local") => Some(ServerStates::Local),
        Some("none") => Some(ServerStates::None),
        other => {
            let got = other.unwrap_or_default();
            words.alert_last(
                format!("'load-server-state-from-file' expects 'global', 'local' or 'none'. Got '{got}'"),
                "global reads the file of 'server-state-file', local one for each backend",
            );
            None
        }
    }
}

fn parse_mode(words: &mut Arguments<'_>) -> Option<Mode> {
    let word = words.next()?;
    match word {
        "tcp" => Some(Mode::Tcp),
        "http" => Some(Mode::Http),
        "log" | "haterm" | "spop" => {
            let text = format!("proxy mode '{word}' is not supported here.");
            words.alert_last(text, "use mode tcp");
            None
        }
        "health" => {
            words.alert_last(
                "'mode health' doesn't exist anymore.",
                "probe the port itself: 'option dontlognull' keeps the probes out of the log",
            );
            None
        }
        _ => {
            words.alert_last(format!("unknown proxy mode '{word}'."), "tcp, or http for the stats page");
            None
        }
    }
}
