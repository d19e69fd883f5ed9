//! Descriptors that this process inherited and knows by number only.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// A close-on-exec duplicate of descriptor `number`, or EBADF when it is not open.
pub fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes any integer, reads no memory, and answers EBADF for one that is not open.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call above has just made `copy`, it is open, and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_closed_descriptor_is_named_as_such() {
        assert_eq!(duplicate(-1).expect_err("not open").raw_os_error(), Some(libc::EBADF));
    }

    #[test]
    fn the_duplicate_is_another_number() {
        let copy = duplicate(2).expect("standard error is open");
        assert_ne!(copy.as_raw_fd(), 2);
    }
}
