//! Every listening socket, bound before anything else starts: a configuration that cannot listen never runs.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use super::error::{StartError, strerror};
use crate::config::model::{
    Bind, BindId, Config, ListenAddress, Mode, Proxy, SocketPermissions, StatsSocket,
};
use crate::sys::socket::{Buffers, ListenOptions, listen};

/// All listening sockets of the process.
#[derive(Debug, Default)]
pub struct Sockets {
    /// For each worker its socket of every bind.
    pub workers: Vec<Vec<(BindId, OwnedFd)>>,
    /// Of mode http: served by the control thread.
    pub pages: Vec<(BindId, OwnedFd)>,
    /// One for each `stats socket` line, in order.
    pub stats: Vec<OwnedFd>,
}

impl Sockets {
    /// Binds everything; on failure every failure.
    pub fn bind(config: &Config, workers: usize) -> Result<Sockets, Vec<StartError>> {
        let mut sockets =
            Sockets { workers: (0..workers).map(|_| Vec::new()).collect(), ..Sockets::default() };
        let mut failures = Vec::new();
        for (index, bind) in config.binds.iter().enumerate() {
            let id = BindId(u16::try_from(index).expect("the configuration numbers binds with 16 bits"));
            let proxy = &config.proxies[usize::from(bind.proxy.0)];
            if !proxy.disabled
                && let Err(error) = sockets.add(config, id, bind, proxy)
            {
                let owner = format!("{} {}", proxy.kind.word(), proxy.name);
                failures.push(refused(&bind.declared_at, &owner, &bind.address, error));
            }
        }
        for socket in &config.global.stats_sockets {
            match stats_socket(socket, config.global.tune.reuseport) {
                Ok(fd) => sockets.stats.push(fd),
                Err(error) => {
                    failures.push(refused(&socket.declared_at, "frontend GLOBAL", &socket.address, error));
                }
            }
        }
        if failures.is_empty() { Ok(sockets) } else { Err(failures) }
    }

    fn add(&mut self, config: &Config, id: BindId, bind: &Bind, proxy: &Proxy) -> io::Result<()> {
        let options = options(config, bind);
        let first = open(bind, &options)?;
        if proxy.mode == Mode::Http {
            self.pages.push((id, first));
            return Ok(());
        }
        let own = options.reuseport && matches!(bind.address, ListenAddress::Tcp(_));
        for worker in self.workers.iter_mut().skip(1) {
            let next = if own { open(bind, &options)? } else { first.try_clone()? };
            worker.push((id, next));
        }
        self.workers[0].push((id, first));
        Ok(())
    }

    /// Whether anybody could connect.
    pub fn is_empty(&self) -> bool {
        self.stats.is_empty() && self.pages.is_empty() && self.workers.iter().all(Vec::is_empty)
    }
}

fn options(config: &Config, bind: &Bind) -> ListenOptions {
    let tune = &config.global.tune;
    ListenOptions {
        backlog: config.backlog(bind),
        reuseport: tune.reuseport,
        interface: bind.interface.clone(),
        transparent: bind.transparent,
        v6only: bind.v6only,
        mss: bind.mss,
        tfo: bind.tfo,
        defer_accept: bind.defer_accept,
        user_timeout_ms: bind.tcp_user_timeout_ms,
        buffers: Buffers { receive: tune.rcvbuf_client, send: tune.sndbuf_client },
    }
}

fn open(bind: &Bind, options: &ListenOptions) -> io::Result<OwnedFd> {
    match &bind.address {
        ListenAddress::Unix(path) => listen_unix(path, &bind.permissions, options.backlog),
        ListenAddress::Fd(_) => inherited(&bind.address, options),
        address => listen(address, options),
    }
}

fn stats_socket(socket: &StatsSocket, reuseport: bool) -> io::Result<OwnedFd> {
    match &socket.address {
        ListenAddress::Unix(path) => listen_unix(path, &socket.permissions, 128),
        address => {
            let options = ListenOptions { backlog: 128, reuseport, ..ListenOptions::default() };
            if matches!(address, ListenAddress::Fd(_)) {
                inherited(address, &options)
            } else {
                listen(address, &options)
            }
        }
    }
}

/// `fd@N` is bound by whoever started this process, and may or may not listen already.
fn inherited(address: &ListenAddress, options: &ListenOptions) -> io::Result<OwnedFd> {
    let socket = listen(address, options)?;
    rustix::net::listen(&socket, i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    let flags = rustix::fs::fcntl_getfl(&socket)?;
    rustix::fs::fcntl_setfl(&socket, flags | rustix::fs::OFlags::NONBLOCK)?;
    Ok(socket)
}

/// Binds under a temporary name and renames: clients find the old socket or the new one, never none,
/// and never one with the wrong owner.
fn listen_unix(path: &Path, permissions: &SocketPermissions, backlog: u32) -> io::Result<OwnedFd> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(name);
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&temporary)?;
    let published = permit(&temporary, permissions).and_then(|()| std::fs::rename(&temporary, path));
    if let Err(error) = published {
        // The first error is the one to tell; a leftover file is only untidy.
        let _ = std::fs::remove_file(&temporary);
        return Err(error);
    }
    listener.set_nonblocking(true)?;
    rustix::net::listen(listener.as_fd(), i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(OwnedFd::from(listener))
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

/// HAProxy's alert for an address that cannot be bound, with cause and remedy.
fn refused(declared_at: &str, owner: &str, address: &ListenAddress, error: io::Error) -> StartError {
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
        ListenAddress::Abstract(name) => text("abns", "bind UNIX socket", format!("[abns@{name}]")),
        ListenAddress::Fd(fd) => text("fd", "use inherited descriptor", format!("[fd@{fd}]")),
    };
    let (cause, remedy) = advice(address, &error);
    StartError::new(attempted).with_cause(cause).with_remedy(remedy)
}

fn advice(address: &ListenAddress, error: &io::Error) -> (&'static str, String) {
    let port = match address {
        ListenAddress::Tcp(address) => address.port(),
        _ => 0,
    };
    match error.raw_os_error() {
        Some(libc::EADDRINUSE) if port != 0 => (
            "another socket listens there",
            format!("'ss -ltnp sport = :{port}' shows whose; stop it or bind another port"),
        ),
        Some(libc::EACCES) if port != 0 => (
            "ports below net.ipv4.ip_unprivileged_port_start belong to root",
            "start as root (the user line gives that up after binding) or give the executable cap_net_bind_service"
                .to_owned(),
        ),
        Some(libc::EADDRNOTAVAIL) => (
            "no interface of this machine has that address",
            "'ip addr' lists them; for one that moves between machines set net.ipv4.ip_nonlocal_bind=1".to_owned(),
        ),
        Some(libc::EPERM) => (
            "interface and transparent need rights",
            "start as root or give the executable cap_net_raw and cap_net_admin".to_owned(),
        ),
        Some(libc::ENODEV) => ("there is no such interface", "'ip link' lists them".to_owned()),
        Some(libc::EMFILE) => ("no descriptor is left", "raise 'ulimit -n'".to_owned()),
        Some(libc::EBADF | libc::ENOTSOCK | libc::EINVAL | libc::EOPNOTSUPP) => {
            ("the descriptor is no bound stream socket", "start Pronk from the program that opens it, or bind an address".to_owned())
        }
        Some(libc::ENOENT) => ("its directory does not exist", "create the directory first".to_owned()),
        Some(libc::EACCES) => ("its directory is not writable for this user", "check its owner and mode".to_owned()),
        _ => ("the kernel refused", "check the address and the options of the line".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_use_reads_as_in_haproxy() {
        let address = ListenAddress::Tcp("127.0.0.1:33206".parse().expect("an address"));
        let error = refused("a.cfg:3", "proxy x", &address, io::Error::from_raw_os_error(libc::EADDRINUSE));
        assert_eq!(
            error.to_string(),
            "Binding [a.cfg:3] for proxy x: protocol tcpv4: cannot bind socket (Address already in use) for [127.0.0.1:33206]."
        );
        assert!(error.help().contains("ss -ltnp sport = :33206"));
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
        let first = listen_unix(&path, &permissions, 5).expect("bound");
        let second = listen_unix(&path, &permissions, 5).expect("bound again");
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
        assert!(listen_unix(&path, &SocketPermissions::default(), 5).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 1);
    }
}
