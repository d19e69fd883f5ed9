//! `reload` on the stats socket: the running process follows a changed file, and no session notices.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::run::{DEFAULTS, Running, ask};
use crate::support::child::{Killed, command};
use crate::support::echo::Threads;
use crate::support::peer::Peer;
use crate::support::port::Port;
use crate::support::proxy::Program;
use crate::support::server::Server;
use crate::support::stats;
use crate::support::storm::Storm;
use crate::support::syslog::Syslog;
use crate::support::{PATIENCE, wait_for};

const RELOADS: usize = 10;
const LONG: usize = 200;

/// Writes another file and asks for a reload; the answer.
fn reload(running: &Running, global: &str, sections: &str) -> String {
    let text = format!("global\n  stats socket unix@s.sock level admin\n{global}\n{DEFAULTS}\n{sections}\n");
    fs::write(running.proxy.directory().join("haproxy.cfg"), text).expect("written");
    running.ask("reload")
}

fn followed(running: &Running, global: &str, sections: &str) {
    let answer = reload(running, global, sections);
    assert!(answer.starts_with("Success=1\n--\n"), "{sections}\n{answer}\n{}", running.proxy.stderr());
}

/// Proxy, name and one column of every row.
fn column(running: &Running, name: &str) -> Vec<String> {
    let stat = running.ask("show stat");
    let mut lines = stat.lines().filter(|line| !line.is_empty());
    let head: Vec<&str> = lines.next().expect("a header").trim_start_matches("# ").split(',').collect();
    let at = head.iter().position(|column| *column == name).expect("a column");
    let value = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        format!("{}/{} {}", fields[0], fields[1], fields[at])
    };
    lines.map(value).collect()
}

/// An empty directory and the lines of `global` that leave the process nothing else. None: only root may do that.
fn confined() -> Option<(tempfile::TempDir, String)> {
    if fs::metadata("/proc/self").expect("procfs").uid() != 0 {
        eprintln!("skipped: only root can change root directory and user");
        return None;
    }
    let jail = tempfile::tempdir().expect("a directory");
    let global = format!("  user nobody\n  group nogroup\n  chroot {}\n", jail.path().display());
    Some((jail, global))
}

/// `Pid: NUMBER` of the process that answers.
fn pid_line(running: &Running) -> String {
    let info = running.ask("show info");
    info.lines().find(|line| line.starts_with("Pid: ")).expect("a pid").to_owned()
}

#[test]
fn ten_reloads_lose_nothing() {
    let (one, two) = (Threads::echo(), Threads::echo());
    let (port, other) = (Port::reserve(), Port::reserve());
    let sections = |round: usize| {
        let (name, second) = if round.is_multiple_of(3) { ("x", "y") } else { ("renamed", "y") };
        let balance = ["roundrobin", "leastconn", "source", "random"][round % 4];
        let servers = [
            format!("  server a{} 127.0.0.1:{} weight {}\n", round % 5, one.port(), round + 1),
            format!("  server b 127.0.0.1:{} maxconn {}\n", two.port(), 500 + round),
        ];
        let servers =
            if round.is_multiple_of(2) { servers.concat() } else { servers[1].clone() + &servers[0] };
        let option = if round % 4 == 3 { " mss 1400" } else { "" };
        let further = match round % 2 {
            0 => String::new(),
            _ => format!(
                "listen {second}\n  bind 127.0.0.1:{}{option}\n  server s 127.0.0.1:{}\n",
                other.number,
                one.port()
            ),
        };
        format!(
            "listen {name}\n  bind 127.0.0.1:{}{}\n  balance {balance}\n  timeout client {}s\n{servers}{further}",
            port.number,
            ["", " mss 1400"][usize::from(round == 4 || round == 9)],
            10 + round,
        )
    };
    let running = Running::start("  nbthread 2\n", &sections(0));
    let pid = running.proxy.pid();
    let storm = Storm::begin(port.address(), LONG);
    for round in 1..=RELOADS {
        storm.pass(50);
        followed(&running, "  nbthread 2\n", &sections(round));
        assert_eq!(storm.failures(), Vec::<String>::new(), "reload {round}");
        let served = round % 2 == 1;
        let there = wait_for(PATIENCE, || (other.has_listener() == served).then_some(()));
        assert!(there.is_some(), "the other address after reload {round}");
        if served {
            let mut peer = Peer::connect(other.address());
            peer.send(b"hello");
            assert_eq!(peer.receive(5), b"hello");
        }
    }
    storm.pass(50);
    println!("{} short and {LONG} long connections over {RELOADS} reloads, none lost", storm.end());
    assert!(running.ask("show info").contains(&format!("Pid: {pid}\n")));
}

#[test]
fn a_bad_file_changes_nothing_and_says_why() {
    let (port, server) = (Port::reserve(), Threads::echo());
    let good =
        format!("listen x\n  bind 127.0.0.1:{}\n  server s 127.0.0.1:{}\n", port.number, server.port());
    let running = Running::start("", &good);
    let before = column(&running, "addr");
    let answer = reload(&running, "", &good.replace("server s", "sever s"));
    assert!(answer.starts_with("Success=0\n--\n"), "{answer}");
    assert!(answer.contains("[ALERT]") && answer.contains("unknown keyword 'sever'"), "{answer}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound");
    let answer = reload(&running, "", &format!("{good}listen y\n  bind {address}\n  server t 127.0.0.1:9\n"));
    let text =
        format!("for proxy y: protocol tcpv4: cannot bind socket (Address already in use) for [{address}].");
    assert!(answer.starts_with("Success=0\n--\n") && answer.contains(&text), "{answer}");
    fs::remove_file(running.proxy.directory().join("haproxy.cfg")).expect("removed");
    let answer = running.ask("reload");
    assert!(
        answer.starts_with("Success=0\n--\n") && answer.contains("No such file or directory"),
        "{answer}"
    );
    assert_eq!(column(&running, "addr"), before);
    let mut peer = Peer::connect(port.address());
    peer.send(b"hello");
    assert_eq!(peer.receive(5), b"hello");
    followed(&running, "", &good);
}

#[test]
fn a_session_keeps_its_server_and_its_line() {
    let (port, mut syslog) = (Port::reserve(), Syslog::bind());
    let (old, new) = (Server::listening(), Server::listening());
    let sections = |server: &str, to: u16, option: &str| {
        format!(
            "listen x\n  bind 127.0.0.1:{}\n  log 127.0.0.1:{} local0\n{option}  server {server} 127.0.0.1:{to}\n",
            port.number,
            syslog.port(),
        )
    };
    let (first, second) = (sections("old", old.port(), "  option tcplog\n"), sections("new", new.port(), ""));
    let running = Running::start("", &first);
    let mut kept = Peer::connect(port.address());
    let mut its = old.accept();
    followed(&running, "", &second);
    kept.send(b"ping");
    assert_eq!(its.receive(4), b"ping");
    its.send(b"pong");
    assert_eq!(kept.receive(4), b"pong");
    let fresh = Peer::connect(port.address());
    drop(new.accept());
    let line = syslog.line_where(PATIENCE, |line| line.contains("Connect from")).expect("the new form");
    assert!(line.ends_with("(x/TCP)"), "{line}");
    assert_eq!(
        column(&running, "sid"),
        ["x/FRONTEND 0", "x/new 1", "x/BACKEND 0"],
        "only names of today are shown"
    );
    drop((kept, its, fresh));
    let line = syslog.line_where(PATIENCE, |line| line.contains(" x x/")).expect("the old form");
    assert!(line.contains(" x x/old "), "{line}");
}

#[test]
fn counts_and_ids_of_what_stays_go_on() {
    let (port, server) = (Port::reserve(), Threads::echo());
    let listen =
        |name: &str, servers: &str| format!("listen {name}\n  bind 127.0.0.1:{}\n{servers}", port.number);
    let one = format!("  server one 127.0.0.1:{}\n", server.port());
    let running = Running::start("", &listen("x", &(one.clone() + "  server gone 127.0.0.1:9 disabled\n")));
    let mut peer = Peer::connect(port.address());
    peer.send(b"hello");
    assert_eq!(peer.receive(5), b"hello");
    let ids = [column(&running, "iid"), column(&running, "sid")];
    assert_eq!(column(&running, "stot"), ["x/FRONTEND 1", "x/one 1", "x/gone 0", "x/BACKEND 1"]);
    let more = format!(
        "backend before\n  server z 127.0.0.1:9\n{}",
        listen("x", &("  server new 127.0.0.1:9 disabled\n".to_owned() + &one))
    );
    followed(&running, "", &more);
    assert_eq!(
        column(&running, "stot"),
        ["x/FRONTEND 1", "x/new 0", "x/one 1", "x/BACKEND 1", "before/z 0", "before/BACKEND 0"]
    );
    let now = [column(&running, "iid"), column(&running, "sid")];
    assert_eq!((&now[0][0], &now[1][2]), (&ids[0][0], &ids[1][1]));
}

#[test]
fn what_needs_a_restart_is_said_by_name() {
    let port = Port::reserve();
    let sections = format!("listen x\n  bind 127.0.0.1:{}\n  server s 127.0.0.1:9\n", port.number);
    let running = Running::start("  nbthread 1\n  maxconn 100\n", &sections);
    let answer = reload(&running, "  nbthread 2\n  maxconn 90\n  log-tag other\n", &sections);
    assert!(answer.starts_with("Success=1\n--\n[WARNING]"), "{answer}");
    assert!(answer.contains("'nbthread' cannot be changed") && !answer.contains("maxconn"), "{answer}");
    let info = running.ask("show info");
    assert!(info.contains("Nbthread: 1\n") && info.contains("Maxconn: 90\n"), "{info}");
    let answer = reload(&running, "  maxconn 100000000\n", &sections);
    assert!(answer.contains("'maxconn 100000000' needs more descriptors"), "{answer}");
    assert_eq!(running.ask("operator;reload"), "\nPermission denied\n\n");
}

/// As with Debian's unit and configuration.
#[test]
fn a_master_in_the_foreground_makes_no_daemon_of_its_worker() {
    let (port, server) = (Port::reserve(), Threads::echo());
    let sections =
        format!("listen x\n  bind 127.0.0.1:{}\n  server s 127.0.0.1:{}\n", port.number, server.port());
    let running = Running::start_with("  daemon\n", &sections, &["-Ws"]);
    assert_eq!(reload(&running, "  daemon\n", &sections).trim_end(), "Success=1\n--");
    let answer = reload(&running, "  nbthread 7\n  daemon\n", &sections);
    assert!(answer.contains("'nbthread' cannot be changed") && !answer.contains("'daemon'"), "{answer}");
}

#[test]
fn a_chroot_and_another_user_do_not_keep_the_file_from_being_read() {
    let Some((_jail, global)) = confined() else { return };
    let (port, server) = (Port::reserve(), Threads::echo());
    // A port that nobody holds: this test's user shares none with the other one.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let listen = |name: &str, port: u16| {
        format!("listen {name}\n  bind 127.0.0.1:{port}\n  server s localhost:{}\n", server.port())
    };
    let running = Running::start(&global, &listen("x", port.number));
    let directory = running.proxy.directory().to_owned();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).expect("readable by all");
    // The address goes to a section of another name: its sockets are root's, and stay.
    followed(&running, &global, &(listen("renamed", port.number) + &listen("more", free.port())));
    for address in [port.address(), free] {
        let mut peer = Peer::connect(address);
        peer.send(b"hello");
        assert_eq!(peer.receive(5), b"hello");
    }
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    if first.trim().parse::<u32>().unwrap_or(0) > 1 {
        let answer = reload(&running, &global, &(listen("renamed", port.number) + &listen("low", 1)));
        assert!(answer.contains("cannot bind socket (Permission denied) for [127.0.0.1:1]"), "{answer}");
        assert!(answer.contains("this process has given its rights up: restart"), "{answer}");
        let mut peer = Peer::connect(free);
        peer.send(b"hello");
        assert_eq!(peer.receive(5), b"hello");
    }
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).expect("root's alone");
    let answer = ask(&running.socket(), "reload\n").expect("an answer");
    assert!(answer.starts_with("Success=0\n--\n") && answer.contains("Permission denied"), "{answer}");
}

#[test]
fn queued_connections_of_an_address_that_goes_are_served() {
    let (port, other, server) = (Port::reserve(), Port::reserve(), Threads::echo());
    let listen = |port: &Port| {
        format!("listen x\n  bind 127.0.0.1:{}\n  server s 127.0.0.1:{}\n", port.number, server.port())
    };
    let running = Running::start("  nbthread 2\n", &listen(&port));
    for round in 0..6 {
        let (from, to) = if round % 2 == 0 { (&port, &other) } else { (&other, &port) };
        let address = from.address();
        let clients = std::thread::spawn(move || {
            let mut served = 0;
            while let Ok(mut stream) = TcpStream::connect(address) {
                stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
                std::io::Write::write_all(&mut stream, b"x").expect("a connection that was made is served");
                stream.read_exact(&mut [0]).expect("a connection that was made is served");
                served += 1;
            }
            served
        });
        followed(&running, "  nbthread 2\n", &listen(to));
        assert!(clients.join().expect("no client was lost") > 0 || round > 0);
    }
}

/// Echoes through a listening socket.
fn passes(mut stream: impl Read + std::io::Write) {
    stream.write_all(b"hello").expect("sent");
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"hello");
}

/// A port of root's that nobody listens on; None: every port is everybody's here.
fn privileged_port() -> Option<u16> {
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    let first: u16 = first.trim().parse().unwrap_or(0);
    (600..first).rev().find(|&port| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok())
}

#[test]
fn a_master_reads_and_binds_for_a_worker_without_rights() {
    let Some((_jail, global)) = confined() else { return };
    let (port, server) = (Port::reserve(), Threads::echo());
    let listen = |name: &str, address: &str| {
        format!("listen {name}\n  bind {address}\n  server s localhost:{}\n", server.port())
    };
    let first = listen("x", &format!("127.0.0.1:{}", port.number));
    let running = Running::start_with(&global, &first, &["-W"]);
    // The directory is root's alone, and the worker's paths are below the chroot.
    fs::set_permissions(running.proxy.directory(), fs::Permissions::from_mode(0o700)).expect("root's alone");
    let worker = pid_line(&running);
    let unix = running.proxy.directory().join("u.sock");
    let mut sections = first.clone() + &listen("u", &format!("unix@{} mode 600", unix.display()));
    let low = privileged_port();
    if let Some(low) = low {
        sections += &listen("low", &format!("127.0.0.1:{low}"));
    }
    // Values of an ACL, from a file that was not there at the start.
    let list = running.proxy.directory().join("local.lst");
    fs::write(&list, "127.0.0.0/8\n").expect("written");
    sections += &format!(
        "frontend f\n  bind unix@{0}/f.sock\n  acl never src -f {1}\n  default_backend x\n",
        running.proxy.directory().display(),
        list.display()
    );
    followed(&running, &global, &sections);
    assert_eq!(pid_line(&running), worker, "the same worker");
    // Nothing that it has open leads out of the chroot.
    let pid = worker.trim_start_matches("Pid: ");
    let open = fs::read_dir(format!("/proc/{pid}/fd")).expect("readable by root").flatten();
    let places: Vec<_> = open.filter_map(|entry| fs::read_link(entry.path()).ok()).collect();
    assert!(!places.iter().any(|place| place.is_dir()), "{places:?}");
    passes(std::os::unix::net::UnixStream::connect(&unix).expect("in its place"));
    assert_eq!(fs::metadata(&unix).expect("there").mode() & 0o777, 0o600);
    if let Some(low) = low {
        passes(TcpStream::connect(("127.0.0.1", low)).expect("bound"));
    }
    passes(TcpStream::connect(port.address()).expect("still there"));
    // What cannot be bound changes nothing and leaves nothing behind.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let _holder = std::net::TcpListener::bind(taken).expect("held");
    let other = running.proxy.directory().join("v.sock");
    let wrong = sections.clone()
        + &listen("v", &format!("unix@{}", other.display()))
        + &listen("taken", &taken.to_string());
    let answer = reload(&running, &global, &wrong);
    assert!(answer.contains("cannot bind socket (Address already in use)"), "{answer}");
    let left = fs::read_dir(running.proxy.directory()).expect("readable").flatten();
    let left: Vec<_> = left
        .map(|entry| entry.file_name())
        .filter(|name| name.to_string_lossy().contains("v.sock"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    followed(&running, &global, &sections);
    assert!(reload(&running, &global, "nonsense\n").contains("unknown keyword 'nonsense'"));
    passes(TcpStream::connect(port.address()).expect("still there"));
}

#[test]
fn a_master_opens_log_targets_for_a_worker_without_rights() {
    let Some((_jail, global)) = confined() else { return };
    let (port, server) = (Port::reserve(), Threads::echo());
    let listen = |lines: &str| {
        let (port, server) = (port.number, server.port());
        format!("listen x\n  bind 127.0.0.1:{port}\n{lines}  option tcplog\n  server s 127.0.0.1:{server}\n")
    };
    let running = Running::start_with(&global, &listen(""), &["-W"]);
    let directory = running.proxy.directory().to_owned();
    // The directory is root's alone, and the worker's paths are below the chroot.
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).expect("root's alone");
    let worker = pid_line(&running);
    let (file, socket) = (directory.join("x.log"), directory.join("log.sock"));
    let daemon = std::os::unix::net::UnixDatagram::bind(&socket).expect("bound");
    daemon.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    let targets = format!("  log file@{} local0\n  log {} local0\n", file.display(), socket.display());
    followed(&running, &global, &listen(&targets));
    assert_eq!(pid_line(&running), worker, "the same worker");
    passes(TcpStream::connect(port.address()).expect("served"));
    let line = |text: &str| text.lines().any(|line| line.contains(" x x/s "));
    let written = || line(&fs::read_to_string(&file).unwrap_or_default()).then_some(());
    assert!(wait_for(PATIENCE, written).is_some(), "{}", running.proxy.stderr());
    let mut datagram = [0; 2_000];
    let received =
        || daemon.recv(&mut datagram).map(|length| line(&String::from_utf8_lossy(&datagram[..length])));
    assert!(std::iter::repeat_with(received).any(|told| told.expect("a line")));
    let nowhere = format!("  log file@{}/nosuch/x.log local0\n", directory.display());
    let answer = reload(&running, &global, &listen(&nowhere));
    assert!(answer.starts_with("Success=0\n--\n"), "{answer}");
    assert!(answer.contains("cannot open the log file (No such file or directory)"), "{answer}");
    passes(TcpStream::connect(port.address()).expect("served"));
}

/// A fifo in the place of the file: its reader waits until the writing end, which opens once it reads, is closed.
fn stall(file: &Path) -> impl FnOnce() -> fs::File {
    fs::remove_file(file).expect("the file was there");
    mknodat(CWD, file, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a fifo");
    let open = move || fs::File::options().write(true).custom_flags(libc::O_NONBLOCK).open(file).ok();
    move || wait_for(PATIENCE, open).expect("somebody reads")
}

#[test]
fn who_waits_for_a_reload_of_a_process_that_ends_is_told() {
    let master = &["-W", "-S", "unix@m.sock"][..];
    for (arguments, socket, signal) in
        [(master, "m.sock", "TERM"), (&["-db"], "s.sock", "TERM"), (&["-db"], "s.sock", "USR1")]
    {
        let port = Port::reserve();
        let listen = format!("listen x\n  bind 127.0.0.1:{}\n", port.number);
        let mut running = Running::start_with("", &listen, arguments);
        let directory = running.proxy.directory().to_owned();
        let file = directory.join("haproxy.cfg");
        let read = stall(&file);
        let asking = std::thread::spawn(move || ask(&directory.join(socket), "reload\n"));
        let writer = read();
        running.proxy.signal(signal);
        let answer = asking.join().expect("a thread").unwrap_or_default();
        drop(writer);
        assert!(running.proxy.wait(PATIENCE).is_some(), "it ends");
        let told = answer.strip_prefix("Success=0\n--\n").unwrap_or_else(|| panic!("'{answer}'"));
        assert!(told.contains("takes no new configuration"), "{answer}");
        assert_eq!(told.trim().lines().count(), 1, "{answer}");
    }
}

/// Pronk with a table of hosts of its own, which the test changes. None: only root may do that, and not everywhere.
struct Named {
    _child: Killed,
    folder: tempfile::TempDir,
}

impl Named {
    fn start(hosts: &str, sections: &str) -> Option<Named> {
        let folder = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
        write("hosts", hosts);
        write("nsswitch.conf", "hosts: files\n");
        write("h.cfg", &format!("global\n  stats socket unix@s.sock level admin\n{DEFAULTS}{sections}"));
        let mount = "mount --bind hosts /etc/hosts && mount --bind nsswitch.conf /etc/nsswitch.conf";
        let in_namespace = |script: &str| {
            let mut command = command("unshare");
            command.current_dir(folder.path()).args(["-m", "sh", "-c", script]);
            command.arg(Program::Pronk.path()).args(["-db", "-f", "h.cfg"]).stdin(Stdio::null());
            command
        };
        if !in_namespace(mount).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            eprintln!("skipped: no mount namespace can be made here");
            return None;
        }
        let child = in_namespace(&format!("{mount} && exec \"$0\" \"$@\"")).spawn().expect("it starts");
        let named = Named { _child: Killed(child), folder };
        let serves = || ask(&named.folder.path().join("s.sock"), "show version\n").ok();
        assert!(wait_for(PATIENCE, serves).is_some());
        Some(named)
    }

    fn ask(&self, line: &str) -> String {
        ask(&self.folder.path().join("s.sock"), &format!("{line}\n")).expect("an answer")
    }

    /// With this table of hosts.
    fn reload(&self, hosts: &str) -> String {
        fs::write(self.folder.path().join("hosts"), hosts).expect("written");
        self.ask("reload")
    }

    fn address(&self, proxy: &str) -> (String, String) {
        let stat = self.ask("show stat");
        let field = |name: &str| {
            stats::column(&stat, [proxy, "s"], name).unwrap_or_default().trim_matches('"').to_owned()
        };
        (field("addr"), field("status"))
    }
}

#[test]
fn a_name_that_nobody_knows_for_now_keeps_its_address() {
    let (first, second, server) = (Port::reserve(), Port::reserve(), Threads::echo());
    let listen = |name: &str, port: &Port, lines: &str| {
        format!(
            "listen {name}\n  bind 127.0.0.1:{}\n{lines}  server s coordinator:{}\n",
            port.number,
            server.port()
        )
    };
    let sections =
        listen("waits", &first, "  default-server init-addr last,libc,none\n") + &listen("x", &second, "");
    let Some(named) = Named::start("127.0.0.1 coordinator\n", &sections) else { return };
    let serves = |address: &str, answer: &str| {
        assert!(answer.starts_with("Success=1\n"), "{answer}");
        for (proxy, port) in [("waits", &first), ("x", &second)] {
            let address = format!("{address}:{}", server.port());
            assert_eq!(named.address(proxy), (address, "no check".to_owned()), "{answer}");
            if port.has_listener() && answer.contains("127.0.0.1") {
                passes(TcpStream::connect(port.address()).expect("served"));
            }
        }
    };
    let answer = named.reload("127.0.0.9 other\n");
    serves("127.0.0.1", &answer);
    let told = "[WARNING]";
    assert!(answer.contains(told) && answer.contains("could not resolve address 'coordinator'"), "{answer}");
    assert!(answer.contains("127.0.0.1 stays"), "{answer}");
    let answer = named.reload("127.0.0.2 coordinator\n");
    assert!(!answer.contains(told), "{answer}");
    serves("127.0.0.2", &answer);
    // What counts is what the process knew last, not what it began with.
    serves("127.0.0.2", &named.reload("127.0.0.9 other\n"));
}
