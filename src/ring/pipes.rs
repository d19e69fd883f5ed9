//! The worker's pipes: taken when a direction turns to bulk, given back only when empty.

use std::io;

use crate::sys::pipe::Pipe;

/// No pipe.
pub(super) const NONE: u16 = u16::MAX;

/// Idle pipes kept for the next bulk transfer; more are closed.
const KEPT: usize = 64;

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
}

impl Pipes {
    /// At most `most` pipes of `capacity` bytes each.
    pub(super) fn new(most: usize, capacity: usize) -> Pipes {
        let most = most.min(usize::from(NONE) - 1);
        Pipes {
            all: Vec::with_capacity(most),
            idle: Vec::with_capacity(KEPT),
            vacant: Vec::with_capacity(most),
            capacity,
            most,
            used: 0,
        }
    }

    /// An empty pipe; None: none may or can be had, and the bytes are copied instead.
    pub(super) fn take(&mut self) -> Option<u16> {
        let index = match self.idle.pop() {
            Some(index) => index,
            None => self.open().ok()?,
        };
        self.used += 1;
        Some(index)
    }

    fn open(&mut self) -> io::Result<u16> {
        if self.used + self.idle.len() >= self.most {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let pipe = Pipe::new(self.capacity)?;
        if pipe.capacity() < SMALLEST.min(self.capacity) {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        Ok(match self.vacant.pop() {
            Some(index) => {
                self.all[usize::from(index)] = Some(pipe);
                index
            }
            None => {
                self.all.push(Some(pipe));
                (self.all.len() - 1) as u16
            }
        })
    }

    /// Takes a pipe back. With bytes inside it is closed: they must never reach another session.
    pub(super) fn put(&mut self, index: u16, empty: bool) {
        self.used -= 1;
        if empty && self.idle.len() < KEPT {
            self.idle.push(index);
        } else {
            self.all[usize::from(index)] = None;
            self.vacant.push(index);
        }
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
}
