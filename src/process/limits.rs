//! How many descriptors the process needs, and how many sessions and pipes that allows
//! (management manual, section 5).

use super::error::StartError;
use super::report;
use crate::config::model::{Config, Global, Mode};
use crate::sys::limits::{Limit, nofile, set_address_space, set_nofile};

/// Descriptors of one worker besides listeners, sessions and pipes: ring, mailbox, a spare for accept.
const PER_WORKER: u64 = 4;
/// Standard streams, the control and health rings and their timers, the log thread's bell, libraries.
const PER_PROCESS: u64 = 40;
/// Connections of the stats page that may be open at once.
pub const PAGE_CONNECTIONS: u64 = 64;
/// Descriptors of one session: its two sockets.
const PER_SESSION: u64 = 2;
/// Descriptors of one pipe: its two ends.
const PER_PIPE: u64 = 2;
/// Of the descriptors that an automatic maxconn may use, one in so many is kept for pipes.
const PIPES_PART: u64 = 32;

/// What the machine allows this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// RLIMIT_NOFILE as set.
    pub nofile: u64,
    /// Sessions of the whole process at most.
    pub maxconn: u32,
    /// Pipes of each worker at most.
    pub pipes: u32,
    /// Descriptors when all of these are in use.
    pub descriptors: u64,
}

/// The kernel's table of descriptors never grows while workers run.
pub fn make_room(budget: &Budget) -> std::io::Result<()> {
    crate::sys::limits::make_room(budget.descriptors.min(budget.nofile))
}

/// Descriptors that are needed besides sessions, and besides pipes that nobody demands.
fn reserved(config: &Config, workers: usize) -> u64 {
    let workers = workers as u64;
    let checked =
        config.proxies.iter().flat_map(|proxy| &proxy.servers).filter(|server| server.check.is_some());
    let pages = config.proxies.iter().any(|proxy| proxy.mode == Mode::Http);
    PER_PROCESS
        // The control thread keeps a copy of every listening socket.
        + workers * (PER_WORKER + 2 * config.binds.len() as u64)
        + checked.count() as u64
        + config.log_targets.len() as u64
        + 2 * config.global.stats_sockets.len() as u64
        + u64::from(config.global.stats_maxconn)
        + if pages { PAGE_CONNECTIONS } else { 0 }
        + PER_PIPE * workers * demanded_pipes(&config.global, workers).unwrap_or(0)
}

/// Pipes of each worker by `maxpipes` or `nosplice`; None: neither is there.
fn demanded_pipes(global: &Global, workers: u64) -> Option<u64> {
    if !global.tune.splice {
        return Some(0);
    }
    global.tune.maxpipes.map(|most| u64::from(most).div_ceil(workers.max(1)))
}

/// Pipes of each worker that are worth having: for half of its sessions, and then some.
fn wished_pipes(maxconn: u32, workers: u64) -> u64 {
    u64::from(maxconn).div_ceil(workers.max(1)) / 2 + 64
}

/// Raises the limit as far as the configuration needs it and settles maxconn and pipes.
pub fn settle(config: &Config, workers: usize) -> Result<Budget, StartError> {
    let reserved = reserved(config, workers);
    let plan = plan(&config.global, nofile(), reserved, workers as u64);
    raise(plan, config.global.strict_limits)?;
    let nofile = nofile().soft;
    let maxconn = match config.global.maxconn {
        Some(maxconn) => maxconn,
        None => automatic(&config.global, nofile, reserved)?,
    };
    let budget = share(&config.global, nofile, maxconn, reserved, workers as u64);
    suffices(&budget, config.global.strict_limits)?;
    Ok(budget)
}

/// HAProxy's words where maxconn is more than the descriptors are for.
fn suffices(budget: &Budget, strict: bool) -> Result<(), StartError> {
    let Budget { nofile, maxconn, descriptors, .. } = budget;
    if descriptors <= nofile {
        return Ok(());
    }
    let text = format!(
        "[haproxy.main()] FD limit ({nofile}) too low for maxconn={maxconn}/maxsock={descriptors}. Please raise 'ulimit-n' to {descriptors} or more to avoid any trouble"
    );
    let help = "a session holds two descriptors: raise or remove ulimit-n, or lower maxconn";
    if strict {
        return Err(StartError::new(text)
            .with_cause("clients would be refused long before maxconn")
            .with_remedy(help));
    }
    report::alert_with_help(&format!("{text}."), help);
    Ok(())
}

/// Pipes get what sessions leave: without one bytes are copied, without a socket a client is not served.
fn share(global: &Global, nofile: u64, maxconn: u32, reserved: u64, workers: u64) -> Budget {
    let needed = reserved + PER_SESSION * u64::from(maxconn);
    let left = nofile.saturating_sub(needed) / PER_PIPE / workers.max(1);
    let (pipes, more) = match demanded_pipes(global, workers) {
        Some(pipes) => (pipes, 0),
        None => {
            let pipes = wished_pipes(maxconn, workers).min(left);
            (pipes, PER_PIPE * workers * pipes)
        }
    };
    Budget { nofile, maxconn, pipes: u32::try_from(pipes).unwrap_or(u32::MAX), descriptors: needed + more }
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

/// The number of descriptors to ask for: what sessions need, and for pipes what there is.
fn plan(global: &Global, limit: Limit, reserved: u64, workers: u64) -> u64 {
    // As in HAProxy it raises the limit, never lowers it.
    if let Some(wished) = global.ulimit_n {
        return wished.max(limit.soft);
    }
    let bounded = |n: u64| n.min(global.fd_hard_limit.unwrap_or(u64::MAX));
    let Some(maxconn) = global.maxconn else { return bounded(limit.hard) };
    let needed = PER_SESSION * u64::from(maxconn) + reserved;
    let pipes = match demanded_pipes(global, workers) {
        Some(_) => 0,
        None => PER_PIPE * workers * wished_pipes(maxconn, workers),
    };
    needed.max(bounded(limit.soft)).max(bounded(limit.hard).min(needed + pipes))
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

fn automatic(global: &Global, nofile: u64, reserved: u64) -> Result<u32, StartError> {
    let free = nofile.saturating_sub(reserved);
    let undemanded = global.tune.splice && global.tune.maxpipes.is_none();
    let pipes = if undemanded { free / PIPES_PART } else { 0 };
    let maxconn = u32::try_from((free - pipes) / PER_SESSION).unwrap_or(u32::MAX);
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
    use crate::config::model::Tune;

    const MACHINE: Limit = Limit { soft: 1024, hard: 20_000 };

    fn copying() -> Global {
        Global { tune: Tune { splice: false, ..Tune::default() }, ..Global::default() }
    }

    #[test]
    fn an_unset_maxconn_takes_all_but_a_few_pipes() {
        assert_eq!(plan(&Global::default(), MACHINE, 100, 2), 20_000);
        assert_eq!(automatic(&copying(), 20_000, 100).expect("enough"), 9_950);
        let maxconn = automatic(&Global::default(), 20_000, 100).expect("enough");
        let budget = share(&Global::default(), 20_000, maxconn, 100, 2);
        assert_eq!((maxconn, budget.pipes), (9_639, 155));
    }

    #[test]
    fn maxconn_asks_for_two_descriptors_a_session_and_for_pipes_what_there_is() {
        let global = Global { maxconn: Some(4000), ..copying() };
        assert_eq!(plan(&global, MACHINE, 100, 2), 8_100);
        let modest = Global { maxconn: Some(10), ..copying() };
        assert_eq!(plan(&modest, MACHINE, 100, 2), 1024);
        let splicing = Global { maxconn: Some(4000), ..Global::default() };
        assert_eq!(plan(&splicing, MACHINE, 100, 2), 8_100 + 2 * 2 * (1_000 + 64));
        let most = Global { maxconn: Some(9_900), ..Global::default() };
        assert_eq!(plan(&most, MACHINE, 100, 2), 20_000);
        assert_eq!(share(&most, 20_000, 9_900, 100, 2).pipes, 25);
        let too_many = Global { maxconn: Some(20_000), ..Global::default() };
        assert_eq!(plan(&too_many, MACHINE, 100, 2), 40_100, "refused, and not for its pipes");
    }

    #[test]
    fn explicit_limits_win() {
        let exact = Global { ulimit_n: Some(7_777), maxconn: Some(9), ..Global::default() };
        assert_eq!(plan(&exact, MACHINE, 100, 2), 7_777);
        let less = Global { ulimit_n: Some(777), ..exact };
        assert_eq!(plan(&less, MACHINE, 100, 2), 1024, "it is never lowered");
        let bounded = Global { fd_hard_limit: Some(5000), ..Global::default() };
        assert_eq!(plan(&bounded, MACHINE, 100, 2), 5000);
    }

    #[test]
    fn what_is_promised_can_be_opened() {
        for (nofile, maxconn, maxpipes, workers) in [
            (1_024, 100, None, 1),
            (1_024, 400, Some(30), 3),
            (65_536, 30_000, None, 7),
            (8_200, 4_000, None, 2),
        ] {
            let tune = Tune { maxpipes, ..Tune::default() };
            let global = Global { tune, ..Global::default() };
            let config = Config { global: global.clone(), ..Config::default() };
            let budget = share(&global, nofile, maxconn, reserved(&config, workers), workers as u64);
            let besides = reserved(&Config::default(), workers);
            let all = besides + 2 * u64::from(maxconn) + 2 * workers as u64 * u64::from(budget.pipes);
            assert_eq!(budget.descriptors, all);
            assert!(all <= nofile, "{all} of {nofile}");
            assert!(u64::from(budget.pipes) * workers as u64 >= u64::from(maxpipes.unwrap_or(1)));
        }
    }

    #[test]
    fn nine_and_a_half_thousand_sessions_fit_twenty_thousand_descriptors() {
        let reserved = reserved(&Config::default(), 64);
        assert!(automatic(&Global::default(), 20_000, reserved).expect("enough") >= 9_500);
    }

    #[test]
    fn a_maxconn_that_descriptors_cannot_serve_stops_the_start() {
        let budget = |descriptors| Budget { nofile: 100, maxconn: 60, pipes: 0, descriptors };
        assert!(suffices(&budget(100), true).is_ok());
        assert!(suffices(&budget(180), false).is_ok());
        let error = suffices(&budget(180), true).expect_err("too few");
        assert_eq!(
            error.to_string(),
            "[haproxy.main()] FD limit (100) too low for maxconn=60/maxsock=180. Please raise 'ulimit-n' to 180 or more to avoid any trouble."
        );
        assert!(!error.help().is_empty());
    }

    #[test]
    fn too_few_descriptors_are_explained() {
        assert!(!automatic(&Global::default(), 50, 100).expect_err("too few").help().is_empty());
    }
}
