//! Thrift calls on one connection, one after the other, for both of a coordinator's protocols.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::coordinator::Coordinator;
use crate::impala::thrift::{Error, Limits, Message, MessageKind, Struct};

/// A message once begun must arrive within this, byte to byte.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// A client may be slow to take its rows.
const WRITE_TIMEOUT: Duration = Duration::from_secs(300);
const BUFFER_BYTES: usize = 16 << 10;

/// A protocol's methods: the body of the reply, None for a method it does not have.
pub(super) trait Methods {
    fn answer(&mut self, method: &str, arguments: &Struct) -> Option<Struct>;
}

/// Until the client goes, a message is malformed, or the stand-in stops.
pub(super) fn serve(coordinator: &Coordinator, stream: &TcpStream, methods: &mut impl Methods) {
    // Whatever ends the conversation, there is nobody left to tell.
    let _ = converse(coordinator, stream, methods);
}

fn converse(
    coordinator: &Coordinator,
    mut stream: &TcpStream,
    methods: &mut impl Methods,
) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    let mut input = BufReader::with_capacity(BUFFER_BYTES, stream);
    while wait_for_byte(&mut input)? {
        let call = Message::read(&mut input, Limits::default())?;
        let answer = match methods.answer(&call.name, &call.body) {
            Some(body) => {
                coordinator.count_call(&call.name);
                call.reply(body)
            }
            None => {
                coordinator.count_call("unknown method");
                call.unknown_method()
            }
        };
        if call.kind != MessageKind::Oneway {
            stream.write_all(&answer.to_bytes()?)?;
        }
    }
    Ok(())
}

/// A client may be silent between two calls for hours: only there a timeout is no error.
fn wait_for_byte(input: &mut BufReader<impl Read>) -> io::Result<bool> {
    loop {
        match input.fill_buf() {
            Ok(bytes) => return Ok(!bytes.is_empty()),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {}
                _ => return Err(error),
            },
        }
    }
}
