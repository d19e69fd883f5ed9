//! Every listening socket, bound before anything else starts: a configuration that cannot listen never runs.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{StartError, strerror};
use super::inherited;
use super::listeners::{Occupant, Tables};
use super::steward::Steward;
use super::takeover::Inheritance;
use crate::admin::handover::Held;
use crate::config::model::{
    Bind, BindId, Config, ListenAddress, Mode, Proxy, SocketPermissions, StatsSocket,
};
use crate::sys::socket::{self, Buffers, ListenOptions, listen_again, renew, welcome_newcomers};

/// HAProxy's last words after it has named each address that cannot be bound.
pub const NOT_LISTENING: &str = "[haproxy.main()] Some protocols failed to start their listeners! Exiting";

/// Connections that may wait in a stats socket.
const STATS_BACKLOG: u32 = 128;

/// All listening sockets of the process.
#[derive(Debug, Default)]
pub struct Sockets {
    /// For each worker its sockets of every bind.
    pub workers: Vec<Vec<(BindId, OwnedFd)>>,
    /// Of mode http, and pairs of sockets: served by the control thread.
    pub pages: Vec<(BindId, OwnedFd)>,
    /// Of every `stats socket` line, by its place in the configuration.
    pub stats: Vec<(usize, OwnedFd)>,
    /// Unix sockets that are not yet where clients look for them.
    hidden: Vec<Hidden>,
    /// Numbers of inherited descriptors, of which these sockets are copies.
    pub inherited: BTreeSet<i32>,
    /// How many sockets of others listened on an address before, beside those taken over.
    pub earlier: BTreeMap<SocketAddr, u32>,
    /// Every one of them once more, in the order in which they were opened.
    pub held: Vec<Held>,
    /// Those of them that were taken over, by their place, and what they are to have.
    taken: Vec<(usize, ListenOptions)>,
}

/// Where they come from.
#[derive(Clone, Copy)]
struct Sources<'a> {
    inheritance: &'a Inheritance,
    /// Who opens those that are missing; None: this process.
    steward: Option<&'a Steward>,
}

impl Sockets {
    /// Takes over what a predecessor gave and binds everything else; on failure every failure, for [`explained`].
    pub fn bind(
        config: &Config,
        workers: usize,
        inheritance: &Inheritance,
        tables: Option<&Tables>,
    ) -> Result<Sockets, Vec<StartError>> {
        let mut sockets =
            Sockets { workers: (0..workers).map(|_| Vec::new()).collect(), ..Sockets::default() };
        sockets.earlier = earlier(config, inheritance, tables);
        let mut failures = Vec::new();
        for (id, _) in config.binds() {
            sockets.add_or_explain(config, id, Sources { inheritance, steward: None }, &mut failures);
        }
        for (index, socket) in config.global.stats_sockets.iter().enumerate() {
            if let Err(error) = sockets.add_stats(index, socket, config.global.tune.reuseport, inheritance) {
                failures.push(refused(&socket.declared_at, "frontend GLOBAL", &socket.address, error));
            }
        }
        if failures.is_empty() { Ok(sockets) } else { Err(failures) }
    }

    /// Binds these addresses only, for a process that runs already; on failure every failure. A steward has to
    /// publish what it has opened.
    pub fn bind_only(
        config: &Config,
        workers: usize,
        binds: &[BindId],
        steward: Option<&Steward>,
    ) -> Result<Sockets, Vec<StartError>> {
        let mut sockets =
            Sockets { workers: (0..workers).map(|_| Vec::new()).collect(), ..Sockets::default() };
        let mut failures = Vec::new();
        for &id in binds {
            let from = Sources { inheritance: &Inheritance::default(), steward };
            sockets.add_or_explain(config, id, from, &mut failures);
        }
        if failures.is_empty() { Ok(sockets) } else { Err(explained(failures)) }
    }

    fn add_or_explain(
        &mut self,
        config: &Config,
        id: BindId,
        from: Sources<'_>,
        failures: &mut Vec<StartError>,
    ) {
        let bind = &config.binds[usize::from(id.0)];
        let proxy = &config.proxies[usize::from(bind.proxy.0)];
        if !proxy.disabled
            && let Err(error) = self.add(config, id, bind, proxy, from)
        {
            failures.push(refused(&bind.declared_at, &owner(config, bind), &bind.address, error));
        }
    }

    fn add(
        &mut self,
        config: &Config,
        id: BindId,
        bind: &Bind,
        proxy: &Proxy,
        from: Sources<'_>,
    ) -> io::Result<()> {
        let options = options(config, bind);
        let own = options.reuseport && matches!(bind.address, ListenAddress::Tcp(_));
        let wanted = if own && proxy.mode != Mode::Http { self.workers.len() } else { 1 };
        let claimed = from.inheritance.claim(&bind.address, &options)?;
        self.note_taken(claimed.len(), &options);
        let open = || match from.steward {
            Some(steward) if bind.address.inherited().is_none() => steward.open(bind),
            _ => open(&bind.address, &bind.permissions, &options, &mut self.hidden),
        };
        let sockets = complete(claimed, wanted, open)?;
        self.inherited.extend(bind.address.inherited());
        if matches!(bind.address, ListenAddress::SocketPair(_)) {
            self.pages.extend(sockets.into_iter().map(|socket| (id, socket)));
            return Ok(());
        }
        if proxy.mode == Mode::Http {
            for socket in sockets {
                self.hold(&socket, Some(id), options.tcp.interface.as_deref(), None)?;
                self.pages.push((id, socket));
            }
            return Ok(());
        }
        let workers = self.workers.len();
        for number in sockets.len()..workers {
            self.workers[number].push((id, sockets[number % sockets.len()].try_clone()?));
        }
        let shared = sockets.len() < workers;
        for (number, socket) in sockets.into_iter().enumerate() {
            let worker = number % workers;
            self.hold(&socket, Some(id), options.tcp.interface.as_deref(), (!shared).then_some(worker))?;
            self.workers[worker].push((id, socket));
        }
        Ok(())
    }

    fn add_stats(
        &mut self,
        index: usize,
        socket: &StatsSocket,
        reuseport: bool,
        inheritance: &Inheritance,
    ) -> io::Result<()> {
        let options = stats_options(socket, reuseport);
        let claimed = inheritance.claim(&socket.address, &options)?;
        self.note_taken(claimed.len(), &options);
        let open = || open(&socket.address, &socket.permissions, &options, &mut self.hidden);
        let opened = complete(claimed, 1, open)?;
        self.inherited.extend(socket.address.inherited());
        for opened in opened {
            if !matches!(socket.address, ListenAddress::SocketPair(_)) {
                self.hold(&opened, None, options.tcp.interface.as_deref(), None)?;
            }
            self.stats.push((index, opened));
        }
        Ok(())
    }

    /// The next so many that are held have come from a predecessor.
    fn note_taken(&mut self, count: usize, options: &ListenOptions) {
        let first = self.held.len();
        self.taken.extend((first..first + count).map(|place| (place, options.clone())));
    }

    /// Keeps a copy of a socket, which a successor may take over.
    fn hold(
        &mut self,
        socket: &OwnedFd,
        bind: Option<BindId>,
        interface: Option<&str>,
        worker: Option<usize>,
    ) -> io::Result<()> {
        let interface = interface.map(str::to_owned);
        self.held.push(Held { socket: Arc::new(socket.try_clone()?), interface, bind, worker });
        Ok(())
    }

    /// Listens on all of them, in their order. Until then a start that fails has cost nobody a connection: one
    /// that waits in a socket which is closed is reset, also where somebody else listens on the address. Nor has a
    /// predecessor, who would go on with his sockets, been given other options.
    pub fn hear(&self, config: &Config) -> Result<(), StartError> {
        for (place, options) in &self.taken {
            let held = &self.held[*place];
            welcome_newcomers(held.socket.as_fd());
            renew(held.socket.as_fd(), options).map_err(|error| unheard(config, held, error))?;
        }
        for held in &self.held {
            let bind = held.bind.map(|id| &config.binds[usize::from(id.0)]);
            if bind.is_some_and(|bind| matches!(bind.address, ListenAddress::SocketPair(_))) {
                continue;
            }
            let backlog = bind.map_or(STATS_BACKLOG, |bind| config.backlog(bind).max(1));
            listen_again(held.socket.as_fd(), backlog).map_err(|error| unheard(config, held, error))?;
        }
        Ok(())
    }

    /// Puts Unix sockets where clients look for them. To be called before chroot, when all else is done.
    pub fn publish(&mut self) -> Result<(), StartError> {
        self.hidden.drain(..).try_for_each(Hidden::publish)
    }

    /// Whether anybody could connect.
    pub fn is_empty(&self) -> bool {
        self.stats.is_empty() && self.pages.is_empty() && self.workers.iter().all(Vec::is_empty)
    }
}

fn unheard(config: &Config, held: &Held, error: io::Error) -> StartError {
    named(match held.bind.map(|id| &config.binds[usize::from(id.0)]) {
        Some(bind) => refused(&bind.declared_at, &owner(config, bind), &bind.address, error),
        None => StartError::new("cannot listen on a stats socket").with_errno(error),
    })
}

/// One more socket of a bind.
pub fn open_bind(config: &Config, bind: &Bind, hidden: &mut Vec<Hidden>) -> io::Result<OwnedFd> {
    open(&bind.address, &bind.permissions, &options(config, bind), hidden)
}

/// The master's own socket, in its place at once.
pub fn console(socket: &StatsSocket) -> Result<OwnedFd, StartError> {
    let options = stats_options(socket, true);
    let mut hidden = Vec::new();
    let opened = open(&socket.address, &socket.permissions, &options, &mut hidden)
        .and_then(|opened| listen_again(opened.as_fd(), STATS_BACKLOG).map(|()| opened))
        .map_err(|error| named(refused("master-socket:0", "proxy MASTER", &socket.address, error)))?;
    hidden.into_iter().try_for_each(Hidden::publish)?;
    Ok(opened)
}

/// Who listens on the addresses before this process does.
fn earlier(config: &Config, inheritance: &Inheritance, tables: Option<&Tables>) -> BTreeMap<SocketAddr, u32> {
    let Some(tables) = tables else { return BTreeMap::new() };
    let binds = config.binds.iter().map(|bind| &bind.address);
    let addresses = binds.chain(config.global.stats_sockets.iter().map(|socket| &socket.address));
    let others = |address: &ListenAddress| match address {
        ListenAddress::Tcp(at) => {
            let all = tables.count(*at).unwrap_or(0);
            Some((*at, all.saturating_sub(inheritance.count(*at))))
        }
        _ => None,
    };
    addresses.filter_map(others).collect()
}

/// Opens what is missing. Beside a socket that was taken over and does not share its address there can be no
/// other: it serves everybody.
fn complete(
    mut sockets: Vec<OwnedFd>,
    wanted: usize,
    mut open: impl FnMut() -> io::Result<OwnedFd>,
) -> io::Result<Vec<OwnedFd>> {
    while sockets.len() < wanted {
        match open() {
            Ok(socket) => sockets.push(socket),
            Err(error) if sockets.is_empty() || error.raw_os_error() != Some(libc::EADDRINUSE) => {
                return Err(error);
            }
            Err(_) => break,
        }
    }
    Ok(sockets)
}

fn stats_options(socket: &StatsSocket, reuseport: bool) -> ListenOptions {
    let tcp = socket.tcp.clone();
    ListenOptions { backlog: STATS_BACKLOG, reuseport, tcp, buffers: Buffers::default() }
}

/// What a socket of the bind is made with.
pub fn options(config: &Config, bind: &Bind) -> ListenOptions {
    let tune = &config.global.tune;
    ListenOptions {
        backlog: config.backlog(bind),
        reuseport: tune.reuseport,
        buffers: Buffers { receive: tune.rcvbuf_client, send: tune.sndbuf_client },
        tcp: bind.tcp.clone(),
    }
}

fn open(
    address: &ListenAddress,
    permissions: &SocketPermissions,
    options: &ListenOptions,
    hidden: &mut Vec<Hidden>,
) -> io::Result<OwnedFd> {
    match address {
        ListenAddress::Unix(path) => {
            let (socket, unpublished) = listen_unix(path, permissions, options.backlog)?;
            hidden.push(unpublished);
            Ok(socket)
        }
        ListenAddress::Fd(number) => inherited::listener(*number, options),
        ListenAddress::SocketPair(number) => inherited::pair(*number),
        address => socket::bind(address, options),
    }
}

/// A Unix socket under a temporary name. It is renamed when nothing else can fail any more: clients find the old
/// socket or the new one, never none, and never one with the wrong owner. Dropped before that, it is removed.
#[derive(Debug)]
pub struct Hidden {
    temporary: PathBuf,
    path: Option<PathBuf>,
}

impl Hidden {
    /// Renames it.
    pub fn publish(mut self) -> Result<(), StartError> {
        let Some(path) = self.path.take() else { return Ok(()) };
        std::fs::rename(&self.temporary, &path).map_err(|error| {
            // Only untidy if it stays.
            let _ = std::fs::remove_file(&self.temporary);
            StartError::new("[haproxy.main()] Cannot rename a UNIX socket into place")
                .on(path.display())
                .with_errno(error)
                .with_cause("something that is no file stands there, or its directory changed")
                .with_remedy("remove what is there")
        })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if self.path.is_some() {
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

fn listen_unix(path: &Path, permissions: &SocketPermissions, backlog: u32) -> io::Result<(OwnedFd, Hidden)> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(name);
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&temporary)?;
    let hidden = Hidden { temporary, path: Some(path.to_owned()) };
    permit(&hidden.temporary, permissions)?;
    listener.set_nonblocking(true)?;
    rustix::net::listen(listener.as_fd(), i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok((OwnedFd::from(listener), hidden))
}

fn permit(path: &Path, permissions: &SocketPermissions) -> io::Result<()> {
    let SocketPermissions { mode, uid, gid } = *permissions;
    if let Some(mode) = mode {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    if uid.is_some() || gid.is_some() {
        std::os::unix::fs::chown(path, uid, gid)?;
    }
    Ok(())
}

/// `frontend NAME`.
pub fn owner(config: &Config, bind: &Bind) -> String {
    let proxy = &config.proxies[usize::from(bind.proxy.0)];
    format!("{} {}", proxy.kind.word(), proxy.name)
}

/// HAProxy's alert for an address that cannot be bound, with cause and remedy.
pub fn refused(declared_at: &str, owner: &str, address: &ListenAddress, error: io::Error) -> StartError {
    let reason = strerror(&error);
    let text = |protocol: &str, failed: &str, shown: String| {
        format!(
            "Binding [{declared_at}] for {owner}: protocol {protocol}: cannot {failed} ({reason}) {shown}"
        )
    };
    let failed = match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE | libc::EAFNOSUPPORT) => "create receiving socket",
        _ => "bind socket",
    };
    let attempted = match address {
        ListenAddress::Tcp(at) => {
            let protocol = if at.is_ipv4() { "tcpv4" } else { "tcpv6" };
            text(protocol, failed, format!("for [{at}]"))
        }
        ListenAddress::Unix(path) => text("unix_stream", "bind UNIX socket", format!("[{}]", path.display())),
        ListenAddress::Abstract(name) => text("abns", "bind UNIX socket", format!("[{name}]")),
        ListenAddress::Fd(fd) => text("fd", "use inherited descriptor", format!("[fd@{fd}]")),
        ListenAddress::SocketPair(fd) => {
            text("sockpair", "use inherited descriptor", format!("[sockpair@{fd}]"))
        }
    };
    let (cause, remedy) = advice(address, &error);
    let refused = StartError::new(attempted).with_cause(cause).with_remedy(remedy);
    let in_use = error.raw_os_error() == Some(libc::EADDRINUSE);
    let occupied = match address {
        ListenAddress::Tcp(at) => in_use.then(|| Box::new(*at)),
        _ => None,
    };
    StartError { in_use, occupied, ..refused }
}

/// The same, with the names of those who listen where an address is in use. It takes a while: every descriptor of every
/// process is looked at.
pub fn explained(failures: Vec<StartError>) -> Vec<StartError> {
    failures.into_iter().map(named).collect()
}

fn named(mut failure: StartError) -> StartError {
    if let Some(address) = failure.occupied.take() {
        (failure.cause, failure.remedy) = occupied(*address);
    }
    failure
}

const THERE: &str = "another socket listens there";

/// Who listens there, if that can be found out, and what to do.
fn occupied(address: SocketAddr) -> (String, String) {
    let port = address.port();
    match Tables::open().ok().and_then(|tables| tables.occupant(address)) {
        Some(occupant) if occupant.pid == std::process::id() => (
            format!("{THERE}, of this process"),
            format!("two lines of the configuration want port {port}: remove one, or 'noreuseport'"),
        ),
        Some(Occupant { pid, name }) => (
            format!("{THERE}, of '{name}' with pid {pid}"),
            format!("stop that ('ss -ltnp sport = :{port}' shows it too), or bind another port"),
        ),
        None => somebody(port),
    }
}

fn somebody(port: u16) -> (String, String) {
    (THERE.to_owned(), format!("'ss -ltnp sport = :{port}' shows whose; stop it or bind another port"))
}

fn advice(address: &ListenAddress, error: &io::Error) -> (String, String) {
    match (error.raw_os_error(), address) {
        (Some(libc::EADDRINUSE), ListenAddress::Tcp(address)) => somebody(address.port()),
        (errno, _) => {
            let (cause, remedy) = reason(errno, matches!(address, ListenAddress::Tcp(_)));
            (cause.to_owned(), remedy.to_owned())
        }
    }
}

fn reason(errno: Option<i32>, is_tcp: bool) -> (&'static str, &'static str) {
    match errno {
        Some(libc::EACCES) if is_tcp => (
            "ports below net.ipv4.ip_unprivileged_port_start belong to root",
            "start as root (the user line gives that up after binding) or give the executable cap_net_bind_service",
        ),
        Some(libc::EADDRNOTAVAIL) => (
            "no interface of this machine has that address",
            "'ip addr' lists them; for one that moves between machines set net.ipv4.ip_nonlocal_bind=1",
        ),
        Some(libc::EPERM) => (
            "interface and transparent need rights",
            "start as root or give the executable cap_net_raw and cap_net_admin",
        ),
        Some(libc::ENODEV) => ("there is no such interface", "'ip link' lists them"),
        Some(libc::EMFILE) => ("no descriptor is left", "raise 'ulimit -n'"),
        Some(libc::EBADF | libc::ENOTSOCK | libc::EINVAL | libc::EOPNOTSUPP) => (
            "the descriptor is no bound stream socket",
            "start Pronk from the program that opens it, or bind an address",
        ),
        Some(libc::ENOENT) => ("its directory does not exist", "create the directory first"),
        Some(libc::EACCES) => ("its directory is not writable for this user", "check its owner and mode"),
        _ => ("the kernel refused", "check the address and the options of the line"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::{CliLevel, TcpOptions};
    use crate::sys::socket::local_address;

    #[test]
    fn an_address_in_use_reads_as_in_haproxy() {
        let address = ListenAddress::Tcp("127.0.0.1:33206".parse().expect("an address"));
        let error = refused("a.cfg:3", "proxy x", &address, io::Error::from_raw_os_error(libc::EADDRINUSE));
        assert_eq!(
            error.to_string(),
            "Binding [a.cfg:3] for proxy x: protocol tcpv4: cannot bind socket (Address already in use) for [127.0.0.1:33206]."
        );
        assert!(error.help().contains("ss -ltnp sport = :33206"));
        assert!(error.in_use && error.occupied.is_some());
    }

    #[test]
    fn who_is_in_the_way_is_looked_for_when_it_is_to_be_said() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = ListenAddress::Tcp(taken.local_addr().expect("bound"));
        let error =
            || refused("a.cfg:3", "proxy x", &address, io::Error::from_raw_os_error(libc::EADDRINUSE));
        assert!(!error().cause.contains("of this process"));
        let said = explained(vec![error()]);
        assert!(said[0].cause.contains("of this process") && said[0].in_use, "{}", said[0].cause);
    }

    /// Over IPv4 nobody comes in where `v6only` says so.
    #[test]
    fn stats_sockets_are_made_with_their_options() {
        let closed = |v6only| {
            let socket = StatsSocket {
                address: ListenAddress::Tcp("[::]:0".parse().expect("an address")),
                level: CliLevel::User,
                tcp: TcpOptions { v6only: Some(v6only), ..TcpOptions::default() },
                permissions: SocketPermissions::default(),
                expose_fd_listeners: false,
                declared_at: String::new(),
            };
            let mut config = Config::default();
            config.global.stats_sockets.push(socket);
            config.global.tune.reuseport = false;
            let sockets = Sockets::bind(&config, 1, &Inheritance::default(), None).expect("bound");
            sockets.hear(&config).expect("listens");
            let port = local_address(sockets.stats[0].1.as_fd()).expect("bound").port();
            std::net::TcpStream::connect(("127.0.0.1", port)).is_err()
        };
        assert_eq!((closed(true), closed(false)), (true, false));
    }

    #[test]
    fn every_refusal_is_explained() {
        let address = ListenAddress::Unix("/nonexistent/x".into());
        for errno in [libc::ENOENT, libc::EACCES, libc::EPERM, libc::EMFILE, libc::EIO] {
            let error = refused("f:1", "frontend GLOBAL", &address, io::Error::from_raw_os_error(errno));
            assert!(error.to_string().ends_with(" [/nonexistent/x]."), "{error}");
            assert!(!error.cause.is_empty() && !error.remedy.is_empty());
        }
    }

    #[test]
    fn a_unix_socket_replaces_its_predecessor_and_takes_its_mode() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s.sock");
        let permissions = SocketPermissions { mode: Some(0o600), ..SocketPermissions::default() };
        let (first, hidden) = listen_unix(&path, &permissions, 5).expect("bound");
        assert!(!path.exists());
        hidden.publish().expect("renamed");
        let (second, hidden) = listen_unix(&path, &permissions, 5).expect("bound again");
        hidden.publish().expect("renamed");
        drop(listen_unix(&path, &permissions, 5).expect("given up"));
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 1);
        std::os::unix::net::UnixStream::connect(&path).expect("the second listens");
        drop((first, second));
    }

    #[test]
    fn a_socket_that_cannot_take_its_name_leaves_nothing_behind() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s.sock");
        std::fs::create_dir(&path).expect("something that is in the way");
        let (_, hidden) = listen_unix(&path, &SocketPermissions::default(), 5).expect("bound");
        assert!(hidden.publish().is_err());
        assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 1);
    }
}
