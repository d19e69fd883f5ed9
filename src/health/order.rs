//! What the control thread may ask of the health thread, which alone changes the table.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::config::model::Config;
use crate::log::Additions;
use crate::session::op::ServerId;

/// What came of an order, in HAProxy's words. Ok may be empty: done, with nothing to say.
pub type Reply = Result<String, String>;

/// An order.
#[derive(Debug)]
pub enum Order {
    /// About one server.
    Server {
        /// Which; its place may have changed since the order was given.
        server: ServerId,
        /// What is to change.
        change: ServerChange,
    },
    /// `clear counters all`: failed checks and changes of sides are counted anew.
    Forget,
    /// `clear counters server`: the same of one server.
    ForgetServer(ServerId),
    /// Another configuration, which carries the identities of the one before
    /// ([`crate::config::align`]).
    Replace {
        /// What it was made from: refused when that is no longer the current one.
        base: Arc<Config>,
        /// From now on.
        next: Arc<Config>,
    },
    /// The same, with log targets that only the new one has.
    Reload {
        /// As with `Replace`.
        base: Arc<Config>,
        /// From now on.
        next: Arc<Config>,
        /// Opened already.
        logs: Additions,
    },
}

/// What can be changed of a server at run time (management manual, `set server`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerChange {
    /// `state`
    State(Service),
    /// Into maintenance or out of it, draining or not as before.
    Maintenance(bool),
    /// Draining or not, in maintenance as before.
    Draining(bool),
    /// `weight`
    Weight(Weight),
    /// `addr A [port P]`
    Address {
        /// Where to.
        ip: IpAddr,
        /// None: it keeps its port; Err: what was typed is no port.
        port: Option<Result<Port, String>>,
    },
    /// `check-addr` and `check-port`
    CheckTarget {
        /// None: as it is.
        ip: Option<IpAddr>,
        /// None: as it is; 0: the server's own.
        port: Option<u16>,
    },
    /// `health`
    Health(Forced, Asker),
    /// `enable health` and `disable health`
    Checks(bool),
    /// `set maxconn server`; 0: unlimited.
    Maxconn(u32),
}

/// `set server … state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// In service.
    Ready,
    /// No new session.
    Drain,
    /// Out of service.
    Maint,
}

/// `set server … health`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forced {
    /// As if every check had passed.
    Up,
    /// Up, and it gets no new session.
    Stopping,
    /// As if every check had failed.
    Down,
}

/// Who wants a change, as log lines tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A command.
    Cli,
    /// The form of the stats page.
    Page,
}

/// A weight as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// 0 to 256.
    Absolute(u16),
    /// Of the weight in the configuration.
    Percent(u16),
}

/// A port as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// One for all.
    Fixed(u16),
    /// The client's, plus this.
    Mapped(i32),
}

/// An order on its way, and where its reply goes.
#[derive(Debug)]
pub struct Asked {
    pub(super) order: Order,
    pub(super) reply: oneshot::Sender<Reply>,
}

impl Asked {
    /// Follows it and answers; an asker that is gone needs no answer.
    pub fn answer(self, follow: impl FnOnce(Order) -> Reply) {
        let _ = self.reply.send(follow(self.order));
    }
}

/// Gives orders to the health thread; clones share it.
#[derive(Clone, Debug)]
pub struct Remote(UnboundedSender<Asked>);

impl Remote {
    /// Gives an order and waits for what came of it: for the health thread's next turn, which no check
    /// holds up.
    pub async fn order(&self, order: Order) -> Reply {
        let (reply, replied) = oneshot::channel();
        let gone = || "The health thread has ended.".to_owned();
        self.0.send(Asked { order, reply }).map_err(|_| gone())?;
        replied.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// A remote, and where its orders arrive. Who asks waits for its answer before it asks again, so the
/// channel is as short as there are clients.
pub fn channel() -> (Remote, UnboundedReceiver<Asked>) {
    let (send, receive) = unbounded_channel();
    (Remote(send), receive)
}
