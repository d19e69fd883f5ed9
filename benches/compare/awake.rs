//! Cores that poll while they have nothing to do. On a virtual machine a core that wakes from HLT costs tens of
//! microseconds, which hides every proxy's own latency. Something that spins in its place would keep it from
//! sleeping too, but whoever wakes up then pays for an interrupt from the other core and a change of address space:
//! tens of microseconds again.

use std::fs::{File, OpenOptions, read_to_string};
use std::io::Write;
use std::path::Path;

use crate::failure::{Attempt, Failure};

/// Who holds this file open says how long a core may take to wake up, in microseconds (Linux's
/// `Documentation/power/pm_qos_interface.rst`). On x86 none is left but to poll when that is no time at all.
const LATENCY: &str = "dev/cpu_dma_latency";
const NOT_AT_ALL: i32 = 0;

/// All idle cores poll until what this answers is dropped; None: they do so anyway. `root`: where `/proc`, `/sys` and
/// `/dev` are. Fails where the kernel does not choose among idle states, and without the right to say how.
pub fn keep(root: &Path) -> Result<Option<File>, Failure> {
    let read = |path: &str| read_to_string(root.join(path)).unwrap_or_default();
    if read("proc/cmdline").split_whitespace().any(|word| word == "idle=poll") {
        return Ok(None);
    }
    if matches!(read("sys/devices/system/cpu/cpuidle/current_driver").trim(), "" | "none") {
        return Err(Failure::new(
            "--awake: nothing here chooses how idle cores sleep (no cpuidle driver); in a guest of KVM 'modprobe \
             cpuidle-haltpoll force=1' does, else boot with idle=poll",
        ));
    }
    let mut request = OpenOptions::new()
        .write(true)
        .open(root.join(LATENCY))
        .attempting(format!("--awake needs /{LATENCY}, and root to open it"))?;
    request.write_all(&NOT_AT_ALL.to_ne_bytes()).attempting(format!("writing /{LATENCY}"))?;
    Ok(Some(request))
}
