//! `daemon` and the pid file.

use std::fs;
use std::path::Path;

use crate::run::{DEFAULTS, ask, pronk, written};
use crate::support::port::Port;
use crate::support::{PATIENCE, wait_for};

/// A process that is not our child, killed and waited for at the end.
struct Daemon(u32);

impl Daemon {
    fn alive(&self) -> bool {
        Path::new(&format!("/proc/{}/stat", self.0)).exists()
    }

    fn signal(&self, signal: &str) {
        // It fails when the process is gone already.
        let _ = std::process::Command::new("kill").args(["-s", signal, &self.0.to_string()]).status();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.alive() {
            self.signal("KILL");
        }
    }
}

#[test]
fn the_parent_leaves_when_the_child_is_ready() {
    let port = Port::reserve();
    let kept = written(&format!(
        "global\n  daemon\n  pidfile p.pid\n  stats socket unix@s.sock\n{DEFAULTS}listen x\n  bind 127.0.0.1:{}\n",
        port.number
    ));
    let directory = kept.directory.path();
    let run = pronk(["-C".as_ref(), directory.as_os_str(), "-f".as_ref(), kept.file.as_os_str()]);
    assert_eq!(run.code(), 0, "{}", run.stderr);
    let text = fs::read_to_string(directory.join("p.pid")).expect("a pid file");
    let daemon = Daemon(text.trim_end().parse().expect("one number"));
    assert!(text.ends_with('\n') && text.lines().count() == 1);
    assert!(daemon.alive() && port.has_listener());
    assert!(
        ask(&directory.join("s.sock"), "show info\n")
            .expect("an answer")
            .contains(&format!("Pid: {}\n", daemon.0))
    );
    for stream in 0..=2 {
        let target = fs::read_link(format!("/proc/{}/fd/{stream}", daemon.0)).expect("a stream");
        assert_eq!(target, Path::new("/dev/null"));
    }
    let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.0)).expect("its state");
    let session = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(3)).expect("a session");
    assert_eq!(session, daemon.0.to_string(), "it leads a session of its own");
    daemon.signal("USR1");
    assert!(wait_for(PATIENCE, || (!daemon.alive()).then_some(())).is_some(), "ends at a soft stop");
}

#[test]
fn the_parent_tells_when_the_child_fails() {
    let port = Port::reserve();
    let kept = written(&format!(
        "global\n  chroot /nonexistent\n{DEFAULTS}listen x\n  bind 127.0.0.1:{}\n",
        port.number
    ));
    let run = pronk(["-D".as_ref(), "-f".as_ref(), kept.file.as_os_str()]);
    assert_eq!(run.code(), 1);
    assert!(run.stderr.contains("Cannot chroot(/nonexistent)"), "{}", run.stderr);
    assert!(!port.has_listener());
}

#[test]
fn a_pid_file_that_cannot_be_made_stops_the_start() {
    let port = Port::reserve();
    let kept = written(&format!("{DEFAULTS}listen x\n  bind 127.0.0.1:{}\n", port.number));
    let run = pronk([
        "-D".as_ref(),
        "-p".as_ref(),
        "/nonexistent/p".as_ref(),
        "-f".as_ref(),
        kept.file.as_os_str(),
    ]);
    assert_eq!(run.code(), 1);
    assert!(run.stderr.contains("Cannot create pidfile /nonexistent/p"), "{}", run.stderr);
}
