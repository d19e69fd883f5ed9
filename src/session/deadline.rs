//! Which timeout a session is subject to, and when it strikes. Pure: ticks are arguments.
//!
//! Ticks are milliseconds of the worker's clock, wrapping after 49 days; no timeout exceeds 24.8 days,
//! so wrapped differences are exact. Traffic only writes a tick; a timer that fires early is filed again.

use super::op::{Direction, Side};
use super::policy::Policy;
use super::{Phase, Session};

/// The longest pause before the same server is tried again, milliseconds (HAProxy's turn-around).
const TURN_AROUND_MS: u32 = 1000;

/// When things last happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ticks {
    /// A byte was last read or written. A byte taken from one side is owed to the other at once, so one
    /// tick serves both: what differs between the sides is which timeout applies to whom.
    pub activity: u32,
    /// The present phase began, or the half of it that is left once one direction has ended.
    pub phase: u32,
}

impl Ticks {
    /// Wrapped ticks compare over half their range, 24 days: what lies farther back, which no timeout does that is still
    /// to strike, counts as that old.
    pub fn keep_comparable(&mut self, now: u32) {
        for tick in [&mut self.activity, &mut self.phase] {
            if (now.wrapping_sub(*tick) as i32) < 0 {
                *tick = now.wrapping_sub(i32::MAX as u32);
            }
        }
    }
}

/// What a deadline is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// `timeout connect`.
    Connect,
    /// `timeout queue`.
    Queue,
    /// The pause before the same server is tried again.
    TurnAround,
    /// `timeout client`, `client-fin`, or `tunnel` on the client's side; `timeout server` and so on.
    Side(Side),
}

/// A moment and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// Worker tick, milliseconds.
    pub at: u32,
    /// Whose.
    pub expiry: Expiry,
}

impl Session {
    /// The nearest deadline; None: nothing can expire. When both sides' are equal it is the client's.
    pub fn deadline(&self, policy: &Policy, ticks: &Ticks) -> Option<Deadline> {
        let timeouts = &policy.timeouts;
        let phase = |limit: Option<u32>, expiry| {
            limit.map(|ms| Deadline { at: ticks.phase.wrapping_add(ms), expiry })
        };
        let client = || self.side_deadline(Side::Client, policy, ticks);
        match self.phase {
            // A silent client does not end a connect, but it is the cause if the connect fails.
            Phase::Connecting => earlier(phase(timeouts.connect_ms, Expiry::Connect), client()),
            Phase::Queued => earlier(client(), phase(timeouts.queue_ms, Expiry::Queue)),
            Phase::TurnAround => {
                let pause = timeouts.connect_ms.unwrap_or(TURN_AROUND_MS).min(TURN_AROUND_MS);
                earlier(client(), phase(Some(pause), Expiry::TurnAround))
            }
            Phase::Holding => client(),
            Phase::Established => earlier(client(), self.side_deadline(Side::Server, policy, ticks)),
            Phase::Choosing | Phase::Abandoning | Phase::Ending => None,
            Phase::Parking | Phase::Halting | Phase::Parked => None,
        }
    }

    /// When a timer should look at this session again: never later than the deadline, however the roles of
    /// the sides change meanwhile, and as far away as that allows.
    pub fn next_look(&self, policy: &Policy, ticks: &Ticks) -> Option<u32> {
        if self.phase != Phase::Established {
            return self.deadline(policy, ticks).map(|deadline| deadline.at);
        }
        policy.shortest_idle_ms().map(|ms| ticks.activity.wrapping_add(ms))
    }

    /// What has struck by `now`.
    pub fn expired(&self, policy: &Policy, ticks: &Ticks, now: u32) -> Option<Expiry> {
        let deadline = self.deadline(policy, ticks)?;
        (now.wrapping_sub(deadline.at) as i32 >= 0).then_some(deadline.expiry)
    }

    /// A side's timeout runs while it may speak or owes progress. After the other side's end it is the side
    /// that is awaited alone, under its own -fin; `timeout tunnel` replaces the plain ones once connected.
    fn side_deadline(&self, side: Side, policy: &Policy, ticks: &Ticks) -> Option<Deadline> {
        let from = Direction::out_of(side);
        let to = from.other();
        let holding = self.phase == Phase::Holding;
        if !holding && !self.relay(to).pushing() && !self.relay(from).listening() {
            return None;
        }
        let timeouts = &policy.timeouts;
        let (plain, fin) = match side {
            Side::Client => (timeouts.client_ms, timeouts.client_fin_ms),
            Side::Server => (timeouts.server_ms, timeouts.server_fin_ms),
        };
        let connected = self.phase == Phase::Established;
        // The end of a direction is no activity, but a -fin begins with it.
        let (limit, since) = match (fin, timeouts.tunnel_ms) {
            (Some(fin), _) if connected && self.relay(to).source_ended() => {
                (Some(fin), later(ticks.activity, ticks.phase))
            }
            (_, Some(tunnel)) if connected => (Some(tunnel), ticks.activity),
            _ => (plain, ticks.activity),
        };
        limit.map(|ms| Deadline { at: since.wrapping_add(ms), expiry: Expiry::Side(side) })
    }
}

fn later(a: u32, b: u32) -> u32 {
    if (b.wrapping_sub(a) as i32) > 0 { b } else { a }
}

/// The earlier of two deadlines; the first one when they are equal.
fn earlier(first: Option<Deadline>, second: Option<Deadline>) -> Option<Deadline> {
    match (first, second) {
        (Some(a), Some(b)) if (b.at.wrapping_sub(a.at) as i32) < 0 => Some(b),
        (None, second) => second,
        (first, _) => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_weeks_ago_is_still_before_what_happens_now() {
        const DAY: u32 = 86_400_000;
        for days in [0, 1, 24, 25, 30, 49] {
            let now = DAY.wrapping_mul(100).wrapping_add(7);
            let mut ticks = Ticks { activity: now.wrapping_sub(days * DAY), phase: now };
            ticks.keep_comparable(now);
            assert_eq!(later(ticks.activity, ticks.phase), now, "{days} days");
            let since = now.wrapping_sub(ticks.activity);
            assert_eq!(since, (days * DAY).min(i32::MAX as u32), "{days} days");
        }
    }
}
