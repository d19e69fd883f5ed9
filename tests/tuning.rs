//! What `tuning/` gives to an operator: the settings agree with `pronk tune --check`, the script that steers
//! a card's packets does what it says and undoes it.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const TOP: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn the_file_of_sysctls_has_the_values_that_are_checked_for() {
    let checked: HashMap<_, _> = pronk::tune::sysctls().collect();
    let text = fs::read_to_string(Path::new(TOP).join("tuning/90-pronk.conf")).expect("the file");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let settings: Vec<_> = lines.filter_map(|line| line.split_once(" = ")).collect();
    assert!(settings.len() > 4, "{settings:?}");
    for (name, value) in settings {
        assert_eq!(checked.get(name).map(String::as_str), Some(value), "{name}");
    }
}

#[test]
fn a_check_names_what_differs_and_says_so_in_its_status() {
    let check = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_pronk")).arg("tune").args(arguments).output().expect("it runs")
    };
    let said = check(&["--check", "--all"]);
    let text = String::from_utf8(said.stdout).expect("text");
    let differing = text.lines().filter(|line| line.starts_with("differs ")).count();
    let last = text.lines().last().expect("a summary");
    assert!(last.ends_with(&format!("{differing} differ.")), "{text}");
    assert_eq!(said.status.code(), Some(i32::from(differing > 0)), "{text}");
    assert!(text.contains("kernel.io_uring_disabled") || text.contains("RLIMIT_NOFILE"), "{text}");
    let wrong = check(&["--frobnicate"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("frobnicate"));
}

/// A host of files.
struct Host(tempfile::TempDir);

impl Host {
    fn new(files: &[(&str, &str)]) -> Host {
        let host = Host(tempfile::tempdir().expect("a folder"));
        for (path, text) in
            files.iter().chain(&[("run/nothing", ""), ("sys/devices/system/cpu/online", "0-3")])
        {
            let path = host.0.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            fs::write(path, format!("{text}\n")).expect("a file");
        }
        host
    }

    fn steer(&self, arguments: &[&str]) -> Output {
        let script = Path::new(TOP).join("tuning/steer");
        Command::new(script).args(arguments).env("ROOT", self.0.path()).output().expect("bash")
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.0.path().join(path)).expect("a file").trim().to_owned()
    }
}

const MANY: &[(&str, &str)] = &[
    ("sys/class/net/eth0/queues/rx-0/rps_cpus", "0"),
    ("sys/class/net/eth0/queues/rx-1/rps_cpus", "0"),
    ("sys/class/net/eth0/queues/tx-0/xps_cpus", "00000000"),
    ("sys/class/net/eth0/queues/tx-1/xps_cpus", "00000000"),
    ("sys/class/net/eth0/device/msi_irqs/31", ""),
    ("sys/class/net/eth0/device/msi_irqs/32", ""),
    ("proc/irq/31/smp_affinity_list", "0-3"),
    ("proc/irq/32/smp_affinity_list", "0-3"),
];

#[test]
fn a_card_with_queues_gives_each_a_core_and_takes_it_back() {
    let host = Host::new(MANY);
    let said = host.steer(&["eth0", "2-3"]);
    assert!(said.status.success(), "{said:?}");
    assert_eq!(host.text("proc/irq/31/smp_affinity_list"), "2");
    assert_eq!(host.text("proc/irq/32/smp_affinity_list"), "3");
    assert_eq!(host.text("sys/class/net/eth0/queues/tx-0/xps_cpus"), "00000004");
    assert_eq!(host.text("sys/class/net/eth0/queues/tx-1/xps_cpus"), "00000008");
    // A second time with other cores: undo still leads to the beginning.
    assert!(host.steer(&["eth0", "0-1"]).status.success());
    assert_eq!(host.text("proc/irq/31/smp_affinity_list"), "0");
    assert!(host.steer(&["--undo", "eth0"]).status.success());
    for (path, text) in MANY {
        assert_eq!(host.text(path), *text, "{path}");
    }
    assert!(!host.steer(&["--undo", "eth0"]).status.success(), "nothing is left to undo");
}

#[test]
fn a_card_with_one_queue_is_spread_in_software() {
    let host = Host::new(&[
        ("sys/class/net/eth0/queues/rx-0/rps_cpus", "0"),
        ("sys/class/net/eth0/queues/rx-0/rps_flow_cnt", "0"),
        ("sys/class/net/eth0/queues/tx-0/xps_cpus", "0"),
        ("proc/sys/net/core/rps_sock_flow_entries", "0"),
    ]);
    let dry = host.steer(&["--dry-run", "eth0"]);
    assert!(
        String::from_utf8_lossy(&dry.stdout).contains("0000000f > /sys/class/net/eth0/queues/rx-0/rps_cpus")
    );
    assert_eq!(host.text("sys/class/net/eth0/queues/rx-0/rps_cpus"), "0", "a dry run changes nothing");
    assert!(host.steer(&["eth0", "31-33"]).status.success());
    assert_eq!(host.text("sys/class/net/eth0/queues/rx-0/rps_cpus"), "00000003,80000000");
    assert_eq!(host.text("sys/class/net/eth0/queues/rx-0/rps_flow_cnt"), "32768");
    assert_eq!(host.text("proc/sys/net/core/rps_sock_flow_entries"), "32768");
}

#[test]
fn mistakes_are_named() {
    let host = Host::new(MANY);
    for (arguments, expected) in [
        (&["eth7"][..], "no network card 'eth7'"),
        (&[][..], "which card?"),
        (&["eth0", "3-1"][..], "the lower comes first"),
        (&["eth0", "a-b"][..], "write FIRST-LAST"),
        (&["--frob"][..], "steer [--dry-run] CARD"),
    ] {
        let said = host.steer(arguments);
        let text = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(!said.status.success() && text.contains(expected), "{arguments:?}: {text}");
    }
}
