//! The text of a session's line, and whether there is one (configuration manual, sections 8.2.1 to 8.2.4).

use std::fmt::Write;
use std::net::SocketAddr;

use crate::config::model::{Config, LogStyle, Proxy};
use crate::session::termination::Cause;

use super::clock::LocalClock;
use super::level::Level;
use super::record::{RequestRecord, SessionRecord};
use super::text::append;

/// The severity to log at, or None when an option silences this session.
pub(super) fn severity(frontend: &Proxy, record: &SessionRecord) -> Option<Level> {
    let options = &frontend.options;
    if frontend.log_style == LogStyle::Connect {
        if record.request.as_ref().is_some_and(|request| request.line.is_none()) {
            return None; // a request is announced once it was understood
        }
        return Some(Level::Info); // said at accept, before any option could know better
    }
    let null = record.bytes_to_server == 0 && !record.early;
    let failed = is_error(record);
    if (options.dontlognull && null) || (options.dontlog_normal && !failed) {
        return None;
    }
    Some(if options.log_separate_errors && failed { Level::Err } else { Level::Info })
}

/// What `dontlog-normal` keeps and `log-separate-errors` raises: a retry or redispatch counts.
fn is_error(record: &SessionRecord) -> bool {
    match record.termination.cause {
        Cause::Local => {
            record.redispatched || record.request.as_ref().is_some_and(|request| request.status >= 500)
        }
        Cause::Normal => record.redispatched || record.retries > 0,
        _ => true,
    }
}

/// Appends the line, without a newline.
pub(super) fn session(out: &mut String, config: &Config, clock: &LocalClock, record: &SessionRecord) {
    let frontend = &config.proxies[usize::from(record.frontend.0)];
    match frontend.log_style {
        LogStyle::Connect => connect(out, config, frontend, record),
        LogStyle::Tcplog => tcplog(out, config, clock, frontend, record),
        LogStyle::Httplog => httplog(out, config, clock, frontend, record, ""),
        LogStyle::Httpslog => httplog(out, config, clock, frontend, record, NO_TLS),
    }
}

/// `A:P`, or `unix:N` with the listener's id where there is no address.
fn address(out: &mut String, config: &Config, record: &SessionRecord, at: Option<SocketAddr>) {
    match at {
        Some(at) => append!(out, at),
        None => append!(out, "unix:", config.binds[usize::from(record.bind.0)].id),
    }
}

/// `Connect from 127.0.0.1:34984 to 127.0.0.1:43493 (conn/TCP)`; a Unix client is `Connect to unix:2 (conn/TCP)`.
fn connect(out: &mut String, config: &Config, frontend: &Proxy, record: &SessionRecord) {
    append!(out, "Connect ");
    if record.client.is_some() {
        append!(out, "from ");
        address(out, config, record, record.client);
        append!(out, ' ');
    }
    append!(out, "to ");
    address(out, config, record, record.frontend_address);
    let mode = if record.request.is_some() { "HTTP" } else { "TCP" };
    append!(out, " (", frontend.name.as_str(), '/', mode, ')');
}

/// `%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq`.
fn tcplog(out: &mut String, config: &Config, clock: &LocalClock, frontend: &Proxy, record: &SessionRecord) {
    beginning(out, config, clock, record, record.accepted_us);
    timers_and_bytes(out, frontend, record);
    let [cause, stage] = record.termination.letters().map(char::from);
    append!(out, ' ', cause, stage, ' ');
    counts(out, record);
}

/// What `option httpslog` adds, of a connection without TLS.
const NO_TLS: &str = " 0/-/-/-/0 -/-/-";

/// `%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %{+Q}r`
/// and `end`. There are no captures and no cookies.
fn httplog(
    out: &mut String,
    config: &Config,
    clock: &LocalClock,
    frontend: &Proxy,
    record: &SessionRecord,
    end: &str,
) {
    if let Some(request) = record.request.as_deref() {
        let &RequestRecord { ref line, status, received_us, request_ms, response_ms, active_ms } = request;
        beginning(out, config, clock, record, received_us);
        let plus = plus(frontend, record);
        append!(out, request_ms, '/', record.queue_ms, '/', record.connect_ms, '/', response_ms);
        append!(out, '/', plus, active_ms, ' ', status, ' ', plus, record.bytes_to_client, " - - ");
        let [cause, stage] = record.termination.letters().map(char::from);
        append!(out, cause, stage, "-- ");
        counts(out, record);
        append!(out, " \"");
        quotable(out, line.as_deref().unwrap_or("<BADREQ>"));
        append!(out, '"');
    }
    append!(out, end);
}

/// What would end the quotes or the line stands as `#` and its code (section 8.6).
fn quotable(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' | '#' | '\0'..'\x20' | '\x7f'.. => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    // Formatting into a String cannot fail.
                    let _ = write!(out, "#{byte:02X}");
                }
            }
            c => out.push(c),
        }
    }
}

/// `A:P [date] frontend backend/server `.
fn beginning(out: &mut String, config: &Config, clock: &LocalClock, record: &SessionRecord, at_us: u64) {
    let [frontend, backend] =
        [record.frontend, record.backend].map(|id| config.proxies[usize::from(id.0)].name.as_str());
    address(out, config, record, record.client);
    append!(out, " [");
    clock.at(at_us).session(out);
    let server = record.server.as_deref().unwrap_or("<NOSRV>");
    append!(out, "] ", frontend, ' ', backend, '/', server, ' ');
}

/// With `option logasap` the totals are marked as unfinished on every line of the frontend.
fn plus(frontend: &Proxy, record: &SessionRecord) -> &'static str {
    if record.early || frontend.options.logasap { "+" } else { "" }
}

/// `%Tw/%Tc/%Tt %B`. In mode tcp `%Tw` is one more than the time in queues: HAProxy subtracts the
/// request's time, which is -1 without HTTP.
fn timers_and_bytes(out: &mut String, frontend: &Proxy, record: &SessionRecord) {
    let plus = plus(frontend, record);
    let queue_ms = match &record.request {
        Some(_) => record.queue_ms,
        None if record.queue_ms < 0 => -1,
        None => record.queue_ms.saturating_add(1),
    };
    append!(out, queue_ms, '/', record.connect_ms, '/', plus, record.total_ms);
    append!(out, ' ', plus, record.bytes_to_client);
}

/// `%ac/%fc/%bc/%sc/%rc %sq/%bq`.
fn counts(out: &mut String, record: &SessionRecord) {
    let r = record;
    let plus = if r.redispatched { "+" } else { "" };
    append!(out, r.process_conns, '/', r.frontend_conns, '/', r.backend_conns, '/', r.server_conns);
    append!(out, '/', plus, r.retries, ' ', r.server_queue, '/', r.backend_queue);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::fixture;
    use crate::session::termination::{Stage, Termination};

    fn shown(config: &Config, record: &SessionRecord) -> String {
        let mut out = String::new();
        session(&mut out, config, &LocalClock::fixed(0), record);
        out
    }

    fn ended(cause: Cause, stage: Stage) -> Termination {
        Termination { cause, stage }
    }

    /// Lines that haproxy 2.6 wrote, by the facts that made it write them.
    #[test]
    fn tcplog_is_haproxys_byte_for_byte() {
        let mut config = fixture::config();
        let date = "[21/Nov/2026:00:05:21.769]";
        let normal = fixture::record();
        let six = SessionRecord { client: "[::1]:46060".parse().ok(), ..normal.clone() };
        let unix = SessionRecord { client: None, ..normal.clone() };
        let nobody = SessionRecord {
            server: None,
            queue_ms: -1,
            connect_ms: -1,
            total_ms: 0,
            bytes_to_client: 0,
            termination: ended(Cause::ServerAbort, Stage::Connect),
            ..normal.clone()
        };
        let refused = SessionRecord {
            server: Some("s1".into()),
            queue_ms: 0,
            total_ms: 301,
            retries: 1,
            ..nobody.clone()
        };
        let moved =
            SessionRecord { server: Some("s2".into()), retries: 1, redispatched: true, ..normal.clone() };
        let early = SessionRecord { total_ms: 0, bytes_to_client: 0, early: true, ..normal.clone() };
        for (record, line) in [
            (normal.clone(), format!("127.0.0.1:58050 {date} tl tl/s1 1/0/53 9 -- 1/1/0/0/0 0/0")),
            (six, format!("::1:46060 {date} tl tl/s1 1/0/53 9 -- 1/1/0/0/0 0/0")),
            (unix, format!("unix:2 {date} tl tl/s1 1/0/53 9 -- 1/1/0/0/0 0/0")),
            (nobody, format!("127.0.0.1:58050 {date} tl tl/<NOSRV> -1/-1/0 0 SC 1/1/0/0/0 0/0")),
            (refused.clone(), format!("127.0.0.1:58050 {date} tl tl/s1 1/-1/301 0 SC 1/1/0/0/1 0/0")),
            (moved, format!("127.0.0.1:58050 {date} tl tl/s2 1/0/53 9 -- 1/1/0/0/+1 0/0")),
            (early, format!("127.0.0.1:58050 {date} tl tl/s1 1/0/+0 +0 -- 1/1/0/0/0 0/0")),
        ] {
            assert_eq!(shown(&config, &record), line);
        }
        // With logasap a line that could only be written at the end is marked all the same.
        config.proxies[0].options.logasap = true;
        let line = format!("127.0.0.1:58050 {date} tl tl/s1 1/-1/+301 +0 SC 1/1/0/0/1 0/0");
        assert_eq!(shown(&config, &refused), line);
    }

    #[test]
    fn without_tcplog_the_connection_is_named() {
        let mut config = fixture::config();
        config.proxies[0].log_style = LogStyle::Connect;
        let record = fixture::record();
        assert_eq!(shown(&config, &record), "Connect from 127.0.0.1:58050 to 127.0.0.1:5000 (tl/TCP)");
        let (client, local) = ("[::1]:38694".parse().ok(), "[::1]:38273".parse().ok());
        let six = SessionRecord { client, frontend_address: local, ..record.clone() };
        assert_eq!(shown(&config, &six), "Connect from ::1:38694 to ::1:38273 (tl/TCP)");
        let unix = SessionRecord { client: None, frontend_address: None, ..record.clone() };
        assert_eq!(shown(&config, &unix), "Connect to unix:2 (tl/TCP)");
    }

    /// The choices that haproxy 2.6 made for `dontlognull`, `dontlog-normal` and `log-separate-errors`.
    #[test]
    fn options_silence_and_raise() {
        let normal = fixture::record();
        let null = SessionRecord { bytes_to_server: 0, ..normal.clone() };
        let early_null = SessionRecord { early: true, ..null.clone() };
        let retried = SessionRecord { retries: 1, ..normal.clone() };
        let moved = SessionRecord { retries: 1, redispatched: true, ..normal.clone() };
        let timed_out =
            SessionRecord { termination: ended(Cause::ClientTimeout, Stage::Data), ..normal.clone() };
        let local =
            SessionRecord { termination: ended(Cause::Local, Stage::Ended), retries: 1, ..normal.clone() };
        let severities = |set: fn(&mut Proxy)| {
            let mut proxy = fixture::listen("p");
            set(&mut proxy);
            [&normal, &null, &early_null, &retried, &moved, &timed_out, &local]
                .map(|record| severity(&proxy, record))
        };
        let (info, err) = (Some(Level::Info), Some(Level::Err));
        assert_eq!(severities(|_| ()), [info; 7]);
        assert_eq!(
            severities(|proxy| proxy.options.dontlognull = true),
            [info, None, info, info, info, info, info]
        );
        assert_eq!(
            severities(|proxy| proxy.options.dontlog_normal = true),
            [None, None, None, info, info, info, None]
        );
        assert_eq!(
            severities(|proxy| proxy.options.log_separate_errors = true),
            [info, info, info, err, err, err, info]
        );
        assert_eq!(
            severities(|proxy| {
                proxy.log_style = LogStyle::Connect;
                proxy.options.dontlognull = true;
                proxy.options.dontlog_normal = true;
                proxy.options.log_separate_errors = true;
            }),
            [info; 7]
        );
    }
}
