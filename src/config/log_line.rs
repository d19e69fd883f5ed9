//! `log` lines: `log ADDRESS [len N] [format F] [sample R:S] FACILITY [LEVEL [MINLEVEL]]`
//! (configuration manual, section 4.2, `log`).

use std::net::SocketAddr;
use std::path::PathBuf;

use super::address::{self, Address, Port, Usage};
use super::arguments::Arguments;
use super::diagnostic::Report;
use super::lexer::Line;
use super::model::{LogAddress, LogFormat, LogSample, LogTarget};
use super::suggest::nearest;
use super::supplies::Supplies;

/// By number (RFC 5424, section 6.2.1, under HAProxy's names).
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "auth2", "ftp", "ntp",
    "audit", "alert", "cron2", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];

/// By number, most severe first.
const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

const FORMATS: [(&str, LogFormat); 8] = [
    ("rfc3164", LogFormat::Rfc3164),
    ("rfc5424", LogFormat::Rfc5424),
    ("local", LogFormat::Local),
    ("priority", LogFormat::Priority),
    ("short", LogFormat::Short),
    ("timed", LogFormat::Timed),
    ("iso", LogFormat::Iso),
    ("raw", LogFormat::Raw),
];

const SYSLOG_PORT: u16 = 514;
const LEN_DEFAULT: u32 = 1024;

/// Reads the words after `log`, which are neither `global` nor absent.
pub(super) fn parse(words: &mut Arguments<'_>, supplies: &mut Supplies) -> Option<LogTarget> {
    let word = words.required(EXPECTS, "as in: log /dev/log local0 info")?;
    let address = parse_address(word, words, supplies)?;
    let mut target = LogTarget {
        format: default_format(&address),
        address,
        max_len: LEN_DEFAULT,
        sample: None,
        facility: 0,
        level: 7,
        min_level: 0,
    };
    parse_options(words, &mut target)?;
    let facility = words.required(EXPECTS, "name a facility after the address, such as local0")?;
    target.facility = match facility {
        "len" | "format" | "sample" => return out_of_order(words, facility),
        _ => choice(words, facility, &FACILITIES, "log facility")?,
    };
    if let Some(level) = words.next() {
        target.level = choice(words, level, &LEVELS, "optional log level")?;
    }
    if let Some(level) = words.next() {
        target.min_level = choice(words, level, &LEVELS, "optional minimum log level")?;
    }
    words.end("log");
    Some(target)
}

/// Reads `no log`, which removes the targets so far.
pub(super) fn clear<T>(line: &Line, targets: &mut Vec<T>, report: &mut Report) {
    if let Some(extra) = line.arguments().first() {
        report
            .alert(line, extra, "log : 'no log' does not expect arguments")
            .help("it removes every target: name the ones to keep after it");
    }
    targets.clear();
}

fn out_of_order<T>(words: &mut Arguments<'_>, option: &str) -> Option<T> {
    let text = format!("log : unknown log facility '{option}'");
    words.alert_last(text, "options come in this order: len, format, sample; the facility follows them");
    None
}

const EXPECTS: &str = "log : expects <address> and <facility>  as arguments";

/// HAProxy's default; a file, which is Pronk's own and read by people, has dates instead of `<PRI>`.
fn default_format(address: &LogAddress) -> LogFormat {
    match address {
        LogAddress::File(_) => LogFormat::Iso,
        _ => LogFormat::Unspecified,
    }
}

fn parse_address(word: &str, words: &mut Arguments<'_>, supplies: &mut Supplies) -> Option<LogAddress> {
    match word {
        "stdout" => return Some(LogAddress::Fd(1)),
        "stderr" => return Some(LogAddress::Fd(2)),
        _ => {}
    }
    if let Some(path) = word.strip_prefix("file@") {
        if path.is_empty() {
            words.alert_last("log : missing file name in 'file@'", "write file@/var/log/impala-gateway.log");
            return None;
        }
        return Some(LogAddress::File(PathBuf::from(path)));
    }
    if let Some(kind) = ["ring@", "tcp@", "tcp4@", "tcp6@", "backend@"].iter().find(|k| word.starts_with(**k))
    {
        let text = format!("log : '{kind}' targets are not supported here.");
        words.alert_last(text, "log to a syslog daemon (UDP or /dev/log), stdout, stderr, fd@N or file@PATH");
        return None;
    }
    match address::address(word, Usage::Log) {
        Ok(parsed) => log_address(parsed, words, supplies),
        Err(error) => {
            words.alert_last(format!("log : {}", error.text), error.help);
            None
        }
    }
}

fn log_address(parsed: Address, words: &mut Arguments<'_>, supplies: &mut Supplies) -> Option<LogAddress> {
    match parsed {
        Address::Ip(host, port) => {
            let ip = words.resolve("log", &host, supplies)?;
            let port = if let Port::Fixed(port) = port { port } else { SYSLOG_PORT };
            Some(LogAddress::Udp(SocketAddr::new(ip, port)))
        }
        Address::Unix(path) => Some(LogAddress::Unix(path)),
        Address::Fd(number) => Some(LogAddress::Fd(number)),
        Address::Abstract(_) | Address::SocketPair(_) => {
            words.alert_last(
                "log : abstract sockets are not supported here.",
                "log to /dev/log or to a UDP address",
            );
            None
        }
    }
}

/// Options come in one order: what is out of it is taken for the facility, as by HAProxy.
fn parse_options(words: &mut Arguments<'_>, target: &mut LogTarget) -> Option<()> {
    if takes("len", words) {
        target.max_len = parse_len(words)?;
    }
    if takes("format", words) {
        target.format = parse_format(words)?;
    }
    if takes("sample", words) {
        target.sample = Some(parse_sample(words)?);
    }
    if takes("profile", words) {
        words.alert_last("log : 'profile' is not supported here.", "remove it and name a 'format'");
        return None;
    }
    Some(())
}

fn takes(option: &str, words: &mut Arguments<'_>) -> bool {
    let here = words.peek() == Some(option);
    words.at += usize::from(here);
    here
}

fn parse_len(words: &mut Arguments<'_>) -> Option<u32> {
    let word = words.required("log : 'len' expects a length", "write a number from 80 to 65535")?;
    match word.parse() {
        Ok(length @ 80..=65_535) => Some(length),
        _ => {
            let text = format!("log : invalid log length '{word}', must be between 80 and 65535");
            words.alert_last(text, "1024 is the default");
            None
        }
    }
}

fn parse_format(words: &mut Arguments<'_>) -> Option<LogFormat> {
    let word = words.required("log : 'format' expects a format", "rfc3164 is the default on the network")?;
    let found = FORMATS.iter().find(|(name, _)| *name == word).map(|(_, format)| *format);
    if found.is_none() {
        let help = help_among(word, FORMATS.iter().map(|(name, _)| *name));
        words.alert_last(format!("log : unknown log format '{word}'"), help);
    }
    found
}

/// `1,3-5:10`
fn parse_sample(words: &mut Arguments<'_>) -> Option<LogSample> {
    let word =
        words.required("log : 'sample' expects <sample_ranges>:<sample_size>", "as in: sample 1,3-5:10")?;
    let sample = word.split_once(':').and_then(|(ranges, size)| {
        let size: u32 = size.parse().ok()?;
        let ranges: Vec<(u32, u32)> = ranges.split(',').map(parse_range).collect::<Option<_>>()?;
        let fits = ranges.iter().all(|(low, high)| 1 <= *low && low <= high && *high <= size);
        let apart = ranges.iter().enumerate().all(|(i, (low, high))| {
            ranges[..i].iter().all(|(other_low, other_high)| high < other_low || other_high < low)
        });
        (fits && apart).then_some(LogSample { ranges, size })
    });
    if sample.is_none() {
        let text = format!("log : wrong sample range '{word}'");
        words.alert_last(text, "write ranges and the cycle, as in 1,3-5:10; ranges lie inside it and apart");
    }
    sample
}

fn parse_range(text: &str) -> Option<(u32, u32)> {
    match text.split_once('-') {
        Some((low, high)) => Some((low.parse().ok()?, high.parse().ok()?)),
        None => text.parse().ok().map(|value| (value, value)),
    }
}

/// The index of a name, or an error that says what kind of name is unknown.
fn choice(words: &mut Arguments<'_>, word: &str, names: &[&'static str], what: &str) -> Option<u8> {
    let found = names.iter().position(|name| *name == word).and_then(|at| u8::try_from(at).ok());
    if found.is_none() {
        let help = help_among(word, names.iter().copied());
        words.alert_last(format!("log : unknown {what} '{word}'"), help);
    }
    found
}

fn help_among(word: &str, names: impl Iterator<Item = &'static str> + Clone) -> String {
    match nearest(word, names.clone()) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("one of {}", names.collect::<Vec<_>>().join(", ")),
    }
}
