//! Descriptors that this process inherited and knows by number only.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use rustix::event::{EventfdFlags, eventfd};

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

/// Closes an inherited descriptor and keeps its number taken: nothing that this process opens later shall ever be
/// mistaken for it.
///
/// # Errors
/// EMFILE, ENFILE: no descriptor is left; it stays open then.
pub fn give_up(number: RawFd) -> io::Result<()> {
    let harmless = eventfd(0, EventfdFlags::CLOEXEC)?;
    // SAFETY: the first is open; dup3 closes and replaces the second at once, and nobody here owns what the
    // process was started with: all that use it have duplicates.
    if unsafe { libc::dup3(harmless.as_raw_fd(), number, libc::O_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn a_closed_descriptor_is_named_as_such() {
        assert_eq!(duplicate(-1).expect_err("not open").raw_os_error(), Some(libc::EBADF));
    }

    #[test]
    fn what_was_given_up_is_closed_and_its_number_is_nobody_elses() {
        let (near, far) = std::os::unix::net::UnixStream::pair().expect("a pair");
        let number = std::os::fd::IntoRawFd::into_raw_fd(far);
        give_up(number).expect("replaced");
        assert_eq!(std::io::Read::read(&mut &near, &mut [0; 1]).expect("the end"), 0);
        let there = duplicate(number).expect("open");
        assert_eq!(crate::sys::socket::local_address(std::os::fd::AsFd::as_fd(&there)), None);
    }

    #[test]
    fn the_duplicate_is_another_number() {
        let copy = duplicate(2).expect("standard error is open");
        assert_ne!(copy.as_raw_fd(), 2);
    }
}
