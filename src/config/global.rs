//! Lines of `global` (configuration manual, section 3).

use std::path::PathBuf;

use super::arguments::Arguments;
use super::bind;
use super::diagnostic::{Diagnostic, Form, Report, Severity};
use super::keyword::{Keyword, Places};
use super::lexer::{Line, Modifier};
use super::log_line;
use super::model::{BusySpin, Global, LogTarget, LogTargetId};
use super::supplies::Supplies;
use super::support;
use super::value::{self, TimeUnit};

mod cpu_map;

/// Most workers of one process; the tokens of ring operations have room for more.
pub(super) const WORKERS_MAX: u16 = 256;

/// Limits of a receive buffer: it holds at least a page, and buffers are registered as a whole.
const BUFSIZE: (u32, u32) = (4_096, 1 << 24);
/// What `tune.bufsize` may be written as; beyond the limits above they are meant.
const BUFSIZE_WRITTEN: (u64, u64) = (1, i32::MAX as u64);
/// Whoever wants to spin for longer wants `busy-polling`.
const BUSY_SPIN_MAX_US: u32 = 100_000;
/// Limit of `tune.pipesize` and the socket buffers: what `F_SETPIPE_SZ` and `SO_RCVBUF` take.
const KERNEL_BUFFER_MAX: u64 = i32::MAX as u64;

/// Where distinct log targets are kept.
#[derive(Clone, Debug, Default)]
pub(super) struct LogTargets(pub Vec<LogTarget>);

impl LogTargets {
    /// The target's id; an equal one is shared.
    pub fn intern(&mut self, target: LogTarget) -> LogTargetId {
        let at = self.0.iter().position(|known| *known == target).unwrap_or_else(|| {
            self.0.push(target);
            self.0.len() - 1
        });
        LogTargetId(u16::try_from(at).unwrap_or(u16::MAX))
    }
}

impl Global {
    /// Reads one line of a `global` section.
    pub(super) fn line(
        &mut self,
        line: &Line,
        logs: &mut LogTargets,
        supplies: &mut Supplies,
        report: &mut Report,
    ) {
        let Some(row) = support::find_at(Places::GLOBAL, line, 0) else {
            return support::unknown(line, "global", Places::GLOBAL, report);
        };
        if support::is_default_anyway(row, line) {
            return;
        }
        if row.words == "log" && line.modifier == Modifier::No {
            return log_line::clear(line, &mut self.logs, report);
        }
        if !support::check_arity(row, line, 0, report) || !support::is_honoured(row, line, 0, report) {
            return;
        }
        match row.words {
            "log" => self.log(line, logs, supplies, report),
            "stats socket" => {
                self.stats_sockets.extend(bind::parse_stats_socket(line, supplies, report));
            }
            _ => self.setting(row, line, supplies, report),
        }
    }

    fn log(&mut self, line: &Line, logs: &mut LogTargets, supplies: &mut Supplies, report: &mut Report) {
        let mut words = Arguments::after(line, 1, report);
        if words.peek() == Some("global") {
            return words.alert(1, "log : 'global' is not supported for a global section", "name a target");
        }
        if let Some(target) = log_line::parse(&mut words, supplies) {
            self.logs.push(logs.intern(target));
        }
    }

    fn setting(&mut self, row: &Keyword, line: &Line, supplies: &mut Supplies, report: &mut Report) {
        let words = &mut Arguments::after(line, row.length(), report);
        let global = self;
        if global.is_set(row.words) {
            return first_stays(row.words, words);
        }
        match row.words {
            "daemon" => global.daemon = true,
            "master-worker" => master_worker(global, words),
            "quiet" => global.quiet = true,
            "zero-warning" => global.zero_warning = true,
            "nosplice" => global.tune.splice = false,
            "busy-polling" => global.tune.busy_polling = line.modifier == Modifier::None,
            "noreuseport" => global.tune.reuseport = false,
            "strict-limits" => global.strict_limits = line.modifier != Modifier::No,
            "log-tag" => global.log_tag = words.next().unwrap_or_default().to_owned(),
            "log-send-hostname" => global.log_send_hostname = Some(words.next().map(str::to_owned)),
            "chroot" => global.chroot = words.next().map(PathBuf::from),
            "server-state-file" => global.server_state_file = words.next().map(PathBuf::from),
            "server-state-base" => global.server_state_base = words.next().map(PathBuf::from),
            "stats-file" => global.stats_file = words.next().map(PathBuf::from),
            "pidfile" => global.pidfile = words.next().map(PathBuf::from),
            "user" => global.uid = words.account("user", supplies),
            "group" => global.gid = words.account("group", supplies),
            "node" => global.node = node(words).or(global.node.take()),
            "description" => global.description = Some(words.rest().join(" ")),
            "cpu-map" => cpu_map::parse(words, &mut global.cpu_map),
            "nbproc" => refuse_processes(words),
            "session-hand-over" => on_off(words, &mut global.session_hand_over, OLD_SESSIONS),
            "tune.incoming-cpu" => on_off(words, &mut global.tune.incoming_cpu, OTHER_CPUS),
            "tune.huge-pages" => on_off(words, &mut global.tune.huge_pages, HUGE_PAGES),
            other => number(global, other, words),
        }
    }
}

impl Global {
    /// Whether the keyword has a value that a second line does not change.
    fn is_set(&self, keyword: &str) -> bool {
        match keyword {
            "user" | "uid" => self.uid.is_some_and(|id| id != 0),
            "group" | "gid" => self.gid.is_some_and(|id| id != 0),
            "chroot" => self.chroot.is_some(),
            "pidfile" => self.pidfile.is_some(),
            "maxconn" => self.maxconn.is_some(),
            "maxconnrate" => self.maxconnrate.is_some(),
            "maxsessrate" => self.maxsessrate.is_some(),
            "maxpipes" => self.tune.maxpipes.is_some(),
            "ulimit-n" => self.ulimit_n.is_some(),
            "fd-hard-limit" => self.fd_hard_limit.is_some(),
            "log-send-hostname" => self.log_send_hostname.is_some(),
            "tune.rcvbuf.client" => self.tune.rcvbuf_client.is_some(),
            "tune.rcvbuf.server" => self.tune.rcvbuf_server.is_some(),
            "tune.sndbuf.client" => self.tune.sndbuf_client.is_some(),
            "tune.sndbuf.server" => self.tune.sndbuf_server.is_some(),
            "spread-checks" => self.spread_checks_percent != 0,
            _ => false,
        }
    }
}

fn number(global: &mut Global, keyword: &str, words: &mut Arguments<'_>) {
    match keyword {
        "maxconnrate" => global.maxconnrate = words.limit(keyword),
        "maxsessrate" => global.maxsessrate = words.limit(keyword),
        "maxconn" => global.maxconn = words.limit(keyword),
        "nbthread" => global.nbthread = words.integer(keyword, 1..=WORKERS_MAX),
        "uid" => global.uid = words.count(keyword, 0),
        "mworker-max-reloads" => global.max_reloads = words.count(keyword, 0),
        "gid" => global.gid = words.count(keyword, 0),
        "ulimit-n" => global.ulimit_n = words.limit(keyword).map(u64::from),
        "fd-hard-limit" => global.fd_hard_limit = words.limit(keyword).map(u64::from),
        "stats timeout" => match words.time(keyword, TimeUnit::Milliseconds) {
            Some(0) => {
                words.alert_last("'stats timeout' expects a positive value", "24d is the longest time")
            }
            Some(ms) => global.stats_timeout_ms = ms,
            None => {}
        },
        "stats maxconn" => {
            global.stats_maxconn = words.count(keyword, 1).unwrap_or(global.stats_maxconn);
        }
        "hard-stop-after" => global.hard_stop_after_ms = words.time(keyword, TimeUnit::Milliseconds),
        "max-spread-checks" => {
            global.max_spread_checks_ms = words.time(keyword, TimeUnit::Milliseconds);
        }
        "spread-checks" => {
            global.spread_checks_percent = words.integer(keyword, 0..=50).unwrap_or(0);
        }
        _ => tune(global, keyword, words),
    }
}

fn bufsize(words: &mut Arguments<'_>) -> Option<u32> {
    let written = words.size("tune.bufsize", BUFSIZE_WRITTEN.0, BUFSIZE_WRITTEN.1)?;
    let used = written.clamp(BUFSIZE.0, BUFSIZE.1);
    if used != written {
        let text = format!("'tune.bufsize' : receive buffers have {used} bytes here.");
        let help = format!("write a size from {} to {} bytes; 16384 is the default", BUFSIZE.0, BUFSIZE.1);
        words.report.diag(words.line, words.line.span(words.at - 1), text).help(help);
    }
    Some(used)
}

fn tune(global: &mut Global, keyword: &str, words: &mut Arguments<'_>) {
    let tune = &mut global.tune;
    match keyword {
        "tune.bufsize" => tune.bufsize = bufsize(words).unwrap_or(tune.bufsize),
        "tune.pipesize" => tune.pipesize = kernel_buffer(keyword, words),
        "maxpipes" => tune.maxpipes = words.limit(keyword),
        "tune.napi-busy-poll" => {
            let microseconds = words.integer(keyword, 0..=BUSY_SPIN_MAX_US);
            tune.napi_busy_poll_us = microseconds.filter(|microseconds| *microseconds > 0);
        }
        "tune.send-zc" => {
            tune.send_zc = words.size(keyword, 0, KERNEL_BUFFER_MAX).filter(|bytes| *bytes > 0);
        }
        "tune.busy-spin" => tune.busy_spin = busy_spin(keyword, words).unwrap_or(tune.busy_spin),
        "tune.rcvbuf.client" => tune.rcvbuf_client = kernel_buffer(keyword, words),
        "tune.rcvbuf.server" => tune.rcvbuf_server = kernel_buffer(keyword, words),
        "tune.sndbuf.client" => tune.sndbuf_client = kernel_buffer(keyword, words),
        "tune.sndbuf.server" => tune.sndbuf_server = kernel_buffer(keyword, words),
        other => unreachable!("'{other}' is honoured in the table but not read"),
    }
}

fn busy_spin(keyword: &str, words: &mut Arguments<'_>) -> Option<BusySpin> {
    let is_number = |word: &str| word.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    if words.peek().is_some_and(is_number) {
        return words.integer(keyword, 0..=BUSY_SPIN_MAX_US).map(BusySpin::Us);
    }
    if words.next() == Some("auto") {
        return Some(BusySpin::WhenItPays);
    }
    words.alert_last(
        format!("'{keyword}' expects 'auto' or a number of microseconds."),
        format!("write 'auto', or a whole number up to {BUSY_SPIN_MAX_US}; 0: workers sleep at once"),
    );
    None
}

/// 0 leaves the size to the kernel.
fn kernel_buffer(keyword: &str, words: &mut Arguments<'_>) -> Option<u32> {
    words.size(keyword, 0, KERNEL_BUFFER_MAX).filter(|size| *size > 0)
}

fn first_stays(keyword: &str, words: &mut Arguments<'_>) {
    let (text, form) = match keyword {
        "user" | "uid" => ("user/uid already specified. Continuing.".to_owned(), Form::Parsing),
        "group" => ("gid/group was already specified. Continuing.".to_owned(), Form::Parsing),
        "gid" => ("group/gid already specified. Continuing.".to_owned(), Form::Parsing),
        "spread-checks" => ("spread-checks already specified. Continuing.".to_owned(), Form::ParsingTight),
        _ => (format!("'{keyword}' already specified. Continuing."), Form::Parsing),
    };
    let diagnostic = Diagnostic::at(Severity::Overruled, words.line, words.line.span(0), text);
    words.report.push(diagnostic).form(form).help("remove this line: the first one stays");
}

const OLD_SESSIONS: &str =
    "write 'off' to let an old process keep its sessions until they end, as HAProxy does";
const OTHER_CPUS: &str = "write 'on' where each queue of the network card has a core and each core a worker";
const HUGE_PAGES: &str = "write 'on' where transparent huge pages are 'madvise' or 'always'";

fn on_off(words: &mut Arguments<'_>, wanted: &mut bool, help: &str) {
    let keyword = words.line.words[0].text.clone();
    match words.next() {
        Some("on") => *wanted = true,
        Some("off") => *wanted = false,
        _ => words.alert_last(format!("'{keyword}' expects 'on' or 'off'."), help),
    }
}

fn node(words: &mut Arguments<'_>) -> Option<String> {
    let name = words.next()?;
    if value::is_node_name(name) {
        return Some(name.to_owned());
    }
    words.alert_last(format!("'node' : '{name}' is no node name."), value::NODE_HELP);
    None
}

/// HAProxy has had one process since 2.5; older files still say so.
fn refuse_processes(words: &mut Arguments<'_>) {
    if words.next() != Some("1") {
        words.alert_last(
            "nbproc is not supported any more since HAProxy 2.5.",
            "remove it: one process runs a worker on each core; 'nbthread' sets their number",
        );
    }
}

fn master_worker(global: &mut Global, words: &mut Arguments<'_>) {
    match words.next() {
        None => global.master_worker = true,
        Some("no-exit-on-failure") => {
            global.master_worker = true;
            global.no_exit_on_failure = true;
        }
        Some(other) => {
            let text = format!("'master-worker' only supports 'no-exit-on-failure' option, not '{other}'.");
            words.alert_last(text, "leave it out: a crashed worker then ends the master");
        }
    }
}
