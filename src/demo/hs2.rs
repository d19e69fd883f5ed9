//! HiveServer2 with Impala's extensions (Impala's `common/thrift/ImpalaService.thrift` and
//! `TCLIService.thrift`): the calls that impala-shell, impyla, PyHive and Hive's JDBC driver make.

use std::time::Instant;

use super::coordinator::{Coordinator, Protocol, VERSION};
use super::handle::{Guid, Handle};
use super::pages;
use super::query::{Batch, Query, QueryState};
use super::rpc::Methods;
use super::statement::{Cell, Column, ColumnKind};
use crate::impala::thrift::{Kind, Struct, Value};

/// HIVE_CLI_SERVICE_PROTOCOL_V6, the newest an impalad speaks: columnar results.
const PROTOCOL_V6: i64 = 5;
const INVALID_QUERY: &str = "Invalid or unknown query handle";

/// The calls of one connection.
pub(super) struct HiveServer2<'a> {
    pub(super) coordinator: &'a Coordinator,
    pub(super) client: String,
}

impl Methods for HiveServer2<'_> {
    fn answer(&mut self, method: &str, arguments: &Struct) -> Option<Struct> {
        let empty = Struct::new();
        let request = arguments.field(1).and_then(Value::fields).unwrap_or(&empty);
        let response = match method {
            "OpenSession" => self.open_session(request),
            "CloseSession" => self.close_session(request),
            "PingImpalaHS2Service" => self.ping(request),
            "GetInfo" => self.info(request),
            "ExecuteStatement" => self.execute(request),
            "GetOperationStatus" => self.operation_status(request),
            "GetResultSetMetadata" => self.on_query(request, |_, query| metadata(&query.columns)),
            "FetchResults" => self.fetch(request),
            "CancelOperation" => self.ended(request, Coordinator::cancel),
            "CloseOperation" | "CloseImpalaOperation" => self.ended(request, Coordinator::close),
            "GetLog" => {
                self.on_query(request, |_, query| success().with(2, query.state(Instant::now()).log()))
            }
            "GetExecSummary" => self.on_any_query(request, |_, query| success().with(2, summary(query))),
            "GetRuntimeProfile" => self.on_any_query(request, |guid, query| {
                success().with(2, pages::profile(self.coordinator, guid, query))
            }),
            _ => return None,
        };
        Some(Struct::new().with(0, response))
    }
}

impl HiveServer2<'_> {
    fn open_session(&self, request: &Struct) -> Struct {
        let user = request.field(2).and_then(Value::text).unwrap_or("");
        let version = request.field(1).and_then(Value::integer).unwrap_or(0).clamp(0, PROTOCOL_V6) as i32;
        match self.coordinator.open_session(Protocol::HiveServer2, user, &self.client) {
            Err(error) => failure(&error).with(2, version),
            Ok(handle) => {
                let session = Struct::new().with(1, identifier(handle));
                success().with(2, version).with(3, session).with(4, Value::empty_map())
            }
        }
    }

    fn close_session(&self, request: &Struct) -> Struct {
        self.with_session(request, |handle| self.coordinator.close_session(handle).map(|()| success()))
    }

    fn ping(&self, request: &Struct) -> Struct {
        self.with_session(request, |handle| {
            self.coordinator.check_session(handle)?;
            let since_ms = self.coordinator.started.elapsed().as_millis() as i64;
            Ok(success().with(2, VERSION).with(3, self.coordinator.web_url()).with(4, since_ms))
        })
    }

    fn info(&self, request: &Struct) -> Struct {
        const DBMS_VERSION: i64 = 18;
        self.with_session(request, |handle| {
            self.coordinator.check_session(handle)?;
            let version = request.field(2).and_then(Value::integer) == Some(DBMS_VERSION);
            let text = if version { VERSION } else { "Impala" };
            Ok(success().with(2, Struct::new().with(1, text)))
        })
    }

    fn execute(&self, request: &Struct) -> Struct {
        const EXECUTE_STATEMENT: i32 = 0;
        let text = request.field(2).and_then(Value::text).unwrap_or("");
        self.with_session(request, |handle| {
            let (guid, has_rows) = self.coordinator.execute(handle, text)?;
            let operation = Struct::new()
                .with(1, identifier(Handle { guid, secret: guid }))
                .with(2, EXECUTE_STATEMENT)
                .with(3, has_rows);
            Ok(success().with(2, operation))
        })
    }

    fn operation_status(&self, request: &Struct) -> Struct {
        let state = |state: i32| success().with(2, state);
        self.on_query(request, |_, query| match query.state(Instant::now()) {
            QueryState::Running => state(1),
            QueryState::Finished => state(2),
            QueryState::Cancelled => state(3),
            QueryState::Failed(text) => state(5).with(3, "HY000").with(5, text),
        })
    }

    fn fetch(&self, request: &Struct) -> Struct {
        let Some(guid) = guid(request) else { return invalid_handle() };
        match self.coordinator.wait(guid) {
            None => return invalid_handle(),
            Some(Err(text)) => return failure(&text),
            Some(Ok(())) => {}
        }
        let most = request.field(3).and_then(Value::integer).unwrap_or(0);
        // JDBC asks for log lines with fetchType 1: there are none.
        let wants_log = request.field(4).and_then(Value::integer).unwrap_or(0) != 0;
        let mut state = self.coordinator.state();
        match state.queries.get_mut(&guid) {
            None => invalid_handle(),
            Some(_) if wants_log => rows(&[], &Batch { first: 0, rows: Vec::new(), more: false }),
            Some(query) => rows(&query.columns.clone(), &query.next_batch(most)),
        }
    }

    fn ended(&self, request: &Struct, end: fn(&Coordinator, Guid) -> bool) -> Struct {
        match guid(request) {
            Some(guid) if end(self.coordinator, guid) => success(),
            _ => invalid_handle(),
        }
    }

    fn with_session(&self, request: &Struct, then: impl FnOnce(Handle) -> Result<Struct, String>) -> Struct {
        let handle = handle(request).ok_or_else(|| "Invalid session id".to_owned());
        handle.and_then(then).unwrap_or_else(|error| failure(&error))
    }

    fn on_query(&self, request: &Struct, then: impl FnOnce(Guid, &Query) -> Struct) -> Struct {
        let state = self.coordinator.state();
        let query = guid(request).and_then(|guid| Some((guid, state.queries.get(&guid)?)));
        query.map_or_else(invalid_handle, |(guid, query)| then(guid, query))
    }

    /// Completed ones too.
    fn on_any_query(&self, request: &Struct, then: impl FnOnce(Guid, &Query) -> Struct) -> Struct {
        let state = self.coordinator.state();
        let query = guid(request).and_then(|guid| Some((guid, state.any_query(guid)?)));
        query.map_or_else(invalid_handle, |(guid, query)| then(guid, query))
    }
}

/// Of the request's first field, a session or operation handle.
fn handle(request: &Struct) -> Option<Handle> {
    let part = |id: i16| request.at(&[1, 1, id]).and_then(Value::bytes).and_then(Guid::of_bytes);
    Some(Handle { guid: part(1)?, secret: part(2)? })
}

fn guid(request: &Struct) -> Option<Guid> {
    handle(request).filter(|handle| handle.guid == handle.secret).map(|handle| handle.guid)
}

fn identifier(handle: Handle) -> Struct {
    Struct::new().with(1, handle.guid.0.to_vec()).with(2, handle.secret.0.to_vec())
}

/// A response whose TStatus is SUCCESS_STATUS.
fn success() -> Struct {
    Struct::new().with(1, Struct::new().with(1, 0))
}

/// ERROR_STATUS with its text.
fn failure(text: &str) -> Struct {
    Struct::new().with(1, Struct::new().with(1, 3).with(3, "HY000").with(5, text))
}

fn invalid_handle() -> Struct {
    Struct::new().with(1, Struct::new().with(1, 4).with(5, INVALID_QUERY))
}

/// TExecSummary: state and progress; a stand-in has no plan nodes.
pub(super) fn summary(query: &Query) -> Struct {
    let (state, done) = match query.state(Instant::now()) {
        QueryState::Running => (3, 0i64),
        QueryState::Finished => (4, 1),
        QueryState::Cancelled => (5, 0),
        QueryState::Failed(_) => (6, 0),
    };
    let progress = Struct::new().with(1, 1i64).with(2, done).with(3, 1i64).with(4, done);
    Struct::new().with(1, state).with(6, progress)
}

/// TTypeId.
fn type_id(kind: ColumnKind) -> i32 {
    match kind {
        ColumnKind::Boolean => 0,
        ColumnKind::Bigint => 4,
        ColumnKind::Text => 7,
    }
}

fn metadata(columns: &[Column]) -> Struct {
    let column = |(position, column): (usize, &Column)| {
        let primitive = Struct::new().with(1, type_id(column.kind));
        let types = Value::list(Kind::Struct, [Struct::new().with(1, primitive)]);
        Struct::new()
            .with(1, column.name.as_str())
            .with(2, Struct::new().with(1, types))
            .with(3, position as i32)
    };
    let columns = Value::list(Kind::Struct, columns.iter().enumerate().map(column));
    success().with(2, Struct::new().with(1, columns))
}

fn rows(columns: &[Column], batch: &Batch) -> Struct {
    let values = columns.iter().enumerate().map(|(at, column)| column_values(at, column.kind, batch));
    let none: [Struct; 0] = [];
    let set = Struct::new()
        .with(1, batch.first as i64)
        .with(2, Value::list(Kind::Struct, none))
        .with(3, Value::list(Kind::Struct, values));
    success().with(2, batch.more).with(3, set)
}

/// TColumn: a union by type (1 bool, 5 i64, 7 string) of values and a bitmap of nulls.
fn column_values(at: usize, kind: ColumnKind, batch: &Batch) -> Struct {
    let (union, element) = match kind {
        ColumnKind::Boolean => (1, Kind::Bool),
        ColumnKind::Bigint => (5, Kind::I64),
        ColumnKind::Text => (7, Kind::Bytes),
    };
    let cell = |row: &Vec<Cell>| match &row[at] {
        Cell::Bool(value) => Value::Bool(*value),
        Cell::Number(number) => Value::I64(*number),
        Cell::Text(text) => Value::from(text.as_str()),
    };
    let nulls = vec![0u8; batch.rows.len().div_ceil(8)];
    let values = Value::list(element, batch.rows.iter().map(cell));
    Struct::new().with(union, Struct::new().with(1, values).with(2, nulls))
}
