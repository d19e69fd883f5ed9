//! Which CPUs each worker runs on.

use crate::config::model::Global;
use crate::sys::{cpu, topology};

/// Where a worker runs.
pub(super) struct Place {
    /// The CPUs it may use.
    pub(super) cpus: Vec<u16>,
    /// By `cpu-map`, not by Pronk's own order.
    pub(super) demanded: bool,
}

/// The places of all workers: their `cpu-map`, or one CPU each of those that this process may use and that no
/// `cpu-map` names, in the order of [`topology::in_order`].
pub(super) fn places(global: &Global, workers: usize) -> Vec<Place> {
    assign(&global.cpu_map, workers, &topology::in_order(topology::cpus(), &cpu::allowed()))
}

fn assign(maps: &[Vec<u16>], workers: usize, order: &[u16]) -> Vec<Place> {
    let mapped = |cpu: &&u16| maps.iter().take(workers).any(|map| map.contains(cpu));
    let free: Vec<u16> = order.iter().filter(|cpu| !mapped(cpu)).copied().collect();
    let free = if free.is_empty() { order } else { &free };
    let mut next = free.iter().copied().cycle();
    let place = |index: usize| match maps.get(index).filter(|cpus| !cpus.is_empty()) {
        Some(cpus) => Place { cpus: cpus.clone(), demanded: true },
        None => Place { cpus: next.next().into_iter().collect(), demanded: false },
    };
    (0..workers).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpus(maps: &[&[u16]], workers: usize, order: &[u16]) -> Vec<Vec<u16>> {
        let maps: Vec<Vec<u16>> = maps.iter().map(|map| map.to_vec()).collect();
        assign(&maps, workers, order).into_iter().map(|place| place.cpus).collect()
    }

    #[test]
    fn workers_take_one_cpu_each_in_order_and_share_when_there_are_more() {
        assert_eq!(cpus(&[], 2, &[0, 2, 1, 3]), [[0], [2]]);
        assert_eq!(cpus(&[], 3, &[4, 5]), [[4], [5], [4]]);
    }

    #[test]
    fn what_cpu_map_gives_to_one_no_other_takes() {
        assert_eq!(cpus(&[&[2]], 3, &[0, 2, 1]), [[2], [0], [1]]);
        assert_eq!(cpus(&[&[], &[7, 8]], 2, &[0, 1]), [&[0][..], &[7, 8]]);
        assert_eq!(cpus(&[&[0, 1]], 2, &[0, 1]), [&[0, 1][..], &[0]], "no other is left");
        assert_eq!(cpus(&[&[], &[0]], 1, &[0, 1]), [[0]], "a worker that is not there takes none");
        assert!(assign(&[vec![], vec![7]], 2, &[0])[1].demanded);
    }
}
