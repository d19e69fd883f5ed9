//! The version lines. Tools grep `HAProxy version`; the rest says plainly that this is Pronk.

use super::dumps::SERVICES;
use super::error::strerror;
use super::runtime;
use crate::config::conditional::{ABSENT, FEATURES};
pub use crate::config::environment::{HAPROXY_BRANCH as BRANCH, HAPROXY_VERSION as COMPATIBLE, VERSION};
use crate::stats::RELEASE_DATE;
use crate::sys::cpu;
use crate::worker::MOST_WORKERS;

/// What `-v` prints, four lines in HAProxy's shape.
pub fn brief() -> String {
    format!(
        "HAProxy version {} {RELEASE_DATE} - Pronk {}, the gateway for Apache Impala, compatible with HAProxy {COMPATIBLE} in TCP mode\n\
         Status: Pronk is not HAProxy: it speaks HAProxy's configuration, log and statistics languages.\n\
         Known bugs: what is not supported is refused by name; see the table of -vv.\n\
         Running on: {}\n",
        VERSION,
        env!("CARGO_PKG_VERSION"),
        running_on(),
    )
}

/// What `-vv` prints above the table of keywords, in the blocks that tools look for.
pub fn full() -> String {
    format!(
        "{}Build options :\n  TARGET  = linux-io_uring\n  CPU     = {}\n  CC      = rustc\n  CFLAGS  = {}\n  OPTIONS = {}\n  DEBUG   = \n\n\
         Feature list :{}\n\n\
         Default settings :\n  bufsize = 16384, maxrewrite = 1024, maxpollevents = 200\n\n\
         Built with multi-threading support (MAX_THREADS={}, default={}).\n\
         Built without SSL library.\nBuilt without Lua support.\n\
         Built with the Prometheus exporter as a service\n\
         Built with transparent proxy support using: IP_TRANSPARENT IPV6_TRANSPARENT\n\
         Built without compression support (neither USE_ZLIB nor USE_SLZ are set).\n\n{}\
         Available multiplexer protocols :\n(protocols marked as <default> cannot be specified using 'proto' keyword)\n  \
         <default> : mode=TCP   side=FE|BE  mux=PASS  flags=\n\n\
         Available services : {}\nAvailable filters : none\n",
        brief(),
        std::env::consts::ARCH,
        if cfg!(debug_assertions) { "debug" } else { "release" },
        FEATURES.iter().map(|name| format!("USE_{name}=1")).collect::<Vec<_>>().join(" "),
        features(),
        MOST_WORKERS,
        cpu::allowed().len().min(MOST_WORKERS),
        polling(),
        SERVICES.join(" "),
    )
}

/// HAProxy's features in order of name, `+` those that are here.
fn features() -> String {
    let mut all: Vec<&str> = FEATURES.iter().chain(ABSENT).copied().collect();
    all.sort_unstable();
    all.iter().map(|name| format!(" {}{name}", if FEATURES.contains(name) { '+' } else { '-' })).collect()
}

fn polling() -> String {
    let (result, usable) = match runtime::probe() {
        Ok(()) => ("OK".to_owned(), 1),
        Err(error) => (format!("FAILED ({})", strerror(&error)), 0),
    };
    format!(
        "Available polling systems :\n   io_uring : pref=300,  test result {result}\nTotal: 1 ({usable} usable), will use io_uring.\n\n"
    )
}

fn running_on() -> String {
    let system = rustix::system::uname();
    let part = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    format!(
        "{} {} {} {}",
        part(system.sysname()),
        part(system.release()),
        part(system.version()),
        part(system.machine())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_line_has_the_shape_tools_read() {
        let text = brief();
        let mut words = text.lines().next().expect("a line").split(' ');
        assert_eq!(words.by_ref().take(2).collect::<Vec<_>>(), ["HAProxy", "version"]);
        assert_eq!(words.next(), Some(VERSION));
        assert_eq!(words.next(), Some(RELEASE_DATE));
        assert_eq!(words.next(), Some("-"));
        assert_eq!(text.lines().count(), 4);
    }

    #[test]
    fn branch_is_the_number_before_the_dash() {
        assert!(VERSION.starts_with(COMPATIBLE));
        assert_eq!(COMPATIBLE.split('-').next(), Some(BRANCH));
    }
}
