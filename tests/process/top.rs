//! `pronk top` on the sockets of running processes.

use crate::run::pronk;
use crate::support::port::Port;
use crate::support::proxy::{Program, Proxy};

/// What `--once` prints of `program`, started with one backend of two of Impala's servers.
fn page(program: &Program) -> String {
    let port = Port::reserve();
    let config = format!(
        "global\n  stats socket unix@stats.sock level admin\ndefaults\n  mode tcp\n  timeout connect 1s\n  \
         timeout client 1s\n  timeout server 1s\nlisten hs2\n  bind 127.0.0.1:{}\n  \
         server one 127.0.0.1:21050 weight 7\n  server two 127.0.0.2:21050 disabled\n",
        port.number
    );
    let proxy = Proxy::start(program, &config, &[&port]);
    let socket = proxy.directory().join("stats.sock");
    let finished = pronk(["top".as_ref(), "--once".as_ref(), socket.as_os_str()]);
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
    assert!(finished.stdout.contains(&format!("pid {}", proxy.pid())), "{}", finished.stdout);
    finished.stdout
}

#[test]
fn one_page_of_pronk_and_of_haproxy_shows_servers_and_coordinators() {
    for program in std::iter::once(Program::Pronk).chain(Program::installed_haproxy()) {
        let page = page(&program);
        let line = |start: &str| page.lines().find(|line| line.trim_start().starts_with(start));
        let words = |start: &str| line(start).unwrap_or_default().split_whitespace().collect::<Vec<_>>();
        assert!(words("one").contains(&"7"), "{program:?}:\n{page}");
        assert_eq!(words("two").get(1), Some(&"MAINT"), "{program:?}:\n{page}");
        assert_eq!(words("127.0.0.1").get(1), Some(&"1/1"), "{program:?}:\n{page}");
        assert_eq!(words("127.0.0.2").get(1), Some(&"0/1"), "{program:?}:\n{page}");
    }
}

#[test]
fn what_cannot_be_shown_is_told() {
    let lost = pronk(["top", "--once", "/nonexistent/stats.sock"]);
    assert_eq!((lost.code(), lost.stdout.as_str()), (1, ""));
    assert!(lost.stderr.contains("/nonexistent/stats.sock") && lost.stderr.contains("stats socket"));
    let blind = pronk(["top", "/nonexistent/stats.sock"]);
    assert!(blind.code() == 1 && blind.stderr.contains("--once"), "{}", blind.stderr);
    assert!(pronk(["top"]).stderr.contains("Usage: pronk top"));
}
