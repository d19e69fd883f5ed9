//! What a master does for a worker that has given up its rights: it reads the configuration again and binds what
//! that names, and nothing else.
//!
//! ```text
//! worker -> master  {"do":"read"}                  a line of JSON each; the answer to "open" brings the socket
//!                   {"do":"open","bind":KEY}
//!                   {"do":"publish"}
//! master -> worker  {"error":TEXT|null, "errno":N, ...}
//! ```
//! Bytes of files and names travel as the characters of the same number.

mod serve;

use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::config::address::{HostFamily, HostName};
use crate::config::model::Bind;
use crate::config::{Answers, Source, Supplies};
use crate::sys::passing;

pub use serve::serve;

/// How long an answer may take: names are looked up meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);
/// No answer is longer.
const LONGEST: usize = 256 << 20;
const FAMILIES: [HostFamily; 3] = [HostFamily::Any, HostFamily::V4, HostFamily::V6];

/// What a configuration is made from.
#[derive(Debug)]
pub struct Material {
    /// The texts of its files.
    pub sources: Vec<Source>,
    /// What they ask for.
    pub supplies: Supplies,
}

/// The worker's end.
#[derive(Debug)]
pub struct Steward(UnixStream);

impl Steward {
    /// Behind a connection that the master has made.
    ///
    /// # Errors
    /// None for a socket.
    pub fn new(connection: OwnedFd) -> io::Result<Steward> {
        let stream = UnixStream::from(connection);
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Steward(stream))
    }

    /// Everything as it is now; the inner error is an alert's text.
    ///
    /// # Errors
    /// The master is gone, or does not understand.
    pub fn read(&self) -> io::Result<Result<Material, String>> {
        let (answer, _) = self.ask(&json!({"do": "read"}))?;
        if let Some(text) = answer["error"].as_str() {
            return Ok(Err(text.to_owned()));
        }
        material(&answer).map(Ok).ok_or(io::ErrorKind::InvalidData.into())
    }

    /// A listening socket of a bind of the configuration that was read last.
    ///
    /// # Errors
    /// What the kernel said to the master.
    pub fn open(&self, bind: &Bind, backlog: u32) -> io::Result<OwnedFd> {
        let (answer, socket) = self.ask(&json!({"do": "open", "bind": key(bind)}))?;
        if let Some(errno) = answer["errno"].as_i64() {
            return Err(io::Error::from_raw_os_error(i32::try_from(errno).unwrap_or(libc::EIO)));
        }
        let socket = socket.ok_or(io::ErrorKind::InvalidData)?;
        rustix::net::listen(&socket, i32::try_from(backlog).unwrap_or(i32::MAX))?;
        Ok(socket)
    }

    /// Puts the Unix sockets that were opened where clients look for them. The error is an alert's text.
    pub fn publish(&self) -> Result<(), String> {
        let (answer, _) = self.ask(&json!({"do": "publish"})).map_err(|error| error.to_string())?;
        answer["error"].as_str().map_or(Ok(()), |text| Err(text.to_owned()))
    }

    fn ask(&self, question: &Value) -> io::Result<(Value, Option<OwnedFd>)> {
        (&self.0).write_all(format!("{question}\n").as_bytes())?;
        let (mut text, mut socket, mut buffer) = (Vec::new(), None, vec![0; 65_536]);
        while text.last() != Some(&b'\n') {
            let (length, came) = passing::receive(self.0.as_fd(), &mut buffer)?;
            if length == 0 || text.len() > LONGEST {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            text.extend_from_slice(&buffer[..length]);
            socket = came.into_iter().next().or(socket);
        }
        Ok((serde_json::from_slice(&text)?, socket))
    }
}

/// How a bind is told from the others of a configuration.
fn key(bind: &Bind) -> String {
    format!("{} {:?}", bind.declared_at, bind.address)
}

fn characters(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

fn bytes(characters: &str) -> Option<Vec<u8>> {
    characters.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect()
}

fn shown(material: &Material) -> Value {
    let Supplies { hosts, users, groups, files } = &material.supplies;
    let family = |host: &HostName| FAMILIES.iter().position(|&family| family == host.family);
    let hosts: Vec<Value> = hosts
        .given()
        .map(|(host, answer)| json!([host.name, family(host), answer.as_ref().ok(), answer.as_ref().err()]))
        .collect();
    let accounts = |answers: &Answers<String, u32>| -> Vec<Value> {
        let all = answers.given();
        all.map(|(name, answer)| json!([name, answer.as_ref().ok(), answer.as_ref().err()])).collect()
    };
    let files: Vec<Value> = files
        .given()
        .map(|(name, answer)| json!([name, answer.as_ref().ok().map(|text| &**text), answer.as_ref().err()]))
        .collect();
    let sources: Vec<Value> =
        material.sources.iter().map(|source| json!([source.name, characters(&source.text)])).collect();
    json!({"sources": sources, "hosts": hosts, "users": accounts(users), "groups": accounts(groups), "files": files})
}

/// None: it is no such thing.
fn material(answer: &Value) -> Option<Material> {
    let list = |name: &str| answer[name].as_array();
    let mut supplies = Supplies::default();
    for host in list("hosts")? {
        let family = *FAMILIES.get(usize::try_from(host[1].as_u64()?).ok()?)?;
        let name = HostName { name: host[0].as_str()?.to_owned(), family };
        let address = match host[2].as_str() {
            Some(text) => Ok(text.parse().ok()?),
            None => Err(host[3].as_str()?.to_owned()),
        };
        supplies.hosts.add(name, address);
    }
    for (answers, name) in [(&mut supplies.users, "users"), (&mut supplies.groups, "groups")] {
        for account in list(name)? {
            let number = match account[1].as_u64() {
                Some(number) => Ok(u32::try_from(number).ok()?),
                None => Err(account[2].as_str()?.to_owned()),
            };
            answers.add(account[0].as_str()?.to_owned(), number);
        }
    }
    for file in list("files")? {
        let text = file[1].as_str().map(Into::into).ok_or(file[2].as_str().map(str::to_owned));
        let text = match text {
            Ok(text) => Ok(text),
            Err(why) => Err(why?),
        };
        supplies.files.add(file[0].as_str()?.to_owned(), text);
    }
    let source = |source: &Value| {
        Some(Source { name: source[0].as_str()?.to_owned(), text: bytes(source[1].as_str()?)? })
    };
    let sources = list("sources")?.iter().map(source).collect::<Option<_>>()?;
    Some(Material { sources, supplies })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    #[test]
    fn what_a_configuration_is_made_from_arrives_as_it_was() {
        let mut supplies = Supplies::default();
        let host = |name: &str, family| HostName { name: name.to_owned(), family };
        supplies.hosts.add(host("here", HostFamily::V6), Ok(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])));
        supplies.hosts.add(host("nowhere", HostFamily::Any), Err("no such name".to_owned()));
        supplies.users.add("root".to_owned(), Ok(0));
        supplies.groups.add("none".to_owned(), Err("0:Success".to_owned()));
        supplies.files.add("a.lst".to_owned(), Ok("10.0.0.1\n".into()));
        supplies.files.add("b.lst".to_owned(), Err("failed".to_owned()));
        let text: Vec<u8> = (0..=255).collect();
        let sources = vec![Source { name: "h.cfg".to_owned(), text: text.clone() }];
        let told = shown(&Material { sources, supplies }).to_string();
        assert!(!told.contains('\n'));
        let mut arrived = material(&serde_json::from_str(&told).expect("JSON")).expect("understood");
        assert_eq!(arrived.sources[0].text, text);
        let hosts = &mut arrived.supplies.hosts;
        assert_eq!(hosts.of(&host("here", HostFamily::V6)), Ok(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])));
        assert_eq!(hosts.of(&host("nowhere", HostFamily::Any)), Err("no such name".to_owned()));
        assert_eq!(arrived.supplies.users.of(&"root".to_owned()), Ok(0));
        assert_eq!(arrived.supplies.groups.of(&"none".to_owned()), Err("0:Success".to_owned()));
        assert_eq!(arrived.supplies.files.of(&"a.lst".to_owned()).as_deref(), Ok("10.0.0.1\n"));
        assert_eq!(arrived.supplies.files.of(&"b.lst".to_owned()), Err("failed".to_owned()));
        assert!(material(&json!({"sources": [["x", "\u{100}"]]})).is_none());
    }
}
