//! The rows of `show stat`: for each proxy its frontend, listeners, servers and backend.

use crate::config::model::{Config, Proxy, ProxyId};
use crate::table::Snapshot;

use super::columns::COLUMNS;
use super::sources::Sources;
use super::subject::{Entity, RowKind, Subject};
use super::value::Value;

/// One row, with a value for each of [`COLUMNS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is about.
    pub kind: RowKind,
    /// The proxy it belongs to.
    pub proxy: ProxyId,
    /// In the order of [`COLUMNS`].
    pub values: Vec<Value>,
}

impl Row {
    /// The value of a column by its name; empty for a name that is none.
    pub fn value(&self, column: &str) -> &Value {
        let at = COLUMNS.iter().position(|candidate| candidate.name == column);
        at.map_or(&Value::Empty, |at| &self.values[at])
    }
}

/// Every row as of now. Proxies that are `disabled` have none, as in HAProxy.
pub fn rows(sources: &Sources) -> Vec<Row> {
    let table = sources.table.load_full();
    rows_at(sources, &table, sources.now_ms())
}

/// Every row as of `now_ms` on the process clock.
pub(super) fn rows_at(sources: &Sources, table: &Snapshot, now_ms: u64) -> Vec<Row> {
    let config = &table.config;
    let mut rows = Vec::new();
    for (id, proxy) in (0..).map(ProxyId).zip(&config.proxies).filter(|(_, proxy)| !proxy.disabled) {
        let subject = |entity| Subject { sources, now_ms, id, proxy, entity };
        rows.extend(entities(config, table, id, proxy).into_iter().map(|entity| row(&subject(entity))));
    }
    rows
}

fn entities<'a>(config: &'a Config, table: &'a Snapshot, id: ProxyId, proxy: &'a Proxy) -> Vec<Entity<'a>> {
    let mut entities = Vec::new();
    if proxy.kind.is_frontend() {
        entities.push(Entity::Frontend);
        if proxy.options.socket_stats {
            let binds = proxy.binds.iter();
            entities.extend(binds.map(|&bind| Entity::Listener(bind, &config.binds[usize::from(bind.0)])));
        }
    }
    if proxy.kind.is_backend() {
        let backend = table.backend(id);
        let servers = backend.servers.iter().zip(&proxy.servers);
        entities.extend(servers.map(|(entry, server)| Entity::Server(entry, server)));
        entities.push(Entity::Backend(backend));
    }
    entities
}

fn row(subject: &Subject<'_>) -> Row {
    let values = COLUMNS.iter().map(|column| column.value(subject)).collect();
    Row { kind: subject.kind(), proxy: subject.id, values }
}
