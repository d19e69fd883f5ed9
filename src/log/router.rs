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
use super::target::{Additions, Alarm, Target, Targets};

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
    /// The machine's name.
    machine: String,
    hostname: Option<String>,
    pid: u32,
    targets: Vec<Target>,
    alarm: Alarm,
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
        Router {
            clock: targets.clock,
            machine: hostname.to_owned(),
            hostname: hostname_sent(&config, hostname),
            pid: std::process::id(),
            targets: targets.targets,
            alarm: targets.alarm,
            global: routes(&config.global.logs),
            proxies: config.proxies.iter().map(|proxy| routes(&proxy.logs)).collect(),
            config,
            message: String::new(),
            header: String::new(),
            line: Vec::new(),
        }
    }

    /// Logs by another configuration from now on. Targets that it has too go on as they are. Answers how
    /// many lines the others still held.
    pub(super) fn replace(&mut self, config: Arc<Config>, additions: Additions) -> u64 {
        let mut former = std::mem::take(&mut self.targets);
        let mut added = additions.opened;
        for settings in &config.log_targets {
            let known = former.iter().position(|target| target.config == *settings);
            let kept = known.map(|at| former.swap_remove(at));
            let new =
                || added.iter().position(|target| target.config == *settings).map(|at| added.swap_remove(at));
            self.targets.extend(kept.or_else(new));
        }
        assert_eq!(
            self.targets.len(),
            config.log_targets.len(),
            "targets were opened for another configuration"
        );
        self.hostname = hostname_sent(&config, &self.machine);
        self.global = routes(&config.global.logs);
        self.proxies = config.proxies.iter().map(|proxy| routes(&proxy.logs)).collect();
        self.config = config;
        for target in &mut former {
            target.flush(&self.alarm);
        }
        former.iter().map(Target::buffered).sum()
    }

    /// Whether the record's frontend is one of the configuration that this logs by.
    pub(super) fn knows(&self, record: &SessionRecord) -> bool {
        usize::from(record.frontend.0) < self.proxies.len()
    }

    /// Sends the line of one session, if it has one. Answers how many targets lost it.
    pub(super) fn session(&mut self, record: &SessionRecord) -> u64 {
        let frontend = &record.config.proxies[usize::from(record.frontend.0)];
        let Some(level) = line::severity(frontend, record) else { return 0 };
        self.message.clear();
        line::session(&mut self.message, &record.config, &self.clock, record);
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
        let tag = tag(&self.config, proxy.and_then(|id| self.config.proxies.get(usize::from(id.0))));
        let hostname = self.hostname.as_deref();
        let header = Header { now: self.clock.at(now_us()), tag, hostname, pid: self.pid, level };
        let routes = match proxy {
            Some(id) => self.proxies.get_mut(usize::from(id.0)).map_or(&mut [][..], Vec::as_mut_slice),
            None => &mut self.global,
        };
        let now = Instant::now();
        let mut lost = 0;
        for route in routes {
            let target = &mut self.targets[usize::from(route.target.0)];
            if wanted(route, target, level) {
                frame::line(&mut self.line, &mut self.header, &target.config, &header, &self.message);
                lost += target.send(&self.line, now, &self.alarm);
            }
        }
        lost
    }

    /// Pushes out what targets hold back. Answers whether nothing is left.
    pub(super) fn flush(&mut self) -> bool {
        let mut empty = true;
        for target in &mut self.targets {
            empty &= target.flush(&self.alarm);
        }
        empty
    }

    /// Counts as lost what no target took until the end.
    pub(super) fn abandon(&self, dropped: &AtomicU64) {
        let left: u64 = self.targets.iter().map(Target::buffered).sum();
        dropped.fetch_add(left, Relaxed);
    }
}

/// What `log-send-hostname` shows; `machine` when it names nothing itself.
fn hostname_sent(config: &Config, machine: &str) -> Option<String> {
    let sent = config.global.log_send_hostname.as_ref();
    sent.map(|name| name.clone().unwrap_or_else(|| machine.to_owned()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::{LogAddress, LogFormat};
    use crate::log::fixture;
    use tempfile::TempDir;

    /// A router writing raw lines to a file, and what it has written.
    fn router(change: impl FnOnce(&mut Config)) -> (Router, TempDir, impl Fn(&mut Router) -> Vec<String>) {
        let folder = TempDir::new().expect("a temporary directory");
        let path = folder.path().join("log");
        let mut config = fixture::logging_to(LogAddress::File(path.clone()), LogFormat::Short);
        change(&mut config);
        let targets = crate::log::target::open(&config, false).expect("the file opens");
        let router = Router::new(Arc::new(config), targets, "vm");
        (router, folder, move |router| {
            router.flush();
            fixture::lines(&path)
        })
    }

    fn notice(proxy: Option<ProxyId>, level: Level, text: &str) -> Notice {
        Notice { proxy, level, text: text.to_owned() }
    }

    /// haproxy 2.6 with `sample 2,4-5:5`: the second line of each proxy came, whatever came before elsewhere.
    #[test]
    fn samples_are_counted_for_each_proxy() {
        let (mut router, _folder, written) = router(|config| {
            config.proxies.push(fixture::listen("other"));
            config.proxies[1].logs = vec![LogTargetId(0)];
            config.log_targets[0].sample = Some(LogSample { ranges: vec![(2, 2), (4, 5)], size: 5 });
        });
        for n in 1..=10 {
            router.notice(&notice(Some(ProxyId(0)), Level::Info, &format!("a{n}")));
            router.notice(&notice(Some(ProxyId(1)), Level::Info, &format!("b{n}")));
        }
        let expected: Vec<String> =
            [2, 4, 5, 7, 9, 10].iter().flat_map(|n| [format!("<6>a{n}"), format!("<6>b{n}")]).collect();
        assert_eq!(written(&mut router), expected);
    }

    #[test]
    fn a_targets_level_bounds_what_it_gets_and_is_asked_before_the_sample() {
        let (mut router, _folder, written) = router(|config| {
            config.log_targets[0].level = 5;
            config.log_targets[0].sample = Some(LogSample { ranges: vec![(1, 1)], size: 2 });
        });
        for (level, text) in [(Level::Info, "no"), (Level::Notice, "yes"), (Level::Alert, "skipped")] {
            assert_eq!(router.notice(&notice(None, level, text)), 0);
        }
        assert_eq!(written(&mut router), ["<5>yes"]);
    }

    #[test]
    fn a_proxy_without_log_lines_says_nothing_and_tags_are_its_own() {
        let (mut router, _folder, written) = router(|config| {
            config.log_targets[0].format = LogFormat::Local;
            config.proxies[0].log_tag = Some("mine".to_owned());
            config.proxies.push(fixture::listen("silent"));
        });
        router.notice(&notice(Some(ProxyId(0)), Level::Info, "a"));
        router.notice(&notice(Some(ProxyId(1)), Level::Info, "b"));
        router.notice(&notice(None, Level::Info, "c"));
        let ends: Vec<String> = written(&mut router).iter().map(|line| line[21..].to_owned()).collect();
        let pid = std::process::id();
        assert_eq!(ends, [format!("mine[{pid}]: a"), format!("haproxy[{pid}]: c")]);
    }

    #[test]
    fn a_servers_words_cannot_begin_a_line() {
        let (mut router, _folder, written) = router(|_| ());
        router.notice(&notice(None, Level::Err, "info: \"x\n<0>forged\r\""));
        assert_eq!(written(&mut router), ["<3>info: \"x <0>forged \""]);
    }

    #[test]
    fn another_configuration_changes_targets_and_a_running_session_keeps_its_line() {
        let (mut router, folder, written) = router(|config| config.proxies[0].name = "old".to_owned());
        let begun = SessionRecord { config: Arc::clone(&router.config), ..fixture::record() };
        let mut next = Config::clone(&router.config);
        let second = folder.path().join("second");
        next.log_targets.insert(0, fixture::target(LogAddress::File(second.clone()), LogFormat::Raw));
        next.proxies[0].name = "new".to_owned();
        next.proxies[0].log_style = crate::config::model::LogStyle::Connect;
        next.proxies[0].logs = vec![LogTargetId(0), LogTargetId(1)];
        let next = Arc::new(next);
        let additions = crate::log::target::additions(&next, &router.config, None).expect("the file opens");
        assert_eq!(additions.opened.len(), 1);
        assert_eq!(router.replace(Arc::clone(&next), additions), 0);
        router.session(&begun);
        router.session(&SessionRecord { config: next, ..fixture::record() });
        let lines = written(&mut router);
        assert!(lines[0].contains(" old old/s1 "), "{lines:?}");
        assert!(lines[1].ends_with("(new/TCP)"), "{lines:?}");
        assert_eq!(fixture::lines(&second).len(), 2);
    }

    #[test]
    fn a_silenced_session_reaches_no_target() {
        let (mut router, _folder, written) = router(|config| config.proxies[0].options.dontlognull = true);
        let mut record = fixture::record();
        record.config = Arc::clone(&router.config);
        router.session(&record);
        record.bytes_to_server = 0;
        router.session(&record);
        assert_eq!(written(&mut router).len(), 1);
    }
}
