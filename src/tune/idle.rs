//! How long a core takes to wake up.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Verdict;
use super::host::Host;
use super::{clock, cores};

/// Microseconds to wake that a round trip would notice.
const SLOW_TO_WAKE_US: u64 = 10;

/// An idle state of a core that is switched on.
struct State {
    cpu: String,
    /// Its folder.
    state: String,
    name: String,
    /// Microseconds.
    latency: u64,
}

/// The slowest idle state that is enabled on any core.
pub(super) fn idle_states(host: &Host) -> Option<Verdict> {
    let mut states = enabled(host);
    let Some(slowest) = states.iter().max_by_key(|state| state.latency) else { return halts(host) };
    let value = format!("{}, {} us to wake", slowest.name, slowest.latency);
    if slowest.latency <= SLOW_TO_WAKE_US {
        return halting(host).or(Some(Verdict::Fits(value)));
    }
    states.retain(|state| state.latency > SLOW_TO_WAKE_US);
    Some(Verdict::Differs {
        value,
        wanted: format!("none above {SLOW_TO_WAKE_US} us"),
        set: switch(host, "1", &states),
        // What was disabled before stays so.
        undo: switch(host, "0", &states),
    })
}

fn enabled(host: &Host) -> Vec<State> {
    let mut found = Vec::new();
    for cpu in cores::all(host) {
        let folder = cores::path(&cpu, "cpuidle");
        for state in host.numbered(&folder, "state") {
            let enabled =
                host.number(&format!("{folder}/{state}/disable")).is_none_or(|disabled| disabled == 0);
            let latency = host.number(&format!("{folder}/{state}/latency")).filter(|_| enabled);
            let name = host.text(&format!("{folder}/{state}/name")).unwrap_or_else(|| state.clone());
            found.extend(latency.map(|latency| State { cpu: cpu.clone(), state, name, latency }));
        }
    }
    found
}

/// Writes to `disable` of these states.
fn switch(host: &Host, value: &str, states: &[State]) -> String {
    let mut by_state: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for State { cpu, state, .. } in states {
        by_state.entry(state).or_default().push(cpu.clone());
    }
    let commands = by_state
        .iter()
        .map(|(state, cpus)| cores::write(host, value, cpus, &format!("cpuidle/{state}/disable")));
    commands.collect::<Vec<_>>().join("; ")
}

/// A virtual machine without idle states halts at once, and the hypervisor wakes it late. A container may see neither
/// its states nor what its hypervisor is.
fn halts(host: &Host) -> Option<Verdict> {
    let is_virtual = host.text("/proc/cpuinfo")?.contains(" hypervisor");
    let line = host.text("/proc/cmdline").unwrap_or_default();
    let idle = line.split_whitespace().rfind(|word| word.starts_with("idle="));
    if !is_virtual || idle == Some("idle=poll") || clock::available(host).is_empty() {
        return None;
    }
    let (value, wanted) = ("halt at once".to_owned(), "poll before a halt".to_owned());
    Some(match unpolled(host, idle) {
        Some(needed) => Verdict::Lacks { value, wanted, needed },
        None => Verdict::Differs {
            value,
            wanted,
            set: "modprobe cpuidle-haltpoll force=1".to_owned(),
            undo: "modprobe -r cpuidle-haltpoll".to_owned(),
        },
    })
}

/// What the module that polls needs before it can be loaded; `idle` is the boot parameter.
fn unpolled(host: &Host, idle: Option<&str>) -> Option<String> {
    const MODULE: &str = "cpuidle-haltpoll.ko";
    let release = host.text("/proc/sys/kernel/osrelease").unwrap_or_default();
    let lists = |file: &str| {
        host.text(&format!("/lib/modules/{release}/{file}")).is_some_and(|text| text.contains(MODULE))
    };
    if !clock::available(host).contains("kvm-clock") {
        return Some(
            "a hypervisor that is KVM, or the boot parameter idle=poll: no core ever rests".to_owned(),
        );
    }
    if let Some(idle) = idle {
        return Some(format!("a start without {idle}, which keeps cpuidle-haltpoll out"));
    }
    if host.has("/sys/module/cpuidle_haltpoll") || lists("modules.builtin") {
        return Some("the boot parameter cpuidle_haltpoll.force=1".to_owned());
    }
    if !host.has(&format!("/lib/modules/{release}/modules.dep")) {
        return Some(format!(
            "a look where /lib/modules/{release} can be seen, at whether it has cpuidle-haltpoll"
        ));
    }
    (!lists("modules.dep")).then(|| format!("a kernel with cpuidle-haltpoll: {release} has no such module"))
}

/// A guest that polls before a halt says that it wakes up within a microsecond, which is so only while it polls. Cores
/// from which no latency is accepted never halt: `n/a` is the kernel's word for that, `0` its word for no wish at all
/// (`Documentation/ABI/testing/sysfs-devices-power`). Whoever holds /dev/cpu_dma_latency asks for it too, unseen.
fn halting(host: &Host) -> Option<Verdict> {
    const LATENCY: &str = "power/pm_qos_resume_latency_us";
    const TIME: &str = "/sys/module/haltpoll/parameters/guest_halt_poll_ns";
    if host.text(&cores::path("cpuidle", "current_governor"))? != "haltpoll" {
        return None;
    }
    let wish = |cpu: String| Some((host.text(&cores::path(&cpu, LATENCY))?, cpu));
    let (never, halting): (Vec<_>, Vec<_>) =
        cores::all(host).into_iter().filter_map(wish).partition(|(latency, _)| latency == "n/a");
    let at_once = host.number(TIME) == Some(0);
    let value = if at_once { "halt at once, guest_halt_poll_ns is 0" } else { "poll for a while, then halt" };
    if !halting.is_empty() {
        let cpus: Vec<String> = halting.iter().map(|(_, cpu)| cpu.clone()).collect();
        let former = |latency: &String| {
            let same = halting.iter().filter(|(other, _)| other == latency).map(|(_, cpu)| cpu.clone());
            cores::write(host, latency, &same.collect::<Vec<_>>(), LATENCY)
        };
        let latencies: BTreeSet<&String> = halting.iter().map(|(latency, _)| latency).collect();
        return Some(Verdict::Differs {
            value: value.to_owned(),
            wanted: "poll, never halt".to_owned(),
            set: cores::write(host, "n/a", &cpus, LATENCY),
            undo: latencies.into_iter().map(former).collect::<Vec<_>>().join("; "),
        });
    }
    if !never.is_empty() {
        return Some(Verdict::Fits("poll, never halt".to_owned()));
    }
    // Nothing is known of wishes: the kernel's own polling can at least not be switched off.
    at_once.then(|| Verdict::Differs {
        value: value.to_owned(),
        wanted: "poll before a halt".to_owned(),
        // What the kernel starts with.
        set: format!("echo 200000 > {TIME}"),
        undo: format!("echo 0 > {TIME}"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fake, needed, value};
    use super::*;

    fn state(cpu: &str, number: u8, what: &str) -> String {
        cores::path(cpu, &format!("cpuidle/state{number}/{what}"))
    }

    #[test]
    fn the_slowest_enabled_idle_state_counts() {
        let state = |number, what| state("cpu3", number, what);
        let (c1, c6) = (state(1, "name"), state(2, "name"));
        let (fast, slow, off) = (state(1, "latency"), state(2, "latency"), state(2, "disable"));
        let files = [(&*c1, "C1"), (&*c6, "C6"), (&*fast, "2"), (&*slow, "133"), (&*off, "0")];
        assert_eq!(value(idle_states(&Fake::new(&files).host())), (false, "C6, 133 us to wake".to_owned()));
        let disabled = [(&*c1, "C1"), (&*c6, "C6"), (&*fast, "2"), (&*slow, "133"), (&*off, "1")];
        assert_eq!(value(idle_states(&Fake::new(&disabled).host())), (true, "C1, 2 us to wake".to_owned()));
    }

    #[test]
    fn a_virtual_machine_without_idle_states_halts() {
        assert_eq!(value(idle_states(&guest(&[], "quiet").host())), (false, "halt at once".to_owned()));
        assert_eq!(idle_states(&guest(&[], "quiet idle=poll").host()), None);
        let contained = ("/proc/cpuinfo", "flags : fpu hypervisor lahf_lm");
        assert_eq!(idle_states(&Fake::new(&[contained]).host()), None, "nothing of /sys is seen");
        assert_eq!(idle_states(&Fake::new(&[("/proc/cpuinfo", "flags : fpu")]).host()), None);
    }

    /// A guest of KVM with these files and this boot parameter.
    fn guest(files: &[(&str, &str)], parameter: &str) -> Fake {
        let mut all = vec![
            ("/proc/cpuinfo", "flags : fpu hypervisor lahf_lm"),
            ("/proc/cmdline", parameter),
            ("/proc/sys/kernel/osrelease", "6.1.0"),
            ("/sys/devices/system/clocksource/clocksource0/available_clocksource", "kvm-clock tsc"),
        ];
        all.extend(files);
        Fake::new(&all)
    }

    #[test]
    fn the_module_that_polls_is_offered_where_it_can_be_loaded() {
        let loadable =
            ("/lib/modules/6.1.0/modules.dep", "kernel/drivers/cpuidle/cpuidle-haltpoll.ko.xz: kernel/a.ko");
        let Some(Verdict::Differs { set, .. }) = idle_states(&guest(&[loadable], "quiet").host()) else {
            panic!("it can be loaded")
        };
        assert_eq!(set, "modprobe cpuidle-haltpoll force=1");
        let of = |fake: Fake| needed(idle_states(&fake.host()));
        assert_eq!(
            of(guest(&[loadable], "idle=nomwait")),
            "a start without idle=nomwait, which keeps cpuidle-haltpoll out"
        );
        let built_in = ("/lib/modules/6.1.0/modules.builtin", "kernel/drivers/cpuidle/cpuidle-haltpoll.ko");
        let force = "the boot parameter cpuidle_haltpoll.force=1";
        assert_eq!(of(guest(&[built_in], "quiet")), force);
        assert_eq!(of(guest(&[("/sys/module/cpuidle_haltpoll/parameters/force", "N")], "quiet")), force);
        let without = ("/lib/modules/6.1.0/modules.dep", "kernel/a.ko:");
        assert_eq!(
            of(guest(&[without], "quiet")),
            "a kernel with cpuidle-haltpoll: 6.1.0 has no such module"
        );
        assert!(of(guest(&[], "quiet")).starts_with("a look where /lib/modules/6.1.0 can be seen"));
        let clocks = ("/sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc");
        let elsewhere = Fake::new(&[("/proc/cpuinfo", "flags : fpu hypervisor"), loadable, clocks]);
        assert!(of(elsewhere).starts_with("a hypervisor that is KVM"));
    }

    #[test]
    fn a_poll_of_no_time_is_none() {
        let (name, latency) = (state("cpu0", 1, "name"), state("cpu0", 1, "latency"));
        let polling = |nanoseconds| {
            let time = ("/sys/module/haltpoll/parameters/guest_halt_poll_ns", nanoseconds);
            let governor = ("/sys/devices/system/cpu/cpuidle/current_governor", "haltpoll");
            idle_states(&guest(&[(&name, "haltpoll idle"), (&latency, "1"), time, governor], "quiet").host())
        };
        assert_eq!(value(polling("200000")), (true, "haltpoll idle, 1 us to wake".to_owned()));
        assert_eq!(value(polling("0")), (false, "halt at once, guest_halt_poll_ns is 0".to_owned()));
    }

    #[test]
    fn a_guest_that_polls_before_it_halts_is_told_how_never_to_halt() {
        let (name, latency) = (state("cpu0", 1, "name"), state("cpu0", 1, "latency"));
        let of = |cpu| cores::path(cpu, "power/pm_qos_resume_latency_us");
        let polling = |nanoseconds, wishes: &[(&'static str, &'static str)]| {
            let time = ("/sys/module/haltpoll/parameters/guest_halt_poll_ns", nanoseconds);
            let governor = ("/sys/devices/system/cpu/cpuidle/current_governor", "haltpoll");
            let latencies: Vec<_> = wishes.iter().map(|&(cpu, wish)| (of(cpu), wish)).collect();
            let mut files = vec![(&*name, "haltpoll idle"), (&*latency, "1"), time, governor];
            files.extend(latencies.iter().map(|(path, wish)| (&**path, *wish)));
            idle_states(&guest(&files, "quiet").host())
        };
        let commands = |wishes: &[(&'static str, &'static str)]| match polling("200000", wishes) {
            Some(Verdict::Differs { set, undo, .. }) => (set, undo),
            _ => panic!("it halts"),
        };
        let all = of("cpu[0-9]*");
        let some = |cpus, value| format!("for cpu in {cpus}; do echo {value} > {}; done", of("$cpu"));
        let both = [("cpu0", "0"), ("cpu1", "0")];
        assert_eq!(commands(&both), (format!("echo n/a | tee {all}"), format!("echo 0 | tee {all}")));
        assert_eq!(commands(&[("cpu0", "n/a"), ("cpu1", "20")]), (some("cpu1", "n/a"), some("cpu1", "20")));
        let mixed = commands(&[("cpu0", "0"), ("cpu1", "20"), ("cpu2", "0")]);
        let undo = format!("{}; {}", some("cpu0 cpu2", "0"), some("cpu1", "20"));
        assert_eq!(mixed, (format!("echo n/a | tee {all}"), undo));
        let never = [("cpu0", "n/a"), ("cpu1", "n/a")];
        for nanoseconds in ["200000", "0"] {
            assert_eq!(value(polling(nanoseconds, &never)), (true, "poll, never halt".to_owned()));
        }
        assert_eq!(value(polling("0", &both)), (false, "halt at once, guest_halt_poll_ns is 0".to_owned()));
    }

    #[test]
    fn only_what_was_switched_off_is_switched_on_again() {
        let files: Vec<_> = [("cpu0", 2, "0"), ("cpu1", 2, "0"), ("cpu0", 3, "1"), ("cpu1", 3, "0")]
            .iter()
            .flat_map(|&(cpu, number, off)| {
                [(state(cpu, number, "latency"), "50"), (state(cpu, number, "disable"), off)]
            })
            .collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, *text)).collect();
        let Some(Verdict::Differs { set, undo, .. }) = idle_states(&Fake::new(&files).host()) else {
            panic!("slow")
        };
        let (all, one) = (state("cpu[0-9]*", 2, "disable"), state("$cpu", 3, "disable"));
        assert_eq!(set, format!("echo 1 | tee {all}; for cpu in cpu1; do echo 1 > {one}; done"));
        assert_eq!(undo, format!("echo 0 | tee {all}; for cpu in cpu1; do echo 0 > {one}; done"));
    }
}
