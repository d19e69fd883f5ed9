//! What is known of one server at run time, as the health thread and the runtime API report it.

use std::borrow::Cow;

use crate::config::model::Server;

/// What the checks say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// No check: counts as up.
    Unchecked,
    /// Passing, or not yet failed often enough.
    Up,
    /// Failed `fall` times.
    Down,
}

/// What the operator says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Admin {
    /// Out of service: no session, no check.
    pub maint: bool,
    /// No new session; those that run continue.
    pub drain: bool,
}

/// The state of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerState {
    /// By the checks.
    pub health: Health,
    /// By the operator.
    pub admin: Admin,
    /// When health or admin last changed, process clock; kept by [`super::TablePublisher::update`].
    pub since_ms: u64,
    /// For the statistics.
    pub check: CheckReport,
}

/// The last check and the counts over all of them (columns 37-39 and 66-68 of `show stat`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// `check_status` (`INI`, `L4OK`, `L4TOUT`, `L4CON`, …); empty: not checked.
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
    /// At the start: in service unless `disabled`; one failed check takes a checked server down.
    pub fn initial(server: &Server) -> ServerState {
        let check = match server.check {
            None => CheckReport::default(),
            Some(check) => CheckReport {
                status: "INI",
                health: check.rise,
                rise: check.rise,
                fall: check.fall,
                ..CheckReport::default()
            },
        };
        ServerState {
            health: if server.check.is_some() { Health::Up } else { Health::Unchecked },
            admin: Admin { maint: server.disabled, drain: false },
            since_ms: 0,
            check,
        }
    }

    /// Whether it is in service and answers; a draining server is.
    pub fn up(&self) -> bool {
        self.health != Health::Down && !self.admin.maint
    }
}
