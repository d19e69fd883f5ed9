//! nginx's stream module, configured to do the same.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::Route;
use crate::failure::Failure;

const MODULE: &str = "ngx_stream_module.so";
/// Where nginx has its modules when it was built without choosing a place.
const PREFIX: &str = "/usr/local/nginx";

/// The module to load, from what `nginx -V` says of this build; None: it has the stream module built in.
pub fn module(said: &str) -> Result<Option<PathBuf>, Failure> {
    let option = |name: &str| said.split_whitespace().find_map(|word| word.strip_prefix(name));
    let built = |how: &str| said.split_whitespace().any(|word| word == how);
    if built("--with-stream") {
        return Ok(None);
    }
    if !built("--with-stream=dynamic") {
        let way = "--nginx PATH names another one, --only leaves it out";
        return Err(Failure::new(format!("this nginx was built without its stream module ({way})")));
    }
    let prefix = Path::new(option("--prefix=").unwrap_or(PREFIX));
    let folder = option("--modules-path=").map_or_else(|| prefix.join("modules"), PathBuf::from);
    let module = folder.join(MODULE);
    if module.is_file() {
        return Ok(Some(module));
    }
    let missing = module.display();
    Err(Failure::new(format!("nginx's stream module is a file of its own here, and {missing} is not there")))
}

/// Text of nginx.conf. `folder` takes its pid file; `descriptors` is RLIMIT_NOFILE; `module` is to be loaded.
pub fn text(
    routes: &[Route],
    folder: &Path,
    descriptors: u64,
    log_port: Option<u16>,
    module: Option<&Path>,
) -> String {
    let mut text = String::new();
    if let Some(module) = module {
        add(&mut text, format_args!("load_module {};", module.display()));
    }
    let folder = folder.display();
    add(&mut text, format_args!("daemon off;\nworker_processes 1;\nuser root;"));
    add(&mut text, format_args!("pid {folder}/nginx.pid;\nerror_log stderr warn;"));
    add(&mut text, format_args!("worker_rlimit_nofile {descriptors};"));
    add(&mut text, format_args!("events {{ worker_connections {descriptors}; }}"));
    add(&mut text, format_args!("stream {{\n    proxy_connect_timeout 5s;\n    proxy_timeout 60s;"));
    if let Some(port) = log_port {
        let fields = "$remote_addr:$remote_port [$time_local] $server_port $upstream_addr \
            $upstream_connect_time/$session_time $bytes_sent $status";
        add(&mut text, format_args!("    log_format tcp '{fields}';"));
        add(&mut text, format_args!("    access_log syslog:server=127.0.0.1:{port},facility=local0 tcp;"));
    }
    routes.iter().for_each(|route| add_route(&mut text, route));
    text.push_str("}\n");
    text
}

fn add_route(text: &mut String, Route { name, entry, servers }: &Route) {
    add(text, format_args!("    upstream {name} {{"));
    servers.iter().for_each(|server| add(text, format_args!("        server {server};")));
    add(text, format_args!("    }}"));
    add(text, format_args!("    server {{ listen {entry} backlog=4096; proxy_pass {name}; }}"));
}

fn add(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{words}");
}
