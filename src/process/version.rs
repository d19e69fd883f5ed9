//! The version lines. Tools grep `HAProxy version`; the rest says plainly that this is Pronk.

use super::error::strerror;
use super::runtime;
use crate::config::conditional::FEATURES;
pub use crate::config::environment::{HAPROXY_BRANCH as BRANCH, HAPROXY_VERSION as COMPATIBLE};
use crate::stats::RELEASE_DATE;

/// HAProxy's number with Pronk's behind it: `3.5-dev5-pronk0.1.0`.
pub fn number() -> String {
    format!("{COMPATIBLE}-pronk{}", env!("CARGO_PKG_VERSION"))
}

/// What `-v` prints, four lines in HAProxy's shape.
pub fn brief() -> String {
    format!(
        "HAProxy version {} {RELEASE_DATE} - Pronk {}, the gateway for Apache Impala, compatible with HAProxy {COMPATIBLE} in TCP mode\n\
         Status: Pronk is not HAProxy: it speaks HAProxy's configuration, log and statistics languages.\n\
         Known bugs: what is not supported is refused by name; see the table of -vv.\n\
         Running on: {}\n",
        number(),
        env!("CARGO_PKG_VERSION"),
        running_on(),
    )
}

/// What `-vv` prints above the table of keywords.
pub fn full() -> String {
    format!(
        "{}Build options :\n  TARGET  = linux-io_uring\n  CPU     = {}\n  PROFILE = {}\n  OPTIONS = USE_THREAD=1 USE_SPLICE=1 USE_TPROXY=1 USE_TFO=1\n\n\
         Feature list : +{} -LUA -OPENSSL -PCRE -PROMEX -QUIC -ZLIB\n\n\
         Default settings :\n  bufsize = 16384, retries = 3\n\n\
         Built without SSL library.\nBuilt with multi-threading support, one worker for each core by default.\n\n\
         Available polling systems :\n   io_uring : pref=300,  test result {}\n\n\
         Available services : none\n",
        brief(),
        std::env::consts::ARCH,
        if cfg!(debug_assertions) { "debug" } else { "release" },
        FEATURES.join(" +"),
        match runtime::probe() {
            Ok(()) => "OK".to_owned(),
            Err(error) => format!("FAILED ({})", strerror(&error)),
        },
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
        assert_eq!(words.next(), Some(number().as_str()));
        assert_eq!(words.next(), Some(RELEASE_DATE));
        assert_eq!(words.next(), Some("-"));
        assert_eq!(text.lines().count(), 4);
    }

    #[test]
    fn branch_is_the_number_before_the_dash() {
        assert_eq!(COMPATIBLE.split('-').next(), Some(BRANCH));
    }
}
