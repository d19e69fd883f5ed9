//! `-dc`: the CPUs, where they sit, and which worker runs on which.

use std::fs;
use std::path::Path;

use crate::config::model::Global;
use crate::process::threads;
use crate::sys::cpu;

const CPUS: &str = "/sys/devices/system/cpu";

/// A line for each CPU this process may use.
pub(super) fn listing(global: &Global) -> String {
    let allowed = cpu::allowed();
    let workers = global.nbthread.map_or(allowed.len(), usize::from);
    let mut out = format!(
        "CPUs online: {}; usable by this process: {}; workers: {workers}\n  cpu package  core  node  workers\n",
        read(Path::new(CPUS), "online"),
        allowed.len()
    );
    for &cpu in &allowed {
        let directory = Path::new(CPUS).join(format!("cpu{cpu}"));
        let topology = directory.join("topology");
        let here: Vec<String> = (0..workers)
            .filter(|&worker| threads::place(global, worker).contains(&cpu))
            .map(|worker| (worker + 1).to_string())
            .collect();
        out += &format!(
            "{cpu:>5} {:>7} {:>5} {:>5}  {}\n",
            read(&topology, "physical_package_id"),
            read(&topology, "core_id"),
            node(&directory),
            if here.is_empty() { "-".to_owned() } else { here.join(",") },
        );
    }
    out
}

/// A file's content, or `-` when the kernel does not tell.
fn read(directory: &Path, name: &str) -> String {
    fs::read_to_string(directory.join(name)).map_or_else(|_| "-".to_owned(), |text| text.trim().to_owned())
}

/// The NUMA node: a link `nodeN` stands in the CPU's directory.
fn node(directory: &Path) -> String {
    let names = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let number = |name: std::ffi::OsString| name.to_str()?.strip_prefix("node")?.parse::<u32>().ok();
    names.filter_map(number).next().map_or_else(|| "-".to_owned(), |node| node.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usable_cpu_has_a_line_with_its_workers() {
        let text = listing(&Global::default());
        assert_eq!(text.lines().count(), 2 + cpu::allowed().len());
        let first = text.lines().nth(2).expect("a CPU");
        assert_eq!(first.split_whitespace().next(), Some(cpu::allowed()[0].to_string().as_str()));
        assert_eq!(first.split_whitespace().last(), Some("1"), "{text}");
    }
}
