//! Syslog severities.

/// Severity of a log line, the most severe first (RFC 5424, table 2; HAProxy's level names).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// 0 `emerg`.
    Emerg,
    /// 1 `alert`.
    Alert,
    /// 2 `crit`.
    Crit,
    /// 3 `err`.
    Err,
    /// 4 `warning`.
    Warning,
    /// 5 `notice`.
    Notice,
    /// 6 `info`.
    Info,
    /// 7 `debug`.
    Debug,
}

impl Level {
    /// The number that goes into `<PRI>`, 0 to 7.
    pub fn number(self) -> u8 {
        self as u8
    }
}
