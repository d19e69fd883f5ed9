//! How many descriptors the process needs, and how many sessions that allows (management manual, section 5).

use super::error::StartError;
use super::report;
use crate::config::model::{Config, Global, Mode};
use crate::sys::limits::{Limit, nofile, set_address_space, set_nofile};

/// Descriptors of one worker besides listeners and sessions: ring, mailbox, a spare for accept.
const PER_WORKER: u64 = 4;
/// Standard streams, the control and health rings and their timers, the log thread's bell, libraries.
const PER_PROCESS: u64 = 40;
/// Connections of the stats page that may be open at once.
pub const PAGE_CONNECTIONS: u64 = 64;
/// Descriptors of one session: its two sockets.
const PER_SESSION: u64 = 2;

/// What the machine allows this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// RLIMIT_NOFILE as set.
    pub nofile: u64,
    /// Sessions of the whole process at most.
    pub maxconn: u32,
}

/// Descriptors that are needed before the first session.
pub fn reserved(config: &Config, workers: usize) -> u64 {
    let workers = workers as u64;
    let checked =
        config.proxies.iter().flat_map(|proxy| &proxy.servers).filter(|server| server.check.is_some());
    let pages = config.proxies.iter().any(|proxy| proxy.mode == Mode::Http);
    PER_PROCESS
        + workers * (PER_WORKER + config.binds.len() as u64)
        + checked.count() as u64
        + config.log_targets.len() as u64
        + config.global.stats_sockets.len() as u64
        + u64::from(config.global.stats_maxconn)
        + if pages { PAGE_CONNECTIONS } else { 0 }
        + 2 * u64::from(config.global.tune.maxpipes.unwrap_or(0))
}

/// Raises the limit as far as the configuration needs it and settles maxconn.
pub fn settle(config: &Config, workers: usize) -> Result<Budget, StartError> {
    let reserved = reserved(config, workers);
    let plan = plan(&config.global, nofile(), reserved);
    raise(plan, config.global.strict_limits)?;
    let nofile = nofile().soft;
    let maxconn = match config.global.maxconn {
        Some(maxconn) => maxconn,
        None => automatic(nofile, reserved)?,
    };
    Ok(Budget { nofile, maxconn })
}

/// `-m`: the address space of the process at most.
pub fn confine_memory(megabytes: u64) -> Result<(), StartError> {
    set_address_space(megabytes.saturating_mul(1 << 20)).map_err(|error| {
        StartError::new(format!("[haproxy.main()] Cannot fix MEM limit to {megabytes} MB"))
            .with_errno(error)
            .with_cause("the limit lies above this user's hard limit")
            .with_remedy("leave -m out or give less")
    })
}

/// The number of descriptors to ask for.
fn plan(global: &Global, limit: Limit, reserved: u64) -> u64 {
    if let Some(exact) = global.ulimit_n {
        return exact;
    }
    let bounded = |n: u64| n.min(global.fd_hard_limit.unwrap_or(u64::MAX));
    match global.maxconn {
        Some(maxconn) => (PER_SESSION * u64::from(maxconn) + reserved).max(bounded(limit.soft)),
        None => bounded(limit.hard),
    }
}

fn raise(wanted: u64, strict: bool) -> Result<(), StartError> {
    let limit = nofile();
    if wanted == limit.soft {
        return Ok(());
    }
    let hard = limit.hard.max(wanted);
    let Err(error) = set_nofile(Limit { soft: wanted, hard }) else { return Ok(()) };
    // As far as it goes is better than nothing, for the case that strict-limits is off.
    let raised = set_nofile(Limit { soft: limit.hard, hard: limit.hard }).is_ok();
    let reached = if raised { limit.hard } else { limit.soft };
    let text = format!("[haproxy.main()] Cannot raise FD limit to {wanted}, limit is {reached}");
    if strict {
        return Err(StartError::new(text).with_errno(error).with_cause("maxconn or ulimit-n asks for more descriptors than this user may open").with_remedy(
            "raise the hard limit ('ulimit -Hn', LimitNOFILE= in the systemd unit, fs.nr_open), lower maxconn, or say 'no strict-limits' in the global section",
        ));
    }
    report::warning(&format!("{text}."));
    Ok(())
}

fn automatic(nofile: u64, reserved: u64) -> Result<u32, StartError> {
    let sessions = nofile.saturating_sub(reserved) / PER_SESSION;
    let maxconn = u32::try_from(sessions).unwrap_or(u32::MAX);
    if maxconn == 0 {
        return Err(StartError::new("[haproxy.main()] Not enough file descriptors for a single session")
            .on(nofile)
            .with_cause(format!("the process itself needs {reserved} of them"))
            .with_remedy("raise it: 'ulimit -n' or LimitNOFILE= in the systemd unit"));
    }
    report::notice(&format!("Automatically setting global.maxconn to {maxconn}."));
    Ok(maxconn)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: Limit = Limit { soft: 1024, hard: 20_000 };

    #[test]
    fn an_unset_maxconn_takes_all_that_is_allowed() {
        assert_eq!(plan(&Global::default(), MACHINE, 100), 20_000);
        assert_eq!(automatic(20_000, 100).expect("enough"), 9_950);
    }

    #[test]
    fn maxconn_asks_for_two_descriptors_a_session() {
        let global = Global { maxconn: Some(4000), ..Global::default() };
        assert_eq!(plan(&global, MACHINE, 100), 8_100);
        let modest = Global { maxconn: Some(10), ..Global::default() };
        assert_eq!(plan(&modest, MACHINE, 100), 1024);
    }

    #[test]
    fn explicit_limits_win() {
        let exact = Global { ulimit_n: Some(777), maxconn: Some(9), ..Global::default() };
        assert_eq!(plan(&exact, MACHINE, 100), 777);
        let bounded = Global { fd_hard_limit: Some(5000), ..Global::default() };
        assert_eq!(plan(&bounded, MACHINE, 100), 5000);
    }

    #[test]
    fn nine_and_a_half_thousand_sessions_fit_twenty_thousand_descriptors() {
        let reserved = reserved(&Config::default(), 64);
        assert!(automatic(20_000, reserved).expect("enough") >= 9_500);
    }

    #[test]
    fn too_few_descriptors_are_explained() {
        assert!(!automatic(50, 100).expect_err("too few").help().is_empty());
    }
}
