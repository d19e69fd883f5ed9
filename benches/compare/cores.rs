//! Which core does what: the proxy has one to itself, everything else runs on another.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::failure::{Attempt, Failure};

#[derive(Clone, Copy, Debug)]
pub struct Cores {
    pub proxy: usize,
    pub load: usize,
    /// For a second worker; None: only two cores are allowed.
    pub second: Option<usize>,
    /// How many this process may use.
    pub allowed: usize,
}

impl Cores {
    /// The last allowed core for the proxy and the first for the load, where not chosen.
    pub fn choose(proxy: Option<usize>, load: Option<usize>) -> Result<Cores, Failure> {
        let allowed = sched_getaffinity(None).attempting("reading the allowed cores")?;
        let allowed: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
        let (Some(first), Some(last)) = (allowed.first(), allowed.last()) else {
            return Err(Failure::new("no core is allowed to this process"));
        };
        let (proxy, load) = (proxy.unwrap_or(*last), load.unwrap_or(*first));
        let second = allowed.iter().copied().rfind(|core| ![proxy, load].contains(core));
        let cores = Cores { proxy, load, second, allowed: allowed.len() };
        for core in [cores.proxy, cores.load] {
            if !allowed.contains(&core) {
                return Err(Failure::new(format!("core {core} is not among the allowed cores {allowed:?}")));
            }
        }
        if cores.proxy == cores.load {
            let why = "two cores are needed, one for the proxy and one for the load";
            return Err(Failure::new(format!("{why}; allowed: {allowed:?}")));
        }
        Ok(cores)
    }
}

/// Moves this thread, and what it spawns from now on, to these cores.
pub fn pin(cores: &[usize]) -> Result<(), Failure> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    sched_setaffinity(None, &set).attempting(format!("moving to core {cores:?}"))
}
