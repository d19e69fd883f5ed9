//! The columns of `show stat`, in HAProxy's order (management guide, section 9.1).
//!
//! What belongs to HTTP, compression, caches, agents and idle server connections is empty or 0
//! exactly where HAProxy leaves it so for `mode tcp`.

use super::status::{algorithm, check_description};
use super::subject::{RowKind, Subject};
use super::value::Value;

/// One column: its name, the rows that have it, and how it is read.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// As in the header.
    pub name: &'static str,
    rows: u8,
    read: fn(&Subject<'_>) -> Value,
}

impl Column {
    /// Whether rows of this kind have it.
    pub(super) fn is_on(&self, kind: RowKind) -> bool {
        self.rows & bit(kind) != 0
    }

    /// The value for one row.
    pub(super) fn value(&self, subject: &Subject<'_>) -> Value {
        if self.rows & bit(subject.kind()) == 0 { Value::Empty } else { (self.read)(subject) }
    }
}

const fn bit(kind: RowKind) -> u8 {
    1 << kind as u8
}

const F: u8 = bit(RowKind::Frontend);
const L: u8 = bit(RowKind::Listener);
const S: u8 = bit(RowKind::Server);
const B: u8 = bit(RowKind::Backend);
const LF: u8 = L | F;
const BS: u8 = B | S;
const FB: u8 = F | B;
const FBS: u8 = F | B | S;
const LFB: u8 = L | F | B;
const LFBS: u8 = L | F | B | S;

const fn column(name: &'static str, rows: u8, read: fn(&Subject<'_>) -> Value) -> Column {
    Column { name, rows, read }
}

/// A column that no row of this proxy has.
const fn empty(name: &'static str) -> Column {
    column(name, 0, |_| Value::Empty)
}

/// A column that HAProxy fills although in `mode tcp` nothing ever counts in it.
const fn zero(name: &'static str, rows: u8) -> Column {
    column(name, rows, |_| Value::Number(0))
}

/// All columns in order.
pub static COLUMNS: &[Column] = &[
    column("pxname", LFBS, |s| Value::text(s.proxy.name.clone())),
    column("svname", LFBS, |s| s.name()),
    column("qcur", BS, |s| s.cell().waiting().into()),
    column("qmax", BS, |s| s.cell().peak_waiting().into()),
    column("scur", LFBS, |s| s.cell().live().into()),
    column("smax", LFBS, |s| s.cell().peak().into()),
    column("slim", LFBS, |s| s.limit()),
    column("stot", LFBS, |s| s.total(|f| &f.sessions, |b| &b.sessions)),
    column("bin", LFBS, |s| s.total(|f| &f.bytes_in, |b| &b.bytes_in)),
    column("bout", LFBS, |s| s.total(|f| &f.bytes_out, |b| &b.bytes_out)),
    column("dreq", LFB, |s| match s.accepted(|f| &f.denied_requests) {
        Value::Empty => Value::Number(0),
        denied => denied,
    }),
    zero("dresp", LFBS),
    column("ereq", LF, |s| s.accepted(|f| &f.request_errors)),
    column("econ", BS, |s| s.connected(|b| &b.connect_errors)),
    column("eresp", BS, |s| s.connected(|b| &b.response_errors)),
    column("wretr", BS, |s| s.connected(|b| &b.retries)),
    column("wredis", BS, |s| s.connected(|b| &b.redispatches)),
    column("status", LFBS, |s| s.status()),
    column("weight", BS, |s| s.weight()),
    column("act", BS, |s| s.servers(false)),
    column("bck", BS, |s| s.servers(true)),
    column("chkfail", S, |s| s.checked(|server| server.state.check.fails.into())),
    column("chkdown", BS, |s| s.downs()),
    column("lastchg", BS, |s| s.last_change()),
    column("downtime", BS, |s| s.downtime()),
    column("qlimit", S, |s| s.of_server(|server| Value::optional(server.maxqueue))),
    column("pid", LFBS, |_| Value::Number(1)),
    column("iid", LFBS, |s| s.proxy.id.into()),
    column("sid", LFBS, |s| s.number().into()),
    column("throttle", S, |s| {
        s.of_server(|server| {
            let starting = server.ramp_since_ms.is_some() && server.usable();
            Value::optional(starting.then_some(server.slots_percent.max(1)))
        })
    }),
    column("lbtot", BS, |s| s.connected(|b| &b.balanced)),
    empty("tracked"),
    column("type", LFBS, |s| Value::Number(s.kind() as u64)),
    column("rate", FBS, |s| s.rate().now.into()),
    column("rate_lim", F, |s| s.rate_limit()),
    column("rate_max", FBS, |s| s.rate().max.into()),
    column("check_status", S, |s| {
        s.checking(|server| {
            let check = &server.state.check;
            match check.running {
                true => Value::text(format!("* {}", check.status)),
                false => Value::text(check.status),
            }
        })
    }),
    column("check_code", S, |s| s.checking(|server| Value::optional(server.state.check.code))),
    column("check_duration", S, |s| s.checking(|server| Value::optional(server.state.check.duration_ms))),
    column("hrsp_1xx", F, |s| s.of_http(|f| &f.answers[0])),
    column("hrsp_2xx", F, |s| s.of_http(|f| &f.answers[1])),
    column("hrsp_3xx", F, |s| s.of_http(|f| &f.answers[2])),
    column("hrsp_4xx", F, |s| s.of_http(|f| &f.answers[3])),
    column("hrsp_5xx", F, |s| s.of_http(|f| &f.answers[4])),
    column("hrsp_other", F, |s| s.of_http(|f| &f.answers[5])),
    empty("hanafail"),
    column("req_rate", F, |s| s.request_rate().now.into()),
    column("req_rate_max", F, |s| s.request_rate().max.into()),
    column("req_tot", F, |s| s.requests().into()),
    column("cli_abrt", BS, |s| s.connected(|b| &b.client_aborts)),
    column("srv_abrt", BS, |s| s.connected(|b| &b.server_aborts)),
    zero("comp_in", FB),
    zero("comp_out", FB),
    zero("comp_byp", FB),
    zero("comp_rsp", FB),
    column("lastsess", BS, |s| s.last_session()),
    column("last_chk", S, |s| {
        s.checking(|server| match server.state.check.status {
            "INI" => Value::Empty,
            _ => Value::Text(server.state.check.desc.clone()),
        })
    }),
    empty("last_agt"),
    column("qtime", BS, |s| s.average(|b| &b.queue_time)),
    column("ctime", BS, |s| s.average(|b| &b.connect_time)),
    zero("rtime", BS),
    column("ttime", BS, |s| s.average(|b| &b.total_time)),
    empty("agent_status"),
    empty("agent_code"),
    empty("agent_duration"),
    column("check_desc", S, |s| {
        s.checking(|server| Value::text(check_description(server.state.check.status)))
    }),
    empty("agent_desc"),
    column("check_rise", S, |s| s.checking(|server| u32::from(server.state.check.rise).into())),
    column("check_fall", S, |s| s.checking(|server| u32::from(server.state.check.fall).into())),
    column("check_health", S, |s| s.checking(|server| u32::from(server.state.check.health).into())),
    empty("agent_rise"),
    empty("agent_fall"),
    empty("agent_health"),
    column("addr", L | S, |s| s.address()),
    empty("cookie"),
    column("mode", LFBS, |s| Value::text(s.mode())),
    column("algo", B, |s| Value::text(algorithm(s.proxy.balance))),
    column("conn_rate", F, |s| s.connection_rate().now.into()),
    column("conn_rate_max", F, |s| s.connection_rate().max.into()),
    column("conn_tot", LF, |s| s.accepted(|f| &f.connections)),
    column("intercepted", F, |s| s.of_http(|f| &f.intercepted)),
    column("dcon", LF, |s| s.accepted(|f| &f.denied_connections)),
    zero("dses", LF),
    zero("wrew", LFBS),
    column("connect", BS, |s| s.connected(|b| &b.connects)),
    zero("reuse", BS),
    empty("cache_lookups"),
    empty("cache_hits"),
    zero("srv_icur", S),
    // Idle connections have no limit, since there are none.
    column("src_ilim", S, |_| Value::Empty),
    column("qtime_max", BS, |s| s.longest(|b| &b.queue_time)),
    column("ctime_max", BS, |s| s.longest(|b| &b.connect_time)),
    zero("rtime_max", BS),
    column("ttime_max", BS, |s| s.longest(|b| &b.total_time)),
    zero("eint", LFBS),
    zero("idle_conn_cur", S),
    zero("safe_conn_cur", S),
    zero("used_conn_cur", S),
    column("need_conn_est", S, |s| s.cell().live().into()),
    column("uweight", BS, |s| s.user_weight()),
    zero("agg_server_status", B),
    zero("agg_server_check_status", B),
    zero("agg_check_status", B),
    zero("srid", S),
    column("sess_other", F, |s| s.accepted(|f| &f.sessions)),
    zero("h1sess", F),
    zero("h2sess", F),
    zero("h3sess", F),
    zero("req_other", F),
    zero("h1req", F),
    zero("h2req", F),
    zero("h3req", F),
    column("proto", L, |s| s.protocol()),
    zero("priv_idle_cur", S),
    // A relay passes on what it received: request and response bytes count the same in and out.
    column("reqbin", LFBS, |s| s.total(|f| &f.bytes_in, |b| &b.bytes_in)),
    column("reqbout", LFBS, |s| s.total(|f| &f.bytes_in, |b| &b.bytes_in)),
    column("resbin", LFBS, |s| s.total(|f| &f.bytes_out, |b| &b.bytes_out)),
    column("resbout", LFBS, |s| s.total(|f| &f.bytes_out, |b| &b.bytes_out)),
    empty("cache_hint_hits"),
    // Columns of modules would follow this mark; there are none yet.
    column("-", LFBS, |_| Value::text("-")),
];
