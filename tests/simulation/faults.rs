//! The faults that the simulated world can invent, by name. For each seed every fault is switched on or
//! off and given a rate, so that some seeds are quiet, some are stormy, and rare combinations meet.

use fastrand::Rng;

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Fault {
    /// A Fill brings one byte.
    OneByteFill,
    /// A Fill brings a whole buffer.
    FullFill,
    /// A Drain writes one byte.
    OneByteDrain,
    /// A Drain writes about half.
    HalfDrain,
    /// Nobody listens on the server's port.
    ConnectRefused,
    /// The server's host does not answer.
    ConnectSilent,
    /// The server resets in the handshake.
    ConnectReset,
    /// No descriptor is left for the server's socket.
    NoDescriptor,
    /// The client has reset before it is accepted.
    ClientGone,
    /// The client resets while it sends.
    ClientReset,
    /// The server resets while it sends.
    ServerReset,
    /// The client says nothing at all.
    ClientMute,
    /// The server says nothing at all.
    ServerMute,
    /// The client falls silent half-way.
    ClientStops,
    /// The server falls silent half-way.
    ServerStops,
    /// The client closes its direction before it has sent a byte.
    ClientFinFirst,
    /// The server closes its direction before it has sent a byte.
    ServerFinFirst,
    /// The client does not read.
    ClientStalls,
    /// The server does not read.
    ServerStalls,
    /// Writing to the client fails with a reset.
    ClientDrainReset,
    /// Writing to the server fails with a broken pipe.
    ServerDrainPipe,
    /// Shutting down a sink that is gone already fails.
    ShutdownFails,
    /// An operation completes although it was cancelled.
    CancelTooLate,
    /// Completions are held back while others overtake them.
    Reordered,
    /// A server goes down while sessions use it or wait for it.
    ServerDown,
    /// A server has room for one session only.
    ServerFull,
    /// The operator kills a session.
    Killed,
    /// A timer looks at a session whose deadline has not come.
    EarlyTimer,
    /// The answer comes only after the request's end (a half close).
    AnswerAfterFin,
    /// A session is handed over to another owner.
    Moved,
    /// The other owner does not take it.
    MoveRefused,
}

/// How many kinds there are.
pub const KINDS: usize = Fault::MoveRefused as usize + 1;

/// The rates of one seed, in thousandths.
#[derive(Clone, Debug)]
pub struct Faults([u32; KINDS]);

impl Faults {
    /// Draws them.
    pub fn draw(rng: &mut Rng) -> Faults {
        let mut rates = [0; KINDS];
        for rate in &mut rates {
            if rng.u32(..100) < 35 {
                *rate = rng.u32(1..250);
            }
        }
        Faults(rates)
    }

    /// Whether this fault strikes now.
    pub fn strikes(&self, fault: Fault, rng: &mut Rng) -> bool {
        let rate = self.0[fault as usize];
        rate > 0 && rng.u32(..1000) < rate
    }
}
