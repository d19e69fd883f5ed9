//! Why a session ended: HAProxy's two letters as two enums (configuration manual, section 8.5).

/// First letter: who or what ended the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Cause {
    /// `-` both sides finished.
    #[default]
    Normal,
    /// `C` the client aborted.
    ClientAbort,
    /// `c` the client's timeout struck.
    ClientTimeout,
    /// `S` the server aborted or refused.
    ServerAbort,
    /// `s` the server's timeout struck (also connect and queue).
    ServerTimeout,
    /// `P` the proxy refused: a rule or limit.
    Proxy,
    /// `R` a resource of the proxy was exhausted.
    Resource,
    /// `I` an internal error.
    Internal,
    /// `D` the server went down (`on-marked-down`).
    Down,
    /// `U` a backup session ended because an active server came up.
    Up,
    /// `K` killed from the command line.
    Killed,
    /// `L` handled locally.
    Local,
}

/// Second letter: what the session was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Stage {
    /// `-` finished.
    #[default]
    Ended,
    /// `R` waiting for the request (content inspection).
    Request,
    /// `Q` in a queue.
    Queue,
    /// `C` connecting.
    Connect,
    /// `D` relaying data.
    Data,
    /// `L` still pushing the last bytes to a client after the server was done.
    Last,
    /// `T` tarpitted.
    Tarpit,
}

/// Why and when; `--` for a session that simply finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Termination {
    /// First letter.
    pub cause: Cause,
    /// Second letter.
    pub stage: Stage,
}

impl Cause {
    const ALL: [Cause; 12] = [
        Cause::Normal,
        Cause::ClientAbort,
        Cause::ClientTimeout,
        Cause::ServerAbort,
        Cause::ServerTimeout,
        Cause::Proxy,
        Cause::Resource,
        Cause::Internal,
        Cause::Down,
        Cause::Up,
        Cause::Killed,
        Cause::Local,
    ];
}

impl Stage {
    const ALL: [Stage; 7] =
        [Stage::Ended, Stage::Request, Stage::Queue, Stage::Connect, Stage::Data, Stage::Last, Stage::Tarpit];
}

impl Termination {
    /// The letters as logged by `%ts`.
    pub fn letters(self) -> [u8; 2] {
        let cause = match self.cause {
            Cause::Normal => b'-',
            Cause::ClientAbort => b'C',
            Cause::ClientTimeout => b'c',
            Cause::ServerAbort => b'S',
            Cause::ServerTimeout => b's',
            Cause::Proxy => b'P',
            Cause::Resource => b'R',
            Cause::Internal => b'I',
            Cause::Down => b'D',
            Cause::Up => b'U',
            Cause::Killed => b'K',
            Cause::Local => b'L',
        };
        let stage = match self.stage {
            Stage::Ended => b'-',
            Stage::Request => b'R',
            Stage::Queue => b'Q',
            Stage::Connect => b'C',
            Stage::Data => b'D',
            Stage::Last => b'L',
            Stage::Tarpit => b'T',
        };
        [cause, stage]
    }
    /// The termination of two letters; None: there is none of these.
    pub fn of_letters([cause, stage]: [u8; 2]) -> Option<Termination> {
        let all = Cause::ALL.iter().flat_map(|&cause| Stage::ALL.iter().map(move |&stage| (cause, stage)));
        let mut all = all.map(|(cause, stage)| Termination { cause, stage });
        all.find(|termination| termination.letters() == [cause, stage])
    }
}
