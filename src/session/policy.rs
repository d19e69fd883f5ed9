//! What the configuration asks of a session, reduced to what the state machine needs.

use crate::config::model::Timeouts;

/// The rules one session lives by: its frontend's, and once chosen its backend's. Interned by the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Policy {
    /// Look at the client's first bytes before a backend or server is chosen.
    pub hold: Hold,
    /// Connection attempts after the first (`retries`).
    pub retries: u16,
    /// `option redispatch [N]`: see [`crate::config::model::Proxy::redispatch_every`].
    pub redispatch_every: i16,
    /// Any server will do: with another active one a redispatch need not wait for the last retry.
    pub redispatch_at_once: bool,
    /// `option abortonclose`: a client that closes while a server is connected to ends the session.
    pub abort_on_close: bool,
    /// `option nolinger` of the frontend and of the backend: close with a reset.
    pub nolinger: [bool; 2],
    /// `timeout …`: client and client-fin of the frontend, the others of the backend.
    pub timeouts: Timeouts,
}

impl Policy {
    /// The shortest timeout that can apply to an established session; None: none does.
    pub fn shortest_idle_ms(&self) -> Option<u32> {
        let t = &self.timeouts;
        let all = [t.client_ms, t.server_ms, t.tunnel_ms, t.client_fin_ms, t.server_fin_ms];
        all.into_iter().flatten().min()
    }
}

/// Whether a session waits for the client before it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Hold {
    /// No: connect at once.
    #[default]
    No,
    /// Content rules see what has arrived by the first look.
    Glance,
    /// `option connect-on-data`: nothing happens before the first byte.
    FirstByte,
}

impl Hold {
    /// Bytes to wait for; 0: one look.
    pub(super) fn wanted(self) -> u16 {
        u16::from(self == Hold::FirstByte)
    }
}
