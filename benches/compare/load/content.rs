//! The bytes that messages, answers and bulk streams carry; those of a stream are one MiB, repeated.

use std::io::Write;

use rustix::fd::OwnedFd;
use rustix::fs::{MemfdFlags, memfd_create};

use crate::failure::{Attempt, Failure};

/// Length of the repeated part.
pub const PERIOD: usize = 1 << 20;

/// The repeated part. No stretch equals its neighbour, so a lost or doubled block shows.
pub fn bytes() -> Vec<u8> {
    (0..PERIOD as u32).map(|index| (index.wrapping_mul(0x9E37_79B1) >> 24) as u8).collect()
}

/// Bytes of a message and of its answer, which begins with the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// At least eight, which are the message's number.
    pub request: usize,
    /// At least as many.
    pub answer: usize,
}

impl Shape {
    /// A message that comes back.
    pub fn echo(size: usize) -> Shape {
        Shape { request: size, answer: size }
    }

    /// The whole answer to a message.
    pub fn answer_to(self, message: &[u8]) -> Vec<u8> {
        message.iter().copied().chain(self.rest()).collect()
    }

    /// What follows the message in its answer.
    pub fn rest(self) -> Vec<u8> {
        match self.answer - self.request {
            0 => Vec::new(),
            rest => bytes().into_iter().cycle().take(rest).collect(),
        }
    }
}

/// The repeated part as a file in memory, which sendfile hands to a socket without copying.
pub fn file() -> Result<OwnedFd, Failure> {
    let memory = memfd_create("bulk", MemfdFlags::CLOEXEC).attempting("creating a memory file")?;
    let mut file = std::fs::File::from(memory);
    file.write_all(&bytes()).attempting("filling a memory file")?;
    Ok(file.into())
}
