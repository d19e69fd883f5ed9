//! The stats page of `mode http` listeners (configuration manual, section 4.2, `stats enable`).
//!
//! This is not an HTTP proxy: every other path gets the answer that HAProxy gives when no server is
//! there.

mod auth;
mod cell;
mod html;
mod metrics;
mod request;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;

use super::Shared;
use super::filter::Filter;
use super::listener::Listener;
use crate::config::model::{BindId, CliLevel, Config, ProxyId, StatsPage};
use crate::stats::{self, Format, Row, Style};
use request::View;

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// For complete headers, also between two requests.
    headers: Duration,
    /// For everything: a client that reads slowly must come again.
    connection: Duration,
}

const PATIENCE: Patience = Patience { headers: Duration::from_secs(10), connection: Duration::from_secs(60) };
/// Headers beyond this size are refused.
const BUFFER_SIZE: usize = 16_384;

/// The listener of a page, and what counts its clients.
#[derive(Clone, Debug)]
pub struct Site {
    /// Statistics and configuration.
    pub shared: Shared,
    /// Whose page.
    pub proxy: ProxyId,
    /// Through which address.
    pub bind: BindId,
}

/// Serves one listener of a `mode http` proxy until the task is aborted.
pub async fn serve(listener: Listener, site: Site, places: Arc<Semaphore>) {
    listener.serve(places, |stream| client(stream, site.clone(), PATIENCE)).await;
}

async fn client<S>(stream: S, site: Site, patience: Patience)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let _counted = Counted::begin(&site);
    let place = &site;
    let service = service_fn(|request| async move { Ok::<_, Infallible>(respond(place, &request).await) });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.headers)
        .max_buf_size(BUFFER_SIZE)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(patience.connection, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "stats page"),
        Err(_) => tracing::debug!("stats page: connection given up after its time"),
    }
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

type Answer = Response<Full<Bytes>>;

async fn respond<B>(site: &Site, request: &Request<B>) -> Answer {
    let uri = request.uri();
    match metrics::is_here(site, uri.path()) {
        true => metrics::answer(site, uri.query().unwrap_or_default()).await,
        false => answer(site, request),
    }
}

fn answer<B>(site: &Site, request: &Request<B>) -> Answer {
    let sources = site.shared.borrow();
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    let page = sources.config.proxies[usize::from(site.proxy.0)].stats.as_ref();
    let readable = matches!(*request.method(), Method::GET | Method::HEAD);
    let Some((page, view)) =
        page.filter(|_| readable).and_then(|page| Some((page, request::view(&page.uri, target)?)))
    else {
        return unavailable();
    };
    let credentials = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    if !auth::admits(&page.auth, credentials) {
        return unauthorized(page);
    }
    let rows = rows(site, page, &view);
    let mut answer = match view.listing {
        Some(format) => listing(format, rows),
        None => text(StatusCode::OK, "text/html; charset=utf-8", html(site, page, &view, &rows)),
    };
    if let Some(refresh) = page.refresh.filter(|_| !view.norefresh) {
        let header = HeaderName::from_static("refresh");
        answer.headers_mut().insert(header, HeaderValue::from(refresh.as_secs().max(1)));
    }
    answer
}

/// What programs read.
fn listing(format: Format, rows: Vec<Row>) -> Answer {
    let kind = match format {
        Format::Json => "application/json",
        Format::Plain | Format::Typed => "text/plain; charset=utf-8",
    };
    text(StatusCode::OK, kind, Style { format, ..Style::default() }.rows(rows))
}

/// The rows within `stats scope` and the request's own scope.
fn rows(site: &Site, page: &StatsPage, view: &View) -> Vec<Row> {
    let sources = site.shared.borrow();
    // What users of the stats socket do not see, a page shows with its legends.
    let level = if page.show_legends { CliLevel::Operator } else { CliLevel::User };
    let mut rows = Filter::of_page(view.up, view.no_maint).apply(stats::rows(&sources), level);
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

fn html(site: &Site, page: &StatsPage, view: &View, rows: &[Row]) -> String {
    let sources = site.shared.borrow();
    let global = &sources.config.global;
    html::render(&html::Content {
        page,
        view,
        config: &sources.config,
        info: &stats::info_values(&sources),
        rows,
        node: global.node.as_deref().unwrap_or(&sources.hostname),
        description: global.description.as_deref(),
        version: env!("CARGO_PKG_VERSION"),
    })
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert("cache-control", HeaderValue::from_static("no-cache"));
    headers.insert("content-type", HeaderValue::from_static(kind));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    answer
}

fn unavailable() -> Answer {
    let body = "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n";
    text(StatusCode::SERVICE_UNAVAILABLE, "text/html", body.to_owned())
}

fn unauthorized(page: &StatsPage) -> Answer {
    let body = "<html><body><h1>401 Unauthorized</h1>\nYou need a valid user and password to access this content.\n</body></html>\n";
    let mut answer = text(StatusCode::UNAUTHORIZED, "text/html", body.to_owned());
    let realm = page.realm.as_deref().unwrap_or("HAProxy Statistics").replace(['\\', '"'], "");
    // A realm that no header may hold falls back to the default one.
    let challenge = HeaderValue::from_str(&format!("Basic realm=\"{realm}\""))
        .unwrap_or(HeaderValue::from_static("Basic realm=\"HAProxy Statistics\""));
    answer.headers_mut().insert("www-authenticate", challenge);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture::{config, page, sources};
    use crate::config::model::Exporter;

    fn site(settings: StatsPage) -> Site {
        let mut config = config();
        config.proxies[2].stats = Some(settings);
        Site { shared: sources(config), proxy: ProxyId(2), bind: BindId(0) }
    }

    fn request(target: &str, authorization: Option<&str>) -> Request<()> {
        let mut request = Request::builder().uri(target);
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        request.body(()).expect("a request")
    }

    fn body(answer: Answer) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let collected = runtime.block_on(http_body_util::BodyExt::collect(answer.into_body()));
        String::from_utf8(collected.expect("whole").to_bytes().to_vec()).expect("UTF-8")
    }

    #[test]
    fn other_paths_find_no_server() {
        let answer = answer(&site(page()), &request("/", None));
        assert_eq!(answer.status(), 503);
        assert!(body(answer).contains("No server is available to handle this request."));
    }

    #[test]
    fn accounts_are_asked_for() {
        let site = site(StatsPage {
            auth: vec![("a".to_owned(), "b".to_owned())],
            realm: Some("my\r\nrealm".to_owned()),
            ..page()
        });
        let refused = answer(&site, &request("/stats", None));
        assert_eq!(refused.status(), 401);
        assert_eq!(refused.headers()["www-authenticate"], "Basic realm=\"HAProxy Statistics\"");
        assert_eq!(answer(&site, &request("/stats", Some("Basic YTpi"))).status(), 200);
        assert_eq!(answer(&site, &request("/stats", Some("Basic YTpj"))).status(), 401);
    }

    #[test]
    fn csv_and_html_show_the_same_rows() {
        let site = site(page());
        let csv = body(answer(&site, &request("/stats;csv", None)));
        assert_eq!(csv.lines().count(), 1 + 6);
        let html = body(answer(&site, &request("/stats", None)));
        assert_eq!(html.matches("<section").count(), 3);
    }

    #[test]
    fn listings_are_the_ones_of_the_stats_socket() {
        let site = site(page());
        let json = answer(&site, &request("/stats;json", None));
        assert_eq!(json.headers()["content-type"], "application/json");
        assert!(body(json).starts_with("[[{\"objType\":\"Frontend\","));
        let typed = body(answer(&site, &request("/stats;typed;norefresh", None)));
        assert!(typed.starts_with("F.2.0.0.pxname.1:KNSV:str:") && typed.lines().count() > 100, "{typed}");
    }

    #[test]
    fn metrics_are_served_where_the_rule_says() {
        let mut config = config();
        config.proxies[2].exporter = Some(Exporter { paths: vec!["/metrics".to_owned()] });
        let site = Site { shared: sources(config), proxy: ProxyId(2), bind: BindId(0) };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let get = |target| runtime.block_on(respond(&site, &request(target, None)));
        let all = get("/metrics");
        assert_eq!(all.headers()["content-type"], "text/plain; version=0.0.4");
        let all = body(all);
        assert!(all.starts_with("# HELP haproxy_process_nbthread "), "{all}");
        assert!(all.contains("\nhaproxy_server_status{proxy=\"be\",server=\"s1\",state=\"UP\"} "), "{all}");
        assert_eq!(get("/metrics?scope=bogus").status(), 400);
        assert_eq!(body(get("/metrics?scope=")), "");
        assert_eq!(get("/metric").status(), 503);
    }

    #[test]
    fn scope_narrows() {
        let scoped = site(StatsPage { scope: vec![".".to_owned()], ..page() });
        assert_eq!(body(answer(&scoped, &request("/stats;csv", None))).lines().count(), 1 + 2);
        let asked = body(answer(&site(page()), &request("/stats;csv?scope=be", None)));
        assert_eq!(asked.lines().count(), 1 + 3);
    }

    #[test]
    fn refreshing_is_a_header_that_can_be_switched_off() {
        let site = site(StatsPage { refresh: Some(Duration::from_secs(5)), ..page() });
        assert_eq!(answer(&site, &request("/stats", None)).headers()["refresh"], "5");
        assert!(!answer(&site, &request("/stats;norefresh", None)).headers().contains_key("refresh"));
    }

    /// Serves `input` on a pipe of 64 bytes; whether that came to an end by itself.
    fn ends(input: &'static [u8]) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let (mut peer, stream) = tokio::io::duplex(64);
            tokio::io::AsyncWriteExt::write_all(&mut peer, input).await.expect("written");
            let short = Duration::from_millis(20);
            let served = client(stream, site(page()), Patience { headers: short, connection: 10 * short });
            tokio::time::timeout(Duration::from_secs(10), served).await.is_ok()
        })
    }

    #[test]
    fn clients_that_stall_are_given_up() {
        assert!(ends(b"GET /stats HT"), "headers that never end");
        assert!(ends(b"GET /stats HTTP/1.1\r\nHost: x\r\n\r\n"), "an answer that nobody reads");
        assert!(ends(b""), "silence");
    }

    #[test]
    fn only_reading_is_served() {
        let mut post = request("/stats", None);
        *post.method_mut() = Method::POST;
        assert_eq!(answer(&site(page()), &post).status(), 503);
    }
}
