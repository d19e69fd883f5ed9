//! Up or down after rise and fall. Pure.
//!
//! A counter from 0 to rise + fall - 1: down below `rise`, up from `rise` on. It starts at `rise`: one
//! failed check takes a new server down, one passed check confirms it.

use crate::table::Health;

/// Where a server stands between down and up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// `check_health` of the statistics.
    pub health: u16,
    rise: u16,
    fall: u16,
}

/// A server changed sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The last of `rise` passed checks.
    Up,
    /// The last of `fall` failed ones.
    Down,
}

impl Standing {
    /// At the start. `rise` and `fall` of 0 count as 1.
    pub fn new(rise: u16, fall: u16) -> Standing {
        let (rise, fall) = (rise.max(1), fall.max(1));
        Standing { health: rise, rise, fall }
    }

    /// Whether the server counts as up.
    pub fn is_up(self) -> bool {
        self.health >= self.rise
    }

    /// Up with no failed check since the last passed one.
    pub fn is_steady(self) -> bool {
        self.health == self.best()
    }

    /// Down with no passed check since the last failed one.
    pub fn is_at_bottom(self) -> bool {
        self.health == 0
    }

    /// `n/m` as HAProxy shows it: failures left to afford while up, successes so far while down.
    pub fn fraction(self) -> (u16, u16) {
        if self.is_up() { (self.health - self.rise + 1, self.fall) } else { (self.health, self.rise) }
    }

    /// A check passed. Whether the counter moved: what `option log-health-checks` reports.
    pub fn pass(&mut self) -> bool {
        let moved = !self.is_steady();
        if moved {
            self.health += 1;
        }
        if self.is_up() {
            self.health = self.best();
        }
        moved
    }

    /// A check failed. Whether the counter moved.
    pub fn fail(&mut self) -> bool {
        let moved = !self.is_at_bottom();
        self.health = self.health.saturating_sub(1);
        if !self.is_up() {
            self.health = 0;
        }
        moved
    }

    /// The side to which a check that has just passed or failed takes a server of this health. It goes by where the
    /// server is, not by where the counter was: an operator's word may have put the two apart.
    pub fn turn(self, passed: bool, health: Health) -> Option<Turn> {
        match (passed, self.is_up()) {
            (true, true) => (health != Health::Up).then_some(Turn::Up),
            (false, false) => (health != Health::Down).then_some(Turn::Down),
            _ => None,
        }
    }

    /// The operator says where it stands; no more than steady.
    pub fn force(&mut self, health: u16) {
        self.health = health.min(self.best());
    }

    fn best(self) -> u16 {
        self.rise.saturating_add(self.fall - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn after(standing: &mut Standing, checks: &str) -> Vec<(u16, u16)> {
        let one = |check| {
            if check == '+' {
                standing.pass()
            } else {
                standing.fail()
            };
            standing.fraction()
        };
        checks.chars().map(one).collect()
    }

    #[test]
    fn fall_failures_take_it_down_and_rise_successes_up() {
        // The fractions that haproxy 2.6 logs for rise 2 and fall 3.
        let mut standing = Standing::new(2, 3);
        assert_eq!(after(&mut standing, "+"), [(3, 3)]);
        assert_eq!(after(&mut standing, "---"), [(2, 3), (1, 3), (0, 2)]);
        assert!(!standing.is_up());
        assert_eq!(after(&mut standing, "++"), [(1, 2), (3, 3)]);
        assert!(standing.is_up());
    }

    #[test]
    fn a_new_server_falls_at_its_first_failure() {
        let mut standing = Standing::new(2, 3);
        assert!(standing.fail());
        assert_eq!(standing.turn(false, Health::Up), Some(Turn::Down));
        assert!(!standing.fail());
        assert_eq!(standing.turn(false, Health::Down), None);
    }

    #[test]
    fn a_server_said_to_be_up_falls_though_its_counter_was_at_the_bottom() {
        let mut standing = Standing::new(2, 3);
        standing.force(0);
        assert!(!standing.fail());
        assert_eq!(standing.turn(false, Health::Up), Some(Turn::Down));
        assert!(standing.pass());
        assert_eq!(standing.turn(true, Health::Up), None);
    }

    #[test]
    fn a_stopping_server_is_up_again_with_a_passed_check() {
        let mut standing = Standing::new(2, 3);
        standing.force(u16::MAX);
        assert!(!standing.pass());
        assert_eq!(standing.turn(true, Health::Stopping), Some(Turn::Up));
        assert_eq!(standing.turn(false, Health::Stopping), None, "failures to afford");
    }

    #[test]
    fn one_failure_on_the_way_up_starts_over() {
        let mut standing = Standing::new(3, 1);
        assert_eq!(after(&mut standing, "-++-"), [(0, 3), (1, 3), (2, 3), (0, 3)]);
        assert_eq!(after(&mut standing, "+++"), [(1, 3), (2, 3), (1, 1)]);
    }

    #[test]
    fn one_success_forgives_earlier_failures() {
        let mut standing = Standing::new(2, 3);
        assert_eq!(after(&mut standing, "+--+--"), [(3, 3), (2, 3), (1, 3), (3, 3), (2, 3), (1, 3)]);
    }

    proptest! {
        #[test]
        fn it_turns_only_as_often_as_rise_and_fall_allow(
            rise in 0u16..6, fall in 0u16..6, checks in prop::collection::vec(any::<bool>(), 0..200),
        ) {
            let mut standing = Standing::new(rise, fall);
            let (mut up, mut since_pass, mut since_fail, mut first) = (true, 0u16, 0u16, true);
            for passed in checks {
                if passed { standing.pass() } else { standing.fail() };
                (since_pass, since_fail) = if passed { (0, since_fail + 1) } else { (since_pass + 1, 0) };
                match standing.turn(passed, if up { Health::Up } else { Health::Down }) {
                    Some(Turn::Up) => prop_assert!(!up && since_fail >= rise.max(1)),
                    Some(Turn::Down) => prop_assert!(up && (first || since_pass >= 1)),
                    None => {}
                }
                up = standing.is_up();
                first = false;
                prop_assert!(standing.health < rise.max(1) + fall.max(1));
            }
        }
    }
}
