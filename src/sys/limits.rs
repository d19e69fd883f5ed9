//! Resource limits of the process.

use std::io;

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A soft and a hard limit; `u64::MAX` when there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What the kernel enforces.
    pub soft: u64,
    /// How far the soft one may be raised.
    pub hard: u64,
}

/// RLIMIT_NOFILE: how many descriptors the process may hold.
pub fn nofile() -> Limit {
    let limit = getrlimit(Resource::Nofile);
    Limit { soft: limit.current.unwrap_or(u64::MAX), hard: limit.maximum.unwrap_or(u64::MAX) }
}

/// Sets RLIMIT_NOFILE. Raising the hard limit needs CAP_SYS_RESOURCE (EPERM without it).
pub fn set_nofile(limit: Limit) -> io::Result<()> {
    let bound = |n: u64| (n != u64::MAX).then_some(n);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: bound(limit.soft), maximum: bound(limit.hard) })?)
}

/// Makes the kernel's table of this process's descriptors as large as `descriptors` need. It grows by doubling, and once
/// there are threads each growth waits for an RCU grace period: milliseconds, on a busy machine seconds, in which the
/// worker that accepts stands still. While the process has one thread it costs nothing.
///
/// # Errors
/// EMFILE beyond RLIMIT_NOFILE; the table is then as it was.
pub fn make_room(descriptors: u64) -> io::Result<()> {
    let any = eventfd(0, EventfdFlags::CLOEXEC)?;
    let last = i32::try_from(descriptors).unwrap_or(i32::MAX).saturating_sub(1);
    fcntl_dupfd_cloexec(&any, last).map(drop).map_err(io::Error::from)
}

/// RLIMIT_AS in bytes: the `-m` option's limit on memory. It counts what is reserved, not what is used.
pub fn set_address_space(bytes: u64) -> io::Result<()> {
    setrlimit(Resource::As, Rlimit { current: Some(bytes), maximum: Some(bytes) })?;
    share_arena();
    Ok(())
}

/// RLIMIT_AS in bytes; None: there is none.
pub fn address_space() -> Option<u64> {
    getrlimit(Resource::As).current
}

/// Threads that start later allocate from the arena there is: each would reserve 64 MiB for one of its own.
fn share_arena() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes two integers, and a limit on what is made later changes no allocation that there is.
    let _set = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soft_never_exceeds_hard() {
        let limit = nofile();
        assert!(limit.soft <= limit.hard);
    }

    #[test]
    fn refuses_soft_above_hard() {
        assert!(set_nofile(Limit { soft: 20, hard: 10 }).is_err());
    }
}
