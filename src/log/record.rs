//! What a worker tells the log thread about one ended session: facts only, nothing formatted.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::model::{BindId, Config, ProxyId};
use crate::session::termination::Termination;

/// One ended session. Moved through a wait-free ring.
#[derive(Clone, Debug)]
pub struct SessionRecord {
    /// What the session was begun under: names and the form of the line come from here.
    pub config: Arc<Config>,
    /// The client; None for a Unix socket.
    pub client: Option<SocketAddr>,
    /// The address the client connected to.
    pub frontend_address: Option<SocketAddr>,
    /// Frontend that accepted it.
    pub frontend: ProxyId,
    /// Through this bind.
    pub bind: BindId,
    /// Backend it was sent to; the frontend itself when none was chosen.
    pub backend: ProxyId,
    /// The server's name; None: `<NOSRV>`.
    pub server: Option<Arc<str>>,
    /// Accept time, microseconds since the epoch.
    pub accepted_us: u64,
    /// Milliseconds in queues; -1: never got that far. `%Tw` shows one more, as HAProxy does in mode tcp.
    pub queue_ms: i32,
    /// `%Tc`: milliseconds until connected; -1: never was.
    pub connect_ms: i32,
    /// `%Tt`: milliseconds from accept to the end.
    pub total_ms: u64,
    /// `%B`: bytes from the server to the client.
    pub bytes_to_client: u64,
    /// `%U`: bytes from the client to the server.
    pub bytes_to_server: u64,
    /// `%ts`.
    pub termination: Termination,
    /// Logged at connection time (`option logasap`): times and bytes carry a `+`.
    pub early: bool,
    /// `%ac`: sessions of the process at the end, this one included.
    pub process_conns: u32,
    /// `%fc`: of the frontend.
    pub frontend_conns: u32,
    /// `%bc`: of the backend.
    pub backend_conns: u32,
    /// `%sc`: of the server.
    pub server_conns: u32,
    /// `%rc`: connection retries.
    pub retries: u16,
    /// The server was changed by a redispatch (`+` before `%rc`).
    pub redispatched: bool,
    /// `%sq`: how many were served from the server's queue before it, plus one; 0: it never waited there.
    pub server_queue: u32,
    /// `%bq`: the same of the backend's queue.
    pub backend_queue: u32,
    /// What only `mode http` knows; None for the sessions of workers.
    pub request: Option<Box<RequestRecord>>,
}

/// One HTTP request, in what its line has beyond a session's.
#[derive(Clone, Debug)]
pub struct RequestRecord {
    /// `%r`: method, target and version as they came; None: `<BADREQ>`.
    pub line: Option<String>,
    /// `%ST`: the answer's status.
    pub status: u16,
    /// When its first byte came, microseconds since the epoch.
    pub received_us: u64,
    /// `%TR`: milliseconds from there to the end of its headers; -1: they never ended.
    pub request_ms: i32,
    /// `%Tr`: milliseconds until the answer began; -1: no one answered.
    pub response_ms: i32,
    /// `%Ta`: milliseconds from its first byte to the end.
    pub active_ms: u64,
}
