//! Dates as log lines show them, in local time.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use super::text::{Padded, append};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Microseconds since the epoch, now.
pub(super) fn now_us() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX)
}

/// `21/Nov/2026:05:35:48.389012` for microseconds since the epoch, in the machine's time zone.
pub fn date_us(us: u64) -> String {
    let mut out = String::new();
    let at = LocalClock::of_this_machine().at(us);
    at.session(&mut out);
    append!(&mut out, Padded::<3>(at.microsecond() % 1000));
    out
}

/// The machine's time zone, read once: later a chroot may hide the zone files.
#[derive(Clone, Debug)]
pub(super) struct LocalClock {
    zone: TimeZone,
}

impl LocalClock {
    /// By `TZ`, else `/etc/localtime`, else UTC.
    pub(super) fn of_this_machine() -> Self {
        static ZONE: OnceLock<TimeZone> = OnceLock::new();
        LocalClock { zone: ZONE.get_or_init(TimeZone::system).clone() }
    }

    #[cfg(test)]
    pub(super) fn fixed(seconds_east: i32) -> Self {
        LocalClock { zone: TimeZone::fixed(Offset::from_seconds(seconds_east).expect("within a day")) }
    }

    /// The wall clock at `us` microseconds since the epoch.
    pub(super) fn at(&self, us: u64) -> LocalTime {
        let us = i64::try_from(us).unwrap_or(i64::MAX);
        let instant = Timestamp::from_microsecond(us).unwrap_or(Timestamp::MAX);
        let offset = self.zone.to_offset(instant);
        LocalTime { civil: offset.to_datetime(instant), offset }
    }
}

/// One moment as the wall clock shows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalTime {
    civil: DateTime,
    offset: Offset,
}

impl LocalTime {
    fn month(&self) -> &'static str {
        // civil months are 1 to 12.
        MONTHS[usize::from(self.civil.month().unsigned_abs()) - 1]
    }

    /// Of the second, 0 to 999 999.
    fn microsecond(&self) -> u32 {
        self.civil.subsec_nanosecond().unsigned_abs() / 1000
    }

    /// `05:35:48`.
    fn time(&self, out: &mut String) {
        let [hour, minute, second] = [self.civil.hour(), self.civil.minute(), self.civil.second()].map(two);
        append!(out, hour, ':', minute, ':', second);
    }

    /// `Nov  1 05:35:48` (RFC 3164, section 4.1.2: the day is padded with a blank).
    pub(super) fn syslog(&self, out: &mut String) {
        let day = self.civil.day().unsigned_abs();
        append!(out, self.month(), if day < 10 { "  " } else { " " }, day, ' ');
        self.time(out);
    }

    /// `2026-11-21T05:35:48.441221+05:30` (RFC 5424, section 6.2.3).
    pub(super) fn iso(&self, out: &mut String) {
        append!(out, self.year(), '-', two(self.civil.month()), '-', two(self.civil.day()), 'T');
        self.time(out);
        let seconds = self.offset.seconds();
        let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs() / 60);
        append!(out, '.', Padded::<6>(self.microsecond()), sign);
        append!(out, Padded::<2>(minutes / 60), ':', Padded::<2>(minutes % 60));
    }

    /// `21/Nov/2026:05:35:48.389`, the `%t` of a session's line (configuration manual, section 8.2.4).
    pub(super) fn session(&self, out: &mut String) {
        append!(out, two(self.civil.day()), '/', self.month(), '/', self.year(), ':');
        self.time(out);
        append!(out, '.', Padded::<3>(self.microsecond() / 1000));
    }

    fn year(&self) -> Padded<4> {
        Padded(u32::from(self.civil.year().unsigned_abs()))
    }
}

/// A part of a date, which is never negative.
fn two(part: i8) -> Padded<2> {
    Padded(u32::from(part.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(us: u64, east: i32, how: fn(&LocalTime, &mut String)) -> String {
        let mut out = String::new();
        how(&LocalClock::fixed(east).at(us), &mut out);
        out
    }

    #[test]
    fn as_haproxy_shows_them() {
        let us = 1_795_219_548_389_012; // 2026-11-21 00:05:48.389012 UTC
        assert_eq!(shown(us, 0, LocalTime::syslog), "Nov 21 00:05:48");
        assert_eq!(shown(us, 19_800, LocalTime::iso), "2026-11-21T05:35:48.389012+05:30");
        assert_eq!(shown(us, -12_600, LocalTime::iso), "2026-11-20T20:35:48.389012-03:30");
        assert_eq!(shown(us, 0, LocalTime::session), "21/Nov/2026:00:05:48.389");
        assert_eq!(shown(us, -12_600, LocalTime::session), "20/Nov/2026:20:35:48.389");
    }

    #[test]
    fn a_day_of_one_figure_is_padded_with_a_blank_in_syslog_and_a_zero_elsewhere() {
        let us = 1_793_491_200_000_000; // 2026-11-01 00:00:00 UTC
        assert_eq!(shown(us, 0, LocalTime::syslog), "Nov  1 00:00:00");
        assert_eq!(shown(us, 0, LocalTime::session), "01/Nov/2026:00:00:00.000");
    }

    #[test]
    fn absurd_clocks_do_not_panic() {
        assert_eq!(shown(0, 0, LocalTime::syslog), "Jan  1 00:00:00");
        assert!(shown(u64::MAX, -7200, LocalTime::iso).starts_with("9999-12-30T"));
    }
}
