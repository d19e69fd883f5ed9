//! A server in and out of service by the operator's word, published and told as HAProxy does.
//!
//! ```text
//! Up <- health -> Stopping     either -- health down, a failed check --> Down
//! any -- maint --> Down and in maintenance -- ready, drain --> Up: as new
//! ```
//! Drain stands beside these: the server keeps its health and gets no new session.

use std::sync::Arc;

use super::Engine;
use super::obey::Place;
use crate::health::lines;
use crate::health::order::{Asker, Forced, Service};
use crate::health::tally::Tally;
use crate::health::verdict::Turn;
use crate::log::Level;
use crate::table::{Admin, Checks, Health, ServerState, Snapshot};

/// One step of a server's state, after it was published.
struct Step {
    before: Arc<Snapshot>,
    old: ServerState,
}

impl Step {
    /// How serious it is that the server gets no more sessions: it may have had none anyway.
    fn loss(&self) -> Level {
        match self.old.admin.drain || self.old.health == Health::Stopping {
            true => Level::Notice,
            false => Level::Alert,
        }
    }
}

impl Engine {
    /// `state`: maintenance is entered before the drain ends, and left after it began.
    pub(super) fn serve(&mut self, at: Place, service: Service) {
        match service {
            Service::Ready => {
                self.drain(at, false);
                self.leave_maintenance(at);
            }
            Service::Drain => {
                self.drain(at, true);
                self.leave_maintenance(at);
            }
            Service::Maint => {
                self.enter_maintenance(at);
                self.drain(at, false);
            }
        }
    }

    pub(super) fn enter_maintenance(&mut self, at: Place) {
        let admin = self.entry_of(at).state.admin;
        if admin.maint {
            return;
        }
        let step = self.step(at, Admin { maint: true, ..admin }, Health::Down, Some(0));
        if admin.unresolved {
            return;
        }
        if step.old.health == Health::Down {
            let text = lines::enters_maintenance(self.who(at), None);
            return self.tell(at, Level::Notice, text);
        }
        let text = lines::enters_maintenance(self.who(at), Some(self.left(at, &step, Turn::Down)));
        self.tell(at, step.loss(), text);
        self.mourn_if_dead(at, &step.before);
    }

    /// Back as new: as if it had just passed `rise` checks.
    pub(super) fn leave_maintenance(&mut self, at: Place) {
        let ServerState { admin, checks, check, .. } = self.entry_of(at).state.clone();
        if !admin.maint {
            return;
        }
        if admin.unresolved {
            self.step(at, Admin { maint: false, ..admin }, Health::Down, None);
            let text = lines::stays_in_maintenance(self.who(at));
            return self.tell(at, Level::Notice, text);
        }
        let passed = (checks == Checks::On).then_some(check.rise);
        self.step(at, Admin { maint: false, ..admin }, Health::Up, passed);
        self.tell(at, Level::Notice, lines::leaves_maintenance(self.who(at), admin.drain));
        if admin.drain {
            self.tell(at, Level::Notice, lines::goes_on_draining(self.who(at)));
        }
    }

    pub(super) fn drain(&mut self, at: Place, drain: bool) {
        let ServerState { admin, health, .. } = self.entry_of(at).state.clone();
        if admin.drain == drain {
            return;
        }
        let step = self.step(at, Admin { drain, ..admin }, health, None);
        let down = health == Health::Down;
        if admin.is_out() {
            return;
        }
        if !drain {
            return self.tell(at, Level::Notice, lines::leaves_drain(self.who(at), down));
        }
        let left = self.left(at, &step, Turn::Down);
        self.tell(at, Level::Notice, lines::drains(self.who(at), down, left));
        self.mourn_if_dead(at, &step.before);
    }

    /// An address for a server that had none: as new, unless it is in maintenance.
    pub(super) fn find(&mut self, at: Place, host: &str) {
        let ServerState { admin, checks, check, .. } = self.entry_of(at).state.clone();
        let passed = (checks == Checks::On && !admin.maint).then_some(check.rise);
        let health = if admin.maint { Health::Down } else { Health::Up };
        self.step(at, Admin { unresolved: false, ..admin }, health, passed);
        self.tell(at, Level::Notice, lines::resolves(self.who(at), host, admin.maint));
    }

    /// `health`. A server in maintenance stays down.
    pub(super) fn force(&mut self, at: Place, forced: Forced, asker: Asker) {
        let ServerState { admin, health, .. } = self.entry_of(at).state.clone();
        let (wanted, passed, turn) = match forced {
            Forced::Up => (Health::Up, u16::MAX, Turn::Up),
            Forced::Stopping => (Health::Stopping, u16::MAX, Turn::Down),
            Forced::Down => (Health::Down, 0, Turn::Down),
        };
        let to = if admin.is_out() { health } else { wanted };
        let step = self.step(at, admin, to, Some(passed));
        if to == health {
            return;
        }
        let (who, left) = (self.who(at), self.left(at, &step, turn));
        let why = match asker {
            Asker::Cli => lines::BY_CLI,
            Asker::Page => lines::BY_PAGE,
        };
        let (text, level) = match to {
            Health::Stopping => (lines::stopping(who, why, left), Level::Notice),
            Health::Up => (lines::state_change(who, turn, why, left), Level::Notice),
            Health::Down => (lines::state_change(who, turn, why, left), step.loss()),
        };
        self.tell(at, level, text);
        self.mourn_if_dead(at, &step.before);
    }

    /// Publishes a state. `passed` is where the checks stand from now on; None: as they stood.
    fn step(&mut self, at: Place, admin: Admin, health: Health, passed: Option<u16>) -> Step {
        let step = Step { before: self.publisher.shared().load_full(), old: self.entry_of(at).state.clone() };
        let target = self.target_of(at);
        let mut report = target.map_or_else(|| step.old.check.clone(), |target| self.reports[target].clone());
        if let Some(passed) = passed {
            report.health = passed.min(report.rise.saturating_add(report.fall.saturating_sub(1)));
        }
        if step.old.health == Health::Down && health != Health::Down {
            report.downtime_ms += self.now_ms().saturating_sub(step.old.since_ms);
        }
        report.downs += u64::from(step.old.health != Health::Down && health == Health::Down);
        if let Some(target) = target {
            self.targets[target].standing.force(report.health);
            self.reports[target] = report.clone();
        }
        self.alter(at, |entry| {
            (entry.state.admin, entry.state.health, entry.state.check) = (admin, health, report);
        });
        step
    }

    fn who(&self, (proxy, server): Place) -> lines::Subject<'_> {
        self.announcer.subject(proxy, server, self.publisher.snapshot())
    }

    fn left(&self, at: Place, step: &Step, turn: Turn) -> lines::Left {
        Tally::default().left(&step.before, self.publisher.snapshot(), at, turn, &self.load)
    }

    fn tell(&self, (proxy, _): Place, level: Level, text: String) {
        self.announcer.warn(proxy, level, text);
    }

    /// Says so when the backend's last server is gone.
    pub(super) fn mourn_if_dead(&self, (proxy, _): Place, before: &Snapshot) {
        let after = self.publisher.snapshot();
        if !before.backend(proxy).dead() && after.backend(proxy).dead() {
            self.announcer.mourn(proxy);
        }
    }
}
