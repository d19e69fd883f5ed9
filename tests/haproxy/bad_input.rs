//! What an operator gets wrong, a machine refuses, or a peer sends that nobody expects: the same exit status, the
//! same alerts with file and line; and from Pronk with each of them a cause and a remedy.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::io::{FdFlags, fcntl_setfd};

use crate::command_line::{Run, end};
use crate::support::child::command;
use crate::support::port::Port;
use crate::support::proxy::{Program, Proxy};
use crate::support::stats::{ask, column};
use crate::support::{PATIENCE, wait_for};
use crate::world::{S1, World, config, one};
use crate::{installed, scenario};

/// A start that fails. `{at}` is the directory it happens in, `{port}` a free port.
struct Start {
    /// Lines of the global section.
    global: String,
    /// Where the only frontend listens.
    bind: String,
    /// What precedes the program: fewer rights, lower limits.
    before: &'static [&'static str],
    arguments: &'static [&'static str],
    /// Changes the directory, in which `h.cfg` holds the configuration.
    prepare: fn(&Path),
}

const AS_NOBODY: &[&str] = &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

impl Start {
    fn new() -> Start {
        let (global, bind) = (String::new(), "127.0.0.1:{port}".to_owned());
        Start { global, bind, before: &[], arguments: &["-db", "-f", "h.cfg"], prepare: |_| () }
    }

    fn global(line: &str) -> Start {
        Start { global: format!("  {line}\n"), ..Start::new() }
    }

    fn arguments(arguments: &'static [&'static str]) -> Start {
        Start { arguments, ..Start::new() }
    }

    fn text(&self, at: &Path, port: &Port) -> String {
        let text = format!(
            "global\n{}defaults\n  mode tcp\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n\
             listen x\n  bind {}\n",
            self.global, self.bind
        );
        text.replace("{at}", &at.display().to_string()).replace("{port}", &port.number.to_string())
    }

    /// How it ends, and all that is said on standard error.
    fn with(&self, program: &Path, at: &Path) -> (Run, String) {
        let mut words = self.before.iter().copied().map(Path::new).chain([program]);
        let mut command = command(words.next().expect("a program"));
        command.args(words).args(self.arguments).current_dir(at);
        let (run, _) = end(command, at);
        (run, fs::read_to_string(at.join("err")).expect("text"))
    }

    /// Both programs leave with the same status and say the same alerts, whose help Pronk gives in these words.
    fn fails_alike(&self, help: &[&str]) {
        let [theirs, ours] = self.both();
        let (alerts, known) = (alerts(&ours.0), alerts(&theirs.0));
        assert_eq!(ours.0.status, theirs.0.status, "{}\n{}", ours.1, theirs.1);
        assert_ne!(ours.0.status, Some(0));
        assert!(!known.is_empty(), "{}", theirs.1);
        let alike = alerts.len() == known.len()
            && alerts.iter().zip(&known).all(|(ours, theirs)| ours.starts_with(theirs));
        assert!(alike, "{alerts:#?}\n{known:#?}");
        is_explained(&ours.1, help);
    }

    /// Only the status is the same.
    fn fails_as_well(&self, help: &[&str]) {
        let [theirs, ours] = self.both();
        assert_eq!(ours.0.status, theirs.0.status, "{}\n{}", ours.1, theirs.1);
        assert_ne!(ours.0.status, Some(0));
        is_explained(&ours.1, help);
    }

    fn both(&self) -> [(Run, String); 2] {
        let directory = tempfile::tempdir().expect("a directory");
        let at = directory.path();
        fs::set_permissions(at, Permissions::from_mode(0o755)).expect("readable by all");
        fs::write(at.join("h.cfg"), self.text(at, &Port::reserve())).expect("written");
        (self.prepare)(at);
        // Where everybody may execute it.
        let pronk = at.join("pronk");
        fs::copy(Program::Pronk.path(), &pronk).expect("copied");
        [self.with(&installed().path(), at), self.with(&pronk, at)]
    }
}

/// Alerts without what differs by design: the program's path, the name of the protocol that newer versions say, a
/// place that 2.6 says twice, and how many descriptors a process needs.
fn alerts(run: &Run) -> Vec<String> {
    let program = format!("[{}.main()]", installed().path().display());
    let plain = |text: &String| {
        let text = text.replace(&program, "[haproxy.main()]");
        let text = ["tcpv4", "unix_stream"]
            .iter()
            .fold(text, |text, name| text.replace(&format!("protocol {name}: "), ""));
        let place = "parsing [h.cfg:2] : ";
        let text = text.replace(&place.repeat(2), place);
        match text.contains("FD limit") {
            true => text.replace(|c: char| c.is_ascii_digit(), ""),
            false => text.trim_end_matches(['!', '.']).to_owned(),
        }
    };
    run.said.iter().filter(|text| text.starts_with("[ALERT]")).map(plain).collect()
}

/// Every alert that says what is wrong has a help line before the next one, and these words are in it.
fn is_explained(stderr: &str, help: &[&str]) {
    let summary = ["Error(s) found in", "Fatal errors found", "Some protocols failed", "exited with code"];
    let parts = stderr.split("[ALERT]").skip(1);
    for part in parts.filter(|part| !summary.iter().any(|words| part.contains(words))) {
        assert!(part.contains("= help: "), "{stderr}");
    }
    for words in help {
        assert!(
            stderr.lines().any(
                |line| (line.contains("= help: ") || line.starts_with("pronk: ")) && line.contains(words)
            ),
            "{words}\n{stderr}"
        );
    }
}

#[test]
fn files_that_cannot_be_read() {
    let missing = ["there is nothing of that name", "check -f"];
    Start::arguments(&["-f", "nosuch.cfg"]).fails_alike(&missing);
    Start::arguments(&["-c", "-f", "h.cfg", "-f", "nosuch/h.cfg"]).fails_alike(&missing);
    let private = Start {
        before: AS_NOBODY,
        prepare: |at| fs::set_permissions(at.join("h.cfg"), Permissions::from_mode(0o600)).expect("private"),
        ..Start::new()
    };
    private.fails_alike(&["this user may not read it", "'namei -l h.cfg'"]);
    let hidden = Start {
        before: AS_NOBODY,
        arguments: &["-f", "dir"],
        prepare: |at| {
            fs::create_dir(at.join("dir")).expect("created");
            fs::rename(at.join("h.cfg"), at.join("dir/h.cfg")).expect("moved");
            fs::set_permissions(at.join("dir"), Permissions::from_mode(0o700)).expect("private");
        },
        ..Start::new()
    };
    hidden.fails_alike(&["'namei -l dir'"]);
    let empty = Start {
        arguments: &["-f", "dir"],
        prepare: |at| {
            fs::create_dir(at.join("dir")).expect("created");
            fs::rename(at.join("h.cfg"), at.join("dir/h.conf")).expect("moved");
        },
        ..Start::new()
    };
    // 2.6 shows the usage text.
    empty.fails_as_well(&["a directory with files named like 'a.cfg'"]);
}

#[test]
fn options_that_are_not_understood() {
    Start::arguments(&["-zz"]).fails_as_well(&["unknown option '-zz'"]);
    // 2.6 says 'failed to copy argv' of all of them.
    Start::arguments(&["-f"]).fails_as_well(&["option '-f' needs a value: FILE"]);
    Start::arguments(&["-f", "h.cfg", "-p"]).fails_as_well(&["option '-p' needs a value: FILE"]);
    Start::arguments(&["-db", "-f", "h.cfg", "-x", "/nonexistent"])
        .fails_alike(&["nobody answers there", "-x /dev/null"]);
    Start::arguments(&["-f", "h.cfg", "-W", "-db", "-S", "/nonexistent/s.sock"])
        .fails_alike(&["its directory does not exist", "create"]);
}

#[test]
fn addresses_that_are_taken_or_not_to_be_had() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = taken.local_addr().expect("bound");
    let pid = std::process::id();
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).expect("procfs");
    let holder = format!("of '{}' with pid {pid}", name.trim_end());
    let shown = format!("'ss -ltnp sport = :{}'", at.port());
    let help = [holder.as_str(), "stop that", &shown];
    let bind = || Start { bind: at.to_string(), ..Start::new() };
    bind().fails_alike(&help);
    Start { arguments: &["-D", "-f", "h.cfg"], ..bind() }.fails_alike(&help);
    // 2.6 binds in the master, which then has no worker to speak of.
    Start { arguments: &["-W", "-db", "-f", "h.cfg"], ..bind() }.fails_as_well(&help);
    Start::global(&format!("stats socket {at} level admin")).fails_alike(&help);
    let nowhere = Start { bind: "192.0.2.1:{port}".to_owned(), ..Start::new() };
    nowhere.fails_alike(&["no interface of this machine has that address", "net.ipv4.ip_nonlocal_bind"]);
}

#[test]
fn rights_that_are_missing() {
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").expect("the setting");
    assert!(
        first.trim().parse::<u32>().is_ok_and(|first| first > 1),
        "the machine has no privileged ports: {first}"
    );
    let privileged = Start { bind: "127.0.0.1:1".to_owned(), before: AS_NOBODY, ..Start::new() };
    privileged.fails_alike(&["net.ipv4.ip_unprivileged_port_start", "start as root", "cap_net_bind_service"]);
    let another = Start { before: AS_NOBODY, ..Start::global("uid 1") };
    another.fails_alike(&["only root may do that", "start as root"]);
    let jailed = Start { before: AS_NOBODY, ..Start::global("chroot {at}") };
    jailed.fails_alike(&["only root may do that", "remove chroot"]);
    let socket = Start { before: AS_NOBODY, ..Start::global("stats socket {at}/s.sock") };
    socket.fails_alike(&["its directory is not writable for this user", "owner and mode"]);
}

#[test]
fn names_that_do_not_exist() {
    Start::global("user no-such-user").fails_alike(&["'getent passwd'", "'useradd --system no-such-user'"]);
    Start::global("group no-such-group")
        .fails_alike(&["'getent group'", "'groupadd --system no-such-group'"]);
    Start::global("chroot {at}/nosuch").fails_alike(&["there is no such directory", "'install -d -m 755'"]);
    Start::global("stats socket {at}/nosuch/s.sock").fails_alike(&["its directory does not exist", "create"]);
    let long = format!("stats socket /tmp/{}", "x".repeat(120));
    Start::global(&long).fails_alike(&["the kernel keeps it in a fixed field", "choose a shorter one"]);
    Start { arguments: &["-c", "-f", "h.cfg"], ..Start::global(&long) }
        .fails_alike(&["choose a shorter one"]);
    let pidfile = || Start { arguments: &["-D", "-f", "h.cfg"], ..Start::global("pidfile {at}/nosuch/p") };
    pidfile().fails_alike(&["its directory is missing or not writable", "change pidfile (-p)"]);
    Start { arguments: &["-W", "-D", "-f", "h.cfg"], ..pidfile() }.fails_alike(&["change pidfile (-p)"]);
    Start { before: AS_NOBODY, arguments: &["-D", "-p", "/p", "-f", "h.cfg"], ..Start::new() }
        .fails_alike(&["not writable"]);
}

#[test]
fn limits_that_do_not_suffice() {
    const FEW: &[&str] = &["prlimit", "--nofile=1000:1000", "setpriv", "--reuid=65534", "--clear-groups"];
    let many = Start { before: FEW, ..Start::global("maxconn 20000") };
    many.fails_alike(&["more descriptors than this user may open", "LimitNOFILE=", "lower maxconn"]);
    let contradictory = Start { before: FEW, ..Start::global("ulimit-n 900\n  maxconn 20000") };
    contradictory
        .fails_alike(&["a session holds two descriptors", "raise or remove ulimit-n, or lower maxconn"]);
}

/// A device that is always full, which the proxies inherit.
fn full_device() -> fs::File {
    let full = OpenOptions::new().write(true).open("/dev/full").expect("the device");
    fcntl_setfd(&full, FdFlags::empty()).expect("inherited");
    full
}

fn dropped(proxy: &Proxy) -> u64 {
    let info = ask(&proxy.directory().join("stats.sock"), "show info\n").expect("an answer");
    let value = info.lines().find_map(|line| line.strip_prefix("DroppedLogs: ")).expect("a count");
    value.parse().expect("a number")
}

/// Sessions go on where their log lines find no room; these are counted, and said once.
fn loses_lines_and_no_session(program: &Program, target: &str, sessions: u64, told: &[&str]) {
    let long = format!("frontend {}", "f".repeat(1_500));
    let text = config("", S1).replace("log 127.0.0.1:{log}", &format!("log {target}"));
    let text = text.replace("frontend f", &long);
    let mut world = World::new(program, &text, one());
    for _ in 0..sessions {
        let (client, server) = world.relayed();
        drop((client, server));
    }
    // 2.6 counts only what a slow reader costs.
    let counted = || (*program != Program::Pronk || dropped(&world.proxy) > 0).then_some(());
    assert!(wait_for(PATIENCE, counted).is_some(), "{target}");
    let (client, server) = world.relayed();
    drop((client, server));
    let stderr = world.proxy.stderr();
    for words in told {
        assert_eq!(stderr.matches(words).count(), 1, "{words} is said once:\n{stderr}");
    }
}

#[test]
fn a_full_disk_loses_lines_and_no_session() {
    let full = full_device();
    let descriptor = format!("fd@{} format raw", full.as_raw_fd());
    let ours = ["No space left on device", "counted in DroppedLogs", "'df -h'"];
    loses_lines_and_no_session(&installed(), &descriptor, 3, &["No space left on device"]);
    loses_lines_and_no_session(&Program::Pronk, &descriptor, 3, &ours);
    // Lines wait for room before they are lost: it takes some.
    loses_lines_and_no_session(&Program::Pronk, "file@/dev/full len 65535 format raw", 300, &ours);
}

/// What no client of a stats socket would say.
fn garbage() -> [Vec<u8>; 6] {
    let mut random = fastrand::Rng::with_seed(6);
    [
        (0..8_000).map(|_| random.u8(..)).collect(),
        vec![0; 3_000],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b";;;;\n;\n\\;\\\n<<\n<<x\n\n".to_vec(),
        b"show stat \xff\xfe;set server b/s1 weight \x80;@@1 x\n".to_vec(),
    ]
}

fn offends_the_stats_socket(world: &mut World) {
    let socket = world.proxy.directory().join("stats.sock");
    for bytes in garbage() {
        let mut stream = UnixStream::connect(&socket).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        // Either may fail when the other side has left, which is an answer too.
        let _ = stream.write_all(&bytes).and_then(|()| stream.shutdown(Shutdown::Write));
        let ended = stream.read_to_end(&mut Vec::new());
        assert!(
            ended.is_ok() || ended.is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock),
            "an end"
        );
    }
    let answer = ask(&socket, "show info\n").expect("an answer");
    world.note("answers", answer.contains("\nUptime: "));
    let stat = ask(&socket, "show stat\n").expect("an answer");
    world.note("weight", format!("{:?}", column(&stat, ["b", "s1"], "weight")));
    let (client, server) = world.relayed();
    client.close();
    world.note_end("server", &mut { server }, PATIENCE);
    world.note_log();
}

scenario!(garbage_on_the_stats_socket_harms_nothing, config("", S1), one, offends_the_stats_socket);

/// What begins another protocol is nothing but bytes where none was asked for.
fn speaks_other_protocols(world: &mut World) {
    for bytes in [
        &b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nq"[..],
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\0\x01\0\x02",
        b"PROXY NONSENSE \xff\0\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
        b"\x16\x03\x01\xff\xff\xff\xff\xff\xff\xff",
        b"\0",
    ] {
        let mut client = world.connect();
        client.send(bytes);
        client.finish();
        let mut server = world.server(1).accept();
        let arrived = server.receive(bytes.len());
        world.note("unchanged", arrived == bytes);
        server.close();
        world.note_end("client", &mut client, PATIENCE);
    }
}

scenario!(what_begins_another_protocol_is_relayed, config("", S1), one, speaks_other_protocols);
