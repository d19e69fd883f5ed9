//! Spinners that keep cores from sleeping. On a virtual machine a core that wakes from HLT costs
//! tens of microseconds, which hides every proxy's own latency. SCHED_IDLE yields to everything.

use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;

use rustix::process::getppid;

use crate::child::{Guard, find};
use crate::cores::Cores;
use crate::failure::{Attempt, Failure};

/// One spinner on each of the two cores, until the guards are dropped.
pub fn keep(cores: Cores, folder: &Path) -> Result<Vec<Guard>, Failure> {
    let chrt = find("chrt").ok_or_else(|| Failure::new("--awake needs chrt of util-linux"))?;
    let program = std::env::current_exe().attempting("finding this program")?;
    let arguments = ["--idle", "0", &program.display().to_string(), "--spin"].map(str::to_owned);
    let spinner = |core| {
        let output = folder.join(format!("spinner-{core}"));
        Guard::spawn("spinner", &chrt, &arguments, &[core], cores, output)
    };
    [cores.proxy, cores.load].into_iter().map(spinner).collect()
}

/// Counts until the parent is gone.
pub fn spin() -> ExitCode {
    let parent = getppid();
    while getppid() == parent {
        for count in 0..1_u32 << 24 {
            black_box(count);
        }
    }
    ExitCode::SUCCESS
}
