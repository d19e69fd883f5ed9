//! Pausing, resuming and closing frontends while the process runs.

use std::collections::BTreeSet;

use super::{Gate, Powers};
use crate::config::model::{Bind, BindId, ProxyId, ProxyKind};
use crate::stats::{Standing, stop_line};
use crate::worker::mailbox::{Command, Leave, Resume};

/// Connections that may wait at a stats socket.
const STATS_BACKLOG: u32 = 128;

/// Accepts nobody at a frontend's addresses: who connects is refused, sessions go on. False: it did not accept.
pub async fn pause(powers: &Powers, proxy: ProxyId) -> bool {
    if !change(powers, proxy, Standing::Open, Standing::Paused) {
        return false;
    }
    for worker in 0..powers.crew.count() {
        powers.crew.order(worker, Command::Pause(proxy)).await;
    }
    turn(powers, Some(&binds(powers, proxy)), false).await;
    say(powers, proxy, "Paused");
    true
}

/// The end of a pause. False: some address is taken by somebody else.
pub async fn resume(powers: &Powers, proxy: ProxyId) -> bool {
    let mut heard = true;
    for worker in 0..powers.crew.count() {
        let order = Command::Resume(Resume { proxy, refused: None });
        let done = powers.crew.order(worker, order).await;
        heard &= !matches!(done, Some(Command::Resume(Resume { refused: Some(_), .. })));
    }
    heard &= turn(powers, Some(&binds(powers, proxy)), true).await;
    if heard {
        change(powers, proxy, Standing::Paused, Standing::Open);
        say(powers, proxy, "Resumed");
    }
    heard
}

/// Closes a frontend's sockets for good: what is queued is served. False: they are closed.
pub async fn stop(powers: &Powers, proxy: ProxyId) -> bool {
    let before = standing(powers, proxy);
    if !change(powers, proxy, before, Standing::Stopped) || before == Standing::Stopped {
        return false;
    }
    let binds = binds(powers, proxy);
    turn(powers, Some(&binds), false).await;
    // The control thread's own listeners end with their gates: clients would wait as long as they had an inherited socket.
    powers.gates.borrow_mut().retain(|gate| gate.bind.is_none_or(|bind| !binds.contains(&bind)));
    let shared = {
        let mut holdings = powers.holdings.borrow_mut();
        holdings.forget(&binds);
        holdings.give_up(&inherited_alone(powers, &binds));
        holdings.may_be_shared()
    };
    for worker in 0..powers.crew.count() {
        let leave = Leave { binds: binds.clone(), shared };
        powers.crew.order(worker, Command::Unlisten(leave)).await;
    }
    let line = stop_line(&powers.shared.borrow(), proxy);
    powers.herald.say(Some(proxy), line);
    true
}

/// SIGTTOU: every frontend that accepts, and the stats sockets, which HAProxy calls GLOBAL.
pub async fn pause_all(powers: &Powers) {
    for proxy in frontends(powers, Standing::Open) {
        pause(powers, proxy).await;
    }
    if change_stats(powers, Standing::Open, Standing::Paused) {
        turn(powers, None, false).await;
        powers.herald.say(None, "Paused frontend GLOBAL.".to_owned());
    }
}

/// SIGTTIN: every frontend that is paused, and the stats sockets.
pub async fn resume_all(powers: &Powers) {
    for proxy in frontends(powers, Standing::Paused) {
        resume(powers, proxy).await;
    }
    if change_stats(powers, Standing::Paused, Standing::Open) {
        turn(powers, None, true).await;
        powers.herald.say(None, "Resumed frontend GLOBAL.".to_owned());
    }
}

fn change_stats(powers: &Powers, from: Standing, to: Standing) -> bool {
    let mut sources = powers.shared.borrow_mut();
    let is = sources.standings.stats == from && !sources.config.global.stats_sockets.is_empty();
    if is {
        sources.standings.stats = to;
    }
    is
}

/// Where a frontend stands; one that the configuration disables has never been open.
pub fn standing(powers: &Powers, proxy: ProxyId) -> Standing {
    let sources = powers.shared.borrow();
    match sources.config.proxies[usize::from(proxy.0)].disabled {
        true => Standing::Stopped,
        false => sources.standings.of(proxy),
    }
}

fn frontends(powers: &Powers, wanted: Standing) -> Vec<ProxyId> {
    let config = std::sync::Arc::clone(&powers.shared.borrow().config);
    let all = config.proxies().filter(|(_, proxy)| proxy.kind.is_frontend()).map(|(id, _)| id);
    all.filter(|&id| standing(powers, id) == wanted).collect()
}

/// Notes the change if `from` is where it stands.
fn change(powers: &Powers, proxy: ProxyId, from: Standing, to: Standing) -> bool {
    let is = standing(powers, proxy) == from;
    if is {
        powers.shared.borrow_mut().standings.set(proxy, to);
    }
    is
}

fn say(powers: &Powers, proxy: ProxyId, what: &str) {
    let text = {
        let sources = powers.shared.borrow();
        let settings = &sources.config.proxies[usize::from(proxy.0)];
        let kind = if settings.kind == ProxyKind::Listen { "proxy" } else { "frontend" };
        format!("{what} {kind} {}.", settings.name)
    };
    powers.herald.say(Some(proxy), text);
}

fn binds(powers: &Powers, proxy: ProxyId) -> Vec<BindId> {
    let sources = powers.shared.borrow();
    sources.config.binds().filter(|(_, bind)| bind.proxy == proxy).map(|(id, _)| id).collect()
}

/// Descriptors that no other line names.
fn inherited_alone(powers: &Powers, binds: &[BindId]) -> BTreeSet<i32> {
    let sources = powers.shared.borrow();
    let (these, others): (Vec<_>, Vec<_>) = sources.config.binds().partition(|(id, _)| binds.contains(id));
    let number = |(_, bind): &(BindId, &Bind)| bind.address.inherited();
    let stats = sources.config.global.stats_sockets.iter().filter_map(|socket| socket.address.inherited());
    let others: BTreeSet<i32> = others.iter().filter_map(number).chain(stats).collect();
    these.iter().filter_map(number).filter(|number| !others.contains(number)).collect()
}

fn backlog(powers: &Powers, bind: BindId) -> u32 {
    let sources = powers.shared.borrow();
    sources.config.backlog(&sources.config.binds[usize::from(bind.0)])
}

/// Pauses what the control thread itself accepts from, or resumes it. `of` are the binds; None: the stats sockets.
async fn turn(powers: &Powers, of: Option<&[BindId]>, open: bool) -> bool {
    let meant = |gate: &&Gate| match of {
        Some(binds) => gate.bind.is_some_and(|bind| binds.contains(&bind)),
        None => gate.bind.is_none(),
    };
    let gates: Vec<Gate> = powers.gates.borrow().iter().filter(meant).cloned().collect();
    let mut done = true;
    for gate in gates {
        let backlog = gate.bind.map_or(STATS_BACKLOG, |bind| backlog(powers, bind));
        done &= gate.turn(open.then_some(backlog)).await;
    }
    done
}
