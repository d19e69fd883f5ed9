//! The proxies that are compared: how each is found, configured and started.

mod build;
pub mod envoy;
pub mod haproxy;
mod kind;
pub mod nginx;
mod sozu;
pub mod stir;

use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

pub use self::kind::{Kind, Logging};
use self::stir::Stirring;
use crate::child::{Guard, find};
use crate::cores::Cores;
use crate::failure::{Attempt, Failure};
use crate::load::Load;
use crate::load::server::Role;
use crate::load::socket::free_ports;
use crate::perf::Look;

const START_LIMIT: Duration = Duration::from_secs(10);

/// Programs given by the user, else looked for on the PATH; Pronk's is the one cargo built.
#[derive(Clone, Debug, Default)]
pub struct Programs {
    pub pronk: Option<PathBuf>,
    pub other: Option<PathBuf>,
    pub haproxy: Option<PathBuf>,
    pub nginx: Option<PathBuf>,
    pub sozu: Option<PathBuf>,
    pub envoy: Option<PathBuf>,
}

/// A proxy that can be started.
pub struct Peer {
    pub kind: Kind,
    /// What it says, and which build it is.
    pub version: String,
    program: PathBuf,
    /// nginx's, to be loaded.
    module: Option<PathBuf>,
}

/// One way through the proxy.
pub struct Route {
    pub name: &'static str,
    pub entry: SocketAddrV4,
    pub servers: Vec<SocketAddrV4>,
}

/// How all proxies of a run are set up, each as far as it can be: `Kind` says who leaves what out.
#[derive(Clone)]
pub struct Setup {
    pub cores: Cores,
    pub descriptors: u64,
    /// Whether they write a line for each session.
    pub logs: bool,
    /// Whether they check their servers.
    pub checks: bool,
    /// What perf looks for, which costs the proxy time.
    pub look: Option<Look>,
    pub folder: PathBuf,
}

impl Setup {
    /// Sessions that a proxy may hold: two descriptors each, and HAProxy reserves room for pipes.
    pub fn maxconn(&self) -> usize {
        self.descriptors as usize * 3 / 10
    }

    /// The descriptors with which `maxconn` is so high.
    pub fn descriptors_for(sessions: usize) -> u64 {
        (sessions * 10).div_ceil(3) as u64
    }

    /// The same with at most so many descriptors.
    pub fn limited(&self, descriptors: usize) -> Setup {
        Setup { descriptors: self.descriptors.min(descriptors as u64), ..self.clone() }
    }
}

/// Sessions that `Peer::start` opens to see that the proxy listens, one on each route.
pub const PROBES: u32 = 2;

/// A started proxy; it ends when this is dropped.
pub struct Running {
    pub kind: Kind,
    pub echo: SocketAddrV4,
    pub bulk: SocketAddrV4,
    guard: Guard,
    stirring: Option<Stirring>,
}

impl Peer {
    /// Finds a proxy and asks it for its version. None: it was not asked for by path and is not
    /// installed. A path that was given must work.
    pub fn find(kind: Kind, programs: &Programs) -> Result<Option<Peer>, Failure> {
        let given = match kind {
            Kind::Pronk | Kind::PronkTwo | Kind::PronkStirred | Kind::PronkSpin => {
                Some(programs.pronk.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_pronk").into()))
            }
            Kind::PronkOther => {
                let missing = || Failure::new("pronk-other is the program given by --other PATH");
                Some(programs.other.clone().ok_or_else(missing)?)
            }
            Kind::HaproxyCopy | Kind::HaproxyAuto | Kind::HaproxySplice | Kind::HaproxyPipes => {
                programs.haproxy.clone()
            }
            Kind::Nginx => programs.nginx.clone(),
            Kind::Sozu => programs.sozu.clone(),
            Kind::Envoy => programs.envoy.clone(),
        };
        let Some(program) = given.or_else(|| find(kind.program())) else { return Ok(None) };
        let option = match kind {
            Kind::Sozu | Kind::Envoy => "--version",
            Kind::Nginx => "-V", // How it was built, too.
            _ => "-v",
        };
        let said = said(&program, option)?;
        let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("version unknown");
        let version = format!("{}, build {}", first.trim(), build::build(&program)?);
        let module = if kind == Kind::Nginx { nginx::module(&said)? } else { None };
        Ok(Some(Peer { kind, version, program, module }))
    }

    /// Writes the configuration, starts the proxy on its core and waits until it listens.
    pub fn start(&self, setup: &Setup, load: &Load) -> Result<Running, Failure> {
        let [echo, bulk] = free_ports().attempting("choosing ports")?;
        let route = |name, role, port| -> Result<Route, Failure> {
            let entry = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
            Ok(Route { name, entry, servers: load.server.addresses(role)? })
        };
        let routes = [route("echo", Role::Echo, echo)?, route("bulk", Role::Source, bulk)?];
        let folder = setup.folder.join(self.kind.name());
        std::fs::create_dir_all(&folder).attempting(format!("creating {}", folder.display()))?;
        let arguments = self.write_config(&routes, setup, &folder, load)?;
        let (name, output) = (self.kind.name(), folder.join("output"));
        let second = setup.cores.second.filter(|_| self.kind == Kind::PronkTwo);
        let cores: Vec<usize> = second.into_iter().chain([setup.cores.proxy]).collect();
        let guard = Guard::spawn(name, &self.program, &arguments, &cores, setup.cores, output)?;
        let [echo, bulk] = routes.map(|route| route.entry);
        let mut running = Running { kind: self.kind, echo, bulk, guard, stirring: None };
        running.wait_listening()?;
        if self.kind == Kind::PronkStirred {
            running.stirring = Some(Stirring::start(&folder.join(stir::SOCKET))?);
        }
        Ok(running)
    }

    /// The arguments that make it read the file written here.
    fn write_config(
        &self,
        routes: &[Route],
        setup: &Setup,
        folder: &Path,
        load: &Load,
    ) -> Result<Vec<String>, Failure> {
        let log_port = if setup.logs { Some(load.log_port()?) } else { None };
        let splicing = self.kind.splicing();
        let (file, text) = match self.kind {
            Kind::Nginx => {
                let descriptors = setup.descriptors.saturating_sub(100);
                ("nginx.conf", nginx::text(routes, folder, descriptors, log_port, self.module.as_deref()))
            }
            Kind::Sozu => ("sozu.toml", sozu::text(routes, setup, folder)),
            Kind::Envoy => {
                // It appends: an earlier measurement's lines may be there or not.
                let _ = std::fs::remove_file(folder.join(envoy::LOG));
                ("envoy.json", envoy::text(routes, setup, folder))
            }
            _ => {
                let threads = if self.kind == Kind::PronkTwo { 2 } else { 1 };
                let mut text = haproxy::text(routes, setup, threads, splicing, log_port);
                match self.kind {
                    Kind::PronkStirred => text.push_str(&stir::config(folder)),
                    Kind::PronkSpin => text.push_str("\nglobal\n    tune.busy-spin 200\n"),
                    _ => {}
                }
                ("haproxy.cfg", text)
            }
        };
        let path = folder.join(file);
        std::fs::write(&path, text).attempting(format!("writing {}", path.display()))?;
        let path = path.display().to_string();
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Ok(match self.kind {
            Kind::Nginx => owned(&["-p", &folder.display().to_string(), "-e", "stderr", "-c", &path]),
            Kind::Sozu => owned(&["-c", &path, "start"]),
            Kind::Envoy => {
                owned(&["-c", &path, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"])
            }
            _ => owned(&["-db", "-f", &path]),
        })
    }
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.guard.pid()
    }

    /// Whether it is given trouble from now on, where that is its part.
    pub fn stir(&self, active: bool) {
        self.stirring.iter().for_each(|stirring| stirring.stir(active));
    }

    /// Fails, with what it said, when the proxy has ended; or when the trouble it is given has.
    pub fn check_alive(&mut self) -> Result<(), Failure> {
        self.guard.check_alive()?;
        self.stirring.iter().try_for_each(Stirring::check)
    }

    fn wait_listening(&mut self) -> Result<(), Failure> {
        let end = Instant::now() + START_LIMIT;
        for entry in [self.echo, self.bulk] {
            while let Err(error) = TcpStream::connect(entry) {
                self.check_alive()?;
                if Instant::now() >= end {
                    let limit = START_LIMIT.as_secs();
                    return Err(Failure::new(format!("nobody listens on {entry} after {limit} s: {error}")));
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(())
    }
}

/// What the program says of its version.
fn said(program: &Path, option: &str) -> Result<String, Failure> {
    let output = Command::new(program).arg(option).output();
    let output = output.attempting(format!("running {} {option}", program.display()))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    if !output.status.success() {
        return Err(Failure::new(format!(
            "{} {option}: {}: {}",
            program.display(),
            output.status,
            text.trim()
        )));
    }
    Ok(text)
}
