//! Another configuration while checks run: those whose settings stay go on, the others begin anew.

use std::collections::HashMap;
use std::sync::Arc;

use super::Engine;
use crate::config::model::{Config, ProxyId};
use crate::health::order::Reply;
use crate::health::target::{Target, targets};
use crate::log::Additions;
use crate::session::op::ServerId;
use crate::table::{Checks, Health};

/// The place of a target that is no server's any more.
const NOWHERE: u16 = u16::MAX;

impl Engine {
    /// Publishes the configuration and checks by it from now on.
    pub(super) fn replace(&mut self, base: &Arc<Config>, next: Arc<Config>, logs: Additions) -> Reply {
        if !Arc::ptr_eq(base, &self.announcer.config) {
            return Err("The configuration has changed meanwhile, please try again.".to_owned());
        }
        // First, so that no session is logged by a configuration that nobody there knows.
        self.announcer.log.replace(Arc::clone(&next), logs);
        let known = self.known_targets();
        let now_ms = self.now_ms();
        self.publisher.replace(Arc::clone(&next), &self.load, now_ms);
        self.announcer.config = next;
        self.retarget_all(base, known);
        self.slowstart_at_ms = self.publisher.tick(now_ms);
        Ok(String::new())
    }

    /// Targets by the server that each checks.
    fn known_targets(&self) -> HashMap<ServerId, u32> {
        let live = (0..).zip(&self.targets).filter(|(_, target)| target.server != NOWHERE);
        live.map(|(at, target)| (self.entry(target).id, at)).collect()
    }

    fn retarget_all(&mut self, former: &Config, mut known: HashMap<ServerId, u32>) {
        let written: HashMap<(ProxyId, u16), Target> =
            targets(former).0.into_iter().map(|target| ((target.proxy, target.server), target)).collect();
        let mut new = Vec::new();
        for mut target in targets(&self.announcer.config).0 {
            let entry = self.entry(&target).clone();
            let (id, health) = (entry.id, entry.state.health);
            let before = known.remove(&id).map(|at| {
                let running = &self.targets[at as usize];
                (at, written.get(&(running.proxy, running.server)))
            });
            match before {
                Some((at, Some(before))) if same_check(before, &target) => {
                    let running = &mut self.targets[at as usize];
                    (running.proxy, running.server) = (target.proxy, target.server);
                    // Back in service, or at another address, by this configuration: as new.
                    if running.standing.is_up() != (health != Health::Down) {
                        running.standing.force(entry.state.check.health);
                        self.reports[at as usize].health = entry.state.check.health;
                    }
                }
                before => {
                    let was_aimless =
                        before.is_some_and(|(_, before)| before.is_some_and(|t| t.address.is_none()));
                    if let Some((at, _)) = before {
                        self.retire(at);
                    }
                    target.aim(&self.announcer.config.proxies[usize::from(target.proxy.0)], &entry);
                    if health == Health::Down {
                        target.standing.health = 0;
                    }
                    self.settle_aim(&target, was_aimless);
                    new.push(self.add(target));
                }
            }
        }
        known.into_values().for_each(|at| self.retire(at));
        self.schedule_first_checks(&new);
    }

    /// A server whose port only a client knows cannot be checked, until it gets one.
    fn settle_aim(&mut self, target: &Target, was_aimless: bool) {
        let (proxy, server) = (target.proxy, target.server);
        let checks = match (&target.address, self.entry(target).state.checks) {
            (None, Checks::On) => {
                self.announcer.tell_unchecked(proxy, server);
                Checks::Off
            }
            (Some(_), Checks::Off) if was_aimless => Checks::On,
            _ => return,
        };
        let now_ms = self.now_ms();
        self.publisher.update(proxy, server, |state| state.checks = checks, now_ms);
    }

    fn add(&mut self, target: Target) -> u32 {
        let mut report = self.entry(&target).state.check.clone();
        report.running = false;
        let at = self.free.pop().unwrap_or(self.targets.len() as u32);
        match self.targets.get_mut(at as usize) {
            Some(place) => {
                *place = target;
                self.reports[at as usize] = report;
            }
            None => {
                self.targets.push(target);
                self.reports.push(report);
            }
        }
        self.unreported.insert(at);
        at
    }

    /// Its number is free when it comes out of the schedule, or when its last check has ended.
    fn retire(&mut self, at: u32) {
        self.targets[at as usize].server = NOWHERE;
        self.unreported.remove(&at);
        self.retired.insert(at);
    }

    /// Whether the target was retired: its last check is over.
    pub(super) fn let_go(&mut self, at: u32) -> bool {
        let retired = self.retired.remove(&at);
        if retired {
            self.free.push(at);
        }
        retired
    }
}

/// Whether both files ask for the same check.
fn same_check(a: &Target, b: &Target) -> bool {
    (a.check, &a.address, a.timeout_ms) == (b.check, &b.address, b.timeout_ms)
}
