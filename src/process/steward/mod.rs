//! What a master does for a worker that has given up its rights: it reads the configuration again and binds what
//! that names, and nothing else.
//!
//! ```text
//! worker -> master  {"do":"read"}                  a line of JSON each; the answer to "open" brings the socket
//!                   {"do":"open","bind":KEY}
//!                   {"do":"log","address":KEY}     the same
//!                   {"do":"publish"} or {"do":"forget"}
//! master -> worker  {"error":TEXT|null, "errno":N, ...}
//! ```
//! Bytes of files and names travel as the characters of the same number.

mod serve;

use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::config::address::{HostFamily, HostName};
use crate::config::model::{Bind, LogAddress};
use crate::config::{Answers, Source, Supplies};
use crate::sys::passing;

pub use serve::serve;

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
    /// Behind a connection that the master has made. An answer takes as long as looking up names does; there is an
    /// end to it when the master ends.
    pub fn new(connection: OwnedFd) -> Steward {
        Steward(connection.into())
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

    /// A bound socket of a bind of the configuration that was read last.
    ///
    /// # Errors
    /// What the kernel said to the master.
    pub fn open(&self, bind: &Bind) -> io::Result<OwnedFd> {
        self.descriptor(&json!({"do": "open", "bind": key(bind)}))
    }

    /// A log file or a syslog daemon's socket of the configuration that was read last.
    ///
    /// # Errors
    /// What the kernel said to the master.
    pub fn open_log(&self, address: &LogAddress) -> io::Result<OwnedFd> {
        self.descriptor(&json!({"do": "log", "address": format!("{address:?}")}))
    }

    fn descriptor(&self, question: &Value) -> io::Result<OwnedFd> {
        let (answer, descriptor) = self.ask(question)?;
        if let Some(errno) = answer["errno"].as_i64() {
            return Err(io::Error::from_raw_os_error(i32::try_from(errno).unwrap_or(libc::EIO)));
        }
        descriptor.ok_or(io::ErrorKind::InvalidData.into())
    }

    /// Puts the Unix sockets that were opened where clients look for them. The error is an alert's text.
    pub fn publish(&self) -> Result<(), String> {
        let (answer, _) = self.ask(&json!({"do": "publish"})).map_err(|error| error.to_string())?;
        answer["error"].as_str().map_or(Ok(()), |text| Err(text.to_owned()))
    }

    /// Removes the Unix sockets that were opened and not published.
    pub fn forget(&self) {
        if let Err(error) = self.ask(&json!({"do": "forget"})) {
            tracing::debug!(%error, "the master is gone");
        }
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
    let Supplies { hosts, users, groups, files, .. } = &material.supplies;
    let family = |host: &HostName| FAMILIES.iter().position(|&family| family == host.family);
    let sources: Vec<Value> =
        material.sources.iter().map(|source| json!([source.name, characters(&source.text)])).collect();
    json!({
        "sources": sources,
        "hosts": told(hosts, |host| json!([host.name, family(host)]), |address| json!(address)),
        "users": told(users, |name| json!(name), |id| json!(id)),
        "groups": told(groups, |name| json!(name), |id| json!(id)),
        "files": told(files, |name| json!(name), |text| json!(&**text)),
    })
}

/// `[question, answer, null]`, or why there is no answer: `[question, null, text]`.
fn told<Q: Ord + Clone, A: Clone>(
    answers: &Answers<Q, A>,
    question: impl Fn(&Q) -> Value,
    answer: impl Fn(&A) -> Value,
) -> Vec<Value> {
    let triple = |(asked, known): (&Q, &Result<A, String>)| match known {
        Ok(known) => json!([question(asked), answer(known), null]),
        Err(why) => json!([question(asked), null, why]),
    };
    answers.given().map(triple).collect()
}

/// None: it is no such thing.
fn material(told: &Value) -> Option<Material> {
    let mut supplies = Supplies::default();
    let Supplies { hosts, users, groups, files, .. } = &mut supplies;
    let name = |value: &Value| Some(value.as_str()?.to_owned());
    let host = |value: &Value| {
        let family = *FAMILIES.get(usize::try_from(value[1].as_u64()?).ok()?)?;
        Some(HostName { name: name(&value[0])?, family })
    };
    let id = |value: &Value| u32::try_from(value.as_u64()?).ok();
    learn(hosts, &told["hosts"], host, |value| value.as_str()?.parse().ok())?;
    learn(users, &told["users"], name, id)?;
    learn(groups, &told["groups"], name, id)?;
    learn(files, &told["files"], name, |value| value.as_str().map(Into::into))?;
    let source = |value: &Value| Some(Source { name: name(&value[0])?, text: bytes(value[1].as_str()?)? });
    let sources = told["sources"].as_array()?.iter().map(source).collect::<Option<_>>()?;
    Some(Material { sources, supplies })
}

/// What [`told`] made. None: it is no such thing.
fn learn<Q: Ord + Clone, A: Clone>(
    answers: &mut Answers<Q, A>,
    told: &Value,
    question: impl Fn(&Value) -> Option<Q>,
    answer: impl Fn(&Value) -> Option<A>,
) -> Option<()> {
    for triple in told.as_array()? {
        let known = match triple[2].as_str() {
            Some(why) => Err(why.to_owned()),
            None => Ok(answer(&triple[1])?),
        };
        answers.add(question(&triple[0])?, known);
    }
    Some(())
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
