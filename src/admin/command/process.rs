//! What there is to know of the process beyond its statistics.

use super::super::answer::Answer;
use super::super::console::{Console, level_name};
use super::{Row, Typed, row};
use crate::config::environment::VERSION;
use crate::config::model::CliLevel::{Operator, User};
use crate::config::model::ListenAddress;
use crate::log::Level;

pub(super) const ROWS: &[Row] = &[
    row("show cli sockets", "", "the stats sockets of this process", User),
    row("show env", "[<name>]", "environment variables of this process", Operator),
    row("show fd", "[<number>]", "open file descriptors of this process", Operator),
    row("show pools", "", "memory and pipes that are kept for sessions", User),
    row("show startup-logs", "", "what was said while the process started", Operator),
    row("show threads", "", "the workers of this process", User),
    row("show version", "", "the version of this process", User),
];

pub(super) async fn run(console: &mut Console, typed: Typed<'_>) -> Answer {
    match typed.row.words {
        "show fd" => descriptors(typed.word(0)).await,
        "show pools" => pools(console),
        "show startup-logs" => Answer::listing(format!("{}\n", console.powers().startup_logs)),
        "show threads" => threads(console),
        "show cli sockets" => sockets(console),
        "show env" => environment(typed.word(0)),
        _ => Answer::message(Level::Info, VERSION),
    }
}

fn sockets(console: &Console) -> Answer {
    let mut out = String::from("# socket lvl processes\n");
    for socket in &console.powers().shared.borrow().config.global.stats_sockets {
        let (address, level) = (shown(&socket.address), level_name(socket.level));
        out.push_str(&format!("{address} {level} all\n"));
    }
    Answer::listing(out)
}

fn shown(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Tcp(address) if address.is_ipv4() => format!("ipv4@{address}"),
        ListenAddress::Tcp(address) => format!("ipv6@{address}"),
        ListenAddress::Unix(path) => format!("unix@{}", path.display()),
        ListenAddress::Abstract(name) => name.to_string(),
        ListenAddress::SocketPair(fd) => format!("sockpair@{fd}"),
        ListenAddress::Fd(fd) => {
            crate::sys::socket::inherited_address(*fd).map_or_else(|| format!("fd@{fd}"), |at| shown(&at))
        }
    }
}

fn environment(wanted: &str) -> Answer {
    let pairs = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
    let lines: String = pairs
        .filter(|(name, _)| wanted.is_empty() || name == wanted)
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    match lines.is_empty() && !wanted.is_empty() {
        true => Answer::refusal("Variable not found"),
        false => Answer::listing(lines),
    }
}

/// Reading a large directory waits on a thread of its own.
async fn descriptors(wanted: &str) -> Answer {
    let number = wanted.parse::<u32>().ok();
    let read = tokio::task::spawn_blocking(move || open_descriptors(number)).await;
    match read.unwrap_or_else(|_| Err(std::io::Error::other("it was given up"))) {
        Ok(lines) => Answer::listing(lines),
        Err(error) => {
            Answer::refusal(format!("Cannot read /proc/self/fd: {error} (a chroot may have none)."))
        }
    }
}

/// `NUMBER : WHAT` in order; one alone, or all.
fn open_descriptors(wanted: Option<u32>) -> std::io::Result<String> {
    let mut open: Vec<(u32, String)> = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
        // One that was closed meanwhile, such as that of this very reading, is left out.
        if let (Some(number), Ok(what)) = (number, std::fs::read_link(entry.path()))
            && wanted.is_none_or(|wanted| wanted == number)
        {
            open.push((number, what.display().to_string()));
        }
    }
    open.sort_unstable();
    Ok(open.iter().map(|(number, what)| format!("{number:>7} : {what}\n")).collect())
}

/// Sessions' memory is taken once, at the start: what comes and goes are pipes.
fn pools(console: &Console) -> Answer {
    let sources = console.powers().shared.borrow();
    let (used, free) = sources.pipes();
    let (all, size) = (used + free, u64::from(sources.config.global.tune.pipesize.unwrap_or(PIPE_SIZE)));
    Answer::listing(format!(
        "Dumping pools usage.\n  - Pool pipe ({size} bytes) : {all} allocated ({} bytes), {used} used, {} users\n\
         Total: 1 pools, {} bytes allocated, {} used.\n",
        all * size,
        sources.workers,
        all * size,
        used * size,
    ))
}

/// Bytes of a pipe without `tune.pipesize`.
const PIPE_SIZE: u32 = 256 << 10;

fn threads(console: &Console) -> Answer {
    let sources = console.powers().shared.borrow();
    let line = |worker| {
        let live = sources.load.worker_live(worker).load(std::sync::atomic::Ordering::Relaxed);
        let number = worker + 1;
        format!("  Thread {number:<2}: id=worker-{number} act={} sess={live}\n", u8::from(live > 0))
    };
    Answer::listing((0..sources.workers).map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use crate::admin::fixture::{ask, console};
    use crate::config::model::CliLevel;

    #[test]
    fn the_process_tells_of_itself() {
        let mut console = console(CliLevel::Operator);
        assert_eq!(ask(&mut console, "show threads"), "  Thread 1 : id=worker-1 act=0 sess=0\n\n");
        let pools = ask(&mut console, "show pools");
        assert!(pools.ends_with("Total: 1 pools, 0 bytes allocated, 0 used.\n\n"), "{pools}");
        assert_eq!(ask(&mut console, "show startup-logs"), "said at the start\n\n\n");
        assert!(ask(&mut console, "show fd").contains("      0 : "));
        assert_eq!(ask(&mut console, "show fd 2").lines().count(), 2);
        assert_eq!(ask(&mut console, "show fd 999999"), "\n");
    }
}
