//! `-dc`: the CPUs, where they sit, and which worker runs on which.

use std::fmt::Display;

use crate::config::model::Global;
use crate::process::placement;
use crate::sys::cpu;
use crate::sys::topology::{self, Cpu};

/// A line for each CPU this process may use.
pub(super) fn listing(global: &Global) -> String {
    let (known, allowed) = (topology::cpus(), cpu::allowed());
    let workers = global.nbthread.map_or(allowed.len(), usize::from);
    let places = placement::places(global, workers);
    let mut out = format!(
        "CPUs here: {}; usable by this process: {}; workers: {workers}\n  cpu package  core  node  workers\n",
        known.len(),
        allowed.len()
    );
    for &number in &allowed {
        let unknown = Cpu { number, package: None, core: None, first_sibling: None, node: None };
        let cpu = known.iter().find(|cpu| cpu.number == number).unwrap_or(&unknown);
        let here: Vec<String> = (1..)
            .zip(&places)
            .filter(|(_, place)| place.cpus.contains(&number))
            .map(|(worker, _)| worker.to_string())
            .collect();
        out += &format!(
            "{number:>5} {:>7} {:>5} {:>5}  {}\n",
            told(cpu.package),
            told(cpu.core),
            told(cpu.node),
            if here.is_empty() { "-".to_owned() } else { here.join(",") },
        );
    }
    out
}

/// `-` when the kernel does not tell.
fn told(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usable_cpu_has_a_line_with_its_workers() {
        let text = listing(&Global::default());
        assert_eq!(text.lines().count(), 2 + cpu::allowed().len());
        let first = topology::in_order(topology::cpus(), &cpu::allowed())[0].to_string();
        let mut lines = text.lines().skip(2).map(|line| line.split_whitespace().collect::<Vec<_>>());
        let line = lines.find(|words| words[0] == first).expect("a line for it");
        assert_eq!(line.last(), Some(&"1"), "{text}");
    }
}
