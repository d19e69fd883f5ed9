//! `reload`: the running process reads its configuration again and follows it.
//!
//! ```text
//! read, parse, align, bind, open (a thread of its own) -> health thread publishes -> workers follow
//!   -> sockets come -> sockets go -> statistics
//! ```
//! Whatever can fail comes first, and then nothing has changed.

mod prepare;
mod settled;
mod steering;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;

use super::control::{Served, Serving};
use super::inherited;
use super::limits::Budget;
use super::pages::Pages;
use super::report::{self, Severity};
use crate::admin::{Gate, Shared, handover};
use crate::config::model::{BindId, Config};
use crate::health::{Order, Remote};
use crate::stats::Standing;
use crate::worker::mailbox::{Command, Crew, Leave};

pub use prepare::Origin;
use prepare::{Prepared, prepare};

/// How often a configuration that others change meanwhile is read again.
const ATTEMPTS: usize = 5;

/// All that a reload acts on.
pub struct Reloader {
    /// The statistics, which follow at the end.
    pub shared: Shared,
    /// The workers.
    pub crew: Crew,
    /// The health thread, which publishes.
    pub health: Remote,
    /// Serves the stats pages of new addresses.
    pub pages: Pages,
    /// Copies of all listening sockets.
    pub holdings: handover::Shared,
    /// The control thread's own listeners.
    pub serving: Serving,
    /// To pause them.
    pub gates: Rc<RefCell<Vec<Gate>>>,
    /// None: the configuration came from no file.
    pub origin: Option<Arc<Origin>>,
    /// What the process may open.
    pub budget: Budget,
}

impl Reloader {
    /// Follows one request after the other, until the task is aborted.
    pub async fn serve(self, mut asked: UnboundedReceiver<oneshot::Sender<String>>) {
        while let Some(reply) = asked.recv().await {
            let answer = self.reload().await;
            let (success, said) = match &answer {
                Ok(said) => (1, said),
                Err(said) => (0, said),
            };
            tracing::info!(success, "reload");
            // Whoever asked may have gone; what was done is done.
            let _ = reply.send(format!("Success={success}\n--\n{said}"));
        }
    }

    async fn reload(&self) -> Result<String, String> {
        let Some(origin) = &self.origin else {
            return Err(alert("the configuration of this process came from no file."));
        };
        for _ in 0..ATTEMPTS {
            let base = Arc::clone(&self.shared.borrow().table.load().config);
            let (origin, budget, workers) = (Arc::clone(origin), self.budget, self.crew.count());
            let prepared = tokio::task::spawn_blocking(move || prepare(&origin, base, budget, workers));
            let broken =
                |_| alert("reading the configuration failed: this is an error in Pronk, please report it.");
            let prepared = prepared.await.map_err(broken)??;
            if self.shared.borrow().stopping {
                return Err(alert("the process is stopping and takes no new configuration."));
            }
            if let Some(said) = self.follow(prepared).await {
                return Ok(said);
            }
        }
        Err(alert("the configuration is being changed by others all the time, please try again."))
    }

    /// None: another change came first.
    async fn follow(&self, prepared: Prepared) -> Option<String> {
        let Prepared { base, next, sockets, gone, logs, mut said } = prepared;
        let order = Order::Reload { base: Arc::clone(&base), next: Arc::clone(&next), logs };
        self.health.order(order).await.ok()?;
        // From here on everybody knows it; nothing below can make it fail.
        self.shared.borrow_mut().follow_table();
        let shared = self.holdings.borrow().may_be_shared();
        for (worker, sockets) in sockets.workers.into_iter().enumerate() {
            self.crew.order(worker, Command::Listen(sockets)).await;
        }
        // A soft stop that has begun meanwhile has closed all there were: what is new is closed too.
        if !self.shared.borrow().stopping {
            self.reopen(&next, &sockets.held);
            self.holdings.borrow_mut().add(sockets.held);
            self.holdings.borrow_mut().inherited.extend(sockets.inherited);
            self.serve_pages(&next, sockets.pages);
            for error in inherited::follow(&base, &next) {
                let text = format!("{error} It is served on with the options that it has.");
                said.push_str(&report::line(Severity::Warning, &text));
            }
        }
        steering::steer_away(&next, &gone, &self.holdings.borrow().held);
        self.stop_listening(&gone, shared).await;
        let mut sources = self.shared.borrow_mut();
        sources.limits.maxconn = next.global.maxconn.unwrap_or(sources.limits.maxconn);
        Some(said)
    }

    /// A frontend that was shut down accepts again where the file gives it another address.
    fn reopen(&self, config: &Config, opened: &[handover::Held]) {
        let standings = &mut self.shared.borrow_mut().standings;
        for bind in opened.iter().filter_map(|held| held.bind) {
            let proxy = config.binds[usize::from(bind.0)].proxy;
            if standings.of(proxy) == Standing::Stopped {
                standings.set(proxy, Standing::Open);
            }
        }
    }

    fn serve_pages(&self, config: &Config, pages: Vec<(BindId, std::os::fd::OwnedFd)>) {
        for (bind, socket) in pages {
            if let Err(error) = self.pages.serve(config, bind, socket) {
                report::event(Severity::Alert, &format!("cannot serve a stats page: {error}"));
            }
        }
    }

    /// The copies go first: the workers' are then the last ones, and what is queued there is served.
    async fn stop_listening(&self, gone: &[BindId], shared: bool) {
        if gone.is_empty() {
            return;
        }
        self.holdings.borrow_mut().held.retain(|held| held.bind.is_none_or(|bind| !gone.contains(&bind)));
        self.gates.borrow_mut().retain(|gate| gate.bind.is_none_or(|bind| !gone.contains(&bind)));
        let is_gone = |served: &Served| served.bind.is_some_and(|bind| gone.contains(&bind));
        self.serving.borrow_mut().retain(|served| {
            if is_gone(served) {
                served.task.abort();
            }
            !is_gone(served)
        });
        for worker in 0..self.crew.count() {
            let leave = Leave { binds: gone.to_vec(), shared };
            self.crew.order(worker, Command::Unlisten(leave)).await;
        }
    }
}

fn alert(text: &str) -> String {
    report::line(Severity::Alert, text)
}
