//! nginx's stream module, configured to do the same.

use std::fmt::Write;
use std::path::Path;

use super::Route;

const MODULES: [&str; 3] = [
    "/usr/lib/nginx/modules/ngx_stream_module.so",
    "/usr/lib64/nginx/modules/ngx_stream_module.so",
    "/usr/local/nginx/modules/ngx_stream_module.so",
];

/// Text of nginx.conf. `folder` takes its pid file; `descriptors` is RLIMIT_NOFILE.
pub fn text(routes: &[Route], folder: &Path, descriptors: u64, log_port: Option<u16>) -> String {
    let mut text = String::new();
    if let Some(module) = MODULES.iter().find(|module| Path::new(module).is_file()) {
        add(&mut text, format_args!("load_module {module};"));
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
