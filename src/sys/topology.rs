//! Where CPUs sit: package, core and NUMA node, as the kernel tells in `/sys/devices/system/cpu`
//! (Documentation/admin-guide/cputopology.rst).

use std::cmp::Reverse;
use std::collections::BTreeMap;
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
    /// The core's number, which other packages and dies have too.
    pub core: Option<u32>,
    /// The first CPU of its core: siblings share it.
    pub first_sibling: Option<u16>,
    /// The NUMA node.
    pub node: Option<u32>,
}

/// Every CPU of this machine that is online, by number; read once.
pub fn cpus() -> &'static [Cpu] {
    static CPUS: OnceLock<Vec<Cpu>> = OnceLock::new();
    CPUS.get_or_init(|| read(Path::new("/sys/devices/system/cpu")))
}

/// `allowed`, ascending, in the order in which workers take them: a core each before any two share one, and node by
/// node, the one with the most cores first, so that few workers have their memory and each other nearby. `cpus` is
/// ascending too.
pub fn in_order(cpus: &[Cpu], allowed: &[u16]) -> Vec<u16> {
    let (mut on_core, mut cores_of_node) = (BTreeMap::<u16, u32>::new(), BTreeMap::<Option<u32>, u32>::new());
    let mut places = Vec::with_capacity(allowed.len());
    for &number in allowed {
        let known = cpus.binary_search_by_key(&number, |cpu| cpu.number).ok().map(|at| cpus[at]);
        let node = known.and_then(|cpu| cpu.node);
        let siblings = on_core.entry(known.and_then(|cpu| cpu.first_sibling).unwrap_or(number)).or_insert(0);
        if *siblings == 0 {
            *cores_of_node.entry(node).or_insert(0) += 1;
        }
        places.push((*siblings, node, number));
        *siblings += 1;
    }
    let cores = |node: Option<u32>| cores_of_node.get(&node).copied().unwrap_or(0);
    places.sort_by_key(|&(siblings, node, number)| (siblings, Reverse(cores(node)), node, number));
    places.into_iter().map(|(_, _, number)| number).collect()
}

fn read(folder: &Path) -> Vec<Cpu> {
    let online = fs::read_to_string(folder.join("online")).ok();
    let mut cpus: Vec<Cpu> = names(folder)
        .filter_map(|name| {
            let number = name.strip_prefix("cpu")?.parse().ok()?;
            if online.as_ref().is_some_and(|list| !lists(list, number)) {
                return None;
            }
            let folder = folder.join(&name);
            let tells = |file: &str| fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok();
            let siblings = fs::read_to_string(folder.join("topology/thread_siblings_list")).ok();
            Some(Cpu {
                number,
                package: tells("topology/physical_package_id"),
                core: tells("topology/core_id"),
                first_sibling: siblings.and_then(|list| first(&list)),
                // A link `nodeN` stands in the CPU's folder.
                node: names(&folder).find_map(|name| name.strip_prefix("node")?.parse().ok()),
            })
        })
        .collect();
    cpus.sort_by_key(|cpu| cpu.number);
    cpus
}

/// Whether a list as `0,2-3` has this number.
fn lists(list: &str, number: u16) -> bool {
    list.trim().split(',').any(|range| {
        let (low, high) = range.split_once('-').unwrap_or((range, range));
        matches!((low.parse(), high.parse()), (Ok(low), Ok(high)) if (low..=high).contains(&number))
    })
}

/// The first number of a list as `0,64` or `2-3`.
fn first(list: &str) -> Option<u16> {
    list.trim().split(|other: char| !other.is_ascii_digit()).next()?.parse().ok()
}

fn names(folder: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CPUs by (first sibling, node).
    fn host(cpus: &[(u16, u32)]) -> Vec<Cpu> {
        let cpu = |(number, &(first, node)): (usize, &(u16, u32))| Cpu {
            number: number as u16,
            package: None,
            core: None,
            first_sibling: Some(first),
            node: Some(node),
        };
        cpus.iter().enumerate().map(cpu).collect()
    }

    #[test]
    fn nodes_that_take_turns_in_the_numbers_are_filled_one_by_one() {
        let cpus = host(&[(0, 0), (1, 1), (2, 0), (3, 1)]);
        assert_eq!(in_order(&cpus, &[0, 1, 2, 3]), [0, 2, 1, 3]);
        assert_eq!(in_order(&cpus, &[1, 2, 3]), [1, 3, 2], "the node with more of them first");
    }

    #[test]
    fn cores_come_before_their_siblings() {
        let cpus = host(&[(0, 0), (0, 0), (2, 0), (2, 0), (4, 1), (4, 1)]);
        assert_eq!(in_order(&cpus, &[0, 1, 2, 3, 4, 5]), [0, 2, 4, 1, 3, 5]);
        assert_eq!(
            in_order(&cpus, &[1, 2, 4]),
            [1, 2, 4],
            "a sibling that may not be used keeps nobody waiting"
        );
    }

    #[test]
    fn a_node_counts_by_its_cores() {
        let cpus = host(&[(0, 0), (0, 0), (2, 0), (2, 0), (4, 1), (5, 1), (6, 1)]);
        assert_eq!(in_order(&cpus, &[0, 1, 2, 3, 4, 5, 6]), [4, 5, 6, 0, 2, 1, 3]);
    }

    #[test]
    fn what_the_kernel_does_not_tell_keeps_the_numbers_order() {
        assert_eq!(in_order(&[], &[3, 5, 9]), [3, 5, 9]);
    }

    fn write(folder: &Path, path: &str, text: &str) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    #[test]
    fn what_is_offline_is_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        (0..12).for_each(|number| write(folder.path(), &format!("cpu{number}/topology/core_id"), "0\n"));
        let numbers = || read(folder.path()).into_iter().map(|cpu| cpu.number).collect::<Vec<_>>();
        assert_eq!(numbers().len(), 12, "the kernel does not tell");
        write(folder.path(), "online", "0,2-3,10-11\n");
        assert_eq!(numbers(), [0, 2, 3, 10, 11]);
    }

    #[test]
    fn the_kernels_files_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| write(folder.path(), path, text);
        write("cpu10/topology/core_id", "4\n");
        write("cpu10/topology/physical_package_id", "1\n");
        write("cpu10/topology/thread_siblings_list", "2,10\n");
        write("cpu10/node1/cpulist", "10\n");
        write("cpu2/online", "1\n");
        write("cpufreq/boost", "1\n");
        let [second, tenth] = read(folder.path())[..] else { panic!("two CPUs") };
        assert_eq!(second, Cpu { number: 2, package: None, core: None, first_sibling: None, node: None });
        let (core, first_sibling) = (Some(4), Some(2));
        assert_eq!(tenth, Cpu { number: 10, package: Some(1), core, first_sibling, node: Some(1) });
    }
}
