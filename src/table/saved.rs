//! The states of servers as text: `show servers state`, which a later process may read back
//! (management manual, `show servers state`; configuration manual, `server-state-file`).

use std::fmt::Write;
use std::net::IpAddr;

use crate::config::model::{Proxy, Server, ServerAddress};

use super::state::{Admin, Checks, Health, ServerState};
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
const RESOLUTION_MAINT: u8 = 0x20;

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
    let Place { address, port } = place(entry);
    let (state, check) = (&entry.state, &entry.state.check);
    let seconds = state.age_ms(now_ms) / 1000;
    let shown = |ip: Option<IpAddr>| ip.map_or("-".to_owned(), |ip| ip.to_string());
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
    /// `-` for a Unix socket, and when it is not known.
    pub address: String,
    /// 0 when it is the client's or none; of a mapped one the offset.
    pub port: i64,
}

/// The address and port of a server.
pub fn place(entry: &ServerEntry) -> Place {
    match &entry.address {
        ServerAddress::Tcp(address) if entry.state.admin.unresolved => {
            Place { address: "-".to_owned(), port: i64::from(address.port()) }
        }
        ServerAddress::TcpMapped(_, offset) if entry.state.admin.unresolved => {
            Place { address: "-".to_owned(), port: i64::from(*offset) }
        }
        ServerAddress::Tcp(address) => {
            Place { address: address.ip().to_string(), port: i64::from(address.port()) }
        }
        ServerAddress::TcpMapped(ip, offset) => Place { address: ip.to_string(), port: i64::from(*offset) },
        ServerAddress::Unix(_) | ServerAddress::Abstract(_) => Place { address: "-".to_owned(), port: 0 },
    }
}

/// The host name in an address as written; None: it is an address already, or a socket.
pub fn host_name(written: &str) -> Option<&str> {
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
    bit(admin.maint, FORCED_MAINT)
        | bit(admin.disabled, CONFIG_MAINT)
        | bit(admin.drain, FORCED_DRAIN)
        | bit(admin.unresolved, RESOLUTION_MAINT)
}

fn check_state(state: &ServerState) -> u8 {
    let running = if state.check.running { RUNNING } else { 0 };
    match state.checks {
        // HAProxy pauses the check that a disabled server does not have.
        Checks::Absent if state.admin.disabled => PAUSED,
        Checks::Absent => 0,
        Checks::Off if state.admin.disabled => CONFIGURED | PAUSED | running,
        Checks::Off => CONFIGURED | running,
        Checks::On if state.admin.is_out() => CONFIGURED | ENABLED | PAUSED | running,
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

/// What a file says of one server: its fields as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(Vec<String>);

/// Why a file is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corrupt {
    /// Its first line is not [`VERSION`].
    Version,
    /// This line has too few or too many fields; the line after the version is 1.
    Line(usize),
}

/// Fields of a line: older versions wrote fewer.
const COUNTS: std::ops::RangeInclusive<usize> = 19..=25;

/// The servers of a file.
pub fn read(text: &str) -> Result<Vec<Row>, Corrupt> {
    let mut lines = text.lines();
    if lines.next().map(str::trim_end) != Some(VERSION) {
        return Err(Corrupt::Version);
    }
    let mut rows = Vec::new();
    if !text.ends_with('\n') {
        // Cut off in the middle of a line.
        return Err(Corrupt::Line(text.lines().count() - 1));
    }
    for (number, line) in (1..).zip(lines) {
        let fields: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        match fields.first() {
            None => {}
            Some(first) if first.starts_with('#') => {}
            Some(_) if COUNTS.contains(&fields.len()) => rows.push(Row(fields)),
            Some(_) => return Err(Corrupt::Line(number)),
        }
    }
    Ok(rows)
}

/// What a server is to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// As by the checks; Down in maintenance.
    pub health: Health,
    /// What the checks had said.
    pub was: Health,
    /// As by the operator, and by the configuration now.
    pub admin: Admin,
    /// Since when it is so, before the process began.
    pub aged_ms: u64,
    uweight: Option<u16>,
    /// Of a server by name only, where the configuration asks for it.
    ip: Option<IpAddr>,
    port: Option<u16>,
    check_at: (Option<IpAddr>, Option<u16>),
    status: &'static str,
    check_health: u16,
    checks_off: bool,
}

impl Row {
    fn field(&self, at: usize) -> &str {
        self.0.get(at).map_or("-", String::as_str)
    }

    /// Whether it is about this backend: by name, or by an id that both files give.
    pub fn is_of(&self, settings: &Proxy) -> bool {
        let by_id = settings.custom_id && self.field(15) == "1" && self.field(0).parse() == Ok(settings.id);
        self.field(1) == settings.name || by_id
    }

    /// Whether it is about this server.
    pub fn is_about(&self, server: &Server) -> bool {
        let by_id = server.custom_id && self.field(16) == "1" && self.field(2).parse() == Ok(server.id);
        self.field(3) == server.name || by_id
    }

    /// What it makes of a server; Err: which fields make no sense.
    pub fn restored(&self, server: &Server) -> Result<Restored, String> {
        let mut wrong = String::new();
        let mut number = |at: usize, name: &str, high: u64| {
            let value = self.field(at).parse::<u64>().ok().filter(|value| *value <= high);
            if value.is_none() {
                let _ = write!(wrong, ", invalid {name} value '{}'", self.field(at));
            }
            value.unwrap_or(0)
        };
        let operation = number(5, "srv_op_state", 3) as u8;
        let admin = number(6, "srv_admin_state", 0x7f) as u8;
        let uweight = number(7, "srv_uweight", 256) as u16;
        let iweight = number(8, "srv_iweight", 256) as u16;
        let seconds = number(9, "srv_last_time_change", u64::from(u32::MAX));
        let status = number(10, "srv_check_status", 255) as u8;
        let check_health = number(12, "srv_check_health", u64::from(u16::MAX)) as u16;
        let check_state = number(13, "srv_check_state", 0x1f) as u8;
        // Of a server whose port is the client's it is the offset, which may be negative and is the configuration's.
        let port = match server.address {
            ServerAddress::TcpMapped(..) => 0,
            _ => number(18, "srv_port", u64::from(u16::MAX)) as u16,
        };
        if admin & FORCED_MAINT != 0 && admin & FORCED_DRAIN != 0 {
            let _ = write!(wrong, ", invalid srv_admin_state value '{admin}'");
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let ip: Option<IpAddr> = self.field(4).parse().ok().filter(|_| server.takes_last);
        let known = admin_of(server, admin, iweight);
        let admin = Admin { unresolved: known.unresolved && ip.is_none(), ..known };
        let was = health_of(operation);
        Ok(Restored {
            health: if admin.is_out() { Health::Down } else { was },
            was,
            admin,
            aged_ms: seconds * 1000,
            uweight: (iweight == server.weight).then_some(uweight),
            ip,
            port: (port > 0).then_some(port),
            check_at: (self.field(22).parse().ok(), self.field(21).parse().ok().filter(|port| *port > 0)),
            status: status_word(status),
            check_health,
            // A server that had no check then has one that is on.
            checks_off: server.check.is_some() && check_state & (CONFIGURED | ENABLED) == CONFIGURED,
        })
    }
}

/// The file's maintenance counts unless it came from the configuration of then; the configuration's of now
/// counts unless the operator had ended it. A drain counts unless it was that of the weight 0 of then.
fn admin_of(server: &Server, bits: u8, iweight: u16) -> Admin {
    let (forced, configured) = (bits & FORCED_MAINT != 0, bits & CONFIG_MAINT != 0);
    let maint = if server.disabled { forced || !configured } else { forced && !configured };
    let drain = bits & FORCED_DRAIN != 0 && !maint && (iweight > 0 || server.weight == 0);
    Admin { maint, disabled: server.disabled, drain, unresolved: server.unresolved }
}

fn health_of(operation: u8) -> Health {
    match operation {
        0 => Health::Down,
        3 => Health::Stopping,
        _ => Health::Up,
    }
}

fn status_word(number: u8) -> &'static str {
    match number {
        5 => "SOCKERR",
        6 => "L4OK",
        7 => "L4TOUT",
        8 => "L4CON",
        _ => "INI",
    }
}

impl Restored {
    /// Begins with it.
    pub fn apply(&self, entry: &mut ServerEntry) {
        entry.uweight = self.uweight.unwrap_or(entry.uweight);
        if let (ServerAddress::Tcp(address), Some(port)) = (&mut entry.address, self.port) {
            address.set_port(port);
        }
        match (&mut entry.address, self.ip) {
            (ServerAddress::Tcp(address), Some(ip)) => address.set_ip(ip),
            (ServerAddress::TcpMapped(known, _), Some(ip)) => *known = ip,
            _ => {}
        }
        let (ip, port) = entry.check_at;
        entry.check_at = (self.check_at.0.or(ip), self.check_at.1.or(port));
        let state = &mut entry.state;
        (state.health, state.admin, state.aged_ms) = (self.health, self.admin, self.aged_ms);
        if self.checks_off {
            state.checks = Checks::Off;
        }
        let best = state.check.rise.saturating_add(state.check.fall.saturating_sub(1));
        state.check.status = self.status;
        state.check.downs += u64::from(self.was == Health::Down && !state.admin.is_out());
        state.check.health = match self.health {
            Health::Down => 0,
            Health::Up => best,
            Health::Stopping if (state.check.rise..best).contains(&self.check_health) => self.check_health,
            Health::Stopping => state.check.rise,
        };
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

    fn restored(server: &Server, fields: &str) -> Result<Restored, String> {
        let text = format!("1\n# names\n3 b 1 s1 {fields} 0 0 0 - 21009 - 0 25000 127.0.0.8 - 0\n");
        let rows = read(&text).expect("readable");
        assert!(rows[0].is_about(server) && rows[0].is_of(&fixture::backend("b", 1)));
        rows[0].restored(server)
    }

    #[test]
    fn a_server_goes_on_from_its_line() {
        let mut server = Server { check: check(None, None), weight: 10, ..fixture::server(1) };
        let mut entry = ServerEntry::new(ServerId(0), &server);
        restored(&server, "10.0.0.9 3 8 4 10 100 7 2 3 2").expect("valid").apply(&mut entry);
        assert_eq!((entry.uweight, entry.state.health, entry.state.admin.drain), (4, Health::Stopping, true));
        assert_eq!((entry.state.check.status, entry.state.check.health), ("L4TOUT", 3));
        assert_eq!((entry.state.checks, entry.state.age_ms(5_000)), (Checks::Off, 105_000));
        assert_eq!(place(&entry), Place { address: "127.0.0.1".to_owned(), port: 21_009 });
        assert_eq!(entry.check_at, ("127.0.0.8".parse().ok(), Some(25_000)));
        // Another weight in the configuration than then: it counts.
        server.weight = 7;
        let mut entry = ServerEntry::new(ServerId(0), &server);
        restored(&server, "127.0.0.1 0 0 4 10 100 8 2 0 6").expect("valid").apply(&mut entry);
        assert_eq!((entry.uweight, entry.state.health, entry.state.check.health), (7, Health::Down, 0));
    }

    #[test]
    fn checks_are_off_where_they_were_switched_off_and_not_where_there_were_none() {
        for (check_state, checks) in
            [(0, Checks::On), (8, Checks::On), (6, Checks::On), (2, Checks::Off), (10, Checks::Off)]
        {
            let server = Server { check: check(None, None), ..fixture::server(1) };
            let mut entry = ServerEntry::new(ServerId(0), &server);
            let fields = format!("127.0.0.1 2 0 1 1 9 1 0 2 {check_state}");
            restored(&server, &fields).expect("valid").apply(&mut entry);
            assert_eq!(entry.state.checks, checks, "{check_state}");
        }
    }

    #[test]
    fn the_address_of_then_counts_where_the_configuration_asks_for_it() {
        for (takes_last, then, address, unresolved) in
            [(false, "10.0.0.9", "-", true), (true, "10.0.0.9", "10.0.0.9", false), (true, "-", "-", true)]
        {
            let server = Server { takes_last, unresolved: true, ..fixture::server(1) };
            let mut entry = ServerEntry::new(ServerId(0), &server);
            restored(&server, &format!("{then} 2 0 1 1 9 1 0 2 0")).expect("valid").apply(&mut entry);
            assert_eq!((place(&entry).address.as_str(), entry.state.admin.unresolved), (address, unresolved));
        }
    }

    /// The judgements of haproxy 2.6, by `disabled` now and the bits of then.
    #[test]
    fn maintenance_counts_unless_it_is_out_of_date() {
        for (disabled, bits, maint) in [
            (true, 4, false),
            (true, 0, true),
            (true, 1, true),
            (true, 5, true),
            (false, 1, true),
            (false, 5, false),
        ] {
            let server = Server { disabled, ..fixture::server(1) };
            let restored = restored(&server, &format!("127.0.0.1 2 {bits} 1 1 9 1 0 2 0")).expect("valid");
            assert_eq!(restored.admin.maint, maint, "disabled {disabled}, bits {bits}");
        }
    }

    #[test]
    fn a_drain_counts_unless_it_was_a_weight_that_is_no_more() {
        for (weight, iweight, drain) in [(0, 0, true), (5, 5, true), (5, 0, false), (0, 5, true)] {
            let server = Server { weight, ..fixture::server(1) };
            let restored = restored(&server, &format!("127.0.0.1 2 8 0 {iweight} 9 1 0 2 0")).expect("valid");
            assert_eq!(restored.admin.drain, drain, "{iweight} then, {weight} now");
        }
    }

    #[test]
    fn the_offset_of_a_mapped_port_is_the_configurations() {
        let address = ServerAddress::TcpMapped([127, 0, 0, 1].into(), -10_000);
        let server = Server { address, ..fixture::server(1) };
        let mut proxy = fixture::backend("b", 0);
        proxy.servers = vec![server.clone()];
        let config = Config { proxies: vec![proxy], ..Config::default() };
        let backend = Backend::new(&config, ProxyId(0), ServerId(0));
        let line = lines(&config.proxies[0], &backend, 0);
        assert_eq!(line.split(' ').nth(18), Some("-10000"));
        let [line] = &read(&format!("1\n# x\n{line}")).expect("a file")[..] else { panic!("one line") };
        assert_eq!(line.restored(&server).expect("valid").port, None);
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let wrong = |fields: &str| restored(&fixture::server(1), fields).expect_err("invalid");
        assert_eq!(wrong("127.0.0.1 2 9 1 1 9 1 0 2 0"), ", invalid srv_admin_state value '9'");
        let two = ", invalid srv_op_state value '9', invalid srv_uweight value 'x'";
        assert_eq!(wrong("127.0.0.1 9 0 x 1 9 1 0 2 0"), two);
    }

    #[test]
    fn a_file_is_taken_as_a_whole_or_not() {
        assert_eq!(read(""), Err(Corrupt::Version));
        assert_eq!(read("2\n# x\n"), Err(Corrupt::Version));
        assert_eq!(read("1\n# x\n\n3 b 2 d 127.0.0.1 2 0\n"), Err(Corrupt::Line(3)));
        assert_eq!(read("1\n# x\n3 b 1"), Err(Corrupt::Line(2)));
        assert_eq!(read("1\n# x\n"), Ok(Vec::new()));
    }
}
