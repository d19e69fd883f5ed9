//! The stats page of `mode http` listeners (configuration manual, section 4.2, `stats enable`).
//!
//! This is not an HTTP proxy: every other path gets the answer that HAProxy gives when no server is
//! there.

mod auth;
mod cell;
mod curve;
mod exchange;
mod form;
mod html;
mod journal;
mod metrics;
pub mod request;
mod response;
mod view;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;

use super::Shared;
use super::filter::Filter;
use super::listener::{Listener, Stream};
use crate::config::model::{BindId, CliLevel, Config, ProxyId, StatsPage};
use crate::health;
use crate::rules::Facts;
use crate::session::op::ServerId;
use crate::stats::{self, Format, Row, Style, Value};
use crate::table::Snapshot;
use crate::worker::mailbox::Crew;
use exchange::{Form, Patience};
use form::Done;
use journal::Ends;
use request::Request;
use response::{By, Response};
use view::View;

pub use journal::Journal;

const PATIENCE: Patience = Patience { request: Duration::from_secs(10), connection: Duration::from_secs(60) };

/// The listener of a page, and what counts its clients.
#[derive(Clone, Debug)]
pub struct Site {
    /// Statistics and configuration.
    pub shared: Shared,
    /// Where its requests are logged.
    pub journal: Journal,
    /// Servers' states.
    pub health: health::Remote,
    /// The sessions.
    pub crew: Crew,
    /// Whose page.
    pub proxy: ProxyId,
    /// Through which address.
    pub bind: BindId,
}

/// Serves one listener of a `mode http` proxy until the task is aborted.
pub async fn serve(listener: Listener, site: Site, places: Arc<Semaphore>) {
    listener
        .serve(places, |stream| {
            let site = site.clone();
            async move {
                let ends = ends(&stream);
                client(stream, ends, &site, patience(&site)).await;
            }
        })
        .await;
}

fn ends(stream: &Stream) -> Ends {
    match stream {
        Stream::Tcp(stream) => Ends { client: stream.peer_addr().ok(), local: stream.local_addr().ok() },
        Stream::Unix(_) => Ends::default(),
    }
}

/// `timeout client`, as far as it does not let idle clients take all places.
fn patience(site: &Site) -> Patience {
    let sources = site.shared.borrow();
    let client_ms = sources.config.proxies[usize::from(site.proxy.0)].timeouts.client_ms;
    let request = client_ms.map_or(PATIENCE.request, |ms| Duration::from_millis(u64::from(ms)));
    Patience { request: request.min(PATIENCE.request), ..PATIENCE }
}

async fn client<S>(stream: S, ends: Ends, site: &Site, patience: Patience)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let _counted = Counted::begin(site);
    exchange::serve(stream, ends, site, patience).await;
}

/// A client in the frontend's counters, from accept to close.
struct Counted<'a>(&'a Site);

impl<'a> Counted<'a> {
    fn begin(site: &'a Site) -> Counted<'a> {
        let sources = site.shared.borrow();
        // The limit on places is the limit on clients; these cells only count.
        sources.load.process().take(None);
        sources.load.frontend(site.proxy).take(None);
        sources.load.bind(site.bind).take(None);
        // The last counters are the control thread's own.
        if let Some(own) = sources.counters.last() {
            own.process().connections.add(1);
            for counters in [own.frontend(site.proxy), own.bind(site.bind)] {
                counters.connections.add(1);
                counters.sessions.add(1);
            }
        }
        Counted(site)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let sources = self.0.shared.borrow();
        sources.load.process().release();
        sources.load.frontend(self.0.proxy).release();
        sources.load.bind(self.0.bind).release();
    }
}

async fn respond(site: &Site, ends: Ends, request: &Request, form: Form) -> Response {
    if is_probe(site, request) {
        return Response::error(200).by(By::Monitor);
    }
    if let Some(stopping) = asks_for_health(site, request) {
        let (status, word) = if stopping { (503, "stopping\n") } else { (200, "ok\n") };
        return Response::text(status, "text/plain", word.to_owned()).by(By::Service("<HEALTHZ>"));
    }
    if metrics::is_here(site, request.path()) {
        return metrics::answer(site, request.query()).await.by(By::Service("<PROMEX>"));
    }
    match request.method.as_str() {
        "POST" => act(site, ends, request, form).await,
        _ => page(site, ends, request),
    }
}

/// Whether it is what `monitor-uri` says, which nothing else sees.
fn is_probe(site: &Site, request: &Request) -> bool {
    let config = &site.shared.borrow().config;
    config.proxies[usize::from(site.proxy.0)].monitor_uri.as_deref() == Some(request.path_and_query())
}

/// Pronk's own `/healthz` beside a stats page, unless the page is there: whether the process is stopping.
fn asks_for_health(site: &Site, request: &Request) -> Option<bool> {
    let sources = site.shared.borrow();
    let page = sources.config.proxies[usize::from(site.proxy.0)].stats.as_ref()?;
    let asks = request.path() == "/healthz" && !"/healthz".starts_with(&page.uri);
    asks.then_some(sources.stopping)
}

/// Follows the page's form and sends the client back to the page.
async fn act(site: &Site, ends: Ends, request: &Request, form: Form) -> Response {
    let (page, view) = match asked(site, request) {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    let done = match (may_act(&page, ends, request), &form) {
        (false, _) => Done::Denied,
        (true, Form::Unfinished) => return Response::error(408),
        (true, form) => form::follow(site, form).await,
    };
    // As HAProxy has it, which lets the servers in maintenance be seen again.
    let norefresh = view.norefresh && page.refresh.is_some();
    let seen = View { done: Some(done), no_maint: false, norefresh, ..view };
    Response::text(303, "text/plain", String::new()).with("location", seen.target(&page.uri))
}

/// Whether a rule of `stats admin` lets this client act.
fn may_act(page: &StatsPage, ends: Ends, request: &Request) -> bool {
    let facts = Facts { src: ends.client, dst: ends.local, bytes: &request.head };
    page.admin.iter().any(|condition| condition.holds(&facts))
}

/// The page that a request is for, and what it wants to see of it.
fn asked(site: &Site, request: &Request) -> Result<(StatsPage, View), Response> {
    let config = &site.shared.borrow().config;
    let page = config.proxies[usize::from(site.proxy.0)].stats.as_ref();
    let asked = page.and_then(|page| Some((page.clone(), view::view(&page.uri, request.path_and_query())?)));
    match asked {
        None => Err(Response::error(503).by(By::Nobody)),
        Some((page, _)) if !auth::admits(&page.auth, request.authorization.as_deref()) => {
            Err(unauthorized(&page))
        }
        Some(asked) => Ok(asked),
    }
}

fn page(site: &Site, ends: Ends, request: &Request) -> Response {
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return Response::error(503).by(By::Nobody);
    }
    let (page, view) = match asked(site, request) {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    let may_act = may_act(&page, ends, request);
    let rows = rows(site, &page, &view);
    let answer = match view.listing {
        Some(format) => listing(format, rows),
        None => Response::text(200, "text/html; charset=utf-8", html(site, &page, &view, &rows, may_act)),
    };
    let answer = answer.with("x-content-type-options", "nosniff");
    match page.refresh.filter(|_| !view.norefresh) {
        Some(refresh) => answer.with("refresh", refresh.as_secs().max(1).to_string()),
        None => answer,
    }
}

/// What programs read.
fn listing(format: Format, rows: Vec<Row>) -> Response {
    let kind = match format {
        Format::Json => "application/json",
        Format::Plain | Format::Typed => "text/plain; charset=utf-8",
    };
    Response::text(200, kind, Style { format, ..Style::default() }.rows(rows))
}

/// The rows within `stats scope` and the request's own scope.
fn rows(site: &Site, page: &StatsPage, view: &View) -> Vec<Row> {
    let mut sources = site.shared.borrow_mut();
    // What users of the stats socket do not see, a page shows with its legends.
    let level = if page.show_legends { CliLevel::Operator } else { CliLevel::User };
    let mut rows = Filter::of_page(view.up, view.no_maint).apply(stats::rows(&sources), level);
    // A proxy may have come with a reload that is not over.
    sources.follow_table();
    rows.retain(|row| {
        let name = &sources.config.proxies[usize::from(row.proxy.0)].name;
        in_scope(&sources.config, site.proxy, page, name) && name.contains(&view.scope)
    });
    rows
}

fn in_scope(config: &Config, own: ProxyId, page: &StatsPage, name: &str) -> bool {
    let own_name = &config.proxies[usize::from(own.0)].name;
    page.scope.is_empty()
        || page.scope.iter().any(|scope| scope == name || (scope == "." && name == own_name))
}

fn html(site: &Site, page: &StatsPage, view: &View, rows: &[Row], may_act: bool) -> String {
    let sources = site.shared.borrow();
    let global = &sources.config.global;
    let table = sources.table.load();
    let cells = cells(&table);
    let history = |row: &Row| {
        let Value::Number(number) = row.value("sid") else { return Vec::new() };
        cells.get(&(row.proxy, *number)).map_or(Vec::new(), |&id| sources.history.of(id).collect())
    };
    html::render(&html::Content {
        page,
        view,
        config: &sources.config,
        info: &stats::info_values(&sources),
        rows,
        may_act,
        history: &history,
        node: global.node.as_deref().unwrap_or(&sources.hostname),
        description: global.description.as_deref(),
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// The cell of each server, by its proxy and its number there.
fn cells(table: &Snapshot) -> HashMap<(ProxyId, u64), ServerId> {
    let servers = table.backends().flat_map(|backend| {
        backend.servers.iter().map(|entry| ((backend.proxy, u64::from(entry.number)), entry.id))
    });
    servers.collect()
}

fn unauthorized(page: &StatsPage) -> Response {
    let realm = page.realm.as_deref().unwrap_or("HAProxy Statistics").replace(['\\', '"'], "");
    Response::error(401).with("www-authenticate", format!("Basic realm=\"{realm}\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture::{config, local, page, site_of};
    use crate::config::model::Exporter;

    fn site(settings: StatsPage) -> Site {
        let mut config = config();
        config.proxies[2].stats = Some(settings);
        site_of(config)
    }

    fn request(target: &str, more: &str) -> Request {
        let head = format!("GET {target} HTTP/1.1\r\n{more}\r\n");
        match Request::parse(head.as_bytes()) {
            request::Parsed::Whole(request, _) => request,
            other => panic!("{head:?} is {other:?}"),
        }
    }

    fn answer(site: &Site, target: &str) -> Response {
        local(respond(site, Ends::default(), &request(target, ""), Form::Whole(Vec::new())))
    }

    fn body(site: &Site, target: &str) -> String {
        answer(site, target).body
    }

    fn header(response: &Response, name: &str) -> Option<String> {
        response.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn other_paths_find_no_server() {
        let answer = answer(&site(page()), "/");
        assert_eq!(answer.status, 503);
        assert!(answer.body.contains("No server is available to handle this request."));
    }

    #[test]
    fn accounts_are_asked_for() {
        let site = site(StatsPage {
            auth: vec![("a".to_owned(), "b".to_owned())],
            realm: Some("my\r\nrealm".to_owned()),
            ..page()
        });
        let refused = answer(&site, "/stats");
        assert_eq!(refused.status, 401);
        assert_eq!(header(&refused, "www-authenticate"), Some("Basic realm=\"myrealm\"".to_owned()));
        let given = |account: &str| {
            let request = request("/stats", &format!("Authorization: Basic {account}\r\n"));
            local(respond(&site, Ends::default(), &request, Form::Whole(Vec::new()))).status
        };
        assert_eq!((given("YTpi"), given("YTpj")), (200, 401));
    }

    #[test]
    fn csv_and_html_show_the_same_rows() {
        let site = site(page());
        let csv = body(&site, "/stats;csv");
        assert_eq!(csv.lines().count(), 1 + 6);
        let html = body(&site, "/stats");
        assert_eq!(html.matches("<section").count(), 3);
    }

    #[test]
    fn listings_are_the_ones_of_the_stats_socket() {
        let site = site(page());
        let json = answer(&site, "/stats;json");
        assert_eq!(header(&json, "content-type"), Some("application/json".to_owned()));
        assert!(json.body.starts_with("[[{\"objType\":\"Frontend\","));
        let typed = body(&site, "/stats;typed;norefresh");
        assert!(typed.starts_with("F.2.0.0.pxname.1:KNSV:str:") && typed.lines().count() > 100, "{typed}");
    }

    #[test]
    fn metrics_are_served_where_the_rule_says() {
        let mut config = config();
        config.proxies[2].exporter = Some(Exporter { paths: vec!["/metrics".to_owned()] });
        let site = site_of(config);
        let get = |target| answer(&site, target);
        let all = get("/metrics");
        assert_eq!(header(&all, "content-type"), Some("text/plain; version=0.0.4".to_owned()));
        let all = all.body;
        assert!(all.starts_with("# HELP haproxy_process_nbthread "), "{all}");
        assert!(all.contains("\nhaproxy_server_status{proxy=\"be\",server=\"s1\",state=\"UP\"} "), "{all}");
        assert_eq!(get("/metrics?scope=bogus").status, 400);
        assert_eq!(get("/metrics?scope=").body, "");
        assert_eq!(get("/metric").status, 503);
    }

    #[test]
    fn health_is_told_beside_the_page() {
        let own = site(page());
        assert_eq!((answer(&own, "/healthz").status, body(&own, "/healthz?x")), (200, "ok\n".to_owned()));
        own.shared.borrow_mut().stopping = true;
        assert_eq!(answer(&own, "/healthz").status, 503);
        let whole = site(StatsPage { uri: "/".to_owned(), ..page() });
        assert!(body(&whole, "/healthz").starts_with("<!DOCTYPE html>"));
    }

    #[test]
    fn scope_narrows() {
        let scoped = site(StatsPage { scope: vec![".".to_owned()], ..page() });
        assert_eq!(body(&scoped, "/stats;csv").lines().count(), 1 + 2);
        let asked = body(&site(page()), "/stats;csv?scope=be");
        assert_eq!(asked.lines().count(), 1 + 3);
    }

    #[test]
    fn a_curve_stands_in_the_row_of_its_server() {
        let site = site(page());
        {
            let sources = &mut *site.shared.borrow_mut();
            for now_ms in [0, 5000] {
                sources.counters[0].server(ServerId(1)).bytes_in.add(1000);
                sources.history.sample(now_ms, &sources.counters, &sources.load, 2);
            }
        }
        let html = body(&site, "/stats");
        let rows: Vec<&str> = html.split("<tr class").filter(|row| row.contains("<svg")).collect();
        assert!(rows.len() == 1 && rows[0].contains("<td>s2</td>"), "{rows:?}");
    }

    #[test]
    fn refreshing_is_a_header_that_can_be_switched_off() {
        let site = site(StatsPage { refresh: Some(Duration::from_secs(5)), ..page() });
        assert_eq!(header(&answer(&site, "/stats"), "refresh"), Some("5".to_owned()));
        assert_eq!(header(&answer(&site, "/stats;norefresh"), "refresh"), None);
    }

    /// Serves `input` on a pipe of 64 bytes; whether that came to an end by itself.
    fn ends(input: &'static [u8]) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let (mut peer, stream) = tokio::io::duplex(64);
            tokio::io::AsyncWriteExt::write_all(&mut peer, input).await.expect("written");
            let short = Duration::from_millis(20);
            let (site, patience) = (site(page()), Patience { request: short, connection: 10 * short });
            let served = client(stream, Ends::default(), &site, patience);
            tokio::time::timeout(Duration::from_secs(10), served).await.is_ok()
        })
    }

    #[test]
    fn clients_that_stall_are_given_up() {
        assert!(ends(b"GET /stats HT"), "headers that never end");
        assert!(ends(b"GET /stats HTTP/1.1\r\nHost: x\r\n\r\n"), "an answer that nobody reads");
        assert!(ends(b""), "silence");
    }
}
