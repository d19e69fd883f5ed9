//! How people and tools look into the running process: stats sockets and the stats page.
//!
//! Everything here runs as tasks of the control thread. Each connection is a task of its own with
//! deadlines for reading and writing, so that a slow or hostile client waits alone.

mod answer;
mod command;
mod console;
pub mod dialogue;
mod filter;
mod frontends;
pub mod handover;
mod herald;
mod listener;
pub mod page;
pub mod reload;
mod sockets;
pub mod upgrade;

#[cfg(test)]
pub mod fixture;

use std::cell::RefCell;
use std::rc::Rc;

use crate::health;
use crate::stats::Sources;
use crate::worker::mailbox::Crew;

pub use command::{commands, end_of_all};
pub use frontends::{pause_all, resume_all};
pub use herald::Herald;
pub use listener::{Gate, Listener, Stream};
pub use page::{Journal, Site, serve as serve_page};
pub use sockets::{Rights, serve as serve_stats_socket, serve_connection};

/// The statistics, shared by the tasks of the control thread.
pub type Shared = Rc<RefCell<Sources>>;

/// What the commands of the stats sockets act on.
#[derive(Clone, Debug)]
pub struct Powers {
    /// The statistics.
    pub shared: Shared,
    /// Servers' states, which the health thread alone changes.
    pub health: health::Remote,
    /// The sessions, which the workers have.
    pub crew: Crew,
    /// The configuration, which the control thread reads again.
    pub reload: reload::Reload,
    /// Every listening socket.
    pub holdings: handover::Shared,
    /// The listeners of the control thread itself.
    pub gates: Rc<RefCell<Vec<Gate>>>,
    /// Tells the logs and standard error.
    pub herald: Herald,
    /// What was said while the process started.
    pub startup_logs: Rc<str>,
}
