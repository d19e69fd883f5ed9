//! The command line of `pronk top`.

use std::ffi::OsString;
use std::time::Duration;

use lexopt::prelude::*;

use super::source::Address;

pub(super) const USAGE: &str = "\
Usage: pronk top [options] ADDRESS

Shows sessions, rates, servers and Impala coordinators of a running Pronk or HAProxy, until Ctrl-C.
ADDRESS is its stats socket: a path, or HOST:PORT.

  --interval SECONDS   between two readings, default 2
  --once               one plain page, then the end; status 1 when nothing answers
";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TopOptions {
    pub(super) address: Address,
    pub(super) interval: Duration,
    pub(super) once: bool,
}

/// None: help was asked for. The error is a sentence.
pub(super) fn parse(arguments: Vec<OsString>) -> Result<Option<TopOptions>, String> {
    let mut words = lexopt::Parser::from_args(arguments);
    let (mut address, mut interval, mut once) = (None, Duration::from_secs(2), false);
    while let Some(word) = words.next().map_err(|error| error.to_string())? {
        match word {
            Short('h') | Long("help") => return Ok(None),
            Long("once") => once = true,
            Long("interval") => interval = seconds(words.value().map_err(|error| error.to_string())?)?,
            Value(value) if address.is_none() => address = Some(Address::from(value)),
            other => return Err(other.unexpected().to_string()),
        }
    }
    let address = address.ok_or("which stats socket? give its path, or HOST:PORT")?;
    Ok(Some(TopOptions { address, interval, once }))
}

fn seconds(value: OsString) -> Result<Duration, String> {
    let text = value.to_string_lossy();
    let number = text.parse::<f64>().ok().filter(|number| (0.1..=3600.0).contains(number));
    let number = number.ok_or_else(|| format!("--interval {text}: give seconds, from 0.1 to 3600"))?;
    Ok(Duration::from_secs_f64(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<TopOptions>, String> {
        parse(line.split_whitespace().map(OsString::from).collect())
    }

    #[test]
    fn options_are_read_and_mistakes_named() {
        let options = read("--interval 0.5 --once /run/x.sock").expect("good").expect("no help");
        assert_eq!(options.address, Address::Path("/run/x.sock".into()));
        assert_eq!((options.interval, options.once), (Duration::from_millis(500), true));
        assert_eq!(read("--help"), Ok(None));
        assert!(read("").expect_err("no address").contains("HOST:PORT"));
        assert!(read("--interval 0 x").expect_err("too short").contains("0.1"));
        assert!(read("--interval NaN x").is_err());
        assert!(read("a b").is_err());
        assert!(read("--nosuch a").expect_err("unknown").contains("nosuch"));
    }
}
