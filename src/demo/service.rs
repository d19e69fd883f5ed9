//! One listening port of a stand-in: a thread for each connection, at most so many, and a clean end.

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::coordinator::lock;

const STACK_BYTES: usize = 256 << 10;
/// Before accepting again when the process had no descriptor or thread to spare.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);
/// How long stopping waits for connection threads, whose sockets are shut down already.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// What a port does with one connection; returning ends it.
pub(super) type Serve = Arc<dyn Fn(&TcpStream, SocketAddr) + Send + Sync>;

/// How many connections a port has and had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// Being served now.
    pub open: usize,
    /// Accepted since the start.
    pub accepted: u64,
}

/// Running until [`Service::stop`].
pub(super) struct Service {
    listener: Arc<TcpListener>,
    gate: Arc<Gate>,
    acceptor: Option<JoinHandle<()>>,
}

/// As an impalad's `--fe_service_threads`: who comes when all are taken stays in the backlog.
pub(super) struct Gate {
    state: Mutex<Open>,
    changed: Condvar,
    most: usize,
}

#[derive(Default)]
struct Open {
    stopping: bool,
    accepted: u64,
    streams: HashMap<u64, Arc<TcpStream>>,
}

impl Service {
    pub(super) fn start(
        name: &str,
        listener: TcpListener,
        gate: Arc<Gate>,
        serve: Serve,
    ) -> io::Result<Service> {
        let listener = Arc::new(listener);
        let (listening, entrance) = (Arc::clone(&listener), Arc::clone(&gate));
        let acceptor = thread::Builder::new()
            .name(name.to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || entrance.accept_until_stopped(&listening, &serve))?;
        Ok(Service { listener, gate, acceptor: Some(acceptor) })
    }

    /// Ends the port as the death of its process would: nobody listens, every connection is closed.
    pub(super) fn stop(&mut self) {
        lock(&self.gate.state).stopping = true;
        self.gate.changed.notify_all();
        // On Linux this makes a blocked accept return.
        let _ = rustix::net::shutdown(&*self.listener, rustix::net::Shutdown::Both);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        self.gate.close_all();
    }
}

impl Gate {
    pub(super) fn new(most: usize) -> Arc<Gate> {
        Arc::new(Gate { state: Mutex::default(), changed: Condvar::new(), most })
    }

    pub(super) fn connections(&self) -> Connections {
        let open = lock(&self.state);
        Connections { open: open.streams.len(), accepted: open.accepted }
    }

    fn accept_until_stopped(self: &Arc<Gate>, listener: &TcpListener, serve: &Serve) {
        while self.wait_for_room() {
            match listener.accept() {
                Ok((stream, peer)) => self.begin(stream, peer, serve),
                Err(_) => self.pause(),
            }
        }
    }

    /// False: stopping.
    fn wait_for_room(&self) -> bool {
        let full = |open: &mut Open| !open.stopping && open.streams.len() >= self.most;
        let open = self.changed.wait_while(lock(&self.state), full).unwrap_or_else(PoisonError::into_inner);
        !open.stopping
    }

    fn pause(&self) {
        let stopping = |open: &mut Open| !open.stopping;
        let _ = self.changed.wait_timeout_while(lock(&self.state), EXHAUSTED_PAUSE, stopping);
    }

    fn begin(self: &Arc<Gate>, stream: TcpStream, peer: SocketAddr, serve: &Serve) {
        let stream = Arc::new(stream);
        let number = {
            let mut open = lock(&self.state);
            if open.stopping {
                return;
            }
            open.accepted += 1;
            let number = open.accepted;
            open.streams.insert(number, Arc::clone(&stream));
            number
        };
        let (gate, serve) = (Arc::clone(self), Arc::clone(serve));
        let thread = thread::Builder::new().name(format!("standin {peer}")).stack_size(STACK_BYTES);
        let begun = thread.spawn(move || {
            serve(&stream, peer);
            drop(stream);
            gate.end(number);
        });
        if begun.is_err() {
            self.end(number);
            self.pause();
        }
    }

    fn end(&self, number: u64) {
        let closed = lock(&self.state).streams.remove(&number);
        drop(closed);
        self.changed.notify_all();
    }

    fn close_all(&self) {
        let mut open = lock(&self.state);
        for stream in open.streams.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        let deadline = Instant::now() + STOP_DEADLINE;
        while !open.streams.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            open = self.changed.wait_timeout(open, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
