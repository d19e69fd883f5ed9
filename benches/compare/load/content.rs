//! The bytes that bulk streams carry: one MiB, repeated.

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

/// The repeated part as a file in memory, which sendfile hands to a socket without copying.
pub fn file() -> Result<OwnedFd, Failure> {
    let memory = memfd_create("bulk", MemfdFlags::CLOEXEC).attempting("creating a memory file")?;
    let mut file = std::fs::File::from(memory);
    file.write_all(&bytes()).attempting("filling a memory file")?;
    Ok(file.into())
}
