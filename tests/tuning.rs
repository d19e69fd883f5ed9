//! What `tuning/` gives to an operator: the settings agree with `pronk tune --check`, the script that steers
//! a card's packets does what it says and undoes it.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::symlink;
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
            host.write(path, text);
        }
        host
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, format!("{text}\n")).expect("a file");
    }

    /// eth0, up, with two queues; `device` is its folder below /sys/devices, and interrupts from 40 on, of
    /// the device in the folder `owner`, have these names.
    fn with_card(device: &str, owner: &str, interrupts: &[&str]) -> Host {
        let host = Host::new(&[]);
        for queue in ["rx-0/rps_cpus", "rx-1/rps_cpus", "tx-0/xps_cpus", "tx-1/xps_cpus"] {
            host.write(&format!("sys/class/net/eth0/queues/{queue}"), "0");
        }
        let mut table =
            "           CPU0       CPU1\n 39:          1          0  IO-APIC  4-edge  ttyS0\n".to_owned();
        for (number, name) in (40..).zip(interrupts) {
            host.write(&format!("sys/devices/{owner}/msi_irqs/{number}"), "msix");
            host.write(&format!("proc/irq/{number}/smp_affinity_list"), "0-3");
            table += &format!(" {number}:      17          4  PCI-MSIX-0000:00:05.0   1-edge      {name}\n");
        }
        table += "NMI:          0          0   Non-maskable interrupts";
        host.write("proc/interrupts", &table);
        host.write(&format!("sys/devices/{device}/vendor"), "0x1af4");
        symlink(format!("../../../devices/{device}"), host.0.path().join("sys/class/net/eth0/device"))
            .expect("a link");
        host
    }

    /// The cores of the interrupts from 40 on.
    fn cores(&self, interrupts: usize) -> Vec<String> {
        (40..40 + interrupts)
            .map(|number| self.text(&format!("proc/irq/{number}/smp_affinity_list")))
            .collect()
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
    ("proc/interrupts", "31:  5  7  PCI-MSI 1-edge  eth0-TxRx-0\n 32:  5  7  PCI-MSI 2-edge  eth0-TxRx-1"),
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
fn undo_needs_no_cores_and_leaves_what_all_cards_share_to_the_last() {
    const SHARED: &str = "proc/sys/net/core/rps_sock_flow_entries";
    let host = Host::new(&[(SHARED, "0")]);
    for file in ["rx-0/rps_cpus", "rx-0/rps_flow_cnt", "tx-0/xps_cpus"] {
        for card in ["eth0", "eth1"] {
            host.write(&format!("sys/class/net/{card}/queues/{file}"), "0");
        }
    }
    host.write("sys/devices/system/cpu/online", "0,2");
    assert!(!host.steer(&["eth0"]).status.success(), "which of these?");
    let succeeds = |arguments: &[&str]| {
        let said = host.steer(arguments);
        assert!(said.status.success(), "{said:?}");
    };
    succeeds(&["eth0", "2-2"]);
    succeeds(&["eth1", "2-2"]);
    succeeds(&["--undo", "eth0"]);
    assert_eq!([host.text(SHARED), host.text("sys/class/net/eth0/queues/rx-0/rps_cpus")], ["32768", "0"]);
    succeeds(&["--undo", "eth1"]);
    assert_eq!(host.text(SHARED), "0");
}

/// What a kind of card calls its interrupts, and where they belong with cores 0-3.
const CARDS: &[(&str, &[(&str, &str)])] = &[
    (
        "gve, which sends by its first blocks",
        &[
            ("gve-ntfy-blk0@pci:0000:00:05.0", "0"),
            ("gve-ntfy-blk1@pci:0000:00:05.0", "1"),
            ("gve-ntfy-blk2@pci:0000:00:05.0", "0"),
            ("gve-ntfy-blk3@pci:0000:00:05.0", "1"),
            ("gve-mgmnt@pci:0000:00:05.0", "0-3"),
        ],
    ),
    (
        "mlx4",
        &[("mlx4-async@pci:0000:00:05.0", "0-3"), ("mlx4-1@0000:00:05.0", "0"), ("mlx4-2@0000:00:05.0", "1")],
    ),
    ("igb", &[("eth0", "0-3"), ("eth0-TxRx-0", "0"), ("eth0-TxRx-1", "1")]),
    ("ena", &[("ena-mgmnt@pci:0000:00:05.0", "0-3"), ("eth0-Tx-Rx-0", "0"), ("eth0-Tx-Rx-1", "1")]),
    ("ice", &[("ice-0000:00:05.0:misc", "0-3"), ("ice-eth0-TxRx-0", "0"), ("ice-eth0-TxRx-1", "1")]),
    (
        "i40e with a director of flows",
        &[
            ("i40e-0000:00:05.0:misc", "0-3"),
            ("i40e-eth0-TxRx-0", "0"),
            ("i40e-eth0-TxRx-1", "1"),
            ("i40e-0000:00:05.0:fdir-TxRx-0", "0-3"),
        ],
    ),
    (
        "mlx5",
        &[
            ("mlx5_async0@pci:0000:00:05.0", "0-3"),
            ("mlx5_comp0@pci:0000:00:05.0", "0"),
            ("mlx5_comp1@pci:0000:00:05.0", "1"),
        ],
    ),
    ("e1000e", &[("eth0-rx-0", "0"), ("eth0-tx-0", "0"), ("eth0", "0-3"), ("eth0-rx-1", "1")]),
    ("tg3", &[("eth0-tx-0", "0"), ("eth0-rx-1", "0"), ("eth0-rx-2", "1")]),
    ("sfc, and another card that starts alike", &[("eth01-0", "0-3"), ("eth0-0", "0"), ("eth0-1", "1")]),
    ("a card of another name when it was set up", &[("eth7-TxRx-0", "0"), ("eth7-TxRx-1", "1")]),
    (
        "more than nine queues",
        &[("eth0-rx-10", "2"), ("eth0-rx-9", "1"), ("eth0-rx-0", "0"), ("eth0-rx-11", "3")],
    ),
];

#[test]
fn interrupts_of_queues_are_found_by_their_names() {
    for (card, interrupts) in CARDS {
        let (names, cores): (Vec<_>, Vec<_>) = interrupts.iter().copied().unzip();
        let host = Host::with_card("pci0000:00/0000:00:05.0", "pci0000:00/0000:00:05.0", &names);
        let said = host.steer(&["eth0"]);
        assert!(said.status.success(), "{card}: {said:?}");
        assert_eq!(host.cores(names.len()), cores, "{card}: {said:?}");
        assert_eq!(host.text("sys/class/net/eth0/queues/tx-1/xps_cpus"), "00000002", "{card}");
    }
}

#[test]
fn a_virtio_card_has_its_interrupts_in_the_pci_device() {
    let names =
        ["virtio2-config", "virtio2-input.0", "virtio2-output.0", "virtio2-input.1", "virtio2-output.1"];
    let host = Host::with_card("pci0000:00/0000:00:03.0/virtio2", "pci0000:00/0000:00:03.0", &names);
    let said = host.steer(&["eth0", "2-3"]);
    assert!(said.status.success(), "{said:?}");
    assert_eq!(host.cores(names.len()), ["0-3", "2", "2", "3", "3"]);
}

#[test]
fn a_card_without_interrupts_of_queues_is_left_alone() {
    for names in [&["virtio2-config", "virtio2-virtqueues"][..], &[]] {
        let host = Host::with_card("pci0000:00/0000:00:03.0/virtio2", "pci0000:00/0000:00:03.0", names);
        // Another card's.
        host.write("proc/irq/50/smp_affinity_list", "0-3");
        let table = host.text("proc/interrupts") + "\n 50:  5  7  PCI-MSIX  1-edge  eth1-TxRx-0";
        host.write("proc/interrupts", &table);
        let said = host.steer(&["eth0"]);
        let text = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(!said.status.success(), "{said:?}");
        assert!(text.contains("no interrupt in /proc/interrupts is named after a queue of 'eth0'"), "{text}");
        assert_eq!(host.text("proc/irq/50/smp_affinity_list"), "0-3");
        assert_eq!(host.text("sys/class/net/eth0/queues/tx-1/xps_cpus"), "0");
    }
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
