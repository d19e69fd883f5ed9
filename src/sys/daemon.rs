//! Going to the background.

use std::io;
use std::os::fd::AsRawFd;

/// Which process `fork` returned in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forked {
    /// In the parent, with the child's pid.
    Parent(i32),
    /// In the child.
    Child,
}

/// Splits the process in two. Refused (EBUSY) once there is a second thread: only the calling one would survive.
pub fn fork() -> io::Result<Forked> {
    if thread_count()? != 1 {
        return Err(io::Error::from_raw_os_error(libc::EBUSY));
    }
    // SAFETY: the process has one thread (checked above), so the child inherits no lock held by another.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Forked::Child),
        pid => Ok(Forked::Parent(pid)),
    }
}

fn thread_count() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

/// Starts a session of its own: no terminal, no signals from its parent's terminal.
pub fn new_session() -> io::Result<()> {
    rustix::process::setsid()?;
    Ok(())
}

/// Opens /dev/null for [`silence`]; to be called before chroot.
pub fn dev_null() -> io::Result<std::fs::File> {
    std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")
}

/// Connects stdin, stdout and stderr to `null`.
pub fn silence(null: &std::fs::File) -> io::Result<()> {
    for standard in 0..=2 {
        // SAFETY: both descriptors are open or at least in range; dup2 closes and replaces the second atomically.
        if unsafe { libc::dup2(null.as_raw_fd(), standard) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// The exit status of child `pid`, once it has ended: its code, or 128 + the signal that killed it.
pub fn wait_for(pid: i32) -> io::Result<i32> {
    let pid =
        rustix::process::Pid::from_raw(pid).ok_or_else(|| io::Error::from_raw_os_error(libc::ECHILD))?;
    let (_, status) = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty())?
        .ok_or_else(|| io::Error::from_raw_os_error(libc::ECHILD))?;
    Ok(status.exit_status().unwrap_or_else(|| 128 + status.terminating_signal().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_forks_beside_another_thread() {
        // The test harness runs this on a thread of its own, so there are two at least.
        assert_eq!(fork().expect_err("refused").raw_os_error(), Some(libc::EBUSY));
    }
}
