//! Where lines go: one opened target per `log` address, each losing only its own lines.

mod datagram;
mod descriptor;
mod file;
mod open;

use std::fmt;
use std::io;
use std::time::Instant;

use crate::config::model::{LogAddress, LogTarget};
use crate::process::error::strerror;

pub use open::{Additions, Opener, Targets, additions, open, open_path};

use datagram::{UdpTarget, UnixTarget};
use descriptor::DescriptorTarget;
use file::FileTarget;

/// Hears of targets that take no lines.
pub(super) struct Alarm(Box<dyn Fn(&str) + Send>);

impl Default for Alarm {
    fn default() -> Alarm {
        Alarm(Box::new(|_| ()))
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Alarm")
    }
}

#[derive(Debug)]
enum Transport {
    Udp(UdpTarget),
    Unix(UnixTarget),
    Descriptor(DescriptorTarget),
    File(FileTarget),
}

/// One `log` address, opened, and what it lost.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) config: LogTarget,
    transport: Transport,
    complained: bool,
}

impl Target {
    fn new(config: &LogTarget, transport: Transport) -> Target {
        Target { config: config.clone(), transport, complained: false }
    }

    /// Sends one framed line, newline included, without waiting. Answers how many lines were lost: 0 or 1.
    pub(super) fn send(&mut self, line: &[u8], now: Instant, alarm: &Alarm) -> u64 {
        let sent = match &mut self.transport {
            Transport::Udp(udp) => udp.send(line),
            Transport::Unix(unix) => unix.send(line, now),
            Transport::Descriptor(descriptor) => descriptor.send(line),
            Transport::File(file) => file.send(line),
        };
        match sent {
            Ok(()) => 0,
            Err(error) => {
                self.complain_once(&error, alarm);
                1
            }
        }
    }

    /// Pushes out what lies buffered, as far as that goes without waiting. Answers whether nothing is left.
    pub(super) fn flush(&mut self, alarm: &Alarm) -> bool {
        let flushed = match &mut self.transport {
            Transport::Udp(_) | Transport::Unix(_) => Ok(()),
            Transport::Descriptor(descriptor) => descriptor.flush(),
            Transport::File(file) => file.flush(),
        };
        if let Err(error) = &flushed {
            self.complain_once(error, alarm);
        }
        flushed.is_ok()
    }

    /// Lines that were taken but are still not written.
    pub(super) fn buffered(&self) -> u64 {
        match &self.transport {
            Transport::Udp(_) | Transport::Unix(_) => 0,
            Transport::Descriptor(descriptor) => descriptor.buffered(),
            Transport::File(file) => file.buffered(),
        }
    }

    /// A target that is merely full says nothing; a broken one says so once.
    fn complain_once(&mut self, error: &io::Error, alarm: &Alarm) {
        if error.kind() != io::ErrorKind::WouldBlock && !self.complained {
            self.complained = true;
            self.complain(error, alarm);
        }
    }

    #[cold]
    fn complain(&self, error: &io::Error, Alarm(say): &Alarm) {
        say(&format!(
            "log to {}: {}; lines that do not arrive are counted in DroppedLogs.\n  = help: {}",
            named(&self.config.address),
            strerror(error),
            advice(error),
        ));
    }
}

/// Cause and remedy of a target that takes no lines.
fn advice(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT) => "the file system is full: 'df -h' shows which, make room there",
        Some(libc::ECONNREFUSED | libc::ENOENT | libc::ENOTCONN) => {
            "nobody listens there: start the syslog server, and bind its socket below the chroot too"
        }
        Some(libc::EPIPE | libc::ECONNRESET) => "whoever read the lines has ended: restart it, then Pronk",
        Some(libc::EACCES | libc::EPERM) => {
            "this user may not write there: check owner and mode, or the firewall"
        }
        Some(libc::EMSGSIZE) => "a line is too long for a datagram: give the log line a smaller 'len'",
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH) => {
            "there is no way to that address: check 'ip route get'"
        }
        _ => "the kernel refused: check the address of the log line",
    }
}

/// The address as the configuration writes it.
pub(super) fn named(address: &LogAddress) -> String {
    match address {
        LogAddress::Udp(address) => address.to_string(),
        LogAddress::Unix(path) => path.display().to_string(),
        LogAddress::Fd(1) => "stdout".to_owned(),
        LogAddress::Fd(2) => "stderr".to_owned(),
        LogAddress::Fd(number) => format!("fd@{number}"),
        LogAddress::File(path) => format!("file@{}", path.display()),
    }
}
