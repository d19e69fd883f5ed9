//! Prometheus' metrics on the listeners of `mode http` proxies (`http-request use-service`).

use super::Site;
use super::response::Response;
use crate::stats::prometheus::{Family, Scope, families};
use crate::stats::{self, InfoValue, Row, RowKind};

/// What a scrape asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Query {
    scopes: Vec<Scope>,
    /// `no-maint`: servers in maintenance are left out.
    no_maint: bool,
    /// `metrics=a,b`: these only; empty: all.
    wanted: Vec<String>,
    /// `metrics=-a`: all but these.
    unwanted: Vec<String>,
}

/// Whether a path is one of the exporter's.
pub(super) fn is_here(site: &Site, path: &str) -> bool {
    let sources = site.shared.borrow();
    let exporter = sources.config.proxies[usize::from(site.proxy.0)].exporter.as_ref();
    exporter.is_some_and(|exporter| exporter.paths.is_empty() || exporter.paths.iter().any(|own| own == path))
}

/// The metrics, other tasks served between two families.
pub(super) async fn answer(site: &Site, query: &str) -> Response {
    let Some(query) = Query::read(query) else { return Response::error(400) };
    let (info, rows): (Vec<InfoValue>, Vec<Row>) = {
        let sources = site.shared.borrow();
        (stats::info_values(&sources), stats::rows(&sources))
    };
    let mut out = String::new();
    for family in query.families() {
        family.render(&mut out, &info, &rows, query.no_maint);
        tokio::task::yield_now().await;
    }
    Response::text(200, "text/plain; version=0.0.4", out)
}

impl Query {
    /// Reads what follows `?`; None: a scope that is none.
    fn read(query: &str) -> Option<Query> {
        let mut read =
            Query { scopes: Vec::new(), no_maint: false, wanted: Vec::new(), unwanted: Vec::new() };
        let mut is_scoped = false;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                "scope" if pair.contains('=') => {
                    is_scoped = true;
                    read.scope(value)?;
                }
                "scope" => return None,
                "no-maint" => read.no_maint = true,
                "metrics" => read.metrics(value),
                // Rather no metrics than other labels than were asked for.
                "desc-labels" => return None,
                _ => {}
            }
        }
        if !is_scoped {
            read.scopes = Scope::ALL.to_vec();
        }
        Some(read)
    }

    /// As in HAProxy an empty scope after others takes them back.
    fn scope(&mut self, value: &str) -> Option<()> {
        match value {
            "" => self.scopes.clear(),
            "*" => self.scopes = Scope::ALL.to_vec(),
            "global" => self.scopes.push(Scope::Global),
            "frontend" => self.scopes.push(Scope::Rows(RowKind::Frontend)),
            "listener" => self.scopes.push(Scope::Rows(RowKind::Listener)),
            "backend" => self.scopes.push(Scope::Rows(RowKind::Backend)),
            "server" => self.scopes.push(Scope::Rows(RowKind::Server)),
            // There are no stick tables, and names are resolved once at start.
            "sticktable" | "resolver" => {}
            _ => return None,
        }
        Some(())
    }

    fn metrics(&mut self, list: &str) {
        for name in list.split(',').filter(|name| !name.is_empty()) {
            match name.strip_prefix('-') {
                Some(name) => self.unwanted.push(name.to_owned()),
                None => self.wanted.push(name.to_owned()),
            }
        }
    }

    /// In the exporter's order, whatever the order of the scopes.
    fn families(&self) -> impl Iterator<Item = Family> {
        let scopes = Scope::ALL.into_iter().filter(|scope| self.scopes.contains(scope));
        scopes.flat_map(families).filter(|family| {
            let is_in = |names: &[String]| names.contains(&family.name());
            (self.wanted.is_empty() || is_in(&self.wanted)) && !is_in(&self.unwanted)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read() {
        let scopes = |query| Query::read(query).map(|query| query.scopes);
        assert_eq!(scopes(""), Some(Scope::ALL.to_vec()));
        assert_eq!(scopes("no-maint&x=y"), Some(Scope::ALL.to_vec()));
        assert_eq!(scopes("scope="), Some(Vec::new()));
        assert_eq!(
            scopes("scope=global&scope=server"),
            Some(vec![Scope::Global, Scope::Rows(RowKind::Server)])
        );
        assert_eq!(scopes("scope=sticktable"), Some(Vec::new()));
        assert_eq!((scopes("scope"), scopes("scope=x"), scopes("desc-labels")), (None, None, None));
    }

    #[test]
    fn metrics_are_chosen_by_name() {
        let count = |query| Query::read(query).expect("read").families().count();
        assert_eq!(count("metrics=haproxy_process_nbthread,haproxy_server_active"), 2);
        assert_eq!(count("metrics=-haproxy_process_nbthread"), count("") - 1);
    }
}
