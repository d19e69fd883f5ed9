//! A network namespace for the run: its own loopback and its own congestion control, so that the
//! machine's settings need not be touched and nothing is left to put back.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::child::find;
use crate::failure::{Attempt, Failure};

const CONGESTION: &str = "/proc/sys/net/ipv4/tcp_congestion_control";

/// Becomes this program once more, with the same arguments, in a new namespace: one process, so that whoever ends it
/// ends the run.
pub fn enter(arguments: &[OsString]) -> Result<Infallible, Failure> {
    let unshare = find("unshare").ok_or_else(|| Failure::new("--congestion needs unshare of util-linux"))?;
    let program = std::env::current_exe().attempting("finding this program")?;
    let mut command = Command::new(unshare);
    command.arg("--net").arg("--").arg(program).args(arguments).arg("--in-namespace");
    Err(command.exec()).attempting("starting unshare")
}

/// Inside: brings loopback up and chooses the congestion control.
pub fn prepare(congestion: &str) -> Result<(), Failure> {
    let ip = find("ip").ok_or_else(|| Failure::new("--congestion needs ip of iproute2"))?;
    let output = Command::new(ip).args(["link", "set", "lo", "up"]).output().attempting("starting ip")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::new(format!("bringing up loopback: {}", said.trim())));
    }
    std::fs::write(CONGESTION, congestion).attempting(format!(
        "choosing {congestion} (in a namespace it must be in the machine's \
         net.ipv4.tcp_allowed_congestion_control; reno always is, and is its equal without loss)"
    ))
}
