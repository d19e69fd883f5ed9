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
    let offers = |cpu: &String| {
        host.text(&cores::path(cpu, "cpufreq/scaling_available_governors"))
            .is_none_or(|offered| offered.split_whitespace().any(|name| name == WANTED))
    };
    if !others.iter().all(offers) {
        let needed = "a kernel with the governor performance (CONFIG_CPU_FREQ_GOV_PERFORMANCE)".to_owned();
        return Some(Verdict::Lacks { value, wanted: WANTED.to_owned(), needed });
    }
    let undo = cores_of.iter().map(|(former, cpus)| cores::write(host, former, cpus, FILE));
    Some(Verdict::Differs {
        value,
        wanted: WANTED.to_owned(),
        set: cores::write(host, WANTED, &others, FILE),
        undo: undo.collect::<Vec<_>>().join("; "),
    })
}

/// The first real card with one receive queue that is not spread over the cores.
pub(super) fn receive_queues(host: &Host) -> Option<Verdict> {
    let cores = cores::all(host).len();
    let real = |card: &String| {
        let folder = format!("/sys/class/net/{card}");
        let down = host.text(&format!("{folder}/operstate")).is_some_and(|state| state == "down");
        host.has(&format!("{folder}/device")) && !down
    };
    let cards: Vec<_> = host.names("/sys/class/net").into_iter().filter(real).collect();
    let queues = |card: &str| count(host, card, "rx-");
    let alone = |card: &&String| {
        let spread = format!("/sys/class/net/{card}/queues/rx-0/rps_cpus");
        // A mask of no core: the queue's packets are worked on where its interrupt arrives.
        queues(card) == 1 && host.text(&spread).is_some_and(|mask| mask.chars().all(|c| c == '0' || c == ','))
    };
    match cards.iter().find(alone).filter(|_| cores > 1) {
        Some(card) => Some(one_queue(host, card, cores)),
        None => {
            let said: Vec<_> = cards.iter().map(|card| format!("{card} has {}", queues(card))).collect();
            (!said.is_empty()).then(|| Verdict::Fits(said.join(", ")))
        }
    }
}

fn count(host: &Host, card: &str, prefix: &str) -> usize {
    host.numbered(&format!("/sys/class/net/{card}/queues"), prefix).len()
}

fn one_queue(host: &Host, card: &str, cores: usize) -> Verdict {
    // In a source tree, or where the package puts it.
    let steer = ["tuning/steer", "/usr/share/doc/pronk/examples/steer"];
    let steer = steer[usize::from(!host.has(&format!("/proc/self/cwd/{}", steer[0])))];
    let (mut set, mut undo) = (format!("{steer} {card}"), format!("{steer} --undo {card}"));
    // With several to send by, its queues are no pairs.
    if count(host, card, "tx-") <= 1 {
        set += &format!(
            ", or ethtool -L {card} combined {cores} (at most what ethtool -l {card} shows as maximum)"
        );
        undo += &format!(", or ethtool -L {card} combined 1");
    }
    Verdict::Differs {
        value: format!("{card} has one, for {cores} cores"),
        wanted: "as many as workers, or RPS".to_owned(),
        set,
        undo,
    }
}

/// Only where there is more than one node with cores.
pub(super) fn numa_balancing(host: &Host) -> Option<Verdict> {
    const NAME: &str = "kernel.numa_balancing";
    const NODES: &str = "/sys/devices/system/node";
    // A node of memory alone has no workers.
    let has_cores =
        |node: &String| host.text(&format!("{NODES}/{node}/cpulist")).is_some_and(|cores| !cores.is_empty());
    let nodes = host.numbered(NODES, "node").into_iter().filter(has_cores).count();
    let value = host.text("/proc/sys/kernel/numa_balancing").filter(|_| nodes > 1)?;
    if value == "0" {
        return Some(Verdict::Fits(value));
    }
    let (set, undo) = (format!("sysctl -w {NAME}=0"), format!("sysctl -w {NAME}={value}"));
    Some(Verdict::Differs { wanted: "0".to_owned(), value, set, undo })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fake, needed, value};
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
    fn a_governor_that_the_kernel_lacks_is_not_offered() {
        let [current, available] = ["scaling_governor", "scaling_available_governors"]
            .map(|file| cores::path("cpu0", &format!("cpufreq/{file}")));
        let of = |offered| governor(&Fake::new(&[(&current, "powersave"), (&available, offered)]).host());
        assert!(matches!(of("performance powersave"), Some(Verdict::Differs { .. })));
        assert!(needed(of("ondemand powersave")).starts_with("a kernel with the governor performance"));
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
    fn what_spreads_a_queue_is_named_where_it_lies() {
        let of = |more: &[(&str, &str)]| {
            let (first, second) = (cores::path("cpu0", "uevent"), cores::path("cpu1", "uevent"));
            let mut files = vec![
                (&*first, ""),
                (&*second, ""),
                ("/sys/class/net/eth0/device/vendor", "1"),
                ("/sys/class/net/eth0/queues/rx-0/rps_cpus", "0"),
                ("/sys/class/net/eth0/queues/tx-0/xps_cpus", "0"),
            ];
            files.extend(more);
            receive_queues(&Fake::new(&files).host())
        };
        let Some(Verdict::Differs { set, undo, .. }) = of(&[]) else { panic!("one queue") };
        let installed = "/usr/share/doc/pronk/examples/steer";
        assert!(
            set.starts_with(&format!("{installed} eth0, or ethtool -L eth0 combined 2 (at most")),
            "{set}"
        );
        assert_eq!(undo, format!("{installed} --undo eth0, or ethtool -L eth0 combined 1"));
        let source = [("/proc/self/cwd/tuning/steer", ""), ("/sys/class/net/eth0/queues/tx-1/xps_cpus", "0")];
        let Some(Verdict::Differs { set, undo, .. }) = of(&source) else { panic!("one queue") };
        assert_eq!((&*set, &*undo), ("tuning/steer eth0", "tuning/steer --undo eth0"));
        assert_eq!(of(&[("/sys/class/net/eth0/operstate", "down")]), None, "a card that is not in use");
    }

    #[test]
    fn numa_balancing_is_judged_where_there_are_nodes() {
        let one =
            [("/proc/sys/kernel/numa_balancing", "1"), ("/sys/devices/system/node/node0/cpulist", "0-3")];
        assert_eq!(numa_balancing(&Fake::new(&one).host()), None);
        let memory = [one[0], one[1], ("/sys/devices/system/node/node1/cpulist", "")];
        assert_eq!(numa_balancing(&Fake::new(&memory).host()), None);
        let two = [one[0], one[1], ("/sys/devices/system/node/node1/cpulist", "4-7")];
        assert_eq!(value(numa_balancing(&Fake::new(&two).host())), (false, "1".to_owned()));
    }
}
