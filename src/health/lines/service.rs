//! Lines about servers that the operator takes out of service and puts back.

use super::{Left, Subject};

/// `state maint`; None for `left`: it was down already.
pub fn enters_maintenance(subject: Subject<'_>, left: Option<Left>) -> String {
    let server = subject.server();
    match left {
        None => format!("{server} was DOWN and now enters maintenance."),
        Some(left) => format!("{server} is going DOWN for maintenance. {}", left.of_down()),
    }
}

/// Back from `state maint`, to serve or to drain.
pub fn leaves_maintenance(subject: Subject<'_>, draining: bool) -> String {
    let to = if draining { "DRAIN" } else { "READY" };
    format!("{} is UP/{to} (leaving forced maintenance).", subject.server())
}

/// Back from `state maint`, and its name has no address.
pub fn stays_in_maintenance(subject: Subject<'_>) -> String {
    format!("{} is leaving forced maintenance but remains in maintenance.", subject.server())
}

/// It had no address, and has been given one.
pub fn resolves(subject: Subject<'_>, host: &str, in_maintenance: bool) -> String {
    let server = subject.server();
    match in_maintenance {
        true => format!("{server} ('{host}') resolves again but remains in maintenance."),
        false => format!("{server} ('{host}') is UP/READY (resolves again)."),
    }
}

/// `state drain`.
pub fn drains(subject: Subject<'_>, down: bool, left: Left) -> String {
    let left = if down { left.of_down() } else { left.of_up() };
    format!("{} enters drain state. {left}", subject.server())
}

/// Back from `state maint`, when it drained before or shall drain now.
pub fn goes_on_draining(subject: Subject<'_>) -> String {
    format!("{} remains in forced drain mode.", subject.server())
}

/// Back from `state drain`.
pub fn leaves_drain(subject: Subject<'_>, down: bool) -> String {
    let state = if down { "DOWN" } else { "UP" };
    format!("{} is {state} (leaving forced drain).", subject.server())
}

/// `health stopping`.
pub fn stopping(subject: Subject<'_>, reason: &str, left: Left) -> String {
    format!("{} is stopping{reason}. {}", subject.server(), left.of_up())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Lines of haproxy 2.6.

    const S1: Subject<'_> = Subject { proxy: "b", server: "s1", backup: false, drained: false };
    const S4: Subject<'_> = Subject { proxy: "b", server: "s4", backup: true, drained: false };
    const LEFT: Left = Left { active: 0, backup: 1, last: false, sessions: 2, requeued: 3, queued: 4 };

    #[test]
    fn maintenance_reads_as_in_haproxy() {
        assert_eq!(
            enters_maintenance(S1, Some(LEFT)),
            "Server b/s1 is going DOWN for maintenance. 0 active and 1 backup servers left. Running on backup. 2 \
             sessions active, 3 requeued, 4 remaining in queue."
        );
        assert_eq!(enters_maintenance(S1, None), "Server b/s1 was DOWN and now enters maintenance.");
        let back = "Backup Server b/s4 is UP/READY (leaving forced maintenance).";
        assert_eq!(leaves_maintenance(S4, false), back);
        assert_eq!(leaves_maintenance(S1, true), "Server b/s1 is UP/DRAIN (leaving forced maintenance).");
    }

    #[test]
    fn drain_reads_as_in_haproxy() {
        assert_eq!(
            drains(S4, false, Left { backup: 0, ..LEFT }),
            "Backup Server b/s4 enters drain state. 0 active and 0 backup servers online. 3 sessions requeued, 4 \
             total in queue."
        );
        let down = drains(S1, true, LEFT);
        assert!(down.ends_with("2 sessions active, 3 requeued, 4 remaining in queue."), "{down}");
        assert_eq!(leaves_drain(S1, false), "Server b/s1 is UP (leaving forced drain).");
        assert_eq!(leaves_drain(S1, true), "Server b/s1 is DOWN (leaving forced drain).");
    }

    #[test]
    fn stopping_reads_as_in_haproxy() {
        assert_eq!(
            stopping(S1, crate::health::lines::BY_CLI, Left { active: 1, ..LEFT }),
            "Server b/s1 is stopping, changed from CLI. 1 active and 1 backup servers online. 3 sessions \
             requeued, 4 total in queue."
        );
    }
}
