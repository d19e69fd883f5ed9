//! Sōzu, configured to do the same.

use std::fmt::Write;
use std::path::Path;

use super::{Route, Setup};

/// Text of its configuration. `folder` takes its command socket.
pub fn text(routes: &[Route], setup: &Setup, folder: &Path) -> String {
    let (folder, sessions) = (folder.display(), setup.maxconn());
    let mut text = format!(
        "command_socket = \"{folder}/sozu.sock\"
log_level = \"error\"
log_target = \"stdout\"
worker_count = 1
worker_automatic_restart = false
activate_listeners = true
max_connections = {sessions}
max_buffers = {buffers}
front_timeout = 60
back_timeout = 60
",
        buffers = 2 * sessions
    );
    for Route { entry, .. } in routes {
        add(&mut text, format_args!("\n[[listeners]]\nprotocol = \"tcp\"\naddress = \"{entry}\""));
    }
    for Route { name, entry, servers } in routes {
        let backends: Vec<String> =
            servers.iter().map(|server| format!("{{ address = \"{server}\" }}")).collect();
        add(
            &mut text,
            format_args!("\n[clusters.{name}]\nprotocol = \"tcp\"\nload_balancing = \"ROUND_ROBIN\""),
        );
        add(&mut text, format_args!("frontends = [{{ address = \"{entry}\" }}]"));
        add(&mut text, format_args!("backends = [{}]", backends.join(", ")));
    }
    text
}

fn add(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{words}");
}
