//! `daemon` and the pid file.

use std::fs;
use std::io::{PipeReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::run::{DEFAULTS, Running, Written, ask, pronk, written};
use crate::support::child::{Killed, command};
use crate::support::echo::Threads;
use crate::support::peer::Peer;
use crate::support::port::Port;
use crate::support::proxy::Program;
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

/// A pid file that nobody reads holds the child up until the parent is gone.
#[test]
fn a_child_serves_on_whose_parent_was_killed_while_it_waited() {
    let (port, server) = (Port::reserve(), Threads::echo());
    let sections =
        format!("listen x\n  bind 127.0.0.1:{}\n  server s 127.0.0.1:{}\n", port.number, server.port());
    let kept = written(&format!("{DEFAULTS}{sections}"));
    let fifo = kept.directory.path().join("p.pid");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a fifo");
    let open = fs::File::options().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(&fifo);
    let mut fifo = open.expect("both ends");
    while fifo.write(&[b'\n'; 4096]).is_ok() {}
    let mut command = command(Program::Pronk.path());
    command.args(["-D", "-p"]).arg(kept.directory.path().join("p.pid")).arg("-f").arg(&kept.file);
    let mut parent = Killed(command.stdin(Stdio::null()).spawn().expect("the program starts"));
    let children = format!("/proc/{0}/task/{0}/children", parent.0.id());
    let child = || fs::read_to_string(&children).ok()?.trim().parse().ok();
    let daemon = Daemon(wait_for(PATIENCE, child).expect("a child"));
    parent.0.kill().expect("it waits");
    parent.0.wait().expect("a child");
    while fifo.read(&mut [0; 4096]).is_ok() {}
    // The last that it does before it is wholly in the background.
    let stream = format!("/proc/{}/fd/2", daemon.0);
    let silent = || fs::read_link(&stream).is_ok_and(|to| to == Path::new("/dev/null")) || !daemon.alive();
    assert!(wait_for(PATIENCE, || silent().then_some(())).is_some());
    for _ in 0..50 {
        let mut peer = Peer::connect(port.address());
        peer.send(b"hello");
        assert_eq!(peer.receive(5), b"hello");
    }
    assert!(daemon.alive());
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

/// Logs to stdout and stderr; its pid file is p.pid.
fn logging_to_streams(global: &str, port: &Port) -> Written {
    written(&format!(
        "global\n  pidfile p.pid\n  log stdout format raw local0\n  log fd@2 format raw local0\n{global}\n\
         {DEFAULTS}listen x\n  log global\n  option tcplog\n  bind 127.0.0.1:{}\n",
        port.number
    ))
}

/// What comes out of `pipe` up to its end, which must come.
fn to_the_end(mut pipe: PipeReader) -> String {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        // The receiver is gone when the test has given up.
        let _ = pipe.read_to_string(&mut text).map(|_| send.send(text));
    });
    receive.recv_timeout(PATIENCE).expect("nobody holds the launcher's stream any more")
}

/// Starts `kept` as `$(pronk …)` does, and ends the process in the background. Answers what the stream got.
fn launched_into_a_pipe(kept: &Written, arguments: &[&str]) -> String {
    let directory = kept.directory.path();
    let (stream, end) = std::io::pipe().expect("a pipe");
    let mut command = Command::new(Program::Pronk.path());
    command.arg("-C").arg(directory).args(["-f", "h.cfg"]).args(arguments).stdin(Stdio::null());
    command.stdout(end.try_clone().expect("a duplicate")).stderr(end);
    let mut parent = command.spawn().expect("the program starts");
    // The command holds the pipe's other end as well.
    drop(command);
    let status = wait_for(PATIENCE, || parent.try_wait().expect("a child can be waited for"));
    let text = fs::read_to_string(directory.join("p.pid")).expect("a pid file");
    let daemon = Daemon(text.trim_end().parse().expect("one number"));
    assert!(status.expect("the parent leaves").success() && daemon.alive());
    let said = to_the_end(stream);
    assert!(daemon.alive(), "the end came before the daemon's");
    said
}

/// `-f h.cfg` and the pid file are below the directory that `-C` names, for the master and its worker.
#[test]
fn a_master_enters_the_directory_of_the_command_line() {
    let port = Port::reserve();
    let kept =
        written(&format!("global\n  pidfile p.pid\n{DEFAULTS}listen x\n  bind 127.0.0.1:{}\n", port.number));
    launched_into_a_pipe(&kept, &["-D", "-W"]);
}

#[test]
fn logs_to_the_launchers_streams_end_with_the_launcher() {
    for (global, arguments) in
        [("  daemon", &[][..]), ("", &["-D"]), ("", &["-D", "-W"]), ("  master-worker", &["-D"])]
    {
        let port = Port::reserve();
        launched_into_a_pipe(&logging_to_streams(global, &port), arguments);
    }
}

/// One connection that says nothing: a line in the log.
fn connect_once(port: &Port) {
    TcpStream::connect(port.address()).and_then(|mut stream| stream.write_all(b"x")).expect("a connection");
}

#[test]
fn a_quiet_process_logs_to_no_stream_and_a_foreground_one_does() {
    for (argument, logs) in [("-q", false), ("-V", true)] {
        let (port, file) = (Port::reserve(), "format raw local0");
        let sections = format!(
            "listen x\n  log global\n  log LINES {file}\n  option tcplog\n  bind 127.0.0.1:{}\n",
            port.number
        );
        let directory = tempfile::tempdir().expect("a directory");
        let lines = directory.path().join("lines");
        fs::write(&lines, "").expect("an empty file");
        let sections = sections.replace("LINES", &format!("file@{}", lines.display()));
        let global = format!("  log stdout {file}");
        let running = Running::start_with(&global, &sections, &["-db", argument]);
        connect_once(&port);
        let logged = || fs::read_to_string(&lines).is_ok_and(|text| text.contains(" x/")).then_some(());
        wait_for(PATIENCE, logged).expect("a line in the file");
        let told = || running.proxy.stdout().contains(" x/");
        if logs {
            wait_for(PATIENCE, || told().then_some(())).expect("a line on standard output");
        }
        assert_eq!(told(), logs, "{argument}");
    }
}
