//! How the clock is read.

use super::finding::Verdict;
use super::host::Host;

const FOLDER: &str = "/sys/devices/system/clocksource/clocksource0";
/// These are read without a system call.
const FAST: [&str; 4] = ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"];

pub(super) fn clock_source(host: &Host) -> Option<Verdict> {
    let value = host.text(&format!("{FOLDER}/current_clocksource"))?;
    if FAST.contains(&value.as_str()) {
        return Some(Verdict::Fits(value));
    }
    let Some(better) =
        available(host).split_whitespace().map(str::to_owned).find(|name| FAST.contains(&&**name))
    else {
        return Some(Verdict::Lacks {
            value,
            wanted: "one that is read without a system call".to_owned(),
            needed: "a processor whose tsc the kernel trusts (dmesg says why not), or the boot parameter \
                     tsc=reliable where it is wrong"
                .to_owned(),
        });
    };
    let set = |name: &str| format!("echo {name} > {FOLDER}/current_clocksource");
    Some(Verdict::Differs { set: set(&better), undo: set(&value), wanted: better, value })
}

/// Those that the kernel offers; one of them tells the hypervisor.
pub(super) fn available(host: &Host) -> String {
    host.text(&format!("{FOLDER}/available_clocksource")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fake, needed};
    use super::*;

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
    fn a_clock_that_is_not_there_is_not_offered() {
        let (current, available) =
            (format!("{FOLDER}/current_clocksource"), format!("{FOLDER}/available_clocksource"));
        let fake = Fake::new(&[(&current, "hpet"), (&available, "hpet acpi_pm")]);
        assert!(needed(clock_source(&fake.host())).contains("tsc=reliable"));
    }
}
