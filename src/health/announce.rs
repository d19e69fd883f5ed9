//! Tells the log and the console what checks found.

use std::sync::Arc;

use crate::config::model::{Config, Proxy, ProxyId, ProxyKind, Server};
use crate::log::{Level, LogHandle};
use crate::table::Snapshot;

use super::Console;
use super::lines::{self, Left, Seen, Subject};
use super::outcome::Outcome;
use super::target::Target;
use super::verdict::{Standing, Turn};

/// A check that was judged.
#[derive(Debug)]
pub struct Judged {
    /// Index of the target.
    pub target: u32,
    pub outcome: Outcome,
    pub duration_ms: u32,
    /// After this check.
    pub standing: Standing,
    pub turn: Option<Turn>,
    /// It was up, to get no new session.
    pub was_stopping: bool,
    /// The counter moved, or the outcome is another than before: what log-health-checks reports.
    pub news: bool,
}

impl Judged {
    fn seen(&self) -> Seen<'_> {
        Seen { outcome: &self.outcome, duration_ms: self.duration_ms }
    }
}

/// Where lines go.
pub struct Announcer {
    pub config: Arc<Config>,
    pub log: LogHandle,
    pub console: Console,
}

impl Announcer {
    /// The lines of one check, after the table has changed.
    pub fn tell(&self, target: &Target, judged: &Judged, left: Option<Left>, table: &Snapshot) {
        let (settings, _) = self.named(target.proxy, target.server);
        let every_check = settings.options.log_health_checks;
        let subject = self.subject(target.proxy, target.server, table);
        if matches!(judged.outcome, Outcome::SourceRefused(_)) {
            let text = lines::source_refused(&settings.name);
            (self.console.alert)(&format!("{text} Aborting."));
            self.log.notice(Some(target.proxy), Level::Emerg, text);
        }
        if every_check && judged.news {
            let text = lines::health_check(subject, judged.seen(), judged.standing);
            self.warn(target.proxy, Level::Notice, text);
        }
        if let (Some(turn), Some(left)) = (judged.turn, left) {
            let reason = if every_check { String::new() } else { lines::reason(judged.seen()) };
            let quiet = turn == Turn::Up || judged.was_stopping || subject.drained;
            let level = if quiet { Level::Notice } else { Level::Alert };
            self.warn(target.proxy, level, lines::state_change(subject, turn, &reason, left));
            if left.last {
                self.mourn(target.proxy);
            }
        }
    }

    /// A server whose port is only known with a client.
    pub fn tell_unchecked(&self, proxy: ProxyId, server: u16) {
        let (settings, server) = self.named(proxy, server);
        let text = format!(
            "Server {}/{} has neither service port nor check port. Check has been disabled.",
            settings.name, server.name
        );
        self.warn(proxy, Level::Warning, text);
    }

    /// The last server of a backend is gone.
    pub fn mourn(&self, proxy: ProxyId) {
        let settings = &self.config.proxies[usize::from(proxy.0)];
        let listen = settings.kind == ProxyKind::Listen;
        (self.console.alert)(&lines::no_server(listen, &settings.name, true));
        self.log.notice(Some(proxy), Level::Emerg, lines::no_server(listen, &settings.name, false));
    }

    /// Says a line on standard error and in the logs of `proxy`.
    pub fn warn(&self, proxy: ProxyId, level: Level, text: String) {
        (self.console.warning)(&text);
        self.log.notice(Some(proxy), level, text);
    }

    fn named(&self, proxy: ProxyId, server: u16) -> (&Proxy, &Server) {
        let settings = &self.config.proxies[usize::from(proxy.0)];
        (settings, &settings.servers[usize::from(server)])
    }

    /// Who a line is about.
    pub fn subject(&self, proxy: ProxyId, server: u16, table: &Snapshot) -> Subject<'_> {
        let entry = &table.backend(proxy).servers[usize::from(server)];
        let (settings, server) = self.named(proxy, server);
        Subject {
            proxy: &settings.name,
            server: &server.name,
            backup: server.backup,
            drained: entry.uweight == 0 || entry.state.admin.drain,
        }
    }
}
