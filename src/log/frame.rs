//! What stands before the message on the wire (configuration manual, section 3.1, `log … format`).

use std::fmt::{self, Write};

use crate::config::model::{LogFormat, LogTarget};

use super::clock::LocalTime;
use super::level::Level;

/// What the headers of all formats are made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header<'a> {
    /// When the line is sent.
    pub(super) now: LocalTime,
    /// `log-tag`.
    pub(super) tag: &'a str,
    /// With `log-send-hostname`.
    pub(super) hostname: Option<&'a str>,
    /// This process.
    pub(super) pid: u32,
    /// Of the message.
    pub(super) level: Level,
}

/// Fills `out` with header, message and newline, cut to `len` bytes before the newline. A cut may fall
/// inside a UTF-8 sequence, as in HAProxy; `scratch` is reused memory.
pub(super) fn line(
    out: &mut Vec<u8>,
    scratch: &mut String,
    target: &LogTarget,
    header: &Header<'_>,
    message: &str,
) {
    scratch.clear();
    // Formatting into a String cannot fail.
    let _ = prefix(scratch, target, header);
    out.clear();
    out.extend_from_slice(scratch.as_bytes());
    out.extend_from_slice(message.as_bytes());
    out.truncate(usize::try_from(target.max_len).unwrap_or(usize::MAX));
    out.push(b'\n');
}

fn prefix(out: &mut String, target: &LogTarget, header: &Header<'_>) -> fmt::Result {
    let level = header.level.number().max(target.min_level);
    let priority = u32::from(target.facility) * 8 + u32::from(level);
    match target.format {
        LogFormat::Rfc3164 => rfc3164(out, header, priority, Some(header.hostname.unwrap_or("localhost"))),
        LogFormat::Local => rfc3164(out, header, priority, None),
        LogFormat::Rfc5424 => rfc5424(out, header, priority),
        LogFormat::Priority => write!(out, "<{priority}>"),
        LogFormat::Short => write!(out, "<{level}>"),
        LogFormat::Timed => {
            write!(out, "<{level}>")?;
            iso(out, header)
        }
        LogFormat::Iso => iso(out, header),
        LogFormat::Raw => Ok(()),
    }
}

/// `<134>Nov 21 00:05:21 host haproxy[12331]: `.
fn rfc3164(out: &mut String, header: &Header<'_>, priority: u32, host: Option<&str>) -> fmt::Result {
    write!(out, "<{priority}>")?;
    header.now.syslog(out)?;
    if let Some(host) = host {
        write!(out, " {host}")?;
    }
    write!(out, " {}[{}]: ", header.tag, header.pid)
}

/// `<134>1 2026-11-21T00:05:21.822862+00:00 host haproxy 12331 - - `.
fn rfc5424(out: &mut String, header: &Header<'_>, priority: u32) -> fmt::Result {
    write!(out, "<{priority}>1 ")?;
    iso(out, header)?;
    write!(out, "{} {} {} - - ", header.hostname.unwrap_or("-"), header.tag, header.pid)
}

/// `2026-11-21T00:05:21.822862+00:00 `.
fn iso(out: &mut String, header: &Header<'_>) -> fmt::Result {
    header.now.iso(out)?;
    out.push(' ');
    Ok(())
}
