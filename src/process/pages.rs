//! The listeners of stats pages on the control thread, those of the start and those that a reload brings.

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::control::{Served, Serving};
use super::limits::PAGE_CONNECTIONS;
use crate::admin::{self, Gate, Journal, Listener, Shared, Site};
use crate::config::model::{BindId, Config};
use crate::health::Remote;
use crate::log::SessionSink;
use crate::worker::mailbox::Crew;

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
        self.gates.borrow_mut().push(listener.gate(Some(bind)));
        let serving = admin::serve_page(listener, site, Arc::clone(&self.places));
        let served = Served { bind: Some(bind), task: tokio::task::spawn_local(serving) };
        self.serving.borrow_mut().push(served);
        Ok(())
    }
}
