//! Rows and lines against what haproxy shows for the same state.

use super::counters::{BackendCounters, FrontendCounters};
use super::fixture::{config, sources, sources_of};
use super::rows::rows_at;
use super::{COLUMNS, Row, RowKind, Sources, Style, Value, csv};
use crate::config::model::{BindId, ProxyId};
use crate::session::op::ServerId;
use crate::table::Health;

/// Header of haproxy 2.6 up to the columns of its modules.
const HEADER_2_6: &str = "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,act,bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked,type,rate,rate_lim,rate_max,check_status,check_code,check_duration,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,hanafail,req_rate,req_rate_max,req_tot,cli_abrt,srv_abrt,comp_in,comp_out,comp_byp,comp_rsp,lastsess,last_chk,last_agt,qtime,ctime,rtime,ttime,agent_status,agent_code,agent_duration,check_desc,agent_desc,check_rise,check_fall,check_health,agent_rise,agent_fall,agent_health,addr,cookie,mode,algo,conn_rate,conn_rate_max,conn_tot,intercepted,dcon,dses,wrew,connect,reuse,cache_lookups,cache_hits,srv_icur,src_ilim,qtime_max,ctime_max,rtime_max,ttime_max,eint,idle_conn_cur,safe_conn_cur,used_conn_cur,need_conn_est,uweight,agg_server_status,agg_server_check_status,agg_check_status,";

/// Columns that haproxy 3.x added, then the mark before module columns.
const HEADER_SINCE: &str = "srid,sess_other,h1sess,h2sess,h3sess,req_other,h1req,h2req,h3req,proto,priv_idle_cur,reqbin,reqbout,resbin,resbout,cache_hint_hits,-,\n";

/// The columns that haproxy 2.6 fills in `mode tcp`, by row.
const FRONTEND_2_6: &str = "pxname svname scur smax slim stot bin bout dreq dresp ereq status pid iid sid type rate rate_lim rate_max req_rate req_rate_max req_tot comp_in comp_out comp_byp comp_rsp mode conn_rate conn_rate_max conn_tot dcon dses wrew eint";
const LISTENER_2_6: &str = "pxname svname scur smax slim stot bin bout dreq dresp ereq status pid iid sid type addr mode dcon dses wrew eint";
const CHECKED_2_6: &str = "pxname svname qcur qmax scur smax slim stot bin bout dresp econ eresp wretr wredis status weight act bck chkfail chkdown lastchg downtime qlimit pid iid sid lbtot type rate rate_max check_status check_duration cli_abrt srv_abrt lastsess last_chk qtime ctime rtime ttime check_desc check_rise check_fall check_health addr mode wrew connect reuse srv_icur qtime_max ctime_max rtime_max ttime_max eint idle_conn_cur safe_conn_cur used_conn_cur need_conn_est uweight";
const UNCHECKED_2_6: &str = "pxname svname qcur qmax scur smax stot bin bout dresp econ eresp wretr wredis status weight act bck lastchg pid iid sid lbtot type rate rate_max cli_abrt srv_abrt lastsess qtime ctime rtime ttime addr mode wrew connect reuse srv_icur qtime_max ctime_max rtime_max ttime_max eint idle_conn_cur safe_conn_cur used_conn_cur need_conn_est uweight";
const BACKEND_2_6: &str = "pxname svname qcur qmax scur smax slim stot bin bout dreq dresp econ eresp wretr wredis status weight act bck chkdown lastchg downtime pid iid sid lbtot type rate rate_max cli_abrt srv_abrt comp_in comp_out comp_byp comp_rsp lastsess qtime ctime rtime ttime mode algo wrew connect reuse qtime_max ctime_max rtime_max ttime_max eint uweight agg_server_status agg_server_check_status agg_check_status";

/// The rows one hour after the start.
fn rows(sources: &Sources) -> Vec<Row> {
    super::rows::rows_at(sources, &sources.table.load(), 3_600_000)
}

fn named<'a>(rows: &'a [Row], name: &str) -> &'a Row {
    rows.iter().find(|row| row.value("svname").to_string() == name).expect("a row of that name")
}

fn shown(row: &Row, columns: &str) -> String {
    let values = columns.split(' ').map(|name| row.value(name).to_string());
    values.collect::<Vec<_>>().join(" ")
}

/// Columns that a row fills, of those that haproxy 2.6 has too.
fn filled(row: &Row) -> String {
    let known = HEADER_2_6.matches(',').count();
    let names = COLUMNS[..known].iter().zip(&row.values).filter(|(_, value)| **value != Value::Empty);
    names.map(|(column, _)| column.name).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_columns_are_haproxys_in_its_order() {
    let (sources, _publisher) = sources();
    let text = csv(&sources);
    let (header, body) = text.split_at(text.find('\n').expect("a header") + 1);
    assert_eq!(header, format!("{HEADER_2_6}{HEADER_SINCE}"));
    assert_eq!(COLUMNS.len(), 120, "0 to 118, and the mark");
    for line in body.lines() {
        assert_eq!(line.matches(',').count(), COLUMNS.len(), "{line}");
        assert!(line.ends_with(",-,"));
    }
}

#[test]
fn each_kind_of_row_fills_what_haproxy_fills() {
    let (sources, mut publisher) = sources();
    publisher.update(
        ProxyId(0),
        0,
        |state| {
            state.check.status = "L4CON";
            state.check.desc = "Connection refused".into();
            state.check.duration_ms = Some(0);
        },
        0,
    );
    let rows = rows(&sources);
    assert_eq!(filled(named(&rows, "FRONTEND")), FRONTEND_2_6);
    // conn_tot of a listener came with 3.x.
    let listener = LISTENER_2_6.replace(" dcon", " conn_tot dcon");
    assert_eq!(filled(named(&rows, "one")), listener);
    assert_eq!(filled(named(&rows, "s1")), CHECKED_2_6);
    assert_eq!(filled(named(&rows, "s2")), UNCHECKED_2_6);
    assert_eq!(filled(named(&rows, "BACKEND")), BACKEND_2_6);
    let without_servers = rows.last().expect("rows");
    assert_eq!(filled(without_servers), BACKEND_2_6.replace(" downtime", ""));
}

#[test]
fn rows_come_by_proxy_and_disabled_proxies_have_none() {
    let (sources, _publisher) = sources();
    let seen: Vec<String> =
        rows(&sources).iter().map(|row| shown(row, "pxname svname type iid sid")).collect();
    let expected = [
        "tl FRONTEND 0 2 0",
        "tl one 3 2 1",
        "tl sock-2 3 2 2",
        "tl sock-3 3 2 3",
        "tl s1 2 2 1",
        "tl s2 2 2 2",
        "tl BACKEND 1 2 0",
        "hs BACKEND 1 4 0",
    ];
    assert_eq!(seen, expected);
    let mut plain = config();
    plain.proxies[0].options.socket_stats = false;
    let (sources, _publisher) = sources_of(plain);
    assert!(rows(&sources).iter().all(|row| row.kind != RowKind::Listener));
}

#[test]
fn totals_are_sums_over_workers() {
    let (sources, _publisher) = sources();
    for worker in &sources.counters {
        let count = |front: &FrontendCounters| {
            front.sessions.add(2);
            front.connections.add(3);
            front.bytes_in.add(10);
            front.bytes_out.add(20);
            front.denied_requests.add(4);
            front.denied_connections.add(1);
            front.request_errors.add(5);
        };
        count(worker.frontend(ProxyId(0)));
        count(worker.bind(BindId(0)));
        let count = |back: &BackendCounters| {
            back.sessions.add(6);
            back.balanced.add(5);
            back.connects.add(7);
            back.connect_errors.add(1);
            back.response_errors.add(2);
            back.retries.add(3);
            back.redispatches.add(4);
            back.client_aborts.add(8);
            back.server_aborts.add(9);
            back.queue_time.sample(1);
            back.connect_time.sample(2);
            back.total_time.sample(50);
        };
        count(worker.backend(ProxyId(0)));
        count(worker.server(ServerId(0)));
    }
    sources.counters[1].server(ServerId(0)).total_time.sample(101);
    sources.counters[1].server(ServerId(0)).last_session_ms.raise(3_500_001);
    let rows = rows(&sources);
    let front = "stot bin bout dreq ereq conn_tot dcon reqbin resbout";
    assert_eq!(shown(named(&rows, "FRONTEND"), front), "4 20 40 8 10 6 2 20 40");
    assert_eq!(shown(named(&rows, "one"), front), "4 20 40 8 10 6 2 20 40");
    assert_eq!(named(&rows, "FRONTEND").value("sess_other"), &Value::Number(4));
    let back = "stot lbtot connect econ eresp wretr wredis cli_abrt srv_abrt qtime ctime";
    for name in ["BACKEND", "s1"] {
        assert_eq!(shown(named(&rows, name), back), "12 10 14 2 4 6 8 16 18 1 2");
    }
    // (50 + 50 + 101) / 3, and the largest; the last session was 100 s ago.
    assert_eq!(shown(named(&rows, "s1"), "ttime ttime_max lastsess"), "67 101 100");
    assert_eq!(shown(named(&rows, "s2"), "stot ttime lastsess"), "0 0 -1");
}

#[test]
fn live_counts_queues_and_limits_come_from_the_load() {
    let (sources, _publisher) = sources();
    let load = &sources.load;
    load.frontend(ProxyId(0)).take(None);
    load.bind(BindId(0)).take(None);
    load.backend(ProxyId(0)).take(None);
    for _ in 0..3 {
        load.server(ServerId(0)).take(None);
    }
    load.server(ServerId(0)).release();
    load.server(ServerId(0)).enter_queue();
    load.backend(ProxyId(0)).enter_queue();
    load.backend(ProxyId(0)).leave_queue();
    let rows = rows(&sources);
    assert_eq!(shown(named(&rows, "s1"), "qcur qmax scur smax slim qlimit"), "1 1 2 3 10 3");
    assert_eq!(shown(named(&rows, "s2"), "scur slim qlimit"), "0  ");
    assert_eq!(shown(named(&rows, "BACKEND"), "qcur qmax scur smax slim"), "0 1 1 1 50");
    assert_eq!(shown(named(&rows, "FRONTEND"), "scur smax slim status"), "1 1 500 OPEN");
    assert_eq!(shown(named(&rows, "one"), "scur slim addr status proto"), "1 2 127.0.0.1:38123 OPEN tcpv4");
    assert_eq!(shown(named(&rows, "sock-2"), "slim addr status proto"), "0 unix OPEN unix_stream");
    assert_eq!(shown(named(&rows, "sock-3"), "addr proto"), "[::1]:38123 tcpv6");
}

#[test]
fn listeners_show_whose_limit_holds_them() {
    let mut limited = config();
    limited.proxies[0].maxconn = Some(3);
    let (mut sources, _publisher) = sources_of(limited);
    let status = |sources: &Sources| shown(named(&rows(sources), "one"), "status");
    for _ in 0..2 {
        sources.load.bind(BindId(0)).take(None);
        sources.load.frontend(ProxyId(0)).take(None);
    }
    assert_eq!(status(&sources), "FULL");
    sources.load.bind(BindId(0)).release();
    sources.load.frontend(ProxyId(0)).take(None);
    assert_eq!(status(&sources), "WAITING");
    sources.stopping = true;
    assert_eq!(shown(named(&rows(&sources), "FRONTEND"), "status"), "STOP");
}

#[test]
fn checks_show_as_haproxy_shows_them() {
    let (sources, mut publisher) = sources();
    let columns =
        "status weight chkfail chkdown check_status check_duration last_chk check_desc check_health";
    let row = |sources: &Sources| shown(named(&rows(sources), "s1"), columns);
    assert_eq!(row(&sources), "UP 1/3 5 0 0 INI   Initializing 2");
    let mut set = |status, desc: &'static str, health, up, fails| {
        publisher.update(
            ProxyId(0),
            0,
            |state| {
                state.health = if up { Health::Up } else { Health::Down };
                state.check.status = status;
                state.check.desc = desc.into();
                state.check.duration_ms = Some(7);
                (state.check.health, state.check.fails) = (health, fails);
                state.check.downs = u64::from(!up);
            },
            1000,
        );
    };
    set("L4OK", "", 4, true, 0);
    assert_eq!(row(&sources), "UP 5 0 0 L4OK 7  Layer4 check passed 4");
    set("L4CON", "Connection refused", 3, true, 1);
    assert_eq!(row(&sources), "UP 2/3 5 1 0 L4CON 7 Connection refused Layer4 connection problem 3");
    set("L4TOUT", "", 0, false, 3);
    assert_eq!(row(&sources), "DOWN 5 3 1 L4TOUT 7  Layer4 timeout 0");
    assert_eq!(shown(named(&rows(&sources), "s1"), "downtime lastchg act"), "3599 3599 1");
    set("L4OK", "", 1, false, 3);
    assert_eq!(row(&sources), "DOWN 1/2 5 3 1 L4OK 7  Layer4 check passed 1");
}

#[test]
fn drain_and_maintenance_show_before_the_checks() {
    let (sources, mut publisher) = sources();
    let status = |name: &str| shown(named(&rows(&sources), name), "status weight check_status chkfail");
    assert_eq!(status("s2"), "no check 1  ");
    for server in [0, 1] {
        publisher.update(ProxyId(0), server, |state| state.admin.drain = true, 0);
    }
    assert_eq!((status("s1"), status("s2")), ("DRAIN 1/3 5 INI 0".into(), "DRAIN 1  ".into()));
    for server in [0, 1] {
        publisher.update(ProxyId(0), server, |state| state.admin.maint = true, 0);
    }
    assert_eq!((status("s1"), status("s2")), ("MAINT 5  0".into(), "MAINT 1  ".into()));
    publisher.update(ProxyId(0), 0, |state| (state.admin.maint, state.admin.drain) = (false, false), 0);
    publisher.update(ProxyId(0), 0, |state| state.check.running = true, 0);
    assert_eq!(status("s1"), "UP 1/3 5 * INI 0");
}

#[test]
fn a_backend_counts_its_usable_servers_and_remembers_its_outages() {
    let (sources, mut publisher) = sources();
    let columns = "status weight uweight act bck chkdown downtime";
    let row = |now_ms| shown(named(&rows_at(&sources, &sources.table.load(), now_ms), "BACKEND"), columns);
    assert_eq!(row(0), "UP 6 6 2 0 0 0");
    publisher.update(ProxyId(0), 0, |state| state.health = Health::Down, 1_000);
    assert_eq!(row(1_000), "UP 1 1 1 0 0 0");
    publisher.update(ProxyId(0), 1, |state| state.admin.maint = true, 1_600_000);
    assert_eq!(row(1_602_000), "DOWN 0 0 0 0 1 2");
    publisher.update(ProxyId(0), 1, |state| state.admin.maint = false, 1_700_000);
    assert_eq!(row(3_600_000), "UP 1 1 1 0 1 100");
    let empty = rows(&sources);
    assert_eq!(shown(empty.last().expect("rows"), "status act chkdown downtime"), "UP 0 0 ");
}

#[test]
fn slowstart_shows_as_throttle() {
    let mut slow = config();
    slow.proxies[0].servers[1].slowstart_ms = Some(10_000);
    slow.proxies[0].servers[1].weight = 16;
    let (sources, mut publisher) = sources_of(slow);
    let row = |sources: &Sources| shown(named(&rows(sources), "s2"), "weight uweight throttle");
    assert_eq!(row(&sources), "16 16 ");
    publisher.update(ProxyId(0), 1, |state| state.admin.maint = true, 0);
    publisher.update(ProxyId(0), 1, |state| state.admin.maint = false, 1000);
    assert_eq!(row(&sources), "1 16 1");
    publisher.tick(6000);
    assert_eq!(row(&sources), "9 16 50");
}

#[test]
fn rates_slide_over_the_last_second_and_maxima_stay() {
    let (mut sources, _publisher) = sources();
    let counters = sources.counters.clone();
    let count = |sessions| {
        for worker in &counters {
            worker.frontend(ProxyId(0)).sessions.add(sessions);
            worker.frontend(ProxyId(0)).connections.add(2 * sessions);
            worker.backend(ProxyId(0)).sessions.add(sessions);
            worker.server(ServerId(1)).sessions.add(sessions);
            worker.process().connections.add(2 * sessions);
            worker.process().bytes_out.add(100 * sessions);
        }
    };
    let row = |sources: &Sources, now_ms, name: &str, columns: &str| {
        shown(named(&super::rows::rows_at(sources, &sources.table.load(), now_ms), name), columns)
    };
    let frontend = "rate rate_max conn_rate conn_rate_max";
    count(5);
    assert_eq!(row(&sources, 100, "FRONTEND", frontend), "10 10 20 20", "seen before the first sample");
    sources.rates.sample(1000, 500_000_000, &counters, &sources.table.load());
    count(1);
    // Two fresh ones, and half of the ten before.
    assert_eq!(row(&sources, 1500, "FRONTEND", frontend), "7 10 14 20");
    assert_eq!(row(&sources, 1500, "BACKEND", "rate rate_max"), "7 10");
    assert_eq!(row(&sources, 1500, "s2", "rate rate_max"), "7 10");
    assert_eq!(row(&sources, 1500, "s1", "rate rate_max"), "0 0");
    let info = super::info::info_values_at(&sources, 1500);
    let value = |name| info.iter().find(|(shown, _)| *shown == name).expect("a line").1.number();
    let names = ["ConnRate", "MaxConnRate", "SessRate", "MaxSessRate", "BytesOutRate", "Idle_pct"];
    // Half a second of processor time in one second on two workers.
    assert_eq!(names.map(value), [14, 20, 7, 10, 700, 75]);
    sources.rates.sample(2000, 500_000_000, &counters, &sources.table.load());
    count(1);
    sources.rates.sample(2004, 500_000_000, &counters, &sources.table.load());
    assert_eq!(row(&sources, 2004, "FRONTEND", "rate rate_max"), "3 10", "two in 4 ms are not 500 a second");
    assert_eq!(row(&sources, 5000, "FRONTEND", frontend), "0 10 0 20");
    assert_eq!(sources.rates.idle_percent(2), 100);
}

/// The names of section `show info` of haproxy 3.x in order, without `description`.
const INFO: &str = "Name Version Release_date Nbthread Nbproc Process_num Pid Uptime Uptime_sec Memmax_MB PoolAlloc_MB PoolUsed_MB PoolFailed Ulimit-n Maxsock Maxconn Hard_maxconn CurrConns CumConns CumReq MaxSslConns CurrSslConns CumSslConns Maxpipes PipesUsed PipesFree ConnRate ConnRateLimit MaxConnRate SessRate SessRateLimit MaxSessRate SslRate SslRateLimit MaxSslRate SslFrontendKeyRate SslFrontendMaxKeyRate SslFrontendSessionReuse_pct SslBackendKeyRate SslBackendMaxKeyRate SslCacheLookups SslCacheMisses CompressBpsIn CompressBpsOut CompressBpsRateLim Tasks Run_queue Idle_pct node Stopping Jobs Unstoppable_Jobs Listeners ActivePeers ConnectedPeers DroppedLogs BusyPolling FailedResolutions TotalBytesOut TotalSplicedBytesOut BytesOutRate DebugCommandsIssued CumRecvLogs Build_info Memmax_bytes PoolAlloc_bytes PoolUsed_bytes Start_time_sec Tainted TotalWarnings MaxconnReached BootTime_ms Niced_tasks CurrStreams CumStreams BlockedTrafficWarnings PatternsAdded PatternsFreed NbThreadGroups";

#[test]
fn info_has_haproxys_names_in_its_order() {
    let (sources, _publisher) = sources();
    let names: Vec<String> = Style::default()
        .info(&sources)
        .lines()
        .map(|line| line.split_once(": ").expect("name and value").0.replace(' ', "_"))
        .collect();
    assert_eq!(names.join(" "), INFO);
}

#[test]
fn info_tells_of_this_process() {
    let mut described = config();
    described.global.description = Some("mydesc".to_owned());
    let (mut sources, _publisher) = sources_of(described);
    sources.load.process().take(None);
    sources.dropped_logs.fetch_add(2, std::sync::atomic::Ordering::Relaxed);
    for worker in &sources.counters {
        worker.process().dropped_logs.add(3);
        worker.process().connections.add(4);
        worker.process().spliced_bytes_out.add(7);
        worker.process().maxconn_reached.add(1);
        worker.process().pipes_used.fetch_add(2, std::sync::atomic::Ordering::Relaxed);
        worker.frontend(ProxyId(0)).sessions.add(5);
    }
    let text = Style::default().info(&sources);
    for line in [
        "Nbthread: 2",
        &format!("Pid: {}", std::process::id()),
        "Ulimit-n: 1036",
        "Maxconn: 500",
        "CurrConns: 1",
        "CumConns: 8",
        "CumReq: 10",
        "Maxpipes: 125",
        "PipesUsed: 4",
        "node: vm",
        "description: mydesc",
        "Stopping: 0",
        "Jobs: 4",
        "Listeners: 3",
        "DroppedLogs: 8",
        "TotalSplicedBytesOut: 14",
        "Start_time_sec: 1795220933",
        "TotalWarnings: 1",
        "MaxconnReached: 2",
        "BootTime_ms: 12",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} in\n{text}");
    }
    sources.stopping = true;
    let text = Style::default().info(&sources);
    assert!(text.contains("\nStopping: 1\nJobs: 1\n") && text.contains("\nListeners: 0\n"));
}
