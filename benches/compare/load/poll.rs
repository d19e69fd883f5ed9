//! The readiness queue and its 64-bit tags.

use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::time::Timespec;

/// What a readiness event is about; the index counts within its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    Listener(u32),
    Served(u32),
    Pace,
    Trip(u32),
    Sink(u32),
    Visit(u32),
    Log,
}

impl Tag {
    fn pack(self) -> u64 {
        let (kind, index) = match self {
            Tag::Listener(index) => (0, index),
            Tag::Served(index) => (1, index),
            Tag::Pace => (2, 0),
            Tag::Trip(index) => (3, index),
            Tag::Sink(index) => (4, index),
            Tag::Visit(index) => (5, index),
            Tag::Log => (6, 0),
        };
        kind << 32 | u64::from(index)
    }

    fn unpack(bits: u64) -> Tag {
        let index = bits as u32;
        match bits >> 32 {
            0 => Tag::Listener(index),
            1 => Tag::Served(index),
            2 => Tag::Pace,
            3 => Tag::Trip(index),
            4 => Tag::Sink(index),
            5 => Tag::Visit(index),
            _ => Tag::Log,
        }
    }
}

/// An edge-triggered epoll instance: each socket is registered once and never modified.
pub struct Poll {
    epoll: OwnedFd,
}

impl Poll {
    pub fn new() -> Result<Poll, Errno> {
        Ok(Poll { epoll: epoll::create(CreateFlags::CLOEXEC)? })
    }

    /// Room for one batch of events.
    pub fn batch() -> Vec<Event> {
        Vec::with_capacity(1024)
    }

    /// Watches a socket for both directions and the peer's end.
    pub fn add(&self, socket: impl AsFd, tag: Tag) -> Result<(), Errno> {
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&self.epoll, socket, EventData::new_u64(tag.pack()), flags)
    }

    /// Watches a descriptor that is only read, by level: unread input is reported again.
    pub fn add_level(&self, source: impl AsFd, tag: Tag) -> Result<(), Errno> {
        epoll::add(&self.epoll, source, EventData::new_u64(tag.pack()), EventFlags::IN)
    }

    /// Waits at most `timeout` (rounded up to milliseconds) and fills `events`.
    pub fn wait(&self, events: &mut Vec<Event>, timeout: Duration) -> Result<(), Errno> {
        events.clear();
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(timeout.subsec_nanos()) };
        match epoll::wait(&self.epoll, spare_capacity(events), Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }
}

/// The tag an event carries, and whether the peer has finished or failed.
pub fn read_event(event: &Event) -> (Tag, bool) {
    let flags = event.flags;
    let ended = flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
    (Tag::unpack(event.data.u64()), ended)
}
