//! Where Pronk means to differ from haproxy 2.6: because HAProxy 3.5 does.
//! Nothing else may differ.

use crate::world::Seen;

/// One intended difference.
struct Difference {
    /// The scenario and the field observed in it.
    scenario: &'static str,
    field: &'static str,
    /// What haproxy 2.6 shows. A row whose value 2.6 does not show is out of date: the test fails.
    haproxy: &'static str,
    /// What Pronk and HAProxy 3.5 show.
    pronk: &'static str,
    /// Configuration manual, section.
    section: &'static str,
    reason: &'static str,
}

const CONNECTING: &str = "3.5 goes on connecting for a client that has left: only abortonclose stops it";
const KILLED: &str = "3.5 names the stage of a session that was ended from outside, which 2.6 leaves open";
const UNAUTHORIZED: &str = "2.6 logs the status 400 for the 401 that it answers; 2.5 logs what was answered";

const DIFFERENCES: &[Difference] = &[
    Difference {
        scenario: "client_fin_while_connecting_later",
        field: "log",
        haproxy: "f b/s1 0/-1/0 0 CC 1/1/0/0/0 0/0",
        pronk: "f b/s1 0/-1/500 0 sC 1/1/0/0/0 0/0",
        section: "4.2, option abortonclose",
        reason: CONNECTING,
    },
    Difference {
        scenario: "client_resets_while_connecting",
        field: "log",
        haproxy: "f b/s1 0/-1/0 0 CD 1/1/0/0/0 0/0",
        pronk: "f b/s1 0/-1/500 0 sC 1/1/0/0/0 0/0",
        section: "4.2, option abortonclose",
        reason: CONNECTING,
    },
    Difference {
        scenario: "client_resets_with_data_while_connecting",
        field: "log",
        haproxy: "f b/s1 0/-1/0 0 CD 1/1/0/0/0 0/0",
        pronk: "f b/s1 0/-1/500 0 sC 1/1/0/0/0 0/0",
        section: "4.2, option abortonclose",
        reason: CONNECTING,
    },
    Difference {
        scenario: "a_killed_session",
        field: "log",
        haproxy: "f b/s1 0/0/0 1 K- 1/1/0/0/0 0/0",
        pronk: "f b/s1 0/0/0 1 KC 1/1/0/0/0 0/0",
        section: "8.5, termination state",
        reason: KILLED,
    },
    Difference {
        scenario: "all_sessions_of_a_server_are_killed",
        field: "log",
        haproxy: "f b/s1 0/0/0 1 K- 1/1/0/0/0 0/0",
        pronk: "f b/s1 0/0/0 1 KC 1/1/0/0/0 0/0",
        section: "8.5, termination state",
        reason: KILLED,
    },
    Difference {
        scenario: "maintenance_ends_sessions",
        field: "log",
        haproxy: "f b/s1 0/0/0 1 D- 1/1/0/0/0 0/0",
        pronk: "f b/s1 0/0/0 1 DC 1/1/0/0/0 0/0",
        section: "8.5, termination state",
        reason: KILLED,
    },
    Difference {
        scenario: "a_server_that_comes_back_ends_the_sessions_of_a_backup",
        field: "log",
        haproxy: "f b/s2 0/0/0 1 U- 1/1/0/0/0 0/0",
        pronk: "f b/s2 0/0/0 1 UC 1/1/0/0/0 0/0",
        section: "8.5, termination state",
        reason: KILLED,
    },
    Difference {
        scenario: "refusals_of_acl_commands",
        field: "answer",
        haproxy: "del acl #99 1.1.1.1 => Unknown map identifier. Please use #<id> or <file>.",
        pronk: "del acl #99 1.1.1.1 => Unknown ACL identifier. Please use #<id> or <file>.",
        section: "management manual 9.3, del acl",
        reason: "2.6 calls the ACL a map, which was mended in 3.x",
    },
    Difference {
        scenario: "every_command_answers_as_haproxy",
        field: "answer",
        haproxy: "set server b/s2 name x => usage: set server <backend>/<server> addr | agent | agent-addr | agent-port | agent-send | check-addr | check-port | fqdn | health | ssl | state | weight",
        pronk: "set server b/s2 name x => Only servers in maintenance mode can be renamed.",
        section: "management manual 9.3, set server name",
        reason: "servers get other names since 3.5",
    },
    Difference {
        scenario: "page_lines_of_httplog",
        field: "log",
        haproxy: "<134> st st/<STATS> 0/0/0/-1/0 400 … - - LR-- 1/1/0/0/0 0/0 \"GET /stats HTTP/1.1\"",
        pronk: "<134> st st/<STATS> 0/0/0/-1/0 401 … - - LR-- 1/1/0/0/0 0/0 \"GET /stats HTTP/1.1\"",
        section: "4.2, stats auth",
        reason: UNAUTHORIZED,
    },
    Difference {
        scenario: "page_lines_of_httpslog",
        field: "log",
        haproxy: "<134> st st/<STATS> 0/0/0/-1/0 400 … - - LR-- 1/1/0/0/0 0/0 \"GET /stats HTTP/1.1\" 0/-/-/-/0 -/-/-",
        pronk: "<134> st st/<STATS> 0/0/0/-1/0 401 … - - LR-- 1/1/0/0/0 0/0 \"GET /stats HTTP/1.1\" 0/-/-/-/0 -/-/-",
        section: "4.2, stats auth",
        reason: UNAUTHORIZED,
    },
    Difference {
        scenario: "page_lines_of_errors_apart",
        field: "log",
        haproxy: "<134> st st/<STATS> 0/0/0/-1/+0 400 +… - - LR-- 1/1/0/0/0 0/0 \"GET /stats HTTP/1.1\"",
        pronk: "<134> st st/<STATS> 0/0/0/-1/+0 401 +… - - LR-- 1/1/0/0/0 0/0 \"GET /stats HTTP/1.1\"",
        section: "4.2, stats auth",
        reason: UNAUTHORIZED,
    },
];

/// Words that differ wherever they appear in a field.
struct Wording {
    field: &'static str,
    /// What haproxy 2.6 says.
    haproxy: &'static str,
    /// What Pronk and HAProxy 3.5 say.
    pronk: &'static str,
    /// Configuration manual, section.
    section: &'static str,
    reason: &'static str,
}

const WORDINGS: &[Wording] = &[Wording {
    field: "message",
    haproxy: r#"info: "Connection refused""#,
    pronk: r#"info: "ECONNREFUSED returned by OS (Connection refused)""#,
    section: "5.2, check",
    reason: "3.5 names the error of the operating system",
}];

/// What Pronk must show where haproxy 2.6 showed `seen`.
pub fn apply(scenario: &str, mut seen: Seen) -> Seen {
    for row in DIFFERENCES.iter().filter(|row| row.scenario == scenario) {
        let found = seen.iter_mut().find(|(field, value)| *field == row.field && value == row.haproxy);
        let Some((_, value)) = found else {
            panic!("{scenario}: haproxy 2.6 no longer shows {}: {}", row.field, row.haproxy);
        };
        println!("{scenario}: {} differs as intended (section {}): {}", row.field, row.section, row.reason);
        *value = row.pronk.to_owned();
    }
    for row in WORDINGS {
        for (_, value) in
            seen.iter_mut().filter(|(field, value)| *field == row.field && value.contains(row.haproxy))
        {
            println!("{scenario}: worded as intended (section {}): {}", row.section, row.reason);
            *value = value.replace(row.haproxy, row.pronk);
        }
    }
    seen
}

#[test]
fn every_difference_belongs_to_a_scenario() {
    let sources = [
        include_str!("answers.rs"),
        include_str!("dynamic.rs"),
        include_str!("ends.rs"),
        include_str!("lists.rs"),
        include_str!("live.rs"),
        include_str!("orders.rs"),
        include_str!("page.rs"),
        include_str!("queues.rs"),
        include_str!("retries.rs"),
        include_str!("rules.rs"),
        include_str!("runtime.rs"),
        include_str!("statistics.rs"),
        include_str!("timeouts.rs"),
        include_str!("tools.rs"),
    ]
    .concat();
    for row in DIFFERENCES {
        assert!(sources.contains(row.scenario), "no scenario is named {}", row.scenario);
        assert!(!row.section.is_empty() && !row.reason.is_empty(), "{}: section and reason", row.scenario);
    }
}
