//! HAProxy's log lines about checks and state changes, word for word. Pure.

use super::outcome::Outcome;
use super::verdict::{Standing, Turn};

mod service;

pub use service::{
    drains, enters_maintenance, goes_on_draining, leaves_drain, leaves_maintenance, resolves,
    stays_in_maintenance, stopping,
};

/// Why a server changed sides, when `set server … health` said so.
pub const BY_CLI: &str = ", changed from CLI";
/// The same, when the stats page did.
pub const BY_PAGE: &str = ", changed from Web interface";
/// The same, when a state file says so.
pub const BY_FILE: &str = ", changed from server-state after a reload";

/// Who a line is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub proxy: &'a str,
    pub server: &'a str,
    pub backup: bool,
    /// Its weight is 0: up, but it gets no new session.
    pub drained: bool,
}

/// What the check saw.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub outcome: &'a Outcome,
    pub duration_ms: u32,
}

/// What the change leaves behind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Left {
    /// Usable servers of the backend.
    pub active: u32,
    /// Usable backup servers.
    pub backup: u32,
    /// It was the last usable one.
    pub last: bool,
    /// Sessions on the server.
    pub sessions: u32,
    /// Sessions that leave this server's queue (down), or the backend's queue for this server (up).
    pub requeued: u32,
    /// Sessions still in this server's queue.
    pub queued: u32,
}

impl Subject<'_> {
    fn path(&self) -> String {
        format!("{}/{}", self.proxy, self.server)
    }

    /// How its line begins.
    fn server(&self) -> String {
        let backup = if self.backup { "Backup " } else { "" };
        format!("{backup}Server {}", self.path())
    }
}

impl Left {
    /// Behind the change of a server that is down now.
    fn of_down(&self) -> String {
        let Left { active, backup, sessions, requeued, queued, .. } = self;
        let running = self.running_on_backup();
        format!(
            "{active} active and {backup} backup servers left.{running} {sessions} sessions active, \
             {requeued} requeued, {queued} remaining in queue."
        )
    }

    /// Behind any other change.
    fn of_up(&self) -> String {
        let Left { active, backup, requeued, queued, .. } = self;
        let running = self.running_on_backup();
        format!(
            "{active} active and {backup} backup servers online.{running} {requeued} sessions requeued, \
             {queued} total in queue."
        )
    }

    fn running_on_backup(&self) -> &'static str {
        if self.active == 0 && self.backup > 0 { " Running on backup." } else { "" }
    }
}

/// `option log-health-checks`.
pub fn health_check(subject: Subject<'_>, seen: Seen<'_>, standing: Standing) -> String {
    let backup = if subject.backup { "backup " } else { "" };
    let verb = if seen.outcome.passed() { "succeeded" } else { "failed" };
    let (n, of) = standing.fraction();
    let state = match (standing.is_up(), subject.drained) {
        (false, _) => "DOWN",
        (true, true) => "DRAIN",
        (true, false) => "UP",
    };
    let reason = reason(seen);
    format!("Health check for {backup}server {} {verb}{reason}, status: {n}/{of} {state}.", subject.path())
}

/// A server went up or down. `reason` is left out when the check's own line has just said it.
pub fn state_change(subject: Subject<'_>, turn: Turn, reason: &str, left: Left) -> String {
    let server = subject.server();
    match turn {
        Turn::Down => format!("{server} is DOWN{reason}. {}", left.of_down()),
        Turn::Up => format!("{server} is UP{reason}. {}", left.of_up()),
    }
}

/// The last server is gone. `quoted` is how standard error has it.
pub fn no_server(listen: bool, proxy: &str, quoted: bool) -> String {
    let word = if listen { "proxy" } else { "backend" };
    let quote = if quoted { "'" } else { "" };
    format!("{word} {quote}{proxy}{quote} has no server available!")
}

/// `source` names an address that this machine does not have. The word is `backend` for every section.
pub fn source_refused(proxy: &str) -> String {
    format!("Cannot bind to source address before connect() for backend {proxy}.")
}

/// Why a check let a server change sides.
pub fn reason(seen: Seen<'_>) -> String {
    let info = seen.outcome.info();
    let info = if info.is_empty() { String::new() } else { format!(", info: \"{info}\"") };
    format!(", reason: {}{info}, check duration: {}ms", seen.outcome.description(), seen.duration_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Lines of haproxy 2.6, with the text that 3.5 has for a refused connection.

    fn subject(backup: bool) -> Subject<'static> {
        Subject { proxy: "l1", server: "a", backup, drained: false }
    }

    #[test]
    fn down_tells_the_reason_and_what_is_left() {
        let seen = Seen { outcome: &Outcome::Refused(libc::ECONNREFUSED), duration_ms: 0 };
        let left = Left { active: 1, backup: 1, ..Left::default() };
        assert_eq!(
            state_change(subject(false), Turn::Down, &reason(seen), left),
            "Server l1/a is DOWN, reason: Layer4 connection problem, info: \"ECONNREFUSED returned by OS \
             (Connection refused)\", check duration: 0ms. 1 active and 1 backup servers left. 0 sessions \
             active, 0 requeued, 0 remaining in queue."
        );
        let seen = Seen { outcome: &Outcome::TimedOut, duration_ms: 403 };
        let left = Left { backup: 1, sessions: 2, requeued: 3, queued: 4, ..Left::default() };
        assert_eq!(
            state_change(subject(false), Turn::Down, &reason(seen), left),
            "Server l1/a is DOWN, reason: Layer4 timeout, check duration: 403ms. 0 active and 1 backup servers \
             left. Running on backup. 2 sessions active, 3 requeued, 4 remaining in queue."
        );
    }

    #[test]
    fn up_tells_what_is_online() {
        let seen = Seen { outcome: &Outcome::Passed, duration_ms: 0 };
        let left = Left { active: 1, ..Left::default() };
        assert_eq!(
            state_change(subject(true), Turn::Up, &reason(seen), left),
            "Backup Server l1/a is UP, reason: Layer4 check passed, check duration: 0ms. 1 active and 0 backup \
             servers online. 0 sessions requeued, 0 total in queue."
        );
        assert_eq!(
            state_change(subject(false), Turn::Up, "", left),
            "Server l1/a is UP. 1 active and 0 backup servers online. 0 sessions requeued, 0 total in queue."
        );
    }

    #[test]
    fn health_checks_tell_the_fraction() {
        let mut standing = Standing::new(2, 3);
        standing.pass();
        let seen = Seen { outcome: &Outcome::Passed, duration_ms: 0 };
        assert_eq!(
            health_check(subject(true), seen, standing),
            "Health check for backup server l1/a succeeded, reason: Layer4 check passed, check duration: 0ms, \
             status: 3/3 UP."
        );
        standing.fail();
        let seen = Seen { outcome: &Outcome::SocketError(libc::ENOENT), duration_ms: 1 };
        assert_eq!(
            health_check(subject(false), seen, standing),
            "Health check for server l1/a failed, reason: Socket error, info: \"General socket error (No such \
             file or directory)\", check duration: 1ms, status: 2/3 UP."
        );
    }

    #[test]
    fn the_last_server_is_mourned() {
        assert_eq!(no_server(true, "l1", false), "proxy l1 has no server available!");
        assert_eq!(no_server(false, "b2", true), "backend 'b2' has no server available!");
    }
}
