//! Where CPUs sit: package, core and NUMA node, as the kernel tells in `/sys/devices/system/cpu`
//! (Documentation/admin-guide/cputopology.rst).

use std::cmp::Reverse;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

/// One CPU; None: the kernel does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// Its number.
    pub number: u16,
    /// The socket.
    pub package: Option<u32>,
    /// The core within the package; siblings share it.
    pub core: Option<u32>,
    /// The NUMA node.
    pub node: Option<u32>,
}

/// Every CPU of this machine, by number; read once.
pub fn cpus() -> &'static [Cpu] {
    static CPUS: OnceLock<Vec<Cpu>> = OnceLock::new();
    CPUS.get_or_init(|| read(Path::new("/sys/devices/system/cpu")))
}

/// `allowed` in the order in which workers take them: a core each before any two share one, and node by node, the one
/// with the most allowed CPUs first, so that few workers have their memory and each other nearby.
pub fn in_order(cpus: &[Cpu], allowed: &[u16]) -> Vec<u16> {
    let of = |number: u16| cpus.iter().find(|cpu| cpu.number == number);
    let node = |number: u16| of(number).and_then(|cpu| cpu.node);
    let core = |number: u16| of(number).and_then(|cpu| Some((cpu.package?, cpu.core?)));
    let crowd = |wanted| allowed.iter().filter(|&&other| node(other) == wanted).count();
    let siblings_before = |number: u16| {
        let own = core(number);
        let shares = |&&other: &&u16| other < number && own.is_some() && core(other) == own;
        allowed.iter().filter(shares).count()
    };
    let mut order = allowed.to_vec();
    order.sort_by_cached_key(|&cpu| {
        let node = node(cpu);
        (siblings_before(cpu), Reverse(crowd(node)), node, cpu)
    });
    order
}

fn read(folder: &Path) -> Vec<Cpu> {
    let mut cpus: Vec<Cpu> = names(folder)
        .filter_map(|name| {
            let number = name.strip_prefix("cpu")?.parse().ok()?;
            let folder = folder.join(&name);
            let tells = |file: &str| fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok();
            Some(Cpu {
                number,
                package: tells("topology/physical_package_id"),
                core: tells("topology/core_id"),
                // A link `nodeN` stands in the CPU's folder.
                node: names(&folder).find_map(|name| name.strip_prefix("node")?.parse().ok()),
            })
        })
        .collect();
    cpus.sort_by_key(|cpu| cpu.number);
    cpus
}

fn names(folder: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CPUs by (package, core, node).
    fn host(cpus: &[(u32, u32, u32)]) -> Vec<Cpu> {
        let cpu = |(number, &(package, core, node)): (usize, &(u32, u32, u32))| Cpu {
            number: number as u16,
            package: Some(package),
            core: Some(core),
            node: Some(node),
        };
        cpus.iter().enumerate().map(cpu).collect()
    }

    #[test]
    fn nodes_that_take_turns_in_the_numbers_are_filled_one_by_one() {
        let cpus = host(&[(0, 0, 0), (1, 0, 1), (0, 1, 0), (1, 1, 1)]);
        assert_eq!(in_order(&cpus, &[0, 1, 2, 3]), [0, 2, 1, 3]);
        assert_eq!(in_order(&cpus, &[1, 2, 3]), [1, 3, 2], "the node with more of them first");
    }

    #[test]
    fn cores_come_before_their_siblings() {
        let cpus = host(&[(0, 0, 0), (0, 0, 0), (0, 1, 0), (0, 1, 0), (1, 0, 1), (1, 0, 1)]);
        assert_eq!(in_order(&cpus, &[0, 1, 2, 3, 4, 5]), [0, 2, 4, 1, 3, 5]);
        assert_eq!(
            in_order(&cpus, &[1, 2, 4]),
            [1, 2, 4],
            "a sibling that may not be used keeps nobody waiting"
        );
    }

    #[test]
    fn what_the_kernel_does_not_tell_keeps_the_numbers_order() {
        assert_eq!(in_order(&[], &[3, 5, 9]), [3, 5, 9]);
    }

    #[test]
    fn the_kernels_files_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, text).expect("a file");
        };
        write("cpu10/topology/core_id", "4\n");
        write("cpu10/topology/physical_package_id", "1\n");
        write("cpu10/node1/cpulist", "10\n");
        write("cpu2/online", "1\n");
        write("cpufreq/boost", "1\n");
        let [second, tenth] = read(folder.path())[..] else { panic!("two CPUs") };
        assert_eq!(second, Cpu { number: 2, package: None, core: None, node: None });
        assert_eq!(tenth, Cpu { number: 10, package: Some(1), core: Some(4), node: Some(1) });
    }

    #[test]
    fn this_machine_has_the_cpus_that_may_be_used() {
        let known: Vec<u16> = cpus().iter().map(|cpu| cpu.number).collect();
        super::super::cpu::allowed()
            .iter()
            .for_each(|cpu| assert!(known.contains(cpu), "{cpu} of {known:?}"));
    }
}
