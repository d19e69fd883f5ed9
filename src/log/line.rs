//! The text of a session's line, and whether there is one (configuration manual, sections 8.2.2 and 8.2.3).

use std::fmt::{self, Write};
use std::net::SocketAddr;

use crate::config::model::{Config, LogStyle, Proxy};
use crate::session::termination::Cause;

use super::clock::LocalClock;
use super::level::Level;
use super::record::SessionRecord;

/// The severity to log at, or None when an option silences this session.
pub(super) fn severity(frontend: &Proxy, record: &SessionRecord) -> Option<Level> {
    let options = &frontend.options;
    if frontend.log_style == LogStyle::Connect {
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
        Cause::Local => record.redispatched,
        Cause::Normal => record.redispatched || record.retries > 0,
        _ => true,
    }
}

/// Appends the line, without a newline.
pub(super) fn session(out: &mut String, config: &Config, clock: &LocalClock, record: &SessionRecord) {
    let frontend = &config.proxies[usize::from(record.frontend.0)];
    // Formatting into a String cannot fail.
    let _ = match frontend.log_style {
        LogStyle::Connect => connect(out, config, frontend, record),
        LogStyle::Tcplog => tcplog(out, config, clock, frontend, record),
    };
}

/// `A:P`, or `unix:N` with the listener's id where there is no address.
fn address(out: &mut String, config: &Config, record: &SessionRecord, at: Option<SocketAddr>) -> fmt::Result {
    match at {
        Some(at) => write!(out, "{}:{}", at.ip(), at.port()),
        None => write!(out, "unix:{}", config.binds[usize::from(record.bind.0)].id),
    }
}

/// `Connect from 127.0.0.1:34984 to 127.0.0.1:43493 (conn/TCP)`; a Unix client is `Connect to unix:2 (conn/TCP)`.
fn connect(out: &mut String, config: &Config, frontend: &Proxy, record: &SessionRecord) -> fmt::Result {
    out.push_str("Connect ");
    if record.client.is_some() {
        out.push_str("from ");
        address(out, config, record, record.client)?;
        out.push(' ');
    }
    out.push_str("to ");
    address(out, config, record, record.frontend_address)?;
    write!(out, " ({}/TCP)", frontend.name)
}

/// `%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq`.
fn tcplog(
    out: &mut String,
    config: &Config,
    clock: &LocalClock,
    frontend: &Proxy,
    record: &SessionRecord,
) -> fmt::Result {
    let backend = &config.proxies[usize::from(record.backend.0)];
    let server = record.server.and_then(|index| backend.servers.get(usize::from(index)));
    address(out, config, record, record.client)?;
    out.push_str(" [");
    clock.at(record.accepted_us).session(out)?;
    let server = server.map_or("<NOSRV>", |server| server.name.as_str());
    write!(out, "] {} {}/{server} ", frontend.name, backend.name)?;
    timers_and_bytes(out, frontend, record)?;
    let [cause, stage] = record.termination.letters().map(char::from);
    write!(out, " {cause}{stage} ")?;
    counts(out, record)
}

/// `%Tw/%Tc/%Tt %B`. With `option logasap` the totals are marked as unfinished on every line of the frontend.
fn timers_and_bytes(out: &mut String, frontend: &Proxy, record: &SessionRecord) -> fmt::Result {
    let plus = if record.early || frontend.options.logasap { "+" } else { "" };
    write!(out, "{}/{}/{plus}{}", record.queue_ms, record.connect_ms, record.total_ms)?;
    write!(out, " {plus}{}", record.bytes_to_client)
}

/// `%ac/%fc/%bc/%sc/%rc %sq/%bq`.
fn counts(out: &mut String, record: &SessionRecord) -> fmt::Result {
    let r = record;
    let plus = if r.redispatched { "+" } else { "" };
    write!(out, "{}/{}/{}/{}", r.process_conns, r.frontend_conns, r.backend_conns, r.server_conns)?;
    write!(out, "/{plus}{} {}/{}", r.retries, r.server_queue, r.backend_queue)
}
