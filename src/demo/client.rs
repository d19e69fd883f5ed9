//! The smallest HiveServer2 client: one session, one statement at a time, over a bare connection.

use std::fmt;
use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::impala::thrift::{Error, Limits, Message, MessageKind, Struct, Value};

/// Protocol V6: columnar results.
const PROTOCOL_V6: i32 = 5;
const FETCH_ROWS: i64 = 8192;
const ANSWER_LIMITS: Limits = Limits { bytes: 64 << 20, depth: 32 };

/// Why a call failed.
#[derive(Debug)]
pub enum ClientError {
    /// The connection or what came over it.
    Transport(Error),
    /// The server answered with an error; its text.
    Server(String),
    /// The answer lacks what it must hold.
    Answer(&'static str),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Transport(error) => write!(f, "{error}"),
            ClientError::Server(text) => write!(f, "{text}"),
            ClientError::Answer(what) => write!(f, "the server's answer has no {what}"),
        }
    }
}

impl std::error::Error for ClientError {}

impl From<Error> for ClientError {
    fn from(error: Error) -> ClientError {
        ClientError::Transport(error)
    }
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> ClientError {
        ClientError::Transport(Error::from(error))
    }
}

/// An open session. Dropping it closes the connection and leaves the session to the server's timeout.
pub struct Client {
    stream: TcpStream,
    input: BufReader<TcpStream>,
    sequence: i32,
    session: Struct,
}

impl Client {
    /// Connects and opens a session. `timeout` bounds the connect and every later read and write.
    pub fn open(address: SocketAddr, user: &str, timeout: Duration) -> Result<Client, ClientError> {
        let stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        let input = BufReader::new(stream.try_clone()?);
        let mut client = Client { stream, input, sequence: 0, session: Struct::new() };
        let answer = client.call("OpenSession", Struct::new().with(1, PROTOCOL_V6).with(2, user))?;
        client.session = fields(&answer, 3, "session handle")?;
        Ok(client)
    }

    /// Runs a statement; all its rows, every value as text. Empty when it has no result set.
    pub fn query(&mut self, statement: &str) -> Result<Vec<Vec<String>>, ClientError> {
        let request = Struct::new().with(1, self.session.clone()).with(2, statement);
        let answer = self.call("ExecuteStatement", request)?;
        let operation = fields(&answer, 2, "operation handle")?;
        let has_rows = operation.field(3).and_then(Value::boolean).unwrap_or(false);
        let rows = if has_rows { self.fetch_all(&operation) } else { Ok(Vec::new()) };
        let closed = self.call("CloseOperation", Struct::new().with(1, operation));
        let rows = rows?;
        closed?;
        Ok(rows)
    }

    /// Closes the session, then the connection.
    pub fn close(mut self) -> Result<(), ClientError> {
        let session = self.session.clone();
        self.call("CloseSession", Struct::new().with(1, session)).map(|_| ())
    }

    fn fetch_all(&mut self, operation: &Struct) -> Result<Vec<Vec<String>>, ClientError> {
        let mut rows = Vec::new();
        loop {
            let request = Struct::new().with(1, operation.clone()).with(2, 0).with(3, FETCH_ROWS);
            let answer = self.call("FetchResults", request)?;
            let columns = answer.at(&[3, 3]).and_then(Value::items).ok_or(ClientError::Answer("columns"))?;
            rows.extend(transposed(columns)?);
            if !answer.field(2).and_then(Value::boolean).unwrap_or(false) {
                return Ok(rows);
            }
        }
    }

    /// The response struct, its status checked.
    fn call(&mut self, method: &str, request: Struct) -> Result<Struct, ClientError> {
        self.sequence = self.sequence.wrapping_add(1);
        let call = Message::call(method, self.sequence, Struct::new().with(1, request));
        self.stream.write_all(&call.to_bytes()?)?;
        let answer = Message::read(&mut self.input, ANSWER_LIMITS)?;
        if answer.kind == MessageKind::Exception {
            let text = answer.body.field(1).and_then(Value::text).unwrap_or("an exception without text");
            return Err(ClientError::Server(text.to_owned()));
        }
        let response = fields(&answer.body, 0, "result")?;
        match response.at(&[1, 1]).and_then(Value::integer) {
            Some(0..=2) => Ok(response),
            Some(_) => Err(ClientError::Server(
                response.at(&[1, 5]).and_then(Value::text).unwrap_or("an error without text").to_owned(),
            )),
            None => Err(ClientError::Answer("status")),
        }
    }
}

fn fields(from: &Struct, id: i16, what: &'static str) -> Result<Struct, ClientError> {
    from.field(id).and_then(Value::fields).cloned().ok_or(ClientError::Answer(what))
}

/// TColumn unions to rows of text.
fn transposed(columns: &[Value]) -> Result<Vec<Vec<String>>, ClientError> {
    let mut rows = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        let union = column.fields().and_then(|union| union.iter().next());
        let values = union.and_then(|(_, typed)| typed.fields()?.field(1)?.items());
        for (row, value) in values.ok_or(ClientError::Answer("column values"))?.iter().enumerate() {
            if at == 0 {
                rows.push(Vec::with_capacity(columns.len()));
            }
            rows.get_mut(row).ok_or(ClientError::Answer("columns of one length"))?.push(shown(value));
        }
    }
    Ok(rows)
}

fn shown(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => other.integer().map(|number| number.to_string()).unwrap_or_default(),
    }
}
