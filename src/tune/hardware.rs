//! Readings of processors, memory and network cards.

use super::finding::Verdict;
use super::host::Host;

const CPUS: &str = "/sys/devices/system/cpu";
/// Microseconds to wake that a round trip would notice.
const SLOW_TO_WAKE_US: u64 = 10;

/// The slowest idle state that is enabled on any core.
pub(super) fn idle_states(host: &Host) -> Option<Verdict> {
    let mut slowest: Option<(u64, String)> = None;
    for cpu in host.numbered(CPUS, "cpu") {
        let folder = format!("{CPUS}/{cpu}/cpuidle");
        for state in host.numbered(&folder, "state") {
            let enabled =
                host.number(&format!("{folder}/{state}/disable")).is_none_or(|disabled| disabled == 0);
            let latency = host.number(&format!("{folder}/{state}/latency")).filter(|_| enabled);
            let name = host.text(&format!("{folder}/{state}/name")).unwrap_or(state);
            slowest = slowest.max(latency.map(|us| (us, name)));
        }
    }
    match slowest {
        None => halts(host),
        Some((us, name)) if us <= SLOW_TO_WAKE_US => Some(Verdict::Fits(format!("{name}, {us} us to wake"))),
        Some((us, name)) => Some(Verdict::Differs {
            value: format!("{name}, {us} us to wake"),
            wanted: format!("none above {SLOW_TO_WAKE_US} us"),
            set: format!("cpupower idle-set -D {SLOW_TO_WAKE_US}"),
            undo: "cpupower idle-set -E".to_owned(),
        }),
    }
}

/// A virtual machine without idle states halts at once, and the hypervisor wakes it late.
fn halts(host: &Host) -> Option<Verdict> {
    let is_virtual = host.text("/proc/cpuinfo")?.contains(" hypervisor");
    let polls = host.text("/proc/cmdline").is_some_and(|line| line.contains("idle=poll"));
    (is_virtual && !polls).then(|| Verdict::Differs {
        value: "halt at once".to_owned(),
        wanted: "poll before a halt".to_owned(),
        set: "modprobe cpuidle-haltpoll force=1".to_owned(),
        undo: "modprobe -r cpuidle-haltpoll".to_owned(),
    })
}

/// The governors of all cores.
pub(super) fn governor(host: &Host) -> Option<Verdict> {
    let read = |cpu: String| host.text(&format!("{CPUS}/{cpu}/cpufreq/scaling_governor"));
    let mut governors: Vec<_> = host.numbered(CPUS, "cpu").into_iter().filter_map(read).collect();
    governors.sort();
    governors.dedup();
    let value = governors.join(", ");
    match governors.as_slice() {
        [] => None,
        [one] if one == "performance" => Some(Verdict::Fits(value)),
        _ => Some(Verdict::Differs {
            wanted: "performance".to_owned(),
            set: "cpupower frequency-set -g performance".to_owned(),
            undo: format!("cpupower frequency-set -g {}", governors[0]),
            value,
        }),
    }
}

pub(super) fn clock_source(host: &Host) -> Option<Verdict> {
    const FOLDER: &str = "/sys/devices/system/clocksource/clocksource0";
    /// These are read without a system call.
    const FAST: [&str; 4] = ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"];
    let value = host.text(&format!("{FOLDER}/current_clocksource"))?;
    if FAST.contains(&value.as_str()) {
        return Some(Verdict::Fits(value));
    }
    let available = host.text(&format!("{FOLDER}/available_clocksource")).unwrap_or_default();
    let better = available.split_whitespace().find(|name| FAST.contains(name)).unwrap_or("tsc");
    let set = |name: &str| format!("echo {name} > {FOLDER}/current_clocksource");
    Some(Verdict::Differs { wanted: better.to_owned(), set: set(better), undo: set(&value), value })
}

/// The first real card with one receive queue that is not spread over the cores.
pub(super) fn receive_queues(host: &Host) -> Option<Verdict> {
    let cores = host.numbered(CPUS, "cpu").len();
    let real = |card: &String| host.has(&format!("/sys/class/net/{card}/device"));
    let cards: Vec<_> = host.names("/sys/class/net").into_iter().filter(real).collect();
    let queues = |card: &String| host.numbered(&format!("/sys/class/net/{card}/queues"), "rx-");
    let alone = |card: &&String| {
        let spread = format!("/sys/class/net/{card}/queues/rx-0/rps_cpus");
        // A mask of no core: the queue's packets are worked on where its interrupt arrives.
        queues(card).len() == 1
            && host.text(&spread).is_some_and(|mask| mask.chars().all(|c| c == '0' || c == ','))
    };
    match cards.iter().find(alone).filter(|_| cores > 1) {
        Some(card) => Some(Verdict::Differs {
            value: format!("{card} has one, for {cores} cores"),
            wanted: "as many as workers, or RPS".to_owned(),
            set: format!("ethtool -L {card} combined {cores}, or tuning/steer {card}"),
            undo: format!("ethtool -L {card} combined 1, or tuning/steer --undo {card}"),
        }),
        None => {
            let said: Vec<_> =
                cards.iter().map(|card| format!("{card} has {}", queues(card).len())).collect();
            (!said.is_empty()).then(|| Verdict::Fits(said.join(", ")))
        }
    }
}

/// Only where there is more than one node.
pub(super) fn numa_balancing(host: &Host) -> Option<Verdict> {
    const NAME: &str = "kernel.numa_balancing";
    let nodes = host.numbered("/sys/devices/system/node", "node").len();
    let value = host.text("/proc/sys/kernel/numa_balancing").filter(|_| nodes > 1)?;
    if value == "0" {
        return Some(Verdict::Fits(value));
    }
    let (set, undo) = (format!("sysctl -w {NAME}=0"), format!("sysctl -w {NAME}={value}"));
    Some(Verdict::Differs { wanted: "0".to_owned(), value, set, undo })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fake;
    use super::*;

    fn value(verdict: Option<Verdict>) -> (bool, String) {
        match verdict.expect("a verdict") {
            Verdict::Fits(value) => (true, value),
            Verdict::Differs { value, .. } => (false, value),
        }
    }

    #[test]
    fn the_slowest_enabled_idle_state_counts() {
        let state = |number: u8, what: &str| format!("{CPUS}/cpu3/cpuidle/state{number}/{what}");
        let (c1, c6) = (state(1, "name"), state(2, "name"));
        let (fast, slow, off) = (state(1, "latency"), state(2, "latency"), state(2, "disable"));
        let files = [(&*c1, "C1"), (&*c6, "C6"), (&*fast, "2"), (&*slow, "133"), (&*off, "0")];
        assert_eq!(value(idle_states(&Fake::new(&files).host())), (false, "C6, 133 us to wake".to_owned()));
        let disabled = [(&*c1, "C1"), (&*c6, "C6"), (&*fast, "2"), (&*slow, "133"), (&*off, "1")];
        assert_eq!(value(idle_states(&Fake::new(&disabled).host())), (true, "C1, 2 us to wake".to_owned()));
    }

    #[test]
    fn a_virtual_machine_without_idle_states_halts() {
        let guest = ("/proc/cpuinfo", "flags : fpu hypervisor lahf_lm");
        assert_eq!(value(idle_states(&Fake::new(&[guest]).host())), (false, "halt at once".to_owned()));
        let polling = [guest, ("/proc/cmdline", "quiet idle=poll")];
        assert_eq!(idle_states(&Fake::new(&polling).host()), None);
        assert_eq!(idle_states(&Fake::new(&[("/proc/cpuinfo", "flags : fpu")]).host()), None);
    }

    #[test]
    fn all_cores_have_the_governor() {
        let at = |cpu: u8| format!("{CPUS}/cpu{cpu}/cpufreq/scaling_governor");
        let (first, second) = (at(0), at(1));
        let mixed = Fake::new(&[(&first, "performance"), (&second, "powersave")]);
        assert_eq!(value(governor(&mixed.host())), (false, "performance, powersave".to_owned()));
        let same = Fake::new(&[(&first, "performance"), (&second, "performance")]);
        assert_eq!(value(governor(&same.host())), (true, "performance".to_owned()));
    }

    #[test]
    fn a_slow_clock_names_the_fast_one_that_is_there() {
        let folder = "/sys/devices/system/clocksource/clocksource0";
        let (current, available) =
            (format!("{folder}/current_clocksource"), format!("{folder}/available_clocksource"));
        let fake = Fake::new(&[(&current, "hpet"), (&available, "kvm-clock hpet acpi_pm")]);
        let Some(Verdict::Differs { wanted, set, undo, .. }) = clock_source(&fake.host()) else {
            panic!("slow")
        };
        assert_eq!(wanted, "kvm-clock");
        assert_eq!(set, format!("echo kvm-clock > {current}"));
        assert_eq!(undo, format!("echo hpet > {current}"));
    }

    #[test]
    fn a_single_queue_needs_spreading() {
        let cores = [(format!("{CPUS}/cpu0/uevent"), ""), (format!("{CPUS}/cpu1/uevent"), "")];
        let card = |mask| {
            [("/sys/class/net/eth0/device/vendor", "1"), ("/sys/class/net/eth0/queues/rx-0/rps_cpus", mask)]
        };
        let files = |mask| -> Vec<(&str, &str)> {
            cores.iter().map(|(path, text)| (path.as_str(), *text)).chain(card(mask)).collect()
        };
        assert_eq!(
            value(receive_queues(&Fake::new(&files("0,0")).host())),
            (false, "eth0 has one, for 2 cores".to_owned())
        );
        assert_eq!(value(receive_queues(&Fake::new(&files("3")).host())), (true, "eth0 has 1".to_owned()));
    }

    #[test]
    fn numa_balancing_is_judged_where_there_are_nodes() {
        let one =
            [("/proc/sys/kernel/numa_balancing", "1"), ("/sys/devices/system/node/node0/cpulist", "0-3")];
        assert_eq!(numa_balancing(&Fake::new(&one).host()), None);
        let two = [one[0], one[1], ("/sys/devices/system/node/node1/cpulist", "4-7")];
        assert_eq!(value(numa_balancing(&Fake::new(&two).host())), (false, "1".to_owned()));
    }
}
