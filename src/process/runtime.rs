//! The runtime of the control and health threads. The only file that names tokio-uring: leaving it is a change here alone.

use std::future::Future;
use std::io;

use super::error::StartError;

pub use tokio_uring::net::TcpStream;

/// Runs `future` on a new single-threaded runtime with its own ring; `tokio::task::spawn_local` works inside.
///
/// `thread` names the caller in the error: the kernel may refuse the ring.
pub fn run<F: Future>(thread: &str, future: F) -> Result<F::Output, StartError> {
    let runtime =
        tokio_uring::Runtime::new(&tokio_uring::builder()).map_err(|error| ring_refused(thread, error))?;
    Ok(runtime.block_on(future))
}

/// Whether this process can have a ring.
pub fn probe() -> io::Result<()> {
    tokio_uring::Runtime::new(&tokio_uring::builder()).map(drop)
}

/// Why the kernel may refuse a ring, and what to do about it.
pub fn ring_refused(thread: &str, error: io::Error) -> StartError {
    let (cause, remedy) = match error.raw_os_error() {
        Some(libc::ENOSYS) => (
            "this kernel has no io_uring",
            "Linux 6.1 or newer is needed; inside a container its seccomp profile must allow io_uring_setup, io_uring_enter and io_uring_register",
        ),
        Some(libc::EPERM) => (
            "io_uring is switched off for this process",
            "try 'sysctl kernel.io_uring_disabled' (0 allows it; with 1 the group of kernel.io_uring_group or CAP_SYS_ADMIN is needed), or allow io_uring in the container's seccomp profile",
        ),
        Some(libc::ENOMEM) => (
            "there is no memory for the ring and its buffers",
            "raise what limits it: 'ulimit -l' (LimitMEMLOCK=infinity in the systemd unit), 'ulimit -v', -m, the container's memory; or lower maxconn",
        ),
        Some(libc::EMFILE | libc::ENFILE) => {
            ("no file descriptor is left", "raise 'ulimit -n' or lower 'maxconn' in the global section")
        }
        _ => ("the kernel refused the ring", "check 'uname -r' (6.1 or newer is needed) and 'dmesg'"),
    };
    StartError::new(format!("cannot set up the io_uring of the {thread} thread"))
        .with_errno(error)
        .with_cause(cause)
        .with_remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_tasks_and_timers() {
        let answer = run("test", async {
            let task = tokio::task::spawn_local(async { 41 });
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            task.await.map(|n| n + 1)
        });
        assert_eq!(answer.expect("a ring").expect("the task"), 42);
    }

    #[test]
    fn every_refusal_has_cause_and_remedy() {
        for errno in [libc::ENOSYS, libc::EPERM, libc::ENOMEM, libc::EMFILE, libc::EINVAL] {
            let error = ring_refused("health", io::Error::from_raw_os_error(errno));
            assert!(!error.cause.is_empty() && !error.remedy.is_empty(), "{errno}");
        }
    }
}
