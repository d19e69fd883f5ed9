//! What the machine refuses at start, and the rights that are given up.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use pronk::sys::passing;

use crate::run::{DEFAULTS, Running, ask, end, finish, pronk, written};
use crate::support::child::{Killed, command};
use crate::support::peer::Peer;
use crate::support::port::Port;
use crate::support::proxy::{Program, Proxy};
use crate::support::server::Server;
use crate::support::{PATIENCE, wait_for};

fn is_root() -> bool {
    fs::metadata("/proc/self").expect("procfs").uid() == 0
}

#[test]
fn an_address_in_use_reads_as_in_haproxy() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound");
    let kept = written(&format!("{DEFAULTS}listen x\n  bind {address}\n"));
    let name = kept.file.display();
    let run = pronk(["-f".as_ref(), kept.file.as_os_str()]);
    assert_eq!(run.code(), 1);
    let text = format!(
        "Binding [{name}:7] for proxy x: protocol tcpv4: cannot bind socket (Address already in use) for [{address}]."
    );
    let alerts: Vec<String> = run.messages().into_iter().filter(|line| line.starts_with("[ALERT]")).collect();
    let last = "[ALERT]    (P) : [haproxy.main()] Some protocols failed to start their listeners! Exiting.";
    assert_eq!(alerts, [format!("[ALERT]    (P) : {text}"), last.to_owned()]);
    assert!(run.stderr.contains("= help: another socket listens there"), "{}", run.stderr);
    let Some(haproxy) = Program::installed_haproxy() else {
        return eprintln!("comparison skipped: no haproxy is installed");
    };
    let theirs = finish(&haproxy, ["-f".as_ref(), kept.file.as_os_str()]);
    // Releases before 3 leave out the protocol and the last full stop; the program's name is its path.
    let called = format!("[{}.main()]", haproxy.path().display());
    let plain = |lines: &[String]| -> Vec<String> {
        lines
            .iter()
            .map(|line| {
                line.replace("protocol tcpv4: ", "")
                    .replace(&called, "[haproxy.main()]")
                    .trim_end_matches('.')
                    .to_owned()
            })
            .collect()
    };
    let theirs: Vec<String> =
        theirs.messages().into_iter().filter(|line| line.starts_with("[ALERT]")).collect();
    assert_eq!(plain(&alerts), plain(&theirs));
}

#[test]
fn a_socket_in_a_missing_directory_is_refused() {
    let kept = written(&format!("global\n  stats socket /nonexistent/s.sock\n{DEFAULTS}"));
    let run = pronk(["-f".as_ref(), kept.file.as_os_str()]);
    assert_eq!(run.code(), 1);
    let text = "for frontend GLOBAL: protocol unix_stream: cannot bind UNIX socket (No such file or directory) [/nonexistent/s.sock].";
    assert!(run.stderr.contains(text), "{}", run.stderr);
}

#[test]
fn an_unknown_user_is_refused_when_checking_too() {
    for what in ["user", "group"] {
        let line = format!("{what} no-such-{what}-pronk");
        let kept = written(&format!("global\n  {line}\n{DEFAULTS}listen x\n  bind 127.0.0.1:9\n"));
        let run = pronk(["-c".as_ref(), "-f".as_ref(), kept.file.as_os_str()]);
        assert_eq!(run.code(), 1, "{line}");
        let text = format!(
            "[ALERT]    (P) : config : parsing [{}:2] : cannot find {what} id for 'no-such-{what}-pronk' (0:Success)",
            kept.file.display()
        );
        assert!(run.messages().contains(&text), "{}", run.stderr);
    }
}

#[test]
fn a_privileged_port_is_refused_without_rights() {
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    if !is_root() || first.trim().parse::<u32>().unwrap_or(0) < 2 {
        return eprintln!("skipped: needs root, and ports below net.ipv4.ip_unprivileged_port_start");
    }
    let kept = written(&format!("{DEFAULTS}listen x\n  bind 127.0.0.1:1\n"));
    let executable = kept.directory.path().join("pronk");
    fs::copy(Program::Pronk.path(), &executable).expect("copied");
    fs::set_permissions(kept.directory.path(), fs::Permissions::from_mode(0o755)).expect("readable by all");
    let mut command = Command::new(&executable);
    command.arg("-f").arg(&kept.file).uid(65_534).gid(65_534);
    let run = end(command);
    assert_eq!(run.code(), 1, "{}", run.stderr);
    assert!(
        run.stderr.contains("cannot bind socket (Permission denied) for [127.0.0.1:1]."),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("cap_net_bind_service"));
}

#[test]
fn root_is_given_up() {
    if !is_root() {
        return eprintln!("skipped: only root can change root directory and user");
    }
    let jail = tempfile::tempdir().expect("a directory");
    let port = Port::reserve();
    let global = format!("  user nobody\n  group nogroup\n  chroot {}\n", jail.path().display());
    let running = Running::start(&global, &format!("listen x\n  bind 127.0.0.1:{}\n", port.number));
    let pid = running.proxy.pid();
    for task in fs::read_dir(format!("/proc/{pid}/task")).expect("its threads") {
        let task = task.expect("a thread").path();
        let status = fs::read_to_string(task.join("status")).expect("its status");
        let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        assert_eq!(line("Uid:"), Some("65534\t65534\t65534\t65534"), "{}", task.display());
        assert_eq!(line("Gid:"), Some("65534\t65534\t65534\t65534"), "{}", task.display());
        assert_eq!(line("Groups:"), Some(""), "{}", task.display());
        assert_eq!(line("NoNewPrivs:"), Some("1"), "{}", task.display());
    }
    let root = fs::read_link(format!("/proc/{pid}/root")).expect("its root");
    assert_eq!(root, jail.path().canonicalize().expect("a path"));
    assert!(port.has_listener());
}

/// As in HAProxy: whoever gives up root's group gives up its others too, also where the user stays.
#[test]
fn a_group_alone_drops_the_supplementary_groups() {
    if !is_root() {
        return eprintln!("skipped: only root can change its groups");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let (file, socket) = (directory.path().join("h.cfg"), directory.path().join("s.sock"));
    let global = format!("global\n  group nogroup\n  stats socket unix@{}\n", socket.display());
    fs::write(&file, global + DEFAULTS).expect("written");
    let mut with_groups = command("setpriv");
    with_groups.args(["--groups", "1,2"]).arg(Program::Pronk.path()).args(["-db", "-f"]).arg(&file);
    let child = Killed(with_groups.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts"));
    let serves = || ask(&socket, "show version\n").ok();
    assert!(wait_for(PATIENCE, serves).is_some());
    let status = fs::read_to_string(format!("/proc/{}/status", child.0.id())).expect("its status");
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    assert_eq!((line("Uid:"), line("Gid:")), (Some("0\t0\t0\t0"), Some("65534\t65534\t65534\t65534")));
    assert_eq!(line("Groups:"), Some(""));
}

#[test]
fn a_root_directory_that_is_not_there_stops_the_start() {
    if !is_root() {
        return eprintln!("skipped: only root can change its root directory");
    }
    let port = Port::reserve();
    let kept = written(&format!(
        "global\n  chroot /nonexistent\n{DEFAULTS}listen x\n  bind 127.0.0.1:{}\n",
        port.number
    ));
    let run = pronk(["-f".as_ref(), kept.file.as_os_str()]);
    assert_eq!(run.code(), 1);
    assert!(run.stderr.contains("[haproxy.main()] Cannot chroot(/nonexistent)"), "{}", run.stderr);
}

#[test]
fn workers_are_pinned_and_leave_signals_alone() {
    let port = Port::reserve();
    let running = Running::start("  nbthread 2\n", &format!("listen x\n  bind 127.0.0.1:{}\n", port.number));
    let mut workers = 0;
    for task in fs::read_dir(format!("/proc/{}/task", running.proxy.pid())).expect("its threads") {
        let task = task.expect("a thread").path();
        let name = fs::read_to_string(task.join("comm")).expect("its name");
        let status = fs::read_to_string(task.join("status")).expect("its status");
        let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let blocked = u64::from_str_radix(line("SigBlk:").expect("a mask"), 16).expect("hexadecimal");
        let term = blocked & (1 << (15 - 1)) != 0;
        if name.starts_with("worker-") {
            workers += 1;
            let cpus = line("Cpus_allowed_list:").expect("a list");
            assert!(cpus.parse::<u16>().is_ok(), "one CPU, not {cpus}");
            assert!(term, "{name} blocks SIGTERM");
        } else if task.ends_with(running.proxy.pid().to_string()) {
            assert!(!term, "the control thread receives SIGTERM");
        }
    }
    assert_eq!(workers, 2);
}

#[test]
fn an_inherited_socket_is_served_whether_it_listens_or_not() {
    let server = Server::listening();
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("bound");
    let address = socket.local_addr().expect("bound").as_socket().expect("IPv4");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("stats");
    let stats = socket2::Socket::from(UnixListener::bind(&path).expect("a listener"));
    let config = format!(
        "global\n  stats socket fd@{} level admin\n{DEFAULTS}listen x\n  option socket-stats\n  \
         bind \"stream+fd@${{SOCKET-{}}}\"\n  server s1 127.0.0.1:{}\n",
        stats.as_raw_fd(),
        socket.as_raw_fd(),
        server.port()
    );
    for socket in [&socket, &stats] {
        socket.set_cloexec(false).expect("inherited");
    }
    let proxy = Proxy::spawn(&Program::Pronk, &config, &["-db"]);
    for socket in [socket, stats] {
        socket.set_cloexec(true).expect("no longer inherited");
    }
    let client = wait_for(PATIENCE, || TcpStream::connect(address).ok());
    let mut client = Peer::over(client.unwrap_or_else(|| panic!("{}", proxy.stderr())));
    assert!(client.send(b"through"));
    assert_eq!(server.accept().receive_text(7), "through");
    // Where they are bound is told, not by what number they came.
    let sockets = ask(&path, "show cli sockets\n").expect("an answer");
    assert!(sockets.contains(&format!("\nunix@{} admin all\n", path.display())), "{sockets}");
    let stat = ask(&path, "show stat x 8 -1\n").expect("an answer");
    assert!(stat.contains(&format!(",{address},")) && stat.contains(",tcpv4,"), "{stat}");
}

/// A connection whose other end goes over the pair.
fn passed_over(pair: &UnixStream) -> UnixStream {
    let (near, far) = UnixStream::pair().expect("a pair");
    passing::send(pair.as_fd(), b"x", &[far.as_fd()]).expect("sent");
    near.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    near
}

/// Starts with the far ends of two pairs: connections arrive over them as descriptors, here and in haproxy.
fn served_over_pairs(program: &Program) {
    let server = Server::listening();
    let ((clients, bind), (stats, console)) =
        (UnixStream::pair().expect("a pair"), UnixStream::pair().expect("a pair"));
    let config = format!(
        "global\n  stats socket sockpair@{} level admin\n{DEFAULTS}listen x\n  option socket-stats\n  \
         bind sockpair@{}\n  server s1 127.0.0.1:{}\n",
        console.as_raw_fd(),
        bind.as_raw_fd(),
        server.port()
    );
    let far = [socket2::Socket::from(bind), socket2::Socket::from(console)];
    far.iter().for_each(|socket| socket.set_cloexec(false).expect("inherited"));
    let _proxy = Proxy::spawn(program, &config, &["-db"]);
    far.iter().for_each(|socket| socket.set_cloexec(true).expect("no longer inherited"));
    let ask = |line: &str| {
        let mut console = passed_over(&stats);
        console.write_all(line.as_bytes()).expect("sent");
        let mut answer = String::new();
        console.read_to_string(&mut answer).expect("an answer");
        answer
    };
    for text in ["over a pair", "and again", "and once more"] {
        let mut client = passed_over(&clients);
        client.write_all(text.as_bytes()).expect("sent");
        let mut peer = server.accept();
        assert_eq!(peer.receive_text(text.len()), text);
        peer.send(b"answered");
        let mut answer = [0; 8];
        client.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"answered");
        // What comes without a descriptor means nothing.
        passing::send(clients.as_fd(), b"rubbish", &[]).expect("sent");
    }
    assert!(ask("show cli sockets\n").contains(&format!("\nsockpair@{} admin all\n", far[1].as_raw_fd())));
    let stat = ask("show stat\n");
    assert_eq!(crate::support::stats::column(&stat, ["x", "sock-1"], "addr").expect("a row"), "");
    let sessions = crate::support::stats::column(&stat, ["x", "FRONTEND"], "stot").expect("a row");
    assert_eq!(sessions, "3", "{program:?}: {stat}");
    if matches!(program, Program::Pronk) {
        drop(far);
        assert_eq!(ask("shutdown frontend x\n"), "\n");
        let mut clients = clients;
        clients.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        assert_eq!(clients.read(&mut [0]).expect("the other end is closed"), 0);
    }
}

#[test]
fn connections_arrive_over_a_pair_of_sockets() {
    std::iter::once(Program::Pronk).chain(Program::installed_haproxy()).for_each(|p| served_over_pairs(&p));
    let kept = written(&format!("{DEFAULTS}listen x\n  bind sockpair@2\n"));
    let run = pronk(["-f".as_ref(), kept.file.as_os_str()]);
    let refused = "cannot use inherited descriptor (Socket operation on non-socket) [sockpair@2].";
    assert!(run.code() == 1 && run.stderr.contains(refused), "{}", run.stderr);
}

#[test]
fn what_is_no_socket_is_not_served() {
    let kept = written(&format!("{DEFAULTS}listen x\n  bind fd@2\n"));
    let run = pronk(["-f".as_ref(), kept.file.as_os_str()]);
    assert_eq!(run.code(), 1);
    assert!(
        run.stderr.contains("cannot use inherited descriptor (Socket operation on non-socket) [fd@2]."),
        "{}",
        run.stderr
    );
}

#[test]
fn a_refused_ring_stops_the_start_with_its_remedy() {
    let port = Port::reserve();
    let global = "global\n  tune.bufsize 16777216\n";
    let kept = written(&format!("{global}{DEFAULTS}listen x\n  bind 127.0.0.1:{}\n", port.number));
    // Too little address space for the rings and their buffers, which are at least 64.
    let run = pronk(["-m".as_ref(), "500".as_ref(), "-f".as_ref(), kept.file.as_os_str()]);
    assert_eq!(run.code(), 1, "{}", run.stderr);
    assert!(run.stderr.contains("cannot set up the io_uring of the worker"), "{}", run.stderr);
    assert!(run.stderr.contains("= help: there is no memory for the ring"), "{}", run.stderr);
}

/// HAProxy does so too: what is only reserved counts for the limit.
#[test]
fn many_workers_start_with_little_address_space() {
    let (port, server) = (Port::reserve(), crate::support::echo::Threads::echo());
    let sections =
        format!("listen x\n  bind 127.0.0.1:{}\n  server s 127.0.0.1:{}\n", port.number, server.port());
    let _running = Running::start_with("  nbthread 16\n", &sections, &["-db", "-m", "512"]);
    for _ in 0..32 {
        let mut client = Peer::connect(port.address());
        assert!(client.send(b"hello"));
        assert_eq!(client.receive_text(5), "hello");
    }
}

#[test]
fn unix_and_abstract_sockets_are_served() {
    let server = Server::listening();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("x.sock");
    let name = format!("pronk-test-{}", std::process::id());
    let sections = format!(
        "listen x\n  option socket-stats\n  bind unix@{} mode 600\n  bind abns@{name}\n  bind abnsz@{name}\n  server s1 127.0.0.1:{}\n",
        path.display(),
        server.port()
    );
    let running = Running::start("", &sections);
    assert_eq!(fs::metadata(&path).expect("a socket").permissions().mode() & 0o777, 0o600);
    let mut client = UnixStream::connect(&path).expect("connected");
    client.write_all(b"by path").expect("sent");
    assert_eq!(server.accept().receive_text(7), "by path");
    // As in HAProxy the name is filled up to its whole length.
    let mut full = name.clone().into_bytes();
    full.resize(107, 0);
    // `abnsz@` leaves it as it is.
    for name in [full, name.into_bytes()] {
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name).expect("a name");
        let mut client = UnixStream::connect_addr(&address).expect("connected");
        client.write_all(b"by name").expect("sent");
        assert_eq!(server.accept().receive_text(7), "by name");
    }
    let stat = running.ask("show stat x 4 -1") + &running.ask("show stat x 8 -1");
    assert!(stat.contains(",abnsz_stream,") && stat.contains(",abns_stream,"), "{stat}");
}

#[test]
fn a_cpu_that_is_not_there_is_told_and_no_reason_to_stop() {
    let port = Port::reserve();
    let global = "  nbthread 1\n  cpu-map 1 63\n";
    if std::thread::available_parallelism().map_or(1, usize::from) > 63 {
        return eprintln!("skipped: this machine has CPU 63");
    }
    let running = Running::start(global, &format!("listen x\n  bind 127.0.0.1:{}\n", port.number));
    let told = "worker 1 cannot be bound to CPU 63 of cpu-map (Invalid argument)";
    assert!(running.proxy.stderr().contains(told), "{}", running.proxy.stderr());
}
