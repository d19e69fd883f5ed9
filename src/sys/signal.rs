//! Signal masks, and ending by a signal.

use std::mem::MaybeUninit;

/// Blocks every signal in the calling thread, so that only the control thread receives any.
pub fn block_all() {
    mask_all(libc::SIG_BLOCK);
}

/// Unblocks every signal in the calling thread: a supervisor may have started the process with some blocked.
pub fn unblock_all() {
    mask_all(libc::SIG_UNBLOCK);
}

fn mask_all(how: i32) {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `set` is valid for writes of one sigset_t, which sigfillset initialises.
    unsafe { libc::sigfillset(set.as_mut_ptr()) };
    // SAFETY: the first pointer refers to the set initialised above; a null third pointer asks for no old mask.
    unsafe { libc::pthread_sigmask(how, set.as_ptr(), std::ptr::null_mut()) };
}

/// Ignores SIGPIPE: a write to a closed socket then answers EPIPE.
pub fn ignore_sigpipe() {
    // SAFETY: SIG_IGN is a valid disposition for SIGPIPE and no handler code is installed.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// Whether `signal` is ignored now, as a parent may have arranged.
pub fn is_ignored(signal: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null new action asks for the current one only; `action` is valid for writes.
    if unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: `action` was initialised by the successful call above.
    unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// Ends the process by `signal` with the default disposition, so that the parent sees it in the wait status.
pub fn die_of(signal: i32) -> ! {
    // SAFETY: SIG_DFL is a valid disposition; the process is ending and needs no handler any more.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    unblock_all();
    // SAFETY: raise has no memory preconditions.
    unsafe { libc::raise(signal) };
    // Only reached when the signal's default is not to terminate.
    std::process::exit(128 + signal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_blocked(signal: i32) -> bool {
        let mut old = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: a null set asks for the current mask only; `old` is valid for writes.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), old.as_mut_ptr()) };
        // SAFETY: `old` was initialised by the successful call above.
        unsafe { libc::sigismember(old.as_ptr(), signal) == 1 }
    }

    #[test]
    fn sees_what_is_ignored() {
        ignore_sigpipe();
        assert!(is_ignored(libc::SIGPIPE));
        assert!(!is_ignored(libc::SIGALRM));
    }

    #[test]
    fn blocks_and_unblocks_the_calling_thread() {
        std::thread::spawn(|| {
            block_all();
            assert!(is_blocked(libc::SIGTERM) && is_blocked(libc::SIGUSR1));
            unblock_all();
            assert!(!is_blocked(libc::SIGTERM));
        })
        .join()
        .expect("the thread");
    }
}
