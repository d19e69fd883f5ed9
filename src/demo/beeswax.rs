//! Beeswax with Impala's extensions (Impala's `common/thrift/beeswax.thrift` and
//! `ImpalaService.thrift`). The connection is the session: its end closes everything it opened.

use std::time::Instant;

use super::coordinator::{Coordinator, Protocol, VERSION};
use super::handle::{Guid, Handle};
use super::query::{Query, QueryState};
use super::rpc::Methods;
use super::statement::{Cell, Column, ColumnKind, OPTIONS};
use super::{hs2, pages};
use crate::impala::thrift::{Kind, Map, Struct, Value};

/// The calls of one connection.
pub(super) struct Beeswax<'a> {
    coordinator: &'a Coordinator,
    session: Handle,
}

/// What a call throws: the result's field id and the exception.
type Thrown = (i16, Struct);

impl<'a> Beeswax<'a> {
    /// Opens the connection's session.
    pub(super) fn open(coordinator: &'a Coordinator, client: &str) -> Result<Beeswax<'a>, String> {
        let session = coordinator.open_session(Protocol::Beeswax, "", client)?;
        Ok(Beeswax { coordinator, session })
    }

    fn call(&self, method: &str, arguments: &Struct) -> Option<Result<Value, Thrown>> {
        Some(match method {
            "PingImpalaService" => Ok(self.ping()),
            "get_default_configuration" => Ok(configuration()),
            "query" => self.query(arguments),
            "get_state" => self.on_query(arguments, |_, query| Value::I32(state(query))),
            "get_results_metadata" => self.on_query(arguments, |_, query| metadata(&query.columns)),
            "fetch" => self.fetch(arguments),
            "get_log" => Ok(Value::from(self.log(arguments))),
            "echo" => Ok(Value::from(arguments.field(1).and_then(Value::text).unwrap_or(""))),
            "dump_config" => Ok(Value::from("")),
            "clean" => Ok(Value::from(Struct::new())),
            "close" => self.ended(arguments, Coordinator::close, Value::from(Struct::new())),
            "CloseInsert" => self.ended(arguments, Coordinator::close, dml_result()),
            "Cancel" => self.ended(arguments, Coordinator::cancel, cancelled()),
            "GetExecSummary" => self.on_any_query(arguments, |_, query| Value::from(hs2::summary(query))),
            "GetRuntimeProfile" => self.on_any_query(arguments, |guid, query| {
                Value::from(pages::profile(self.coordinator, guid, query))
            }),
            _ => return None,
        })
    }

    fn ping(&self) -> Value {
        Value::from(Struct::new().with(1, VERSION).with(2, self.coordinator.web_url()))
    }

    fn query(&self, arguments: &Struct) -> Result<Value, Thrown> {
        let text = arguments.at(&[1, 1]).and_then(Value::text).unwrap_or("");
        let user = arguments.at(&[1, 4]).and_then(Value::text).unwrap_or("");
        self.coordinator.state().set_user(self.session, user);
        match self.coordinator.execute(self.session, text) {
            Ok((guid, _)) => Ok(Value::from(query_handle(&guid.to_string()))),
            Err(error) => Err((1, exception(&error))),
        }
    }

    fn fetch(&self, arguments: &Struct) -> Result<Value, Thrown> {
        let guid = guid(arguments).ok_or_else(not_found)?;
        match self.coordinator.wait(guid) {
            None => return Err(not_found()),
            Some(Err(text)) => return Err((2, exception(&text))),
            Some(Ok(())) => {}
        }
        let most = arguments.field(3).and_then(Value::integer).unwrap_or(0);
        let mut state = self.coordinator.state();
        let query = state.queries.get_mut(&guid).ok_or_else(not_found)?;
        Ok(results(query, most))
    }

    fn log(&self, arguments: &Struct) -> String {
        let context = arguments.field(1).and_then(Value::text).and_then(Guid::parse);
        let state = self.coordinator.state();
        let query = context.and_then(|guid| state.queries.get(&guid));
        query.map(|query| query.state(Instant::now()).log()).unwrap_or_default()
    }

    fn ended(
        &self,
        arguments: &Struct,
        end: fn(&Coordinator, Guid) -> bool,
        answer: Value,
    ) -> Result<Value, Thrown> {
        match guid(arguments) {
            Some(guid) if end(self.coordinator, guid) => Ok(answer),
            _ => Err(not_found()),
        }
    }

    fn on_query(
        &self,
        arguments: &Struct,
        then: impl FnOnce(Guid, &Query) -> Value,
    ) -> Result<Value, Thrown> {
        let state = self.coordinator.state();
        let known = guid(arguments).and_then(|guid| Some((guid, state.queries.get(&guid)?)));
        known.map(|(guid, query)| then(guid, query)).ok_or_else(not_found)
    }

    /// Completed ones too.
    fn on_any_query(
        &self,
        arguments: &Struct,
        then: impl FnOnce(Guid, &Query) -> Value,
    ) -> Result<Value, Thrown> {
        let state = self.coordinator.state();
        let known = guid(arguments).and_then(|guid| Some((guid, state.any_query(guid)?)));
        known.map(|(guid, query)| then(guid, query)).ok_or_else(not_found)
    }
}

impl Methods for Beeswax<'_> {
    fn answer(&mut self, method: &str, arguments: &Struct) -> Option<Struct> {
        let returns_nothing = matches!(method, "close" | "clean");
        Some(match self.call(method, arguments)? {
            Ok(_) if returns_nothing => Struct::new(),
            Ok(value) => Struct::new().with(0, value),
            Err((id, thrown)) => Struct::new().with(id, thrown),
        })
    }
}

impl Drop for Beeswax<'_> {
    fn drop(&mut self) {
        // It fails only for a session that is gone already.
        let _ = self.coordinator.close_session(self.session);
    }
}

fn guid(arguments: &Struct) -> Option<Guid> {
    arguments.at(&[1, 1]).and_then(Value::text).and_then(Guid::parse)
}

fn query_handle(id: &str) -> Struct {
    Struct::new().with(1, id).with(2, id)
}

/// QueryNotFoundException.
fn not_found() -> Thrown {
    (1, Struct::new())
}

/// BeeswaxException.
fn exception(text: &str) -> Struct {
    Struct::new().with(1, text).with(2, "").with(3, query_handle("")).with(4, 0).with(5, "HY000")
}

/// QueryState.
fn state(query: &Query) -> i32 {
    match query.state(Instant::now()) {
        QueryState::Running => 3,
        QueryState::Finished => 4,
        QueryState::Cancelled | QueryState::Failed(_) => 5,
    }
}

fn configuration() -> Value {
    let variable = |[name, value, level]: [&str; 3]| {
        let level = i32::from(level == "ADVANCED");
        Struct::new().with(1, name).with(2, value).with(3, "").with(4, level)
    };
    Value::list(Kind::Struct, OPTIONS.map(variable))
}

/// TDmlResult of a statement that changed nothing.
fn dml_result() -> Value {
    Value::from(Struct::new().with(1, Map::new(Kind::Bytes, Kind::I64, Vec::new())).with(2, 0i64))
}

/// Status.TStatus OK.
fn cancelled() -> Value {
    let no_messages: [&str; 0] = [];
    Value::from(Struct::new().with(1, 0).with(2, Value::list(Kind::Bytes, no_messages)))
}

fn metadata(columns: &[Column]) -> Value {
    let field = |column: &Column| {
        let kind = match column.kind {
            ColumnKind::Boolean => "boolean",
            ColumnKind::Bigint => "bigint",
            ColumnKind::Text => "string",
        };
        Struct::new().with(1, column.name.as_str()).with(2, kind).with(3, "")
    };
    let schema = Struct::new()
        .with(1, Value::list(Kind::Struct, columns.iter().map(field)))
        .with(2, Value::empty_map());
    Value::from(Struct::new().with(1, schema).with(2, "").with(3, "").with(4, "\t"))
}

/// Rows as text, columns apart by tabs.
fn results(query: &mut Query, most: i64) -> Value {
    let batch = query.next_batch(most);
    let cell = |cell: &Cell| match cell {
        Cell::Bool(value) => value.to_string(),
        Cell::Number(number) => number.to_string(),
        Cell::Text(text) => text.clone(),
    };
    let line = |row: &Vec<Cell>| row.iter().map(cell).collect::<Vec<_>>().join("\t");
    let names = query.columns.iter().map(|column| column.name.as_str());
    Value::from(
        Struct::new()
            .with(1, true)
            .with(2, Value::list(Kind::Bytes, names))
            .with(3, Value::list(Kind::Bytes, batch.rows.iter().map(line)))
            .with(4, batch.first as i64)
            .with(5, batch.more),
    )
}
