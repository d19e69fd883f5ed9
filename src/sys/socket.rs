//! Stream sockets: listening, connecting to a server, addresses and options.

use std::ffi::OsStr;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use rustix::net::{RecvFlags, SendFlags, recv, send};
use socket2::{Domain, Protocol, SockAddr, SockFilter, SockRef, Socket, TcpKeepalive, Type};

use crate::config::model::{AbstractName, ListenAddress, Probes, ServerAddress, TcpOptions};

/// Options of a listening socket (configuration manual, section 5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListenOptions {
    /// `backlog`, connections.
    pub backlog: u32,
    /// SO_REUSEPORT: each worker has its own socket for the address.
    pub reuseport: bool,
    /// Of a TCP socket; the length of the fast-open queue is the backlog.
    pub tcp: TcpOptions,
    /// SO_RCVBUF and SO_SNDBUF, bytes, inherited by accepted sockets.
    pub buffers: Buffers,
}

/// Socket buffer sizes in bytes; None: the kernel's own tuning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buffers {
    /// SO_RCVBUF.
    pub receive: Option<u32>,
    /// SO_SNDBUF.
    pub send: Option<u32>,
}

/// Opens, binds and listens: [`bind`], then [`listen_again`] for the first time.
///
/// # Errors
/// As for both.
pub fn listen(address: &ListenAddress, options: &ListenOptions) -> io::Result<OwnedFd> {
    let socket = bind(address, options)?;
    if matches!(address, ListenAddress::Tcp(_)) {
        listen_again(socket.as_fd(), options.backlog.max(1))?;
    }
    Ok(socket)
}

/// Opens and binds; over TCP nobody can connect yet. A Unix socket, whose path must be free, listens at once, and an
/// inherited descriptor is only duplicated.
///
/// # Errors
/// What the kernel says: EADDRINUSE, EACCES for a privileged port, EADDRNOTAVAIL, ...
pub fn bind(address: &ListenAddress, options: &ListenOptions) -> io::Result<OwnedFd> {
    match address {
        ListenAddress::Tcp(address) => bind_tcp(*address, options).map(OwnedFd::from),
        ListenAddress::Unix(path) => UnixListener::bind(path).map(OwnedFd::from),
        ListenAddress::Abstract(name) => {
            let address = std::os::unix::net::SocketAddr::from_abstract_name(&abstract_name(name)?)?;
            UnixListener::bind_addr(&address).map(OwnedFd::from)
        }
        ListenAddress::Fd(fd) | ListenAddress::SocketPair(fd) => super::descriptor::duplicate(*fd),
    }
}

fn bind_tcp(address: SocketAddr, options: &ListenOptions) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if options.reuseport {
        socket.set_reuse_port(true)?;
    }
    if address.is_ipv6()
        && let Some(only) = options.tcp.v6only
    {
        socket.set_only_v6(only)?;
    }
    if let Some(interface) = &options.tcp.interface {
        socket.bind_device(Some(interface.as_bytes()))?;
    }
    if options.tcp.transparent {
        set_transparent(&socket, address)?;
    }
    set_tcp(&socket, options)?;
    socket.bind(&SockAddr::from(address))?;
    Ok(socket)
}

/// Gives a socket that others have made what a new one has, except where and how it is bound. What the options leave
/// out is taken away, but sizes of buffers cannot be: the kernel tunes them no more.
///
/// # Errors
/// What the kernel says of an option that is wanted; ENOTSOCK.
pub fn renew(listener: BorrowedFd<'_>, options: &ListenOptions) -> io::Result<()> {
    let socket = SockRef::from(&listener);
    if !matches!(socket.protocol()?, Some(Protocol::TCP | Protocol::MPTCP)) {
        return Ok(());
    }
    reset_tcp(&socket, &options.tcp);
    set_tcp(&socket, options)
}

/// Whatever fails here was never there.
fn reset_tcp(socket: &Socket, wanted: &TcpOptions) {
    if wanted.mss.is_none() {
        let _ = socket.set_tcp_mss(0);
    }
    if wanted.user_timeout_ms.is_none() {
        let _ = socket.set_tcp_user_timeout(None);
    }
    if !wanted.tfo {
        let _ = super::option::set_fast_open(socket.as_fd(), 0);
    }
    if !wanted.defer_accept {
        let _ = super::option::set_defer_accept(socket.as_fd(), 0);
    }
}

/// All that may be set at any time.
fn set_tcp(socket: &Socket, options: &ListenOptions) -> io::Result<()> {
    // Inherited by every accepted socket, so that none needs a system call of its own.
    socket.set_tcp_nodelay(true)?;
    set_buffers(socket, options.buffers)?;
    if let Some(mss) = options.tcp.mss {
        socket.set_tcp_mss(u32::from(mss))?;
    }
    if let Some(ms) = options.tcp.user_timeout_ms {
        socket.set_tcp_user_timeout(Some(Duration::from_millis(u64::from(ms))))?;
    }
    if options.tcp.tfo {
        let backlog = i32::try_from(options.backlog.max(1)).unwrap_or(i32::MAX);
        super::option::set_fast_open(socket.as_fd(), backlog)?;
    }
    if options.tcp.defer_accept {
        super::option::set_defer_accept(socket.as_fd(), 1)?;
    }
    Ok(())
}

fn set_transparent(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv4() { socket.set_ip_transparent_v4(true) } else { socket.set_ip_transparent_v6(true) }
}

fn set_buffers(socket: &Socket, buffers: Buffers) -> io::Result<()> {
    if let Some(bytes) = buffers.receive {
        socket.set_recv_buffer_size(bytes as usize)?;
    }
    if let Some(bytes) = buffers.send {
        socket.set_send_buffer_size(bytes as usize)?;
    }
    Ok(())
}

/// How to reach a server.
#[derive(Clone, Debug)]
pub struct Route {
    /// Where to connect.
    pub address: SockAddr,
    /// `source`: bound before connecting.
    pub source: Option<SocketAddr>,
    /// SO_KEEPALIVE, and when it probes.
    pub keepalive: Option<Probes>,
    /// Buffer sizes.
    pub buffers: Buffers,
}

/// The socket address of a server for a client that asked for `local`: a server without a port has its port, and one
/// without an address (`server s *:22`) its address. A client of a Unix socket asked for none.
///
/// # Errors
/// InvalidInput when a mapped port leaves 1..65535 or a path is too long for a Unix address.
pub fn resolve_route(address: &ServerAddress, local: Option<SocketAddr>) -> io::Result<SockAddr> {
    let reached = |ip: IpAddr, port| {
        let asked = local.filter(|_| ip.is_unspecified()).map(|local| local.ip());
        SockAddr::from(SocketAddr::new(asked.unwrap_or(ip), port))
    };
    match address {
        ServerAddress::Tcp(address) => Ok(reached(address.ip(), address.port())),
        ServerAddress::TcpMapped(ip, offset) => {
            let port = local.map_or(0, |local| i32::from(local.port()));
            let mapped = u16::try_from(port + offset)
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "mapped port out of range"))?;
            Ok(reached(*ip, mapped))
        }
        ServerAddress::Unix(path) => SockAddr::unix(path),
        ServerAddress::Abstract(name) => {
            let path = [&[0][..], &abstract_name(name)?].concat();
            SockAddr::unix(Path::new(OsStr::from_bytes(&path)))
        }
    }
}

/// An abstract name as the kernel is told it.
fn abstract_name(name: &AbstractName) -> io::Result<Vec<u8>> {
    let mut bytes = name.text.as_bytes().to_vec();
    if bytes.len() > ABSTRACT_LENGTH {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "abstract name longer than 107 bytes"));
    }
    if name.padded {
        bytes.resize(ABSTRACT_LENGTH, 0);
    }
    Ok(bytes)
}

/// What fits behind the NUL of an abstract Unix address.
const ABSTRACT_LENGTH: usize = 107;

/// Whether connections arrive over the socket as descriptors: a Unix socket that does not listen.
///
/// # Errors
/// ENOTSOCK, above all.
pub fn is_pair(fd: BorrowedFd<'_>) -> io::Result<bool> {
    use rustix::net::{AddressFamily, sockopt};
    Ok(sockopt::socket_domain(fd)? == AddressFamily::UNIX && !sockopt::socket_acceptconn(fd)?)
}

/// Whether the socket listens (SO_ACCEPTCONN): one that [`stop_hearing`] has made deaf does not.
pub fn is_listening(fd: BorrowedFd<'_>) -> bool {
    rustix::net::sockopt::socket_acceptconn(fd).unwrap_or(false)
}

/// Where an inherited socket is bound (getsockname(2)); None: it is closed, or bound nowhere that has a name.
pub fn inherited_address(number: i32) -> Option<ListenAddress> {
    let socket = super::descriptor::duplicate(number).ok()?;
    let bound = SockRef::from(&socket).local_addr().ok()?;
    let of_unix = || Some(ListenAddress::Unix(bound.as_pathname()?.to_owned()));
    let of_abstract = || {
        let name = bound.as_abstract_namespace()?;
        let text = String::from_utf8_lossy(name).trim_end_matches('\0').to_owned();
        Some(ListenAddress::Abstract(AbstractName { text, padded: name.len() == ABSTRACT_LENGTH }))
    };
    bound.as_socket().map(ListenAddress::Tcp).or_else(of_unix).or_else(of_abstract)
}

/// A non-blocking socket ready to connect along `route`.
///
/// # Errors
/// EMFILE, ENFILE, ENOMEM, or what binding the source address says.
pub fn open_to(route: &Route) -> io::Result<OwnedFd> {
    let domain = Domain::from(i32::from(route.address.family()));
    let socket = Socket::new(domain, Type::STREAM.nonblocking(), None)?;
    if domain != Domain::UNIX {
        socket.set_tcp_nodelay(true)?;
    }
    if let Some(probes) = route.keepalive {
        let probes = if domain == Domain::UNIX { Probes::default() } else { probes };
        keep_alive(&socket, probes)?;
    }
    set_buffers(&socket, route.buffers)?;
    if let Some(source) = route.source {
        socket.set_reuse_address(true)?;
        // The port is chosen at connect, so that one address serves 64 Ki connections per server.
        super::option::set_bind_address_no_port(socket.as_fd())?;
        socket.bind(&SockAddr::from(source))?;
    }
    Ok(socket.into())
}

/// The peer's address (None for a Unix socket), and whether it has reset the connection and sent nothing before.
pub fn peer(fd: BorrowedFd<'_>) -> (Option<SocketAddr>, bool) {
    match SockRef::from(&fd).peer_addr() {
        Ok(address) => (address.as_socket(), false),
        Err(_) => (super::option::former_peer(fd), !has_bytes(fd)),
    }
}

#[cold]
fn has_bytes(fd: BorrowedFd<'_>) -> bool {
    let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
    recv(fd, &mut [0; 1], flags).is_ok_and(|(_, len)| len > 0)
}

/// The socket's own address; None for a Unix socket.
pub fn local_address(fd: BorrowedFd<'_>) -> Option<SocketAddr> {
    SockRef::from(&fd).local_addr().ok().and_then(|a| a.as_socket())
}

/// The path that the Unix socket was bound to.
pub fn unix_path(fd: BorrowedFd<'_>) -> Option<std::path::PathBuf> {
    SockRef::from(&fd).local_addr().ok()?.as_pathname().map(Path::to_owned)
}

/// Whether the socket is bound to this abstract name.
pub fn is_abstract(fd: BorrowedFd<'_>, name: &AbstractName) -> bool {
    let bound = SockRef::from(&fd).local_addr().ok();
    let bound = bound.as_ref().and_then(SockAddr::as_abstract_namespace);
    abstract_name(name).is_ok_and(|name| bound == Some(&name[..]))
}

/// Turns on SO_KEEPALIVE (`option clitcpka`), and says when it probes.
pub fn set_keepalive(fd: BorrowedFd<'_>, probes: Probes) {
    // A client that is gone already needs no keepalive; its end shows on the next read. On a Unix socket there is
    // nothing to probe.
    let _ = keep_alive(&SockRef::from(&fd), probes);
}

fn keep_alive(socket: &Socket, probes: Probes) -> io::Result<()> {
    let Probes { idle_s, interval_s, count } = probes;
    let seconds = |s: u16| Duration::from_secs(s.into());
    let mut keepalive = TcpKeepalive::new();
    if let Some(idle_s) = idle_s {
        keepalive = keepalive.with_time(seconds(idle_s));
    }
    if let Some(interval_s) = interval_s {
        keepalive = keepalive.with_interval(seconds(interval_s));
    }
    if let Some(count) = count {
        keepalive = keepalive.with_retries(count.into());
    }
    socket.set_tcp_keepalive(&keepalive)
}

/// Makes the coming close send RST and drop what is unsent (SO_LINGER 0).
pub fn reset_on_close(fd: BorrowedFd<'_>) {
    // It cannot fail on a socket; a close that sends FIN instead would still be a close.
    let _ = SockRef::from(&fd).set_linger(Some(Duration::ZERO));
}

/// Throws away what has arrived and was not read: a close would turn it into RST, or for the peer of a Unix
/// socket into ECONNRESET.
pub fn discard_unread(fd: BorrowedFd<'_>) {
    let discarded = super::option::discard(fd, 1 << 20);
    if discarded.is_err_and(|error| error.raw_os_error() == Some(libc::EFAULT)) {
        read_unread(fd);
    }
}

/// What a Unix socket holds is bounded by its peer's send buffer: 208 KiB unless somebody raised that.
#[cold]
fn read_unread(fd: BorrowedFd<'_>) {
    let mut scratch = [0; 16_384];
    for _ in 0..64 {
        if !recv(fd, &mut scratch[..], RecvFlags::DONTWAIT).is_ok_and(|(_, len)| len > 0) {
            return;
        }
    }
}

/// Sends what fits without waiting: how many bytes that is.
///
/// # Errors
/// EAGAIN when nothing fits, else the socket's error (send(2)).
pub fn send_now(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    Ok(send(fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
}

/// Says that no more bytes will be written (FIN). The error of a peer that is gone already shows when reading.
pub fn finish_writing(fd: BorrowedFd<'_>) {
    let _ = rustix::net::shutdown(fd, rustix::net::Shutdown::Write);
}

/// SO_INCOMING_CPU: connections whose first packet arrives on this CPU go to this socket rather than to the others of
/// its address. On a kernel without it (before 6.2) they go to any.
pub fn set_incoming_cpu(listener: BorrowedFd<'_>, cpu: u16) {
    let _ = SockRef::from(&listener).set_cpu_affinity(usize::from(cpu));
}

/// Changes how many connections may wait for a listening socket.
pub fn set_backlog(listener: BorrowedFd<'_>, backlog: u32) {
    // It cannot fail on a socket that listens.
    let _ = rustix::net::listen(listener, i32::try_from(backlog).unwrap_or(i32::MAX));
}

/// Lets no new handshake begin at a TCP listener; those that have begun end well. Another socket of its address
/// or nobody at all answers when the client asks again, a second later. Not for a socket that others have too.
pub fn refuse_newcomers(listener: BorrowedFd<'_>) {
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const SYN_ACK: u32 = 0x12;
    let step = |code: u32, jt, jf, k| SockFilter::new(code as u16, jt, jf, k);
    // What a filter sees of a TCP segment begins with its header.
    let no_syn = [
        step(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, 0, FLAGS),
        step(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, 0, SYN_ACK),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, SYN),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
    ];
    if local_address(listener).is_some() {
        // Without it clients are served for a moment longer, and one in that moment may be reset.
        let _ = SockRef::from(&listener).attach_filter(&no_syn);
    }
}

/// Ends what [`refuse_newcomers`] began: whoever shared the socket may have done so, and then nobody would be heard.
/// Not for a socket whose owner may have a filter of his own.
pub fn welcome_newcomers(listener: BorrowedFd<'_>) {
    // It fails where there is nothing to end.
    let _ = SockRef::from(&listener).detach_filter();
}

/// Makes a TCP listener deaf: it stays bound, and who connects is refused. A Unix socket is left as it is, and so is one
/// that is deaf already: the kernel would note that nothing more is read from it, and give that to the connections
/// which it accepts when it listens again.
pub fn stop_hearing(listener: BorrowedFd<'_>) {
    if local_address(listener).is_some() && is_listening(listener) {
        // It cannot fail on a socket that listens.
        let _ = rustix::net::shutdown(listener, rustix::net::Shutdown::Read);
    }
}

/// Ends what [`stop_hearing`] or [`bind`] began.
///
/// # Errors
/// EADDRINUSE when somebody else listens on the address by now.
pub fn listen_again(listener: BorrowedFd<'_>, backlog: u32) -> io::Result<()> {
    Ok(rustix::net::listen(listener, i32::try_from(backlog).unwrap_or(i32::MAX))?)
}

/// Accepts one connection that is queued already; None: there is none, or no descriptor for it.
pub fn accept_queued(listener: BorrowedFd<'_>) -> Option<OwnedFd> {
    use rustix::net::{SocketFlags, accept_with};
    // The listening socket may block, and an armed accept of another worker may be quicker.
    rustix::io::ioctl_fionbio(listener, true).ok()?;
    accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    #[test]
    fn unread_bytes_of_a_unix_socket_do_not_turn_its_end_into_an_error() {
        let (mut peer, ours) = UnixStream::pair().expect("a pair of sockets");
        peer.write_all(&[7; 100_000]).expect("the buffer takes them");
        finish_writing(ours.as_fd());
        discard_unread(ours.as_fd());
        drop(ours);
        assert_eq!(peer.read(&mut [0; 1]).expect("the end, no ECONNRESET"), 0);
    }

    #[test]
    fn a_peer_that_has_reset_the_connection_is_known_by_its_address() {
        for loopback in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(loopback).expect("a port");
            let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("a connection");
            let name = client.local_addr().expect("connected");
            let (ours, _) = listener.accept().expect("a client");
            assert_eq!(peer(ours.as_fd()), (Some(name), false));
            reset_on_close(client.as_fd());
            drop(client);
            assert_eq!(peer(ours.as_fd()), (Some(name), true));
        }
    }

    #[test]
    fn a_peer_is_not_gone_before_its_bytes_are_read() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut client = TcpStream::connect(listener.local_addr().expect("bound")).expect("a connection");
        let (ours, _) = listener.accept().expect("a client");
        client.write_all(b"query").expect("the buffer takes it");
        reset_on_close(client.as_fd());
        drop(client);
        assert!(!peer(ours.as_fd()).1);
    }

    #[test]
    fn abstract_names_are_filled_up_as_haproxy_does() {
        let name = format!("pronk-socket-{}", std::process::id());
        let padded = AbstractName { text: name.clone(), padded: true };
        let listening = listen(&ListenAddress::Abstract(padded.clone()), &ListenOptions::default());
        let _listening = listening.expect("a listener");
        let shown = std::fs::read_to_string("/proc/net/unix").expect("the kernel's list");
        let line = shown.lines().find(|line| line.contains(&name)).expect("the socket");
        // @ stands for NUL: the one that marks the namespace, then the filling.
        let path = line.rsplit(' ').next().expect("a path");
        assert_eq!((path.len(), path.trim_end_matches('@')), (108, format!("@{name}").as_str()));
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
        let to = resolve_route(&ServerAddress::Abstract(padded.clone()), None).expect("an address");
        socket.connect(&to).expect("a connection");
        let long = AbstractName { text: "x".repeat(108), ..padded };
        assert!(resolve_route(&ServerAddress::Abstract(long), None).is_err());
    }

    #[test]
    fn what_a_server_lacks_is_taken_from_what_the_client_asked_for() {
        let route = |address: &ServerAddress, local: &str| {
            let route = resolve_route(address, local.parse().ok());
            route.ok().and_then(|route| route.as_socket()).map(|address| address.to_string())
        };
        let any = ServerAddress::Tcp(([0, 0, 0, 0], 22).into());
        assert_eq!(route(&any, "10.0.0.9:2222").as_deref(), Some("10.0.0.9:22"));
        assert_eq!(route(&any, "[fe80::9]:2222").as_deref(), Some("[fe80::9]:22"));
        assert_eq!(route(&any, "a Unix socket").as_deref(), Some("0.0.0.0:22"));
        let six = ServerAddress::TcpMapped(IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED), -22);
        assert_eq!(route(&six, "10.0.0.9:2222").as_deref(), Some("10.0.0.9:2200"));
        let known = ServerAddress::TcpMapped([10, 0, 0, 1].into(), 0);
        assert_eq!(route(&known, "10.0.0.9:2222").as_deref(), Some("10.0.0.1:2222"));
        assert_eq!(route(&six, "10.0.0.9:21"), None);
    }

    #[test]
    fn a_listener_that_refuses_newcomers_ends_no_handshake_that_it_has_begun() {
        let options = ListenOptions { backlog: 8, ..ListenOptions::default() };
        let listening =
            listen(&ListenAddress::Tcp(([127, 0, 0, 1], 0).into()), &options).expect("a listener");
        let address = local_address(listening.as_fd()).expect("bound");
        let early = std::net::TcpStream::connect(address).expect("connected");
        refuse_newcomers(listening.as_fd());
        let late = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200));
        assert_eq!(late.expect_err("not heard").kind(), io::ErrorKind::TimedOut);
        welcome_newcomers(listening.as_fd());
        drop(std::net::TcpStream::connect_timeout(&address, Duration::from_secs(5)).expect("heard"));
        refuse_newcomers(listening.as_fd());
        let accepted = accept_queued(listening.as_fd()).expect("queued before");
        assert_eq!(peer(accepted.as_fd()).0, early.local_addr().ok());
        // What was accepted talks on, under the filter that it inherited.
        let mut accepted = std::net::TcpStream::from(accepted);
        std::io::Write::write_all(&mut accepted, b"x").expect("sent");
        let mut byte = [0];
        std::io::Read::read_exact(&mut &early, &mut byte).expect("received");
        assert!(accept_queued(listening.as_fd()).is_some_and(|later| peer(later.as_fd()).0.is_some()));
        assert!(accept_queued(listening.as_fd()).is_none());
    }
}
