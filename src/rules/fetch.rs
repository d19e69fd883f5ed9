//! Sample fetches: what an ACL looks at.

/// A fetch (configuration manual, section 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetch {
    /// `src`: the client's address.
    Src,
    /// `dst`: the address it connected to.
    Dst,
    /// `dst_port`.
    DstPort,
    /// `path`: the request's path, without the query string.
    Path,
}
