//! The table of settings.

use super::clock;
use super::finding::{Finding, Verdict, Weight};
use super::hardware;
use super::host::Host;
use super::idle;
use super::limits;

struct Setting {
    name: &'static str,
    weight: Weight,
    /// What it is for, and what it is expected to bring.
    why: &'static str,
    source: Source,
}

/// Where the value comes from.
enum Source {
    /// `/proc/sys`.
    Sysctl(Want),
    /// More than one file; None when the host has nothing of the kind.
    Reading(fn(&Host) -> Option<Verdict>),
}

/// Which values of a sysctl will do.
enum Want {
    AtLeast(u64),
    /// As many, or 0, with which the kernel sets no limit.
    NoneOrAtLeast(u64),
    Is(&'static str),
    /// All but `unwanted`; `better` is the one that is recommended.
    Not {
        unwanted: &'static str,
        better: &'static str,
    },
    /// Two numbers that are at least so far apart.
    Span(&'static str, u32),
}

const fn sysctl(name: &'static str, weight: Weight, want: Want, why: &'static str) -> Setting {
    Setting { name, weight, why, source: Source::Sysctl(want) }
}

const fn reading(
    name: &'static str,
    weight: Weight,
    read: fn(&Host) -> Option<Verdict>,
    why: &'static str,
) -> Setting {
    Setting { name, weight, why, source: Source::Reading(read) }
}

const SETTINGS: &[Setting] = &[
    sysctl(
        "kernel.io_uring_disabled",
        Weight::Needed,
        Want::Is("0"),
        "2 forbids io_uring to everybody and 1 to all but a group: the workers cannot start",
    ),
    sysctl(
        "fs.nr_open",
        Weight::Needed,
        Want::AtLeast(1_048_576),
        "RLIMIT_NOFILE cannot be raised beyond it",
    ),
    reading(
        "RLIMIT_NOFILE (hard)",
        Weight::Needed,
        limits::descriptors,
        "two descriptors a session, four with bulk: maxconn is lowered to what the limit allows",
    ),
    reading(
        "RLIMIT_MEMLOCK",
        Weight::Needed,
        limits::locked_memory,
        "before Linux 6.12 the receive buffers of a worker count as locked memory",
    ),
    sysctl(
        "net.core.somaxconn",
        Weight::Needed,
        Want::AtLeast(65535),
        "a burst of clients beyond it is dropped and comes again after a second; 'backlog' cannot exceed it. It is read when Pronk begins to listen: restart it afterwards, or reload its unit",
    ),
    sysctl(
        "net.ipv4.tcp_max_syn_backlog",
        Weight::Advice,
        Want::AtLeast(65535),
        "half-open connections of a burst where net.ipv4.tcp_syncookies is 0: beyond three quarters of it they are dropped",
    ),
    sysctl(
        "net.ipv4.ip_local_port_range",
        Weight::Needed,
        Want::Span("1024 65535", 60_000),
        "each connection to one coordinator's port takes a port of this range; 'source' adds addresses",
    ),
    sysctl(
        "net.ipv4.tcp_tw_reuse",
        Weight::Needed,
        Want::Is("1"),
        "without it a port rests for 60 s after a session that Pronk closed: 470 sessions a second to one coordinator",
    ),
    sysctl(
        "net.netfilter.nf_conntrack_max",
        Weight::Needed,
        Want::NoneOrAtLeast(1_048_576),
        "a full table of tracked connections drops packets; two entries a session (better: notrack for these ports)",
    ),
    sysctl(
        "fs.pipe-user-pages-soft",
        Weight::Needed,
        Want::NoneOrAtLeast(262_144),
        "64 pages for each bulk transfer under way of an unprivileged user; beyond it bulk is copied, not spliced",
    ),
    sysctl(
        "net.ipv4.tcp_congestion_control",
        Weight::Measured,
        Want::Not { unwanted: "bbr", better: "cubic" },
        "BBR paces every packet: a byte of bulk took 3 to 5 times the CPU on loopback",
    ),
    sysctl(
        "net.ipv4.tcp_slow_start_after_idle",
        Weight::Advice,
        Want::Is("0"),
        "a client that thought for a second gets its next result at full speed; shows where the way is long",
    ),
    reading(
        "idle states",
        Weight::Measured,
        idle::idle_states,
        "a trip of one connection took 140 us on a virtual machine that halts at once, 60 us where it polls before, and \
         19 us where it only polls, which costs power, and a host that is shared its CPU",
    ),
    reading(
        "CPU frequency governor",
        Weight::Advice,
        hardware::governor,
        "a core that is slow to speed up answers the first trips after a pause late",
    ),
    reading(
        "clock source",
        Weight::Measured,
        clock::clock_source,
        "only with tsc (or kvm-clock, hyperv) is reading the clock no system call",
    ),
    reading(
        "receive queues",
        Weight::Advice,
        hardware::receive_queues,
        "one queue means one core for all packets that arrive, unless they are spread in software",
    ),
    reading(
        "NUMA balancing",
        Weight::Advice,
        hardware::numa_balancing,
        "workers are pinned and their memory is local: looking for better places only costs page faults",
    ),
];

/// Names and recommended values of the sysctls, as `tuning/90-pronk.conf` sets those that are needed.
pub fn sysctls() -> impl Iterator<Item = (&'static str, String)> {
    SETTINGS.iter().filter_map(|setting| match &setting.source {
        Source::Sysctl(want) => Some((setting.name, want.recommended())),
        Source::Reading(_) => None,
    })
}

/// What there is to say about this host, in the order of the table.
pub(super) fn check(host: &Host) -> Vec<Finding> {
    SETTINGS.iter().filter_map(|setting| setting.check(host)).collect()
}

impl Setting {
    fn check(&self, host: &Host) -> Option<Finding> {
        let verdict = match &self.source {
            Source::Sysctl(want) => want.judge(self.name, &host.text(&sysctl_path(self.name))?),
            Source::Reading(read) => read(host)?,
        };
        Some(Finding { name: self.name, weight: self.weight, why: self.why, verdict })
    }
}

fn sysctl_path(name: &str) -> String {
    format!("/proc/sys/{}", name.replace('.', "/"))
}

impl Want {
    fn judge(&self, name: &str, value: &str) -> Verdict {
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        if self.accepts(&value) {
            return Verdict::Fits(value);
        }
        let set = |value: &str| match value.contains(' ') {
            true => format!("sysctl -w {name}='{value}'"),
            false => format!("sysctl -w {name}={value}"),
        };
        Verdict::Differs { set: set(&self.recommended()), undo: set(&value), wanted: self.to_string(), value }
    }

    fn accepts(&self, value: &str) -> bool {
        let number = value.parse::<u64>();
        match *self {
            Want::AtLeast(least) => number.is_ok_and(|number| number >= least),
            Want::NoneOrAtLeast(least) => number.is_ok_and(|number| number == 0 || number >= least),
            Want::Is(wanted) => value == wanted,
            Want::Not { unwanted, .. } => value != unwanted,
            Want::Span(_, least) => {
                let mut numbers = value.split(' ').filter_map(|word| word.parse::<u32>().ok());
                let (low, high) = (numbers.next(), numbers.next());
                low.zip(high).is_some_and(|(low, high)| high.saturating_sub(low) >= least)
            }
        }
    }

    fn recommended(&self) -> String {
        match *self {
            Want::AtLeast(least) | Want::NoneOrAtLeast(least) => least.to_string(),
            Want::Is(value) | Want::Not { better: value, .. } | Want::Span(value, _) => value.to_owned(),
        }
    }
}

impl std::fmt::Display for Want {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Want::AtLeast(least) => write!(f, "at least {least}"),
            Want::NoneOrAtLeast(least) => write!(f, "at least {least}, or 0 for no limit"),
            Want::Is(value) => f.write_str(value),
            Want::Not { unwanted, better } => write!(f, "not {unwanted}, but {better}"),
            Want::Span(_, least) => write!(f, "{least} ports or more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fake;
    use super::*;

    fn said(files: &[(&str, &str)]) -> Vec<String> {
        check(&Fake::new(files).host()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_host_without_such_files_is_not_judged() {
        assert_eq!(said(&[]), Vec::<String>::new());
    }

    #[test]
    fn a_sysctl_that_fits_is_one_line() {
        let files = [
            ("/proc/sys/net/core/somaxconn", "65535"),
            ("/proc/sys/net/ipv4/ip_local_port_range", "1024\t65535"),
            ("/proc/sys/net/ipv4/tcp_congestion_control", "reno"),
        ];
        let expected = [
            "fits     net.core.somaxconn = 65535\n",
            "fits     net.ipv4.ip_local_port_range = 1024 65535\n",
            "fits     net.ipv4.tcp_congestion_control = reno\n",
        ];
        assert_eq!(said(&files), expected);
    }

    #[test]
    fn a_sysctl_that_differs_tells_how_to_set_it_and_to_undo_that() {
        let files = [("/proc/sys/net/ipv4/ip_local_port_range", "32768\t60999")];
        let [finding] = &said(&files)[..] else { panic!("one finding") };
        assert!(finding.starts_with(
            "differs  net.ipv4.ip_local_port_range = 32768 60999, wanted: 60000 ports or more\n"
        ));
        assert!(finding.contains("set:  sysctl -w net.ipv4.ip_local_port_range='1024 65535'\n"));
        assert!(finding.contains("undo: sysctl -w net.ipv4.ip_local_port_range='32768 60999'\n"));
    }

    #[test]
    fn zero_is_no_limit_where_the_kernel_takes_it_so() {
        let of = |value| {
            said(&[
                ("/proc/sys/net/core/somaxconn", value),
                ("/proc/sys/net/netfilter/nf_conntrack_max", value),
                ("/proc/sys/fs/pipe-user-pages-soft", value),
            ])
        };
        let unlimited = of("0");
        assert!(unlimited[0].starts_with("differs  net.core.somaxconn = 0, wanted: at least 65535\n"));
        assert_eq!(
            unlimited[1..],
            ["fits     net.netfilter.nf_conntrack_max = 0\n", "fits     fs.pipe-user-pages-soft = 0\n"]
        );
        let few = "differs  fs.pipe-user-pages-soft = 1, wanted: at least 262144, or 0 for no limit\n";
        assert!(of("1")[2].starts_with(few));
    }

    #[test]
    fn every_recommended_value_is_accepted() {
        for setting in SETTINGS {
            let Source::Sysctl(want) = &setting.source else { continue };
            assert!(want.accepts(&want.recommended()), "{}", setting.name);
            let nonsense = want.judge(setting.name, "bbr");
            assert!(matches!(nonsense, Verdict::Differs { .. }), "{}: {nonsense:?}", setting.name);
        }
    }
}
