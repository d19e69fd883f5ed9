//! What a process costs, read from /proc: CPU and context switches of all its threads, memory, and its children's; and what
//! the host of a virtual machine took from a core.

use std::collections::HashMap;
use std::fs;
use std::ops::AddAssign;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::cores::Cores;
use crate::failure::{Attempt, Failure};

/// CPU time of a family of processes at one moment.
pub struct CpuReading {
    at: Instant,
    load: Ran,
    threads: HashMap<u32, Thread>,
    ticks: Ticks,
}

/// Of a family of processes, those that have ended and been waited for left out.
#[derive(Clone, Copy, Default)]
struct Ticks {
    user: u64,
    kernel: u64,
}

#[derive(Clone, Copy, Default)]
struct Thread {
    ran: Ran,
    /// Given up its core by itself or by force.
    switches: u64,
    /// Where it ran last.
    core: u64,
}

/// What schedstat says of a thread: time on a core, and time it was ready but had none.
#[derive(Clone, Copy, Default)]
struct Ran {
    on_core_ns: u64,
    waited_ns: u64,
}

impl Ran {
    fn read(text: &str) -> Result<Ran, Failure> {
        Ok(Ran { on_core_ns: field(text, 0)?, waited_ns: field(text, 1)? })
    }

    fn since(self, earlier: Ran) -> Ran {
        Ran {
            on_core_ns: self.on_core_ns.saturating_sub(earlier.on_core_ns),
            waited_ns: self.waited_ns.saturating_sub(earlier.waited_ns),
        }
    }
}

/// CPU used between two readings, or between several pairs of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuSpent {
    pub elapsed: Duration,
    pub proxy: Duration,
    /// Of that, the proxy's busiest thread, in each slice another one perhaps: the one that moves the bytes.
    pub busiest: Duration,
    /// Of the load, as it says itself: its thread spins, and the kernel takes that for work.
    pub load: Duration,
    /// How long, at least, the proxy's busiest thread and the load were kept from their cores by somebody else: what
    /// other threads of the proxy ran on that core meanwhile does not count.
    pub proxy_waited: Duration,
    pub load_waited: Duration,
    /// How long the host ran something else on the proxy's core and on the load's.
    pub stolen: Option<Stolen>,
    /// How often a thread of the proxy left its core.
    pub switches: u64,
    /// The proxy's ticks in its own code and all of them: exact only in the sum over a while.
    own_ticks: u64,
    all_ticks: u64,
    /// Of the proxy's time, the percentage in the kernel's sockets, in a run that samples it.
    pub sockets: Option<f64>,
    /// System calls of the proxy, in a run that counts them.
    pub syscalls: Option<u64>,
}

/// USER_HZ, which Linux fixes at 100 for every program.
const TICK_NS: u64 = 10_000_000;

impl CpuReading {
    /// Reads these processes; and this thread, which is the load.
    pub fn take(pids: &[u32]) -> Result<CpuReading, Failure> {
        CpuReading::read(Path::new("/proc"), pids)
    }

    /// The same, from the kernel's files in `proc`.
    pub fn read(proc: &Path, pids: &[u32]) -> Result<CpuReading, Failure> {
        let (mut threads, mut ticks) = (HashMap::new(), Ticks::default());
        for &pid in pids {
            let process = process_ticks(&proc.join(format!("{pid}/stat")))?;
            ticks.user += process.user;
            ticks.kernel += process.kernel;
            let tasks = fs::read_dir(proc.join(format!("{pid}/task")));
            let tasks = tasks.attempting("listing the proxy's threads")?;
            for task in tasks.flatten() {
                // A thread that ends while it is read is in the process's ticks.
                let Ok(text) = fs::read_to_string(task.path().join("schedstat")) else { continue };
                let Ok(status) = fs::read_to_string(task.path().join("status")) else { continue };
                let Ok(stat) = fs::read_to_string(task.path().join("stat")) else { continue };
                let thread = task.file_name().to_string_lossy().parse().unwrap_or(0);
                let (ran, core) = (Ran::read(&text)?, field(after_name(&stat), 36)?);
                threads.insert(thread, Thread { ran, switches: switches(&status), core });
            }
        }
        let own = fs::read_to_string(proc.join("thread-self/schedstat"));
        let own = own.attempting("reading the load's CPU time")?;
        Ok(CpuReading { at: Instant::now(), load: Ran::read(&own)?, threads, ticks })
    }

    /// CPU since `earlier`. Threads that ended in between leave only their ticks of 10 ms:
    /// those count when they say clearly more than the threads that are left.
    pub fn since(&self, earlier: &CpuReading) -> CpuSpent {
        let ran = |(id, thread): (&u32, &Thread)| {
            let before = earlier.threads.get(id).copied().unwrap_or_default();
            let switches = thread.switches.saturating_sub(before.switches);
            Thread { ran: thread.ran.since(before.ran), switches, core: thread.core }
        };
        let threads: Vec<Thread> = self.threads.iter().map(ran).collect();
        let on_core =
            |threads: &mut dyn Iterator<Item = &Thread>| threads.map(|t| t.ran.on_core_ns).sum::<u64>();
        let busiest = threads.iter().max_by_key(|thread| thread.ran.on_core_ns).copied().unwrap_or_default();
        let there = on_core(&mut threads.iter().filter(|thread| thread.core == busiest.core));
        let proxy_ns = on_core(&mut threads.iter());
        let user = self.ticks.user.saturating_sub(earlier.ticks.user);
        let all = user + self.ticks.kernel.saturating_sub(earlier.ticks.kernel);
        let ticks = all * TICK_NS;
        let on_core = if ticks > proxy_ns + 3 * TICK_NS { ticks } else { proxy_ns };
        let siblings = there - busiest.ran.on_core_ns;
        let load = self.load.since(earlier.load);
        CpuSpent {
            elapsed: self.at - earlier.at,
            proxy: Duration::from_nanos(on_core),
            busiest: Duration::from_nanos(busiest.ran.on_core_ns),
            load: Duration::ZERO,
            proxy_waited: Duration::from_nanos(busiest.ran.waited_ns.saturating_sub(siblings)),
            load_waited: Duration::from_nanos(load.waited_ns),
            stolen: None,
            switches: threads.iter().map(|thread| thread.switches).sum(),
            own_ticks: user,
            all_ticks: all,
            sockets: None,
            syscalls: None,
        }
    }
}

impl CpuSpent {
    /// Of the proxy's time, the share in its own code and not in the kernel; None: it has used none.
    pub fn own_code(&self) -> Option<f64> {
        (self.all_ticks > 0).then(|| self.own_ticks as f64 / self.all_ticks as f64)
    }
}

impl AddAssign for CpuSpent {
    fn add_assign(&mut self, more: CpuSpent) {
        self.elapsed += more.elapsed;
        self.proxy += more.proxy;
        self.busiest += more.busiest;
        self.load += more.load;
        self.proxy_waited += more.proxy_waited;
        self.load_waited += more.load_waited;
        self.stolen = match (self.stolen, more.stolen) {
            (Some(so_far), Some(more)) => Some(so_far.and(more)),
            (so_far, more) => so_far.or(more),
        };
        self.switches += more.switches;
        self.own_ticks += more.own_ticks;
        self.all_ticks += more.all_ticks;
        // Of a run that samples there is but one part.
        self.sockets = more.sockets.or(self.sockets);
        self.syscalls = more.syscalls.or(self.syscalls);
    }
}

/// What a virtual machine's host has taken from two cores, so far or since: exact only in the sum over a while.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stolen {
    pub proxy: Duration,
    pub load: Duration,
}

impl Stolen {
    /// Reads the kernel's account, which on a host of many cores takes longer than the readings of a process; None: a
    /// container shows another one.
    pub fn take(cores: Cores) -> Option<Stolen> {
        Stolen::read(Path::new("/proc"), cores)
    }

    /// The same, from the kernel's files in `proc`.
    pub fn read(proc: &Path, cores: Cores) -> Option<Stolen> {
        let text = fs::read_to_string(proc.join("stat")).ok()?;
        let of = |core: usize| {
            let name = format!("cpu{core} ");
            let line = text.lines().find(|line| line.starts_with(&name))?;
            field(line, 8).ok().map(|ticks| Duration::from_nanos(ticks * TICK_NS))
        };
        Some(Stolen { proxy: of(cores.proxy)?, load: of(cores.load)? })
    }

    fn and(self, more: Stolen) -> Stolen {
        Stolen { proxy: self.proxy + more.proxy, load: self.load + more.load }
    }

    pub fn since(self, earlier: Stolen) -> Stolen {
        Stolen {
            proxy: self.proxy.saturating_sub(earlier.proxy),
            load: self.load.saturating_sub(earlier.load),
        }
    }
}

/// Resident KiB of the process, its children and theirs, what they share once; counted page by page, hence exact.
pub fn resident_kib(pid: u32) -> Result<u64, Failure> {
    let mut kib = 0;
    for pid in family(pid)? {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = fs::read_to_string(&path).attempting(format!("reading {path}"))?;
        let line = text.lines().find(|line| line.starts_with("Pss:")).unwrap_or("");
        kib += field(line, 1)?;
    }
    Ok(kib)
}

/// KiB of the whole kernel's slab: sockets, whoever's they are, and requests in rings.
pub fn slab_kib() -> Result<u64, Failure> {
    let text = fs::read_to_string("/proc/meminfo").attempting("reading /proc/meminfo")?;
    field(text.lines().find(|line| line.starts_with("Slab:")).unwrap_or(""), 1)
}

/// The process, its children and theirs.
pub fn family(pid: u32) -> Result<Vec<u32>, Failure> {
    let mut parents = HashMap::new();
    for entry in fs::read_dir("/proc").attempting("listing /proc")?.flatten() {
        let Ok(child) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        if let Ok(text) = fs::read_to_string(entry.path().join("stat")) {
            parents.insert(child, field(after_name(&text), 1)? as u32);
        }
    }
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        family.extend(parents.iter().filter(|(_, of)| **of == parent).map(|(child, _)| *child));
        next += 1;
    }
    Ok(family)
}

/// Both counters of /proc/PID/task/TID/status.
fn switches(status: &str) -> u64 {
    let counters = status.lines().filter_map(|line| line.split_once("ctxt_switches:"));
    counters.filter_map(|(_, count)| count.trim().parse::<u64>().ok()).sum()
}

fn process_ticks(stat: &Path) -> Result<Ticks, Failure> {
    let text = fs::read_to_string(stat).attempting("reading the proxy's CPU time")?;
    Ok(Ticks { user: field(after_name(&text), 11)?, kernel: field(after_name(&text), 12)? })
}

/// The fields of /proc/PID/stat behind the name, which may contain anything.
fn after_name(stat: &str) -> &str {
    stat.rsplit_once(") ").map_or(stat, |(_, rest)| rest)
}

fn field(text: &str, index: usize) -> Result<u64, Failure> {
    let word = text.split_whitespace().nth(index).unwrap_or("");
    word.parse().attempting(format!("field {index} of '{}'", text.trim_end()))
}
