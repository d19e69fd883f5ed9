//! The vocabulary between a session and whatever carries its operations out: the one seam.
//!
//! An [`Op`] is a value. It names sides and directions, never a descriptor, buffer or address; the
//! ring, the simulated world of the tests, or a plain `Vec<Op>` take it through [`Submit`].

use std::fmt;

/// One of a session's two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The connection that was accepted.
    Client,
    /// The connection to the coordinator.
    Server,
}

/// Which way bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server: requests.
    ToServer,
    /// From the server to the client: results.
    ToClient,
}

impl Direction {
    /// Both, in the order of their indices.
    pub const BOTH: [Direction; 2] = [Direction::ToServer, Direction::ToClient];

    /// 0 or 1, for arrays that hold one entry per direction.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The one whose bytes are read from this side.
    pub fn out_of(side: Side) -> Direction {
        match side {
            Side::Client => Direction::ToServer,
            Side::Server => Direction::ToClient,
        }
    }

    /// The socket that bytes of this direction are read from.
    pub fn source(self) -> Side {
        match self {
            Direction::ToServer => Side::Client,
            Direction::ToClient => Side::Server,
        }
    }

    /// The socket that bytes of this direction are written to.
    pub fn sink(self) -> Side {
        self.source().other()
    }

    /// The other one.
    pub fn other(self) -> Direction {
        match self {
            Direction::ToServer => Direction::ToClient,
            Direction::ToClient => Direction::ToServer,
        }
    }
}

impl Side {
    /// Both, in the order of their indices.
    pub const BOTH: [Side; 2] = [Side::Client, Side::Server];

    /// 0 or 1, for arrays that hold one entry per side.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The other one.
    pub fn other(self) -> Side {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }
}

/// A server of the whole process: index of its cell in [`crate::load::Load`], the same in every snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub u32);

/// How a socket is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseHow {
    /// An ordinary close: FIN after what is still in the send buffer.
    Fin,
    /// SO_LINGER 0: RST, unsent bytes dropped.
    Reset,
    /// FIN, then RST: who reads sees an end, who goes on sending an error.
    FinReset,
}

/// A request. Every variant but [`Op::Stop`], [`Op::Unwatch`] and [`Op::Close`] is answered by exactly one
/// completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Open the server socket and connect it. Ok(0), or the errno of the failure.
    Connect(ServerId),
    /// Wait until `n` of the client's bytes are held, EOF or an error; for 0 look once at what has
    /// arrived. Ok(bytes held), Ok(0) at EOF. The bytes stay for the next [`Op::Fill`].
    Hold(u16),
    /// Take bytes from the source. Ok(bytes taken), Ok(0) at EOF.
    Fill(Direction),
    /// Tell of the client's end while what it sent before it is still to be drained: Ok(0), or its error. It is
    /// told again in its place by [`Op::Fill`]. A client that sent more than is held at a time is not heard.
    Watch,
    /// Watch no more: a waiting [`Op::Watch`] is answered with ECANCELED. Itself not answered.
    Unwatch,
    /// Take no more bytes from the source: a waiting [`Op::Fill`] is answered with what it has or
    /// ECANCELED. Itself not answered.
    Stop(Direction),
    /// Write `len` of the bytes that [`Op::Fill`] took to the sink. Ok(bytes written), possibly fewer. With any error but
    /// ECANCELED all that was taken and not written is thrown away.
    Drain(Direction, u32),
    /// Tell the sink that no more bytes will come. Ok(0).
    Shutdown(Direction),
    /// Cancel what is in flight on a socket. Ok(0) once nothing is; the cancelled operations
    /// complete first, with what they did or ECANCELED.
    Abort(Side),
    /// Close the socket if it is open. Not answered.
    Close(Side, CloseHow),
}

const _: () = assert!(size_of::<Op>() <= 8);

/// What has completed; the answer to the [`Op`] of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// [`Op::Connect`].
    Connected,
    /// [`Op::Hold`].
    Held,
    /// [`Op::Fill`].
    Filled(Direction),
    /// [`Op::Watch`].
    Watched,
    /// [`Op::Drain`].
    Drained(Direction),
    /// [`Op::Shutdown`].
    ShutDown(Direction),
    /// [`Op::Abort`].
    Aborted(Side),
}

/// A POSIX error number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub u16);

impl Errno {
    /// Interrupted by a signal.
    pub const EINTR: Errno = Errno(4);
    /// No such descriptor.
    pub const EBADF: Errno = Errno(9);
    /// Of a listening socket: it listens no more.
    pub const EINVAL: Errno = Errno(22);
    /// A protocol error before the connection was accepted.
    pub const EPROTO: Errno = Errno(71);
    /// Not a socket.
    pub const ENOTSOCK: Errno = Errno(88);
    /// Not a stream socket.
    pub const EOPNOTSUPP: Errno = Errno(95);
    /// The peer went away before it was accepted.
    pub const ECONNABORTED: Errno = Errno(103);
    /// Operation cancelled.
    pub const ECANCELED: Errno = Errno(125);
    /// Peer reset the connection.
    pub const ECONNRESET: Errno = Errno(104);
    /// Nobody listens there.
    pub const ECONNREFUSED: Errno = Errno(111);
    /// The kernel gave up connecting.
    pub const ETIMEDOUT: Errno = Errno(110);
    /// The way there was lost for too long.
    pub const EHOSTUNREACH: Errno = Errno(113);
    /// So was that to its network.
    pub const ENETUNREACH: Errno = Errno(101);
    /// Written after the peer closed.
    pub const EPIPE: Errno = Errno(32);
    /// No descriptor left in this process.
    pub const EMFILE: Errno = Errno(24);
    /// No descriptor left in the system.
    pub const ENFILE: Errno = Errno(23);
    /// No local port left.
    pub const EADDRNOTAVAIL: Errno = Errno(99);
    /// No memory for socket or buffer.
    pub const ENOMEM: Errno = Errno(12);
    /// No buffer space.
    pub const ENOBUFS: Errno = Errno(105);
    /// Would block.
    pub const EAGAIN: Errno = Errno(11);
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", std::io::Error::from_raw_os_error(i32::from(self.0)))
    }
}

/// How an operation ended.
pub type Outcome = Result<u32, Errno>;

/// Where a session puts its operations.
pub trait Submit {
    /// Accepts one operation; its completion arrives later, never from inside this call.
    fn submit(&mut self, op: Op);
}

impl Submit for Vec<Op> {
    fn submit(&mut self, op: Op) {
        self.push(op);
    }
}
