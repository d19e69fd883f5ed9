//! The command line of `pronk demo`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::impala::ports;

pub(super) const USAGE: &str = "\
Usage: pronk demo [options]

Starts three stand-in coordinators and the gateway in front of them, runs a few queries through it,
shows which coordinator answered each, and goes on until Ctrl-C.

  --port-beeswax PORT  the gateway's Beeswax port, default 21000; 0: any free one
  --port-hs2 PORT      the gateway's HiveServer2 port, default 21050; 0: any free one
  --queries N          how many queries, default 9
  --client WHICH       auto (impala-shell when it is on PATH), impala-shell, or own
  --log FILE           session log in HAProxy's tcplog format
  --seconds N          end by itself N seconds after the queries
  --once               end by itself right after the queries
";

/// Who sends the queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Auto,
    ImpalaShell,
    Own,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DemoOptions {
    pub(super) beeswax_port: u16,
    pub(super) hs2_port: u16,
    pub(super) queries: u32,
    pub(super) client: Which,
    pub(super) log: Option<PathBuf>,
    /// None: until Ctrl-C.
    pub(super) lasting: Option<Duration>,
}

impl Default for DemoOptions {
    fn default() -> DemoOptions {
        DemoOptions {
            beeswax_port: ports::BEESWAX,
            hs2_port: ports::HS2,
            queries: 9,
            client: Which::Auto,
            log: None,
            lasting: None,
        }
    }
}

/// None: help was asked for. The error is a sentence.
pub(super) fn parse(arguments: Vec<OsString>) -> Result<Option<DemoOptions>, String> {
    let mut options = DemoOptions::default();
    let mut words = arguments.into_iter();
    while let Some(word) = words.next() {
        let name = word.to_string_lossy().into_owned();
        let mut value = || words.next().ok_or_else(|| format!("{name} needs a value"));
        match name.as_str() {
            "--help" | "-h" => return Ok(None),
            "--once" => options.lasting = Some(Duration::ZERO),
            "--seconds" => options.lasting = Some(Duration::from_secs(number(&name, value()?, 86_400)?)),
            "--port-beeswax" => options.beeswax_port = number(&name, value()?, 65_535)? as u16,
            "--port-hs2" => options.hs2_port = number(&name, value()?, 65_535)? as u16,
            "--queries" => options.queries = number(&name, value()?, 100_000)? as u32,
            "--log" => options.log = Some(PathBuf::from(value()?)),
            "--client" => options.client = which(&value()?.to_string_lossy())?,
            _ => return Err(format!("no such option: {name} (pronk demo --help shows all)")),
        }
    }
    let same = options.beeswax_port == options.hs2_port && options.hs2_port != 0;
    if same { Err("--port-beeswax and --port-hs2 must differ".to_owned()) } else { Ok(Some(options)) }
}

fn number(name: &str, value: OsString, most: u64) -> Result<u64, String> {
    let text = value.to_string_lossy();
    let wrong = || format!("{name} takes a whole number from 0 to {most}, not '{text}'");
    text.parse().ok().filter(|number| *number <= most).ok_or_else(wrong)
}

fn which(word: &str) -> Result<Which, String> {
    match word {
        "auto" => Ok(Which::Auto),
        "impala-shell" => Ok(Which::ImpalaShell),
        "own" => Ok(Which::Own),
        _ => Err(format!("--client takes auto, impala-shell or own, not '{word}'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<DemoOptions>, String> {
        parse(line.split_whitespace().map(OsString::from).collect())
    }

    #[test]
    fn options_have_defaults() {
        assert_eq!(read(""), Ok(Some(DemoOptions::default())));
        let given = read("--port-beeswax 0 --port-hs2 0 --queries 5 --client own --log x --once");
        let expected = DemoOptions {
            beeswax_port: 0,
            hs2_port: 0,
            queries: 5,
            client: Which::Own,
            log: Some("x".into()),
            lasting: Some(Duration::ZERO),
        };
        assert_eq!(given, Ok(Some(expected)));
        assert_eq!(read("--help"), Ok(None));
    }

    #[test]
    fn mistakes_name_the_option() {
        for (line, said) in [
            ("--port-hs2", "--port-hs2 needs a value"),
            ("--port-hs2 70000", "from 0 to 65535"),
            ("--port-hs2 x", "not 'x'"),
            ("--client beeline", "impala-shell or own"),
            ("--nothing", "no such option: --nothing"),
            ("--port-hs2 21000", "must differ"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        }
    }
}
