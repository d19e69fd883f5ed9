//! `-x`: listening sockets from the process that is to be replaced (see [`crate::admin::handover`]).

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::error::StartError;
use crate::admin::handover::{COMMAND, PATIENCE, PRONK};
use crate::config::model::ListenAddress;
use crate::sys::passing;
use crate::sys::socket::{ListenOptions, is_abstract, local_address, unix_path};

/// Room for the records of one message; a record is 6 bytes and two names.
const RECORDS: usize = 65_536;

/// A socket that the old process listens on.
#[derive(Debug)]
struct Inherited {
    socket: OwnedFd,
    namespace: String,
    interface: String,
}

/// What the old process gave.
#[derive(Debug, Default)]
pub struct Inheritance(Vec<Inherited>);

impl Inheritance {
    /// Asks the process behind the stats socket at `path`.
    pub fn ask(path: &Path) -> Result<Inheritance, StartError> {
        let connected = UnixStream::connect(path);
        connected.and_then(|stream| receive(stream.as_fd())).map(Inheritance).map_err(|error| {
            StartError::new("Failed to get the sockets from the old process")
                .on(path.display())
                .with_errno(error)
                .with_cause("nobody answers there, or its 'stats socket' line has no 'expose-fd listeners'")
                .with_remedy("check that line in the old process's configuration, or start with -x /dev/null to bind anew")
        })
    }

    /// Asks over a connection that is there already.
    pub fn ask_over(stream: BorrowedFd<'_>) -> io::Result<Inheritance> {
        receive(stream).map(Inheritance)
    }

    /// How many sockets listen on that address.
    pub fn count(&self, address: SocketAddr) -> u32 {
        let there = |old: &&Inherited| local_address(old.socket.as_fd()) == Some(address);
        self.0.iter().filter(there).count() as u32
    }

    /// Copies of the sockets that listen there, in the old process's order and with its options: it may yet go on.
    pub fn claim(&self, address: &ListenAddress, options: &ListenOptions) -> io::Result<Vec<OwnedFd>> {
        let fitting = self.0.iter().filter(|old| old.fits(address, options));
        fitting.map(|old| reopen(&old.socket)).collect()
    }
}

impl Inherited {
    fn fits(&self, address: &ListenAddress, options: &ListenOptions) -> bool {
        let same_place = match address {
            ListenAddress::Tcp(wanted) => local_address(self.socket.as_fd()) == Some(*wanted),
            ListenAddress::Abstract(name) => is_abstract(self.socket.as_fd(), name),
            ListenAddress::Unix(path) => is_at(self.socket.as_fd(), path),
            ListenAddress::Fd(_) | ListenAddress::SocketPair(_) => false,
        };
        same_place
            && self.namespace.is_empty()
            && self.interface == options.tcp.interface.as_deref().unwrap_or("")
    }
}

/// Whether the socket was bound there, or beside it under the name it had before it was renamed into place:
/// `PATH.PID.tmp`, here and in HAProxy. A path that is gone by now has to be made anew.
fn is_at(socket: BorrowedFd<'_>, path: &Path) -> bool {
    let Some(bound) = unix_path(socket) else { return false };
    let (bound, wanted) = (bound.as_os_str().as_encoded_bytes(), path.as_os_str().as_encoded_bytes());
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let suffix = bound.strip_prefix(wanted);
    let temporary = |suffix: &[u8]| {
        let pid = suffix.strip_prefix(b".").and_then(|rest| rest.strip_suffix(b".tmp"));
        suffix.is_empty() || pid.is_some_and(digits)
    };
    suffix.is_some_and(temporary) && path.exists()
}

/// The same socket. It is not told to listen: one that its owner has made deaf stays so until everything is bound.
fn reopen(socket: &OwnedFd) -> io::Result<OwnedFd> {
    let copy = socket.try_clone()?;
    rustix::io::ioctl_fionbio(&copy, true)?;
    Ok(copy)
}

fn receive(stream: BorrowedFd<'_>) -> io::Result<Vec<Inherited>> {
    passing::await_writable(stream, PATIENCE)?;
    passing::send(stream, format!("{COMMAND} {PRONK}\n").as_bytes(), &[])?;
    let mut count = [0; 4];
    passing::await_readable(stream, PATIENCE)?;
    if passing::receive(stream, &mut count)?.0 != count.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let count = u32::from_ne_bytes(count) as usize;
    let mut inherited = Vec::new();
    let mut records = vec![0; RECORDS];
    while inherited.len() < count {
        passing::await_readable(stream, PATIENCE)?;
        let (length, sockets) = passing::receive(stream, &mut records)?;
        if sockets.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let received = u32::try_from(inherited.len() + sockets.len()).unwrap_or(u32::MAX);
        read_batch(&records[..length], sockets, &mut inherited)?;
        let acknowledged = passing::send(stream, &received.to_ne_bytes(), &[]);
        // HAProxy closes behind the last message without waiting for its acknowledgement.
        if inherited.len() < count {
            acknowledged?;
        }
    }
    Ok(inherited)
}

/// Joins the descriptors of one message with their records.
fn read_batch(mut records: &[u8], sockets: Vec<OwnedFd>, to: &mut Vec<Inherited>) -> io::Result<()> {
    for socket in sockets {
        let namespace = name(&mut records)?;
        let interface = name(&mut records)?;
        take(&mut records, 4)?;
        to.push(Inherited { socket, namespace, interface });
    }
    Ok(())
}

fn name(records: &mut &[u8]) -> io::Result<String> {
    let length = take(records, 1)?[0];
    Ok(String::from_utf8_lossy(take(records, usize::from(length))?).into_owned())
}

fn take<'a>(records: &mut &'a [u8], length: usize) -> io::Result<&'a [u8]> {
    let cut = records.split_at_checked(length).ok_or(io::ErrorKind::UnexpectedEof)?;
    *records = cut.1;
    Ok(cut.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::handover::{Held, give};
    use crate::config::model::{AbstractName, TcpOptions};
    use crate::config::{Environment, Source, Supplies, parse};
    use crate::process::listen::Sockets;
    use crate::sys::socket::{accept_queued, listen};
    use std::sync::Arc;

    fn listening(address: &ListenAddress) -> OwnedFd {
        let options = ListenOptions { backlog: 8, reuseport: true, ..ListenOptions::default() };
        listen(address, &options).expect("a listener")
    }

    /// What arrives when a process holds these sockets.
    fn passed(held: Vec<Held>) -> Inheritance {
        let (old, new) = passing::pair().expect("a pair");
        let giving = std::thread::spawn(move || {
            let mut command = [0; 64];
            let (length, _) = passing::receive(old.as_fd(), &mut command).expect("the command");
            assert_eq!(&command[..length], b"_getsocks pronk\n");
            give(old.as_fd(), &held)
        });
        let inheritance = Inheritance::ask_over(new.as_fd()).expect("received");
        giving.join().expect("the thread").expect("given");
        inheritance
    }

    #[test]
    fn every_socket_arrives_and_is_found_by_its_address() {
        let first = listening(&ListenAddress::Tcp(([127, 0, 0, 1], 0).into()));
        let address = local_address(first.as_fd()).expect("bound");
        let name = format!("pronk-takeover-{}", std::process::id());
        let named = |text: String, padded| ListenAddress::Abstract(AbstractName { text, padded });
        let abns = named(name.clone(), true);
        let sockets = [first, listening(&ListenAddress::Tcp(address)), listening(&abns)];
        let held = |socket| Held { socket: Arc::new(socket), interface: None, bind: None, worker: None };
        let inheritance = passed(sockets.into_iter().map(held).collect());
        let claimed = |address: &ListenAddress, interface: Option<&str>| {
            let options = ListenOptions {
                tcp: TcpOptions { interface: interface.map(str::to_owned), ..TcpOptions::default() },
                ..ListenOptions::default()
            };
            inheritance.claim(address, &options).expect("claimed").len()
        };
        assert_eq!(claimed(&ListenAddress::Tcp(address), None), 2);
        assert_eq!(claimed(&ListenAddress::Tcp(address), Some("lo")), 0, "it is bound to no interface");
        assert_eq!(claimed(&abns, None), 1);
        assert_eq!(claimed(&named(format!("{name}x"), true), None), 0);
        assert_eq!(claimed(&named(name, false), None), 0, "the name is longer there");
        assert_eq!(claimed(&ListenAddress::Tcp(([127, 0, 0, 2], address.port()).into()), None), 0);
    }

    #[test]
    fn a_socket_gets_the_options_of_who_takes_it_over_when_everything_is_bound() {
        // As another program makes it.
        let foreign = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = foreign.local_addr().expect("bound");
        let client = std::net::TcpStream::connect(address).expect("connected");
        let old = socket2::SockRef::from(&foreign);
        old.set_tcp_user_timeout(Some(std::time::Duration::from_secs(9))).expect("set");
        let nodelay = |accepted: OwnedFd| socket2::SockRef::from(&accepted).tcp_nodelay().expect("TCP");
        let copy = foreign.try_clone().expect("a copy").into();
        let held = Held { socket: Arc::new(copy), interface: None, bind: None, worker: None };
        let text =
            format!("global\n  tune.rcvbuf.client 100000\nlisten x\n  mode tcp\n  bind {address} mss 1000\n");
        let sources = [Source { name: "x.cfg".to_owned(), text: text.into_bytes() }];
        let config = parse(&sources, &Environment::default(), &Supplies::default()).0.expect("accepted");
        let shown = || (old.tcp_mss().expect("TCP"), old.tcp_user_timeout().expect("TCP"));
        let before = shown();
        let sockets = Sockets::bind(&config, 1, &passed(vec![held]), None).expect("bound");
        assert_eq!(shown(), before, "the start may fail yet");
        sockets.hear(&config).expect("listens");
        assert_eq!(shown(), (1000, None));
        assert_eq!(old.recv_buffer_size().expect("TCP"), 200_000, "the kernel doubles it");
        drop(client);
        let _client = std::net::TcpStream::connect(address).expect("connected");
        let listening = sockets.workers[0][0].1.as_fd();
        accept_queued(listening).expect("the one from before");
        assert!(nodelay(accept_queued(listening).expect("queued")));
    }

    #[test]
    fn a_socket_that_was_renamed_into_place_is_found_there() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("s.sock");
        let temporary = directory.path().join("s.sock.123.tmp");
        let socket = listening(&ListenAddress::Unix(temporary.clone()));
        assert!(!is_at(socket.as_fd(), &path), "nothing is there yet");
        std::fs::rename(&temporary, &path).expect("renamed");
        assert!(is_at(socket.as_fd(), &path));
        assert!(!is_at(socket.as_fd(), &directory.path().join("s.soc")));
    }

    #[test]
    fn more_sockets_than_one_message_holds() {
        let socket = Arc::new(listening(&ListenAddress::Tcp(([127, 0, 0, 1], 0).into())));
        let held = |_| Held {
            socket: Arc::clone(&socket),
            interface: Some("eth0".into()),
            bind: None,
            worker: None,
        };
        let inheritance = passed((0..600).map(held).collect());
        assert_eq!(inheritance.0.len(), 600);
        assert!(inheritance.0.iter().all(|old| old.interface == "eth0" && old.namespace.is_empty()));
    }

    #[test]
    fn a_record_cut_short_is_an_error() {
        let socket = || passing::pair().expect("a pair").0;
        for records in [&b""[..], b"\x02x", b"\0\0\0\0\0"] {
            assert!(read_batch(records, vec![socket()], &mut Vec::new()).is_err());
        }
        read_batch(b"\x02ns\x04eth0\0\0\0\0", vec![socket()], &mut Vec::new()).expect("whole");
    }
}
