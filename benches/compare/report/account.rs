//! Where a proxy's CPU went, from sampled call chains: what the kernel's sockets cost, and what is the proxy's doing.

use std::fmt::Write;

/// What a sample is counted as: the first function from the system call inwards that is named here decides.
const KINDS: [(Kind, &[&str]); 8] = [
    (Kind::Splice, &["do_splice"]),
    (Kind::Log, &["udp_sendmsg", "udpv6_sendmsg", "unix_dgram_sendmsg"]),
    (Kind::Send, &["tcp_sendmsg", "unix_stream_sendmsg"]),
    (Kind::Receive, &["tcp_recvmsg", "unix_stream_recvmsg"]),
    (Kind::Open, &["__sys_socket", "do_accept"]),
    (Kind::Connect, &["inet_stream_connect", "unix_stream_connect"]),
    (Kind::Close, &["__fput", "inet_shutdown", "unix_shutdown"]),
    (Kind::Interrupts, &["handle_softirqs", "__do_softirq", "do_softirq"]),
];

/// Unless something else is done meanwhile.
const WAITING: &str = "schedule";

/// One share of the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// splice(2), whole: the socket's work and the pipe's.
    Splice,
    /// Datagrams: log lines.
    Log,
    /// Bytes given to a stream socket, with all that loopback does in the sender's name: the receiver's protocol too.
    Send,
    /// Bytes taken from a stream socket.
    Receive,
    /// Sockets made and connections accepted.
    Open,
    /// Connections made.
    Connect,
    /// Connections shut down, and sockets closed.
    Close,
    /// Packets that arrived meanwhile.
    Interrupts,
    /// Going to sleep and waking up.
    Waiting,
    /// The rest of the kernel: entering system calls, readiness, the ring.
    Calls,
    /// Outside the kernel.
    Own,
}

impl Kind {
    const ALL: [Kind; 11] = [
        Kind::Splice,
        Kind::Log,
        Kind::Send,
        Kind::Receive,
        Kind::Open,
        Kind::Connect,
        Kind::Close,
        Kind::Interrupts,
        Kind::Waiting,
        Kind::Calls,
        Kind::Own,
    ];

    /// Whether it is the work of sockets and pipes, which a proxy that moves its bytes in this way cannot save.
    fn is_sockets(self) -> bool {
        !matches!(self, Kind::Waiting | Kind::Calls | Kind::Own)
    }

    fn label(self) -> &'static str {
        match self {
            Kind::Splice => "splice",
            Kind::Log => "log lines sent",
            Kind::Send => "sending",
            Kind::Receive => "receiving",
            Kind::Open => "sockets made and accepted",
            Kind::Connect => "connecting",
            Kind::Close => "shutting down and closing",
            Kind::Interrupts => "packets that arrived meanwhile",
            Kind::Waiting => "sleeping and waking",
            Kind::Calls => "rest of the kernel: system calls, readiness, the ring",
            Kind::Own => "the proxy's own code",
        }
    }
}

/// Samples by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    counts: [u64; Kind::ALL.len()],
}

impl Account {
    /// Reads what `perf script -F comm,tid,ip,sym` prints of chains that hold the kernel's functions only: a line for
    /// the thread, and one for each function from the innermost outwards, none of what ran outside the kernel.
    pub fn read(script: &str) -> Account {
        let mut account = Account::default();
        let samples = script.split("\n\n").map(str::trim_end).filter(|sample| !sample.is_empty());
        for sample in samples {
            let functions = sample.lines().skip(1).filter_map(|line| line.trim().split_once(' '));
            let names: Vec<&str> = functions.map(|(_, name)| name).collect();
            account.counts[kind(&names) as usize] += 1;
        }
        account
    }

    /// Percent of all samples; None: there is no sample.
    pub fn percent(&self, kind: Kind) -> Option<f64> {
        let all: u64 = self.counts.iter().sum();
        (all > 0).then(|| 100.0 * self.counts[kind as usize] as f64 / all as f64)
    }

    /// Percent that the kernel's sockets cost: what is left when the rest costs nothing.
    pub fn sockets(&self) -> Option<f64> {
        Kind::ALL.into_iter().filter(|kind| kind.is_sockets()).map(|kind| self.percent(kind)).sum()
    }

    /// A line for each kind there was.
    pub fn lines(&self) -> String {
        let mut out = String::new();
        let shares = Kind::ALL.into_iter().filter_map(|kind| Some((kind, self.percent(kind)?)));
        for (kind, percent) in shares.filter(|(_, percent)| *percent > 0.0) {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{percent:5.1} %  {}", kind.label());
        }
        out
    }
}

/// What a chain of functions, innermost first, is counted as. Compilers' endings as `.isra.0` say nothing.
fn kind(functions: &[&str]) -> Kind {
    let plain = |name: &str| name.find(['.', ' ']).unwrap_or(name.len());
    let names: Vec<&str> = functions.iter().rev().map(|name| &name[..plain(name)]).collect();
    let named = |name: &&str| KINDS.iter().find(|(_, names)| names.contains(name)).map(|(kind, _)| *kind);
    match names.iter().find_map(named) {
        Some(kind) => kind,
        None if names.is_empty() => Kind::Own,
        None if names.contains(&WAITING) => Kind::Waiting,
        None => Kind::Calls,
    }
}
