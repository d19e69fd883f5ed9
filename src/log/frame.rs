//! What stands before the message on the wire (configuration manual, section 3.1, `log … format`).

use crate::config::model::{LogFormat, LogTarget};

use super::clock::LocalTime;
use super::level::Level;
use super::text::append;

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
    prefix(scratch, target, header);
    out.clear();
    out.extend_from_slice(scratch.as_bytes());
    out.extend_from_slice(message.as_bytes());
    out.truncate(usize::try_from(target.max_len).unwrap_or(usize::MAX));
    out.push(b'\n');
}

fn prefix(out: &mut String, target: &LogTarget, header: &Header<'_>) {
    let level = header.level.number().max(target.min_level);
    let priority = u32::from(target.facility) * 8 + u32::from(level);
    match target.format {
        LogFormat::Rfc3164 => rfc3164(out, header, priority, Some(header.hostname.unwrap_or("localhost"))),
        LogFormat::Local => rfc3164(out, header, priority, None),
        LogFormat::Unspecified => rfc3164(out, header, priority, header.hostname),
        LogFormat::Rfc5424 => rfc5424(out, header, priority),
        LogFormat::Priority => append!(out, '<', priority, '>'),
        LogFormat::Short => append!(out, '<', level, '>'),
        LogFormat::Timed => {
            append!(out, '<', level, '>');
            iso(out, header);
        }
        LogFormat::Iso => iso(out, header),
        LogFormat::Raw => {}
    }
}

/// `<134>Nov 21 00:05:21 host haproxy[12331]: `.
fn rfc3164(out: &mut String, header: &Header<'_>, priority: u32, host: Option<&str>) {
    append!(out, '<', priority, '>');
    header.now.syslog(out);
    if let Some(host) = host {
        append!(out, ' ', host);
    }
    append!(out, ' ', header.tag, '[', header.pid, "]: ");
}

/// `<134>1 2026-11-21T00:05:21.822862+00:00 host haproxy 12331 - - `.
fn rfc5424(out: &mut String, header: &Header<'_>, priority: u32) {
    append!(out, '<', priority, ">1 ");
    iso(out, header);
    append!(out, header.hostname.unwrap_or("-"), ' ', header.tag, ' ', header.pid, " - - ");
}

/// `2026-11-21T00:05:21.822862+00:00 `.
fn iso(out: &mut String, header: &Header<'_>) {
    header.now.iso(out);
    append!(out, ' ');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::LogAddress;
    use crate::log::clock::LocalClock;
    use crate::log::fixture;

    const MESSAGE: &str = "127.0.0.1:58050 [21/Nov/2026:00:05:21.769] tl tl/s1 1/0/53 9 -- 1/1/0/0/0 0/0";

    fn framed(target: &LogTarget, tag: &str, hostname: Option<&str>, east: i32) -> String {
        let now = LocalClock::fixed(east).at(1_795_219_521_822_862);
        let header = Header { now, tag, hostname, pid: 12331, level: Level::Info };
        let mut out = Vec::new();
        line(&mut out, &mut String::new(), target, &header, MESSAGE);
        String::from_utf8(out).expect("the test's text is UTF-8")
    }

    fn target(format: LogFormat) -> LogTarget {
        fixture::target(LogAddress::Fd(1), format)
    }

    /// Datagrams that haproxy 2.6 sent.
    #[test]
    fn every_format_is_haproxys_byte_for_byte() {
        for (format, prefix) in [
            (LogFormat::Rfc3164, "<134>Nov 21 00:05:21 localhost haproxy[12331]: "),
            (LogFormat::Unspecified, "<134>Nov 21 00:05:21 haproxy[12331]: "),
            (LogFormat::Rfc5424, "<134>1 2026-11-21T00:05:21.822862+00:00 - haproxy 12331 - - "),
            (LogFormat::Local, "<134>Nov 21 00:05:21 haproxy[12331]: "),
            (LogFormat::Priority, "<134>"),
            (LogFormat::Short, "<6>"),
            (LogFormat::Timed, "<6>2026-11-21T00:05:21.822862+00:00 "),
            (LogFormat::Iso, "2026-11-21T00:05:21.822862+00:00 "),
            (LogFormat::Raw, ""),
        ] {
            assert_eq!(framed(&target(format), "haproxy", None, 0), format!("{prefix}{MESSAGE}\n"));
        }
    }

    #[test]
    fn tag_hostname_and_zone_show_where_haproxy_shows_them() {
        let shown = |format, east| framed(&target(format), "mytag", Some("vm"), east).replace(MESSAGE, "M");
        assert_eq!(shown(LogFormat::Rfc3164, 19_800), "<134>Nov 21 05:35:21 vm mytag[12331]: M\n");
        assert_eq!(shown(LogFormat::Unspecified, 19_800), "<134>Nov 21 05:35:21 vm mytag[12331]: M\n");
        assert_eq!(shown(LogFormat::Local, 19_800), "<134>Nov 21 05:35:21 mytag[12331]: M\n");
        assert_eq!(
            shown(LogFormat::Rfc5424, 19_800),
            "<134>1 2026-11-21T05:35:21.822862+05:30 vm mytag 12331 - - M\n"
        );
        assert_eq!(shown(LogFormat::Iso, -12_600), "2026-11-20T20:35:21.822862-03:30 M\n");
    }

    #[test]
    fn a_line_is_cut_to_len_bytes_and_its_newline() {
        let cut = |format| LogTarget { max_len: 80, ..target(format) };
        let line = framed(&cut(LogFormat::Local), "haproxy", None, 0);
        assert_eq!(
            line,
            "<134>Nov 21 00:05:21 haproxy[12331]: 127.0.0.1:58050 [21/Nov/2026:00:05:21.769] \n"
        );
        assert_eq!(line.len(), 81);
        assert_eq!(framed(&cut(LogFormat::Raw), "haproxy", None, 0), format!("{MESSAGE}\n"));
    }

    #[test]
    fn minlevel_lowers_what_is_more_severe() {
        let lowered = LogTarget { min_level: 7, ..target(LogFormat::Priority) };
        assert!(framed(&lowered, "haproxy", None, 0).starts_with("<135>"));
        let short = LogTarget { min_level: 7, ..target(LogFormat::Short) };
        assert!(framed(&short, "haproxy", None, 0).starts_with("<7>"));
    }
}
