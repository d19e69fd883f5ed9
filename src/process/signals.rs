//! What the signals mean (management manual, section 4).

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::sys::signal::is_ignored;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// TERM, INT: end at once, by that signal.
    Stop(i32),
    /// USR1: listen no more, finish the sessions, exit with 0.
    SoftStop,
    /// TTOU: accept nobody at any frontend until TTIN.
    Pause,
    /// TTIN: the end of that.
    Resume,
    /// HUP: tell the state of every server and proxy.
    Tell,
    /// Known to HAProxy, without effect here: its name, and what to do instead.
    Ignored(&'static str, &'static str),
}

const SIGNALS: [(i32, Asked); 8] = [
    (libc::SIGTERM, Asked::Stop(libc::SIGTERM)),
    (libc::SIGINT, Asked::Stop(libc::SIGINT)),
    (libc::SIGUSR1, Asked::SoftStop),
    (libc::SIGHUP, Asked::Tell),
    (
        libc::SIGUSR2,
        Asked::Ignored("SIGUSR2", "to reload start a new process, then send SIGUSR1 to this one"),
    ),
    (libc::SIGTTOU, Asked::Pause),
    (libc::SIGTTIN, Asked::Resume),
    (
        libc::SIGQUIT,
        Asked::Ignored("SIGQUIT", "there are no memory pools to show; see 'show info' on a stats socket"),
    ),
];

/// Listens for all of them. A SIGINT that was ignored when the process started stays so: a shell
/// does that for jobs in the background.
pub fn receive() -> io::Result<UnboundedReceiver<Asked>> {
    let (send, asked) = unbounded_channel();
    for (number, meaning) in SIGNALS {
        if number == libc::SIGINT && is_ignored(number) {
            continue;
        }
        let mut signals = signal(SignalKind::from_raw(number))?;
        let send = send.clone();
        tokio::task::spawn_local(async move {
            while signals.recv().await.is_some() && send.send(meaning).is_ok() {}
        });
    }
    Ok(asked)
}
