//! `mode http` listeners: what a client of the stats page is answered, and the line logged for it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::runtime::ask;
use crate::scenario;
use crate::support::PATIENCE;
use crate::world::{World, rounded};

/// A page behind an account, with these lines more.
fn page(log_option: &str, more: &str) -> String {
    format!(
        "global
  nbthread 1
  log 127.0.0.1:{{log}} local0
  stats socket unix@stats.sock level admin
defaults
  mode http
  log global
{log_option}
  timeout connect 500
  timeout client 1s
  timeout server 20s
listen st
  bind 127.0.0.1:{{front}}
  stats enable
  stats uri /stats
{more}
backend b
  mode tcp
  server s1 127.0.0.1:1
  server s2 127.0.0.1:1
"
    )
}

/// How a client goes on after it has sent what it has to say.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Reads,
    HalfCloses,
    Closes,
}

const CLOSE: &str = "Host: x\r\nConnection: close\r\n";

fn request(method: &str, target: &str, more: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\n{CLOSE}{more}\r\n")
}

/// Sends it, notes the head of the answer, then the line that was logged for this client.
fn visit(world: &mut World, bytes: &str, then: Then) -> String {
    let (text, port) = talk(world, bytes, then);
    note_head(world, &text);
    note_line(world, port);
    text
}

/// Notes status and headers that matter.
fn note_head(world: &mut World, text: &str) {
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let matters = |line: &&str| {
        let line = line.to_ascii_lowercase();
        ["http/", "location", "www-", "connection", "refresh"].iter().any(|begin| line.starts_with(begin))
    };
    let kept: Vec<&str> = head.split("\r\n").filter(matters).collect();
    world.note("answer", kept.join(" | "));
}

/// What came back, and the client's port.
fn talk(world: &World, bytes: &str, then: Then) -> (String, u16) {
    let mut client = TcpStream::connect(world.front.address()).expect("connected");
    client.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    let port = client.local_addr().expect("bound").port();
    client.write_all(bytes.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    match then {
        Then::Closes => {}
        Then::Reads => drop(client.read_to_end(&mut answer)),
        Then::HalfCloses => {
            client.shutdown(Shutdown::Write).expect("half-closed");
            drop(client.read_to_end(&mut answer));
        }
    }
    (String::from_utf8_lossy(&answer).into_owned(), port)
}

/// The page's size differs, and so do some headers.
fn note_line(world: &mut World, port: u16) {
    let from = format!(":{port} ");
    let line = world.log.line_where(PATIENCE, |line| line.contains(&from)).unwrap_or_default();
    let (priority, rest) = line.split_once('>').unwrap_or_default();
    let text = match (rest.split_once("] "), rest.split_once(" to ")) {
        (_, Some(_)) => "Connect".to_owned() + rest.rsplit(' ').next().unwrap_or_default(),
        (Some((_, words)), _) => normal(words),
        _ => "no line".to_owned(),
    };
    world.note("log", format!("{priority}> {text}"));
}

fn normal(line: &str) -> String {
    let line = line.split_once("] ").map_or(line, |(_, rest)| rest);
    let is_http = line.contains('"');
    let words = line.split(' ').enumerate().map(|(index, word)| match index {
        2 => word.split('/').map(|time| marked(time, rounded)).collect::<Vec<_>>().join("/"),
        4 if is_http => marked(word, size),
        3 if !is_http => marked(word, size),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Changes what stands behind a `+`, which stays.
fn marked(word: &str, change: fn(&str) -> String) -> String {
    match word.strip_prefix('+') {
        Some(rest) => format!("+{}", change(rest)),
        None => change(word),
    }
}

fn size(bytes: &str) -> String {
    if bytes == "0" { "0".to_owned() } else { "…".to_owned() }
}

/// Every way in which a visit may go.
fn visits(world: &mut World) {
    let account = "Authorization: Basic YTpi\r\n";
    for (target, more) in [
        ("/stats", account),
        ("/stats;csv", account),
        ("http://h/stats;json", account),
        ("http://X/stats;json", account),
        ("/stats", "Authorization: Basic YTpj\r\n"),
        ("/", ""),
        ("/a\"b%20c", ""),
    ] {
        visit(world, &request("GET", target, more), Then::Reads);
    }
    visit(world, &request("HEAD", "/stats", account), Then::Reads);
    visit(world, &request("PUT", "/stats", account), Then::Reads);
    visit(world, &format!("GET /stats HTTP/1.0\r\n{account}\r\n"), Then::Reads);
    visit(world, "GET / HTTP/1.0\r\n\r\n", Then::HalfCloses);
    for text in ["\x16\x03\x01 no HTTP\r\n\r\n", "GET /a b HTTP/1.1\r\n\r\n", "GET /stats\r\n\r\n"] {
        let answer = visit(world, text, Then::Reads);
        world.note("bytes", answer);
    }
    let answer = visit(world, "GET /x HT", Then::Reads);
    world.note("bytes", answer);
    visit(world, "GET /x HT", Then::HalfCloses);
    visit(world, "GET /x HT", Then::Closes);
}

scenario!(page_lines_of_httplog, page("  option httplog", "  stats auth a:b"), Vec::new, visits);
scenario!(page_lines_of_httpslog, page("  option httpslog", "  stats auth a:b"), Vec::new, visits);
scenario!(page_lines_of_tcplog, page("  option tcplog", "  stats auth a:b"), Vec::new, visits);
scenario!(
    page_lines_of_errors_apart,
    page("  option httplog\n  option log-separate-errors\n  option logasap", "  stats auth a:b"),
    Vec::new,
    visits
);

scenario!(page_lines_without_a_format, page("", ""), Vec::new, |world| {
    for target in ["/stats", "/stats;csv", "/"] {
        visit(world, &request("GET", target, ""), Then::Reads);
    }
});

/// Asks for both pages with two passwords of one user, and with none.
fn doors(world: &mut World) {
    for target in ["/stats", "/admin"] {
        for account in ["Authorization: Basic YTpi\r\n", "Authorization: Basic YTpj\r\n", ""] {
            let (text, _) = talk(world, &request("GET", target, account), Then::Reads);
            note_head(world, &text);
        }
    }
}

scenario!(
    page_of_defaults_is_forgotten_by_an_own_line,
    page(
        "  option httplog\n  stats uri /admin\n  stats auth a:b\n  stats realm r\n  stats refresh 9s\n  stats scope x",
        ""
    ),
    Vec::new,
    doors
);

scenario!(
    page_accounts_without_passwords,
    page("  option httplog", "  stats auth a\n  stats auth :b"),
    Vec::new,
    |world| {
        // a: and :b and nothing but a colon and a without one.
        for account in ["YTo=", "OmI=", "Og==", "YQ=="] {
            let account = format!("Authorization: Basic {account}\r\n");
            let (text, _) = talk(world, &request("GET", "/stats", &account), Then::Reads);
            note_head(world, &text);
        }
    }
);

scenario!(
    page_accounts_of_one_user,
    page("  option httplog", "  stats auth a:b\n  stats auth a:c"),
    Vec::new,
    doors
);

scenario!(
    page_lines_of_failures_only,
    page("  option httplog\n  option dontlog-normal", ""),
    Vec::new,
    |world| {
        // Had the first been logged, its line would come before the second's.
        for target in ["/stats", "/"] {
            let (_, port) = talk(world, &request("GET", target, ""), Then::Reads);
            if target == "/" {
                let line = world.log.line_where(PATIENCE, |line| line.contains("\"GET "));
                let is_own = line.is_some_and(|line| line.contains(&format!(":{port} ")));
                world.note("first line", is_own);
            }
        }
    }
);

scenario!(
    page_lines_of_null_connections,
    page("  option httplog\n  option dontlognull", ""),
    Vec::new,
    |world| {
        talk(world, "", Then::HalfCloses);
        let (_, port) = talk(world, "GET /x HT", Then::HalfCloses);
        let line = world.log.line_where(PATIENCE, |line| line.contains("BADREQ"));
        world.note("first line", line.is_some_and(|line| line.contains(&format!(":{port} "))));
    }
);

scenario!(page_requests_on_one_connection, page("  option httplog", ""), Vec::new, |world| {
    let one = "GET /stats;csv HTTP/1.1\r\nHost: x\r\n\r\n";
    let (text, port) = talk(world, &(one.to_owned() + &request("GET", "/none", "")), Then::Reads);
    world.note("answers", text.matches("HTTP/1.1 ").count());
    note_line(world, port);
    note_line(world, port);
});

/// A page on which everybody may act.
const ADMIN: &str = "  stats refresh 5s\n  stats admin if { path_beg /none } or TRUE";

/// Posts a form; what came back, and what became of both servers.
fn post(world: &mut World, target: &str, body: &str) {
    let length = format!("Content-Length: {}\r\n", body.len());
    let (text, _) = talk(world, &(request("POST", target, &length) + body), Then::Reads);
    let mut head: Vec<&str> = text.split("\r\n").collect();
    head.sort_unstable();
    world.note("posted", format!("{target} {body} => {}", head.join(" | ")));
    let states = ask(world, "show servers state b");
    // Operational state and what the operator says.
    let state = |line: &str| line.split(' ').skip(5).take(2).collect::<Vec<_>>().join(" ");
    let servers: Vec<String> = states.lines().filter(|line| line.contains(" b ")).map(state).collect();
    world.note("servers", servers.join(" | "));
}

scenario!(page_actions, page("  option httplog", ADMIN), Vec::new, |world| {
    for body in [
        "s=s1&action=maint&b=b",
        "s=s1&s=s2&action=drain&b=b",
        "s=s1&action=ready&b=%233",
        "s=s2&action=disable&b=b",
        "s=s2&action=disable&b=b",
        "s=s2&action=enable&b=b",
        "s=s2&action=start&b=b",
        "s=s2&action=stop&b=b",
        "s=s2&action=ready&b=b",
        "s=s2&action=hdown&b=b",
        "s=s2&action=hrunn&b=b",
        "s=s2&action=hnolb&b=b",
        "s=s2&action=hrunn&b=b",
        "s=s1&action=shutdown&b=b",
        "s=s1&action=arunn&b=b",
        "s=s1&action=eagent&b=b",
        "s=none&action=maint&b=b",
        "s=s1&s=none&action=maint&b=b",
        "s=BACKEND&action=maint&b=b",
        "s=s1&action=ready&b=none",
        "s=s1&action=ready&b=st",
        "s=s1&action=bogus&b=b",
        "s=s1&action=&b=b",
        "s=s1&b=b",
        "action=maint&b=b",
        "action=maint&s=s1&b=b",
        "b=b&action=drain&s=s1",
        "s=s1&action=drain&b=b&",
        "s=s1&action=ready&b=b\r\n",
        "s=%731&action=%6daint&b=%62&x=y",
        "garbage",
        "",
    ] {
        post(world, "/stats", body);
    }
    for target in ["/stats;up;norefresh", "/stats;csv", "/stats;no-maint", "/stats?scope=st", "/none"] {
        post(world, target, "s=s1&action=ready&b=b");
    }
});

scenario!(page_actions_are_told, page("", ADMIN), Vec::new, |world| {
    for (action, said) in
        [("hdown", "DOWN"), ("hrunn", "UP"), ("hnolb", "stopping"), ("maint", "maintenance")]
    {
        post(world, "/stats", &format!("s=s2&action={action}&b=b"));
        let line = world.log.line_where(PATIENCE, |line| line.contains("b/s2") && line.contains(said));
        world.note(
            "told",
            line.as_deref().and_then(|line| line.split_once("]: ")).map_or("", |(_, text)| text),
        );
    }
});

scenario!(
    page_actions_behind_conditions,
    page("  option httplog", "  stats admin unless LOCALHOST"),
    Vec::new,
    |world| {
        post(world, "/stats", "s=s1&action=maint&b=b");
        visit(world, &request("POST", "/stats", "Content-Length: 3\r\n"), Then::Reads);
    }
);

scenario!(page_actions_of_odd_bodies, page("  option httplog", ADMIN), Vec::new, |world| {
    let form = "s=s1&action=maint&b=b";
    let head = format!("POST /stats HTTP/1.0\r\nContent-Length: {}\r\n\r\n", form.len());
    visit(world, &(head + form), Then::Reads);
    let chunked = format!("{:x}\r\n{form}\r\n0\r\n\r\n", form.len());
    visit(world, &(request("POST", "/stats", "Transfer-Encoding: chunked\r\n") + &chunked), Then::Reads);
    let long = "s=s1&".repeat(4000);
    let length = format!("Content-Length: {}\r\n", long.len());
    visit(world, &(request("POST", "/stats", &length) + &long), Then::Reads);
    visit(world, &(request("POST", "/stats", "Content-Length: 30\r\n") + form), Then::Reads);
});

scenario!(page_monitor, page("  option httplog", "  monitor-uri /alive?x"), Vec::new, |world| {
    for text in [
        request("GET", "/alive?x", ""),
        request("HEAD", "/alive?x", ""),
        request("POST", "/alive?x", "Content-Length: 1\r\n") + "x",
        "GET /alive?x HTTP/1.0\r\n\r\n".to_owned(),
        request("GET", "http://x/alive?x", ""),
        request("GET", "/alive", ""),
    ] {
        let (answer, port) = talk(world, &text, Then::Reads);
        let mut lines: Vec<&str> = answer.split("\r\n").collect();
        lines.sort_unstable();
        world.note("answer", lines.join(" | "));
        if answer.starts_with("HTTP/1.1 503") {
            // Had one before been logged, its line would be the first.
            let line = world.log.line_where(PATIENCE, |line| line.contains(" st "));
            world.note("own line", line.is_some_and(|line| line.contains(&format!(":{port} "))));
        }
    }
});

scenario!(page_counters, page("", "  monitor-uri /alive\n  stats auth a:b"), Vec::new, |world| {
    let account = "Authorization: Basic YTpi\r\n";
    for text in [
        request("GET", "/stats;csv", account),
        request("HEAD", "/stats", account),
        request("GET", "/stats", ""),
        request("POST", "/stats", &format!("{account}Content-Length: 0\r\n")),
        request("PUT", "/stats", account),
        request("GET", "/none", ""),
        request("GET", "/alive", ""),
        "GET /stats HTTP/1.0\r\n\r\n".to_owned(),
        "no HTTP\r\n\r\n".to_owned(),
        "GET /x HT".to_owned(),
    ] {
        talk(world, &text, Then::Reads);
    }
    talk(world, "GET /x HT", Then::HalfCloses);
    note_counts(world, "show stat st 1 -1");
    note_counts(world, "show stat st 2 -1");
});

const COUNTS: [&str; 10] =
    ["hrsp_", "req_tot", "intercepted", "ereq", "stot", "conn_tot", "dreq", "dresp", "econ", "status"];

/// Columns of one row that count, and whether bytes were counted at all: the pages differ in size.
fn note_counts(world: &mut World, command: &str) {
    let answer = ask(world, command);
    let mut lines = answer.trim_start_matches("# ").lines();
    let (Some(names), Some(row)) = (lines.next(), lines.next()) else { panic!("{answer}") };
    for (name, value) in names.split(',').zip(row.split(',')) {
        match name {
            "bin" | "bout" => world.note("column", format!("{name} {}", value != "0")),
            // What passes HTTP on counts these of a backend too.
            _ if command.contains(" 2 ") && (name.starts_with("hrsp_") || name == "req_tot") => {}
            _ if COUNTS.iter().any(|begin| name.starts_with(begin)) => {
                world.note("column", format!("{name} {value}"));
            }
            _ => {}
        }
    }
}

/// Beginnings of what 2.6 has not, and of what only proxied HTTP has.
const NOT_IN_BOTH: &[&str] = &[
    "process_node",
    "frontend_current_session_rate",
    "backend_current_session_rate",
    "server_current_session_rate",
    "server_active",
    "server_backup",
    "server_private_idle_connections_current",
    "process_total_warnings",
    "process_patterns_",
    "process_nb_thread_groups",
    "frontend_req_bytes_",
    "frontend_res_bytes_",
    "frontend_http_cache_",
    "backend_req_bytes_",
    "backend_res_bytes_",
    "backend_http_",
    "server_req_bytes_",
    "server_res_bytes_",
];

/// Every metric with its type and its labels, in order, without the values.
fn metrics(text: &str) -> Vec<String> {
    let name = |line: &str| line.split([' ', '{']).next().unwrap_or_default().to_owned();
    let shown = |line: &&str| {
        let metric = line.trim_start_matches("# TYPE ").trim_start_matches("haproxy_");
        let is_chunk_size = line.chars().all(|c| c.is_ascii_hexdigit());
        !is_chunk_size
            && !line.starts_with("# HELP")
            && !NOT_IN_BOTH.iter().any(|begin| metric.starts_with(begin))
    };
    let body = text.split("\r\n\r\n").nth(1).unwrap_or_default();
    let lines = body.lines().filter(shown).map(|line| match line.rsplit_once(' ') {
        Some(_) if line.starts_with('#') => line.to_owned(),
        Some((labelled, _)) if !labelled.contains("version=") => labelled.to_owned(),
        _ => name(line),
    });
    lines.collect()
}

const EXPORTER: &str = "  http-request use-service prometheus-exporter if { path /metrics }";

scenario!(page_metrics, page("  option httplog", EXPORTER), Vec::new, |world| {
    for target in ["/metrics", "/metrics?scope=server&scope=backend", "/metrics?no-maint", "/metrics?scope=x"]
    {
        let text = visit(world, &(request("GET", target, "").replace("1.1\r", "1.0\r")), Then::Reads);
        for line in metrics(&text) {
            world.note("metric", line);
        }
    }
});

/// On which of these paths there are metrics.
fn served(world: &mut World) {
    for target in ["/metrics", "/prometheus", "/none"] {
        let (text, _) = talk(world, &request("GET", target, "").replace("1.1\r", "1.0\r"), Then::Reads);
        world.note("answer", text.lines().next().unwrap_or_default());
        world.note("metrics", text.contains("haproxy_process_nbthread"));
    }
}

scenario!(
    page_metrics_of_two_rules,
    page("  option httplog", &format!("{EXPORTER}\n{}", EXPORTER.replace("/metrics", "/prometheus"))),
    Vec::new,
    served
);

scenario!(
    page_metrics_everywhere_after_a_rule_of_one_path,
    page("  option httplog", &format!("{EXPORTER}\n  http-request use-service prometheus-exporter")),
    Vec::new,
    served
);
