//! The io_uring of one worker: operations in, completions out, and nothing else knows that it exists.
//!
//! Small exchanges are received by a multishot request into buffers that the kernel picks (`buffers`)
//! and sent plainly (`copy`); bulk moves by splice(2) on readiness (`bulk`). The session sees one
//! Fill/Drain pair in both. Two ledgers: the session counts its operations, `lines` the kernel requests
//! per socket, since a multishot receive stays armed through many operations.
//!
//! Invariant: a socket is closed only when the kernel holds no request on it.
#![allow(unsafe_code)]

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use io_uring::types::Fd;
use io_uring::{IoUring, opcode, squeue};

use crate::session::op::{Completion, Direction, Errno, Outcome, ServerId, Side};
use crate::sys::socket::{Route, open_to};

mod answers;
mod buffers;
mod bulk;
pub mod cargo;
mod copy;
mod ending;
mod gather;
mod lines;
mod listen;
mod ops;
mod pipes;
mod spin;
#[cfg(test)]
mod tests;
mod token;
mod zero_copy;

use buffers::Buffers;
use bulk::Step;
use gather::Gather;
use lines::Lines;
pub use ops::Ops;
use pipes::Pipes;
use spin::Spin;
pub use spin::Spinning;
use token::{Kind, Token};
use zero_copy::ZeroCopy;

/// Submission queue entries: more operations than that in one batch cost a second system call.
const SQ_ENTRIES: u32 = 1024;
/// Completion queue entries.
const CQ_ENTRIES: u32 = 16_384;
/// Completions taken from the queue at a time.
const BATCH: usize = 256;
/// Connects between two submissions; each needs its address to stay in place until then.
const ADDRESSES: usize = 256;

/// Sizes of a ring.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Bytes of one receive buffer (`tune.bufsize`).
    pub buffer_size: usize,
    /// The most receive buffers; a power of two up to 32768.
    pub buffers: u16,
    /// Bytes of one pipe (`tune.pipesize`).
    pub pipe_size: usize,
    /// The most pipes; 0: bytes are only copied.
    pub pipes: usize,
    /// Whether to look for answers before sleeping (`tune.busy-spin`).
    pub spin: Spinning,
    /// Receive buffers in pages of 2 MiB (`tune.huge-pages`).
    pub huge_pages: bool,
}

/// Bytes that the ring keeps for each session beside what the kernel does.
pub const BYTES_PER_SESSION: usize = size_of::<Lines>();

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A listener accepted a connection, or could not; it does not go on by itself.
    Accepted {
        /// The number it was registered under.
        listener: u32,
        /// The client's socket.
        result: Result<OwnedFd, Errno>,
    },
    /// Another worker handed a connection over.
    HandedOver {
        /// The listener that accepted it there; the same number here.
        listener: u32,
        /// The client's socket.
        socket: OwnedFd,
    },
    /// An operation of a session was answered.
    Completed {
        /// The session's slot.
        slot: u32,
        /// Which.
        completion: Completion,
        /// How.
        outcome: Outcome,
    },
    /// The mailbox has something.
    Mail,
    /// Another worker freed a slot that somebody here waits for.
    Woken,
    /// A hand-over could not be delivered: the connection is still ours.
    Returned {
        /// The worker that was to have it.
        worker: usize,
        /// The listener that accepted it.
        listener: u32,
        /// The client's socket.
        socket: OwnedFd,
    },
}

/// A completion that no request to the ring brings: served from what is queued, or done at once.
#[derive(Clone, Copy, Debug)]
struct Ready {
    slot: u32,
    completion: Completion,
    outcome: Outcome,
}

/// How many bytes moved, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moved {
    /// Bytes written to either side.
    pub bytes: u64,
    /// Of these, by splice.
    pub spliced: u64,
    /// Zero-copy sends whose memory came back.
    pub zero_copy: u64,
    /// Of these, those that the kernel copied after all.
    pub copied_after_all: u64,
}

/// The ring.
pub struct Ring {
    uring: IoUring,
    buffers: Buffers,
    pipes: Pipes,
    lines: Vec<Lines>,
    ready: VecDeque<Ready>,
    ready_budget: usize,
    /// Splices whose turn comes, behind all others.
    bulk: VecDeque<Step>,
    /// How many of these have moved bytes in this turn.
    steps: usize,
    /// Messages and connections that this turn has brought.
    messages: usize,
    batch: Vec<(u64, i32, u32)>,
    batch_at: usize,
    starved: VecDeque<(u32, Direction)>,
    /// (slot, generation) of those who looked once: the slot may be another session's when its turn comes.
    glances: VecDeque<(u32, u16)>,
    looking: usize,
    addresses: Vec<socket2::SockAddr>,
    /// Hand-overs that are not answered yet.
    handing_over: usize,
    /// The eventfd that is watched; -1: none yet.
    mail: RawFd,
    moved: Moved,
    gather: Gather,
    spin: Spin,
    zero_copy: ZeroCopy,
}

impl Ring {
    /// Sets up a ring for the calling thread, the only one that may use it.
    ///
    /// # Errors
    /// ENOSYS or EPERM where io_uring is missing or forbidden, ENOMEM under a low RLIMIT_MEMLOCK,
    /// EINVAL on a kernel older than 6.1.
    pub fn new(settings: &Settings) -> io::Result<Ring> {
        let uring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_cqsize(CQ_ENTRIES)
            .build(SQ_ENTRIES)?;
        let gather = Gather::new(uring.params().is_feature_min_timeout(), settings.spin);
        let buffers = Buffers::register(&uring, settings.buffers, settings.buffer_size, settings.huge_pages)?;
        Ok(Ring {
            uring,
            buffers,
            pipes: Pipes::new(settings.pipes, settings.pipe_size),
            lines: Vec::new(),
            ready: VecDeque::with_capacity(1024),
            ready_budget: 0,
            bulk: VecDeque::with_capacity(1024),
            steps: 0,
            messages: 0,
            batch: Vec::with_capacity(BATCH),
            batch_at: 0,
            starved: VecDeque::with_capacity(1024),
            glances: VecDeque::with_capacity(1024),
            looking: 0,
            addresses: Vec::with_capacity(ADDRESSES),
            handing_over: 0,
            mail: -1,
            moved: Moved::default(),
            gather,
            spin: Spin::new(settings.spin),
            zero_copy: ZeroCopy::OFF,
        })
    }

    /// The ring's descriptor, which other workers send messages to.
    pub fn descriptor(&self) -> RawFd {
        self.uring.as_raw_fd()
    }

    /// Bytes moved since the last call.
    pub fn take_moved(&mut self) -> Moved {
        std::mem::take(&mut self.moved)
    }

    /// Behind the events of a turn: closes pipes that nobody has needed for a while, and decides how to wait.
    /// `now` is when the turn began, on a clock that only goes on.
    pub fn end_turn(&mut self, now: Duration) {
        self.pipes.look(now.as_millis() as u64);
        self.gather.end_turn(self.moved.bytes, now);
        self.spin.end_turn(self.moved.bytes, now, self.gather.collects());
    }

    /// When to call [`Ring::end_turn`] next, milliseconds; None: there is nothing to close.
    pub fn pipes_due(&self) -> Option<u64> {
        self.pipes.look_at()
    }

    /// Closes idle pipes, since descriptors have run out; false: there is none.
    pub fn release_pipes(&mut self) -> bool {
        self.pipes.release()
    }

    /// (in use, idle) pipes.
    pub fn pipe_counts(&self) -> (usize, usize) {
        self.pipes.counts()
    }

    /// Makes `slot` the place of a new session with this client. The slot must not be open.
    pub fn open(&mut self, slot: u32, client: OwnedFd) {
        self.prepare(slot);
        self.lines[slot as usize].put(Side::Client, client);
    }

    fn prepare(&mut self, slot: u32) {
        let needed = slot as usize + 1;
        if needed > self.lines.len() {
            self.lines.resize_with(needed, Lines::new);
            // Every session may have four answers ready, two splices to make, and be starved both ways: nothing grows later.
            self.ready.reserve((4 * needed).saturating_sub(self.ready.len()));
            self.bulk.reserve((2 * needed).saturating_sub(self.bulk.len()));
            self.starved.reserve((2 * needed).saturating_sub(self.starved.len()));
            self.glances.reserve(needed.saturating_sub(self.glances.len()));
        }
        let lines = &mut self.lines[slot as usize];
        debug_assert!(!lines.is_open(), "slot {slot} is in use");
        lines.generation = lines.generation.wrapping_add(1);
    }

    /// Counts the sessions that the slot has had; wraps.
    pub fn generation(&self, slot: u32) -> u16 {
        self.lines[slot as usize].generation
    }

    /// Descriptor of a session's socket; None: it is not open.
    pub fn socket(&self, slot: u32, side: Side) -> Option<RawFd> {
        self.lines[slot as usize].socket(side).map(|fd| fd.as_raw_fd())
    }

    /// Where a session puts its operations; `route` tells how a server is reached.
    pub fn ops<'a, R>(&'a mut self, slot: u32, route: R) -> Ops<'a, R>
    where
        R: FnMut(ServerId) -> io::Result<Route>,
    {
        Ops::new(self, slot, route)
    }

    /// The client's bytes that [`Op::Hold`](crate::session::op::Op::Hold) waited for.
    pub fn held(&self, slot: u32) -> &[u8] {
        self.buffers.head(&self.lines[slot as usize].line(Direction::ToServer).queue)
    }

    /// Submits everything and waits: not at all when answers are ready, for `timeout` at most otherwise.
    ///
    /// # Errors
    /// What io_uring_enter says, other than the timeout and interruptions.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        if !self.starved.is_empty() {
            self.feed_starved();
        }
        let hungry = !self.starved.is_empty() && self.buffers.free() > 0;
        let result = match timeout {
            Some(Duration::ZERO) => self.enter(),
            _ if !hungry && !self.has_answers() => self.submit_and_wait(timeout),
            _ => self.enter(),
        };
        self.forget_addresses();
        match result {
            Err(e)
                if matches!(
                    e.raw_os_error(),
                    Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN)
                ) =>
            {
                Ok(())
            }
            other => other,
        }?;
        self.begin_turn();
        Ok(())
    }

    /// Submits and runs the deferred work without waiting: the crate's own submit asks for no events.
    fn enter(&mut self) -> io::Result<()> {
        let waiting = self.uring.submission().len() as u32;
        const EVENTS: u32 = 1;
        // SAFETY: no argument structure is passed, so none has to stay valid.
        unsafe { self.uring.submitter().enter::<libc::sigset_t>(waiting, 0, EVENTS, None) }.map(drop)
    }

    fn push(&mut self, entry: squeue::Entry) {
        loop {
            // SAFETY: every pointer in an entry names memory that outlives the request: receive buffers and
            // pipes are never unmapped, a buffer being sent is recycled only when the send is answered, and
            // connect addresses stay in `addresses` until the entry was submitted.
            if unsafe { self.uring.submission().push(&entry) }.is_ok() {
                return;
            }
            // Full: hand over what is there. EBUSY means that completions overflow; they are kept by the
            // kernel, and the entries go out with the next attempt.
            match self.enter() {
                Ok(()) => {}
                Err(_) => self.collect_more(),
            }
        }
    }

    /// Connect addresses are needed until their entries are the kernel's, which an enter may not achieve.
    fn forget_addresses(&mut self) {
        if self.uring.submission().is_empty() {
            self.addresses.clear();
        }
    }

    /// Pushes a request on a session's socket and counts it.
    fn push_on(&mut self, slot: u32, side: Side, entry: squeue::Entry, token: Token) {
        self.lines[slot as usize].pending[side.index()] += 1;
        self.push(entry.user_data(token.pack()));
    }

    fn fd(&self, slot: u32, side: Side) -> Option<Fd> {
        self.socket(slot, side).map(Fd)
    }

    /// Cancels one request; what it has done until then is its answer.
    fn cancel(&mut self, token: Token) {
        let entry = opcode::AsyncCancel::new(token.pack()).build();
        self.push(entry.user_data(Token::plain(Kind::Cancel, token.slot).pack()));
    }

    fn answer(&mut self, slot: u32, completion: Completion, outcome: Outcome) {
        self.ready.push_back(Ready { slot, completion, outcome });
    }

    fn connect(&mut self, slot: u32, route: io::Result<Route>) {
        let opened = route.and_then(|route| Ok((self.open_to(&route)?, route.address)));
        let (socket, address) = match opened {
            Ok(opened) => opened,
            Err(e) => return self.answer(slot, Completion::Connected, Err(errno_of(&e))),
        };
        if self.addresses.len() == ADDRESSES {
            // Their entries must be gone before the addresses are.
            while !self.uring.submission().is_empty() {
                if self.enter().is_err() {
                    self.collect_more();
                }
            }
            self.addresses.clear();
        }
        let fd = Fd(socket.as_raw_fd());
        self.lines[slot as usize].put(Side::Server, socket);
        self.addresses.push(address);
        let address = self.addresses.last().expect("pushed above");
        let entry = opcode::Connect::new(fd, address.as_ptr().cast(), address.len()).build();
        let generation = self.lines[slot as usize].generation;
        self.push_on(slot, Side::Server, entry, Token::of_slot(Kind::Connect, generation, slot));
    }

    /// A socket for a server. Idle pipes make room for it when no descriptor is left.
    fn open_to(&mut self, route: &Route) -> io::Result<OwnedFd> {
        match open_to(route) {
            Err(e) if matches!(errno_of(&e), Errno::EMFILE | Errno::ENFILE) && self.pipes.release() => {
                open_to(route)
            }
            opened => opened,
        }
    }
}

/// The kernel's result as an outcome. A request that is cancelled while one of the kernel's own threads works
/// on it is interrupted, and has done nothing.
fn outcome(result: i32) -> Outcome {
    u32::try_from(result).map_err(|_| match -result {
        libc::EINTR => Errno::ECANCELED,
        errno => Errno(errno.unsigned_abs() as u16),
    })
}

/// The error number of a failed system call; a refusal of our own counts as an invalid argument.
fn errno_of(error: &io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(libc::EINVAL) as u16)
}
