//! The listeners of proxies on the control thread, those of the start and those that a reload brings: stats pages,
//! and pairs of sockets, whose connections go to the workers.

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::Semaphore;

use super::control::{Served, Serving};
use super::limits::PAGE_CONNECTIONS;
use crate::admin::{self, Gate, Journal, Listener, Shared, Site, Stream};
use crate::config::model::{BindId, Config, Mode};
use crate::health::Remote;
use crate::log::SessionSink;
use crate::worker::mailbox::{Command, Crew};

/// What every page is served with. Cheap to clone.
#[derive(Clone)]
pub struct Pages {
    shared: Shared,
    journal: Journal,
    health: Remote,
    crew: Crew,
    serving: Serving,
    gates: Rc<RefCell<Vec<Gate>>>,
    /// Clients of all pages together.
    places: Arc<Semaphore>,
}

impl Pages {
    /// Whoever is served joins `serving` and `gates`; requests are logged to `sink`.
    pub fn new(
        (shared, health, crew): (Shared, Remote, Crew),
        sink: SessionSink,
        serving: Serving,
        gates: Rc<RefCell<Vec<Gate>>>,
    ) -> Pages {
        let journal = Rc::new(RefCell::new(sink));
        let places = Arc::new(Semaphore::new(PAGE_CONNECTIONS as usize));
        Pages { shared, journal, health, crew, serving, gates, places }
    }

    /// Serves one address.
    ///
    /// # Errors
    /// What watching the socket says.
    pub fn serve(&self, config: &Config, bind: BindId, socket: OwnedFd) -> io::Result<()> {
        let site = Site {
            shared: Rc::clone(&self.shared),
            journal: Rc::clone(&self.journal),
            health: self.health.clone(),
            crew: self.crew.clone(),
            proxy: config.binds[usize::from(bind.0)].proxy,
            bind,
        };
        let mut listener = Listener::new(socket)?;
        let inherited = config.binds[usize::from(bind.0)].address.inherited().is_some();
        self.gates.borrow_mut().push(listener.gate(Some(bind), inherited));
        let places = Arc::clone(&self.places);
        let task = match config.proxies[usize::from(site.proxy.0)].mode {
            Mode::Http => tokio::task::spawn_local(admin::serve_page(listener, site, places)),
            Mode::Tcp => tokio::task::spawn_local(pass_on(listener, bind, site.shared, site.crew)),
        };
        let served = Served { bind: Some(bind), task };
        self.serving.borrow_mut().push(served);
        Ok(())
    }
}

/// Gives each connection to the worker that has the fewest, one after the other.
async fn pass_on(listener: Listener, bind: BindId, shared: Shared, crew: Crew) {
    let one_by_one = Arc::new(Semaphore::new(1));
    let pass = |stream: Stream| {
        let live = |worker: &usize| shared.borrow().load.worker_live(*worker).load(Relaxed);
        let worker = (0..crew.count()).min_by_key(live).unwrap_or(0);
        let crew = crew.clone();
        async move {
            match stream.into_socket() {
                Ok(socket) => drop(crew.order(worker, Command::Take(bind, Some(socket))).await),
                Err(error) => tracing::debug!(%error, "a connection that was passed"),
            }
        }
    };
    listener.serve(one_by_one, pass).await;
}
