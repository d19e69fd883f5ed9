//! Readings of processors' speed, memory and network cards.

use std::collections::BTreeMap;

use super::cores;
use super::finding::Verdict;
use super::host::Host;

/// The governors of all cores.
pub(super) fn governor(host: &Host) -> Option<Verdict> {
    const FILE: &str = "cpufreq/scaling_governor";
    const WANTED: &str = "performance";
    let mut cores_of: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for cpu in cores::all(host) {
        if let Some(governor) = host.text(&cores::path(&cpu, FILE)) {
            cores_of.entry(governor).or_default().push(cpu);
        }
    }
    let value = cores_of.keys().cloned().collect::<Vec<_>>().join(", ");
    let fit = cores_of.remove(WANTED);
    if cores_of.is_empty() {
        return fit.map(|_| Verdict::Fits(value));
    }
    let others: Vec<_> =
        cores::all(host).into_iter().filter(|cpu| cores_of.values().any(|cpus| cpus.contains(cpu))).collect();
    let undo = cores_of.iter().map(|(former, cpus)| cores::write(host, former, cpus, FILE));
    Some(Verdict::Differs {
        value,
        wanted: WANTED.to_owned(),
        set: cores::write(host, WANTED, &others, FILE),
        undo: undo.collect::<Vec<_>>().join("; "),
    })
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
    let cores = cores::all(host).len();
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
    use super::super::fixture::{Fake, value};
    use super::*;

    #[test]
    fn all_cores_have_the_governor() {
        let at = |cpu: u8| cores::path(&format!("cpu{cpu}"), "cpufreq/scaling_governor");
        let (first, second, third) = (at(0), at(1), at(2));
        let same = Fake::new(&[(&first, "performance"), (&second, "performance")]);
        assert_eq!(governor(&same.host()), Some(Verdict::Fits("performance".to_owned())));
        let mixed = Fake::new(&[(&first, "schedutil"), (&second, "performance"), (&third, "powersave")]);
        let Some(Verdict::Differs { value, set, undo, .. }) = governor(&mixed.host()) else { panic!("slow") };
        assert_eq!(value, "performance, powersave, schedutil");
        let some = at(0).replace("cpu0", "$cpu");
        assert_eq!(set, format!("for cpu in cpu0 cpu2; do echo performance > {some}; done"));
        assert_eq!(
            undo,
            format!(
                "for cpu in cpu2; do echo powersave > {some}; done; for cpu in cpu0; do echo schedutil > {some}; done"
            )
        );
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
        let cores = [(cores::path("cpu0", "uevent"), ""), (cores::path("cpu1", "uevent"), "")];
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
