//! How a backend spreads its sessions.

/// `balance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Balance {
    /// Smooth weighted round robin, weights may change at run time.
    #[default]
    RoundRobin,
    /// The static one.
    StaticRr,
    /// Fewest live sessions relative to weight.
    LeastConn,
    /// Fill the first server by id up to its maxconn, then the next.
    First,
    /// Hash of the client's address.
    Source,
    /// `hash <expr>`.
    Hash(HashInput),
    /// The best of N random draws, default 2.
    Random(u8),
}

/// The expressions that `balance hash` takes here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashInput {
    /// `src`.
    Src,
    /// `src_port`.
    SrcPort,
    /// `dst`.
    Dst,
    /// `dst_port`.
    DstPort,
}

/// `hash-type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HashType {
    /// `consistent` against `map-based`.
    pub consistent: bool,
    /// The hash function; None: HAProxy's default for the algorithm (see `balance::hash`).
    pub function: Option<HashFunction>,
    /// `avalanche`.
    pub avalanche: bool,
}

/// HAProxy's hash functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashFunction {
    /// `sdbm`
    Sdbm,
    /// `djb2`
    Djb2,
    /// `wt6`
    Wt6,
    /// `crc32`
    Crc32,
    /// `none`: the key itself.
    None,
}
