//! Questions to a stats socket, Pronk's or haproxy's.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::PATIENCE;

/// Sends everything, ends the sending side, and reads to the end.
pub fn ask(socket: &Path, text: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(text.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// A column of one row of `show stat`.
pub fn column<'a>(csv: &'a str, row: [&str; 2], name: &str) -> Option<&'a str> {
    let mut lines = csv.lines();
    let at = lines.next()?.trim_start_matches("# ").split(',').position(|column| column == name)?;
    let mut rows = lines.map(|line| line.split(','));
    rows.find(|cells| cells.clone().take(2).eq(row))?.nth(at)
}
