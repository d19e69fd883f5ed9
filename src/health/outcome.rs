//! What one check saw, in HAProxy's words (configuration manual, section 9.1, `check_status`). Pure.

use std::borrow::Cow;
use std::io;

use crate::process::error::strerror;
use crate::stats::check_description;

/// How a TCP check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Connected.
    Passed,
    /// Neither connected nor refused in time.
    TimedOut,
    /// The network or the server refused: the errno of the connection attempt.
    Refused(i32),
    /// A TCP attempt could not even begin: the errno of the call that failed.
    NotBegun(i32),
    /// The `source` address could not be bound.
    SourceRefused(i32),
    /// As `NotBegun` for a Unix socket, which HAProxy names differently.
    SocketError(i32),
}

impl Outcome {
    /// Whether the server answers.
    pub fn passed(&self) -> bool {
        *self == Outcome::Passed
    }

    /// `check_status`.
    pub fn status(&self) -> &'static str {
        match self {
            Outcome::Passed => "L4OK",
            Outcome::TimedOut => "L4TOUT",
            Outcome::Refused(_) | Outcome::NotBegun(_) | Outcome::SourceRefused(_) => "L4CON",
            Outcome::SocketError(_) => "SOCKERR",
        }
    }

    /// `check_desc`.
    pub fn description(&self) -> &'static str {
        check_description(self.status())
    }

    /// `last_chk` and `info:` of the log; empty: nothing more is known.
    pub fn info(&self) -> Cow<'static, str> {
        match self {
            Outcome::Passed | Outcome::TimedOut => Cow::Borrowed(""),
            Outcome::Refused(errno) => Cow::Owned(refusal(*errno)),
            Outcome::NotBegun(errno) | Outcome::SocketError(errno) => {
                Cow::Owned(format!("{} ({})", socket_failure(*errno), text(*errno)))
            }
            Outcome::SourceRefused(errno) => {
                Cow::Owned(format!("Can't bind to source address ({})", text(*errno)))
            }
        }
    }
}

/// An errno that the kernel reported for the connection itself.
fn refusal(errno: i32) -> String {
    let name = match errno {
        libc::ECONNREFUSED => "ECONNREFUSED",
        libc::ECONNRESET | libc::EPIPE => "ECONNRESET",
        libc::ENETUNREACH | libc::EHOSTUNREACH => "ENETUNREACH",
        libc::ENOMEM | libc::ENOBUFS => "ENOMEM",
        _ => return text(errno),
    };
    format!("{name} returned by OS ({})", text(errno))
}

/// An errno of socket(2) or connect(2).
fn socket_failure(errno: i32) -> &'static str {
    match errno {
        libc::EMFILE => "Too many sockets on the process",
        libc::ENFILE => "Too many sockets on the system",
        libc::ENOBUFS | libc::ENOMEM => "Out of system buffers",
        libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT => "Protocol or address family not supported",
        libc::EAGAIN | libc::EADDRNOTAVAIL => "Out of local source ports on the system",
        libc::EADDRINUSE => "Local source address already in use",
        _ => "General socket error",
    }
}

fn text(errno: i32) -> String {
    strerror(&io::Error::from_raw_os_error(errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_read_as_in_haproxy() {
        assert_eq!(
            Outcome::Refused(libc::ECONNREFUSED).info(),
            "ECONNREFUSED returned by OS (Connection refused)"
        );
        assert_eq!(
            Outcome::Refused(libc::EHOSTUNREACH).info(),
            "ENETUNREACH returned by OS (No route to host)"
        );
        assert_eq!(Outcome::Refused(libc::ETIMEDOUT).info(), "Connection timed out");
        assert_eq!(
            Outcome::SourceRefused(libc::EADDRNOTAVAIL).info(),
            "Can't bind to source address (Cannot assign requested address)"
        );
        assert_eq!(
            Outcome::NotBegun(libc::ENETUNREACH).info(),
            "General socket error (Network is unreachable)"
        );
        assert_eq!(
            Outcome::SocketError(libc::ENOENT).info(),
            "General socket error (No such file or directory)"
        );
        assert_eq!(Outcome::TimedOut.info(), "");
    }
}
