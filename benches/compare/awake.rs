//! Cores that poll while they have nothing to do. On a virtual machine a core that wakes from HLT costs tens of
//! microseconds, which hides every proxy's own latency. Something that spins in its place would keep it from
//! sleeping too, but whoever wakes up then pays for an interrupt from the other core and a change of address space:
//! tens of microseconds again.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use crate::failure::{Attempt, Failure};

/// Who holds this file open says how long a core may take to wake up, in microseconds (Linux's
/// `Documentation/power/pm_qos_interface.rst`).
const LATENCY: &str = "/dev/cpu_dma_latency";
const NOT_AT_ALL: i32 = 0;

/// Idle cores poll until what this answers is dropped. `cpu`: the kernel's folder about processors.
pub fn keep(cpu: &Path) -> Result<File, Failure> {
    let driver = std::fs::read_to_string(cpu.join("cpuidle/current_driver")).unwrap_or_default();
    if matches!(driver.trim(), "" | "none") {
        return Err(Failure::new(
            "--awake: nobody here chooses how idle cores sleep (no cpuidle driver); boot with idle=poll instead",
        ));
    }
    let mut request = OpenOptions::new()
        .write(true)
        .open(LATENCY)
        .attempting(format!("--awake needs {LATENCY}, and root to open it"))?;
    request.write_all(&NOT_AT_ALL.to_ne_bytes()).attempting(format!("writing {LATENCY}"))?;
    Ok(request)
}
