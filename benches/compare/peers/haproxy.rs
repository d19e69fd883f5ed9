//! The haproxy.cfg that Pronk and HAProxy both run.

use std::fmt::Write;

use super::{Route, Setup};

/// What a splice of Pronk's moves at most, by its own choice. HAProxy's is the kernel's 64 KiB unless it is told
/// otherwise.
pub const PIPE_SIZE: u32 = 256 << 10;

/// When bytes go through a pipe in the kernel and when through the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Splicing {
    Never,
    /// `option splice-auto`: once a stream looks fast, which on a busy machine it may never do.
    Auto,
    Always,
    /// The same through pipes as large as Pronk's.
    Wide,
}

impl Splicing {
    fn options(self) -> &'static [&'static str] {
        match self {
            Splicing::Never => &[],
            Splicing::Auto => &["option splice-auto"],
            Splicing::Always | Splicing::Wide => &["option splice-request", "option splice-response"],
        }
    }
}

/// Text of the configuration.
pub fn text(
    routes: &[Route],
    setup: &Setup,
    threads: usize,
    splicing: Splicing,
    log_port: Option<u16>,
) -> String {
    let maxconn = setup.maxconn();
    let mut text = format!("global\n    nbthread {threads}\n    maxconn {maxconn}\n");
    if splicing == Splicing::Wide {
        line(&mut text, format_args!("tune.pipesize {PIPE_SIZE}"));
    }
    if let Some(port) = log_port {
        line(&mut text, format_args!("log 127.0.0.1:{port} local0"));
    }
    text.push_str("\ndefaults\n    mode tcp\n");
    line(&mut text, format_args!("maxconn {maxconn}"));
    text.push_str("    timeout connect 5s\n    timeout client 60s\n    timeout server 60s\n");
    if log_port.is_some() {
        text.push_str("    log global\n    option tcplog\n");
    }
    splicing.options().iter().for_each(|option| line(&mut text, format_args!("{option}")));
    let check = if setup.checks { " check" } else { "" };
    routes.iter().for_each(|route| add_route(&mut text, route, check));
    text
}

fn add_route(text: &mut String, Route { name, entry, servers }: &Route, check: &str) {
    let _ = write!(text, "\nfrontend {name}_in\n    bind {entry}\n    default_backend {name}\n");
    let _ = write!(text, "\nbackend {name}\n    balance roundrobin\n");
    for (index, server) in servers.iter().enumerate() {
        line(text, format_args!("server {name}{} {server}{check}", index + 1));
    }
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "    {words}");
}
