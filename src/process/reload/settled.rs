//! What a running process cannot change any more: said by name, and kept as it is.

use super::super::limits::Budget;
use crate::config::model::{Global, StatsSocket};

/// Takes over from `running` what needs a restart. Answers what the file says otherwise, one sentence each.
pub fn keep_settled(running: &Global, read: &mut Global, budget: Budget) -> Vec<String> {
    let mut differing = Vec::new();
    macro_rules! keep {
        ($($name:literal: $($field:ident).+),+ $(,)?) => {
            $(if read.$($field).+ != running.$($field).+ {
                differing.push($name);
                read.$($field).+ = running.$($field).+.clone();
            })+
        };
    }
    keep! {
        "nbthread": nbthread,
        "cpu-map": cpu_map,
        "daemon": daemon,
        "pidfile": pidfile,
        "chroot": chroot,
        "user": uid,
        "group": gid,
        "ulimit-n": ulimit_n,
        "fd-hard-limit": fd_hard_limit,
        "strict-limits": strict_limits,
        "stats maxconn": stats_maxconn,
        "tune.bufsize": tune.bufsize,
        "tune.pipesize": tune.pipesize,
        "maxpipes": tune.maxpipes,
        "nosplice": tune.splice,
        "busy-polling": tune.busy_polling,
        "tune.busy-spin": tune.busy_spin,
        "tune.incoming-cpu": tune.incoming_cpu,
        "tune.rcvbuf.client": tune.rcvbuf_client,
        "tune.sndbuf.client": tune.sndbuf_client,
        "tune.huge-pages": tune.huge_pages,
        "tune.send-zc": tune.send_zc,
        "tune.napi-busy-poll": tune.napi_busy_poll_us,
        "noreuseport": tune.reuseport,
    }
    let lines = |global: &Global| global.stats_sockets.iter().map(without_place).collect::<Vec<_>>();
    if lines(read) != lines(running) {
        differing.push("stats socket");
    }
    read.stats_sockets = running.stats_sockets.clone();
    let mut notes: Vec<String> = differing.into_iter().map(needs_restart).collect();
    notes.extend(settle_maxconn(running, read, budget));
    notes
}

/// Where a line stands in the file is no difference.
fn without_place(socket: &StatsSocket) -> StatsSocket {
    StatsSocket { declared_at: String::new(), ..socket.clone() }
}

fn needs_restart(name: &str) -> String {
    format!("'{name}' cannot be changed in a running process: it stays as it is until a restart.")
}

/// maxconn may move below what descriptors allow; without one in the file it stays.
fn settle_maxconn(running: &Global, read: &mut Global, budget: Budget) -> Option<String> {
    const PER_SESSION: u64 = 2;
    let spare = budget.nofile.saturating_sub(budget.descriptors) / PER_SESSION;
    let most = u64::from(budget.maxconn) + spare;
    match read.maxconn {
        Some(maxconn) if u64::from(maxconn) > most => {
            read.maxconn = running.maxconn;
            Some(format!(
                "'maxconn {maxconn}' needs more descriptors than this process may open, which suffice for {most}: it stays {} until a restart.",
                running.maxconn.unwrap_or(budget.maxconn)
            ))
        }
        Some(_) => None,
        None => {
            read.maxconn = running.maxconn;
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Budget = Budget { nofile: 1_000, maxconn: 300, pipes: 10, descriptors: 800 };

    #[test]
    fn what_needs_a_restart_is_named_and_kept() {
        let running = Global { maxconn: Some(300), nbthread: Some(2), ..Global::default() };
        let mut read = Global { nbthread: Some(4), log_tag: "x".to_owned(), ..Global::default() };
        (read.tune.bufsize, read.tune.rcvbuf_client) = (1, Some(70_000));
        let notes = keep_settled(&running, &mut read, BUDGET);
        assert_eq!(
            (read.nbthread, read.tune.bufsize, read.log_tag.as_str()),
            (Some(2), running.tune.bufsize, "x")
        );
        assert_eq!((notes.len(), read.tune.rcvbuf_client), (3, None));
        assert!(notes[2].contains("'tune.rcvbuf.client'"), "{notes:?}");
        assert!(notes[0].contains("'nbthread'") && notes[1].contains("'tune.bufsize'"), "{notes:?}");
        assert_eq!(read.maxconn, Some(300));
    }

    #[test]
    fn maxconn_moves_as_far_as_descriptors_reach() {
        let running = Global { maxconn: Some(300), ..Global::default() };
        let read = |maxconn| {
            let mut read = Global { maxconn: Some(maxconn), ..Global::default() };
            let notes = keep_settled(&running, &mut read, BUDGET);
            (read.maxconn, notes.len())
        };
        assert_eq!([read(5), read(400), read(401)], [(Some(5), 0), (Some(400), 0), (Some(300), 1)]);
    }
}
