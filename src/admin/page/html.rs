//! The page: what the process is, then one table for each proxy in HAProxy's columns.

use std::fmt::Write as _;

use super::cell::{bytes, duration, escaped, grouped};
use super::curve::curve;
use super::form::Done;
use super::view::View;
use crate::config::model::{Config, Proxy, StatsPage};
use crate::stats::{POINTS, Point, Row, RowKind, STEP_SECONDS, Value};

/// What the page is made from.
#[derive(Clone, Copy)]
pub struct Content<'a> {
    /// The settings of the proxy whose page it is.
    pub page: &'a StatsPage,
    /// What the request asks for.
    pub view: &'a View,
    /// The proxies.
    pub config: &'a Config,
    /// `show info`.
    pub info: &'a [(&'static str, Value)],
    /// `show stat`, already narrowed to the page's scope.
    pub rows: &'a [Row],
    /// Whether the client may change servers here.
    pub may_act: bool,
    /// What each server did in the last minutes.
    pub history: &'a dyn Fn(&Row) -> Vec<Point>,
    /// The machine's name, for `stats show-node`.
    pub node: &'a str,
    /// `description` of the global section, for `stats show-desc`.
    pub description: Option<&'a str>,
    /// Pronk's version.
    pub version: &'a str,
}

const HEAD_ROWS: &str = "<thead><tr><th rowspan=2></th><th rowspan=2>Status</th><th colspan=2>5 minutes</th><th colspan=3>Queue</th><th colspan=3>Session rate</th>\
<th colspan=6>Sessions</th><th colspan=2>Bytes</th><th colspan=2>Denied</th><th colspan=3>Errors</th>\
<th colspan=2>Warnings</th><th colspan=8>Server</th></tr>\
<tr><th>Sessions</th><th>Bytes</th><th>Cur</th><th>Max</th><th>Limit</th><th>Cur</th><th>Max</th><th>Limit</th><th>Cur</th><th>Max</th>\
<th>Limit</th><th>Total</th><th>LbTot</th><th>Last</th><th>In</th><th>Out</th><th>Req</th><th>Resp</th>\
<th>Req</th><th>Conn</th><th>Resp</th><th>Retr</th><th>Redis</th><th>LastChk</th><th>Wght</th>\
<th>Act</th><th>Bck</th><th>Chk</th><th>Dwn</th><th>Dwntme</th><th>Thrtle</th></tr></thead>";

const LEGEND: &str = "<footer>Servers:<i class=up></i>up<i class=going></i>changing<i class=down></i>down\
<i class=maint></i>maintenance<i class=drain></i>draining<i class=unchecked></i>not checked; backups in italics</footer>";

/// Renders the page.
pub fn render(content: &Content<'_>) -> String {
    let mut out = String::with_capacity(16 * 1024);
    head(&mut out, content);
    notice(&mut out, content);
    facts(&mut out, content.info);
    links(&mut out, content);
    for rows in content.rows.chunk_by(|a, b| a.proxy == b.proxy) {
        let proxy = &content.config.proxies[usize::from(rows[0].proxy.0)];
        section(&mut out, content, proxy, rows);
    }
    out.push_str(LEGEND);
    out.push_str("</body></html>\n");
    out
}

/// Appends formatted text.
macro_rules! put {
    ($out:expr, $($format:tt)*) => { write!($out, $($format)*).expect("writing to a String cannot fail") };
}

fn head(out: &mut String, content: &Content<'_>) {
    let page = content.page;
    out.push_str("<!DOCTYPE html><html lang=en><head><meta charset=utf-8><title>Pronk statistics</title>");
    out.push_str("<meta name=viewport content=\"width=device-width\"><link rel=icon href=\"data:,\"><style>");
    out.push_str(include_str!("style.css"));
    out.push_str("</style></head><body><h1>Pronk");
    if !page.hide_version {
        put!(out, " <small>version {}</small>", escaped(content.version));
    }
    if let Some(node) = &page.show_node {
        put!(out, " <small>on {}</small>", escaped(node.as_deref().unwrap_or(content.node)));
    }
    out.push_str("</h1>");
    let shown = page.show_desc.as_ref().and_then(|own| own.as_deref().or(content.description));
    put!(out, "<p class=about>{}</p>", escaped(shown.unwrap_or("Statistics report")));
}

/// `show info` values worth a glance: their name there, and here.
const FACTS: [(&str, &str); 11] = [
    ("Pid", "pid"),
    ("Uptime", "uptime"),
    ("Nbthread", "workers"),
    ("CurrConns", "connections"),
    ("Maxconn", "maxconn"),
    ("ConnRate", "connections/s"),
    ("SessRate", "sessions/s"),
    ("BytesOutRate", "out/s"),
    ("Idle_pct", "idle %"),
    ("Ulimit-n", "descriptors"),
    ("DroppedLogs", "log lines lost"),
];

fn facts(out: &mut String, info: &[(&str, Value)]) {
    out.push_str("<dl class=facts>");
    let value = |name: &str| info.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
    for (name, label) in FACTS {
        if let Some(value) = value(name) {
            let shown = match value {
                Value::Number(number) if name == "BytesOutRate" => bytes(*number),
                Value::Number(number) if name != "Pid" => grouped(*number),
                value => escaped(&value.to_string()),
            };
            put!(out, "<div><dt>{label}</dt><dd>{shown}</dd></div>");
        }
    }
    if value("Stopping").is_some_and(|value| value.number() == 1) {
        out.push_str("<div><dt>state</dt><dd><b class=bad>stopping</b></dd></div>");
    }
    out.push_str("</dl>");
}

fn links(out: &mut String, content: &Content<'_>) {
    out.push_str("<nav>");
    filter(out, content);
    let view = &View { done: None, ..content.view.clone() };
    link(out, content, view, "Refresh now");
    let words = if view.up { "Show servers that are down" } else { "Hide servers that are down" };
    link(out, content, &View { up: !view.up, ..view.clone() }, words);
    if content.page.refresh.is_some() {
        let words = if view.norefresh { "Resume refreshing" } else { "Stop refreshing" };
        link(out, content, &View { norefresh: !view.norefresh, ..view.clone() }, words);
    }
    let uri = escaped(&content.page.uri);
    put!(out, "<a href=\"{uri};csv;norefresh\">CSV</a><a href=\"{uri};json;norefresh\">JSON</a></nav>");
}

fn link(out: &mut String, content: &Content<'_>, view: &View, words: &str) {
    put!(out, "<a href=\"{}\">{words}</a>", escaped(&view.target(&content.page.uri)));
}

/// A browser leaves the query of a form's address out: what the uri has of it is sent as if it were filled in.
fn filter(out: &mut String, content: &Content<'_>) {
    let view = View { done: None, scope: String::new(), ..content.view.clone() };
    let (address, scope) = (escaped(&view.target(&content.page.uri)), escaped(&content.view.scope));
    put!(out, "<form method=get action=\"{address}\">");
    let query = content.page.uri.split_once('?').map_or("", |(_, query)| query);
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=').or(Some((pair, "")))) {
        if !name.is_empty() {
            put!(out, "<input type=hidden name=\"{}\" value=\"{}\">", escaped(name), escaped(value));
        }
    }
    let words = "filter proxies";
    put!(
        out,
        "<input name=scope type=search placeholder=\"{words}\" aria-label=\"{words}\" value=\"{scope}\"></form>"
    );
}

/// What became of the form that led here.
fn notice(out: &mut String, content: &Content<'_>) {
    if let Some(done) = content.view.done {
        let mood = if done == Done::All { "good" } else { "bad" };
        put!(out, "<p class=notice role=status><b class={mood}>{}</b> ", done.words());
        link(out, content, &View { done: None, ..content.view.clone() }, "Dismiss");
        out.push_str("</p>");
    }
}

fn section(out: &mut String, content: &Content<'_>, proxy: &Proxy, rows: &[Row]) {
    let name = escaped(&proxy.name);
    put!(out, "<section id=\"{name}\"><h2><a href=\"#{name}\">{name}</a> <small>{}", text(&rows[0], "mode"));
    let balance = rows.iter().map(|row| text(row, "algo")).find(|algo| !algo.is_empty());
    if let Some(balance) = balance {
        put!(out, ", balance {balance}");
    }
    if let Some(description) = &proxy.description {
        put!(out, " \u{b7} {}", escaped(description));
    }
    out.push_str("</small></h2>");
    let acts = content.may_act && rows.iter().any(|row| row.kind == RowKind::Server);
    if acts {
        let here = View { done: None, ..content.view.clone() };
        put!(out, "<form method=post action=\"{}\">", escaped(&here.target(&content.page.uri)));
    }
    put!(out, "<div class=scroll><table>{HEAD_ROWS}<tbody>");
    for row in rows {
        line(out, content, row, acts);
    }
    out.push_str("</tbody></table></div>");
    if acts {
        actions(out, proxy);
        out.push_str("</form>");
    }
    out.push_str("</section>");
}

/// The form's actions, by the words of its POST; operators know the first three by HAProxy's names.
const ACTIONS: [(&str, &str); 9] = [
    ("ready", "Set state to READY"),
    ("drain", "Set state to DRAIN"),
    ("maint", "Set state to MAINT"),
    ("dhlth", "Stop health checks"),
    ("ehlth", "Resume health checks"),
    ("hrunn", "Take it for UP"),
    ("hnolb", "Take it for UP, no new sessions"),
    ("hdown", "Take it for DOWN"),
    ("shutdown", "End all its sessions"),
];

/// What is to be done to the chosen servers; it follows their boxes, as HAProxy wants it in the body.
fn actions(out: &mut String, proxy: &Proxy) {
    out.push_str("<p class=act><label>Chosen servers: <select name=action required>");
    out.push_str("<option value=\"\">choose what to do</option>");
    for (action, words) in ACTIONS {
        put!(out, "<option value={action}>{words}</option>");
    }
    put!(out, "</select></label> <input type=hidden name=b value=\"#{}\">", proxy.id);
    out.push_str("<button>Apply</button></p>");
}

/// A cell's text, safe in HTML.
fn text(row: &Row, column: &str) -> String {
    escaped(&row.value(column).to_string())
}

/// A cell's number, None when it holds none or is negative.
fn number(row: &Row, column: &str) -> Option<u64> {
    match row.value(column) {
        Value::Number(number) => Some(*number),
        Value::Signed(number) => u64::try_from(*number).ok(),
        Value::Empty | Value::Text(_) | Value::Micros(_) => None,
    }
}

fn line(out: &mut String, content: &Content<'_>, row: &Row, acts: bool) {
    let backup = if row.kind == RowKind::Server && number(row, "bck") == Some(1) { " backup" } else { "" };
    put!(out, "<tr class=\"{}{backup}\">", class(row));
    let name = match row.kind {
        RowKind::Frontend => "Frontend".to_owned(),
        RowKind::Backend => "Backend".to_owned(),
        RowKind::Server | RowKind::Listener => text(row, "svname"),
    };
    let name = match row.kind {
        RowKind::Server if acts => {
            format!("<label><input type=checkbox name=s value=\"{name}\">{name}</label>")
        }
        _ => name,
    };
    match legend(row).filter(|_| content.page.show_legends) {
        Some(legend) => put!(out, "<td><abbr title=\"{legend}\">{name}</abbr></td>"),
        None => put!(out, "<td>{name}</td>"),
    }
    state(out, row);
    curves(out, content, row);
    for column in
        ["qcur", "qmax", "qlimit", "rate", "rate_max", "rate_lim", "scur", "smax", "slim", "stot", "lbtot"]
    {
        count(out, row, column);
    }
    elapsed(out, row, "lastsess");
    for column in ["bin", "bout"] {
        let size = number(row, column);
        let class = if size == Some(0) { " class=none" } else { "" };
        let shown = size.map(bytes).unwrap_or_default();
        put!(out, "<td{class} title=\"{}\">{shown}</td>", text(row, column));
    }
    for column in ["dreq", "dresp", "ereq", "econ", "eresp", "wretr", "wredis"] {
        count(out, row, column);
    }
    last_check(out, row);
    for column in ["weight", "act", "bck", "chkfail", "chkdown"] {
        count(out, row, column);
    }
    elapsed(out, row, "downtime");
    let throttle = text(row, "throttle");
    put!(out, "<td>{throttle}{}</td></tr>", if throttle.is_empty() { "" } else { " %" });
}

/// Sessions and bytes of a server over the last minutes.
fn curves(out: &mut String, content: &Content<'_>, row: &Row) {
    let points = match row.kind {
        RowKind::Server => (content.history)(row),
        _ => Vec::new(),
    };
    let sessions: Vec<u64> = points.iter().map(|point| u64::from(point.sessions)).collect();
    let traffic: Vec<u64> = points.iter().map(|point| point.bytes).collect();
    let most = |values: &[u64]| values.iter().copied().max().unwrap_or(0);
    let of_sessions = format!("at most {} sessions at once", most(&sessions));
    let of_bytes = format!("at most {}/s", bytes(most(&traffic) / STEP_SECONDS));
    put!(out, "<td>{}</td>", curve("sessions", &of_sessions, &sessions, POINTS));
    put!(out, "<td>{}</td>", curve("bytes", &of_bytes, &traffic, POINTS));
}

fn count(out: &mut String, row: &Row, column: &str) {
    let class = if number(row, column) == Some(0) { " class=none" } else { "" };
    put!(out, "<td{class}>{}</td>", number(row, column).map_or_else(|| text(row, column), grouped));
}

fn elapsed(out: &mut String, row: &Row, column: &str) {
    put!(out, "<td>{}</td>", number(row, column).map(duration).unwrap_or_default());
}

fn state(out: &mut String, row: &Row) {
    let status = text(row, "status");
    let mood = match status.as_str() {
        status if status.starts_with("DOWN") => "bad",
        status if status.starts_with("UP") || status == "OPEN" => "good",
        _ => "",
    };
    let since = number(row, "lastchg").map(|since| format!(" {}", duration(since))).unwrap_or_default();
    put!(out, "<td class=text><b class=\"{mood}\">{status}</b>{since}</td>");
}

fn last_check(out: &mut String, row: &Row) {
    let code = number(row, "check_code").map(|code| format!("/{code}")).unwrap_or_default();
    let took = number(row, "check_duration").map(|ms| format!(" in {ms} ms")).unwrap_or_default();
    put!(out, "<td class=text title=\"{}\">", text(row, "last_chk"));
    put!(out, "{}{code}{took}</td>", text(row, "check_status"));
}

fn class(row: &Row) -> &'static str {
    let status = text(row, "status");
    match row.kind {
        RowKind::Frontend => "frontend",
        RowKind::Backend => "backend",
        RowKind::Listener => "listener",
        RowKind::Server if status == "no check" => "unchecked",
        RowKind::Server if status.starts_with("MAINT") => "maint",
        RowKind::Server if status.starts_with("DRAIN") || status.starts_with("NOLB") => "drain",
        RowKind::Server if status == "UP" => "up",
        RowKind::Server if status == "DOWN" => "down",
        RowKind::Server => "going",
    }
}

fn legend(row: &Row) -> Option<String> {
    let parts: Vec<String> =
        [("addr", "address"), ("iid", "id"), ("sid", "server id"), ("check_desc", "check")]
            .iter()
            .map(|(column, label)| (text(row, column), label))
            .filter(|(text, _)| !matches!(text.as_str(), "" | "0"))
            .map(|(text, label)| format!("{label} {text}"))
            .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture::page;
    use crate::config::model::ProxyId;
    use crate::stats::COLUMNS;
    use crate::table::fixture::backend;

    /// A row with these values, every other column empty.
    fn row(kind: RowKind, proxy: u16, cells: &[(&str, Value)]) -> Row {
        let mut values = vec![Value::Empty; COLUMNS.len()];
        for (name, value) in cells {
            let at = COLUMNS.iter().position(|column| column.name == *name).expect("a column");
            values[at] = value.clone();
        }
        Row { kind, proxy: ProxyId(proxy), values }
    }

    fn rows() -> Vec<Row> {
        let server = [
            ("svname", Value::text("s1")),
            ("stot", Value::Number(1_234_567)),
            ("bin", Value::Number(2048)),
            ("status", Value::text("DOWN")),
            ("bck", Value::Number(1)),
            ("lastchg", Value::Number(61)),
            ("addr", Value::text("10.0.0.1:21050")),
            ("last_chk", Value::text("<i>refused")),
        ];
        vec![
            row(RowKind::Frontend, 0, &[("status", Value::text("OPEN"))]),
            row(RowKind::Server, 1, &server),
            row(RowKind::Backend, 1, &[("algo", Value::text("roundrobin"))]),
        ]
    }

    fn shown(page: StatsPage) -> String {
        let mut proxies = [backend("fe", 0), backend("<b>", 1)];
        proxies[1].description = Some("the \"pool\"".to_owned());
        render(&Content {
            page: &page,
            view: &View::default(),
            config: &Config { proxies: proxies.into(), ..Config::default() },
            info: &[("Pid", Value::Number(42)), ("Stopping", Value::Number(1))],
            rows: &rows(),
            may_act: false,
            history: &|_| vec![Point { sessions: 3, bytes: 0 }; 2],
            node: "host",
            description: Some("all of it"),
            version: "9.9",
        })
    }

    #[test]
    fn one_table_for_each_proxy_and_nothing_unescaped() {
        let html = shown(page());
        assert_eq!(html.matches("<section").count(), 2);
        assert_eq!(html.matches("<tbody><tr").count(), 2);
        assert!(html.contains("&lt;b&gt;") && !html.contains("<b>") && !html.contains("<i>"));
        assert!(html.contains("<tr class=\"down backup\">") && html.contains("1\u{202f}234\u{202f}567"));
        assert_eq!(html.matches("<svg").count(), 1, "sessions, and no byte");
        assert!(html.contains("2.0 KiB") && html.contains("1m1s") && html.contains("balance roundrobin"));
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        let html = shown(page());
        assert!(!html.contains("http:") && !html.contains("https:") && !html.contains("<script"));
    }

    #[test]
    fn settings_show_and_hide() {
        let html = shown(page());
        assert!(html.contains("version 9.9") && html.contains("stopping") && !html.contains("on host"));
        assert!(!html.contains("10.0.0.1"));
        let all = StatsPage {
            hide_version: true,
            show_legends: true,
            show_node: Some(None),
            show_desc: Some(None),
            ..page()
        };
        let html = shown(all);
        assert!(!html.contains("9.9") && html.contains("on host") && html.contains("all of it"));
        assert!(html.contains("address 10.0.0.1:21050"));
    }

    #[test]
    fn whoever_may_act_gets_a_form() {
        let content = |may_act, done| {
            let view = View { done, ..View::default() };
            let (page, config) = (
                page(),
                Config { proxies: [backend("fe", 0), backend("be", 1)].into(), ..Config::default() },
            );
            render(&Content {
                page: &page,
                view: &view,
                config: &config,
                info: &[],
                rows: &rows(),
                may_act,
                history: &|_| Vec::new(),
                node: "host",
                description: None,
                version: "9.9",
            })
        };
        let html = content(true, Some(Done::Partly));
        assert_eq!(
            (html.matches("<form method=post").count(), html.matches("type=checkbox").count()),
            (1, 1)
        );
        let order =
            ["value=\"s1\"", "name=action", "name=b"].map(|part| html.find(part).expect("in the form"));
        assert!(order.is_sorted() && html.contains("Action partially processed"));
        assert!(!content(false, None).contains("<form method=post"));
    }

    #[test]
    fn every_cell_has_its_column() {
        let html = shown(page());
        let row = html.split("<tbody>").nth(1).and_then(|rest| rest.split("</tr>").next()).expect("a row");
        assert_eq!(row.matches("<td").count(), 33);
    }
}
