//! Log targets.

use std::net::SocketAddr;
use std::path::PathBuf;

/// One `log` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogTarget {
    /// Where the line goes.
    pub address: LogAddress,
    /// `len`, default 1024.
    pub max_len: u32,
    /// `format`.
    pub format: LogFormat,
    /// `sample R:S`: send only those of each S that lie in one of the ranges R (1-based, inclusive).
    pub sample: Option<LogSample>,
    /// 0 kern to 23 local7.
    pub facility: u8,
    /// Lines less severe than this are dropped (7 debug: none are).
    pub level: u8,
    /// Lines more severe than this are sent as if they were of this level (0 emerg: none are).
    pub min_level: u8,
}

/// Where a log line goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogAddress {
    /// A UDP datagram.
    Udp(SocketAddr),
    /// A Unix datagram socket such as /dev/log.
    Unix(PathBuf),
    /// An open descriptor: `stdout` is 1, `stderr` 2, `fd@N`.
    Fd(i32),
    /// `file@PATH`, Pronk's own: appended, reopened when the file is moved away.
    File(PathBuf),
}

/// `log … format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// No `format`: as `rfc3164` with `log-send-hostname`, else as `local`.
    Unspecified,
    /// `rfc3164`; the host is `localhost` without `log-send-hostname`.
    Rfc3164,
    /// `rfc5424`
    Rfc5424,
    /// `local`: rfc3164 without the host.
    Local,
    /// `priority`: only `<PRI>` before the message.
    Priority,
    /// `short`: `<N>` level only.
    Short,
    /// `timed`
    Timed,
    /// `iso`
    Iso,
    /// `raw`: the message alone.
    Raw,
}

/// `sample R:S`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSample {
    /// Inclusive 1-based ranges.
    pub ranges: Vec<(u32, u32)>,
    /// The cycle.
    pub size: u32,
}
