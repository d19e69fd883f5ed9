//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::ValueExt;
use lexopt::prelude::{Long, Short};

use crate::failure::{Attempt, Failure};
use crate::peers::{Kind, Programs};
use crate::workload::{Scale, Workload};

pub const HELP: &str = "\
Pronk, HAProxy, nginx, Sōzu and Envoy on the same work, one core for the proxy, one for load and backend.

    cargo bench --bench compare -- [OPTIONS]
    cargo bench --bench compare -- --compare BEFORE.json AFTER.json

    --quick               one round of one second a measurement
    --rounds N            rounds, each with proxies started anew (default 5)
    --seconds S           steady interval of a measurement (default 3)
    --slice S             in a round the proxies work in turn for so long (default 0.3): a machine that changes
                          its speed changes it for all of them
    --workloads A,B       only these, by name or beginning: bulk, paced-4, trip-200 (see --list)
    --only A,B            only these: pronk, haproxy-copy, haproxy-auto, haproxy-splice, haproxy-pipes (it splices
                          through pipes as large as Pronk's), nginx, sozu, envoy and, only when asked for, pronk-two
                          (two workers), pronk-stirred (its table changes and its statistics are read 100 times a
                          second), pronk-spin (tune.busy-spin 200)
    --pronk PATH  --haproxy PATH  --nginx PATH  --sozu PATH  --envoy PATH
    --other PATH          another build of Pronk beside the first, round by round
    --idle N              sessions of the idle workload (default 5000)
    --logs                a line for each session, to a UDP socket that is read (Envoy: to a file; Sōzu writes none)
    --checks              servers are checked, by all but nginx and Sōzu
    --syscalls            a further round that only counts system calls, with perf (root)
    --profile             a further round under perf record (root): for each workload and proxy a file with
                          what the proxy's time was for, and the functions where it went; the table then
                          says what share the kernel's sockets had
    --congestion NAME     in a network namespace of its own with this congestion control (root)
    --awake               idle cores, all of them, poll instead of sleeping, as on a host tuned for latency
                          (x86; root)
    --proxy-core N  --load-core N
    --out DIR             default: target/compare; a compare.json that is there is kept under the time it was
                          written at, and the run ends with the command that compares the two
    --list                name the workloads
    --compare A B         print the change from one compare.json to another: that of Pronk over that of the proxies
                          which are the same build in both, the control; judged from 4 rounds of each run on

Status: 0; 1 when something could not be measured, with --compare when a row of Pronk's is worse by more than 2 %, and
more clearly than chance makes any of all its rows in one of twenty comparisons, or fails more often than before; 2 when
nothing could be done.
";

pub enum Action {
    Help,
    List,
    /// What cargo asks of every bench under `cargo test --benches`.
    Nothing,
    Compare(PathBuf, PathBuf),
    Run(Box<Options>),
}

pub struct Options {
    pub rounds: usize,
    pub scale: Scale,
    pub workloads: Vec<Workload>,
    pub kinds: Vec<Kind>,
    /// They were named.
    pub chosen: bool,
    pub programs: Programs,
    pub logs: bool,
    pub checks: bool,
    pub syscalls: bool,
    pub profile: bool,
    pub congestion: Option<String>,
    pub in_namespace: bool,
    pub awake: bool,
    pub proxy_core: Option<usize>,
    pub load_core: Option<usize>,
    pub folder: PathBuf,
}

impl Default for Options {
    fn default() -> Options {
        let (warm_up, steady, slice) =
            (Duration::from_millis(100), Duration::from_secs(3), Duration::from_millis(300));
        Options {
            rounds: 5,
            scale: Scale { warm_up, steady, slice, idle_sessions: 5000 },
            workloads: Workload::all(),
            kinds: Kind::usual(),
            chosen: false,
            programs: Programs::default(),
            logs: false,
            checks: false,
            syscalls: false,
            profile: false,
            congestion: None,
            in_namespace: false,
            awake: false,
            proxy_core: None,
            load_core: None,
            folder: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/compare")),
        }
    }
}

/// Reads the arguments after the program's name.
pub fn parse(arguments: Vec<OsString>) -> Result<Action, Failure> {
    if arguments.is_empty() {
        return Ok(Action::Nothing);
    }
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut options = Options::default();
    while let Some(argument) = parser.next().attempting("reading the command line")? {
        match argument {
            Long("help") | Short('h') => return Ok(Action::Help),
            Long("list") => return Ok(Action::List),
            Long("compare") => return Ok(Action::Compare(path(&mut parser)?, path(&mut parser)?)),
            Long("bench") => {} // Cargo's own mark.
            Long(name) => {
                let name = name.to_owned();
                options.set(&name, &mut parser)?;
            }
            other => return Err(unknown(&format!("{other:?}"))),
        }
    }
    if options.programs.other.is_some() && !options.kinds.contains(&Kind::PronkOther) {
        options.kinds.push(Kind::PronkOther);
    }
    Ok(Action::Run(Box::new(options)))
}

impl Options {
    fn set(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<(), Failure> {
        match name {
            "quick" => {
                self.rounds = 1;
                self.scale.steady = Duration::from_secs(1);
            }
            "rounds" => self.rounds = number::<usize>(parser, name)?.max(1),
            "seconds" => self.scale.steady = seconds(parser, name)?,
            "slice" => self.scale.slice = slice(seconds(parser, name)?)?,
            "idle" => self.scale.idle_sessions = number::<usize>(parser, name)?.max(10),
            "workloads" => self.workloads = workloads(&text(parser, name)?)?,
            "only" => (self.kinds, self.chosen) = (kinds(&text(parser, name)?)?, true),
            "pronk" => self.programs.pronk = Some(path(parser)?),
            "other" => self.programs.other = Some(path(parser)?),
            "haproxy" => self.programs.haproxy = Some(path(parser)?),
            "nginx" => self.programs.nginx = Some(path(parser)?),
            "sozu" => self.programs.sozu = Some(path(parser)?),
            "envoy" => self.programs.envoy = Some(path(parser)?),
            "logs" => self.logs = true,
            "checks" => self.checks = true,
            "syscalls" => self.syscalls = true,
            "profile" => self.profile = true,
            "congestion" => self.congestion = Some(text(parser, name)?),
            "in-namespace" => self.in_namespace = true,
            "awake" => self.awake = true,
            "proxy-core" => self.proxy_core = Some(number(parser, name)?),
            "load-core" => self.load_core = Some(number(parser, name)?),
            "out" => self.folder = path(parser)?,
            _ => return Err(unknown(&format!("--{name}"))),
        }
        Ok(())
    }
}

fn unknown(argument: &str) -> Failure {
    Failure::new(format!("unknown argument {argument}; --help lists them"))
}

fn value(parser: &mut lexopt::Parser) -> Result<OsString, Failure> {
    parser.value().attempting("reading the command line")
}

fn path(parser: &mut lexopt::Parser) -> Result<PathBuf, Failure> {
    value(parser).map(PathBuf::from)
}

fn text(parser: &mut lexopt::Parser, name: &str) -> Result<String, Failure> {
    value(parser)?.string().attempting(format!("--{name}"))
}

fn number<T: std::str::FromStr>(parser: &mut lexopt::Parser, name: &str) -> Result<T, Failure>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    value(parser)?.parse().attempting(format!("--{name}"))
}

fn seconds(parser: &mut lexopt::Parser, name: &str) -> Result<Duration, Failure> {
    let seconds: f64 = number(parser, name)?;
    if (0.1..=600.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(Failure::new(format!("--{name} {seconds}: between 0.1 and 600")))
    }
}

/// A proxy rests while all others work, and none may find its sessions too idle.
fn slice(slice: Duration) -> Result<Duration, Failure> {
    const MOST: Duration = Duration::from_secs(3);
    let failure =
        || Failure::new(format!("--slice: {} s at most, since proxies close idle sessions", MOST.as_secs()));
    (slice <= MOST).then_some(slice).ok_or_else(failure)
}

/// Those whose name is given, or begins with what is given and a dash; each once.
fn workloads(list: &str) -> Result<Vec<Workload>, Failure> {
    let mut chosen = Vec::new();
    for wanted in list.split(',') {
        let fits = |workload: &Workload| {
            let name = workload.name();
            name.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        let named: Vec<Workload> = Workload::all().into_iter().filter(fits).collect();
        if named.is_empty() {
            return Err(Failure::new(format!("--workloads: no workload '{wanted}'; --list names them")));
        }
        chosen.extend(named);
    }
    Ok(each_once(chosen))
}

/// In the order in which they come first: what is asked for twice is not measured twice.
fn each_once<T: PartialEq>(all: Vec<T>) -> Vec<T> {
    let add = |mut kept: Vec<T>, next: T| {
        if !kept.contains(&next) {
            kept.push(next);
        }
        kept
    };
    all.into_iter().fold(Vec::new(), add)
}

fn kinds(list: &str) -> Result<Vec<Kind>, Failure> {
    let find = |wanted: &str| Kind::ALL.into_iter().find(|kind| kind.name() == wanted);
    let failure = |wanted: &str| {
        let names = Kind::ALL.map(Kind::name).join(", ");
        Failure::new(format!("--only: no proxy '{wanted}'; there are {names}"))
    };
    let kinds = list.split(',').map(|wanted| find(wanted).ok_or_else(|| failure(wanted)));
    kinds.collect::<Result<_, _>>().map(each_once)
}
