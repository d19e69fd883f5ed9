//! The worker's pipes: taken when a direction turns to bulk, given back only when empty.
//!
//! Those that are given back stay open as long as the streams need as many at once: a stream that waits for its
//! source holds none, and opening one costs more than filling it. What a second did not need is closed.

use std::io;

use crate::sys::pipe::Pipe;

/// No pipe.
pub(super) const NONE: u16 = u16::MAX;

/// Idle pipes that are never closed for want of use.
const KEPT: usize = 16;

/// How often the pool looks for pipes that nobody needed, milliseconds.
const LOOK_MS: u64 = 1000;

/// Pipes closed in one turn: closing takes a microsecond or two, and sessions wait meanwhile.
const CLOSED_AT_ONCE: usize = 256;

/// A new pipe that got less than this is not worth the switch.
const SMALLEST: usize = 65_536;

/// All pipes of a worker.
#[derive(Debug)]
pub(super) struct Pipes {
    all: Vec<Option<Pipe>>,
    idle: Vec<u16>,
    vacant: Vec<u16>,
    capacity: usize,
    most: usize,
    used: usize,
    /// The most in use at once since the last look.
    peak: usize,
    look_at_ms: u64,
}

impl Pipes {
    /// At most `most` pipes of `capacity` bytes each, idle ones included.
    pub(super) fn new(most: usize, capacity: usize) -> Pipes {
        let most = most.min(usize::from(NONE) - 1);
        Pipes {
            all: Vec::with_capacity(most),
            idle: Vec::with_capacity(most),
            vacant: Vec::with_capacity(most),
            capacity,
            most,
            used: 0,
            peak: 0,
            look_at_ms: 0,
        }
    }

    /// An empty pipe; None: none may or can be had, and the bytes are copied instead.
    pub(super) fn take(&mut self) -> Option<u16> {
        let index = match self.idle.pop() {
            Some(index) => index,
            None => self.open().ok()?,
        };
        self.used += 1;
        self.peak = self.peak.max(self.used);
        Some(index)
    }

    fn open(&mut self) -> io::Result<u16> {
        if self.used >= self.most {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let pipe = Pipe::new(self.capacity)?;
        if pipe.capacity() < SMALLEST.min(self.capacity) {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        Ok(self.place(pipe))
    }

    fn place(&mut self, pipe: Pipe) -> u16 {
        match self.vacant.pop() {
            Some(index) => {
                self.all[usize::from(index)] = Some(pipe);
                index
            }
            None => {
                self.all.push(Some(pipe));
                (self.all.len() - 1) as u16
            }
        }
    }

    /// Takes a pipe in that another owner filled: its bytes are owed to a session, so the limit does not hold.
    pub(super) fn adopt(&mut self, pipe: Pipe) -> io::Result<u16> {
        if self.vacant.is_empty() && self.all.len() >= usize::from(NONE) {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        self.used += 1;
        self.peak = self.peak.max(self.used);
        Ok(self.place(pipe))
    }

    /// Takes a pipe back. With bytes inside it is closed: they must never reach another session.
    pub(super) fn put(&mut self, index: u16, empty: bool) {
        self.used -= 1;
        if empty { self.idle.push(index) } else { self.close(index) }
    }

    fn close(&mut self, index: u16) {
        self.all[usize::from(index)] = None;
        self.vacant.push(index);
    }

    /// Closes those that have been idle for longest.
    fn close_idle(&mut self, count: usize) {
        for at in 0..count {
            self.close(self.idle[at]);
        }
        self.idle.drain(..count);
    }

    /// Closes what was not needed since the last look, if it is time for one.
    pub(super) fn look(&mut self, now_ms: u64) {
        if now_ms < self.look_at_ms {
            return;
        }
        let needed = (self.peak - self.used).max(KEPT);
        self.close_idle(self.idle.len().saturating_sub(needed).min(CLOSED_AT_ONCE));
        self.peak = self.used;
        self.look_at_ms = now_ms + LOOK_MS;
    }

    /// When to look again; None: nothing could be closed.
    pub(super) fn look_at(&self) -> Option<u64> {
        (self.idle.len() > KEPT).then_some(self.look_at_ms)
    }

    /// Closes idle pipes, since descriptors have run out; false: there is none.
    #[cold]
    pub(super) fn release(&mut self) -> bool {
        let count = self.idle.len().min(CLOSED_AT_ONCE);
        self.close_idle(count);
        count > 0
    }

    /// Whether bytes may be spliced at all.
    pub(super) fn allowed(&self) -> bool {
        self.most > 0
    }

    /// The pipe of that index.
    pub(super) fn pipe(&self, index: u16) -> &Pipe {
        self.all[usize::from(index)].as_ref().expect("a line's pipe is open until the line gives it back")
    }

    /// (in use, idle).
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.used, self.idle.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_pipe_is_used_again_and_a_full_one_is_not() {
        let mut pipes = Pipes::new(2, 65_536);
        let (a, b) = (pipes.take().unwrap(), pipes.take().unwrap());
        assert_eq!(pipes.take(), None, "the limit holds");
        pipes.put(a, true);
        assert_eq!(pipes.take(), Some(a));
        pipes.put(b, false);
        assert_eq!(pipes.counts(), (1, 0));
        assert_eq!(pipes.take(), Some(b), "the index of a closed pipe is reused");
    }

    /// Takes and gives back `count` pipes at once.
    fn use_at_once(pipes: &mut Pipes, count: usize) {
        let taken: Vec<u16> = (0..count).map(|_| pipes.take().unwrap()).collect();
        taken.into_iter().for_each(|index| pipes.put(index, true));
    }

    #[test]
    fn as_many_are_kept_as_were_needed_at_once_and_few_in_the_end() {
        let mut pipes = Pipes::new(1_000, 4_096);
        use_at_once(&mut pipes, 100);
        pipes.look(5_000);
        assert_eq!(pipes.counts(), (0, 100), "all were in use in the second before");
        use_at_once(&mut pipes, 40);
        pipes.look(5_500);
        assert_eq!(pipes.counts(), (0, 100), "it is not time yet");
        assert_eq!(pipes.look_at(), Some(6_000));
        pipes.look(6_000);
        assert_eq!(pipes.counts(), (0, 40));
        pipes.look(7_000);
        assert_eq!((pipes.counts(), pipes.look_at()), ((0, KEPT), None));
        assert!(pipes.release() && !pipes.release());
        assert_eq!(pipes.counts(), (0, 0));
    }
}
