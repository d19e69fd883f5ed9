//! Another configuration while the worker runs: new limits and policies, sockets that come and sockets that go,
//! and those that pause.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use crate::config::model::{BindId, Config, ProxyId};
use crate::session::op::Errno;
use crate::sys::socket::{accept_queued, listen_again, refuse_newcomers, stop_hearing};

use super::Worker;
use super::mailbox::{Leave, Resume};

/// A socket whose bind is gone is open for this long, milliseconds, for handshakes that have begun. Shorter than
/// the second after which a client that was not heard asks again: it is then refused, as it should be.
const LINGER_MS: u64 = 500;

impl Worker {
    /// New sessions live by the configuration of the snapshot from now on.
    #[cold]
    pub(super) fn follow(&mut self, former: &Config) {
        let config = Arc::clone(&self.snapshot.config);
        self.policies.follow(&config);
        self.listeners.follow(&config);
        if let Some(maxconn) = config.global.maxconn
            && config.global.maxconn != former.global.maxconn
        {
            self.maxconn = maxconn;
        }
        self.resume_listeners();
    }

    /// Listens on more sockets. The emptied list goes back to whoever made it.
    pub(super) fn listen(&mut self, sockets: &mut Vec<(BindId, OwnedFd)>) {
        // The configuration that names them was published before.
        self.refresh_table();
        for (bind, socket) in sockets.drain(..) {
            let Some(place) = self.listeners.find(u32::from(bind.0)) else { continue };
            self.listeners.all[place].next = Some(socket);
            self.open_next(place);
        }
    }

    /// Stops listening on these addresses: nobody new, then what is queued, then the end.
    pub(super) fn unlisten(&mut self, leave: &Leave) {
        for listener in self.listeners.all.iter_mut().filter(|listener| leave.binds.contains(&listener.bind))
        {
            let Some(socket) = &listener.socket else { continue };
            let linger = if leave.shared || listener.inherited {
                0
            } else {
                refuse_newcomers(socket.as_fd());
                LINGER_MS
            };
            listener.leaves_at = Some(self.now + linger);
        }
    }

    /// Serves what has arrived, then accepts nobody: TCP clients are refused. Those of other sockets and of inherited ones wait, as in
    /// HAProxy.
    pub(super) fn pause_frontend(&mut self, proxy: ProxyId) {
        for place in 0..self.listeners.all.len() {
            let listener = &mut self.listeners.all[place];
            if listener.proxy == proxy && !std::mem::replace(&mut listener.paused, true) {
                self.take_queued(place);
                let listener = &self.listeners.all[place];
                if let (Some(socket), false) = (&listener.socket, listener.inherited) {
                    stop_hearing(socket.as_fd());
                }
                self.disarm(place);
            }
        }
    }

    fn take_queued(&mut self, place: usize) {
        while self.may_hold_more() {
            let listening = self.listeners.all[place].socket.as_ref();
            let Some(socket) = listening.and_then(|socket| accept_queued(socket.as_fd())) else { return };
            self.admit_at(place, socket);
        }
    }

    pub(super) fn resume_frontend(&mut self, resume: &mut Resume) {
        for place in 0..self.listeners.all.len() {
            let listener = &mut self.listeners.all[place];
            if listener.proxy != resume.proxy || !std::mem::take(&mut listener.paused) {
                continue;
            }
            match listener.socket.as_ref().map(|socket| listen_again(socket.as_fd(), listener.backlog)) {
                None | Some(Ok(())) => self.resume(place),
                Some(Err(error)) => {
                    listener.paused = true;
                    resume.refused = Some(Errno(error.raw_os_error().unwrap_or(libc::EINVAL) as u16));
                }
            }
        }
    }

    pub(super) fn is_leaving(&self, place: usize) -> bool {
        self.listeners.all[place].leaves_at.is_some_and(|at| at <= self.now)
    }

    /// Closes what has lingered long enough.
    pub(super) fn leave_listeners(&mut self) {
        for place in 0..self.listeners.all.len() {
            if !self.is_leaving(place) {
                continue;
            }
            if self.listeners.all[place].armed {
                self.disarm(place);
            } else {
                self.drain_and_close(place);
            }
        }
    }

    /// The socket that waits for this place begins to listen, if the one before it is closed.
    pub(super) fn open_next(&mut self, place: usize) {
        let listener = &mut self.listeners.all[place];
        if listener.socket.is_some() || listener.armed {
            return;
        }
        listener.leaves_at = None;
        let Some(socket) = listener.next.take() else { return };
        listener.take(socket);
        self.prefer_own_packets(place);
        if self.stop.is_some() {
            return self.drain_and_close(place);
        }
        self.arm(place);
    }
}
