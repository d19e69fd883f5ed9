//! What the machine refused at start-up: what was attempted, on what, why, and what helps.

use std::fmt;
use std::io;
use std::net::SocketAddr;

/// Start-up stopped because the system said no. Shown as one alert line in HAProxy's form, then a help line.
#[derive(Debug)]
pub struct StartError {
    /// What was attempted, as a gerund or noun: `cannot set up the io_uring of worker 1`.
    pub attempted: String,
    /// On what: a path, an address, a limit; may be empty.
    pub on: String,
    /// The system's answer, when there is one.
    pub errno: Option<io::Error>,
    /// The likely cause, one sentence without a full stop; may be empty.
    pub cause: String,
    /// What to do or which command to try; may be empty.
    pub remedy: String,
    /// Somebody else has what was wanted, and may give it up.
    pub in_use: bool,
    /// The address that another socket takes up; whose that is has not been looked for yet.
    pub occupied: Option<Box<SocketAddr>>,
}

impl StartError {
    /// An error with only the attempt; the rest is added with the `with_` functions.
    pub fn new(attempted: impl Into<String>) -> StartError {
        StartError {
            attempted: attempted.into(),
            on: String::new(),
            errno: None,
            cause: String::new(),
            remedy: String::new(),
            in_use: false,
            occupied: None,
        }
    }

    /// Names the object of the attempt.
    pub fn on(mut self, on: impl fmt::Display) -> StartError {
        self.on = on.to_string();
        self
    }

    /// Adds the system's answer.
    pub fn with_errno(mut self, errno: impl Into<io::Error>) -> StartError {
        self.errno = Some(errno.into());
        self
    }

    /// Adds the likely cause.
    pub fn with_cause(mut self, cause: impl Into<String>) -> StartError {
        self.cause = cause.into();
        self
    }

    /// Adds the remedy.
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> StartError {
        self.remedy = remedy.into();
        self
    }

    /// The help line's text: cause, then remedy; empty when there is neither.
    pub fn help(&self) -> String {
        match (self.cause.is_empty(), self.remedy.is_empty()) {
            (true, true) => String::new(),
            (false, true) => self.cause.clone(),
            (true, false) => self.remedy.clone(),
            (false, false) => format!("{}: {}", self.cause, self.remedy),
        }
    }
}

/// The text of an errno as C's strerror gives it, without Rust's ` (os error N)`.
pub fn strerror(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

impl fmt::Display for StartError {
    /// The alert's text: `ATTEMPTED (STRERROR) for [ON]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.attempted)?;
        if let Some(errno) = &self.errno {
            write!(f, " ({})", strerror(errno))?;
        }
        if !self.on.is_empty() {
            write!(f, " for [{}]", self.on)?;
        }
        f.write_str(".")
    }
}

impl std::error::Error for StartError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_haproxys_alert() {
        let error = StartError::new("Binding [a.cfg:3] for proxy x: protocol tcpv4: cannot bind socket")
            .on("127.0.0.1:33206")
            .with_errno(io::Error::from_raw_os_error(98));
        assert_eq!(
            error.to_string(),
            "Binding [a.cfg:3] for proxy x: protocol tcpv4: cannot bind socket (Address already in use) for [127.0.0.1:33206]."
        );
    }

    #[test]
    fn leaves_out_what_is_not_known() {
        assert_eq!(StartError::new("cannot fork").to_string(), "cannot fork.");
        assert_eq!(StartError::new("x").help(), "");
        assert_eq!(StartError::new("x").with_cause("c").with_remedy("r").help(), "c: r");
    }
}
