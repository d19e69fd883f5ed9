//! Every option that HAProxy 3.5 knows, one row each, with what becomes of it here.

use crate::config::suggest;

/// One option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag {
    /// With its dash.
    pub name: &'static str,
    /// What belongs to it.
    pub takes: Takes,
    /// What becomes of it.
    pub support: Support,
    /// What it does.
    pub doc: &'static str,
}

/// What follows an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// The next word; its name in the usage text.
    Value(&'static str),
    /// Words up to the next dash.
    Pids,
    /// Whatever is joined to it.
    Suffix,
}

/// What becomes of an option: the same three levels as a keyword's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// Does what HAProxy does.
    Honoured,
    /// Accepted; why it has no effect here.
    Ignored(&'static str),
    /// An error; what to do instead.
    Refused(&'static str),
}

use Support::{Honoured, Ignored, Refused};
use Takes::{Nothing, Pids, Suffix, Value};

const fn flag(name: &'static str, takes: Takes, support: Support, doc: &'static str) -> Flag {
    Flag { name, takes, support, doc }
}

const NO_TLS: &str = "no TLS is spoken to servers";
const URING: &str = "sockets are driven by io_uring";

/// All options, in the order of the usage text.
pub const FLAGS: &[Flag] = &[
    flag("-f", Value("FILE"), Honoured, "read FILE, or a directory's *.cfg files in C-locale order"),
    flag("-c", Nothing, Honoured, "check the configuration and exit"),
    flag("-cc", Value("EXPR"), Honoured, "evaluate a condition: exit 0 if true, 1 if false, 2 if wrong"),
    flag("-C", Value("DIR"), Honoured, "change to DIR first"),
    flag("-D", Nothing, Honoured, "run in the background"),
    flag("-db", Nothing, Honoured, "stay in the foreground, whatever else says daemon"),
    flag("-d", Nothing, Honoured, "debug: foreground, with own diagnostics on stderr"),
    flag("-V", Nothing, Honoured, "verbose: undoes -q, reports success of -c"),
    flag("-q", Nothing, Honoured, "quiet: only fatal start-up messages"),
    flag("-p", Value("FILE"), Honoured, "write the pid to FILE when run in the background"),
    flag("-n", Value("N"), Honoured, "connections of the whole process at most"),
    flag("-N", Value("N"), Honoured, "connections of a proxy at most where it says nothing"),
    flag("-m", Value("MB"), Honoured, "limit the process's address space"),
    flag("-L", Value("NAME"), Honoured, "local peer name, HAPROXY_LOCALPEER in the configuration"),
    flag("-dW", Nothing, Honoured, "refuse to start if there is a warning"),
    flag("-dD", Nothing, Honoured, "show diagnostics about suspicious settings"),
    flag("-dr", Nothing, Honoured, "servers whose names have no address start in maintenance"),
    flag("-dS", Nothing, Honoured, "never splice"),
    flag("-dR", Nothing, Honoured, "no SO_REUSEPORT: the workers share one socket for each address"),
    flag("-4", Nothing, Honoured, "prefer IPv4 addresses of host names"),
    flag("-v", Nothing, Honoured, "show the version"),
    flag("-vv", Nothing, Honoured, "show the version, the build and every keyword's support"),
    flag("-vq", Nothing, Honoured, "show the version's number alone"),
    flag("-vqs", Nothing, Honoured, "show the short version number"),
    flag("-vqb", Nothing, Honoured, "show the branch"),
    flag("-sf", Pids, Honoured, "once everything runs, let the processes PID finish (SIGUSR1)"),
    flag("-st", Pids, Honoured, "once everything runs, end the processes PID (SIGTERM)"),
    flag("-x", Value("SOCKET"), Honoured, "take listening sockets over from the process behind SOCKET"),
    flag("-W", Nothing, Honoured, "run a master that starts the worker and reloads on SIGUSR2"),
    flag("-Ws", Nothing, Honoured, "the same, telling systemd (Type=notify) how it goes"),
    flag("-S", Value("ADDR[,OPTION]..."), Honoured, "with -W: the master's own command socket"),
    flag(
        "-dC",
        Suffix,
        Honoured,
        "show the configuration as read, -dC[KEY][,line]: hashed with KEY, numbered",
    ),
    flag("-dK", Suffix, Honoured, "list keywords by class, -dKhelp,all,acl,cfg,cli,cnv,flt,smp,svc"),
    flag("-dL", Nothing, Honoured, "list loaded object files"),
    flag("-dc", Nothing, Honoured, "list CPUs and the workers on them"),
    flag(
        "-dA",
        Suffix,
        Refused("copy the executable and what -dL lists: no archive is written"),
        "archive dependencies",
    ),
    flag("-dt", Suffix, Refused("set PRONK_LOG=debug in the environment instead"), "traces"),
    flag("-de", Nothing, Ignored(URING), "no epoll"),
    flag("-dp", Nothing, Ignored(URING), "no poll"),
    flag("-dF", Nothing, Ignored("there is no buffer forwarding to disable"), "no fast forwarding"),
    flag(
        "-dG",
        Nothing,
        Ignored("names are resolved by the system's own resolver either way"),
        "no getaddrinfo",
    ),
    flag("-dI", Nothing, Ignored("nothing here forks"), "allow forks"),
    flag("-dM", Suffix, Ignored("memory is initialised before it is used"), "memory debugging"),
    flag("-dT", Nothing, Ignored("kTLS is not used"), "no kernel TLS"),
    flag("-dV", Nothing, Ignored(NO_TLS), "no certificate checks of servers"),
    flag(
        "-dZ",
        Nothing,
        Ignored("-dS is the switch for copying instead of moving"),
        "no zero-copy forwarding",
    ),
];

/// The row of an option as written, and what is joined to its name.
pub fn find(text: &str) -> Option<(&'static Flag, Option<&str>)> {
    if let Some(flag) = FLAGS.iter().find(|flag| flag.name == text) {
        return Some((flag, None));
    }
    let joined = FLAGS.iter().filter(|flag| flag.takes == Takes::Suffix);
    joined.into_iter().find_map(|flag| text.strip_prefix(flag.name).map(|rest| (flag, Some(rest))))
}

/// The option that `text` was perhaps meant to be.
pub fn nearest(text: &str) -> Option<&'static str> {
    let names = || FLAGS.iter().map(|flag| flag.name);
    names()
        .find(|name| name.eq_ignore_ascii_case(text))
        .or_else(|| (text.len() > 3).then(|| suggest::nearest(text, names())).flatten())
}
