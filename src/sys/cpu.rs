//! Which CPUs a thread runs on, and for how long it has.

use std::io;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// The CPUs this thread may use, ascending.
pub fn allowed() -> Vec<u16> {
    match sched_getaffinity(None) {
        Ok(set) => (0..CpuSet::MAX_CPU)
            .filter(|&cpu| set.is_set(cpu))
            .filter_map(|cpu| u16::try_from(cpu).ok())
            .collect(),
        Err(_) => vec![0],
    }
}

/// Binds the calling thread to `cpus`. EINVAL when none of them exists and is allowed.
pub fn pin(cpus: &[u16]) -> io::Result<()> {
    if let [cpu] = cpus
        && core_affinity::set_for_current(core_affinity::CoreId { id: usize::from(*cpu) })
    {
        return Ok(());
    }
    let mut set = CpuSet::new();
    for &cpu in cpus {
        if usize::from(cpu) < CpuSet::MAX_CPU {
            set.set(usize::from(cpu));
        }
    }
    Ok(sched_setaffinity(None, &set)?)
}

/// How long the calling thread has been on a CPU. It is exact, unlike what getrusage(2) says, which is as old as the last
/// tick.
pub fn used_by_this_thread() -> Duration {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(used.tv_sec.unsigned_abs(), u32::try_from(used.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_time() {
        let (before, began) = (used_by_this_thread(), std::time::Instant::now());
        while used_by_this_thread() - before < Duration::from_millis(5) {
            assert!(began.elapsed() < Duration::from_secs(10), "no CPU time within ten seconds");
        }
    }

    #[test]
    fn pins_to_an_allowed_cpu() {
        std::thread::spawn(|| {
            let last = *allowed().last().expect("one CPU at least");
            pin(&[last]).expect("an allowed CPU");
            assert_eq!(allowed(), vec![last]);
        })
        .join()
        .expect("the thread");
    }

    #[test]
    fn refuses_a_cpu_that_is_not_there() {
        assert!(std::thread::spawn(|| pin(&[1023])).join().expect("the thread").is_err());
    }
}
