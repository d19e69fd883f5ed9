//! The Debian package, its manual page and its unit: checked by groff, systemd-analyze and dpkg, and run from where
//! it was installed.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use rustix::process::{Pid, Signal, kill_process};
use support::echo::Threads;
use support::peer::Peer;
use support::port::Port;
use support::{PATIENCE, wait_for};

const UNIT: &str = include_str!("../tuning/pronk.service");

fn top(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What a tool printed; a tool that is missing or fails ends the test.
fn run(command: &mut Command) -> String {
    let name = command.get_program().to_owned();
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|error| panic!("{name:?} does not start: {error}"));
    let said = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    assert!(status.success(), "{command:?}: {status}\n{said}");
    said
}

#[test]
fn groff_finds_nothing_wrong_with_the_manual_page() {
    assert_eq!(run(Command::new("groff").args(["-man", "-ww", "-z"]).arg(top("tuning/pronk.1"))), "");
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let unit = folder.path().join("pronk.service");
    // The program that is named must be there.
    fs::write(&unit, UNIT.replace("/usr/sbin/pronk", env!("CARGO_BIN_EXE_pronk"))).expect("written");
    assert_eq!(run(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit)), "");
}

/// A root directory of its own, in which dpkg works without touching the machine.
struct Root {
    folder: tempfile::TempDir,
}

impl Root {
    fn new() -> Root {
        let root = Root { folder: tempfile::tempdir().expect("a temporary directory") };
        for folder in
            ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/alternatives", "etc/alternatives"]
        {
            fs::create_dir_all(root.path(folder)).expect("created");
        }
        fs::create_dir_all(root.path("var/log")).expect("created");
        fs::create_dir_all(root.path("usr/sbin")).expect("created");
        fs::write(root.path("var/lib/dpkg/status"), "").expect("written");
        root
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path.trim_start_matches('/'))
    }

    fn dpkg(&self, arguments: &[&str]) {
        let mut command = Command::new("dpkg");
        command.arg(format!("--root={}", self.folder.path().display()));
        // The machine's libraries are not packages of this root.
        command.args(["--ignore-depends=libc6,libgcc-s1", "--force-script-chrootless", "--force-not-root"]);
        run(command.args(arguments));
    }

    /// Every file and link, without what dpkg keeps for itself.
    fn files(&self) -> Vec<String> {
        let listing =
            run(Command::new("find").current_dir(self.folder.path()).args([".", "-not", "-type", "d"]));
        let mut files: Vec<String> =
            listing.lines().map(|line| line.trim_start_matches('.').to_owned()).collect();
        files.retain(|file| !file.starts_with("/var/"));
        files.sort();
        files
    }
}

/// The package of the binary under test.
fn package(folder: &Path) -> PathBuf {
    let deb = folder.join("pronk.deb");
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let mut cargo = Command::new("cargo");
    cargo.args(["deb", "--locked", "--no-build", "--no-strip", "--fast", "--profile", profile, "--output"]);
    run(cargo.arg(&deb).current_dir(top("")));
    deb
}

#[test]
fn the_package_installs_runs_and_leaves_nothing() {
    let root = Root::new();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let deb = package(folder.path());
    root.dpkg(&["--install", &deb.display().to_string()]);
    let expected = [
        "/etc/alternatives/haproxy",
        "/etc/pronk/pronk.cfg",
        "/usr/lib/systemd/system/pronk.service",
        "/usr/sbin/haproxy",
        "/usr/sbin/pronk",
        "/usr/share/doc/pronk/README.md",
        "/usr/share/doc/pronk/copyright",
        "/usr/share/doc/pronk/examples/90-pronk.conf",
        "/usr/share/doc/pronk/examples/impala.cfg",
        "/usr/share/doc/pronk/examples/steer",
        "/usr/share/man/man1/pronk.1.gz",
    ];
    assert_eq!(root.files(), expected);
    let link = |path: &str| fs::read_link(root.path(path)).expect("a link");
    assert_eq!(link("/usr/sbin/haproxy"), Path::new("/etc/alternatives/haproxy"));
    assert_eq!(link("/etc/alternatives/haproxy"), Path::new("/usr/sbin/pronk"));
    assert_serves(&root);
    root.dpkg(&["--purge", "pronk"]);
    assert_eq!(root.files(), [""; 0]);
}

/// HAProxy's own file stays, whatever is installed and removed beside it.
#[test]
fn an_installed_haproxy_is_left_alone() {
    let root = Root::new();
    fs::write(root.path("/usr/sbin/haproxy"), "HAProxy").expect("written");
    let folder = tempfile::tempdir().expect("a temporary directory");
    root.dpkg(&["--install", &package(folder.path()).display().to_string()]);
    assert!(root.path("/usr/sbin/pronk").exists());
    assert!(!root.path("/etc/alternatives/haproxy").is_symlink(), "nothing else is to be called haproxy");
    assert_eq!(fs::read_to_string(root.path("/usr/sbin/haproxy")).expect("a file"), "HAProxy");
    root.dpkg(&["--purge", "pronk"]);
    assert_eq!(root.files(), ["/usr/sbin/haproxy"]);
}

/// A package that is called haproxy and holds its file.
fn haproxy(folder: &Path) -> PathBuf {
    let (tree, deb) = (folder.join("haproxy"), folder.join("haproxy.deb"));
    for folder in ["DEBIAN", "usr/sbin"] {
        fs::create_dir_all(tree.join(folder)).expect("created");
    }
    let control =
        "Package: haproxy\nVersion: 3.5\nArchitecture: all\nMaintainer: nobody\nDescription: a file\n";
    fs::write(tree.join("DEBIAN/control"), control).expect("written");
    fs::write(tree.join("usr/sbin/haproxy"), "HAProxy").expect("written");
    run(Command::new("dpkg-deb").args(["--root-owner-group", "--build"]).args([&tree, &deb]));
    deb
}

/// Whoever asks for haproxy gets HAProxy while it is installed, and Pronk before and after.
#[test]
fn the_link_comes_back_when_haproxy_goes() {
    let root = Root::new();
    let folder = tempfile::tempdir().expect("a temporary directory");
    root.dpkg(&["--install", &package(folder.path()).display().to_string()]);
    let target = |path: &str| fs::read_link(root.path(path)).expect("a link");
    let assert_linked = || {
        assert_eq!(target("/usr/sbin/haproxy"), Path::new("/etc/alternatives/haproxy"));
        assert_eq!(target("/etc/alternatives/haproxy"), Path::new("/usr/sbin/pronk"));
    };
    assert_linked();
    root.dpkg(&["--install", &haproxy(folder.path()).display().to_string()]);
    assert_eq!(fs::read_to_string(root.path("/usr/sbin/haproxy")).expect("a file"), "HAProxy");
    assert!(!root.path("/etc/alternatives/haproxy").is_symlink(), "nothing else is to be called haproxy");
    root.dpkg(&["--purge", "haproxy"]);
    assert_linked();
    root.dpkg(&["--purge", "pronk"]);
    assert_eq!(root.files(), [""; 0]);
}

/// The master that ExecStart starts; it and its worker end with the test.
struct Master(Child);

impl Drop for Master {
    fn drop(&mut self) {
        // It may have ended; a worker does not outlive its master.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The unit's command line in the root; the variables are the unit's.
fn unit_command(root: &Root, key: &str, variables: &[(&str, String)]) -> Command {
    let line = UNIT.lines().find_map(|line| line.strip_prefix(key)).expect("the unit has the line");
    let mut words = line.split(' ').map(|word| {
        let value = variables.iter().find(|(name, _)| word == format!("${name}"));
        value.map_or_else(|| word.to_owned(), |(_, value)| value.clone())
    });
    let mut command = Command::new(root.path(&words.next().expect("a program")));
    command.args(words.flat_map(|word| word.split(' ').map(str::to_owned).collect::<Vec<_>>()));
    command
}

/// Start, traffic, reload, traffic, stop, as systemd would.
fn assert_serves(root: &Root) {
    let (port, server) = (Port::reserve(), Threads::echo());
    let config = format!(
        "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n  timeout server 1m\n\
         listen x\n  bind 127.0.0.1:{}\n  server s 127.0.0.1:{}\n",
        port.number,
        server.port()
    );
    fs::write(root.path("/etc/pronk/pronk.cfg"), config).expect("written");
    let place = |path| root.path(path).display().to_string();
    let variables = [
        ("CONFIG", place("/etc/pronk/pronk.cfg")),
        ("PIDFILE", place("/var/pronk.pid")),
        ("EXTRAOPTS", format!("-S {}", place("/var/master.sock"))),
    ];
    let notices = UnixDatagram::bind(root.path("/var/notify")).expect("a socket");
    notices.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
    let mut start = unit_command(root, "ExecStart=", &variables);
    let mut master = Master(start.env("NOTIFY_SOCKET", place("/var/notify")).spawn().expect("it starts"));
    let pid = Pid::from_child(&master.0);
    await_notice(&notices, "READY=1");
    assert_answers(&port);
    run(&mut unit_command(root, "ExecReload=", &variables));
    kill_process(pid, Signal::USR2).expect("it runs");
    await_notice(&notices, "RELOADING=1");
    await_notice(&notices, "READY=1");
    assert_answers(&port);
    kill_process(pid, Signal::TERM).expect("it runs");
    let status = wait_for(PATIENCE, || master.0.try_wait().expect("our child"));
    assert_eq!(status.and_then(|status| status.code()), Some(0));
}

fn await_notice(notices: &UnixDatagram, wanted: &str) {
    let mut bytes = [0; 1024];
    loop {
        let count = notices.recv(&mut bytes).unwrap_or_else(|error| panic!("no {wanted}: {error}"));
        if String::from_utf8_lossy(&bytes[..count]).lines().any(|line| line == wanted) {
            return;
        }
    }
}

fn assert_answers(port: &Port) {
    let mut client = Peer::connect(port.address());
    client.stream.write_all(b"hello").expect("taken");
    let mut answer = [0; 5];
    client.stream.read_exact(&mut answer).expect("brought back");
    assert_eq!(&answer, b"hello");
}
