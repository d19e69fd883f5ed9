//! The health-check thread: the only writer of the backend table.
//!
//! ```text
//! schedule (pure) ─ due ─> probe (a socket) ─ outcome ─> verdict (pure) ─> table, then the log line
//! ```
//! One thread checks every server. Nothing is opened longer than a check lasts, and a check that
//! succeeded is reset before its handshake ends, so that an impalad never accepts it.

mod announce;
mod engine;
mod lines;
mod order;
mod outcome;
mod probe;
mod restore;
mod schedule;
mod tally;
mod target;
mod verdict;

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use tokio::sync::oneshot;

use crate::load::Load;
use crate::log::LogHandle;
use crate::process::error::StartError;
use crate::process::runtime;
use crate::table::TablePublisher;

pub use order::{Asked, Asker, Forced, Order, Port, Remote, Reply, ServerChange, Service, Weight, channel};

pub use restore::{Remembered, restore};

use announce::Announcer;
use engine::Engine;

/// Says a line on standard error while the process is in the foreground.
pub struct Console {
    /// As `[WARNING]`.
    pub warning: Box<dyn Fn(&str) + Send>,
    /// As `[ALERT]`.
    pub alert: Box<dyn Fn(&str) + Send>,
}

/// The running thread.
#[derive(Debug)]
pub struct HealthThread {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
    remote: Remote,
}

impl HealthThread {
    /// Gives orders to it.
    pub fn remote(&self) -> Remote {
        self.remote.clone()
    }

    /// Whether the thread is gone although nobody stopped it: it panicked.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends the thread at once: checks under way are given up, the table stays as it is.
    pub fn stop(self) {
        // It fails when the thread is gone already.
        let _ = self.stop.send(());
        // A panic of the thread was printed by the panic hook; there is nothing to add.
        let _ = self.thread.join();
    }
}

/// Starts the thread. `clock` is the process clock's zero. Returns when its runtime runs.
pub fn start(
    publisher: TablePublisher,
    log: LogHandle,
    load: Arc<Load>,
    clock: Instant,
    console: Console,
) -> Result<HealthThread, StartError> {
    let (stop, stopped) = oneshot::channel();
    let (remote, orders) = channel();
    let (ready, outcome) = sync_channel(1);
    let announcer = Announcer { config: Arc::clone(&publisher.snapshot().config), log, console };
    let body = move || {
        let running = ready.clone();
        let checks = async move {
            // The receiver waits below until this line.
            let _ = running.send(Ok(()));
            Engine::new(publisher, announcer, load, clock).run(orders, stopped).await;
        };
        if let Err(refused) = runtime::run("health", checks) {
            let _ = ready.send(Err(refused));
        }
    };
    let failed = |error| StartError::new("cannot start the health thread").with_errno(error);
    let thread = thread::Builder::new().name("health".to_owned()).spawn(body).map_err(failed)?;
    match outcome.recv() {
        Ok(Ok(())) => Ok(HealthThread { stop, thread, remote }),
        Ok(Err(refused)) => Err(refused),
        Err(_) => Err(StartError::new("the health thread ended before it began")),
    }
}
