//! The stats socket, asked one command a connection.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use super::sample::Sample;

/// Longer than any process that is alive takes between two pieces of an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than a hundred thousand servers; what sends more is no stats socket.
const LONGEST: u64 = 64 << 20;

/// Where the stats socket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Path(PathBuf),
    /// HOST:PORT
    Tcp(String),
}

impl From<OsString> for Address {
    /// What has no slash and ends in a port is TCP.
    fn from(word: OsString) -> Address {
        let text = word.to_string_lossy();
        let port = text.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_some() && !text.contains('/') {
            return Address::Tcp(text.into_owned());
        }
        Address::Path(PathBuf::from(word))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Address::Path(path) => write!(out, "{}", path.display()),
            Address::Tcp(name) => out.write_str(name),
        }
    }
}

impl Address {
    /// One reading of everything.
    pub(super) fn sample(&self) -> io::Result<Sample> {
        let (info, stat) = (self.ask("show info")?, self.ask("show stat")?);
        Sample::parse(&info, &stat).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))
    }

    fn ask(&self, command: &str) -> io::Result<String> {
        match self {
            Address::Path(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                exchange(stream, command)
            }
            Address::Tcp(name) => {
                let stream = connect(name)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                exchange(stream, command)
            }
        }
    }
}

fn connect(name: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in name.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn exchange(mut stream: impl Read + Write, command: &str) -> io::Result<String> {
    stream.write_all(format!("{command}\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_makes_it_tcp_and_a_slash_a_path() {
        let address = |text: &str| Address::from(OsString::from(text));
        assert_eq!(address("gate:9999"), Address::Tcp("gate:9999".into()));
        assert_eq!(address("[::1]:9999"), Address::Tcp("[::1]:9999".into()));
        assert_eq!(address("/run/x:1"), Address::Path("/run/x:1".into()));
        assert_eq!(address("x.sock"), Address::Path("x.sock".into()));
    }
}
