//! Deciding by what is known of a session: ACLs and the conditions built from them.
//!
//! Pure: [`Facts`] carries everything a fetch may read. A fetch of layer 7 parses the bytes already
//! received, as HAProxy does in mode tcp, and does not match when they are no HTTP request
//! (configuration manual, section 7).

use std::net::SocketAddr;

mod fetch;
mod pattern;

pub use fetch::Fetch;
pub use pattern::{Matching, Pattern};

/// What a condition may look at.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The client's address; None for a Unix-socket client.
    pub src: Option<SocketAddr>,
    /// The address the client connected to.
    pub dst: Option<SocketAddr>,
    /// The client's bytes received so far.
    pub bytes: &'a [u8],
}

/// One `acl` line: `acl NAME fetch [-i] [-m method] [--] values`.
#[derive(Clone, Debug)]
pub struct Acl {
    /// Several lines may share a name: the name matches when one of them does.
    pub name: String,
    /// What is looked at.
    pub fetch: Fetch,
    /// Values, any of which may match.
    pub patterns: Vec<Pattern>,
}

/// `if …` or `unless …`: terms joined by AND, groups joined by OR.
#[derive(Clone, Debug)]
pub struct Condition {
    /// `unless`.
    pub unless: bool,
    /// OR of ANDs.
    pub any_of: Vec<Vec<Term>>,
}

/// One possibly negated ACL of a condition.
#[derive(Clone, Debug)]
pub struct Term {
    /// `!`.
    pub negated: bool,
    /// The ACLs of that name (or the one anonymous ACL): any of them matching makes the term true.
    pub acls: Vec<Acl>,
}
