//! Accepting clients of either family, one task each, a bounded number at a time.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Semaphore, oneshot};

use crate::config::model::BindId;
use crate::sys::passing;
use crate::sys::socket::{is_pair, listen_again, stop_hearing};

/// How long accepting rests when the system has no descriptor or memory left.
const PAUSE: Duration = Duration::from_millis(100);

/// A listening socket of the control thread.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    accepting: Accepting,
    turns: Option<UnboundedReceiver<Turn>>,
    /// Whoever started the process has it too: it is never made deaf.
    inherited: bool,
}

/// The same, known to the runtime. It must not be while the socket is deaf: a runtime that has once seen a
/// socket shut down never again waits for it.
#[derive(Debug)]
enum Accepting {
    Tcp(TcpListener),
    Unix(UnixListener),
    /// Connections arrive over it as descriptors.
    Pair(UnixStream),
}

/// The way to pause a listener that is being served, and to resume it.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Whose listener it is; None: a stats socket's.
    pub bind: Option<BindId>,
    turns: UnboundedSender<Turn>,
}

/// What a gate asks for.
#[derive(Debug)]
struct Turn {
    /// To listen again, with so many connections that may wait; None: to pause.
    backlog: Option<u32>,
    done: oneshot::Sender<bool>,
}

impl Gate {
    /// Pauses the listener, or resumes it with this backlog. False: its address is taken, or it is gone.
    pub async fn turn(&self, backlog: Option<u32>) -> bool {
        let (done, finished) = oneshot::channel();
        self.turns.send(Turn { backlog, done }).is_ok() && finished.await.unwrap_or(false)
    }
}

/// A connection it accepted.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// Unix.
    Unix(UnixStream),
}

impl Listener {
    /// Takes over a socket that listens already. Only within the control thread's runtime.
    pub fn new(socket: OwnedFd) -> io::Result<Listener> {
        let accepting = Accepting::new(socket.try_clone()?)?;
        Ok(Listener { socket, accepting, turns: None, inherited: false })
    }

    /// A gate for it. Who connects to one that is paused is refused, but of an `inherited` one waits.
    pub fn gate(&mut self, bind: Option<BindId>, inherited: bool) -> Gate {
        self.inherited = inherited;
        let (turns, asked) = unbounded_channel();
        self.turns = Some(asked);
        Gate { bind, turns }
    }

    /// Accepts until the task is aborted, or nobody has a gate any more while it is paused; as many clients at once are
    /// served as there are `places`. One more of each socket is accepted and waits, others wait in the kernel's queue.
    pub async fn serve<F>(self, places: Arc<Semaphore>, mut client: impl FnMut(Stream) -> F)
    where
        F: Future<Output = ()> + 'static,
    {
        let Listener { socket, mut accepting, mut turns, inherited } = self;
        loop {
            let turn = tokio::select! {
                () = accepting.serve(&places, &mut client) => return,
                Some(turn) = next(&mut turns) => turn,
            };
            drop(accepting);
            accepting = match paused((&socket, inherited), turn, &mut turns).await {
                Ok(Some(accepting)) => accepting,
                Ok(None) => return,
                Err(error) => return tracing::error!(%error, "a listener cannot be resumed"),
            };
        }
    }
}

/// The next turn; never when nobody has a gate.
async fn next(turns: &mut Option<UnboundedReceiver<Turn>>) -> Option<Turn> {
    match turns {
        Some(turns) => turns.recv().await,
        None => std::future::pending().await,
    }
}

/// From a turn that pauses to the one that resumes; None: nobody is left who could ask for that.
async fn paused(
    (socket, inherited): (&OwnedFd, bool),
    first: Turn,
    turns: &mut Option<UnboundedReceiver<Turn>>,
) -> io::Result<Option<Accepting>> {
    let mut turn = first;
    loop {
        let heard = match turn.backlog {
            None => {
                if !inherited {
                    stop_hearing(socket.as_fd());
                }
                Ok(false)
            }
            Some(_) if is_pair(socket.as_fd()).unwrap_or(false) => Ok(true),
            Some(backlog) => listen_again(socket.as_fd(), backlog).map(|()| true),
        };
        // Whoever asked may have gone.
        let _ = turn.done.send(heard.is_ok());
        if let Ok(true) = heard {
            return Accepting::new(socket.try_clone()?).map(Some);
        }
        let Some(following) = next(turns).await else { return Ok(None) };
        turn = following;
    }
}

impl Accepting {
    fn new(socket: OwnedFd) -> io::Result<Accepting> {
        if is_pair(socket.as_fd())? {
            rustix::io::ioctl_fionbio(&socket, true)?;
            return UnixStream::from_std(socket.into()).map(Accepting::Pair);
        }
        if rustix::net::sockopt::socket_domain(&socket)? == rustix::net::AddressFamily::UNIX {
            let listener = std::os::unix::net::UnixListener::from(socket);
            listener.set_nonblocking(true)?;
            return UnixListener::from_std(listener).map(Accepting::Unix);
        }
        let listener = std::net::TcpListener::from(socket);
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener).map(Accepting::Tcp)
    }

    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Accepting::Tcp(listener) => listener.accept().await.map(|(stream, _)| Stream::Tcp(stream)),
            Accepting::Unix(listener) => listener.accept().await.map(|(stream, _)| Stream::Unix(stream)),
            Accepting::Pair(pair) => receive(pair).await,
        }
    }

    async fn serve<F>(&self, places: &Arc<Semaphore>, client: &mut impl FnMut(Stream) -> F)
    where
        F: Future<Output = ()> + 'static,
    {
        loop {
            match self.accept().await {
                Ok(stream) => {
                    // Behind the accept: a socket without clients takes no place from the others.
                    let Ok(place) = Arc::clone(places).acquire_owned().await else { return };
                    let task = client(stream);
                    tokio::task::spawn_local(async move {
                        task.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a client of statistics");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// The next connection that is passed over the pair; whatever else is sent means nothing.
async fn receive(pair: &UnixStream) -> io::Result<Stream> {
    loop {
        // A byte at a time: descriptors come with the first byte of what they were sent with.
        let one = || passing::receive(pair.as_fd(), &mut [0; 1]);
        let (length, descriptors) = pair.async_io(Interest::READABLE, one).await?;
        if length == 0 {
            tracing::warn!("the other end of a pair of sockets is closed: no more connections come over it");
            return std::future::pending().await;
        }
        if let Some(stream) = descriptors.into_iter().next().and_then(|socket| Stream::of(socket).ok()) {
            return Ok(stream);
        }
    }
}

impl Stream {
    /// A connected socket of either family.
    fn of(socket: OwnedFd) -> io::Result<Stream> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        match rustix::net::sockopt::socket_domain(&socket)? {
            rustix::net::AddressFamily::UNIX => UnixStream::from_std(socket.into()).map(Stream::Unix),
            _ => TcpStream::from_std(socket.into()).map(Stream::Tcp),
        }
    }

    /// The socket, which the runtime no longer watches.
    pub fn into_socket(self) -> io::Result<OwnedFd> {
        match self {
            Stream::Tcp(stream) => stream.into_std().map(OwnedFd::from),
            Stream::Unix(stream) => stream.into_std().map(OwnedFd::from),
        }
    }
}

/// Who is served over a connection.
pub trait Peer: AsyncRead + AsyncWrite + Unpin {
    /// Whether it has closed both ways. One that has only finished sending has not, and over TCP nobody
    /// can tell before the first answer is refused.
    fn has_left(&self) -> bool;
}

impl Peer for Stream {
    fn has_left(&self) -> bool {
        let fd = match self {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
        };
        let mut polled = [PollFd::from_borrowed_fd(fd, PollFlags::empty())];
        let left = poll(&mut polled, Some(&Timespec::default()));
        left.is_ok() && polled[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
