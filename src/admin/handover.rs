//! `_getsocks`: a successor asks for the listening sockets over the stats socket, as HAProxy's `-x` does.
//!
//! ```text
//! successor: "_getsocks\n"        this process: the number of sockets, 32 bits, native order
//!                                 then, until all are sent: up to 252 descriptors, each with a record
//! successor: 32 bits, any value   after every such message
//! ```
//! A record is: length and name of the network namespace, length and name of the interface, 32 bits of
//! options, which nobody reads any more. Lengths are one byte.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::config::model::BindId;
use crate::sys::socket::local_address;
use crate::sys::{descriptor, passing};

/// Descriptors of one message: HAProxy's number, one less than the kernel allows.
const BATCH: usize = 252;
/// How long either side may take for one step.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// The command. A successor that is Pronk says so behind it, which HAProxy does not mind.
pub const COMMAND: &str = "_getsocks";
/// The word behind the command.
pub const PRONK: &str = "pronk";

/// One listening socket of the process.
#[derive(Clone, Debug)]
pub struct Held {
    /// A copy of the descriptor, which keeps the socket listening.
    pub socket: Arc<OwnedFd>,
    /// `interface`.
    pub interface: Option<String>,
    /// Whose it is; None: a stats socket's.
    pub bind: Option<BindId>,
    /// The worker that accepts from it; None: the control thread.
    pub worker: Option<usize>,
}

/// Who has asked for the sockets last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taker {
    /// Uses every socket it is given.
    Pronk,
    /// Uses one socket for each of its listeners, whichever of those that fit, and closes the others.
    Haproxy,
}

/// Every listening socket of the process, in the order in which they were opened.
#[derive(Debug, Default)]
pub struct Holdings {
    /// The sockets.
    pub held: Vec<Held>,
    /// Who has got them, and its pid.
    pub taker: Option<(Taker, i32)>,
    /// Somebody has got copies, if not of all that there are now.
    pub given: bool,
    /// Numbers of the descriptors that whoever started the process has passed on, `fd@N`, as long as they are open.
    pub inherited: BTreeSet<i32>,
}

impl Holdings {
    /// The sockets that a taker can use. HAProxy is given the first one of each address only: which of several
    /// it would choose differs between its versions, and whatever it leaves must not be the one that lives on.
    pub fn give_to(&mut self, taker: Taker, pid: i32) -> Vec<Held> {
        (self.taker, self.given) = (Some((taker, pid)), true);
        let mut given = self.held.clone();
        if taker == Taker::Haproxy {
            let mut seen = BTreeSet::new();
            given.retain(|held| {
                let address = local_address(held.socket.as_fd());
                address.is_none_or(|address| seen.insert((address, held.interface.clone())))
            });
        }
        given
    }

    /// Holds these too. Whoever got the others lacks them: it does not serve on all of this process.
    pub fn add(&mut self, held: Vec<Held>) {
        if !held.is_empty() {
            self.taker = None;
        }
        self.held.extend(held);
    }

    /// Whether somebody else may accept from the same sockets: what is done to one of them is done to his. That his
    /// pid is gone says nothing: who goes to the background asks before, and goes on under another one.
    pub fn may_be_shared(&self) -> bool {
        self.given
    }

    /// Closes those of these inherited descriptors that are open. Whoever passed them on may have them still.
    pub fn give_up(&mut self, numbers: &BTreeSet<i32>) {
        for &number in numbers {
            if self.inherited.remove(&number)
                && let Err(error) = descriptor::give_up(number)
            {
                tracing::warn!(number, %error, "clients of an inherited socket wait for nobody");
            }
        }
    }

    /// The same with all of them.
    pub fn give_all_up(&mut self) {
        let all = self.inherited.clone();
        self.give_up(&all);
    }

    /// Lets go of addresses that the process listens on no more.
    pub fn forget(&mut self, binds: &[BindId]) {
        self.held.retain(|held| held.bind.is_none_or(|bind| !binds.contains(&bind)));
    }
}

/// Shared by the tasks of the control thread.
pub type Shared = Rc<RefCell<Holdings>>;

/// What a line asks for, when it is the command.
pub fn asked(line: &str) -> Option<Taker> {
    let mut words = line.split_whitespace();
    match (words.next()?, words.next()) {
        (COMMAND, Some(PRONK)) => Some(Taker::Pronk),
        (COMMAND, _) => Some(Taker::Haproxy),
        _ => None,
    }
}

/// Gives a copy of every socket to the process at the other end. Blocks: not for the control thread.
pub fn give(stream: BorrowedFd<'_>, held: &[Held]) -> io::Result<()> {
    let count = u32::try_from(held.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    send(stream, &count.to_ne_bytes(), &[])?;
    for batch in held.chunks(BATCH) {
        let records: Vec<u8> = batch.iter().flat_map(record).collect();
        let descriptors: Vec<_> = batch.iter().map(|held| held.socket.as_fd()).collect();
        send(stream, &records, &descriptors)?;
        // Behind the last one too: whoever closes before it was read takes the message away.
        passing::await_readable(stream, PATIENCE)?;
        if passing::receive(stream, &mut [0; 4])?.0 == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

fn send(stream: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    passing::await_writable(stream, PATIENCE)?;
    let sent = passing::send(stream, bytes, descriptors)?;
    if sent == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

fn record(held: &Held) -> Vec<u8> {
    let interface = held.interface.as_deref().unwrap_or("").as_bytes();
    // The kernel takes 15 bytes at most.
    let length = interface.len().min(255);
    let mut record = vec![0, length as u8];
    record.extend_from_slice(&interface[..length]);
    record.extend_from_slice(&[0; 4]);
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_a_whole_word() {
        assert_eq!(asked("_getsocks"), Some(Taker::Haproxy));
        assert_eq!(asked("_getsocks pronk"), Some(Taker::Pronk));
        assert_eq!(asked("_getsocksx"), None);
        assert_eq!(asked(""), None);
    }

    #[test]
    fn haproxy_gets_one_socket_of_each_address() {
        let listener = || std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
        let held =
            |socket: OwnedFd| Held { socket: Arc::new(socket), interface: None, bind: None, worker: None };
        let (one, two) = (listener(), listener());
        let again = one.try_clone().expect("a copy");
        let (unix, _) = passing::pair().expect("a pair");
        let sockets = [unix, one.into(), again.into(), two.into()];
        let mut holdings = Holdings { held: sockets.into_iter().map(held).collect(), ..Holdings::default() };
        let first = Arc::clone(&holdings.held[1].socket);
        assert_eq!(holdings.give_to(Taker::Pronk, 7).len(), 4);
        let given = holdings.give_to(Taker::Haproxy, 8);
        assert_eq!((given.len(), holdings.taker), (3, Some((Taker::Haproxy, 8))));
        assert!(Arc::ptr_eq(&given[1].socket, &first));
        holdings.add(Vec::new());
        assert!(holdings.taker.is_some());
        holdings.add(given);
        assert_eq!((holdings.held.len(), holdings.taker), (7, None), "nobody has all of them");
        assert!(holdings.may_be_shared(), "but some");
    }

    #[test]
    fn a_successor_that_leaves_is_an_error() {
        let (here, there) = passing::pair().expect("a pair");
        let held = Held {
            socket: Arc::new(passing::pair().expect("a pair").0),
            interface: None,
            bind: None,
            worker: None,
        };
        drop(there);
        assert!(give(here.as_fd(), &[held]).is_err());
    }
}
