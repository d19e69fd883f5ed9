//! What is known of one server at run time, as the health thread and the runtime API report it.

use std::borrow::Cow;

use crate::config::model::{Origin, Server};

/// What the checks say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Passing, or not yet failed often enough; without checks: always, unless the operator says otherwise.
    Up,
    /// Up, but to get no new session.
    Stopping,
    /// Failed `fall` times, said to be down by the operator, or in maintenance.
    Down,
}

/// Whether a server's `check` is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checks {
    /// None is configured.
    Absent,
    /// `disable health`, or there is no port to check.
    Off,
    /// Checked, but in maintenance.
    On,
}

/// What the operator says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Admin {
    /// Out of service: no session, no check.
    pub maint: bool,
    /// The configuration had put it out of service.
    pub disabled: bool,
    /// No new session; those that run continue.
    pub drain: bool,
    /// Its address is not known yet: out of service whatever the operator says.
    pub unresolved: bool,
}

impl Admin {
    /// Whether it is out of service, for one reason or the other.
    pub fn is_out(self) -> bool {
        self.maint || self.unresolved
    }
}

/// The state of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerState {
    /// By the checks.
    pub health: Health,
    /// By the operator.
    pub admin: Admin,
    /// Whether checks decide the health.
    pub checks: Checks,
    /// When health or admin last changed, process clock; kept by [`super::TablePublisher::update`].
    pub since_ms: u64,
    /// How long it had been so when the process began, if it has not changed since.
    pub aged_ms: u64,
    /// For the statistics.
    pub check: CheckReport,
}

/// The last check and the counts over all of them (columns 37-39 and 66-68 of `show stat`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// `check_status` (`INI`, `L4OK`, `L4TOUT`, `L4CON`, …).
    pub status: &'static str,
    /// `check_code`.
    pub code: Option<u16>,
    /// `check_duration`; None until the first check ended.
    pub duration_ms: Option<u32>,
    /// `last_chk`: what the check saw beyond its status, such as the errno's text; often empty.
    pub desc: Cow<'static, str>,
    /// `check_health`: 0 to rise + fall - 1; up from `rise` on.
    pub health: u16,
    /// `check_rise`.
    pub rise: u16,
    /// `check_fall`.
    pub fall: u16,
    /// `chkfail`: failed checks while up.
    pub fails: u64,
    /// `chkdown`: changes from up to down.
    pub downs: u64,
    /// `downtime`, up to the last change.
    pub downtime_ms: u64,
    /// A check is running now (`* ` before the status).
    pub running: bool,
}

impl ServerState {
    /// At the start: in service unless `disabled`; one failed check takes a checked server down. One that a
    /// command added waits in maintenance and unchecked for further commands.
    pub fn initial(server: &Server) -> ServerState {
        // A server that is not checked has these too, and shows them in `show servers state`.
        let (rise, fall) = server.check.map_or((2, 3), |check| (check.rise, check.fall));
        let maint = server.disabled || server.origin == Origin::Command { ready: false };
        let admin = Admin { maint, disabled: server.disabled, drain: false, unresolved: server.unresolved };
        let health = if admin.is_out() { 0 } else { rise };
        // A checked server that loses its place at once has gone down, as HAProxy counts.
        let downs = u64::from(server.unresolved && !maint);
        let check = CheckReport { status: "INI", health, rise, fall, downs, ..CheckReport::default() };
        let checks = match (server.check, server.origin) {
            (None, _) => Checks::Absent,
            (Some(_), Origin::File) => Checks::On,
            (Some(_), Origin::Command { .. }) => Checks::Off,
        };
        ServerState {
            health: if admin.is_out() { Health::Down } else { Health::Up },
            admin,
            checks,
            since_ms: 0,
            aged_ms: 0,
            check,
        }
    }

    /// Whether it is in service and answers; a draining server is.
    pub fn up(&self) -> bool {
        self.health != Health::Down && !self.admin.is_out()
    }

    /// How long health and admin have been as they are.
    pub fn age_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.since_ms) + self.aged_ms
    }

    /// Whether it answers and is not to be given up.
    pub fn running(&self) -> bool {
        self.health == Health::Up && !self.admin.is_out()
    }

    /// Whether checks are made now.
    pub fn is_checked(&self) -> bool {
        self.checks == Checks::On && !self.admin.is_out()
    }
}
