//! The states of servers as text: `show servers state`, which a later process may read back
//! (management manual, `show servers state`; configuration manual, `server-state-file`).

use std::fmt::Write;

use crate::config::model::{Proxy, Server, ServerAddress};

use super::state::{Checks, Health, ServerState};
use super::{Backend, ServerEntry};

/// The only version there is.
pub const VERSION: &str = "1";

/// The names of the fields, as the second line has them.
pub const FIELDS: &str = "be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight \
                          srv_time_since_last_change srv_check_status srv_check_result srv_check_health \
                          srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port \
                          srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port";

/// Bits of `srv_admin_state`.
const FORCED_MAINT: u8 = 0x01;
const CONFIG_MAINT: u8 = 0x04;
const FORCED_DRAIN: u8 = 0x08;

/// Bits of `srv_check_state`.
const CONFIGURED: u8 = 0x02;
const ENABLED: u8 = 0x04;
const PAUSED: u8 = 0x08;
const RUNNING: u8 = 0x01;

/// A line for each server of a backend, as of `now_ms` on the process clock.
pub fn lines(settings: &Proxy, backend: &Backend, now_ms: u64) -> String {
    let mut out = String::new();
    for (entry, server) in backend.servers.iter().zip(&settings.servers) {
        line(&mut out, settings, entry, server, now_ms);
    }
    out
}

fn line(out: &mut String, settings: &Proxy, entry: &ServerEntry, server: &Server, now_ms: u64) {
    let Place { address, port } = place(&entry.address);
    let (state, check) = (&entry.state, &entry.state.check);
    let seconds = now_ms.saturating_sub(state.since_ms) / 1000;
    let shown = |ip: Option<std::net::IpAddr>| ip.map_or("-".to_owned(), |ip| ip.to_string());
    let (check_ip, check_port) = entry.check_at;
    // `addr` and `port` of a server are also the agent's.
    let agent = server.check.map_or((None, None), |check| (check.address, check.port));
    // Formatting into a String cannot fail.
    let _ = writeln!(
        out,
        "{} {} {} {} {address} {} {} {} {} {seconds} {} {} {} {} 0 {} {} {} {port} - 0 {} {} {} {}",
        settings.id,
        settings.name,
        server.id,
        server.name,
        operation(entry),
        admin(state),
        entry.uweight,
        server.weight,
        status_number(check.status),
        result_number(state),
        check.health,
        check_state(state),
        u8::from(settings.custom_id),
        u8::from(server.custom_id),
        host_name(&server.host).unwrap_or("-"),
        check_port.unwrap_or(0),
        shown(check_ip),
        shown(agent.0),
        agent.1.unwrap_or(0),
    );
}

/// Where a server is, as tools read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `-` for a Unix socket.
    pub address: String,
    /// 0 when it is the client's or none; of a mapped one the offset.
    pub port: i64,
}

/// The address and port of a server.
pub fn place(address: &ServerAddress) -> Place {
    match address {
        ServerAddress::Tcp(address) => {
            Place { address: address.ip().to_string(), port: i64::from(address.port()) }
        }
        ServerAddress::TcpMapped(ip, offset) => Place { address: ip.to_string(), port: i64::from(*offset) },
        ServerAddress::Unix(_) | ServerAddress::Abstract(_) => Place { address: "-".to_owned(), port: 0 },
    }
}

/// The host name in an address as written; None: it is an address already, or a socket.
fn host_name(written: &str) -> Option<&str> {
    let host = written.rsplit_once('@').map_or(written, |(_, host)| host);
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let is_name = host.contains(|c: char| c.is_ascii_alphabetic()) && !host.contains([':', '/', '[']);
    (is_name && !written.starts_with("abns@") && !written.starts_with("unix@")).then_some(host)
}

fn operation(entry: &ServerEntry) -> u8 {
    match entry.state.health {
        Health::Down => 0,
        Health::Up if entry.ramp_since_ms.is_some() => 1,
        Health::Up => 2,
        Health::Stopping => 3,
    }
}

fn admin(state: &ServerState) -> u8 {
    let bit = |set: bool, bit: u8| if set { bit } else { 0 };
    let admin = state.admin;
    bit(admin.maint, FORCED_MAINT) | bit(admin.disabled, CONFIG_MAINT) | bit(admin.drain, FORCED_DRAIN)
}

fn check_state(state: &ServerState) -> u8 {
    let running = if state.check.running { RUNNING } else { 0 };
    match state.checks {
        // HAProxy pauses the check that a disabled server does not have.
        Checks::Absent if state.admin.disabled => PAUSED,
        Checks::Absent => 0,
        Checks::Off => CONFIGURED | running,
        Checks::On if state.admin.maint => CONFIGURED | ENABLED | PAUSED | running,
        Checks::On => CONFIGURED | ENABLED | running,
    }
}

fn status_number(status: &str) -> u8 {
    match status {
        "INI" => 1,
        "SOCKERR" => 5,
        "L4OK" => 6,
        "L4TOUT" => 7,
        "L4CON" => 8,
        _ => 0,
    }
}

/// 0 unknown, 2 failed, 3 passed.
fn result_number(state: &ServerState) -> u8 {
    match state.check.status {
        _ if state.check.running => 0,
        "L4OK" => 3,
        "SOCKERR" | "L4TOUT" | "L4CON" => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::{Check, Config, ProxyId};
    use crate::session::op::ServerId;
    use crate::table::fixture;

    fn check(address: Option<&str>, port: Option<u16>) -> Option<Check> {
        let address = address.and_then(|text| text.parse().ok());
        Some(Check {
            inter_ms: 2_000,
            fastinter_ms: None,
            downinter_ms: None,
            rise: 2,
            fall: 3,
            address,
            port,
        })
    }

    #[test]
    fn lines_are_those_of_haproxy() {
        let mut settings = fixture::backend("b", 4);
        (settings.id, settings.custom_id) = (77, true);
        settings.servers[0].check = check(None, None);
        settings.servers[1] = Server {
            disabled: true,
            custom_id: true,
            check: check(Some("127.0.0.3"), Some(5)),
            ..fixture::server(9)
        };
        settings.servers[2].host = "localhost:21003".to_owned();
        settings.servers[3].address = ServerAddress::Unix("/run/x".into());
        let config = Config { proxies: vec![settings], ..Config::default() };
        let mut backend = Backend::new(&config, ProxyId(0), ServerId(0));
        let first = &mut backend.servers[0];
        (first.uweight, first.state.check.status, first.state.check.health) = (7, "L4OK", 4);
        first.state.admin.drain = true;
        backend.servers[2].state.health = Health::Stopping;
        let expected = "77 b 1 s1 127.0.0.1 2 8 7 1 3 6 3 4 6 0 1 0 - 21001 - 0 0 - - 0\n\
                        77 b 9 s9 127.0.0.1 0 5 1 1 3 1 0 0 14 0 1 1 - 21009 - 0 5 127.0.0.3 127.0.0.3 5\n\
                        77 b 3 s3 127.0.0.1 3 0 1 1 3 1 0 2 0 0 1 0 localhost 21003 - 0 0 - - 0\n\
                        77 b 4 s4 - 2 0 1 1 3 1 0 2 0 0 1 0 - 0 - 0 0 - - 0\n";
        assert_eq!(lines(&config.proxies[0], &backend, 3_999), expected);
    }

    #[test]
    fn host_names_are_told_from_addresses() {
        for (written, host) in [
            ("localhost:80", Some("localhost")),
            ("ipv4@impala-1.example", Some("impala-1.example")),
            ("10.0.0.1:80", None),
            ("[fe80::1]:80", None),
            ("::1", None),
            ("/run/x", None),
            ("abns@name", None),
        ] {
            assert_eq!(host_name(written), host, "{written}");
        }
    }
}
