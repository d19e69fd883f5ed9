//! From a record or a message to lines at targets: who logs where, at which severity, under which name.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use crate::config::model::{Config, LogSample, LogTargetId, Proxy, ProxyId};

use super::clock::{LocalClock, now_us};
use super::frame::{self, Header};
use super::handle::Notice;
use super::level::Level;
use super::line;
use super::record::SessionRecord;
use super::target::{Target, Targets};

/// One `log` line of one proxy. HAProxy counts samples per proxy, also when `log global` copied the line.
#[derive(Debug)]
struct Route {
    target: LogTargetId,
    seen: u64,
}

/// All targets and the way to them.
#[derive(Debug)]
pub(super) struct Router {
    config: Arc<Config>,
    clock: LocalClock,
    hostname: Option<String>,
    pid: u32,
    targets: Vec<Target>,
    global: Vec<Route>,
    proxies: Vec<Vec<Route>>,
    /// Reused memory: message, header, line.
    message: String,
    header: String,
    line: Vec<u8>,
}

fn routes(ids: &[LogTargetId]) -> Vec<Route> {
    ids.iter().map(|&target| Route { target, seen: 0 }).collect()
}

impl Router {
    /// `hostname`: what `log-send-hostname` without a name shows.
    pub(super) fn new(config: Arc<Config>, targets: Targets, hostname: &str) -> Self {
        let sent = config.global.log_send_hostname.as_ref();
        let hostname = sent.map(|name| name.clone().unwrap_or_else(|| hostname.to_owned()));
        Router {
            clock: targets.clock,
            hostname,
            pid: std::process::id(),
            targets: targets.targets,
            global: routes(&config.global.logs),
            proxies: config.proxies.iter().map(|proxy| routes(&proxy.logs)).collect(),
            config,
            message: String::new(),
            header: String::new(),
            line: Vec::new(),
        }
    }

    /// Sends the line of one session, if it has one. Answers how many targets lost it.
    pub(super) fn session(&mut self, record: &SessionRecord) -> u64 {
        let frontend = &self.config.proxies[usize::from(record.frontend.0)];
        let Some(level) = line::severity(frontend, record) else { return 0 };
        self.message.clear();
        line::session(&mut self.message, &self.config, &self.clock, record);
        self.send(Some(record.frontend), level)
    }

    /// Sends a message of the process. Answers how many targets lost it.
    pub(super) fn notice(&mut self, notice: &Notice) -> u64 {
        self.message.clear();
        // A server's own words may be quoted here: they must not begin a line of their own.
        let printable = notice.text.chars().map(|c| if c.is_control() { ' ' } else { c });
        self.message.extend(printable);
        self.send(notice.proxy, notice.level)
    }

    fn send(&mut self, proxy: Option<ProxyId>, level: Level) -> u64 {
        let tag = tag(&self.config, proxy.map(|id| &self.config.proxies[usize::from(id.0)]));
        let hostname = self.hostname.as_deref();
        let header = Header { now: self.clock.at(now_us()), tag, hostname, pid: self.pid, level };
        let routes = match proxy {
            Some(id) => &mut self.proxies[usize::from(id.0)],
            None => &mut self.global,
        };
        let now = Instant::now();
        let mut lost = 0;
        for route in routes {
            let target = &mut self.targets[usize::from(route.target.0)];
            if wanted(route, target, level) {
                frame::line(&mut self.line, &mut self.header, &target.config, &header, &self.message);
                lost += target.send(&self.line, now);
            }
        }
        lost
    }

    /// Pushes out what targets hold back. Answers whether nothing is left.
    pub(super) fn flush(&mut self) -> bool {
        let mut empty = true;
        for target in &mut self.targets {
            empty &= target.flush();
        }
        empty
    }

    /// Counts as lost what no target took until the end.
    pub(super) fn abandon(&self, dropped: &AtomicU64) {
        let left: u64 = self.targets.iter().map(Target::buffered).sum();
        dropped.fetch_add(left, Relaxed);
    }
}

fn tag<'a>(config: &'a Config, proxy: Option<&'a Proxy>) -> &'a str {
    proxy.and_then(|proxy| proxy.log_tag.as_deref()).unwrap_or(&config.global.log_tag)
}

/// The target's own level first, then its sample: lines of no interest are not counted.
fn wanted(route: &mut Route, target: &Target, level: Level) -> bool {
    if level.number() > target.config.level {
        return false;
    }
    let Some(sample) = &target.config.sample else { return true };
    route.seen += 1;
    sampled(sample, route.seen)
}

/// `sample 2,4-5:5`: of each five lines the second, fourth and fifth. `nth` counts from 1.
fn sampled(sample: &LogSample, nth: u64) -> bool {
    let place = (nth - 1) % u64::from(sample.size.max(1)) + 1;
    sample.ranges.iter().any(|&(low, high)| (u64::from(low)..=u64::from(high)).contains(&place))
}
