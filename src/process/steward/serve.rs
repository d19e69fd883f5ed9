//! The master's end: a thread for each worker.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;

use serde_json::{Value, json};

use super::super::files::Files;
use super::super::invocation::Invocation;
use super::super::listen::{Hidden, open_bind};
use super::super::load;
use super::{key, shown};
use crate::config::model::{BindId, Config};
use crate::log;
use crate::sys::passing;

/// Answers until the worker is gone. Where no thread can be made the connection ends, and a reload says so.
pub fn serve(connection: OwnedFd, invocation: &Invocation) {
    let stream = UnixStream::from(connection);
    let mut desk = Desk { invocation: invocation.clone(), config: None, hidden: Vec::new() };
    let serving = move || {
        if let Err(error) = desk.attend(&stream) {
            tracing::debug!(%error, "a worker asks no more");
        }
    };
    let _ = thread::Builder::new().name("steward".to_owned()).spawn(serving);
}

struct Desk {
    invocation: Invocation,
    /// As it was read last.
    config: Option<Config>,
    /// Unix sockets that were opened since, and are not yet where clients look for them.
    hidden: Vec<Hidden>,
}

impl Desk {
    fn attend(&mut self, stream: &UnixStream) -> io::Result<()> {
        for line in BufReader::new(stream).lines() {
            let question: Value = serde_json::from_str(&line?)?;
            let (answer, socket) = match question["do"].as_str() {
                Some("read") => (self.read(), None),
                Some("open") => self.open(question["bind"].as_str().unwrap_or_default()),
                Some("log") => self.open_log(question["address"].as_str().unwrap_or_default()),
                Some("publish") => (self.publish(), None),
                Some("forget") => (self.forget(), None),
                _ => return Err(io::ErrorKind::InvalidData.into()),
            };
            let answer = format!("{answer}\n");
            let socket: Vec<_> = socket.iter().map(AsFd::as_fd).collect();
            let sent = passing::send(stream.as_fd(), answer.as_bytes(), &socket)?;
            (&*stream).write_all(&answer.as_bytes()[sent..])?;
        }
        Ok(())
    }

    fn read(&mut self) -> Value {
        self.forget();
        match load::gather(&Files::new(&self.invocation.files), &self.invocation, true) {
            Err(text) => json!({"error": text}),
            Ok(material) => {
                let answer = shown(&material);
                // The worker may know where a server is whose name nobody knows now.
                let lenient = Invocation { skip_unresolved: true, ..self.invocation.clone() };
                self.config = load::config_of(material, &lenient);
                answer
            }
        }
    }

    /// Only what the configuration names is bound.
    fn open(&mut self, wanted: &str) -> (Value, Option<OwnedFd>) {
        let Some(config) = &self.config else { return refused(libc::EINVAL) };
        let found: Option<BindId> = config.binds().find(|(_, bind)| key(bind) == wanted).map(|(id, _)| id);
        let Some(id) = found else { return refused(libc::EPERM) };
        opened(open_bind(config, &config.binds[usize::from(id.0)], &mut self.hidden))
    }

    /// Only what the configuration names is opened.
    fn open_log(&self, wanted: &str) -> (Value, Option<OwnedFd>) {
        let Some(config) = &self.config else { return refused(libc::EINVAL) };
        let mut addresses = config.log_targets.iter().map(|target| &target.address);
        match addresses.find(|address| format!("{address:?}") == wanted) {
            Some(address) => opened(log::open_path(address)),
            None => refused(libc::EPERM),
        }
    }

    fn publish(&mut self) -> Value {
        match self.hidden.drain(..).try_for_each(Hidden::publish) {
            Ok(()) => json!({}),
            Err(error) => json!({"error": error.to_string()}),
        }
    }

    fn forget(&mut self) -> Value {
        self.hidden.clear();
        self.config = None;
        json!({})
    }
}

/// An answer with its descriptor.
fn opened(descriptor: io::Result<OwnedFd>) -> (Value, Option<OwnedFd>) {
    match descriptor {
        Ok(descriptor) => (json!({}), Some(descriptor)),
        Err(error) => refused(error.raw_os_error().unwrap_or(libc::EIO)),
    }
}

fn refused(errno: i32) -> (Value, Option<OwnedFd>) {
    (json!({"errno": errno}), None)
}
